"""Tasks in child processes: what becomes of those that fail, and how many run at once."""

import psutil
import pytest

from pipeline.config import params
from pipeline.training import tasks as training
from stages import pool
from stages.train import tasks_of
from tests.support import trainable
from tests.support.trainable import AWAY, LAST_VALUE, LINEAR


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    for name, value in AWAY.items():
        monkeypatch.setenv(name, value)
    wrong = LINEAR | {"training": {"method": "least_squares", "ridge": -1}}
    return trainable.waves(tmp_path, last_value=LAST_VALUE, wrong=wrong, linear=LINEAR)


def tasks(workspace):
    return tasks_of(workspace, params.load(workspace.params), "waves")


def test_one_that_fails_stops_no_other(workspace):
    """What becomes of those that are killed is in tests/pipeline/test_processes.py."""
    first, wrong, last = pool.run(workspace, tasks(workspace), 1, lambda _: None)
    assert "experiments.waves.wrong.training.ridge" in wrong.error
    assert (first.error, last.error, last.seconds > 0) == ("", "", True)
    assert [
        training.finished(workspace, task).exists() for task in tasks(workspace)
    ] == [True, False, True]


def test_so_many_run_at_once_as_memory_has_room_for(workspace, monkeypatch):
    size = sum(file.stat().st_size for file in workspace.prepared("waves").iterdir())
    needed = pool.MEMORY + pool.COPIES * size
    for free, jobs in ((0, 1), (2 * needed, 2), (2 * needed - 1, 1), (9 * needed, 4)):
        monkeypatch.setattr(pool, "available", lambda free=free: free)
        assert pool.fitting(workspace, "waves", 4) == jobs


def test_available_memory_is_some_of_what_there_is():
    assert 0 < pool.available() <= psutil.virtual_memory().total
