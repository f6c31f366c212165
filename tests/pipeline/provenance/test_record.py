"""Records of where runs were made, on a small run made of noise."""

import json
import subprocess
from datetime import datetime

import pytest

from pipeline.config import params
from pipeline.provenance import fingerprint
from pipeline.provenance import record
from pipeline.errors import UnrollError
from pipeline.files import read_json, write_json, write_text
from pipeline.workspace import Workspace
from tests.support import fake_runs

NAME = ("waves", "waves_node")


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """One data set with its runs; the fingerprint of waves_node is what training would write."""
    monkeypatch.setattr(record, "revision", lambda _: ("c0ffee", False))
    others = ("sine_extrapolation", "sine_windows", "imdb", "jena_hourly", "jena")
    workspace = fake_runs.build(tmp_path / "a folder, ä", without=others)
    section = params.load(workspace.params).experiment("waves_node")
    path = workspace.run(*NAME) / "run.json"
    parts = {
        "params": fingerprint.params(section.model_dump()),
        "data": fingerprint.data(workspace.prepared("waves")),
        "code": fingerprint.code(["pipeline.models.recurrent", "pipeline.training.methods.by_hand"]),
    }
    write_json(path, read_json(path) | {"fingerprint": parts})
    return workspace


def test_a_record_holds_what_the_fingerprint_was_taken_over(workspace, monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_max_isa=AVX2")
    record.write(workspace, *NAME)
    record = record.read(workspace, *NAME)
    assert record.run == fingerprint.run(workspace.run(*NAME))
    assert record.params["training"] == {"method": "by_hand"}
    assert {"pipeline.models.recurrent", "pipeline.training.methods.by_hand", "pipeline.training.job"} <= record.modules.keys()
    assert sorted(record.files) == ["arrays.npz", "dataset.json"]
    assert (record.commit, record.dirty) == ("c0ffee", False)
    assert record.variables["XLA_FLAGS"] == "--xla_cpu_max_isa=AVX2"
    assert {"keras", "numpy"} <= record.packages.keys()
    assert datetime.fromisoformat(record.started) <= datetime.fromisoformat(record.ended)
    assert record.cpu
    assert record.python.startswith("3.")


@pytest.mark.parametrize(("part", "lost"), [("params", "params"), ("data", "files"), ("code", "modules")])
def test_what_was_edited_while_it_trained_is_left_out(workspace, part, lost):
    path = workspace.run(*NAME) / "run.json"
    run = read_json(path)
    write_json(path, run | {"fingerprint": run["fingerprint"] | {part: "0" * 64}})
    record.write(workspace, *NAME)
    record = record.read(workspace, *NAME)
    assert {name for name in ("params", "files", "modules") if getattr(record, name) is None} == {lost}


def test_a_record_of_another_run_is_none(workspace):
    with pytest.raises(UnrollError, match="no record on this machine: taken from DVC's cache"):
        record.read(workspace, *NAME)
    record.write(workspace, *NAME)
    write_text(workspace.run(*NAME) / "history.csv", "seed,epoch\n")
    with pytest.raises(UnrollError, match="no record of this run"):
        record.read(workspace, *NAME)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"run": 1}'])
def test_a_damaged_record_is_said_to_be_one(workspace, text):
    write_text(workspace.record(*NAME), text)
    with pytest.raises(UnrollError, match="is damaged"):
        record.read(workspace, *NAME)


def test_a_record_that_cannot_be_written_costs_one_line(workspace, capsys):
    (workspace.root / "records").write_text("a file where a folder should be")
    record.write(workspace, *NAME)
    said = capsys.readouterr().err
    assert said.startswith("warning: no record of where waves_node was made: ")
    assert said.count("\n") == 1


def test_no_output_changes_by_a_record(workspace):
    before = fingerprint.run(workspace.run(*NAME))
    record.write(workspace, *NAME)
    assert fingerprint.run(workspace.run(*NAME)) == before
    assert json.loads(workspace.record(*NAME).read_text(encoding="utf-8"))["run"] == before


class TestRevision:
    @pytest.fixture
    def checkout(self, tmp_path, monkeypatch):
        """A repository with one commit, which the code seems to be in."""
        for name in ("pipeline/provenance/record.py", "params.yaml", "numerics.lock", "dvc.lock"):
            write_text(tmp_path / "checkout" / name, "as committed")
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
        for command in (("init", "-q"), ("add", "."), (*identity, "commit", "-qm", "All")):
            subprocess.run(["git", *command], cwd=tmp_path / "checkout", check=True)
        monkeypatch.setattr(record, "CODE", tmp_path / "checkout")
        return Workspace(tmp_path / "checkout")

    @pytest.mark.parametrize(
        ("changed", "dirty"),
        [
            (None, False),
            ("dvc.lock", False),
            ("params.yaml", True),
            ("numerics.lock", True),
            ("pipeline/new.py", True),
        ],
    )
    def test_differs_by_what_shapes_results_only(self, checkout, changed, dirty):
        if changed:
            write_text(checkout.root / changed, "as edited")
        commit, found = record.revision(checkout)
        assert len(commit) == 40
        assert found is dirty

    def test_a_workspace_outside_is_not_what_was_committed(self, checkout, tmp_path):
        commit, _ = record.revision(checkout)
        assert record.revision(Workspace(tmp_path)) == (commit, True)

    def test_is_not_there_without_git(self, checkout, monkeypatch):
        monkeypatch.setenv("PATH", "")
        assert record.revision(checkout) == (None, None)
