import numpy as np
import pandas as pd
import pytest

from pipeline.data.windowing import DAY
from unroll.series import prediction_intervals
from unroll.series.prediction_intervals import (
    PastErrors,
    inside,
    recent,
    weighted_quantile_loss,
)
from unroll.series.row_options import (
    Cleaning,
    CsvFormat,
    Preprocessing,
    SeriesWindows,
)


def past_errors(
    errors, *, forecasts=None, change=1.0, level=1.0, positions=None, lowest=-np.inf
):
    """Of (series, cutoffs, steps) errors; by default of forecasts of 0."""
    series, cutoffs, steps = errors.shape
    shape = (series, cutoffs + 1, steps)
    forecasts = np.zeros(shape) if forecasts is None else forecasts
    of_recent = np.empty((series, cutoffs + 1, 2))
    of_recent[..., 0] = change
    of_recent[..., 1] = level
    return PastErrors(
        truth=forecasts[:, :-1] + errors,
        forecasts=forecasts,
        recent=of_recent,
        positions=np.zeros(shape, int) if positions is None else positions,
        lowest=np.full(series, lowest),
    )


def ends_of(past, levels=(0.9,)):
    """(series, steps, 2 * levels) the quantiles of the next errors, in their unit."""
    return past.next_offsets(levels, past.shared(levels))


def held(ends, errors):
    """The share of errors (series, draws, steps) inside intervals."""
    return float(inside(errors, ends[:, None]).mean())


def draw(kind, random, shape):
    """Errors whose median is 0; those of "walk" follow one another."""
    if kind == "walk":
        return random.normal(size=shape).cumsum(axis=-1)
    if kind == "skewed":
        return random.exponential(size=shape) - np.log(2)
    return random.normal(size=shape)


@pytest.mark.parametrize("cutoffs", [2, 5, 17, 51])
@pytest.mark.parametrize("kind", ["normal", "skewed"])
def test_of_few_and_many_cutoffs_intervals_hold_their_level(kind, cutoffs):
    random = np.random.default_rng(1)
    shares = []
    for _ in range(40):
        past = past_errors(draw(kind, random, (1, cutoffs, 13)))
        shares.append(held(ends_of(past), draw(kind, random, (1, 50, 13))))
    most = 0.94 if kind == "normal" else 0.96
    assert 0.86 < np.mean(shares) < most


def test_errors_grow_with_the_steps_ahead():
    random = np.random.default_rng(2)
    ends = ends_of(past_errors(draw("walk", random, (1, 51, 13))))
    width = ends[0, :, 1] - ends[0, :, 0]
    assert width[12] / width[1] == pytest.approx(np.sqrt(13 / 2), rel=0.3)
    share = held(ends, draw("walk", random, (1, 400, 13)))
    assert 0.86 < share < 0.94


@pytest.mark.parametrize("start", [0, 12, 18], ids=["midnight", "noon", "evening"])
def test_a_forecast_that_begins_at_another_hour_holds_by_day_and_by_night(start):
    """Cutoffs lie at midnight, and errors are ten times larger by day."""
    random = np.random.default_rng(3)
    size = np.where(np.arange(24) // 12 == 1, 10.0, 1.0)
    hours = np.arange(81 * 24).reshape(81, 24)  # 80 days, and the one to come
    hours[-1] += start
    shares = []
    for _ in range(20):
        errors = random.normal(size=(1, 80, 24)) * size
        ends = ends_of(past_errors(errors, positions=hours[None] % (7 * 24)))
        size_ahead = size[hours[-1] % 24]
        later = random.normal(size=(1, 200, 24)) * size_ahead
        shares.append(inside(later, ends[:, None])[0].mean(axis=0))
    of_step = np.mean(shares, axis=0)
    assert 0.85 < of_step[size_ahead > 1].mean() < 0.95
    assert 0.85 < of_step[size_ahead == 1].mean() < 0.95


def test_promotions_are_served_as_other_weeks_are():
    """A tenth of the weeks sells three times as much, and the errors grow with it."""
    random = np.random.default_rng(4)
    mean = random.lognormal(3, 0.7, size=(60, 1, 1))
    lift = np.where(random.random((60, 53, 8)) < 0.1, 3.0, 1.0)
    forecasts = mean * lift
    sold = random.negative_binomial(10, 10 / (10 + forecasts)) - forecasts
    past = past_errors(
        sold[:, :-1],
        forecasts=forecasts,
        change=0.4 * mean[:, :, 0],
        level=mean[:, :, 0],
        lowest=0.0,
    )
    upper = ends_of(past)[..., 1]
    is_served = sold[:, -1] <= upper
    in_promotion = lift[:, -1] > 1
    assert 0.93 < is_served[~in_promotion].mean() < 0.98
    assert is_served[in_promotion].mean() > 0.93
    plain = ends_of(past_errors(sold[:, :-1], forecasts=forecasts))[..., 1]
    assert (sold[:, -1] <= plain)[in_promotion].mean() < 0.9, "without their level"


def test_intervals_are_the_geometric_mean_of_own_and_shared_quantiles():
    """Of the definitions, for two series of one step, by NumPy's quantiles."""
    random = np.random.default_rng(5)
    change = np.array([[1.0], [5.0]])
    errors = random.normal(size=(2, 40, 1)) * change[:, :, None]
    errors[0, 5] = np.nan
    past = past_errors(errors, change=change)
    levels = (0.5, 0.8)
    ends = ends_of(past, levels)
    assert (np.diff(ends, axis=-1) >= 0).all(), "ascending"
    growth = change**prediction_intervals.CHANGE_EXPONENT
    scores = (errors / growth[:, :, None]).ravel()
    for series in (0, 1):
        known = np.isfinite(errors[series]).sum()
        weight = known / (2 * known + prediction_intervals.PRIOR_CUTOFFS)
        for column, level in ((2, 0.5), (3, 0.8)):
            own = np.nanquantile(np.abs(errors[series]), level)
            shared = np.nanquantile(scores, (1 + level) / 2) * (1 + 1 / 79)
            expected = own**weight * (shared * growth[series, 0]) ** (1 - weight)
            assert ends[series, 0, column] == pytest.approx(expected)
            below = np.nanquantile(scores, (1 - level) / 2) * (1 + 1 / 79)
            other = own**weight * (-below * growth[series, 0]) ** (1 - weight)
            assert ends[series, 0, 3 - column] == pytest.approx(-other)


def test_skewed_errors_have_skewed_intervals_and_the_forecast_lies_inside():
    errors = draw("skewed", np.random.default_rng(6), (3, 50, 4))
    ends = ends_of(past_errors(errors))
    assert (ends[..., 1] > 1.5 * -ends[..., 0]).all()
    above = ends_of(past_errors(np.abs(errors) + 1))
    assert (above[..., 0] == 0).all()
    assert (above[..., 1] > 0).all()


def test_a_series_without_errors_of_its_own_takes_those_of_the_others_by_its_change():
    random = np.random.default_rng(7)
    change = np.array([[1.0], [4.0], [4.0]])
    errors = random.normal(size=(3, 50, 2)) * change[:, :, None]
    errors[2] = np.nan
    ends = ends_of(past_errors(errors, change=change))
    width = ends[:, 0, 1] - ends[:, 0, 0]
    assert width[2] == pytest.approx(width[1], rel=0.3)
    none = ends_of(past_errors(np.full((1, 4, 2), np.nan)))
    assert np.isinf(none).all()


def test_the_last_cutoffs_alone_count():
    errors = np.random.default_rng(8).normal(size=(1, 90, 2))
    old = errors.copy()
    old[:, : -prediction_intervals.KEPT] *= 100
    np.testing.assert_array_equal(
        ends_of(past_errors(errors)), ends_of(past_errors(old))
    )


def test_cutoffs_without_a_known_error_take_no_place_of_others():
    errors = np.random.default_rng(9).normal(size=(1, 90, 2))
    # as between the backtest and the fit, for a horizon longer than `KEPT`
    unknown = np.full((1, prediction_intervals.KEPT + 9, 2), np.nan)
    later = np.concatenate([errors, unknown], axis=1)
    np.testing.assert_array_equal(
        ends_of(past_errors(later)), ends_of(past_errors(errors))
    )


def test_a_table_of_origins_stands_by_series_with_the_last_cutoffs_together():
    truth = np.arange(10.0).reshape(5, 2)
    series = np.array([0, 0, 0, 1, 1])
    past = PastErrors.of_origins(
        truth=truth,
        forecasts=truth - 1,
        recent=np.ones((5, 2)),
        positions=np.zeros((5, 2), int),
        series=series,
        lowest=np.zeros(2),
    )
    np.testing.assert_array_equal(past.truth[0], truth[:3])
    assert np.isnan(past.truth[1, 0]).all()
    np.testing.assert_array_equal(past.truth[1, 1:], truth[3:])
    assert past.forecasts.shape == (2, 4, 2)
    some = past.of_series(np.array([False, True]))
    np.testing.assert_array_equal(some.truth, past.truth[1:])


def test_the_recent_change_and_level_are_means_of_the_last_rows():
    values = np.append(np.full(60, 1e6), np.arange(100.0))
    values[-3] = np.nan
    change, level = recent(values, 1, 1.0)[-1]
    assert change == pytest.approx(1.0)
    assert level == pytest.approx(values[-52:][np.isfinite(values[-52:])].mean(), 0.01)
    yearly, _ = recent(values, 12, 1.0)[-1]
    assert yearly == pytest.approx(12.0, rel=0.01)
    few = recent(np.array([3.0, 5.0]), 12, 2.0)
    np.testing.assert_allclose(few, [[2.0, 3.0], [2.0, 4.0]])
    still = recent(np.zeros(9), 1, 50.0)
    assert (still[1:] == 0.5).all(), "never 0, which an error is divided by"


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
    return fitted.positions(times)


@pytest.mark.parametrize(
    ("spacing", "expected"),
    [(1800, [5, 6 * 24 + 23]), (DAY, [5, 6 * 24 + 23]), (7 * DAY, [0, 0])],
)
def test_positions_are_hours_of_the_week_and_none_for_longer_timesteps(
    spacing, expected
):
    times = pd.DatetimeIndex(["2024-01-01 05:30", "2024-01-07 23:00"])
    assert weekly_positions(times, spacing).tolist() == expected


def test_a_position_is_closed_where_all_values_are_0_and_not_by_chance():
    days = np.resize(np.arange(7), (3, 41, 7)) * 24
    truth = np.random.default_rng(0).uniform(1, 9, size=(3, 40, 7))
    truth[0, :, 6] = 0
    truth[1, :, :] = np.random.default_rng(1).random((40, 7)) > 0.9
    truth[1, :, 6] = 0  # as may be where nine of ten values are 0
    truth[2, :, 6] = 0
    truth[2, 3, 6] = 5
    past = past_errors(truth, positions=days)
    assert np.flatnonzero(past.closed[0]).tolist() == [6 * 24]
    assert not past.closed[1:].any()
    assert np.isnan(past.scores[0, :, 6]).all()
    assert np.isfinite(past.scores[0, :, :6]).all()
    assert np.isinf(ends_of(past)[0, 6]).all(), "no interval of what is known to be 0"
