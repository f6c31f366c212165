"""`python -m bench conditions`, with builds that are made up."""

import json
import sys

import pytest

from bench.reproducibility import capped_builds, cpu_caps
from bench.reproducibility.cpu_caps import Condition
from pipeline.config import params
from pipeline.files import write_json
from pipeline.workspace import Workspace
from tests.support import REPOSITORY
from unroll.workspaces import miniature

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


def build_all(workspace, _jobs, variables, *, quiet):
    """Leave a dvc.lock and metrics; what depends on the stage that the condition names is moved by a millionth."""
    assert quiet
    moving = (variables or {}).get("PART")
    sums, stages = {}, {}
    for stage, needs in STAGES.items():
        moved = stage == moving or any("moved" in sums[need] for need in needs)
        sums[stage] = f"{stage} moved" if moved else stage
        dependencies = [{"path": f"{need}.out", "md5": sums[need]} for need in needs]
        stages[stage] = {"deps": dependencies, "outs": [{"path": f"{stage}.out", "md5": sums[stage]}]}
        verb, _, name = stage.partition("@")
        if verb == "train":
            write_json(workspace.headline("jena", name), {"test": 0.5 * (1 + 1e-6 * moved)})
    (workspace.root / "dvc.lock").write_text(json.dumps({"stages": stages}))


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    workspace = Workspace(tmp_path / "work")
    workspace.scratch.mkdir(parents=True)

    def make_workspace(_root, folder):
        folder.mkdir(parents=True)
        return Workspace(folder)

    monkeypatch.setattr(miniature, "make_workspace", make_workspace)
    monkeypatch.setattr(capped_builds, "build_all", build_all)
    monkeypatch.setattr(capped_builds.dvc_graph, "cache", lambda root: root)
    monkeypatch.setattr(cpu_caps, "CONDITIONS", CONDITIONS)
    return workspace


def test_each_kind_of_stage_is_told_apart(workspace):
    result = capped_builds.measure(workspace, jobs=1)
    assert capped_builds.table(result) == [
        ["condition", "sources", "data sets", "least squares", "gru", "evaluations", "page"],
        ["again", "=", "=", "=", "=", "=", "="],
        ["other_network", "=", "=", "=", "1e-6", "(bytes)", "(bytes)"],
        ["other_source", "bytes", "(bytes)", "(1e-6)", "(1e-6)", "(bytes)", "(bytes)"],
    ]
    assert json.loads((workspace.root / "bench/conditions.json").read_text()) == result
    assert not (workspace.root / ".verify").exists()


def test_every_stage_runs_in_the_emulator(workspace):
    (workspace.root / "dvc.yaml").write_text((REPOSITORY / "dvc.yaml").read_text())
    capped_builds.emulate(workspace, "Haswell")
    text = (workspace.root / "dvc.yaml").read_text()
    assert "cmd: unroll" not in text
    assert f"cmd: qemu-x86_64 -cpu Haswell {sys.executable} -m unroll train ${{key}}" in text


def test_the_graph_has_every_kind_of_training_and_cell(workspace):
    capped_builds.build(workspace, workspace.root / "graph", 1)
    wanted = params.load(workspace.root / "graph/params.yaml")
    kinds = {capped_builds.column(f"train@{name}", wanted) for name in wanted.experiments}
    networks = {"mlp", "simple rnn", "gru", "lstm"}
    assert kinds == {"none", "least squares", "logistic regression", "by hand"} | networks
