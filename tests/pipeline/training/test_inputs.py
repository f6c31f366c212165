from dataclasses import asdict, replace
from itertools import product

import numpy as np
import pytest

from pipeline.config.params import Experiment
from pipeline.data.examples import Arrays
from pipeline.data.problem import Problem, problem
from pipeline.errors import UsageError
from pipeline.models import SPANS
from pipeline.models.baselines import lags
from pipeline.training.inputs import rows
from pipeline.training.recipe import recipe

DENSE = {
    "dataset": "station",
    "seeds": [0],
    "standardise": True,
    "model": {"family": "dense", "name": "mlp", "hidden": []},
    "training": {
        "method": "keras",
        "optimizer": "adam",
        "loss": "mse",
        "epochs": 1,
        "batch_size": 32,
    },
}


def test_each_row_has_the_change_of_the_target_and_its_differences_to_short_means():
    about = Problem((30, 3), target=1, calendar=1)
    windows = np.random.default_rng(0).normal(size=(4, 30, 3))
    seen = rows(about, last=5, changes=True)(windows)
    assert seen.shape == (4, 5, 3 + 1 + len(SPANS))
    np.testing.assert_array_equal(seen[:, :, :2], windows[:, -5:, :2])
    np.testing.assert_array_equal(seen[:, :, -1], windows[:, -5:, 2])
    target = windows[:, :, 1]
    np.testing.assert_allclose(seen[:, :, 2], np.diff(target, axis=1)[:, -5:])
    for number, span in enumerate(SPANS):
        for row in range(25, 30):
            mean = target[:, row - span + 1 : row + 1].mean(axis=1)
            expected = target[:, row] - mean
            np.testing.assert_allclose(seen[:, row - 25, 3 + number], expected)


def test_rows_and_features_have_the_differences_to_the_extremes_of_latest_timesteps():
    about = Problem((30, 4), target=1, calendar=1)
    windows = np.random.default_rng(0).normal(size=(5, 30, 4))
    seen = rows(about, last=6, extremes=True)(windows)
    assert seen.shape == (5, 6, 4 + 2)
    np.testing.assert_array_equal(seen[:, :, [0, 1, 2, 5]], windows[:, -6:])
    for row in range(24, 30):
        day = windows[:, max(row - 23, 0) : row + 1]
        now = windows[:, row, 1]
        of_row = seen[:, row - 24]
        np.testing.assert_array_equal(of_row[:, 3], now - day[:, :, 1].min(axis=1))
        np.testing.assert_array_equal(of_row[:, 4], now - day[:, :, 1].max(axis=1))
    features = lags(about, last=1, extremes=True).features(windows)
    day = windows[:, -24:, :3]
    latest = windows[:, -1, :3]
    expected = [latest - day.min(axis=1), latest - day.max(axis=1)]
    np.testing.assert_array_equal(features[:, -6:], np.concatenate(expected, axis=1))


def test_timesteps_before_the_window_do_not_count():
    makes = rows(Problem((4, 1)), changes=True, extremes=True)
    first = makes(np.arange(4.0).reshape(1, 4, 1))[0, 0]
    np.testing.assert_array_equal(first, np.zeros(1 + 1 + len(SPANS) + 2))


def test_a_network_of_zeros_that_learns_the_residual_predicts_the_last_value(
    station, tmp_path
):
    about = {"rows": {"last": 4, "changes": True}, "residual": True}
    chosen = recipe("guess", Experiment.model_validate(DENSE | about))
    job = chosen.job(station)
    trained = chosen.train(job)
    test = station.splits["test"]
    inputs, targets = test.take(np.arange(len(test)))
    latest = inputs[:, -1, test.target]
    np.testing.assert_allclose(job.dataset.splits["test"].targets, targets - latest)
    # What the network adds to the last value is small after one epoch, and not 0.
    predicted = trained.replicates[0].predictions["best_test"]
    assert 0 < np.abs(predicted - latest).max() < np.abs(predicted).max()
    trained.save(trained.replicates[0].weights["best"], tmp_path / "weights")
    loaded = chosen.load(asdict(problem(station)), tmp_path / "weights")
    np.testing.assert_allclose(loaded(inputs)[:, 0], predicted, atol=1e-5)


GRU = {"family": "recurrent", "name": "gru", "units": 3}
TCN = {"family": "feedforward", "name": "tcn", "filters": 4, "layers": 2}


@pytest.mark.parametrize(
    "view",
    [
        {"features": {"extremes": True}},
        {"rows": {"last": 4, "extremes": True}, "model": GRU},
        {"rows": {"last": 4}, "model": TCN},
    ],
    ids=["mlp", "gru", "tcn"],
)
def test_extra_targets_are_changes_of_all_columns_and_only_train_has_them(
    station, tmp_path, view
):
    about = {"residual": True, **view}
    about["training"] = DENSE["training"] | {"extra_targets": True}
    chosen = recipe("guess", Experiment.model_validate(DENSE | about))
    job = chosen.job(station)
    train = station.splits["train"]
    targets = job.dataset.splits["train"].targets
    own = train.targets - train.series[train.rows - 2, 1]
    np.testing.assert_allclose(targets[:, -1], own, rtol=1e-5, atol=1e-6)
    # No target lies behind the last of train, which the validation split may have.
    last = train.rows.max() + 3
    for place, (hours, column) in enumerate(product((-6, 0, 6), range(3))):
        rows_ahead = np.minimum(train.rows + 3 + hours, last)
        changes = train.series[rows_ahead] - train.series[train.rows - 2]
        change = changes[:, column].astype(float)
        scaled = (change - change.mean()) / change.std() * own.std() + own.mean()
        np.testing.assert_allclose(targets[:, place], scaled, rtol=1e-3, atol=1e-5)
    trained = chosen.train(job)
    assert trained.layers[-1]["output"] == [None, 10]
    (replicate,) = trained.replicates
    test = station.splits["test"]
    predicted = replicate.predictions["best_test"]
    assert predicted.shape == test.targets.shape == (55,)
    trained.save(replicate.weights["best"], tmp_path / "weights")
    loaded = chosen.load(asdict(problem(station)), tmp_path / "weights")
    inputs, _ = test.take(np.arange(55))
    np.testing.assert_allclose(loaded(inputs)[:, 0], predicted, atol=1e-5)


def test_extra_targets_need_windows_of_one_target_over_a_series(station):
    about = {"training": DENSE["training"] | {"extra_targets": True}}
    chosen = recipe("guess", Experiment.model_validate(DENSE | about))
    windows = {
        name: Arrays(*cut.take(np.arange(9))) for name, cut in station.splits.items()
    }
    vectors = {
        name: Arrays(cut.inputs[:, 0], cut.targets) for name, cut in windows.items()
    }
    for splits, message in (
        (windows, "training.extra_targets needs windows over a series"),
        (vectors, "guess.training.extra_targets: windows of values with one forecast"),
    ):
        with pytest.raises(UsageError, match=message):
            chosen.job(replace(station, splits=splits))


@pytest.mark.parametrize(
    "training",
    [
        {"method": "boosting", "trees": 1, "learning_rate": 0.001},
        {"method": "kernel_ridge", "alpha": 1e6},
    ],
)
def test_trees_and_kernels_that_learn_little_of_the_residual_predict_the_last_value(
    station, tmp_path, training
):
    model = {"family": "baselines", "name": "lags", "last": 4}
    about = {"dataset": "station", "model": model, "training": training}
    predicted = {}
    for residual in (False, True):
        section = Experiment.model_validate(about | {"residual": residual})
        chosen = recipe("guess", section)
        trained = chosen.train(chosen.job(station))
        (replicate,) = trained.replicates
        predicted[residual] = replicate.predictions["final_test"]
    test = station.splits["test"]
    inputs, _ = test.take(np.arange(len(test)))
    latest = inputs[:, -1, test.target]
    assert np.ptp(predicted[True] - latest) < 0.01 < np.ptp(predicted[False] - latest)
    trained.save(replicate.weights["final"], tmp_path / "weights")
    loaded = chosen.load(asdict(problem(station)), tmp_path / "weights")
    np.testing.assert_array_equal(loaded(inputs), predicted[True])


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"rows": {"last": 1000}}, r"guess.rows: `last` must be at most"),
        ({"rows": {}, "features": {}}, "features and rows exclude each other"),
        (
            {"residual": True, "model": {"family": "baselines", "name": "last_value"}},
            "guess.residual is for networks",
        ),
    ],
)
def test_what_does_not_fit_is_named(station, option, message):
    training = {"training": {"method": "none"}}
    with pytest.raises(UsageError, match=message):
        recipe("guess", Experiment.model_validate(DENSE | training | option)).job(
            station
        )
