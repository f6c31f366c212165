"""Two commands at once, and what DVC leaves, damaged or held, that `unroll repro` meets."""

import contextlib
import shutil

import pytest
from filelock import FileLock

from tests.faults.lab import on_page

REPRO = "repro --jobs 1"


@pytest.mark.parametrize("command", ["source waves", "prepare waves", "train waves_linear", "evaluate waves"])
def test_the_same_command_runs_already(command, lab):
    with FileLock(lab.workspace.scratch / f"{command.replace(' ', '-')}.lock"):
        lab.refuses(command, "another process is at")


def test_a_build_mends_outputs_and_a_lock_that_is_gone_and_trains_nothing_anew(lab):
    lock = lab.root / "dvc.lock"
    whole, text = lab.outputs(), lock.read_bytes()
    made = ("data/raw/waves/waves.npz", "data/prepared/waves/dataset.json", "results/metrics/waves/waves_linear.json")
    for name in made:
        (lab.root / name).write_bytes((lab.root / name).read_bytes()[:-9])
    shutil.rmtree(lab.root / "runs" / "waves" / "waves_linear")
    (lab.root / "results" / "evaluations" / "waves" / "evaluation.json").write_text("{}\n")
    lab.workspace.report.unlink()
    lock.unlink()
    lab.succeeds(REPRO)
    assert lab.outputs() == whole
    assert lock.read_bytes() == text
    ran = {path.name for path in lab.workspace.scratch.glob("logs/*")}
    assert ran <= {"report.txt", "evaluate@waves.txt", "evaluate@jena.txt"}


@contextlib.contextmanager
def a_merge_left_its_marks(lab):
    path = lab.root / "dvc.lock"
    text = path.read_text()
    path.write_text(text.replace("stages:\n", "stages:\n<<<<<<< ours\n", 1))
    yield
    path.write_text(text)


@contextlib.contextmanager
def the_notes_are_damaged(lab):
    files = list((lab.root.parent / "notes").rglob("cache.db"))
    for path in files:
        path.write_bytes(bytes(range(256)) * 100)
    assert files
    yield
    shutil.rmtree(lab.root.parent / "notes" / "repo")


SAID = {
    a_merge_left_its_marks: "dvc.lock is damaged; restore it (`git checkout dvc.lock`) or delete it",
    the_notes_are_damaged: "DVC's notes on the files that it has seen cannot be used",
}


def test_a_build_says_what_to_do_and_then_goes_on(lab):
    whole = lab.outputs()
    for fault, says in SAID.items():
        with fault(lab):
            lab.refuses(REPRO, says)
        assert on_page(says)
        lab.succeeds(REPRO)
    assert lab.outputs() == whole
    assert not list(lab.workspace.scratch.glob("logs/*"))
