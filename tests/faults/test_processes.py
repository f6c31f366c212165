"""Two commands at once, what DVC leaves that a build meets, and MLflow's store locked, damaged or away."""

import contextlib
import shutil
import socket
import sqlite3
from pathlib import Path

import pytest
from filelock import FileLock

from pipeline.tracking import store
from tests.faults.conftest import FaultyWorkspace
from unroll.results.tracking import track

REPRO = "repro --jobs 1"


def test_a_command_that_runs_already_is_refused(faulty):
    for command in ("source waves", "prepare waves", "train waves/linear", "evaluate waves"):
        with FileLock(faulty.workspace.scratch / f"{command.replace(' ', '-')}.lock"):
            faulty.refuses(command, "another process is at")


def test_a_build_mends_what_it_can_trains_nothing_anew_and_says_what_else_to_do(faulty):
    lock = faulty.root / "dvc.lock"
    whole, text = faulty.outputs(), lock.read_bytes()
    names = ("data/raw/waves/waves.npz", "data/prepared/waves/dataset.json", "results/metrics/waves/linear.json")
    for name in names:
        (faulty.root / name).write_bytes((faulty.root / name).read_bytes()[:-9])
    shutil.rmtree(faulty.root / "runs" / "waves" / "waves/linear")
    (faulty.root / "results" / "evaluations" / "waves" / "evaluation.json").write_text("{}\n")
    faulty.workspace.report.unlink()
    lock.unlink()
    faulty.succeeds(REPRO)
    assert faulty.outputs() == whole
    assert lock.read_bytes() == text
    logs = faulty.workspace.scratch / "logs"
    assert {path.name for path in logs.glob("*")} <= {"report.txt", "evaluate@waves.txt", "evaluate@jena.txt"}
    shutil.rmtree(logs, ignore_errors=True)
    lock.write_bytes(text.replace(b"stages:\n", b"stages:\n<<<<<<< ours\n", 1))
    faulty.refuses(REPRO, "dvc.lock is damaged; restore it (`git checkout dvc.lock`) or delete it")
    lock.write_bytes(text)
    notes = faulty.root.parent / "notes"
    for path in (databases := list(notes.rglob("cache.db"))):
        path.write_bytes(bytes(range(256)) * 100)
    assert databases
    faulty.refuses(REPRO, "DVC's notes on the files that it has seen cannot be used")
    shutil.rmtree(notes / "repo")
    faulty.succeeds(REPRO)
    assert faulty.outputs() == whole
    assert not list(logs.glob("*"))


@pytest.fixture(scope="module")
def recorded(built, database, tmp_path_factory) -> FaultyWorkspace:
    """The built workspace with an MLflow store that holds one of its runs, and a copy of it in `intact.db`."""
    faulty = FaultyWorkspace(shutil.copytree(built.root, tmp_path_factory.mktemp("store") / "copy"))
    shutil.copyfile(database, faulty.root / "mlflow.db")
    faulty.change(lambda data: [data["experiments"].pop(name) for name in ("waves/node", "jena/gru")])
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI")
        faulty.succeeds("train jena/last_value")
    shutil.copyfile(faulty.root / "mlflow.db", faulty.root / "intact.db")
    return faulty


@contextlib.contextmanager
def cause(fault: str, database: Path, patch: pytest.MonkeyPatch):
    whole = database.read_bytes()
    with contextlib.ExitStack() as stack:
        if fault == "locked":
            connection = stack.enter_context(contextlib.closing(sqlite3.connect(database, isolation_level=None)))
            connection.execute("BEGIN EXCLUSIVE")
        elif fault in {"damaged", "cut short"}:
            database.write_bytes(bytes(range(256)) * 100 if fault == "damaged" else whole[: len(whole) // 3])
        else:
            server = stack.enter_context(socket.socket())
            server.bind(("127.0.0.1", 0))
            if fault == "silent":
                server.listen()
            patch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
            patch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{server.getsockname()[1]}")
        yield
    patch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("locked", "(database is locked); wait until the process that holds it has ended"),
        ("damaged", "(file is not a database); move it away and run `unroll track`"),
        ("cut short", "(database disk image is malformed); move it away and run `unroll track`"),
        ("away", "(Connection refused); check that the server of MLFLOW_TRACKING_URI runs"),
        ("silent", "(timed out); check that the server of MLFLOW_TRACKING_URI runs"),
    ],
)
def test_a_store_that_fails_costs_a_warning(fault, says, recorded, monkeypatch):
    intact, database, whole = recorded.root / "intact.db", recorded.root / "mlflow.db", recorded.outputs()
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    monkeypatch.setattr(store, "BUSY", 0.1)
    shutil.copyfile(intact, database)  # the same file, since MLflow keeps it open in this process
    with cause(fault, database, monkeypatch):
        line = recorded.succeeds("train waves/linear").line
        assert line.startswith("warning: not recorded in MLflow: ")
        assert says in line
        if fault in {"locked", "away"}:
            recorded.refuses("track", says)
    assert recorded.outputs() == whole
    shutil.copyfile(intact, database)
    assert ("waves/linear", "recorded") in track(recorded.workspace)
