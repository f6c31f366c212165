"""What seasonal models see of a window, and that trees as arrays say what
scikit-learn's say."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

from pipeline.data.dataset import Dataset
from pipeline.data.examples import Arrays, Windows
from pipeline.data.problem import Problem
from pipeline.data.series import calendar
from pipeline.models import seasonal, statistical
from pipeline.training.methods import boosting, least_squares
from tests.support.training import job

DAY = 4
HORIZON = 3


def series(rows=240):
    """A target that repeats by the day, another column, and one that is known
    beforehand."""
    time = np.arange(rows)
    plan = np.random.default_rng(0).integers(0, 2, rows + HORIZON)
    load = np.sin(2 * np.pi * time / DAY) + plan[:rows]
    return np.column_stack([load, time % 7, plan[HORIZON:]]).astype(np.float32)


def data(model, **options):
    windows = Windows(
        series(),
        np.arange(40, 237),
        lookback=12,
        step=1,
        delay=0,
        target=0,
        outputs=HORIZON,
    )
    split = {"train": windows, "test": windows}
    dataset = Dataset(
        name="x", kind="forecast", metric="mae", splits=split, period=DAY, scored=()
    )
    return job(dataset, seasonal.MODELS[model], **options)


def test_what_is_known_beforehand_is_seen_at_its_time():
    (replicate,) = least_squares.train(data("linear", known=1), ridge=1e-6).replicates
    assert replicate.predictions["final_test"] == pytest.approx(
        data("linear").dataset.splits["test"].targets, abs=1e-3
    )


@pytest.mark.parametrize(
    ("model", "options"), [("linear", {}), ("boosting", {"cycles": [DAY]})]
)
def test_without_the_season_the_time_of_the_year_changes_nothing(model, options):
    """The calendar's columns are sine and cosine of the day, the year and the week."""
    days = Problem((12, 7), outputs=HORIZON, period=DAY, calendar=6)
    inputs = np.random.default_rng(0).uniform(-1, 1, (2, 12, 7))
    other = inputs.copy()
    other[:, :, 3:5] = 0.5
    for season in (True, False):
        features = seasonal.MODELS[model](days, season=season, **options).features
        # [0]: the first window's of `linear`, and of `boosting` those of all beside
        # their base.
        assert np.array_equal(features(inputs)[0], features(other)[0]) is not season


OWN = {"own": True, "base": "zero"}


@pytest.mark.parametrize(
    ("strategy", "options"),
    [("direct", {"known": 1}), ("joint", OWN), ("recursive", OWN | {"base": "cycle"})],
)
def test_trees_as_arrays_predict_what_a_library_predicts_by_each_strategy(
    strategy, options
):
    """A third of the targets was not measured; of several values ahead each is left out
    by itself."""
    training = data("boosting", cycles=[DAY], **options)
    split = training.dataset.splits["train"]
    model = training.build()
    inputs, targets = split.take(np.arange(197))
    masked = np.where(
        np.random.default_rng(1).random(targets.shape) < 0.3, np.nan, targets
    ).astype(np.float32)
    splits = {"train": Arrays(inputs, masked), "test": split}
    training = replace(
        training, dataset=replace(training.dataset, splits=splits), build=lambda: model
    )
    trained = boosting.train(
        training, strategy=strategy, trees=30, leaves=4, learning_rate=0.3, examples=5
    )
    features, base = model.features(inputs)
    measured = ~np.isnan(masked)
    outputs = 1 if strategy == "recursive" else HORIZON
    errors = (masked - base).astype(np.float64)
    errors[:, :outputs] = boosting._untied((masked - base)[:, :outputs])

    def library(rows):
        """Of the rows (197, HORIZON) that are asked for."""
        options = {
            "loss": "absolute_error",
            "early_stopping": False,
            "random_state": 0,
            "learning_rate": 0.3,
        }
        trees = HistGradientBoostingRegressor(
            max_iter=30, max_leaf_nodes=4, min_samples_leaf=5, **options
        )
        return trees.fit(features[rows], errors[rows])

    steps = np.arange(HORIZON)
    if strategy == "recursive":
        trees = library(measured & (steps == 0))
        expected = np.empty((197, 0))
        for _ in steps:
            next_features, next_base = model.features(inputs, expected)
            expected = np.column_stack(
                [expected, next_base[:, 0] + trees.predict(next_features[:, 0])]
            )
    else:
        joint = [library(measured)] * HORIZON if strategy == "joint" else None
        by_step = joint or [library(measured & (steps == step)) for step in steps]
        expected = base + np.column_stack(
            [trees.predict(features[:, step]) for step, trees in enumerate(by_step)]
        )
    (replicate,) = trained.replicates
    predictions = replicate.predictions["final_test"]
    assert predictions == pytest.approx(expected, abs=1e-6)
    assert boosting.load(model, replicate.weights["final"], strategy)(
        inputs
    ) == pytest.approx(predictions, abs=1e-6)
    if "known" in options:
        assert np.abs(predictions - targets).mean() < 0.3


@pytest.mark.parametrize("base", ["mean", "cycle", "zero"])
def test_predictions_are_seen_as_if_they_had_been_measured(base):
    """So the next value ahead has the features that the first one of a window a
    timestep later has."""
    timestamps = np.datetime64("2024-02-26T00", "ms") + 24 // DAY * np.arange(
        240
    ) * np.timedelta64(1, "h")
    rows = np.column_stack(
        [series()[:, [0, 2]], calendar(timestamps, week=True)]
    ).astype(np.float32)
    # a timestep more would have a day more
    days = Problem((15, 8), outputs=HORIZON, period=DAY, calendar=6)
    model = seasonal.boosting(
        days, cycles=[DAY], known=1, own=True, base=base, recent=3, season=False
    )
    inputs = rows[None, 50:65]
    later = rows[None, 51:66]
    predicted = rows[None, 65, :1]
    features, level = model.features(inputs, predicted)
    expected, next_level = model.features(later, predicted[:, :0])
    np.testing.assert_allclose(features, expected, atol=2e-3)
    np.testing.assert_allclose(level, next_level)
    assert features.shape == (1, 1, model.features(inputs)[0].shape[2])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mstl", {"cycles": [DAY, 40]}),
        ("ets", {"cycle": DAY}),
        ("ets", {"cycle": DAY, "trend": False}),
    ],
)
def test_statistical_models_go_on_as_a_clear_cycle_does(name, options):
    forecast = statistical.MODELS[name](
        Problem((28, 1), outputs=HORIZON, period=DAY), **options
    ).features
    assert forecast(np.tile([1.0, 2.0, 5.0, 3.0], 7)[None, :, None])[
        0
    ] == pytest.approx([1, 2, 5], abs=0.1)
    assert forecast(np.full((1, 28, 1), 7.0))[0] == pytest.approx([7, 7, 7])


@pytest.mark.parametrize(("cycle", "timesteps"), [(0, 2), (5, 12), (7, 14)])
def test_statistical_models_of_few_values_give_numbers(cycle, timesteps):
    window = np.random.default_rng(0).normal(size=(1, timesteps, 1))
    short = Problem((timesteps, 1), outputs=HORIZON)
    models = [
        statistical.ets(short, cycle=cycle, trend=trend) for trend in (True, False)
    ]
    for model in (*models, statistical.mstl(short, cycles=[max(2, cycle)])):
        assert np.isfinite(model.features(window)).all()
