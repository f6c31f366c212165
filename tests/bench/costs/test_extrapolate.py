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
    nothing = {"splits": {}, "vocabulary": 0, "groups": [], "scored": [], "period": 0, "rollout": False, "floors": {}}
    named = {"name": "d", "kind": "forecast", "metric": "mae", "stand_in": True, "facts": {}, "scale": Scale()}
    return Description(**nothing, **named, examples={"train": train, "test": test})


def workspace(folder, seeds, epochs, examples):
    """With data set d, and `absent`, which is not prepared."""
    made = Workspace(folder)
    network = {"dataset": "d", "model": {"family": "dense", "name": "mlp"}, "training": {"method": "gradient_descent"}}
    by_hand = network | {"seeds": seeds, "training": {"method": "by_hand", "epochs": epochs}}
    usual = {"method": "gradient_descent", "epochs": epochs, "batch_size": 128}
    one = {"source": "s", "preparation": {"name": "waves"}, "seeds": seeds, "training": usual}
    plain = {
        "sources": {"s": {"kind": "waves"}, "far": {"kind": "jena"}},
        "datasets": {"d": one, "absent": one | {"source": "far"}},
        "experiments": {"a": network, "b": by_hand},
    }
    plain_yaml.write(plain, made.params)
    write_json(made.prepared("d") / "dataset.json", description(*examples).model_dump())
    return made


def test_a_full_build_is_counted_from_the_demos_rates(tmp_path):
    real = workspace(tmp_path / "real", [0, 1, 2], 50, (1000, 200))
    demo = workspace(tmp_path / "demo", [0], 5, (100, 20))
    spent = {
        "train a": Cost({"train": 1.0, "compile": 3.0, "MLflow": 0.5}, {"train": 0.25, "evaluate": 0.001}),
        "train b": Cost({"train": 0.75, "other imports": 0.5}),
        "evaluate d": Cost({"evaluate": 0.02, "reading and writing": 0.1}),
        "evaluate absent": Cost({"evaluate": 7.0}),
        **{stage: Cost({"reading and writing": 0.1}) for stage in ("source s", "prepare d", "report")},
        "": Cost({"DVC": 7.0, "import TensorFlow": 2.0}),
    }
    found = extrapolate.estimate(real, demo, spent)
    assert (found["datasets"], found["left_out"], found["experiments"], found["stages"]) == (["d"], ["absent"], 2, 6)
    # 8 batches of 128 cover 1,000 examples; nothing is scored after an epoch, all is predicted once at the end.
    assert found["phases"] == pytest.approx(
        {
            "train": 0.25 * 8 * 50 * 3 + 0.75 * 10 * 10 * 3,
            "evaluate": 0.001 * 3 * 1200 + 0.02 * 10,
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
    phases = extrapolate.training(spent["train a"], params.Experiment.model_validate(drawn), scaled, facts, facts)
    assert phases["train"] == 0.25 * 500 * 150


def test_nothing_is_estimated_where_nothing_is_prepared(tmp_path):
    demo = workspace(tmp_path / "demo", [0], 5, (100, 20))
    real = Workspace(tmp_path / "real")
    plain_yaml.write(plain_yaml.read(demo.params), real.params)
    assert extrapolate.estimate(real, demo, {}) is None
