import numpy as np
import pytest

from pipeline.data.windowing import Series, WindowSpec, corrected_rows
from unroll.series.measured_rows import fill, holidays_of, periods_of
from unroll.series.row_options import Cleaning


def minutes(*counts):
    return (60 * np.array(counts)).astype("datetime64[s]").astype("datetime64[ms]")


def test_short_gaps_are_filled_from_the_past_and_longer_ones_are_late():
    at = [0, 1, 4, 5, 9, 10, 11, 12]  # two rows lack, then three
    series = fill(
        Series(minutes(*at), np.array(at, float)[:, None], np.zeros((8, 1), bool)),
        60,
        limit=2,
    )
    assert series.values[:, 0].tolist() == [0, 1, 1, 1, 4, 5, 9, 10, 11, 12]
    assert series.unknown[:, 0].tolist() == [False, False, True, True, *[False] * 6]
    np.testing.assert_array_equal(series.timestamps[:6], minutes(*range(6)))
    assert not series.late.any()
    rows, _ = corrected_rows(series, 10, 10, WindowSpec(lookback=2), freq=60, target=0)
    # 2 and 3 were not measured; 6 and 7 reach over the long gap
    assert rows["train"].tolist() == [
        4,
        5,
        8,
        9,
    ]


def test_a_value_that_is_missing_for_longer_makes_its_rows_late():
    unknown = np.isin(np.arange(8), range(2, 6))[:, None]
    series = fill(
        Series(minutes(*range(8)), np.arange(8.0)[:, None], unknown), 60, limit=2
    )
    assert series.late.tolist() == [False] * 4 + [True] * 2 + [False] * 2
    rows, _ = corrected_rows(series, 8, 8, WindowSpec(lookback=1), freq=60, target=0)
    assert rows["train"].tolist() == [1, 7]


def test_what_repeats_stands_in_for_gaps_of_up_to_seven_cycles():
    cycle = 4
    missing = np.arange(10, 10 + 7 * 4 + 2)
    values = (np.arange(60) % cycle * 10.0)[:, None]
    unknown = np.isin(np.arange(60), missing)[:, None]
    values[missing] = values[9]  # as `clean` leaves it: the last good value
    series = fill(
        Series(minutes(*range(60)), values, unknown), 60, limit=2, repeat=cycle
    )
    filled = series.values[missing, 0].tolist()
    assert filled[:2] == [10, 10], "up to `limit` rows hold the last value"
    assert filled[2:28] == [row % cycle * 10 for row in missing[2:28]], (
        "later ones that of a cycle before"
    )
    assert np.flatnonzero(series.late).tolist() == [38, 39], (
        "after seven cycles no window may have them"
    )


@pytest.mark.parametrize(
    ("first", "rows", "days", "counts"),
    [
        ("2024-05-06", None, 7, [1, 0, 1, 0]),
        ("2024-04-30", None, 1, [0, 1, 0, 0]),
        ("2024-04-01", "month", 1, [1, 3, 0, 0]),
        ("2024-04-30", "month, day -1", 1, [1, 3, 0, 0]),
        ("2024-03-31", "month, day -1", 3, [2, 4, 0, 3]),
        ("2024-04-01", "month", 3, [4, 0, 3, 1]),
    ],
)
def test_holidays_are_counted_in_the_period_of_a_row(first, rows, days, counts):
    """In Germany in 2024: 1 January, 29 March, 1 April, 1, 9 and 20 May ..."""
    moments = np.datetime64(first) + days * np.arange(4)
    if rows:
        months = np.datetime64(first[:7]) + days * np.arange(4)
        moments = months.astype("datetime64[D]")
    moments = moments.astype("datetime64[ms]")
    periods = periods_of(moments, Cleaning(rows=rows), 86_400 * days)
    assert holidays_of("DE", *periods).tolist() == counts
