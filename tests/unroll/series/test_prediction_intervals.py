import numpy as np
import pandas as pd
import pytest

from pipeline.data.windowing import DAY
from unroll.series import prediction_intervals
from unroll.series.combination import known_after
from unroll.series.prediction_intervals import (
    FEWEST,
    inside,
    quantiles,
    weighted_quantile_loss,
)
from unroll.series.row_options import (
    Cleaning,
    CsvFormat,
    Preprocessing,
    SeriesWindows,
)
from unroll.series.spec import SeriesQuestion

DAILY = known_after(4, 1, 4)
"""Four steps, an origin every fourth row: all errors are known one origin later."""

HOURLY = known_after(4, 1, 1)
"""Four steps, an origin in each row: the error of step 4 is known four origins later.
"""


def held(draw, delay, level=0.9, series=25):
    """(origins, steps) the share of many series whose errors lay inside intervals; NaN
    of the first origins."""
    rng = np.random.default_rng(0)
    errors = np.stack([draw(rng) for _ in range(series)])
    return inside(errors, quantiles(errors, (level,), delay)[:, :-1]).mean(axis=0)


def skewed(rng, shape):
    return rng.exponential(size=shape) - np.log(2)


@pytest.mark.parametrize("kind", ["normal", "laplace", "uniform"])
@pytest.mark.parametrize("delay", [DAILY, HOURLY], ids=["a day apart", "a row apart"])
def test_intervals_hold_their_level(kind, delay):
    share = held(
        lambda rng: getattr(rng, kind)(size=(60, 4)) - 0.5 * (kind == "uniform"), delay
    )
    assert np.isnan(share[: FEWEST - 1]).all()
    assert 0.9 < share[12:].mean() < 0.955, "not more than few origins ask for"


@pytest.mark.parametrize("hour", [DAY // 24, DAY])
def test_they_have_the_numbers_that_are_committed(hour, num_regression):
    """By the positions of hours or days, with errors that were not measured."""
    rng = np.random.default_rng(7)
    times = pd.date_range("2024-01-01", periods=18, freq=pd.Timedelta(seconds=hour))
    places = weekly_positions(times, hour)
    places = np.lib.stride_tricks.sliding_window_view(places, 4)
    errors = skewed(rng, (2, 14, 4)) * (1 + places[:-1] % 3)
    errors[0, 2:4, 1] = np.nan
    errors[1, :, 3] = np.nan
    found = quantiles(
        errors, (0.9, 0.5), HOURLY, positions=np.broadcast_to(places, (2, 15, 4))
    )
    columns = found.reshape(-1, 16).T
    num_regression.check({f"{number}": column for number, column in enumerate(columns)})


SIGNS = np.array([-1, 1])


def test_quantiles_are_those_of_a_naive_loop():
    """Of known scores of one step, with weights that age; no scaling by recent errors,
    and enough origins. A quarter was not measured."""
    errors = np.random.default_rng(2).normal(size=(60, 1))
    errors[5:20] = np.nan
    delay = np.array([2])
    intervals_of = quantiles(errors, (0.5, 0.8), delay)
    sizes = prediction_intervals._expected_sizes(
        np.abs(errors)[None], delay, FEWEST + 1
    )[0]
    for origin in (30, 45, 60):
        # those of two origins ago are known
        scores = np.nan_to_num(errors[: origin - 1, 0] / sizes[: origin - 1])
        weights = prediction_intervals.DECAY ** (origin - 2 - np.arange(origin - 1))
        weights[5:20] = 0
        count = weights.sum() ** 2 / (weights**2).sum()
        share = count / (count + prediction_intervals.PRIOR_SYMMETRIC)
        for column, level in ((2, 0.5), (3, 0.8)):
            one = least(scores, weights, (1 + level) / 2 * (1 + 1 / count))
            other = least(-scores, weights, (1 + level) / 2 * (1 + 1 / count))
            both = least(np.abs(scores), weights, level * (1 + 1 / count))
            ends = share * np.array([-other, one]) + (1 - share) * both * SIGNS
            found = intervals_of[origin, 0, [3 - column, column]]
            np.testing.assert_allclose(found, sizes[origin] * ends)


def least(values, weights, fraction):
    """The least value with a fraction of the weight at or below it."""
    reached = 0.0
    for place in np.argsort(values):
        reached += weights[place]
        if reached >= fraction * weights.sum() - 1e-9:
            return values[place]
    return max(values)


def test_a_wider_level_holds_a_narrower_one_and_both_hold_the_forecast():
    errors = skewed(np.random.default_rng(3), (40, 3)) + 3
    found = quantiles(errors, (0.9, 0.5, 0.8), known_after(3, 1, 3))[FEWEST:]
    assert (np.diff(found, axis=-1) >= 0).all()
    assert (found[..., 2] <= 0).all()
    assert (found[..., 3] >= 0).all()


def test_an_error_of_the_first_step_counts_before_those_of_later_ones():
    assert HOURLY.tolist() == [1, 2, 3, 4]
    assert known_after(24, 6, 144).tolist() == [1] * 24
    errors = np.ones((20, 4))
    usual = quantiles(errors, (0.9,), HOURLY)[-1]
    unknown = errors.copy()
    unknown[-1] = [1, 9, 9, 9]
    np.testing.assert_array_equal(quantiles(unknown, (0.9,), HOURLY)[-1], usual)
    large = errors.copy()
    large[-1, 0] = 9.0
    assert quantiles(large, (0.9,), HOURLY)[-1, :, 1].mean() > usual[:, 1].mean()


def test_many_series_and_late_origins_alone_have_the_same_quantiles():
    errors = np.random.default_rng(0).normal(size=(3, 30, 4))
    errors[1, 4:9] = np.nan
    every = quantiles(errors, (0.5, 0.9), HOURLY)
    late = quantiles(errors, (0.5, 0.9), HOURLY, since=25)
    np.testing.assert_array_equal(late[:, 25:], every[:, 25:])
    assert np.isinf(late[:, :25]).all()
    for own, of_all in zip(errors, every, strict=True):
        np.testing.assert_allclose(quantiles(own, (0.5, 0.9), HOURLY), of_all)


def test_of_zeros_or_of_nothing_there_is_no_weighted_quantile_loss():
    """tests/unroll/series/test_leaderboard.py has the loss of deciles, by a library."""
    assert weighted_quantile_loss(np.zeros(3), np.ones((3, 1)), [0.5]) is None
    assert weighted_quantile_loss(np.empty(0), np.empty((0, 1)), [0.5]) is None


def weekly_positions(times, spacing):
    """The positions of timestamps of rows that lie so many seconds apart."""
    fitted = Preprocessing(
        csv=CsvFormat(),
        cleaning=Cleaning(spacing=spacing),
        windows=SeriesWindows(lookback=1),
        columns=["y"],
        series={},
    )
    return SeriesQuestion("x", fitted, "").positions(times)


@pytest.mark.parametrize(
    ("spacing", "expected"),
    [(1800, [5, 6 * 24 + 23]), (DAY, [5, 6 * 24 + 23]), (7 * DAY, [0, 0])],
)
def test_positions_are_hours_of_the_week_and_none_for_longer_timesteps(
    spacing, expected
):
    times = pd.DatetimeIndex(["2024-01-01 05:30", "2024-01-07 23:00"])
    assert weekly_positions(times, spacing).tolist() == expected


def test_pooled_intervals_are_quantiles_of_the_errors_around_a_step():
    errors = np.linspace(-1, 1, 201)[:, None] * np.array([1.0, 2.0, 3.0])
    ends = prediction_intervals.pooled(errors, [0.5, 0.9])
    assert (np.diff(ends, axis=1) >= 0).all()
    np.testing.assert_allclose(ends[1, 0], -ends[1, -1])
    assert ends[2, -1] > ends[0, -1]
    late = np.where(np.arange(3) < 1, errors, np.nan)
    grown = prediction_intervals.pooled(late, [0.9])
    np.testing.assert_allclose(grown[2], np.sqrt(3) * grown[0])
    assert np.isinf(prediction_intervals.pooled(np.full((4, 3), np.nan), [0.9])).all()
    assert (prediction_intervals.pooled(errors + 9, [0.9])[:, 0] == 0).all(), (
        "none too low"
    )
    assert (prediction_intervals.pooled(errors - 9, [0.9])[:, 1] == 0).all()


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_the_growth_of_errors_with_the_level_is_found_from_those_of_all_series(power):
    """Each series has a size of its own; a tenth of the errors is 0, or not measured."""
    random = np.random.default_rng(5)
    series = np.repeat(np.arange(30), 40)
    levels = random.uniform(0.1, 3, size=(1200, 4))
    own = random.uniform(0.1, 10, size=30)[series, None]
    errors = own * levels**power * random.normal(size=levels.shape)
    errors[random.random(errors.shape) < 0.1] = 0
    errors[random.random(errors.shape) < 0.1] = np.nan
    assert prediction_intervals.growth(errors, levels, series) == pytest.approx(
        power, abs=0.07
    )
    assert prediction_intervals.growth(errors[:2], levels[:2], series[:2]) < 0.5, (
        "too few errors"
    )
    assert prediction_intervals.growth(errors, np.ones(levels.shape), series) == 0
    assert prediction_intervals.growth(0 * errors, levels, series) == pytest.approx(
        0, abs=1e-9
    )
    assert prediction_intervals.growth(errors / levels**3, levels, series) == 0, (
        "not below 0"
    )
    assert prediction_intervals.growth(errors * np.nan, levels, series) == 0


def test_errors_of_whole_series_follow_usual_changes_and_how_far_models_lie_apart():
    random = np.random.default_rng(6)
    usual = random.lognormal(size=(400, 1))
    apart = random.lognormal(size=(400, 3))
    forecasts = usual * np.array([apart, -apart])
    measured = prediction_intervals.measures(usual, forecasts)
    steps = np.arange(1, 4)
    errors = steps * usual**0.8 * measured[1] ** 0.5 * random.normal(size=(400, 3))
    exponent = prediction_intervals.of_whole(errors, measured)
    np.testing.assert_allclose(exponent, [-0.2, 0.5], atol=0.15)
    relative = errors / prediction_intervals.sizes_of_whole(measured, exponent)
    spread = np.abs(relative / steps)
    small = usual[:, 0] < np.median(usual)
    assert spread[small].mean() == pytest.approx(spread[~small].mean(), rel=0.2)
    alone = prediction_intervals.measures(usual, forecasts[:1])
    assert prediction_intervals.of_whole(errors, alone)[1] == pytest.approx(0)


def test_a_position_is_closed_where_all_values_are_0_and_not_by_chance():
    days = np.resize(np.arange(7), (40, 7)) * 24
    truth = np.random.default_rng(0).uniform(1, 9, size=(3, 40, 7))
    truth[0, :, 6] = 0
    truth[1, :, :] = np.random.default_rng(1).random((40, 7)) > 0.9
    truth[1, :, 6] = 0  # as may be where nine of ten values are 0
    truth[2, :, 6] = 0
    truth[2, 3, 6] = 5
    closed = prediction_intervals.closed(truth, np.broadcast_to(days, truth.shape))
    assert np.flatnonzero(closed[0]).tolist() == [6 * 24]
    assert not closed[1:].any()
    opened = prediction_intervals.of_open(
        truth, truth, np.broadcast_to(days, truth.shape)
    )
    assert np.isnan(opened[0, :, 6]).all()
    assert np.isfinite(opened[0, :, :6]).all()
