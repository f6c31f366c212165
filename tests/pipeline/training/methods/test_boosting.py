"""Boosting by the mean absolute error where many targets are the same, as sales of 0
are."""

from dataclasses import replace

import numpy as np

from pipeline.data.dataset import Dataset
from pipeline.data.examples import Windows
from pipeline.training.methods import boosting
from tests.support.training import job
from unroll.series.models import seasonal


def shop(closed):
    """Hourly sales of 8 by day and 0 while a shop is closed."""
    series = np.where(np.arange(1200) % 24 < closed, 0, 8).astype(np.float32)[:, None]
    whole = Windows(
        series, np.arange(48, 1190), lookback=48, step=1, delay=0, target=0, outputs=2
    )
    splits = {
        "train": replace(whole, rows=whole.rows[:900]),
        "test": replace(whole, rows=whole.rows[900:]),
    }
    return Dataset("shop", "forecast", "mae", splits, scored=())


def test_it_learns_though_more_than_half_of_the_targets_are_0():
    for closed in (11, 14):
        data = shop(closed)
        made = job(data, seasonal.boosting, cycles=[24], own=True, base="zero")
        trained = boosting.train(made, trees=60, learning_rate=0.1)
        forecasts = trained.replicates[0].predictions["final_test"]
        error = np.mean(np.abs(forecasts - data.splits["test"].targets))
        assert error < 0.1, closed


def test_targets_of_which_few_are_the_same_are_learnt_as_they_are():
    errors = np.random.default_rng(0).normal(size=(100, 3))
    assert boosting._untied(errors) is errors
    tied = np.where(np.arange(300).reshape(100, 3) % 2, errors, 0.0)
    assert 0 < np.abs(boosting._untied(tied) - tied).max() < 1e-5
    np.testing.assert_array_equal(boosting._untied(tied), boosting._untied(tied))
