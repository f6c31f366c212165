"""A stage that is killed (kill -9) at random moments, and given again, ends with the bytes of one that never was.

A build that is killed is one of the rebuilds (tests/unroll/runner/test_same_bytes.py).
"""

import contextlib
import os
import random
import re
import shutil
import signal
import sqlite3
import time
from pathlib import Path

import pytest
from unroll.runner import processes
from unroll.runner.build import environment

from tests.faults.conftest import FaultyWorkspace, prepare
from tests.support import REPOSITORY

DROPOUT = {"units": 4, "dropout": 0.2, "recurrent_dropout": 0.2}


@pytest.fixture(scope="module")
def stages(built, database, tmp_path_factory, request) -> FaultyWorkspace:
    """A workspace with what single stages need and make, trainings long enough to be killed."""
    faulty = FaultyWorkspace(shutil.copytree(built.root, tmp_path_factory.mktemp("kills") / "stages"))
    shutil.copyfile(database, faulty.root / "mlflow.db")

    def longer(data):
        node, gru = (data["experiments"][name] for name in ("waves/node", "jena/gru"))
        node["seeds"] = gru["seeds"] = 2
        node["training"]["epochs"], gru["training"]["epochs"] = 200, 40
        gru["model"] |= DROPOUT

    faulty.change(longer)
    faulty.succeeds("train waves/node", "evaluate waves")
    if request.config.getoption("--long"):
        faulty.succeeds("train jena/gru")
        prepare(environment(), networks=True)  # so that kills come while stages work, not while they import
        wait(processes.Process("true", REPOSITORY, Path(os.devnull), {"PATH": os.defpath}))  # until all is imported
    return faulty


def wait(process, seconds=3600.0, happened=lambda: False):
    """The exit status; None if time is up, or something happens, before the process ends.

    A machine with much else to do takes minutes until a stage has begun.
    """
    limit = time.monotonic() + seconds
    while process.poll() is None and not happened() and time.monotonic() < limit:
        time.sleep(0.02)
    return process.poll()


def state(faulty):
    """What must not depend on kills: outputs, and which files are in .unroll (XLA's vary)."""
    scratch = (path.relative_to(faulty.root) for path in faulty.workspace.scratch.rglob("*") if path.is_file())
    return faulty.outputs(), sorted(str(path) for path in scratch if path.suffix != ".pb")


@pytest.mark.parametrize(
    ("command", "folder", "seconds"),
    [
        ("source waves", "data/raw/waves", 0.4),
        ("prepare waves", "data/prepared/waves", 0.4),
        ("evaluate waves", "results/evaluations/waves", 0.6),
        ("train jena/gru", "runs/jena/gru", 5),
        ("train waves/node", "runs/waves/node", 0.4),
    ],
)
def test_it_goes_on_to_the_same_bytes(command, folder, seconds, stages, tmp_path, monkeypatch, request):
    """`seconds`: what it takes, or has still to do at its first checkpoint, about."""
    long, trains = request.config.getoption("--long"), command.startswith("train")
    if not long and command != "train waves/node":
        pytest.skip("with --long only: they begin anew")
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    for number in range(10 if long else 1):
        faulty = FaultyWorkspace(shutil.copytree(stages.root, tmp_path / f"killed {number}"))
        shutil.rmtree(faulty.root / folder)
        ended = set()
        for kill in range(random.randint(1, 4) if long else 1):  # noqa: S311
            variables = {**os.environ, **environment(), "PYTHONPATH": str(REPOSITORY)}
            process = processes.Process(f"unroll {command}", faulty.root, tmp_path / "log.txt", variables)
            if kill == 0 and trains:
                wait(process, happened=lambda faulty=faulty: any(faulty.root.glob(".unroll/checkpoints/*.npz")))
            wait(process, random.uniform(0, seconds))  # noqa: S311
            process.send_signal(signal.SIGKILL)
            ended.add(wait(process))
        assert ended <= {-9, 0}, (tmp_path / "log.txt").read_text()
        output = faulty.succeeds(command).output
        if trains:
            goes_on = re.search(r"goes on after epoch \d+ of seed \d+, where it was interrupted", output)
            assert 0 in ended or goes_on  # 0: it had come to its end
            faulty.succeeds("track")  # MLflow may have been too busy for a training, which costs a warning only
            with contextlib.closing(sqlite3.connect(faulty.root / "mlflow.db")) as runs:
                assert {status for (status,) in runs.execute("SELECT status FROM runs")} <= {"FINISHED", "KILLED"}
        assert state(faulty) == state(stages)
        assert faulty.unfinished() == []
