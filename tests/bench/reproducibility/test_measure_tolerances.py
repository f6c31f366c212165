"""`python -m bench tolerances`, with builds that are made up: a condition's variable is what its metrics move by."""

import json

import pytest

from bench.reproducibility import cpu_caps, measure_tolerances
from bench.reproducibility.cpu_caps import Condition
from pipeline.errors import StoppedError, UnrollError, UsageError
from pipeline.files import write_json
from pipeline.workspace import Workspace
from unroll.runner.dvc_graph import Graph
from unroll.workspaces import checkout

NEEDS = {"prepare@sine": [], "evaluate@sine": ["prepare@sine"], "evaluate@waves": [], "report": ["evaluate@sine"]}
CONDITIONS = {"up": Condition("more", {"ADDED": "2"}, ()), "down": Condition("less", {"ADDED": "-1"}, ())}
MOVED = {"dense": {"score": 3.0, "low": 1.5}}


def leave(workspace, targets, added, code="first"):
    """What a build leaves: metrics, and the dvc.lock that names them."""
    stages = {}
    for stage in targets:
        dataset = stage.partition("@")[2]
        metrics = {"score": 10 + added, "low": 1 - added / 2}
        write_json(workspace.headline(dataset, "dense"), metrics)
        output = {"path": f"metrics/{dataset}", "md5": str(added)}
        stages[stage] = {"deps": [{"path": "pipeline/metrics.py", "md5": code}], "outs": [output]}
    (workspace.root / "dvc.lock").write_text(json.dumps({"stages": stages}))


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    def make(_root, folder):
        made = checkout.Checkout(Workspace(folder / "workspace"), Workspace(folder / "committed"), "commit")
        leave(made.committed, ["evaluate@sine", "evaluate@waves"], 0.0)
        made.workspace.root.mkdir(exist_ok=True)
        return made

    monkeypatch.setattr(checkout, "make", make)
    monkeypatch.setattr(measure_tolerances.dvc_graph, "read", lambda _root: Graph(NEEDS, frozenset()))
    monkeypatch.setattr(measure_tolerances.dvc_graph, "cache", lambda root: root)
    monkeypatch.setattr(measure_tolerances, "MEASURED", tuple(CONDITIONS))
    monkeypatch.setattr(cpu_caps, "CONDITIONS", CONDITIONS)
    workspace = Workspace(tmp_path / "work")
    workspace.scratch.mkdir(parents=True)
    return workspace


@pytest.fixture
def building(monkeypatch):
    """Let builds do something: workspace, targets, what is added."""

    def let(build):
        monkeypatch.setattr(
            measure_tolerances,
            "build",
            lambda workspace, targets, _jobs, variables, **_: build(workspace, targets, float(variables["ADDED"])),
        )

    return let


def tolerances(workspace):
    return json.loads((workspace.root / "bench/tolerances.json").read_text())


def test_a_tolerance_is_the_largest_distance_of_two_builds_and_what_is_not_measured_keeps_its_own(workspace, building):
    building(leave)
    before = {"conditions": {"imdb": {}}, "tolerances": {"imdb": {"rnn": {}}}}
    write_json(workspace.root / "bench/tolerances.json", before)
    measure_tolerances.measure(workspace, [], jobs=1)
    found = tolerances(workspace)
    assert found["tolerances"] == {"imdb": {"rnn": {}}, "sine": MOVED, "waves": MOVED}
    assert found["conditions"]["sine"].keys() == {"names", "cpu", "platform", "python", "packages"}
    assert found["conditions"]["sine"]["names"] == ["down", "up"]
    assert not (workspace.root / ".verify").exists()


def test_a_measurement_that_was_stopped_goes_on_with_what_it_has(workspace, building):
    def stopping(workspace, targets, added):
        if added < 0:
            raise StoppedError
        leave(workspace, targets, added)

    building(stopping)
    with pytest.raises(StoppedError):
        measure_tolerances.measure(workspace, [], jobs=1)
    assert tolerances(workspace)["tolerances"]["sine"]["dense"]["score"] == 2.0
    done = []
    building(lambda workspace, targets, added: (done.append(added), leave(workspace, targets, added)))
    measure_tolerances.measure(workspace, [], jobs=1)
    assert done == [-1]
    assert tolerances(workspace)["tolerances"]["sine"] == MOVED


def test_a_data_set_that_cannot_be_built_is_named_and_left_out(workspace, building):
    building(lambda workspace, _targets, added: leave(workspace, ["evaluate@sine"], added))
    with pytest.raises(UnrollError, match="not measured, since not built: waves"):
        measure_tolerances.measure(workspace, [], jobs=1)
    assert tolerances(workspace)["tolerances"].keys() == {"sine"}


def test_results_of_other_code_are_no_reference_and_a_target_must_come_to_a_metric(workspace, building):
    building(lambda workspace, targets, added: leave(workspace, targets, added, code="second"))
    with pytest.raises(UnrollError, match=r"other pipeline/metrics\.py; `unroll repro`"):
        measure_tolerances.measure(workspace, [], jobs=1)
    with pytest.raises(UsageError, match="prepare@sine: no metric comes of that"):
        measure_tolerances.measure(workspace, ["prepare@sine"], jobs=1)
    assert not (workspace.root / "bench/tolerances.json").exists()
