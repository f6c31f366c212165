import os
import subprocess
import sys
from pathlib import Path

from pipeline import files, locks
from pipeline.config import params, plain_yaml
from pipeline.workspace import Workspace
from unroll.runner import cleanup

WRITE = """
import os, sys
from pathlib import Path
from pipeline.files import atomic_file, atomic_folder
from pipeline.workspace import Workspace

workspace = Workspace(Path(sys.argv[1]))
files = [workspace.report, workspace.root / "dvc.lock", workspace.record("waves", "gru")]
files += [workspace.checkpoint("gru"), workspace.scratch / "failures" / "train@gru.txt"]
writing = [atomic_file(file) for file in files]
for each in writing:
    each.__enter__().write_text("half")
writing.append(atomic_folder(workspace.run("waves", "gru"), workspace.scratch))
(writing[-1].__enter__() / "weights").mkdir()
os._exit(9)
"""


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path):
    workspace = Workspace(tmp_path)
    kept = [tmp_path / ".mine.tmp", tmp_path / ".dvc.lock.old.1.tmp", workspace.scratch / "downloads" / "x.part"]
    kept.append(files.unfinished(tmp_path, "dvc.lock"))  # of this process, which lives
    for path in kept:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    done = subprocess.run([sys.executable, "-c", WRITE, str(tmp_path)], cwd=Path(__file__).parents[3], check=False)
    assert done.returncode == 9
    left = [path for path in tmp_path.rglob("*.tmp") if path not in kept]
    assert len(left) == 6
    locks.sweep(workspace)
    assert [path for path in tmp_path.rglob("*.tmp") if path not in kept] == []
    assert all(path.exists() for path in kept)
    assert str(os.getpid()) in kept[-1].name


def test_runs_and_results_of_what_params_no_longer_has_are_removed(tmp_path):
    workspace = Workspace(tmp_path)
    last_value = {"model": {"family": "baselines", "name": "last_value"}, "training": {"method": "none"}}
    data = {
        "sources": {"waves": {"kind": "waves"}},
        "datasets": {"waves": {"source": "waves", "preparation": {"name": "waves"}}},
        "experiments": {"kept": {"dataset": "waves", **last_value}},
    }
    plain_yaml.write(data, workspace.params)
    kept = ["runs/waves/kept/run.json", "results/evaluations/waves/evaluation.json", "results/metrics/waves/kept.json"]
    kept += [".unroll/checkpoints/kept.npz", ".unroll/checkpoints/kept.3.npz", "outside/file"]
    gone = ["runs/waves/gone/run.json", "runs/old/kept/run.json", "results/evaluations/old/evaluation.json"]
    gone += ["results/metrics/waves/gone.json", "results/metrics/old/kept.json"]
    gone += [".unroll/checkpoints/gone.npz", ".unroll/checkpoints/gone.3.npz"]
    for name in (*kept, *gone):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "runs/waves/linked").symlink_to(tmp_path / "outside")
    cleanup.prune(workspace, params.load(workspace.params))
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {*kept, "params.yaml"}
    assert [folder.name for folder in (tmp_path / "runs").iterdir()] == ["waves"]
    assert [folder.name for folder in (tmp_path / "runs/waves").iterdir()] == ["kept"]
    assert [folder.name for folder in (tmp_path / "results" / "evaluations").iterdir()] == ["waves"]


def test_neither_a_zombie_nor_a_later_process_with_its_number_keeps_what_a_dead_one_left(tmp_path):
    mine, old, zombie = (files.unfinished(tmp_path, name) for name in ("mine", "old", "zombie"))
    child = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    child.stdout.read()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody has asked how
    zombie = zombie.with_name(zombie.name.replace(f".{os.getpid()}.", f".{child.pid}."))
    for path in (mine, old, zombie):
        path.mkdir()
    os.utime(old, (0, 0))  # before this process started
    locks.sweep(Workspace(tmp_path))
    assert [path for path in (mine, old, zombie) if path.exists()] == [mine]
    child.communicate()
