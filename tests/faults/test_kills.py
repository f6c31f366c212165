"""A stage that is killed (kill -9) at random moments, and given again, ends with the
bytes of one that never was.

With --long only: in brief tests/stages/test_train.py kills a training, and a build is
killed by one of the rebuilds (tests/unroll/builds/test_same_bytes.py).
"""

import contextlib
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time

import psutil
import pytest

from tests.faults.conftest import FaultyWorkspace
from tests.support import REPOSITORY, still_there

DROPOUT = {"units": 4, "dropout": 0.2, "recurrent_dropout": 0.2}
TRIALS = 10


@pytest.fixture(scope="module")
def stages(built, database, tmp_path_factory, request) -> FaultyWorkspace:
    """A workspace with what single stages need and make, trainings long enough to be
    killed."""
    if not request.config.getoption("--long"):
        pytest.skip("with --long only")
    faulty = FaultyWorkspace(
        shutil.copytree(built.root, tmp_path_factory.mktemp("kills") / "stages")
    )
    shutil.copyfile(database, faulty.root / "mlflow.db")

    def longer(data):
        node = data["experiments"]["waves"]["node"]
        gru = data["experiments"]["jena"]["gru"]
        node["seeds"] = gru["seeds"] = 2
        node["training"]["epochs"], gru["training"]["epochs"] = 200, 40
        gru["model"] |= DROPOUT

    faulty.change(longer)
    faulty.succeeds("train waves node", "train jena gru", "evaluate waves")
    return faulty


def state(faulty):
    """What must not depend on kills: outputs, and which files are in .unroll (XLA's
    vary)."""
    scratch = (
        path.relative_to(faulty.root)
        for path in faulty.workspace.scratch.rglob("*")
        if path.is_file()
    )
    return faulty.outputs(), sorted(
        str(path) for path in scratch if path.suffix not in {".lock", ".pb"}
    )


@pytest.mark.parametrize(
    ("command", "folder"),
    [
        ("source waves", "data/raw/waves"),
        ("prepare waves", "data/prepared/waves"),
        ("evaluate waves", "results/evaluations/waves"),
        ("train jena gru", "runs/jena/gru"),
        ("train waves node", "runs/waves/node"),
    ],
)
def test_it_goes_on_to_the_same_bytes(command, folder, stages, tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    verb, *name = command.split()
    for number in range(TRIALS):
        faulty = FaultyWorkspace(
            shutil.copytree(stages.root, tmp_path / f"killed {number}")
        )
        shutil.rmtree(faulty.root / folder)
        ended = set()
        for _ in range(random.randint(1, 4)):  # noqa: S311
            variables = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
            process = subprocess.Popen(
                [sys.executable, "-m", "unroll", verb, *name],
                cwd=faulty.root,
                env=variables,
            )
            if verb == "train" and not ended:
                while (
                    process.poll() is None
                    and not faulty.workspace.checkpoint(*name).exists()
                ):
                    time.sleep(0.02)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(random.uniform(0, 5))  # noqa: S311
            family = (
                psutil.Process(process.pid).children(recursive=True)
                if process.poll() is None
                else []
            )
            process.kill()
            ended.add(process.wait())
            assert still_there(family) == []
        assert ended <= {-9, 0}
        faulty.succeeds(command)
        if verb == "train":
            log = faulty.workspace.log("/".join(name)).read_text(encoding="utf-8")
            # 0: it had come to its end
            assert 0 in ended or "where it was interrupted" in log
            # MLflow may have been too busy for a training, which costs a warning only
            faulty.succeeds("track")
            with contextlib.closing(sqlite3.connect(faulty.root / "mlflow.db")) as runs:
                assert {
                    status for (status,) in runs.execute("SELECT status FROM runs")
                } <= {"FINISHED", "KILLED"}
        assert state(faulty) == state(stages)
        assert faulty.unfinished() == []
