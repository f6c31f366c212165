import subprocess
import sys
from dataclasses import asdict, replace

import numpy as np
import pytest

from pipeline.config.params import Experiment
from pipeline.data.problem import problem
from pipeline.errors import UnrollError, UsageError
from pipeline.models import baselines
from pipeline.training.methods import least_squares
from pipeline.training.recipe import recipe
from tests.support import REPOSITORY

LINEAR = {"family": "baselines", "name": "linear", "last": 3}
SECTION = {
    "dataset": "waves",
    "seeds": [3, 5],
    "model": LINEAR,
    "training": {"method": "least_squares"},
}


def experiment(**changes):
    return Experiment.model_validate(SECTION | changes)


def test_names_become_functions_and_options_are_filled_in(sine_windows):
    linear = recipe("guess", experiment())
    assert (linear.build.func, linear.build.keywords) == (
        baselines.linear,
        {"last": 3, "intercept": True},
    )
    assert (linear.method.func, linear.method.keywords) == (
        least_squares.train,
        {"ridge": 0.0},
    )
    assert [
        replicate.seed
        for replicate in linear.train(linear.job(sine_windows)).replicates
    ] == [3, 5]
    gru = recipe(
        "guess",
        experiment(
            model={"family": "recurrent", "name": "gru"}, training={"method": "none"}
        ),
    )
    assert gru.network
    assert not linear.network


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"model": LINEAR | {"family": "baseline"}},
            "model.family must be one of: baselines, dense",
        ),
        (
            {"model": LINEAR | {"name": "liner"}},
            "model.name must be one of 13 names",
        ),
        (
            {"training": {"method": "least_squares", "epochs": 1}},
            "training.epochs is not known here. Valid: ridge",
        ),
        (
            {"model": {"family": "dense", "name": "mlp"}},
            "training.method: least_squares is for .* the kind features",
        ),
    ],
)
def test_a_wrong_name_or_option_is_named_with_its_place(changes, message):
    with pytest.raises(
        UsageError, match=f"^params.yaml: experiments.waves.guess.{message}"
    ):
        recipe("guess", experiment(**changes))


def test_an_option_that_does_not_fit_the_data_set_is_a_mistake_in_params(sine_windows):
    linear = recipe("guess", experiment(model=LINEAR | {"last": 6}))
    line = "^params.yaml: experiments.waves.guess: `last` must be at most 5 timesteps. Received: 6$"
    with pytest.raises(UsageError, match=line):
        linear.train(linear.job(sine_windows))


def test_missing_weights_of_a_network_name_the_command_that_makes_them(waves, tmp_path):
    network = {"family": "dense", "name": "mlp", "hidden": [2]}
    known = recipe("guess", experiment(model=network, training={"method": "none"}))
    with pytest.raises(
        UnrollError, match=r"is missing .*; run `unroll train waves guess`$"
    ):
        known.load(asdict(problem(waves)), tmp_path / "seed_0_final")


def test_a_network_with_features_sees_what_boosting_sees_of_a_window_whose_one_column_is_forecast(
    station,
):
    options = {"last": 4, "others": 2, "differences": True, "means": [3]}
    network = {
        "model": {"family": "dense", "name": "mlp", "hidden": [2]},
        "training": {"method": "none"},
    }
    job = recipe("guess", experiment(features=options, **network)).job(station)
    test = station.splits["test"]
    expected = baselines.MODELS["lags"](problem(station), **options).features(
        test.take(np.arange(len(test)))[0]
    )
    np.testing.assert_array_equal(
        job.dataset.splits["test"].inputs, expected.astype(np.float32)
    )
    np.testing.assert_array_equal(job.dataset.splits["test"].targets, test.targets)
    assert job.build().input_shape == (None, expected.shape[1])
    with pytest.raises(UsageError, match="guess.features: `last` must be at most"):
        recipe("guess", experiment(features={"last": 1000}, **network)).job(station)
    every_column = {
        split: replace(windows, every=True) for split, windows in station.splits.items()
    }
    with pytest.raises(
        UsageError,
        match="guess.features: windows of values with one forecast column are needed",
    ):
        recipe("guess", experiment(features={}, **network)).job(
            replace(station, splits=every_column)
        )


EVERY_STEP = {
    "method": "keras",
    "optimizer": "adam",
    "loss": "mse",
    "epochs": 1,
    "batch_size": 45,
    "every_step": True,
}


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize(
    "model",
    [
        {"family": "recurrent", "name": "gru", "units": 3},
        {"family": "dense", "name": "mlp", "hidden": [4]},
        {"family": "feedforward", "name": "tcn", "filters": 4, "layers": 2},
        {"family": "feedforward", "name": "transformer", "heads": 1, "layers": 1},
        {"family": "feedforward", "name": "adaptive_filter", "powers": 3, "hidden": 4},
    ],
    ids=lambda model: model["name"],
)
def test_a_network_trained_at_every_step_predicts_the_target_and_is_read_back(
    model, waves, tmp_path
):
    standardise = model["name"] == "mlp"
    known = recipe(
        "guess",
        experiment(
            model=model, training=EVERY_STEP, seeds=[3], standardise=standardise
        ),
    )
    trained = known.train(known.job(waves))
    (replicate,) = trained.replicates
    predictions = replicate.predictions["best_test"]
    assert predictions.shape == (21,)
    trained.save(replicate.weights["best"], tmp_path / "seed_3_best")
    predict = known.load(asdict(problem(waves)), tmp_path / "seed_3_best")
    inputs = waves.splits["test"].inputs.astype(np.float32)
    assert predict(inputs).shape == (21, 1)
    np.testing.assert_allclose(predict(inputs)[:, 0], predictions, rtol=1e-4, atol=1e-6)
    assert list(replicate.history[0]) == [
        "train_loss",
        "validation_loss",
        "validation_mse",
        "test_loss",
        "test_mse",
    ]
    if (
        model["name"] == "gru"
    ):  # so the page's script, which knows plain GRUs, can run it
        plain = replace(known, every_step=False)
        usual = plain.load(asdict(problem(waves)), tmp_path / "seed_3_best")
        np.testing.assert_allclose(usual(inputs), predict(inputs), rtol=1e-5)


def test_every_step_needs_the_next_value_of_one_column(
    waves, sine_windows, station, reviews, shape
):
    gru = {"family": "recurrent", "name": "gru", "units": 2}
    known = recipe("guess", experiment(model=gru, training=EVERY_STEP))
    for data in (waves, sine_windows):
        assert known.job(data).build().output_shape == (None, *data.input_shape)
    later = {
        split: replace(windows, delay=1, rows=windows.rows[:-1])
        for split, windows in sine_windows.splits.items()
    }
    others = [
        replace(sine_windows, splits=later),
        station,
        reviews,
        shape("sequence_to_sequence"),
        shape("sequence_to_vector"),
        shape("vector_to_sequence"),
    ]
    line = (
        "^params.yaml: experiments.waves.guess.training.every_step: the target must be "
        "the next value of an input of one column"
    )
    for data in others:
        with pytest.raises(UsageError, match=line):
            known.job(data)
    for option in ({"features": {}}, {"rows": {"last": 5}}, {"residual": True}):
        other = recipe("guess", experiment(model=gru, training=EVERY_STEP, **option))
        with pytest.raises(UsageError, match=line):
            other.job(waves)


def test_every_experiment_of_the_four_documents_has_a_recipe_and_none_needs_tensorflow():
    code = """
import sys
from dataclasses import replace
from pathlib import Path
from pipeline.config import params
from pipeline.training.recipe import recipe
for name, section in params.load_all(Path("params.yaml")).runs.items():
    known = recipe(name.partition("/")[2], section)
    assert section.model.options.items() <= known.build.keywords.items()
    assert section.training.options.items() <= known.method.keywords.items()
heavy = {"tensorflow", "keras", "mlflow", "pandas", "sklearn", "scipy"} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=REPOSITORY)
