import subprocess

import pytest

from pipeline.files import write_text
from pipeline.provenance import environment, machine
from pipeline.workspace import Workspace


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A repository with one commit, which the code seems to be in."""
    for name in ("pipeline/files.py", "params.yaml", ".ci/locks/numerics.lock", "dvc.lock"):
        write_text(tmp_path / "checkout" / name, "")
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    for command in (("init", "-q"), ("add", "."), (*identity, "commit", "-qm", "All")):
        subprocess.run(["git", *command], cwd=tmp_path / "checkout", check=True)
    monkeypatch.setattr(machine, "CODE", tmp_path / "checkout")
    return Workspace(tmp_path / "checkout")


@pytest.mark.parametrize(
    ("changed", "dirty"),
    [
        *((None, False), ("dvc.lock", False), ("params.yaml", True)),
        *((".ci/locks/numerics.lock", True), ("pipeline/new.py", True)),
    ],
)
def test_code_is_dirty_by_what_shapes_results_only(checkout, changed, dirty):
    if changed:
        write_text(checkout.root / changed, "as edited")
    found = environment.here(checkout)
    assert len(found.commit) == 40
    assert found.dirty is dirty


def test_without_git_there_is_no_commit(checkout, monkeypatch):
    monkeypatch.setenv("PATH", "")
    found = environment.here(checkout)
    assert (found.commit, found.dirty) == (None, None)
