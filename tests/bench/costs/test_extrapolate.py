import pytest

from bench.costs import extrapolate
from bench.costs.cpu_accounts import Cost
from pipeline.config import params, plain_yaml
from pipeline.data import dataset
from pipeline.data.dataset import Description, Scale
from pipeline.files import write_json
from pipeline.workspace import Workspace


def description(train, test):
    """The facts of a data set of which nothing is scored after an epoch."""
    nothing = {"splits": {}, "vocabulary": 0, "calendar": 0, "groups": [], "scored": [], "period": 0, "floors": {}}
    named = {"name": "d", "kind": "forecast", "metric": "mae", "stand_in": True, "facts": {}, "scale": Scale()}
    nothing |= {"each_step": False, "rollout": False}
    return Description(**nothing, **named, examples={"train": train, "test": test})


def workspace(folder, seeds, epochs, examples):
    """With a network and an experiment by hand on data set d."""
    made = Workspace(folder)
    network = {"dataset": "d", "model": {"family": "dense", "name": "mlp"}, "training": {"method": "gradient_descent"}}
    by_hand = network | {"seeds": seeds, "training": {"method": "by_hand", "epochs": epochs}}
    usual = {"method": "gradient_descent", "epochs": epochs, "batch_size": 128}
    one = {"source": "s", "preparation": {"name": "waves"}, "seeds": seeds, "training": usual}
    plain = {
        "sources": {"s": {"kind": "waves"}},
        "datasets": {"d": one},
        "experiments": {"a": network, "b": by_hand},
    }
    plain_yaml.write(plain, made.params)
    write_json(made.prepared("d") / "dataset.json", description(*examples).model_dump())
    return made


SPENT = {
    "train a": Cost({"train": 1.0, "compile": 3.0, "MLflow": 0.5}, {"train": 0.25, "evaluate": 0.001}),
    "train b": Cost({"train": 0.75, "other imports": 0.5}),
    "evaluate d": Cost({"evaluate": 0.02, "reading and writing": 0.1}),
    **{stage: Cost({"reading and writing": 0.1}) for stage in ("source s", "prepare d", "report")},
    "train elsewhere": Cost({"train": 7.0}),
    "": Cost({"DVC": 7.0, "import TensorFlow": 2.0}),
}


@pytest.fixture
def both(tmp_path):
    """The real workspace and the demo."""
    return workspace(tmp_path / "real", [0, 1, 2], 50, (1000, 200)), workspace(tmp_path / "demo", [0], 5, (100, 20))


def test_a_full_build_is_counted_from_the_demos_rates(both):
    real, demo = both
    found = extrapolate.estimate(real, demo, SPENT, {})
    assert (found["datasets"], found["experiments"], found["stages"]) == (["d"], 2, 6)
    # 8 batches of 128 cover 1,000 examples; nothing is scored after an epoch, all is predicted once at the end.
    assert found["phases"] == pytest.approx(
        {
            "train": 0.25 * 8 * 50 * 3 + 0.75 * 10 * 10 * 3,
            "evaluate": 0.001 * 3 * 1200 + 0.02 * 10 * 3,
            "compile": 3.0,
            "import TensorFlow": 2.0,
            "other imports": 0.5,
            "reading and writing": 0.4,
            "MLflow": 0.5,
            "DVC": 7.0 * 6 / 7,
        }
    )
    wanted, scaled = (params.load(each.params).experiment("a") for each in (real, demo))
    drawn = wanted.model_dump()
    drawn["training"]["steps_per_epoch"] = 500
    facts = dataset.describe(real.prepared("d"))
    phases = extrapolate.training(SPENT["train a"], params.Experiment.model_validate(drawn), scaled, facts, facts)
    assert phases["train"] == 0.25 * 500 * 150


@pytest.mark.parametrize(("limit", "named", "seeds"), [(300, {"a"}, (5, 3)), (50, {"a"}, (3, 3)), (300, {}, (3, 3))])
def test_with_the_seeds_of_the_evidence_a_build_is_that_much_longer(both, monkeypatch, limit, named, seeds):
    monkeypatch.setattr(extrapolate, "LIMIT", limit)
    found = extrapolate.estimate(*both, SPENT, named)["evidence"]
    each = {"a": 0.25 * 8 * 50 + 0.001 * 1200, "b": 0.75 * 10 * 10}
    assert found["networks"]["a"] == pytest.approx([each["a"] + 3.5, each["a"]])
    assert sum(int(seeds) * count for seeds, count in found["seeds"].items()) == sum(seeds)
    work = seeds[0] * each["a"] + seeds[1] * each["b"] + 0.02 * 10 * sum(seeds) / 2
    assert found["cpu"] == pytest.approx(work + 3.5 + 0.5 + 0.4 + 2 + 6)
    assert found["minutes"][0] == pytest.approx(found["cpu"] / 60)
    assert found["minutes"][1] >= found["longest"][1] / 60
    assert found["longest"][0] == ("train a" if seeds[0] == 5 or each["a"] > each["b"] else "train b")


def test_sine_waves_and_imdb_have_seeds_of_their_own():
    assert extrapolate.SEEDS == {"sine": 20, "waves": 5, "imdb": 5}


def test_stages_fill_the_cores_longest_first():
    assert extrapolate.elapsed([1, 1, 2, 2, 3, 3], 1) == 12
    assert extrapolate.elapsed([1, 1, 2, 2, 3, 3], 2) == 6
    assert extrapolate.elapsed([1, 9], 4) == 9
