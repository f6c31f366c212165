"""What networks see of a window, and the naive forecasts whose residual they learn,
against loops over one window."""

import numpy as np
import pytest

from pipeline.data.problem import Problem
from unroll.series.models.residual import MODELS, SPANS, reach

TIMESTEPS = 60
OUTPUTS = 5
PROBLEM = Problem((TIMESTEPS, 7), target=1, outputs=OUTPUTS, calendar=4)
"""Three measured columns, then the hour (2 columns) and the season (2 columns)."""


@pytest.fixture
def inputs():
    return np.random.default_rng(0).normal(size=(4, TIMESTEPS, 7)).astype(np.float32)


def enriched(window, time, cycles, season):
    """The row of one timestep, from a loop."""
    target = window[:, 1].astype(float)
    row = [target[time] - target[-1], target[time] - target[time - 1]]
    row += [
        target[time] - np.mean(target[time - span + 1 : time + 1]) for span in SPANS
    ]
    for cycle in cycles:
        # so many steps before the last value that is asked for
        back = -(-OUTPUTS // cycle) * cycle
        row.append(target[time + OUTPUTS - back])
    row += [window[time, 0], window[time, 2], *window[time, 3:5]]
    return row + [*window[time, 5:]] * season


@pytest.mark.parametrize("season", [True, False])
@pytest.mark.parametrize("cycles", [[], [3, 24], [24, TIMESTEPS + 1]])
def test_rows_are_enriched_by_what_came_before_them(inputs, cycles, season):
    model = MODELS["gru"](PROBLEM, cycles=cycles, last=8, season=season)
    seen = model.rows(inputs)
    usable = [cycle for cycle in cycles if cycle <= TIMESTEPS]
    for number, window in enumerate(inputs):
        for row in range(8):
            expected = enriched(window, TIMESTEPS - 8 + row, usable, season)
            np.testing.assert_allclose(seen[number, row], expected, atol=1e-5)


def test_a_short_window_is_enriched_by_what_it_has(inputs):
    problem = Problem((4, 7), target=1, outputs=OUTPUTS, calendar=4)
    seen = MODELS["lstm"](problem, cycles=[], last=8).rows(inputs[:, -4:])
    assert seen.shape[1] == 4
    assert np.isfinite(seen).all()
    first_mean = seen[:, 0, 2]  # the first value is its own mean
    np.testing.assert_array_equal(first_mean, 0)


def test_naive_forecasts_are_the_last_value_or_a_mean_with_the_cycles(inputs):
    target = inputs[:, :, 1].astype(float)
    last = MODELS["gru"](PROBLEM, cycles=[3, 24], base="last").naive(inputs)
    mean = MODELS["gru"](PROBLEM, cycles=[3, 24], base="mean").naive(inputs)
    for step in range(OUTPUTS):
        by_3 = target[:, TIMESTEPS + step - 3 * (1 + step // 3)]
        by_24 = target[:, TIMESTEPS + step - 24]
        np.testing.assert_allclose(last[:, step], target[:, -1])
        np.testing.assert_allclose(
            mean[:, step], (target[:, -1] + by_3 + by_24) / 3, atol=1e-6
        )


def test_a_perceptron_sees_the_last_values_one_row_and_the_naive_forecasts(inputs):
    values = MODELS["mlp"](PROBLEM, cycles=[24], hidden=[8], last=10).rows(inputs)
    target = inputs[:, :, 1].astype(float)
    np.testing.assert_allclose(values[:, 0], target[:, -1])
    np.testing.assert_allclose(
        values[:, 1:11], target[:, -10:] - target[:, -1:], atol=1e-6
    )
    row = [enriched(window, TIMESTEPS - 1, [24], season=True) for window in inputs]
    np.testing.assert_allclose(values[:, 11:-OUTPUTS], row, atol=1e-5)
    day_before = target[:, TIMESTEPS - 24 + np.arange(OUTPUTS)]
    np.testing.assert_allclose(
        values[:, -OUTPUTS:], day_before - target[:, -1:], atol=1e-6
    )


def test_no_more_is_seen_than_the_reach(inputs):
    model = MODELS["gru"](PROBLEM, cycles=[24], last=8, base="mean")
    shorter = Problem((reach(8, [24]), 7), target=1, outputs=OUTPUTS, calendar=4)
    same = MODELS["gru"](shorter, cycles=[24], last=8, base="mean")
    short = inputs[:, -reach(8, [24]) :]
    np.testing.assert_allclose(same.rows(short), model.rows(inputs), atol=1e-5)
    np.testing.assert_array_equal(same.naive(short), model.naive(inputs))


def test_a_perceptron_sees_what_is_known_of_each_value_ahead(inputs):
    model = MODELS["mlp"](PROBLEM, cycles=[], hidden=[8], last=10, known=1)
    values = model.rows(inputs)
    np.testing.assert_array_equal(values[:, -OUTPUTS:], inputs[:, -OUTPUTS:, 2])
