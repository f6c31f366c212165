"""`python -m bench tolerances`, with builds that are made up: a condition's variable is what its metrics move by."""

import json
import os
from dataclasses import dataclass, field

import pytest

from bench.reproducibility import cpu_caps, measure_tolerances
from bench.reproducibility.cpu_caps import Condition
from pipeline.errors import StoppedError, UnrollError, UsageError
from pipeline.files import write_json
from pipeline.workspace import Workspace
from stages.repro.dvc_graph import Graph
from stages.workspaces import checkout

NEEDS = {
    "prepare@sine": [],
    "train@dense": ["prepare@sine"],
    "evaluate@sine": ["train@dense"],
    "evaluate@waves": [],
    "report": ["evaluate@sine", "evaluate@waves"],
}
CONDITIONS = {"up": Condition("more", {"ADDED": "2"}, ()), "down": Condition("less", {"ADDED": "-1"}, ())}


@dataclass
class Builds:
    """What builds do, and which there were: condition's variable and targets."""

    done: list = field(default_factory=list)
    stopped: bool = False
    code: str = "first"
    failing: tuple[str, ...] = ()

    def make(self, _root, folder):
        made = checkout.Checkout(Workspace(folder / "workspace"), Workspace(folder / "committed"), "commit")
        leave(made.committed, ["sine", "waves"], 0.0, "first")
        made.workspace.root.mkdir()
        return made

    def build(self, workspace, targets, _jobs, variables, *, quiet):
        assert not quiet
        assert "ADDED" not in os.environ
        self.done.append((variables["ADDED"], targets))
        if self.stopped:
            raise StoppedError
        datasets = {target.partition("@")[2] for target in targets}
        leave(workspace, sorted(datasets.difference(self.failing)), float(variables["ADDED"]), self.code)


def leave(workspace, datasets, added, code):
    """What a build leaves: metrics, and the dvc.lock that names them."""
    stages = {}
    for dataset in datasets:
        metrics = {"parameters": 4, "test": 10 + added, "final": {"mae": 1 - added / 2}}
        write_json(workspace.headline(dataset, "dense"), metrics)
        output = {"path": f"metrics/{dataset}", "md5": str(added)}
        stages[f"evaluate@{dataset}"] = {"deps": [{"path": "pipeline/metrics.py", "md5": code}], "outs": [output]}
    (workspace.root / "dvc.lock").write_text(json.dumps({"stages": stages}))


@pytest.fixture
def workspace(tmp_path):
    workspace = Workspace(tmp_path / "work")
    workspace.scratch.mkdir(parents=True)
    return workspace


@pytest.fixture(autouse=True)
def builds(monkeypatch):
    builds = Builds()
    monkeypatch.setenv("ADDED", "7")  # of the user's environment, which a reference must not have
    monkeypatch.setattr(checkout, "make", builds.make)
    monkeypatch.setattr(measure_tolerances, "build", builds.build)
    monkeypatch.setattr(measure_tolerances.dvc_graph, "read", lambda _root: Graph(NEEDS, frozenset()))
    monkeypatch.setattr(measure_tolerances.dvc_graph, "cache", lambda root: root)
    monkeypatch.setattr(measure_tolerances, "MEASURED", tuple(CONDITIONS))
    monkeypatch.setattr(cpu_caps, "CONDITIONS", CONDITIONS)
    return builds


def tolerances(workspace):
    return json.loads((workspace.root / "tolerances.json").read_text())


def test_a_tolerance_is_the_largest_distance_of_two_builds(workspace, builds):
    measure_tolerances.measure(workspace, [], [], jobs=1)
    every = ["evaluate@sine", "evaluate@waves"]
    assert builds.done == [("2", every), ("-1", every)]
    found = tolerances(workspace)
    moved = {"dense": {"parameters": 0.0, "test": 3.0, "final.mae": 1.5}}
    assert found["tolerances"] == {"sine": moved, "waves": moved}
    assert found["conditions"]["sine"].keys() == {"names", "cpu", "platform", "python", "packages"}
    assert found["conditions"]["sine"]["names"] == ["down", "up"]
    assert not (workspace.root / ".verify").exists()


def test_what_is_not_measured_keeps_its_tolerances(workspace, builds):
    before = {"conditions": {"imdb": {}, "sine": {}}, "tolerances": {"imdb": {"rnn": {}}, "sine": {"gone": {}}}}
    (workspace.root / "tolerances.json").write_text(json.dumps(before))
    measure_tolerances.measure(workspace, ["evaluate@sine"], ["up"], jobs=1)
    assert builds.done == [("2", ["evaluate@sine"])]
    found = tolerances(workspace)
    assert found["tolerances"] == {
        "imdb": {"rnn": {}},
        "sine": {"dense": {"parameters": 0.0, "test": 2.0, "final.mae": 1.0}},
    }


def test_a_measurement_that_was_stopped_keeps_what_it_has(workspace, builds):
    measure_tolerances.measure(workspace, [], ["up"], jobs=1)
    builds.stopped = True
    with pytest.raises(StoppedError):
        measure_tolerances.measure(workspace, [], [], jobs=1)
    assert tolerances(workspace)["tolerances"]["sine"]["dense"]["test"] == 2.0
    assert (workspace.root / ".verify/measure-down").exists()
    assert [added for added, _ in builds.done] == ["2", "-1"]


def test_a_data_set_that_cannot_be_built_is_named_and_left_out(workspace, builds):
    builds.failing = ("waves",)
    with pytest.raises(UnrollError, match="not measured, since not built: waves"):
        measure_tolerances.measure(workspace, [], ["up"], jobs=1)
    assert tolerances(workspace)["tolerances"].keys() == {"sine"}


def test_results_of_other_code_are_no_reference(workspace, builds):
    builds.code = "second"
    with pytest.raises(UnrollError, match=r"other pipeline/metrics\.py; `unroll repro`"):
        measure_tolerances.measure(workspace, [], [], jobs=1)
    assert not (workspace.root / "tolerances.json").exists()


def test_a_target_must_come_to_a_metric(workspace):
    with pytest.raises(UsageError, match="prepare@sine: no metric comes of that"):
        measure_tolerances.measure(workspace, ["prepare@sine"], [], jobs=1)


def test_a_condition_must_be_one_of_this_processor(workspace, monkeypatch):
    with pytest.raises(UsageError, match="the condition must be one of: down, up"):
        measure_tolerances.measure(workspace, [], ["sideways"], jobs=1)
    monkeypatch.setattr(cpu_caps, "CONDITIONS", {"up": Condition("more", {}, ["quantum"])})
    with pytest.raises(UnrollError, match="cannot be capped"):
        measure_tolerances.measure(workspace, [], [], jobs=1)
