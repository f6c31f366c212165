"""A fresh workspace of a small repository; no stage runs here (tests/unroll/verify/test_committed.py builds)."""

import subprocess

import pytest

from pipeline.errors import UnrollError
from pipeline.locks import alone
from pipeline.provenance import machine, record
from pipeline.workspace import Workspace
from unroll.workspaces import checkout

RESULTS = {
    "dvc.lock": "schema: '2.0'\n",
    "results/metrics/waves/linear.json": "{}\n",
    "results/index.html": "the page\n",
}
FILES = RESULTS | {
    ".dvc/config": "[cache]\n    dir = /shared\n['remote \"team\"']\n    url = s3://team\n",
    ".gitignore": "/.verify/\n/.unroll/\n",
    "dvc.yaml": "stages: {}\n",
    "params.yaml": "committed: 1\n",
    "pipeline/code.py": "committed = 1\n",
}


def git(root, *arguments):
    who = ["-c", "user.name=A Tester", "-c", "user.email=tester@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", "-C", str(root), *who, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path):
    root = tmp_path / "user's own"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "all")
    return root


def contents(folder):
    """Name -> text of the files in a folder, but for git's."""
    files = [path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts]
    return {str(path.relative_to(folder)): path.read_text() for path in files}


def users_own(root):
    """Path -> bytes of all files but those of a verification, also git's."""
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file() and ".verify" not in path.parts}


def test_it_has_what_is_committed_and_the_results_lie_apart(repository):
    (repository / "params.yaml").write_text("edited: 1\n")
    (repository / "pipeline/new.py").touch()
    (repository / ".unroll").mkdir()
    (repository / ".unroll/seconds.json").write_text("{}")
    status = git(repository, "status", "--porcelain")
    whole = users_own(repository)
    fresh = checkout.make(repository, repository / ".verify/rebuild")
    assert contents(fresh.committed.root) == RESULTS
    expected = {**FILES, ".dvc/config": checkout.CONFIG, ".unroll/seconds.json": "{}"}
    assert contents(fresh.workspace.root) == {name: text for name, text in expected.items() if name not in RESULTS}
    assert fresh.commit == git(repository, "rev-parse", "HEAD")
    assert checkout.uncommitted(repository) == ["params.yaml", "pipeline/new.py"]
    assert users_own(repository) == whole, "git wrote nothing into the user's repository"
    assert git(repository, "status", "--porcelain") == status


def test_what_is_no_repository_of_its_own_or_has_no_lock_is_one_line(repository, tmp_path):
    git(repository, "rm", "-q", "--cached", "dvc.lock")
    git(repository, "commit", "-q", "-m", "no lock")
    for root, message in (
        (repository, r"no dvc\.lock is committed"),
        (repository / "pipeline", "is not the top of its git repository"),
        (tmp_path, r"git cannot read the last commit of .* \(fatal: not a git repository.*--quick` needs none"),
    ):
        with pytest.raises(UnrollError, match=message):
            checkout.make(root, tmp_path / "rebuild")


def test_a_workspace_in_which_a_build_runs_is_left_alone(repository):
    folder = repository / ".verify/rebuild"
    fresh = checkout.make(repository, folder)
    with alone(fresh.workspace.scratch / "repro.lock", ""):
        for call in (lambda: checkout.make(repository, folder), lambda: checkout.clear(folder)):
            with pytest.raises(UnrollError, match="a build still runs in"):
                call()
    assert (fresh.workspace.root / "params.yaml").exists()


def test_what_a_strangers_repository_would_run_is_not_run(repository, monkeypatch):
    hooks = repository / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("monitor", "post-index-change", "post-checkout"):
        (hooks / name).write_text(f'#!/bin/sh\ntouch "{hooks}/{name}.ran"\n')
        (hooks / name).chmod(0o755)
    git(repository, "config", "core.fsmonitor", ".git/hooks/monitor")
    git(repository, "checkout", "-q", "HEAD")
    git(repository, "status")
    traces = sorted(hooks.glob("*.ran"))
    assert len(traces) == 3, "git by itself runs them"
    for trace in traces:
        trace.unlink()
    checkout.make(repository, repository / ".verify/rebuild")
    checkout.uncommitted(repository)
    monkeypatch.setattr(machine, "CODE", repository)
    assert record._revision(Workspace(repository))[1] is False
    assert not sorted(hooks.glob("*.ran"))
