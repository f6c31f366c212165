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
from tests.support import REPOSITORY, last_output, start_unroll
from tests.unroll.workspaces.test_checkout import git
from unroll.commands.main import invoke
from unroll.exits import run
from unroll.verify import verify
from unroll.verify.compare import DIFFERS, NOT_BUILT, NOT_COMPARED
from unroll.workspaces.make import CONFIG, PACKAGES

FOLDER = Path(".verify/rebuild")
GRAPH = """
stages:
  source:
    foreach: [waves]
    do: {cmd: mkdir -p data/raw/waves && cp in data/raw/waves/series, deps: [in], outs: [data/raw/waves]}
  train:
    foreach: [node]
    do: {cmd: mkdir -p runs/waves/node && cp in runs/waves/node/steady && echo $NOISE > runs/waves/node/weights,
         deps: [data/raw/waves], outs: [runs/waves/node]}
  evaluate:
    foreach: [waves]
    do: {cmd: "mkdir -p results/metrics/waves && echo '{\\"score\\":1.'$NOISE'}' > results/metrics/waves/node.json",
         deps: [runs/waves], outs: [results/metrics/waves: {cache: false}]}
  report:
    cmd: mkdir -p results && echo a page > results/index.html
    deps: [results/metrics]
    outs: [results/index.html: {cache: false}]
"""
PARAMS = """
sources: {waves: {kind: waves}}
datasets: {waves: {source: waves, preparation: {name: waves}}}
experiments: {node: {dataset: waves, model: {family: baselines, name: last_value}, training: {method: none}}}
"""
TOLERANCES = {"tolerances": {"waves": {"node": {"score": 0.01}}}}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A repository whose results are committed."""
    root = tmp_path_factory.mktemp("repository") / "work"
    files = {".dvc/config": CONFIG, "dvc.yaml": GRAPH, "params.yaml": PARAMS, "in": "1\n"}
    files |= {".dvc/.gitignore": "/cache\n/tmp\n/site\n", ".dvcignore": "/.unroll\n/.verify\n"}
    files |= {".gitignore": "/.unroll/\n/.verify/\n/data/\n/runs/\n__pycache__/\n"}
    files |= {"bench/tolerances.json": json.dumps(TOLERANCES)}
    files |= {"unroll/runner/preload.py": ""}  # what it imports for real stages would cost each build seconds
    for name in PACKAGES:
        shutil.copytree(REPOSITORY / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in files.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)
    environment = os.environ | {"DVC_SITE_CACHE_DIR": str(root / ".dvc/site"), "NOISE": "000"}
    subprocess.run([sys.executable, "-m", "unroll", "repro"], cwd=root, env=environment, check=True)
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


def edit(workspace, old, new):
    """Change the committed graph."""
    graph = workspace.root / "dvc.yaml"
    assert old in graph.read_text()
    graph.write_text(graph.read_text().replace(old, new))
    git(workspace.root, "commit", "-q", "-a", "-m", "a change")


def unroll(workspace, capfd, *arguments):
    """Exit code, standard output and standard error, of the builds too."""
    return run(lambda: invoke(["--root", str(workspace.root), *arguments])), *capfd.readouterr()


def test_what_differs_is_said_with_file_and_metric_and_kept(workspace, capfd, monkeypatch):
    lock = workspace.root / "dvc.lock"
    lock_data = plain_yaml.read(lock)
    del lock_data["stages"]["source@waves"]
    plain_yaml.write(lock_data, lock)
    failing = "mkdir -p .unroll/failures; echo no luck > .unroll/failures/report.txt; exit 3"
    edit(workspace, "mkdir -p results && echo a page", f"{failing}; mkdir")
    monkeypatch.setenv("NOISE", "050")
    code, out, err = unroll(workspace, capfd, "verify", "--json")
    data = json.loads(out)
    assert (code, data["holds"]) == (1, False)
    assert "Built 3 of 4 stages" in err
    outputs = {output["path"] or output["stage"]: output for output in data["outputs"]}
    assert {path: output["level"] for path, output in outputs.items()} == {
        "source@waves": NOT_COMPARED,
        "runs/waves/node": DIFFERS,
        "results/metrics/waves": DIFFERS,
        "results/index.html": NOT_BUILT,
    }
    assert outputs["runs/waves/node"]["files"] == ["weights"]
    (deviation,) = outputs["results/metrics/waves"]["deviations"]
    assert [deviation[key] for key in ("experiment", "metric", "rebuilt", "within")] == ["node", "score", 1.05, False]
    assert outputs["results/index.html"]["reason"] == "no luck"
    assert (Path(data["kept"]) / "workspace/results/metrics/waves/node.json").exists()


def test_what_is_no_target_is_refused_before_anything_is_built(workspace, capfd):
    code, _, err = unroll(workspace, capfd, "verify", "evaluate@wave")
    assert code == 2
    assert "must be one of: evaluate@waves, report, source@waves, train@node. Received: 'evaluate@wave'" in err
    with (
        alone(workspace.scratch / "verify.lock", ""),
        pytest.raises(UnrollError, match="another `unroll verify` is at work"),
    ):
        verify.verify(workspace, [], 1, keep=False)


def test_a_stopped_verification_leaves_no_process_goes_on_and_finds_the_same_bytes(workspace, capfd, monkeypatch):
    edit(workspace, "mkdir -p runs/waves/node", "touch waiting && sleep $NAP && mkdir -p runs/waves/node")
    (workspace.root / "params.yaml").write_text("not even valid\n")
    before = git(workspace.root, "status", "--porcelain", "--ignored")
    environment = os.environ | {"NAP": "600"}
    verification = start_unroll(workspace.root, "verify", "--jobs", "1", env=environment, start_new_session=True)
    while not (workspace.root / FOLDER / "workspace/waiting").exists():
        assert verification.poll() is None, verification.communicate()[0]
        time.sleep(0.05)
    there = psutil.Process(verification.pid).children(recursive=True)
    verification.send_signal(signal.SIGINT)
    output = last_output(verification, there)
    assert verification.returncode == 130, output
    assert output.count("stopped; what was finished is kept") == 1

    monkeypatch.setenv("NAP", "0")
    code, out, err = unroll(workspace, capfd, "verify", "--jobs", "2")
    assert (code, out) == (0, "All 4 outputs have the same bytes.\n"), err
    assert "4 stages, 1 of them built before it was stopped" in err
    assert "not in it, since not committed: params.yaml" in err
    assert "Built 3 of 4 stages" in err
    assert "source@waves" not in err
    assert not (workspace.root / ".verify").exists()
    assert git(workspace.root, "status", "--porcelain", "--ignored") == before


def test_a_miniature_that_cannot_be_built_says_why(tmp_path, monkeypatch):
    workspace = Workspace(tmp_path)
    (workspace.scratch / "failures").mkdir(parents=True)
    (workspace.scratch / "failures/train@x.txt").write_text("no room")
    monkeypatch.setattr(verify, "build", lambda *_, **__: 1)
    with pytest.raises(UnrollError, match="cannot be built: train@x: no room"):
        verify.build_all(workspace, 1)


def test_the_environment_of_a_build_is_its_own(tmp_path, monkeypatch):
    for name in ("DVC_STAGE", "DVC_ROOT", "MLFLOW_TRACKING_URI"):
        monkeypatch.setenv(name, "the user's")
    monkeypatch.setenv("PYTHONPATH", "/theirs")
    monkeypatch.setenv("UNROLL_MIRROR", "data")
    monkeypatch.chdir(tmp_path)
    assert verify.variables_of(tmp_path / "fresh")["PYTHONPATH"] == "/theirs"
    (tmp_path / "fresh/unroll").mkdir(parents=True)
    variables = verify.variables_of(tmp_path / "fresh")
    assert "the user's" not in variables.values()
    assert variables["PYTHONPATH"] == f"{tmp_path}/fresh:/theirs"
    assert variables["UNROLL_MIRROR"] == str(tmp_path / "data"), "it is meant from here"
