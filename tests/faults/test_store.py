"""MLflow's store is locked, damaged or away: what is trained does not suffer, and `unroll track` makes up for it."""

import contextlib
import shutil
import socket
import sqlite3
from pathlib import Path

import pytest

from pipeline.tracking import store
from tests.faults.lab import Lab, on_page
from unroll.results.tracking import track


@pytest.fixture(scope="module")
def recorded(built, database, tmp_path_factory) -> Lab:
    """The built workspace with an MLflow store that holds one of its runs, and a copy of it in `kept.db`."""
    lab = Lab(shutil.copytree(built.root, tmp_path_factory.mktemp("store") / "lab"))
    shutil.copyfile(database, lab.root / "mlflow.db")
    lab.change(lambda data: [data["experiments"].pop(name) for name in ("waves_node", "jena_gru")])
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI")
        lab.succeeds("train jena_last_value")
    shutil.copyfile(lab.root / "mlflow.db", lab.root / "kept.db")
    return lab


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
    kept, database, whole = recorded.root / "kept.db", recorded.root / "mlflow.db", recorded.outputs()
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    monkeypatch.setattr(store, "BUSY", 0.1)
    shutil.copyfile(kept, database)  # the same file, since MLflow keeps it open in this process
    with cause(fault, database, monkeypatch):
        line = recorded.succeeds("train waves_linear").line
        assert line.startswith("warning: not recorded in MLflow: ")
        assert says in line
        assert on_page(says)
        if fault in {"locked", "away"}:
            recorded.refuses("track", says)
    assert recorded.outputs() == whole
    shutil.copyfile(kept, database)
    assert ("waves_linear", "recorded") in track(recorded.workspace)
