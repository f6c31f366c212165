"""Tasks in child processes: what becomes of those that fail or are killed, and of their
parent."""

import psutil
import pytest

from pipeline.config import params
from pipeline.training import tasks as training
from stages import pool
from stages.train import tasks_of
from tests.support import still_there, trainable
from tests.support.trainable import AWAY, LAST_VALUE, LINEAR


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    for name, value in AWAY.items():
        monkeypatch.setenv(name, value)
    wrong = LINEAR | {"training": {"method": "least_squares", "ridge": -1}}
    return trainable.waves(tmp_path, last_value=LAST_VALUE, wrong=wrong, linear=LINEAR)


def tasks(workspace):
    return tasks_of(workspace, params.load(workspace.params), "waves")


def servers():
    """Those that start children, of which this process may have others."""
    return [
        process
        for process in psutil.Process().children()
        if "processes.serve" in " ".join(process.cmdline())
    ]


def is_finished(workspace, task):
    return training.finished(workspace, task).exists()


def test_one_that_is_killed_and_one_that_fails_stop_no_other(workspace):
    killed = []

    def kill_the_first(running):
        (task,) = running
        if not killed:
            (server,) = servers()
            killed.append(task)
            server.children()[0].kill()

    first, wrong, last = pool.run(workspace, tasks(workspace), 1, kill_the_first)
    assert killed == [first.task]
    assert first.error.startswith(
        "the system killed it, as it does where memory runs out"
    )
    assert "experiments.waves.wrong.training.ridge" in wrong.error
    assert (last.error, last.seconds > 0) == ("", True)
    assert [is_finished(workspace, task) for task in tasks(workspace)] == [
        False,
        False,
        True,
    ]


def test_what_ends_the_iteration_ends_the_children_and_the_server(workspace):
    family = []

    def stop(_running):
        (server,) = servers()
        family.extend([server, *server.children()])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(pool.run(workspace, tasks(workspace), 2, stop))
    assert len(family) == 3, "a server and two children"
    assert still_there(family) == []
    assert not any(is_finished(workspace, task) for task in tasks(workspace))


def test_so_many_run_at_once_as_memory_has_room_for(workspace, monkeypatch):
    size = sum(file.stat().st_size for file in workspace.prepared("waves").iterdir())
    needed = pool.MEMORY + pool.COPIES * size
    for free, jobs in ((0, 1), (2 * needed, 2), (2 * needed - 1, 1), (9 * needed, 4)):
        monkeypatch.setattr(pool, "available", lambda free=free: free)
        assert pool.fitting(workspace, "waves", 4) == jobs


def test_available_memory_is_some_of_what_there_is():
    assert 0 < pool.available() <= psutil.virtual_memory().total
