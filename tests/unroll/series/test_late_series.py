"""Series that begin after others, and series that have ended."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.support.answered import answered
from unroll.series import backtest, training, user_data
from unroll.series.candidates import of_windows
from unroll.series.forecaster import OutsideRangeWarning
from unroll.series.options import Options
from unroll.series.preparation import cut_into_windows
from unroll.series.question import ends_apart, is_short, propose
from unroll.series.reading.detect import detect
from unroll.series.row_options import fitted_of, scales
from unroll.series.rows import ended, latest
from unroll.series.windowed import completed

DAYS = pd.date_range("2021-01-01", periods=200)

LATE = 150
"""The first day of the series that begins late."""

OPTIONS = Options(target="sales", horizon=3, lookback=28)


def prepared(path, changed=200):
    """Return the profile, the question and the data set of two series of sales.

    The sales from a day on are `changed`.
    """
    frames = []
    for name, first in (("late", LATE), ("long", 0)):
        sales = np.resize([3.0, 4, 5, 6, 2, 8, 9], 200) + np.arange(200) % 5
        sales[changed:] += 7
        frame = pd.DataFrame({"unique_id": name, "ds": DAYS, "sales": sales})
        frames.append(frame[first:])
    pd.concat(frames).to_csv(path, index=False)
    profile = detect([path], OPTIONS)
    question = propose(profile, OPTIONS)
    return profile, question, cut_into_windows("a", profile, question).dataset


def windows_of_late(path, changed=200):
    """Return (origins, timesteps, columns) the late series' windows as ridge sees them,
    and the day of the last row of each."""
    profile, question, dataset = prepared(path, changed)
    every = backtest.windows(dataset)
    windows = replace(every, rows=every.rows[every.rows < len(DAYS)])
    ridge = of_windows(profile, question, 0, networks=False)["ridge"]
    seen = training.with_lookback(ridge, dataset, windows)
    inputs, _ = seen.take(np.arange(len(seen)))
    return inputs, windows.rows - 1, dataset, profile


def test_a_series_that_begins_late_is_seen_alike_in_training_and_in_forecasts(tmp_path):
    inputs, days, dataset, profile = windows_of_late(tmp_path / "a.csv")
    assert days.tolist() == [*range(LATE, 197)]
    ridge = answered(profile, models=["ridge"]).forecaster.spec
    spec = ridge.model_copy(update={"fitted": fitted_of(dataset)})
    frame = pd.read_csv(tmp_path / "a.csv")
    for day, expected in zip(days, inputs, strict=True):
        rows = user_data.rows_of(frame[frame["ds"] <= str(DAYS[day])], spec.fitted.csv)
        windows, _ = latest(spec, rows)
        np.testing.assert_array_equal(windows["late"].inputs, expected)


def test_no_window_of_a_late_series_sees_what_comes_after_it(tmp_path):
    usual, days, dataset, _ = windows_of_late(tmp_path / "a.csv")
    column = fitted_of(dataset).columns.index("sales")
    scale = scales(dataset)["late"]
    changed, _, other, _ = windows_of_late(tmp_path / "b.csv", changed=LATE + 20)
    new = scales(other)["late"]
    before = days < LATE + 20
    values = usual[before, :, column] * scale.std + scale.mean
    again = changed[before, :, column] * new.std + new.mean
    np.testing.assert_allclose(values, again, atol=1e-5)


@pytest.mark.parametrize(
    ("lacking", "expected"),
    [
        (0, [10, 11, 12, 13, 14, 15]),
        (2, [13, 14, 12, 13, 14, 15]),  # of a cycle of two rows
        (3, [14, 14, 14, 13, 14, 15]),
        (5, [15, 15, 15, 15, 15, 15]),  # no whole cycle is known
    ],
)
def test_rows_before_the_first_are_means_of_known_ones(tmp_path, lacking, expected):
    _, _, dataset = prepared(tmp_path / "a.csv")
    fitted = fitted_of(dataset)
    cycle = fitted.cleaning.model_copy(update={"repeat": 2})
    inputs = np.zeros((1, 6, len(fitted.columns) + 6))
    inputs[0] += np.arange(10, 16)[:, None]
    before = np.arange(6)[None] < lacking
    found = completed(inputs, before, fitted.model_copy(update={"cleaning": cycle}))
    assert found[0, :, 0].tolist() == expected
    # the calendar and the mark of filled rows are known
    np.testing.assert_array_equal(found[:, :, 1:], inputs[:, :, 1:])


@pytest.mark.parametrize(
    ("earlier", "zeros", "over"),
    [
        ([5, 7, 6] * 10, 8, True),
        ([5, 7, 6] * 10, 7, False),  # too few rows
        ([5, 0, 0, 0, 0, 0, 6] * 10, 27, False),  # it may be chance
        ([5, 0, 0, 0, 0, 0, 6] * 10, 28, True),
        ([5, *[0] * 20, *[6] * 99], 39, False),  # it was as long before
        ([0, 0, 1, 0, 0, 0] * 10, 16, False),  # a rare product: chance
        ([0, 0, 1, 0, 0, 0] * 10, 60, True),
        ([], 8, True),
        ([5, np.nan, 6], 8, True),
        ([5, 7, 6] * 10, 0, False),
    ],
)
def test_a_series_has_ended_if_it_is_0_for_longer_than_ever_and_than_chance(
    earlier, zeros, over
):
    values = np.array([*earlier, *[0.0] * zeros])
    by_row = ended(values, np.timedelta64(7, "D"))
    assert by_row[-1] == over
    for row in range(0, len(values), 7):  # as if the rows after it were not there
        assert by_row[row] == ended(values[: row + 1], np.timedelta64(7, "D"))[-1]


@pytest.mark.parametrize(
    ("days_apart", "apart"), [((0, 0, 90), False), ((0, 90, 180), True)]
)
def test_series_that_end_apart_have_no_common_period(tmp_path, days_apart, apart):
    frames = []
    for number, days in enumerate(days_apart):
        stamps = DAYS + pd.Timedelta(days=180 - days)
        sales = np.arange(200) % 7 + 1.5
        frame = pd.DataFrame({"unique_id": f"s{number}", "ds": stamps, "sales": sales})
        frames.append(frame)
    path = tmp_path / "a.csv"
    pd.concat(frames).to_csv(path, index=False)
    profile = detect([path], OPTIONS)
    question = propose(profile, OPTIONS)
    assert bool(ends_apart(profile, question)) == apart
    assert is_short(profile, question) == apart


def test_a_series_without_a_value_of_a_column_is_left_out_for_that_reason():
    rows = pd.concat(
        pd.DataFrame({"unique_id": name, "ds": DAYS, "sales": np.arange(200) % 7 + 1.5})
        for name in "ab"
    ).assign(heat=np.tile(np.arange(200) % 5, 2))
    answer = answered(rows, target="sales", horizon=3, models=["ridge"])
    without = rows.assign(heat=rows["heat"].where(rows["unique_id"] == "a"))
    with pytest.warns(OutsideRangeWarning, match="^b is left out: .*'heat' holds no"):
        found = answer.forecast(without)
    assert {*found["unique_id"]} == {"a"}
