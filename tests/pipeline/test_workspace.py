import os
import subprocess
import sys
import threading

import pytest
from zc.lockfile import LockFile

from pipeline import files
from pipeline.errors import UnrollError
from pipeline.workspace import Workspace
from tests.support import REPOSITORY

WRITE = """
import os, sys
from pathlib import Path
from pipeline.files import atomic_file, atomic_folder
from pipeline.workspace import Workspace

workspace = Workspace(Path(sys.argv[1]))
files = [workspace.report, workspace.root / "dvc.lock", workspace.record("waves", "gru")]
files += [workspace.answers, workspace.trials("waves", "gru")]
files += [workspace.checkpoint("waves", "gru"), workspace.scratch / "failures" / "train@gru.txt"]
writers = [atomic_file(file) for file in files]
for writer in writers:
    writer.__enter__().write_text("half")
writers.append(atomic_folder(workspace.run("waves", "gru"), workspace.scratch))
(writers[-1].__enter__() / "weights").mkdir()
os._exit(9)
"""


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path):
    workspace = Workspace(tmp_path)
    others = [
        tmp_path / ".mine.tmp",
        tmp_path / ".dvc.lock.old.1.tmp",
        workspace.scratch / "downloads" / "x.part",
    ]
    # of this process, which lives
    others.append(files.unfinished(tmp_path, "dvc.lock"))
    for path in others:
        files.write_text(path, "")
    writer = subprocess.run(
        [sys.executable, "-c", WRITE, str(tmp_path)], cwd=REPOSITORY, check=False
    )
    assert writer.returncode == 9
    left = [path for path in tmp_path.rglob("*.tmp") if path not in others]
    assert len(left) == 8
    workspace.sweep()
    assert not any(path.exists() for path in left)
    assert all(path.exists() for path in others)


def test_neither_a_zombie_nor_a_later_process_with_its_number_keeps_what_a_dead_one_left(
    tmp_path,
):
    mine, old, zombie = (
        files.unfinished(tmp_path, name) for name in ("mine", "old", "zombie")
    )
    child = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    child.stdout.read()
    # it has ended, and nobody has waited for it
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    zombie = zombie.with_name(zombie.name.replace(f".{os.getpid()}.", f".{child.pid}."))
    for path in (mine, old, zombie):
        path.mkdir()
    os.utime(old, (0, 0))  # before this process started
    Workspace(tmp_path).sweep()
    assert [path for path in (mine, old, zombie) if path.exists()] == [mine]
    child.communicate()


def test_a_stage_is_for_one_process_and_starts_without_what_a_dead_one_left(tmp_path):
    left = tmp_path / ".dvc.lock.4194999.ab.tmp"  # above any process number
    left.touch()
    workspace = Workspace(tmp_path)
    with workspace.stage("train", "gru"):
        assert not left.exists()
        busy = (
            rf"^another process is at train gru in {tmp_path}; wait until it has ended$"
        )
        with pytest.raises(UnrollError, match=busy), workspace.stage("train", "gru"):
            pass
        with workspace.stage("train", "lstm"):
            pass


def test_a_stage_that_dvc_runs_waits_for_another_process(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_STAGE", "train@gru")
    monkeypatch.setattr(Workspace, "scratch", tmp_path)
    timer = threading.Timer(0.2, LockFile(tmp_path / "train-gru.lock").close)
    timer.start()
    with Workspace(tmp_path).stage("train", "gru"):
        assert timer.finished.is_set()
