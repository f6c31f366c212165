import pytest

from pipeline.errors import UnrollError
from pipeline.locks import alone, stage
from pipeline.workspace import Workspace


def test_a_second_one_is_told_so_at_once_until_the_first_has_left(tmp_path):
    lock = tmp_path / "new" / "work.lock"
    with alone(lock, "at work"), pytest.raises(UnrollError, match="^at work$"), alone(lock, "at work"):
        pass
    with alone(lock, "at work"), alone(lock.with_name("other.lock"), "at work"):
        pass


def test_a_stage_is_for_one_process_and_starts_without_what_a_dead_one_left(tmp_path):
    left = tmp_path / ".dvc.lock.4194999.ab.tmp"  # above any process number
    left.touch()
    workspace = Workspace(tmp_path)
    with stage(workspace, "train", "gru"):
        assert not left.exists()
        busy = rf"^another process is at train gru in {tmp_path}; wait until it has ended$"
        with pytest.raises(UnrollError, match=busy), stage(workspace, "train", "gru"):
            pass
        with stage(workspace, "train", "lstm"):
            pass
