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
CONDITIONS = {"up": Condition("more", {"ADDED": "2"}), "down": Condition("less", {"ADDED": "-1"})}
MOVED = {"dense": {"low": 1.5, "score": 3.0}}


def leave(workspace, targets, added, code="first"):
    """What a build leaves: metrics, and the dvc.lock that names them."""
    stages = {}
    for stage in targets:
        dataset = stage.partition("@")[2]
        metrics = {"score": 10 + added, "low": 1 - added / 2}
        write_json(workspace.headline(dataset, "dense"), metrics)
        output = {"path": f"results/metrics/{dataset}", "md5": str(added)}
        stages[stage] = {"deps": [{"path": "pipeline/metrics.py", "md5": code}], "outs": [output]}
    (workspace.root / "dvc.lock").write_text(json.dumps({"stages": stages}))


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """What bench/tolerances.json holds after builds that `leave` something; None where it is not written."""
    workspace = Workspace(tmp_path / "work")
    workspace.scratch.mkdir(parents=True)

    def make(_root, folder):
        made = checkout.Checkout(Workspace(folder / "workspace"), Workspace(folder / "committed"), "commit")
        leave(made.committed, ["evaluate@sine", "evaluate@waves"], 0.0)
        made.workspace.root.mkdir(exist_ok=True)
        return made

    def measured(leave, targets=(), error=None):
        build = lambda workspace, targets, _jobs, variables, **_: leave(workspace, targets, float(variables["ADDED"]))  # noqa: E731
        monkeypatch.setattr(measure_tolerances, "build", build)
        if error:
            with pytest.raises(type(error), match=str(error)):
                measure_tolerances.measure(workspace, targets, jobs=1)
        else:
            measure_tolerances.measure(workspace, targets, jobs=1)
        path = workspace.root / "bench/tolerances.json"
        return json.loads(path.read_text()) if path.exists() else None

    monkeypatch.setattr(checkout, "make", make)
    monkeypatch.setattr(measure_tolerances.dvc_graph, "read", lambda _root: Graph(NEEDS, frozenset()))
    monkeypatch.setattr(measure_tolerances.dvc_graph, "cache", lambda root: root)
    monkeypatch.setattr(measure_tolerances, "CONDITIONS", CONDITIONS)
    monkeypatch.setattr(cpu_caps, "NEEDS", set())
    measured.root = workspace.root
    return measured


def test_a_tolerance_is_the_largest_distance_of_two_builds_and_what_is_not_measured_keeps_its_own(measured):
    before = {"conditions": {"imdb": {}}, "tolerances": {"imdb": {"rnn": {}}}}
    write_json(measured.root / "bench/tolerances.json", before)
    found = measured(leave)
    assert found["tolerances"] == {"imdb": {"rnn": {}}, "sine": MOVED, "waves": MOVED}
    assert found["conditions"]["sine"].keys() == {"names", "cpu", "platform", "python", "packages"}
    assert found["conditions"]["sine"]["names"] == ["up", "down"]
    assert not (measured.root / ".verify").exists()


def test_a_data_set_that_cannot_be_built_is_named_and_left_out(measured):
    unbuilt = UnrollError("not measured, since not built: waves")
    found = measured(lambda workspace, _targets, added: leave(workspace, ["evaluate@sine"], added), error=unbuilt)
    assert found["tolerances"].keys() == {"sine"}


def test_a_stopped_build_is_gone_on_with_and_other_code_or_a_target_without_a_metric_is_refused(measured):
    def stopped(*_):
        raise StoppedError("stopped")

    assert measured(stopped, error=StoppedError("stopped")) is None
    assert (measured.root / ".verify/measure-up/workspace").exists(), "`checkout.make` keeps what is not finished"
    other = UnrollError(r"other pipeline/metrics\.py; `unroll repro`")
    assert measured(lambda *build: leave(*build, code="second"), error=other) is None
    assert measured(leave, ["prepare@sine"], UsageError("prepare@sine: no metric comes of that")) is None
