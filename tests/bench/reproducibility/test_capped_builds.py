"""`unroll verify --conditions`, with builds that are made up."""

import json

import pytest
import typer

from pipeline.config import params
from pipeline.errors import UnrollError
from pipeline.workspace import Workspace
from bench.reproducibility import capped_builds, cpu_caps
from stages.workspaces import checkout, miniature
from bench.reproducibility.cpu_caps import Condition
from stages.console.exits import STOPPED

CONDITIONS = {
    "again": Condition("nothing else", {}, ()),
    "other_network": Condition("other last bits in a network", {"PART": "train@jena_gru32"}, ()),
    "other_source": Condition("other last bits in a source", {"PART": "source@jena"}, ()),
}
STAGES = {
    "source@jena": [],
    "prepare@jena": ["source@jena"],
    "train@jena_ridge": ["prepare@jena"],
    "train@jena_gru32": ["prepare@jena"],
    "train@jena_gru": ["prepare@jena"],
    "evaluate@jena": ["train@jena_ridge", "train@jena_gru32", "train@jena_gru"],
    "report": ["evaluate@jena"],
}


def build(workspace, targets, _jobs, variables, *, quiet):
    """Leave a dvc.lock and metrics; what depends on the stage that the condition names is moved by a millionth."""
    assert (targets, quiet) == ([], True)
    sums, stages = {}, {}
    for stage, needs in STAGES.items():
        moved = stage == variables.get("PART") or any("moved" in sums[need] for need in needs)
        sums[stage] = f"{stage} moved" if moved else stage
        dependencies = [{"path": f"{need}.out", "md5": sums[need]} for need in needs]
        stages[stage] = {"deps": dependencies, "outs": [{"path": f"{stage}.out", "md5": sums[stage]}]}
    (workspace.root / "dvc.lock").write_text(json.dumps({"stages": stages}))
    workspace.metrics("jena").parent.mkdir()
    metrics = {
        stage.partition("@")[2]: {"test": 0.5 * (1 + 1e-6 * ("moved" in sums[stage]))}
        for stage in STAGES
        if stage.startswith("train@")
    }
    workspace.metrics("jena").write_text(json.dumps(metrics))
    return 0


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    workspace = Workspace(tmp_path / "work")
    workspace.scratch.mkdir(parents=True)

    def make_workspace(_root, folder):
        folder.mkdir(parents=True)
        return Workspace(folder)

    monkeypatch.setattr(miniature, "make_workspace", make_workspace)
    monkeypatch.setattr(checkout, "build", build)
    monkeypatch.setattr(capped_builds, "cache", lambda root: root)
    monkeypatch.setattr(cpu_caps, "CONDITIONS", CONDITIONS)
    return workspace


def test_each_kind_of_stage_is_told_apart(workspace, capsys):
    result = capped_builds.matrix(workspace, jobs=1)
    assert capped_builds.table(result) == [
        ["condition", "sources", "data sets", "least squares", "gru", "evaluations", "page"],
        ["again", "=", "=", "=", "=", "=", "="],
        ["other_network", "=", "=", "=", "1e-6", "(bytes)", "(bytes)"],
        ["other_source", "bytes", "(bytes)", "(1e-6)", "(1e-6)", "(bytes)", "(bytes)"],
    ]
    assert json.loads((workspace.root / "conditions.json").read_text()) == result
    assert result["conditions"]["other_network"]["variables"] == {"PART": "train@jena_gru32"}
    assert "3 of 4: other_network, other last bits in a network" in capsys.readouterr().err
    assert not (workspace.root / ".verify").exists()


def test_the_table_is_aligned(workspace):
    head, *rows, legend, _ = capped_builds.lines(capped_builds.matrix(workspace, jobs=1))
    place = head.index("page")
    assert [row[place:] for row in rows] == ["=", "(bytes)", "(bytes)"]
    assert legend.startswith("=: same bytes")


def test_a_build_that_fails_or_is_stopped_ends_it(workspace, monkeypatch):
    monkeypatch.setattr(checkout, "build", lambda *_arguments, **_options: STOPPED)
    with pytest.raises(typer.Exit) as stopped:
        capped_builds.matrix(workspace, jobs=1)
    assert stopped.value.exit_code == STOPPED
    monkeypatch.setattr(checkout, "build", lambda *_arguments, **_options: 1)
    with pytest.raises(UnrollError, match="cannot be built: exit status 1"):
        capped_builds.matrix(workspace, jobs=1)
    assert not (workspace.root / "conditions.json").exists()


def test_an_unknown_processor_is_refused(workspace, monkeypatch):
    monkeypatch.setattr(cpu_caps, "CONDITIONS", {"more": Condition("more", {}, ["quantum"])})
    with pytest.raises(UnrollError, match="only Linux tells"):
        capped_builds.matrix(workspace, jobs=1)


def test_the_graph_has_every_training_method_and_cell(workspace, monkeypatch):
    monkeypatch.setattr(cpu_caps, "CONDITIONS", {"none": CONDITIONS["again"]})
    capped_builds.build(workspace, workspace.root / "graph", 1)
    wanted = params.load(workspace.root / "graph/params.yaml")
    kinds = {capped_builds.column(f"train@{name}", wanted) for name in wanted.experiments}
    networks = {"mlp", "simple rnn", "gru", "lstm"}
    assert kinds == {"none", "least squares", "logistic regression", "by hand"} | networks
