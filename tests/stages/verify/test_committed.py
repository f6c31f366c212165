"""`unroll verify` of a small repository whose stages are shell lines: the variable NOISE makes a build another one."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from pipeline.config import plain_yaml
from pipeline.errors import UnrollError
from pipeline.locks import alone
from pipeline.workspace import Workspace
from stages.commands.main import invoke
from stages.console.exits import run
from stages.repro.dvc_graph import cache
from stages.verify.committed import verify
from stages.verify.compare_builds import DIFFERS, NOT_BUILT, NOT_COMPARED, SAME
from stages.workspaces.scaled import CONFIG
from tests.stages.ending import still_there
from tests.stages.workspaces.test_checkout import git

ROOT = Path(__file__).parents[3]
FOLDER = Path(".verify/rebuild")

STAGES = {
    "source": ("waves", "mkdir -p data/raw/waves && cp in data/raw/waves/series", "in", "data/raw/waves"),
    "train": (
        "node",
        "mkdir -p runs/waves/node && cp in runs/waves/node/steady && echo $NOISE > runs/waves/node/weights",
        "data/raw/waves",
        "runs/waves/node",
    ),
    "evaluate": (
        "waves",
        """mkdir -p metrics/waves && echo '{"test":1.'$NOISE'}' > metrics/waves/node.json""",
        "runs/waves",
        "metrics/waves: {cache: false}",
    ),
}
PAGE = """
  report:
    cmd: mkdir -p report && echo a page > report/index.html
    deps: [metrics]
    outs: [report/index.html: {cache: false}]
"""
GRAPH = (
    "stages:\n"
    + "".join(
        f"  {verb}:\n    foreach: [{name}]\n    do:\n      cmd: {command}\n      deps: [{dep}]\n      outs: [{out}]\n"
        for verb, (name, command, dep, out) in STAGES.items()
    )
    + PAGE
)
PARAMS = {
    "sources": {"waves": {"kind": "waves"}},
    "datasets": {"waves": {"source": "waves", "preparation": {"name": "waves"}}},
    "experiments": {
        "node": {
            "dataset": "waves",
            "seeds": [0],
            "model": {"family": "baselines", "name": "last_value"},
            "training": {"method": "none"},
        }
    },
}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A repository whose results are committed."""
    root = tmp_path_factory.mktemp("repository") / "work"
    (root / ".dvc").mkdir(parents=True)
    (root / ".dvc/config").write_text(CONFIG)
    (root / ".dvc/.gitignore").write_text("/cache\n/tmp\n/site\n")
    (root / ".dvcignore").write_text("/.unroll\n/.verify\n")
    (root / ".gitignore").write_text("/.unroll/\n/.verify/\n/data/\n/runs/\n/evaluations/\n__pycache__/\n")
    (root / "in").write_text("1\n")
    (root / "dvc.yaml").write_text(GRAPH)
    for name in ("pipeline", "stages"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    # What the fork server imports for real stages would cost each build seconds.
    (root / "stages/repro/preload.py").write_text('"""Nothing."""\n')
    plain_yaml.write(PARAMS, root / "params.yaml")
    tolerances = {"conditions": [], "tolerances": {"waves": {"node": {"test": 0.01}}}}
    (root / "tolerances.json").write_text(json.dumps(tolerances))
    environment = os.environ | {"DVC_SITE_CACHE_DIR": str(root / ".dvc/site"), "NOISE": "000"}
    subprocess.run([sys.executable, "-m", "stages", "repro"], cwd=root, env=environment, check=True)
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "all")
    return root


@pytest.fixture
def workspace(built, tmp_path, monkeypatch):
    """A copy that a test may change."""
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    monkeypatch.setenv("NOISE", "000")
    shutil.copytree(built, tmp_path / "work", symlinks=True)
    return Workspace(tmp_path / "work")


def commit(workspace):
    git(workspace.root, "commit", "-q", "-a", "-m", "a change")


def levels(verdict):
    return {output.path or output.stage: output.level for output in verdict.outputs}


def unroll(workspace, capfd, *arguments):
    """Exit code, standard output and standard error, of the builds too."""
    code = run(lambda: invoke(["--root", str(workspace.root), *arguments]))
    return code, *capfd.readouterr()


def test_the_same_bytes_leave_nothing_behind(workspace, capfd):
    (workspace.root / "params.yaml").write_text("not even valid\n")
    before = git(workspace.root, "status", "--porcelain", "--ignored")
    code, out, err = unroll(workspace, capfd, "verify", "--jobs", "2")
    assert (code, err) == (0, "")
    assert "not in it, since not committed: params.yaml" in out
    assert "going by builds of this workspace, and up to" in out
    assert "Built 4 of 4 stages" in out
    assert out.splitlines()[-1] == "All 4 outputs have the same bytes."
    assert not (workspace.root / ".verify").exists()
    assert git(workspace.root, "status", "--porcelain", "--ignored") == before


def test_what_differs_is_said_with_file_and_metric_and_kept(workspace, capfd, monkeypatch):
    monkeypatch.setenv("NOISE", "050")
    code, out, err = unroll(workspace, capfd, "verify", "--json")
    data = json.loads(out)
    assert (code, data["holds"]) == (1, False)
    assert "Built 4 of 4 stages" in err
    found = {output["path"]: output for output in data["outputs"]}
    assert {path: output["level"] for path, output in found.items()} == {
        "data/raw/waves": SAME,
        "runs/waves/node": DIFFERS,
        "metrics/waves": DIFFERS,
        "report/index.html": SAME,
    }
    assert found["runs/waves/node"]["files"] == ["weights"]
    (deviation,) = found["metrics/waves"]["deviations"]
    assert (deviation["experiment"], deviation["metric"], deviation["rebuilt"]) == ("node", "test", 1.05)
    assert deviation["multiple"] == pytest.approx(5)
    assert (Path(data["kept"]) / "workspace/metrics/waves/node.json").exists()


def test_what_cannot_be_built_and_what_was_never_committed(workspace):
    lock = workspace.root / "dvc.lock"
    kept = plain_yaml.read(lock)
    del kept["stages"]["source@waves"]
    plain_yaml.write(kept, lock)
    graph = workspace.root / "dvc.yaml"
    said = "mkdir -p .unroll/failures; echo no luck > .unroll/failures/$DVC_STAGE.txt; exit 3"
    graph.write_text(graph.read_text().replace("mkdir -p runs/waves/node", f"{said}; mkdir"))
    commit(workspace)
    verdict = verify(workspace, [], 2, keep=False, quiet=True)
    assert not verdict.holds
    assert levels(verdict) == {
        "source@waves": NOT_COMPARED,
        "runs/waves/node": NOT_BUILT,
        "metrics/waves": NOT_BUILT,
        "report/index.html": SAME,
    }
    reasons = {output.path: output.reason for output in verdict.outputs if output.level == NOT_BUILT}
    assert reasons == {"runs/waves/node": "no luck", "metrics/waves": "train@node failed: no luck"}
    assert verdict.kept


def test_a_target_that_is_no_stage_is_refused_before_anything_is_built(workspace, capfd):
    code, _, err = unroll(workspace, capfd, "verify", "evaluate@wave")
    assert code == 2
    assert "must be one of: evaluate@waves, report, source@waves, train@node. Received: 'evaluate@wave'" in err
    code, _, err = unroll(workspace, capfd, "verify", "--quick", "evaluate@waves")
    assert (code, "--quick builds the whole miniature" in err) == (2, True)


def test_where_contents_lie_in_a_folder_that_is_no_workspace(workspace, tmp_path):
    assert cache(workspace.root) == workspace.root / ".dvc/cache/files/md5"
    (tmp_path / "bare").mkdir()
    assert cache(tmp_path / "bare") == tmp_path / "bare/.dvc/cache/files/md5"


def test_one_verification_at_a_time(workspace):
    with (
        alone(workspace.scratch / "verify.lock", ""),
        pytest.raises(UnrollError, match="another `unroll verify` is at work"),
    ):
        verify(workspace, [], 1, keep=False, quiet=True)


def test_a_stopped_verification_leaves_no_process_and_goes_on_the_next_time(workspace, capfd, monkeypatch):
    graph = workspace.root / "dvc.yaml"
    nap = "touch waiting && sleep $NAP"
    graph.write_text(graph.read_text().replace("mkdir -p runs/waves/node", f"{nap} && mkdir -p runs/waves/node"))
    commit(workspace)
    # In the background of a shell without job control (CI, say) SIGINT is ignored, and children inherit that.
    heeding = "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    heeding += "runpy.run_module('stages', run_name='__main__', alter_sys=True)"
    command = [sys.executable, "-c", heeding, "--root", str(workspace.root), "verify", "--jobs", "1"]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    environment = os.environ | {"NAP": "600"}
    verification = subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True, **streams)
    while not (workspace.root / FOLDER / "workspace/waiting").exists():
        assert verification.poll() is None, verification.communicate()[0]
        time.sleep(0.05)
    there = psutil.Process(verification.pid).children(recursive=True)
    verification.send_signal(signal.SIGINT)
    verification.wait()
    for process in (left := still_there(there)):
        process.kill()  # they hold the pipe that is read next
    output, _ = verification.communicate()
    assert left == []
    assert verification.returncode == 130, output
    assert output.count("stopped; what was finished is kept") == 1

    monkeypatch.setenv("NAP", "0")
    monkeypatch.setenv("NOISE", "005")
    code, out, _ = unroll(workspace, capfd, "verify", "--keep", "evaluate@waves")
    assert code == 0, out
    assert "3 stages, 1 of them built before it was stopped" in out
    assert "source@waves" not in out
    assert out.splitlines()[-2:] == [
        "All 3 outputs hold: 1 have the same bytes, the others are within tolerance.",
        f"What was built: {workspace.root / FOLDER}",
    ]
    kept = workspace.root / FOLDER / "workspace/metrics/waves/node.json"
    assert kept.read_text() == '{"test":1.005}\n'
