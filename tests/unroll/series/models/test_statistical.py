"""Intermittent demand by Teunter, Syntetos and Babai, against a loop over one window's
values; and how far back a trend is fitted."""

import numpy as np
import pytest

from pipeline.data.problem import Problem
from unroll.series.models.statistical import ets, forecast, tsb

SMOOTHING = (0.02, 0.05, 0.1, 0.2, 0.3)


def by_hand(values):
    """What follows one window, by the pair of constants that forecast the next value
    best."""
    lowest = min(values)
    sizes = [value - lowest for value in values]
    demands = [size for size in sizes if size > 0]
    least = np.inf
    best = 0.0
    for of_probability in SMOOTHING:
        for of_size in SMOOTHING:
            probability = len(demands) / len(sizes)
            size = sum(demands) / max(1, len(demands))
            errors = 0.0
            for value in sizes:
                errors += (value - probability * size) ** 2
                if value > 0:
                    size += of_size * (value - size)
                    probability += of_probability * (1 - probability)
                else:
                    probability += of_probability * (0 - probability)
            if errors < least:
                least = errors
                best = probability * size
    return lowest + best


def test_it_is_probability_times_size_smoothed_with_the_best_constants():
    random = np.random.default_rng(0)
    windows = (
        np.where(random.random((6, 40)) < 0.3, random.poisson(4, (6, 40)) + 1.0, 0.0)
        - 0.7
    )
    windows[5] = -0.7  # nothing is asked for
    inputs = np.stack([random.normal(size=windows.shape), windows], axis=2)
    forecasts = tsb(Problem((40, 2), target=1, outputs=3)).features(inputs)
    expected = [by_hand(window.tolist()) for window in windows]
    np.testing.assert_allclose(
        forecasts, np.repeat(np.array(expected)[:, None], 3, axis=1)
    )
    assert forecasts[5, 0] == -0.7


@pytest.mark.parametrize(("cycle", "seen"), [(0, 100), (7, 100), (30, 120)])
def test_a_trend_is_fitted_to_the_latest_hundred_values_or_to_four_cycles(cycle, seen):
    values = np.random.default_rng(0).normal(size=130)
    inputs = np.stack([values, values, values])[..., None]
    inputs[1, :-seen] = 3
    inputs[2, : 1 - seen] = 3
    problem = Problem((130, 1), outputs=2)
    whole, latest, fewer = ets(problem, cycle=cycle).features(inputs)
    np.testing.assert_array_equal(latest, whole)
    assert np.abs(fewer - whole).max() > 1e-9


@pytest.mark.parametrize("name", ["theta", "auto_ets"])
def test_a_season_takes_more_than_two_cycles(name):
    random = np.random.default_rng(3)
    values = np.resize(5 + random.normal(0, 3, 12), 36) + random.normal(0, 0.05, 36)
    of_two = [forecast(name, values[:24], 4, cycle) for cycle in (12, 1)]
    np.testing.assert_array_equal(*of_two)
    np.testing.assert_allclose(
        forecast(name, values[:25], 4, 12), values[25:29], atol=1
    )
