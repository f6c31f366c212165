"""`unroll repro` on small graphs whose commands are shell lines."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest
from dvc.repo import Repo, locked
from filelock import FileLock
from zc.lockfile import LockFile

from pipeline import failures
from pipeline.config import params, plain_yaml
from pipeline.errors import UnrollError, UsageError
from pipeline.workspace import Workspace
from tests.support import REPOSITORY, last_output, start_unroll
from unroll.runner import dvc_graph
from unroll.runner.build import prune, repro
from unroll.workspaces.make import CONFIG

STAGES = {
    "a": ("sleep 0.2; cat in > a", ["in"], ["a"]),
    "b": ("echo b >> ran; cp in b", ["in"], ["b"]),
    "a2": ("cp a a2", ["a"], ["a2"]),
    "b2": ("echo b2 >> ran; cp b b2", ["b"], ["b2"]),
    "both": ("cat a2 b2 > results/metrics/both", ["a2", "b2"], ["results/metrics/both"]),
    "report": ("mkdir -p report; cat .unroll/failures/* > report/page; true", ["results/metrics"], []),
}


WAIT = """
import time
from pathlib import Path

Path("waiting").touch()
try:
    time.sleep(600)
except KeyboardInterrupt:
    Path("interrupted").touch()
    raise
"""


def define(workspace, **stages):
    """Write dvc.yaml: `STAGES`, some of them otherwise."""
    lines = ["stages:"]
    for name, (command, deps, outs) in (STAGES | stages).items():
        lines += [f"  {name}:", f"    cmd: {command}", "    deps:", *[f"      - {dep}" for dep in deps]]
        lines += ["    outs:", *[f"      - {out}" for out in outs]] if outs else []
    (workspace.root / "dvc.yaml").write_text("\n".join(lines) + "\n")


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site-cache"))
    root = tmp_path / "workspace"
    (root / ".dvc").mkdir(parents=True)
    (root / ".dvc/config").write_text(CONFIG)
    (root / ".dvcignore").write_text("/.unroll\n")
    (root / "in").write_text("1\n")
    define(workspace := Workspace(root))
    plain_yaml.write({"sources": {}, "datasets": {}, "experiments": {}}, root / "params.yaml")
    return workspace


def ran(workspace):
    return (workspace.root / "ran").read_text().split()


def test_what_is_out_of_date_is_built_and_what_was_built_before_is_taken_from_the_cache(workspace, capsys):
    assert repro(workspace, [], 1) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [[f"{n + 1}/6", stage] for n, stage in enumerate(STAGES)]
    assert last.startswith("Built 6 of 6 stages")
    assert repro(workspace, [], 1) == 0
    assert capsys.readouterr().out == "Everything is up to date: 6 stages.\n"
    for text in ("2\n", "1\n"):
        (workspace.root / "in").write_text(text)
        assert repro(workspace, [], 2) == 0
        assert (workspace.root / "results/metrics/both").read_text() == 2 * text
    assert ran(workspace) == ["b", "b2"] * 2, "the third time nothing ran"


def test_dvc_lock_is_that_of_a_plain_dvc_repro(workspace):
    define(workspace, gone=("cp in gone", ["in"], ["gone"]))
    repro(workspace, [], 2)
    define(workspace)
    repro(workspace, [], 2)
    lock = workspace.root / "dvc.lock"
    side_by_side = lock.read_bytes()
    lock.unlink()
    subprocess.run([sys.executable, "-m", "dvc", "repro", "-q"], cwd=workspace.root, check=True)
    assert side_by_side == lock.read_bytes()


@pytest.mark.parametrize(
    ("command", "status", "reason"),
    [
        ("echo nowhere; exit 3", 3, "it ended without a word; its output is in .unroll/logs/a.txt"),
        ("echo nowhere; mkdir -p .unroll/failures; echo far >.unroll/failures/$DVC_STAGE.txt; exit 1", 1, "far"),
        ("echo nowhere", 1, "DVC: output 'a' does not exist"),
    ],
)
def test_a_failure_stops_what_needs_it_and_the_page_says_why_until_it_is_mended(
    workspace, capsys, command, status, reason
):
    define(workspace, a=(command, ["in"], ["a"]))
    assert repro(workspace, [], 2) == status
    output = capsys.readouterr().out
    assert f"a  FAILED: {reason}" in output
    assert "1 failed: a; 2 that need what failed were left out" in output
    assert failures.read(workspace) == {"a": reason}
    assert workspace.log("a").read_text() == "nowhere\n"
    assert (workspace.root / "b2").exists()
    assert (workspace.root / "report/page").read_text() == f"{reason}\n"
    define(workspace)
    assert repro(workspace, [], 2) == 0
    assert failures.read(workspace) == {}
    assert (workspace.root / "report/page").read_text() == ""


def test_a_target_is_built_with_what_it_needs(workspace):
    define(workspace, a=("exit 3", ["in"], ["a"]), report=("exit 3", ["results/metrics"], []))
    assert repro(workspace, ["a2"], 2) == 3
    assert not (workspace.root / "dvc.lock").exists(), "nothing was ever built"
    define(workspace)
    repro(workspace, ["a2"], 2)
    assert (workspace.root / "a2").exists()
    assert not (workspace.root / "b").exists()
    with pytest.raises(UsageError, match=r"the target must be one of: a, a2, b, b2, both, report\. Received: 'a3'"):
        repro(workspace, ["a3"], 2)


def test_runs_and_results_of_what_params_no_longer_has_are_removed(tmp_path):
    workspace = Workspace(tmp_path)
    workspace.params.write_text("""
sources: {waves: {kind: waves}}
datasets: {waves: {source: waves, preparation: {name: waves}}}
experiments: {kept: {dataset: waves, model: {family: baselines, name: last_value}, training: {method: none}}}
""")
    kept = "runs/waves/kept/run.json results/evaluations/waves/evaluation.json results/metrics/waves/kept.json "
    kept += ".unroll/checkpoints/kept.npz .unroll/checkpoints/kept.3.npz outside/file"
    gone = "runs/waves/gone/run.json runs/old/kept/run.json results/evaluations/old/evaluation.json "
    gone += "results/metrics/waves/gone.json results/metrics/old/kept.json "
    gone += ".unroll/checkpoints/gone.npz .unroll/checkpoints/gone.3.npz"
    for name in f"{kept} {gone}".split():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "runs/waves/linked").symlink_to(tmp_path / "outside")
    prune(workspace, params.load(workspace.params))
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {*kept.split(), "params.yaml"}
    folders = [path.name for path in tmp_path.glob("r*/**/") if path.is_dir()]
    assert not {"gone", "old", "linked"} & {*folders}


def test_a_second_build_at_the_same_time_is_refused(workspace):
    workspace.scratch.mkdir()
    with FileLock(workspace.scratch / "repro.lock"), pytest.raises(UnrollError, match="another `unroll repro` is buil"):
        repro(workspace, [], 1)


def test_a_folder_that_is_no_dvc_workspace(tmp_path):
    with pytest.raises(UnrollError, match="DVC: "):
        dvc_graph.read(tmp_path)


def test_another_dvc_that_holds_its_lock_is_waited_for(workspace, monkeypatch, capsys):
    monkeypatch.setattr("dvc.lock.DEFAULT_TIMEOUT", 0.1)
    monkeypatch.setattr(dvc_graph, "HOLD", float("inf"))
    others, sleep = [], time.sleep

    def release(seconds):
        if seconds == dvc_graph.PAUSE:
            others.pop().close()
        sleep(seconds)

    monkeypatch.setattr(dvc_graph.time, "sleep", release)
    with dvc_graph.opened(workspace.root) as dvc:
        for work in (
            dvc.begin,
            lambda name: (shutil.copy("in", name), dvc.finish(name)),
            lambda _: dvc_graph.read(workspace.root),
        ):
            others.append(LockFile(workspace.root / ".dvc/tmp/lock"))
            work("b")
            assert others == []
        dvc.close()
    assert "b" not in dvc_graph.read(workspace.root).changed
    assert capsys.readouterr().err == "b waits for another `dvc`\n" * 2 + "this waits for another `dvc`\n"


def test_a_build_leaves_dvcs_lock_free_before_others_give_up(workspace):
    with dvc_graph.opened(workspace.root) as dvc, Repo(str(workspace.root)) as other:
        thread = threading.Thread(target=locked(lambda _: None), args=[other])  # raises an error after three seconds
        thread.start()
        while thread.is_alive():
            with dvc.locked():
                time.sleep(0.1)


def test_a_stage_at_which_a_plain_dvc_is_at_work_waits_and_others_go_on(workspace, capsys):
    wait = "echo a >> ran; touch begun; while [ ! -e go ]; do sleep 0.1; done; cat in > a"
    define(workspace, a=(wait, ["in"], ["a"]), b=("cp in b; touch go", ["in"], ["b"]))
    plain = subprocess.Popen([sys.executable, "-m", "dvc", "repro", "-q"], cwd=workspace.root)
    while not (workspace.root / "begun").exists():
        assert plain.poll() is None
    assert repro(workspace, [], 2) == 0
    assert plain.wait() == 0
    assert f"a waits for another `dvc` (process {plain.pid})\n" in capsys.readouterr().err
    assert ran(workspace).count("a") == 1, "DVC's cache had it"
    lock = workspace.root / "dvc.lock"
    together = lock.read_bytes()
    lock.unlink()
    assert repro(workspace, [], 2) == 0
    assert lock.read_bytes() == together


def test_a_stage_whose_inputs_another_dvc_has_put_there_anew_runs_again(workspace):
    define(workspace, b2=("echo b2 >> ran; cp b b2; test -e again || touch again b", ["b"], ["b2"]))
    zombie = subprocess.Popen(["true"])  # as which another one may end that is killed in a container
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    (workspace.root / ".dvc/tmp").mkdir()
    entries = {"write": {str(workspace.root / "b2"): {"pid": zombie.pid, "cmd": "dvc repro"}}}
    (workspace.root / ".dvc/tmp/rwlock").write_text(json.dumps(entries))
    assert repro(workspace, ["b2"], 1) == 0
    assert ran(workspace) == ["b", "b2", "b2"]
    zombie.wait()


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGINT,
        signal.SIGTERM,
        pytest.param(signal.SIGKILL, marks=pytest.mark.skipif(sys.platform != "linux", reason="Linux ends orphans")),
    ],
)
def test_a_build_that_is_ended_leaves_no_process_and_the_next_one_goes_on(workspace, number):
    (workspace.root / "wait.py").write_text(WAIT)
    define(workspace, a=("exec python wait.py", ["in"], ["a"]))
    # One that does not heed Ctrl-C was started in the background of a script.
    handler = "default_int_handler" if number == signal.SIGINT else "SIG_IGN"
    build = start_unroll(workspace.root, "repro", "--jobs", "2", handler=handler)
    while "b2" not in (line := build.stdout.readline()):
        assert line
    while not (workspace.root / "waiting").exists():
        assert build.poll() is None
    there = psutil.Process(build.pid).children(recursive=True)
    assert any("wait.py" in process.cmdline() for process in there)
    build.send_signal(number)
    if number != signal.SIGKILL:
        assert build.stdout.readline().startswith("unroll: stopped; what was finished is kept, ")
        build.send_signal(number)  # again, which changes nothing
    output = last_output(build, there)
    if number != signal.SIGKILL:
        assert (build.returncode, output) == (130, "")
        assert (workspace.root / "interrupted").exists()
    else:
        (workspace.root / "dvc.lock").unlink(missing_ok=True)  # the kill may have come before it was written
        (workspace.root / ".dvc/tmp/rwlock").write_text("")  # and as this was
    define(workspace)
    assert repro(workspace, [], 2) == 0
    assert ran(workspace) == ["b", "b2"], "DVC's cache had them"


def test_an_edit_of_the_code_during_a_build_counts_for_the_next_stage(workspace):
    for name in ("pipeline", "stages", "unroll"):
        shutil.copytree(REPOSITORY / name, workspace.root / name, ignore=shutil.ignore_patterns("__pycache__"))
    (workspace.root / "unroll/runner/preload.py").write_text("")  # it imports a lot that no stage needs here
    # Two trainings are worth a fork server, which has imported this file by then.
    edit = "echo 'print(\"edited\")' | tee -a stages/__init__.py > edited"
    after = "train: {foreach: [x, y], do: {cmd: unroll list, deps: [edited]}}"
    graph = f"stages:\n  edit:\n    cmd: {edit}\n    outs: [edited]\n  {after}\n  report: {{cmd: unroll list}}\n"
    (workspace.root / "dvc.yaml").write_text(graph)
    subprocess.run([sys.executable, "-B", "-m", "unroll", "repro"], cwd=workspace.root, check=True)
    assert workspace.log("train@x").read_text().startswith("edited\n")


def test_what_was_pulled_without_runs_is_taken_from_the_cache(workspace):
    assert repro(workspace, [], 2) == 0
    shutil.rmtree(workspace.root / ".dvc/cache/runs")
    for name in ("b", "b2"):
        (workspace.root / name).unlink()
    assert repro(workspace, [], 2) == 0
    assert (workspace.root / "b2").exists()
    assert ran(workspace) == ["b", "b2"]


def test_what_mlflow_did_not_hear_of_is_counted_at_the_end(workspace, capsys):
    define(workspace, a=("echo 'not recorded in MLflow'; cp in a", ["in"], ["a"]))
    assert repro(workspace, [], 2) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "What 1 stages made is not recorded in MLflow; `unroll track` records it."
    (workspace.root / "a").unlink()
    assert repro(workspace, [], 2) == 0
    assert "not recorded" not in capsys.readouterr().out, "it came from DVC's cache"
