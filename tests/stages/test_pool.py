"""How many tasks run at once; tests/stages/test_train.py has what becomes of those that
fail, tests/pipeline/test_processes.py of those that are killed."""

import psutil

from stages import pool
from tests.support import trainable


def test_so_many_run_at_once_as_memory_has_room_for(tmp_path, monkeypatch):
    workspace = trainable.waves(tmp_path)
    size = sum(file.stat().st_size for file in workspace.prepared("waves").iterdir())
    needed = pool.MEMORY + pool.COPIES * size
    for free, jobs in ((0, 1), (2 * needed, 2), (2 * needed - 1, 1), (9 * needed, 4)):
        monkeypatch.setattr(pool, "available", lambda free=free: free)
        assert pool.fitting(workspace, "waves", 4) == jobs


def test_available_memory_is_some_of_what_there_is():
    assert 0 < pool.available() <= psutil.virtual_memory().total
