import shutil
import subprocess

import pytest

from pipeline.errors import UnrollError
from pipeline.files import write_text
from pipeline.provenance import fingerprint, places, record
from pipeline.provenance.fingerprint import Ingredients
from pipeline.workspace import Workspace

NAME = ("waves", "node")
MADE_OF = Ingredients(
    {"seeds": [0]}, {"arrays.npz": "1"}, {"pipeline.training.job": "2"}, lock="3"
)


@pytest.fixture
def workspace(tmp_path):
    workspace = Workspace(tmp_path / "a folder, ä")
    write_text(workspace.run(*NAME) / "run.json", "{}")
    return workspace


def test_a_record_of_another_run_is_none(workspace):
    file = workspace.record(*NAME)
    run = fingerprint.folder(workspace.run(*NAME))
    with pytest.raises(
        UnrollError, match="no record on this machine: taken from DVC's cache"
    ):
        record.read(file, run)
    record.write(workspace, file, workspace.run(*NAME), MADE_OF)
    assert record.read(file, run).run == run
    with pytest.raises(UnrollError, match="no record of this run"):
        record.read(file, "another")


def test_a_record_that_cannot_be_written_costs_one_line(workspace, capsys):
    (workspace.root / "records").write_text("a file where a folder should be")
    record.write(workspace, workspace.record(*NAME), workspace.run(*NAME), MADE_OF)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: no record of where ")


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A repository with one commit, which the code seems to be in."""
    for name in (
        "pipeline/files.py",
        "params.yaml",
        "locks/numerics.lock",
        "dvc.lock",
    ):
        write_text(tmp_path / "checkout" / name, "")
    identity = (
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@example.org",
        "-c",
        "commit.gpgsign=false",
    )
    for command in (("init", "-q"), ("add", "."), (*identity, "commit", "-qm", "All")):
        subprocess.run(["git", *command], cwd=tmp_path / "checkout", check=True)
    monkeypatch.setattr(places, "CODE", tmp_path / "checkout")
    return Workspace(tmp_path / "checkout")


def test_code_is_dirty_by_what_shapes_results_only_and_without_git_nobody_knows(
    checkout, monkeypatch, capsys
):
    for changed, dirty in (
        ("dvc.lock", False),
        ("params.yaml", True),
        ("pipeline/new.py", True),
    ):
        write_text(checkout.root / changed, "as edited")
        environment = record.environment(checkout)
        assert (len(environment.commit), environment.dirty) == (40, dirty)
        subprocess.run(["git", "clean", "-fdq"], cwd=checkout.root, check=True)
        subprocess.run(["git", "checkout", "-q", "."], cwd=checkout.root, check=True)
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert record.environment(checkout).commit is None
    assert (
        "warning: no commit in the record: fatal: detected dubious ownership"
        in capsys.readouterr().err
    )
    shutil.rmtree(checkout.root / ".git")
    assert record.environment(checkout).commit is None
    monkeypatch.setenv("PATH", "")
    environment = record.environment(checkout)
    assert (environment.commit, environment.dirty) == (None, None)
    assert capsys.readouterr().err == ""
