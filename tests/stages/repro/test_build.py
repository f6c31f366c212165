"""`unroll repro` on small graphs whose commands are shell lines."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from pipeline.config import params
from pipeline.config import plain_yaml
from pipeline.errors import UnrollError, UsageError
from pipeline.workspace import Workspace
from pipeline import failures
from stages.repro import dvc_graph, server
from stages.workspaces.demo import CONFIG
from stages.repro.build import prune, repro

ROOT = Path(__file__).parents[2]

STAGES = {
    "a": ("sleep 0.3; cat in > a", ["in"], ["a"]),
    "b": ("cp in b", ["in"], ["b"]),
    "a2": ("cp a a2", ["a"], ["a2"]),
    "both": ("cat a2 b > metrics/both", ["a2", "b"], ["metrics/both"]),
    "report": ("mkdir -p report; cat .unroll/failures/* > report/page; true", ["metrics"], []),
}


def graph_of(stages):
    lines = ["stages:"]
    for name, (command, deps, outs) in stages.items():
        lines += [f"  {name}:", f"    cmd: {command}", "    deps:", *[f"      - {dep}" for dep in deps]]
        lines += ["    outs:", *[f"      - {out}" for out in outs]] if outs else []
    return "\n".join(lines) + "\n"


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site-cache"))
    root = tmp_path / "workspace"
    (root / ".dvc").mkdir(parents=True)
    (root / ".dvc/config").write_text(CONFIG)
    (root / ".dvcignore").write_text("/.unroll\n")
    (root / "in").write_text("1\n")
    (root / "dvc.yaml").write_text(graph_of(STAGES))
    plain_yaml.write({"sources": {}, "datasets": {}, "experiments": {}}, root / "params.yaml")
    return Workspace(root)


def page(workspace):
    return (workspace.root / "report/page").read_text()


def test_everything_is_built_and_a_second_time_nothing(workspace, capsys):
    assert repro(workspace, [], 2) == 0
    assert (workspace.root / "metrics/both").read_text() == "1\n1\n"
    assert "Built 5 of 5 stages" in capsys.readouterr().out
    assert repro(workspace, [], 2) == 0
    assert capsys.readouterr().out == "Everything is up to date: 5 stages.\n"


def test_dvc_lock_is_that_of_a_plain_dvc_repro(workspace):
    repro(workspace, [], 2)
    lock = workspace.root / "dvc.lock"
    side_by_side = lock.read_bytes()
    lock.unlink()
    subprocess.run([sys.executable, "-m", "dvc", "repro", "-q"], cwd=workspace.root, check=True)
    assert side_by_side == lock.read_bytes()


def test_a_line_per_stage_counts_them(workspace, capsys):
    repro(workspace, [], 1)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[:5]] == [[f"{n + 1}/5", stage] for n, stage in enumerate(STAGES)]


def test_a_failure_stops_what_needs_it_and_the_page_says_so(workspace, capsys):
    (workspace.root / "dvc.yaml").write_text(graph_of(STAGES | {"a": ("echo nowhere; exit 3", ["in"], ["a"])}))
    assert repro(workspace, [], 2) == 255
    assert (workspace.root / "b").exists()
    assert not (workspace.root / "metrics/both").exists()
    output = capsys.readouterr().out
    assert "1 failed: a; 2 that need what failed were left out" in output
    assert list(failures.read(workspace)) == ["a"]
    assert "exited with 3; its output is in .unroll/logs/a.txt" in page(workspace)
    assert "nowhere" in (workspace.scratch / "logs/a.txt").read_text()


def test_what_the_command_recorded_is_the_reason(workspace, capsys):
    said = "mkdir -p .unroll/failures; echo no network >.unroll/failures/$DVC_STAGE.txt; exit 1"
    (workspace.root / "dvc.yaml").write_text(graph_of(STAGES | {"a": (said, ["in"], ["a"])}))
    repro(workspace, [], 2)
    assert "a  FAILED: no network" in capsys.readouterr().out
    assert failures.read(workspace) == {"a": "no network"}


def test_a_failure_that_is_gone_leaves_no_trace(workspace):
    (workspace.root / "dvc.yaml").write_text(graph_of(STAGES | {"a": ("exit 3", ["in"], ["a"])}))
    repro(workspace, [], 2)
    (workspace.root / "dvc.yaml").write_text(graph_of(STAGES))
    assert repro(workspace, [], 2) == 0
    assert failures.read(workspace) == {}
    assert "exited" not in page(workspace)


def test_a_target_builds_what_it_needs(workspace):
    repro(workspace, ["a2"], 2)
    assert (workspace.root / "a2").exists()
    assert not (workspace.root / "b").exists()


def test_an_unknown_target_lists_the_stages(workspace):
    with pytest.raises(UsageError, match=r"the target must be one of: a, a2, b, both, report\. Received: 'a3'"):
        repro(workspace, ["a3"], 2)


def test_a_name_without_a_module_is_said_before_dvc_starts(workspace):
    data = {"sources": {"mine": {"kind": "sin"}}, "datasets": {}, "experiments": {}}
    plain_yaml.write(data, workspace.params)
    with pytest.raises(UsageError, match=r"sources\.mine\.kind must be one of: .*Did you mean sine\?"):
        repro(workspace, [], 1)


def test_a_second_build_at_the_same_time_is_refused(workspace):
    from filelock import FileLock

    workspace.scratch.mkdir()
    with (
        FileLock(workspace.scratch / "repro.lock"),
        pytest.raises(UnrollError, match="another `unroll repro` is building"),
    ):
        repro(workspace, [], 1)


def test_a_damaged_dvc_lock_is_named_with_the_way_out(workspace):
    (workspace.root / "dvc.lock").write_text("schema: '2.0'\nstages:\n  a:\n    cmd: [\n")
    with pytest.raises(UnrollError, match=r"dvc\.lock is damaged.*git checkout dvc\.lock"):
        repro(workspace, [], 1)


def test_a_folder_that_is_no_dvc_workspace(tmp_path):
    with pytest.raises(UnrollError, match="DVC: "):
        dvc_graph.read(tmp_path)


def start(workspace):
    """A build in a process of its own."""
    # In the background of a shell without job control (CI, say) SIGINT is ignored, and children inherit that.
    heeding = "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    heeding += "runpy.run_module('stages', run_name='__main__', alter_sys=True)"
    command = [sys.executable, "-c", heeding, "--root", str(workspace.root), "repro", "--jobs", "2"]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_build_leaves_no_process_and_goes_on_the_next_time(workspace, number):
    long = "echo $$ > pid; sleep 60; touch a"
    (workspace.root / "dvc.yaml").write_text(graph_of(STAGES | {"a": (long, ["in"], ["a"])}))
    build = start(workspace)
    pid = workspace.root / "pid"
    lock = workspace.root / "dvc.lock"
    while not (pid.exists() and pid.read_text().strip() and lock.exists() and "cp in b" in lock.read_text()):
        assert build.poll() is None, build.communicate()[0]
        time.sleep(0.05)
    build.send_signal(number)
    output, _ = build.communicate()
    assert build.returncode == 130, output
    assert "stopped" in output
    assert not psutil.pid_exists(int(pid.read_text()))
    (workspace.root / "dvc.yaml").write_text(graph_of(STAGES))
    assert dvc_graph.read(workspace.root).due() == ["a", "a2", "both", "report"]
    assert repro(workspace, [], 2) == 0


@pytest.mark.skipif(not server.possible(), reason="a DVC of its own builds its stage to the end")
def test_a_killed_build_leaves_no_process_and_goes_on_the_next_time(workspace):
    long = "echo $$ > pid; sleep 60; touch a"
    (workspace.root / "dvc.yaml").write_text(graph_of(STAGES | {"a": (long, ["in"], ["a"])}))
    build = start(workspace)
    pid, lock = workspace.root / "pid", workspace.root / "dvc.lock"
    while not (pid.exists() and pid.read_text().strip() and lock.exists() and "cp in b" in lock.read_text()):
        assert build.poll() is None, build.communicate()[0]
        time.sleep(0.05)
    there = psutil.Process(build.pid).children(recursive=True)
    build.kill()
    build.communicate()
    psutil.wait_procs(there)
    assert not psutil.pid_exists(int(pid.read_text()))
    (workspace.root / "dvc.yaml").write_text(graph_of(STAGES))
    assert dvc_graph.read(workspace.root).due() == ["a", "a2", "both", "report"]
    assert repro(workspace, [], 2) == 0


def test_two_workspaces_are_built_at_once(workspace, tmp_path):
    other = Workspace(tmp_path / "other")
    shutil.copytree(workspace.root, other.root)
    builds = [start(one) for one in (workspace, other)]
    for build in builds:
        output = build.communicate()[0]
        assert build.returncode == 0, output
        assert "Built 5 of 5 stages" in output


def test_runs_and_results_of_what_params_no_longer_has_are_removed(tmp_path):
    workspace = Workspace(tmp_path)
    experiment = {
        "dataset": "waves",
        "seeds": [0],
        "model": {"family": "baselines", "name": "last_value"},
        "training": {"method": "none"},
    }
    data = {
        "sources": {"waves": {"kind": "waves"}},
        "datasets": {"waves": {"source": "waves", "preparation": {"name": "waves"}}},
        "experiments": {"kept": experiment},
    }
    plain_yaml.write(data, workspace.params)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").touch()
    folders = ("runs/waves/kept", "runs/waves/gone", "runs/old/kept", "evaluations/old", "evaluations/waves", "metrics")
    for path in folders:
        (tmp_path / path).mkdir(parents=True)
    for path in ("runs/waves/kept/run.json", "runs/waves/gone/run.json", "metrics/waves.json", "metrics/old.json"):
        (tmp_path / path).touch()
    (tmp_path / "runs/waves/linked").symlink_to(outside)
    workspace.checkpoint("kept").parent.mkdir(parents=True)
    for name in ("kept", "gone"):
        workspace.checkpoint(name).touch()
    prune(workspace, params.load(workspace.params))
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert left.pop(0) == ".unroll/checkpoints/kept.npz"
    assert left == ["metrics/waves.json", "outside/file", "params.yaml", "runs/waves/kept/run.json"]
    assert sorted(folder.name for folder in (tmp_path / "runs").iterdir()) == ["waves"]
    assert sorted(folder.name for folder in (tmp_path / "runs/waves").iterdir()) == ["kept"]
    assert [folder.name for folder in (tmp_path / "evaluations").iterdir()] == ["waves"]
