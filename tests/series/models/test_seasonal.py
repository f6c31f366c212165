"""What seasonal models see of a window, and what trees say of all values ahead."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

from pipeline.data.dataset import Dataset
from pipeline.data.examples import Arrays, Windows
from pipeline.data.problem import Problem
from pipeline.training.methods import boosting, least_squares
from series.models import seasonal, statistical
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


@pytest.mark.parametrize("options", [{"known": 1}, OWN, OWN | {"base": "cycle"}])
def test_trees_of_all_values_ahead_are_those_of_a_library(options):
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
        training, trees=30, leaves=4, learning_rate=0.3, examples=5
    )
    features, base = model.features(inputs)
    measured = ~np.isnan(masked)
    errors = boosting._untied(masked - base).astype(np.float64)
    library = HistGradientBoostingRegressor(
        loss="absolute_error",
        max_iter=30,
        max_leaf_nodes=4,
        min_samples_leaf=5,
        early_stopping=False,
        random_state=0,
        learning_rate=0.3,
    ).fit(features[measured], errors[measured])
    corrections = [library.predict(features[:, step]) for step in range(HORIZON)]
    expected = base + np.column_stack(corrections)
    (replicate,) = trained.replicates
    predictions = replicate.predictions["final_test"]
    assert predictions == pytest.approx(expected, abs=1e-6)
    if "known" in options:
        assert np.abs(predictions - targets).mean() < 0.3


@pytest.mark.parametrize(("cycle", "timesteps"), [(0, 2), (5, 12), (7, 14)])
def test_statistical_models_of_few_values_give_numbers(cycle, timesteps):
    window = np.random.default_rng(0).normal(size=(1, timesteps, 1))
    short = Problem((timesteps, 1), outputs=HORIZON)
    models = [
        statistical.ets(short, cycle=cycle, trend=trend) for trend in (True, False)
    ]
    for model in (*models, statistical.mstl(short, cycles=[max(2, cycle)])):
        assert np.isfinite(model.features(window)).all()
