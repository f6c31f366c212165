"""Two commands at once, and what DVC leaves, damaged or held, that `unroll repro` meets."""

import contextlib
import random
import shutil

import pytest
from filelock import FileLock
from zc.lockfile import LockFile

from tests.faults.lab import on_page

REPRO = "repro --jobs 1"


@pytest.mark.parametrize("command", ["source waves", "prepare waves", "train waves_linear", "evaluate waves", REPRO])
def test_the_same_command_runs_already(command, lab):
    name = command.removesuffix(" --jobs 1").replace(" ", "-")
    lab.workspace.scratch.mkdir(exist_ok=True)
    with FileLock(lab.workspace.scratch / f"{name}.lock"):
        lab.refuses(command, "another `unroll repro` is building in" if command == REPRO else "another process is at")


def test_a_build_mends_outputs_and_a_lock_that_was_cut_off_and_trains_nothing_anew(dvc):
    lock = dvc.root / "dvc.lock"
    whole, text = dvc.outputs(), lock.read_bytes()
    for name in ("data/raw/waves/waves.npz", "data/prepared/waves/dataset.json", "metrics/waves/waves_linear.json"):
        (dvc.root / name).write_bytes((dvc.root / name).read_bytes()[:-9])
    shutil.rmtree(dvc.root / "runs" / "waves" / "waves_linear")
    (dvc.root / "evaluations" / "waves" / "evaluation.json").write_text("{}\n")
    dvc.workspace.report.unlink()
    lock.write_bytes(text[: random.randrange(len(text))])  # noqa: S311
    dvc.succeeds(REPRO)
    assert dvc.outputs() == whole
    assert lock.read_bytes() == text
    ran = {path.name for path in dvc.workspace.scratch.glob("logs/*")}
    assert ran <= {"report.txt", "evaluate@waves.txt", "evaluate@jena.txt"}


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
    files = list((dvc.root.parent / "notes").rglob("cache.db"))
    for path in files:
        path.write_bytes(bytes(range(256)) * 100)
    assert files
    yield
    shutil.rmtree(dvc.root.parent / "notes" / "repo")


SAID = {
    dvc_is_at_work: "another `dvc` is at work here; wait until it has ended",
    a_merge_left_its_marks: "dvc.lock is damaged; restore it (`git checkout dvc.lock`) or delete it",
    the_notes_are_damaged: "DVC's notes on the files that it has seen cannot be used",
}


def test_a_build_says_what_to_do_and_then_goes_on(dvc):
    whole = dvc.outputs()
    for fault, says in SAID.items():
        with fault(dvc):
            dvc.refuses(REPRO, says)
        assert on_page(says)
        dvc.succeeds(REPRO)
    assert dvc.outputs() == whole
    assert not list(dvc.workspace.scratch.glob("logs/*"))
