"""Two commands at once, and what DVC leaves, damaged or held, that `unroll repro` meets."""

import contextlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock
from zc.lockfile import LockFile

from pipeline.files import unfinished
from stages.workspaces import demo
from tests.faults.lab import Lab
from tests.faults.table import Row

PLACE = "processes"
REPOSITORY = Path(__file__).parents[2]
REPRO = "repro --jobs 1"
AT_ONCE = {"source waves": "source", "prepare waves": "prepare", "train waves_linear": "train"} | {
    "evaluate waves": "evaluate",
    REPRO: "repro",
}
TWICE = "the same command runs already"


@pytest.mark.parametrize("command", AT_ONCE)
def test_two_at_once(command, lab, report):
    whole = lab.outputs()
    lab.workspace.scratch.mkdir(exist_ok=True)
    with FileLock(lab.workspace.scratch / f"{command.replace(' ', '-').removesuffix('---jobs-1')}.lock"):
        ended = lab.run(command)
    assert ended.code == 1
    assert "another" in ended.line
    assert lab.outputs() == whole
    report(PLACE, Row(TWICE, f"unroll {command}", ended.code, ended.line, ("nothing is written",)))


@pytest.fixture(scope="module")
def of_dvc(baselines, tmp_path_factory) -> Lab:
    """The built workspace with DVC's graph, all of it up to date. Do not change it: `workspace` is a copy."""
    from dvc.repo import Repo

    root = tmp_path_factory.mktemp("processes") / "lab"
    shutil.copytree(baselines.root, root)
    (root / ".dvc" / "plots").mkdir(parents=True)
    (root / ".dvc" / "config").write_text(demo.CONFIG)
    for name in demo.LINKED:
        (root / name).symlink_to(REPOSITORY / name, target_is_directory=True)
    for name in demo.COPIED:
        if name != "claims.yaml":
            shutil.copyfile(REPOSITORY / name, root / name)
    with pytest.MonkeyPatch.context() as patch, contextlib.chdir(root):
        patch.setenv("DVC_SITE_CACHE_DIR", str(root.parent / "site-cache"))
        with Repo(str(root)) as repo:
            repo.commit(force=True)
    return Lab(root)


@pytest.fixture
def workspace(of_dvc, tmp_path, monkeypatch) -> Lab:
    """A copy of it that a test may change; what a stage would record goes nowhere, which is fastest."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "dvc" / ".unroll" / "notes"))
    shutil.copytree(of_dvc.root, tmp_path / "dvc", symlinks=True)
    return Lab(tmp_path / "dvc")


def rwlock(lab: Lab, number: int, age: float = 0.0) -> None:
    """Have DVC's list say that a process writes the page."""
    path = lab.root / ".dvc" / "tmp" / "rwlock"
    page = str(lab.root / "report" / "index.html")
    path.write_text(json.dumps({"write": {page: {"pid": number, "cmd": "dvc repro"}}, "read": {}}))
    if age:
        os.utime(path, (path.stat().st_mtime - age,) * 2)


def cut_list(lab: Lab) -> None:
    (lab.root / ".dvc" / "tmp" / "rwlock").write_text('{"write": {"/some')


def old_list(lab: Lab) -> None:
    rwlock(lab, os.getpid(), age=1e6)


def held_list(lab: Lab) -> None:
    rwlock(lab, os.getpid())


def free_list(lab: Lab) -> None:
    (lab.root / ".dvc" / "tmp" / "rwlock").unlink()


HELD: dict[str, LockFile] = {}


def at_work(lab: Lab) -> None:
    HELD["DVC"] = LockFile(str(lab.root / ".dvc" / "tmp" / "lock"))


def at_rest(_: Lab) -> None:
    HELD.pop("DVC").close()


def cut_lock(lab: Lab) -> None:
    path = lab.root / "dvc.lock"
    path.write_bytes(path.read_bytes()[:-40])


def merged_lock(lab: Lab) -> None:
    path = lab.root / "dvc.lock"
    shutil.copyfile(path, lab.root / "kept")
    path.write_text("<<<<<<< HEAD\n" + path.read_text())


def restored_lock(lab: Lab) -> None:
    (lab.root / "kept").rename(lab.root / "dvc.lock")


def damaged_notes(lab: Lab) -> None:
    assert lab.run(REPRO).code == 0  # makes them
    for path in Path(os.environ["DVC_SITE_CACHE_DIR"]).rglob("*.db"):
        path.write_bytes(b"no database" * 1000)


def deleted_notes(_: Lab) -> None:
    shutil.rmtree(Path(os.environ["DVC_SITE_CACHE_DIR"]) / "repo")


def half_written(lab: Lab) -> None:
    for folder in ("metrics", "report", ".unroll"):
        gone = unfinished(lab.root / folder, "gone")
        gone.write_text("half")
        os.utime(gone, (0, 0))  # before this process started, so it was another
    unfinished(lab.root / "metrics", "living").write_text("half")  # in a folder that the page depends on


def damaged_outputs(lab: Lab) -> None:
    for name in ("raw/waves/waves.npz", "prepared/waves/dataset.json"):
        (lab.root / "data" / name).write_bytes((lab.root / "data" / name).read_bytes()[:-9])
    (lab.root / "runs/waves/waves_linear/history.csv").write_text("seed")
    (lab.root / "evaluations/waves/predictions.csv").unlink()
    (lab.root / "metrics/waves.json").write_text("{}\n")


@dataclass(frozen=True)
class Case:
    """What `unroll repro` finds, words of its last line, and what mends it, where it does not do so itself."""

    fault: str
    make: Callable[[Lab], None]
    says: str = ""
    code: int = 0
    mend: Callable[[Lab], None] | None = None
    after: tuple[str, ...] = ("mended, and all is as it was",)


CASES = [
    Case(
        "files that killed commands left half-written",
        half_written,
        after=("removed, but for those of a living one; nothing is built anew",),
    ),
    Case(
        "files of every stage are cut short, changed or missing",
        damaged_outputs,
        after=("built anew or taken from DVC's cache: the same bytes",),
    ),
    Case("DVC was killed while it wrote its list of running stages", cut_list),
    Case("that list names a process that is gone, and whose number another has", old_list),
    Case(
        "that list names a process that runs: `dvc repro` is at work",
        held_list,
        "is busy, it is being blocked by",
        1,
        free_list,
        ("nothing is written; when it has ended, all goes on",),
    ),
    Case(
        "another `dvc` reads or writes its files",
        at_work,
        "another `dvc` is at work",
        1,
        at_rest,
        ("nothing is written; when it has ended, all goes on",),
    ),
    Case("DVC was killed while it wrote dvc.lock", cut_lock, "dvc.lock was cut off"),
    Case(
        "dvc.lock is damaged, as by a merge",
        merged_lock,
        "dvc.lock is damaged",
        1,
        restored_lock,
        ("nothing is written; with dvc.lock restored, nothing is built anew",),
    ),
    Case(
        "DVC's notes on files are damaged",
        damaged_notes,
        "file is not a database",
        1,
        deleted_notes,
        ("nothing is written; once they are deleted, nothing is built anew",),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.make.__name__)
def test_repro(case, workspace, report):
    whole, lock = workspace.outputs(), (workspace.root / "dvc.lock").read_bytes()
    written = workspace.workspace.report.stat().st_mtime_ns
    case.make(workspace)
    found = workspace.outputs()
    ended = workspace.run(REPRO)
    assert ended.code == case.code, ended
    assert case.says in ended.line
    if case.mend:
        assert workspace.outputs() == found
        case.mend(workspace)
        assert workspace.run(REPRO).code == 0
    assert workspace.outputs() == whole
    assert (workspace.root / "dvc.lock").read_bytes() == lock
    assert [path for path in workspace.unfinished() if "living" not in path.name] == []
    if "nothing is built anew" in case.after[0]:
        assert workspace.workspace.report.stat().st_mtime_ns == written
    report(PLACE, Row(case.fault, f"unroll {REPRO}", ended.code, ended.line, case.after))


def test_the_page_has_these_rows_and_no_others(listed):
    rows = [(TWICE, f"`unroll {command}`") for command in AT_ONCE]
    assert listed(PLACE) == rows + [(case.fault, f"`unroll {REPRO}`") for case in CASES]
