import threading

import pytest
from zc.lockfile import LockFile

from pipeline.errors import UnrollError
from pipeline.locks import stage
from pipeline.workspace import Workspace


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


def test_a_stage_that_dvc_runs_waits_for_another_process(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_STAGE", "train@gru")
    monkeypatch.setattr(Workspace, "scratch", tmp_path)
    timer = threading.Timer(0.2, LockFile(tmp_path / "train-gru.lock").close)
    timer.start()
    with stage(Workspace(tmp_path), "train", "gru"):
        assert timer.finished.is_set()
