import json
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import accounts, costs, full_build, metering
from bench.accounts import Cost, PHASES
from pipeline.config import params
from pipeline.config import plain_yaml
from stages.workspaces import scaling
from pipeline.files import write_json
from pipeline.workspace import Workspace

ROOT = Path(__file__).parents[2]

SECONDS = st.floats(0, 1e3)


@given(
    st.floats(1e-6, 1e3),
    st.dictionaries(st.text(max_size=3), st.tuples(st.integers(1, 10**6), SECONDS), min_size=1, max_size=5),
    st.integers(1, 4),
)
def test_compiling_is_what_the_first_calls_take_longer(rate, shapes, repeats):
    calls = [(key, size, rate * size + extra) for key, (size, extra) in shapes.items()]
    calls += [(key, size, rate * size) for key, (size, _) in shapes.items()] * repeats
    compiling, found = accounts.split(calls)
    assert found == pytest.approx(rate)
    assert compiling == pytest.approx(sum(extra for _, extra in shapes.values()), rel=1e-6, abs=1e-3 * rate)


def test_a_single_call_counts_as_compiling():
    assert accounts.split([("a", 10, 2.0)]) == (2.0, 0.0)
    assert accounts.split([]) == (0.0, 0.0)


def test_accounts_are_added_up_by_stage_and_lose_nothing(tmp_path):
    calls = [["epoch", "(5, 8)", 5, 3.0], ["epoch", "(5, 8)", 5, 1.0], ["record", "", 1, 0.2], ["record", "", 1, 0.1]]
    spent = {"outside": 0.5, "stage": 0.25, "epoch": 4.0, "record": 0.3, "import MLflow": 1.5}
    trained = [
        {"dvc": False, "stage": "", "spent": {"outside": 0.125}, "calls": [], "peak": 50},
        {"dvc": False, "stage": "train a", "spent": spent, "calls": calls, "peak": 700.5},
        {"dvc": False, "stage": "", "spent": {}, "calls": [], "peak": 700.5},
    ]
    built = [{"dvc": True, "stage": "", "spent": {"outside": 8.0, "DVC": 1.0}, "calls": [], "peak": 90}]
    for name, lines in (("1", trained), ("2", built)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = accounts.read(tmp_path)
    train = found["train a"]
    assert train.phases == {
        "start and end of processes": 0.625,
        "reading and writing": 0.25,
        "train": 2.0,
        "compile": 2.0,
        "MLflow": 0.3,
        "import MLflow": 1.5,
    }
    assert (train.rates, train.recorded, train.peak) == ({"train": 0.2}, 0.1, 700.5)
    assert found[""].phases == {"DVC": 9.0}
    accounts.close(found, cpu=20.0)
    assert sum(accounts.total(found).values()) == pytest.approx(20.0)


def test_a_full_build_is_counted_from_the_demos_rates(tmp_path):
    real, demo = Workspace(tmp_path / "real"), Workspace(tmp_path / "demo")
    write_json(real.prepared("d") / "dataset.json", facts := {"examples": {"train": 1000, "test": 200}, "scored": []})
    write_json(demo.prepared("d") / "dataset.json", {"examples": {"train": 100, "test": 20}, "scored": []})
    model = {"dataset": "d", "seeds": [0, 1, 2], "training": {"method": "compiled", "epochs": 50, "batch_size": 128}}
    plain = {
        "sources": {"s": {}, "far": {}},
        "datasets": {"d": {"source": "s"}, "absent": {"source": "far"}},
        "experiments": {"a": model, "b": model | {"training": {"method": "by_hand", "epochs": 50}}},
    }
    small = json.loads(json.dumps(plain))
    for one in small["experiments"].values():
        one["seeds"], one["training"]["epochs"] = [0], 5
    spent = {
        "train a": Cost({"train": 1.0, "compile": 3.0, "MLflow": 0.5}, {"train": 0.25, "evaluate": 0.001}),
        "train b": Cost({"train": 0.75, "other imports": 0.5}),
        "evaluate d": Cost({"evaluate": 0.02, "reading and writing": 0.1}),
        "evaluate absent": Cost({"evaluate": 7.0}),
        **{stage: Cost({"reading and writing": 0.1}) for stage in ("source s", "prepare d", "report")},
        "": Cost({"DVC": 7.0}),
    }
    found = full_build.estimate(real, demo, plain, small, spent, write=0.01)
    assert found is not None
    assert (found["datasets"], found["left_out"], found["experiments"], found["stages"]) == (["d"], ["absent"], 2, 6)
    # 8 batches of 128 cover 1,000 examples; nothing is scored after an epoch, all is predicted once at the end.
    training = 0.25 * 8 * 50 * 3
    assert found["phases"] == pytest.approx({
        "train": training + 0.75 * 10 * 10 * 3,
        "evaluate": 0.001 * 3 * 1200 + 0.02 * 10,
        "compile": 3.0,
        "other imports": 0.5,
        "reading and writing": 0.4,
        "MLflow": 0.5 + 0.01 * (50 * 3 - 5) + 0.01 * (50 * 3 - 5),
        "DVC": 7.0 * 6 / 7,
    })
    draws = plain["experiments"]["a"] | {"training": model["training"] | {"steps_per_epoch": 500}}
    drawn = full_build.training(spent["train a"], draws, small["experiments"]["a"], facts, facts, 0.0)
    assert drawn["train"] == 0.25 * 500 * 150


def test_nothing_is_estimated_where_nothing_is_prepared(tmp_path):
    plain = {"datasets": {"d": {"source": "s"}}, "experiments": {}}
    assert full_build.estimate(Workspace(tmp_path), Workspace(tmp_path), plain, plain, {}, 0.0) is None


def test_the_miniature_has_each_method_once_and_all_that_it_needs(tmp_path):
    small = costs.one_of_each(scaling.scale(plain_yaml.read(ROOT / "params.yaml")))
    workspace = costs.make_workspace(tmp_path / "made", small)
    loaded = params.load(workspace.params)
    methods = [one.training.method for one in loaded.experiments.values()]
    assert sorted(methods) == ["by_hand", "compiled", "least_squares", "logistic_regression", "none"]


def test_the_probe_tells_the_stages_of_a_real_build_apart(tmp_path):
    plain = {
        "sources": {"waves": {"kind": "waves", "train": 60, "validation": 30, "test": 30}},
        "datasets": {"waves": {"source": "waves", "preparation": {"name": "waves"}}},
        "experiments": {
            "linear": {
                "dataset": "waves",
                "seeds": [0],
                "model": {"family": "baselines", "name": "linear"},
                "training": {"method": "least_squares"},
            }
        },
    }
    workspace = costs.make_workspace(tmp_path / "made", plain)
    used = sum(
        costs.run(workspace, "-m", "stages", verb, name)["cpu"]
        for verb, name in (("source", "waves"), ("prepare", "waves"), ("train", "linear"))
    )
    found = accounts.read(workspace.scratch / costs.ACCOUNTS)
    assert set(found) == {"source waves", "prepare waves", "train linear"}
    assert found["train linear"].phases["import MLflow"] > found["train linear"].phases["train"] > 0
    assert all(10 < cost.peak < 2000 for cost in found.values())
    assert 0.5 * used < sum(accounts.total(found).values()) <= used
    kinds = costs.memory(found, plain["experiments"])
    assert {kind: one["stage"] for kind, one in kinds.items()} == {
        "source": "source waves",
        "prepare": "prepare waves",
        "train, least_squares": "train linear",
    }


def test_a_forked_process_has_an_account_of_its_own_even_if_it_ends_at_once(tmp_path):
    work = "sum(range(10**7))"
    code = f"import os\n{work}\nif os.fork():\n    os.wait()\nelse:\n    {work}\n    {work}\n    os._exit(0)"
    environment = {"PYTHONPATH": str(costs.PROBE), "UNROLL_BENCH_ACCOUNTS": str(tmp_path)}
    used = metering.run([sys.executable, "-c", code], tmp_path, environment)["cpu"]
    less, more = sorted(
        sum(sum(json.loads(line)["spent"].values()) for line in file.read_text().splitlines())
        for file in tmp_path.glob("*.jsonl")
    )
    assert less < more
    assert 0.8 * used < less + more <= used


def test_a_stage_that_fails_is_told_by_its_own_line(tmp_path):
    workspace = costs.make_workspace(tmp_path / "made", {"sources": {}, "datasets": {}, "experiments": {}})
    with pytest.raises(metering.CommandFailedError, match="ended with status 2: unroll: .*nothing"):
        costs.run(workspace, "-m", "stages", "train", "nothing")


@pytest.fixture
def result():
    def phases(scale):
        return {phase: scale * (place + 1.25) for place, phase in enumerate(PHASES)}

    def build(scale):
        return {"seconds": 60.5 * scale, "cpu": 70.25 * scale, "phases": phases(scale)}

    found = {
        "stages": 23,
        "builds": {command: build(scale) for command, scale in zip(costs.BUILDS, (3, 2, 1.5), strict=True)},
        "same_lock": True,
        "no_op": {command: {"seconds": 2.5, "cpu": 1.75} for command in costs.BUILDS},
        "memory": {
            "prepare": {"stage": "prepare jena", "peak": 395.4},
            "train, none": {"stage": "train a", "peak": 81.0},
        },
        "full": {"datasets": ["imdb"], "left_out": ["jena"], "experiments": 8, "stages": 12, "write": 0.0123},
        "checked": {"imdb_lstm": {"demo": 0.0301, "real": 0.0312}},
    }
    found["full"]["phases"] = phases(40)
    return found


def test_every_figure_of_the_section_is_in_the_result(result):
    text = costs.section(result)
    known = {"23", "8", "12", "2", "1", "2.5", "1.8", "1.75", "395", "81", "30.10", "31.20", "12.3"}
    for cost in result["builds"].values():
        known |= {f"{cost['seconds']:.1f}", f"{cost['cpu']:.1f}", f"{181.5 / cost['seconds']:.2f}"}
    for phases in [*(cost["phases"] for cost in result["builds"].values()), result["full"]["phases"]]:
        groups = [[phase] for phase in PHASES] + [list(PHASES[2:])]
        for group in groups:
            seconds = sum(phases[phase] for phase in group)
            known |= {f"{seconds:.1f}", f"{100 * seconds / sum(phases.values()):.1f}"}
    figures = re.findall(r"\d+(?:\.\d+)?", text)
    assert len(figures) > 90
    assert set(figures) <= known


def test_a_lock_that_differs_is_said_aloud(result):
    assert "held the same bytes" in costs.section(result)
    assert "held NOT the same bytes" in costs.section(result | {"same_lock": False})


def test_what_could_not_be_measured_is_left_out(result):
    text = costs.section(result | {"full": None, "checked": {}})
    assert "estimated" not in text
    assert "real data" not in text


def test_section_and_plot_survive_json_and_are_deterministic(result):
    again = json.loads(json.dumps(result))
    assert costs.section(again) == costs.section(result)
    assert costs.plot(again) == costs.plot(result)
    assert "prefers-color-scheme: dark" in costs.plot(result)
