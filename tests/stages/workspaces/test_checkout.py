"""A fresh workspace of a small repository; no stage runs here (tests/stages/verify/test_committed.py builds)."""

import subprocess

import pytest

from pipeline.errors import UnrollError
from pipeline.locks import alone
from pipeline.provenance import environment, machine
from pipeline.workspace import Workspace
from stages.verify import isolated_build
from stages.workspaces import checkout

FILES = {
    ".dvc/config": "[cache]\n    dir = /shared\n['remote \"team\"']\n    url = s3://team\n",
    ".gitignore": "/.verify/\n/.unroll/\n",
    "dvc.lock": "schema: '2.0'\n",
    "dvc.yaml": "stages: {}\n",
    "metrics/waves/linear.json": "{}\n",
    "params.yaml": "committed: 1\n",
    "pipeline/code.py": "committed = 1\n",
    "report/index.html": "the page\n",
    "stages/code.py": "committed = 1\n",
    "claims.yaml": "[]\n",
}


def git(root, *arguments):
    who = ["-c", "user.name=A Tester", "-c", "user.email=tester@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", "-C", str(root), *who, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def root(tmp_path):
    """A folder with what a workspace has, without git."""
    root = tmp_path / "user's own"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.fixture
def repository(root):
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "all")
    return root


def contents(folder):
    """Name -> text of the files in a folder, those of git apart."""
    files = [path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts]
    return {str(path.relative_to(folder)): path.read_text() for path in files}


def test_it_has_what_is_committed_and_the_results_lie_apart(repository):
    (repository / "params.yaml").write_text("edited: 1\n")
    (repository / "pipeline/new.py").touch()
    before, index = contents(repository), (repository / ".git/index").read_bytes()
    made = checkout.make(repository, repository / ".verify/rebuild")
    results = {name: FILES[name] for name in ("dvc.lock", "metrics/waves/linear.json", "report/index.html")}
    assert contents(made.committed.root) == results
    expected = {**FILES, ".dvc/config": checkout.CONFIG}
    assert contents(made.workspace.root) == {name: text for name, text in expected.items() if name not in results}
    assert made.commit == git(repository, "rev-parse", "HEAD")
    after = {name: text for name, text in contents(repository).items() if not name.startswith(".verify/")}
    assert after == before
    assert checkout.uncommitted(repository) == ["params.yaml", "pipeline/new.py"]
    assert (repository / ".git/index").read_bytes() == index


@pytest.mark.parametrize("outer", [True, False], ids=["in a repository that starts elsewhere", "without git"])
def test_without_a_repository_of_its_own_the_files_are_taken_as_they_are(root, tmp_path, monkeypatch, outer):
    if outer:
        git(tmp_path, "init", "-q")
        git(tmp_path, "commit", "-q", "--allow-empty", "-m", "another project")
    else:
        monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    (root / ".unroll").mkdir()
    (root / ".unroll/scaled.txt").write_text("scaled\n")
    made = checkout.make(root, root / ".verify/rebuild")
    assert made.commit == ""
    assert checkout.uncommitted(root) == []
    assert (made.workspace.root / "pipeline").resolve() == root / "pipeline"
    assert (made.workspace.root / "params.yaml").read_text() == FILES["params.yaml"]
    assert (made.workspace.root / ".unroll/scaled.txt").exists(), "the page says so"
    assert (made.committed.root / "metrics/waves/linear.json").exists()
    assert not (made.workspace.root / "dvc.lock").exists()


def test_what_a_strangers_repository_would_run_is_not_run(repository, monkeypatch):
    hooks = repository / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("monitor", "post-index-change"):
        (hooks / name).write_text('#!/bin/sh\ntouch "$0.ran"\n')
        (hooks / name).chmod(0o755)
    git(repository, "config", "core.fsmonitor", ".git/hooks/monitor")
    git(repository, "read-tree", "HEAD")
    git(repository, "status")
    traces = sorted(hooks.glob("*.ran"))
    assert len(traces) == 2, "git by itself runs them"
    for trace in traces:
        trace.unlink()
    checkout.make(repository, repository / ".verify/rebuild")
    checkout.uncommitted(repository)
    monkeypatch.setattr(machine, "CODE", repository)
    assert environment._revision(Workspace(repository))[1] is False
    assert not sorted(hooks.glob("*.ran"))


def test_git_that_is_not_there_is_no_repository(repository, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert checkout.make(repository, repository / ".verify/rebuild").commit == ""


def test_without_a_committed_lock_there_is_nothing_to_compare(repository):
    git(repository, "rm", "-q", "--cached", "dvc.lock")
    git(repository, "commit", "-q", "-m", "no lock")
    with pytest.raises(UnrollError, match=r"no dvc\.lock is committed"):
        checkout.make(repository, repository / ".verify/rebuild")


def test_a_commit_that_git_cannot_read_is_one_line(repository, tmp_path):
    with pytest.raises(UnrollError, match="git cannot write 0000000000 to .*fresh: "):
        checkout._unpack(repository, "0" * 40, tmp_path / "fresh")


def test_an_unfinished_workspace_of_the_same_commit_is_kept(repository):
    folder = repository / ".verify/rebuild"
    trace = checkout.make(repository, folder).workspace.root / "trace"
    trace.touch()
    checkout.make(repository, folder)
    assert trace.exists(), "it goes on with what was built"
    git(repository, "commit", "-q", "--allow-empty", "-m", "another")
    checkout.make(repository, folder)
    assert not trace.exists()
    trace.touch()
    checkout.finish(folder)
    checkout.make(repository, folder)
    assert not trace.exists(), "a finished one is made anew"
    checkout.clear(folder)
    assert not folder.parent.exists()


def test_a_workspace_in_which_a_build_runs_is_left_alone(repository):
    folder = repository / ".verify/rebuild"
    made = checkout.make(repository, folder)
    with alone(made.workspace.scratch / "repro.lock", ""):
        for call in (lambda: checkout.make(repository, folder), lambda: checkout.clear(folder)):
            with pytest.raises(UnrollError, match="a build still runs in"):
                call()
    assert (made.workspace.root / "params.yaml").exists()


def test_the_environment_of_a_build_is_its_own(tmp_path, monkeypatch):
    for name in ("DVC_STAGE", "DVC_ROOT", "MLFLOW_TRACKING_URI"):
        monkeypatch.setenv(name, "the user's")
    monkeypatch.setenv("PYTHONPATH", "/theirs")
    monkeypatch.setenv("UNROLL_MIRROR", "data")
    monkeypatch.chdir(tmp_path)
    found = isolated_build._environment(tmp_path / "fresh")
    assert "the user's" not in found.values()
    assert found["PYTHONPATH"] == f"{tmp_path}/fresh:/theirs"
    assert found["UNROLL_MIRROR"] == str(tmp_path / "data"), "it is meant from here"
    monkeypatch.setenv("UNROLL_MIRROR", "https://example.org/data")
    assert isolated_build._environment(tmp_path)["UNROLL_MIRROR"] == "https://example.org/data"
