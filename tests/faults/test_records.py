"""MLflow's store is locked, damaged or away: what is trained does not suffer, and `unroll track` makes up for it."""

import contextlib
import shutil
import socket
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from pipeline.tracking import store
from stages.results.track import track
from tests.faults.lab import Lab
from tests.faults.table import Row
from tests.support.web_server import serving

PLACE = "records"
CONNECT = store.connect


@pytest.fixture(scope="module")
def recorded(baselines, tmp_path_factory) -> Lab:
    """A workspace whose MLflow store, `mlflow.db`, holds one of two runs, with a copy of it in `kept.db`."""
    root = tmp_path_factory.mktemp("records") / "lab"
    shutil.copytree(baselines.root, root)
    lab = Lab(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        assert lab.run("train sine_last_value").code == 0
    shutil.copyfile(root / "mlflow.db", root / "kept.db")
    return lab


@pytest.fixture
def lab(recorded, monkeypatch) -> Lab:
    """That workspace, with the store as it was: in the same file, since MLflow keeps it open in this process."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(store, "connect", CONNECT)
    monkeypatch.setattr(store, "BUSY", 0.1)
    shutil.copyfile(recorded.root / "kept.db", recorded.root / "mlflow.db")
    return recorded


@contextlib.contextmanager
def locked(lab, _):
    with contextlib.closing(sqlite3.connect(lab.root / "mlflow.db", isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield


@contextlib.contextmanager
def damaged(lab, _):
    (lab.root / "mlflow.db").write_bytes(bytes(range(256)) * 100)
    yield
    shutil.copyfile(lab.root / "kept.db", lab.root / "mlflow.db")


@contextlib.contextmanager
def cut(lab, _):
    whole = (lab.root / "kept.db").read_bytes()
    (lab.root / "mlflow.db").write_bytes(whole[: len(whole) // 3])
    yield
    (lab.root / "mlflow.db").write_bytes(whole)


@contextlib.contextmanager
def away(_, patch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        patch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free.getsockname()[1]}")
        yield
    patch.delenv("MLFLOW_TRACKING_URI")


@contextlib.contextmanager
def silent(_, patch):
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        patch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
        patch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{server.getsockname()[1]}")
        yield
    patch.delenv("MLFLOW_TRACKING_URI")


@contextlib.contextmanager
def another(_, patch):
    with serving() as web:  # it knows no path, so it answers 404
        patch.setenv("MLFLOW_TRACKING_URI", web.address)
        yield
    patch.delenv("MLFLOW_TRACKING_URI")


TRAIN, TRACK = "train waves_linear", "track"


@dataclass(frozen=True)
class Case:
    """A fault of the store, the command, and words of its line."""

    fault: str
    store: Callable
    command: str
    says: str

    @property
    def code(self) -> int:
        return 1 if self.command == TRACK else 0


CASES = [
    Case("another process holds the SQLite store", locked, TRAIN, "database is locked"),
    Case("another process holds the SQLite store", locked, "evaluate sine", "database is locked"),
    Case("another process holds the SQLite store", locked, TRACK, "database is locked"),
    Case("the SQLite store is no database", damaged, TRAIN, "file is not a database"),
    Case("the SQLite store is cut short", cut, TRAIN, "database disk image is malformed"),
    Case("nobody listens at MLFLOW_TRACKING_URI", away, TRAIN, "Connection refused"),
    Case("nobody listens at MLFLOW_TRACKING_URI", away, TRACK, "Connection refused"),
    Case("the server there never answers", silent, TRAIN, "timed out"),
    Case("the server there is not MLflow's", another, TRAIN, "404"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.store.__name__}-{case.command}")
def test_records(case, lab, monkeypatch, report):
    whole = lab.outputs()
    with case.store(lab, monkeypatch):
        ended = lab.run(case.command)
    assert ended.code == case.code
    assert case.says in ended.line
    assert ended.line.startswith("unroll: " if case.code else "warning: not recorded in MLflow: ")
    assert lab.outputs() == whole

    assert ("waves_linear", "recorded") in track(lab.workspace)
    assert {action for _, action in track(lab.workspace)} == {"present"}
    after = "the outputs are as without the fault" if case.code == 0 else "nothing is recorded"
    later = "with the store back, `unroll track` records the run, once"
    report(PLACE, Row(case.fault, f"unroll {case.command}", ended.code, ended.line, (after, later)))


def test_the_page_has_these_rows_and_no_others(listed):
    assert listed(PLACE) == [(case.fault, f"`unroll {case.command}`") for case in CASES]
