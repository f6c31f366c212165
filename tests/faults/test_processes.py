"""Two commands at once, and what DVC leaves, damaged or held, that `unroll repro` meets."""

import contextlib
import random
import shutil

import pytest
from filelock import FileLock
from zc.lockfile import LockFile

from tests.faults.lab import Lab, on_page

REPRO = "repro --jobs 1"


@pytest.mark.parametrize("command", ["source waves", "prepare waves", "train waves_linear", "evaluate waves", REPRO])
def test_the_same_command_runs_already(command, lab):
    name = command.removesuffix(" --jobs 1").replace(" ", "-")
    lab.workspace.scratch.mkdir(exist_ok=True)
    with FileLock(lab.workspace.scratch / f"{name}.lock"):
        lab.refuses(command, "another `unroll repro` is building in" if command == REPRO else "another process is at")


@pytest.fixture
def dvc(built_by_dvc, tmp_path, monkeypatch) -> Lab:
    """A workspace that is up to date, with notes of DVC's of its own."""
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "notes"))
    lab = Lab(shutil.copytree(built_by_dvc.root, tmp_path / "dvc"))
    shutil.rmtree(lab.workspace.scratch / "logs")
    return lab


def damaged_outputs(dvc: Lab) -> None:
    for name in ("data/raw/waves/waves.npz", "data/prepared/waves/dataset.json", "metrics/waves/waves_linear.json"):
        path = dvc.root / name
        path.write_bytes(path.read_bytes()[:-9])
    shutil.rmtree(dvc.root / "runs" / "waves" / "waves_linear")
    (dvc.root / "evaluations" / "waves" / "evaluation.json").write_text("{}\n")
    dvc.workspace.report.unlink()


def lock_cut_off(dvc: Lab) -> None:
    path = dvc.root / "dvc.lock"
    path.write_bytes(path.read_bytes()[: random.randrange(path.stat().st_size)])  # noqa: S311


@pytest.mark.parametrize("fault", [damaged_outputs, lock_cut_off])
def test_a_build_mends_it_and_trains_nothing_anew(fault, dvc):
    whole, lock = dvc.outputs(), (dvc.root / "dvc.lock").read_bytes()
    fault(dvc)
    dvc.succeeds(REPRO)
    assert dvc.outputs() == whole
    assert (dvc.root / "dvc.lock").read_bytes() == lock
    assert {path.name for path in dvc.workspace.scratch.glob("logs/*")} <= {"report.txt", "evaluate@waves.txt"}


@contextlib.contextmanager
def dvc_is_at_work(dvc):
    with contextlib.closing(LockFile(str(dvc.root / ".dvc" / "tmp" / "lock"))):
        yield


@contextlib.contextmanager
def a_merge_left_its_marks(dvc):
    path = dvc.root / "dvc.lock"
    text = path.read_text()
    path.write_text(text.replace("stages:\n", "stages:\n<<<<<<< ours\n", 1))
    yield
    path.write_text(text)


@contextlib.contextmanager
def the_notes_are_damaged(dvc):
    dvc.succeeds(REPRO)
    files = list((dvc.root.parent / "notes").rglob("cache.db"))
    for path in files:
        path.write_bytes(bytes(range(256)) * 100)
    assert files
    yield
    shutil.rmtree(dvc.root.parent / "notes" / "repo")


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (dvc_is_at_work, "another `dvc` is at work here; wait until it has ended"),
        (a_merge_left_its_marks, "dvc.lock is damaged; restore it (`git checkout dvc.lock`) or delete it"),
        (the_notes_are_damaged, "DVC's notes on the files that it has seen cannot be used"),
    ],
)
def test_a_build_says_what_to_do_and_then_goes_on(fault, says, dvc):
    whole = dvc.outputs()
    with fault(dvc):
        dvc.refuses(REPRO, says)
    assert on_page(says)
    dvc.succeeds(REPRO)
    assert dvc.outputs() == whole
    assert not list(dvc.workspace.scratch.glob("logs/*"))
