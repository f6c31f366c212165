"""Two commands at once, what DVC leaves that a build meets, and MLflow's store locked,
damaged or away."""

import contextlib
import shutil
import socket
import sqlite3
from pathlib import Path

import pytest
from filelock import FileLock

from pipeline.config import params, plain_yaml
from pipeline.tracking import store
from stages.perform import perform
from stages.train import Finished, tasks_of
from tests.faults.conftest import FaultyWorkspace
from unroll.mlflow_tools.tracking import track


def test_a_command_that_runs_already_is_refused(faulty):
    for command in (
        "source waves",
        "prepare waves",
        "train waves linear",
        "evaluate waves",
    ):
        with FileLock(
            faulty.workspace.scratch / f"{'-'.join(command.split()[:2])}.lock"
        ):
            faulty.refuses(command, "another process is at")


def test_a_build_mends_what_it_can_trains_nothing_anew_and_says_what_else_to_do(
    faulty, capfd
):
    lock = faulty.root / "dvc.lock"
    whole = faulty.outputs()
    text = lock.read_bytes()
    stages = plain_yaml.read(lock)
    stages = plain_yaml.read(lock)
    for name in (
        "data/raw/waves/waves.npz",
        "data/prepared/waves/dataset.json",
        "results/metrics/waves/linear.json",
    ):
        (faulty.root / name).write_bytes((faulty.root / name).read_bytes()[:-9])
    (faulty.workspace.evaluation("waves") / "evaluation.json").write_text("{}\n")
    faulty.workspace.report.unlink()
    lock.write_bytes(text.replace(b"stages:\n", b"stages:\n<<<<<<< ours\n", 1))
    assert "dvc.lock is damaged; it is written anew" in faulty.succeeds("repro").output
    shown = capfd.readouterr()
    assert "waves: 0 of 2 experiments to train" in shown.err
    assert "1/1" not in shown.err
    assert faulty.outputs() == whole
    assert plain_yaml.read(lock) == stages
    notes = list((faulty.root.parent / "notes").rglob("cache.db"))
    for path in notes:
        path.write_bytes(bytes(range(256)) * 100)
    ended = faulty.run("repro report")
    assert ended.code == 255
    assert "DVC: unexpected error - file is not a database" in ended.output
    assert "Its notes on files may be damaged; delete" in ended.output
    assert "file is not a database" in capfd.readouterr().err
    assert faulty.outputs() == whole


@pytest.fixture(scope="module")
def recorded(built, database, tmp_path_factory) -> FaultyWorkspace:
    """The built workspace with few experiments and an MLflow store."""
    faulty = FaultyWorkspace(
        shutil.copytree(built.root, tmp_path_factory.mktemp("store") / "copy")
    )
    shutil.copyfile(database, faulty.root / "mlflow.db")
    networks = {"waves": "node", "jena": "gru"}
    faulty.change(
        lambda data: [
            data["experiments"][name].pop(network) for name, network in networks.items()
        ]
    )
    return faulty


@contextlib.contextmanager
def cause(fault: str, database: Path, patch: pytest.MonkeyPatch):
    whole = database.read_bytes()
    with contextlib.ExitStack() as stack:
        if fault == "locked":
            connection = stack.enter_context(
                contextlib.closing(sqlite3.connect(database, isolation_level=None))
            )
            connection.execute("BEGIN EXCLUSIVE")
        elif fault in {"damaged", "cut short"}:
            database.write_bytes(
                bytes(range(256)) * 100
                if fault == "damaged"
                else whole[: len(whole) // 3]
            )
        else:
            server = stack.enter_context(socket.socket())
            server.bind(("127.0.0.1", 0))
            if fault == "silent":
                server.listen()
            patch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
            patch.setenv(
                "MLFLOW_TRACKING_URI", f"http://127.0.0.1:{server.getsockname()[1]}"
            )
        yield
    patch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (
            "locked",
            "(database is locked); wait until the process that holds it has ended",
        ),
        ("damaged", "(file is not a database); move it away and run `unroll track`"),
        (
            "cut short",
            "(database disk image is malformed); move it away and run `unroll track`",
        ),
        (
            "away",
            "(Connection refused); check that the server of MLFLOW_TRACKING_URI runs",
        ),
        ("silent", "(timed out); check that the server of MLFLOW_TRACKING_URI runs"),
    ],
)
def test_a_store_that_fails_costs_a_training_a_warning(
    fault, says, recorded, database, monkeypatch, capsys
):
    whole = recorded.outputs()
    (task,) = tasks_of(
        recorded.workspace, params.load(recorded.workspace.params), "waves", "linear"
    )
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    monkeypatch.setattr(store, "BUSY", 0.1)
    # the same file, which MLflow keeps open in this process
    shutil.copyfile(database, recorded.root / "mlflow.db")
    with cause(fault, recorded.root / "mlflow.db", monkeypatch):
        perform(recorded.workspace, task)
        Finished(recorded.workspace, [task]).log(task)
        line = capsys.readouterr().err.splitlines()[-1]
        assert line.startswith("warning: not recorded in MLflow: ")
        assert says in line
        if fault in {"locked", "away"}:
            recorded.refuses("track", says)
    assert recorded.outputs() == whole
    shutil.copyfile(database, recorded.root / "mlflow.db")
    track(recorded.workspace)
    with store.opened(recorded.workspace) as opened:
        (run,) = opened.search("tags.`current` = 'true' and tags.experiment = 'linear'")
    assert run.info.status == "FINISHED"
