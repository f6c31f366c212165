"""Numbers of rows that have no even distance, and back."""

import numpy as np
import pandas as pd

from unroll.series import row_calendar
from unroll.series.row_options import Cleaning

WEEK = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def test_hours_are_those_of_the_clock_also_where_it_changes():
    local = pd.date_range("2024-02-01", "2024-05-01", freq="h", tz="Europe/Berlin")
    bar = local[(local.hour >= 18) | (local.hour <= 3)]
    moments = bar.tz_convert("UTC").tz_localize(None).to_numpy("datetime64[ms]")
    cleaning = Cleaning(rows=dict.fromkeys(WEEK, "18:00-03:00"), spacing=3600)
    numbers = row_calendar.numbered(moments, cleaning, "Europe/Berlin")
    steps = np.diff(numbers) // np.timedelta64(1, "h")
    assert steps.tolist().count(1) == len(steps) - 1
    assert steps.max() == 2, "on 31 March the clock skips 02:00"
    ahead = numbers[-1:] + np.arange(1, 4) * np.timedelta64(1, "h")
    following = pd.DatetimeIndex(
        row_calendar.stamps(ahead, cleaning, "Europe/Berlin")
    ).tz_localize("UTC")
    assert following.tz_convert("Europe/Berlin").hour.tolist() == [1, 2, 3]


def test_models_see_a_day_of_opening_hours_as_one_cycle():
    cleaning = Cleaning(rows={"Mon": "08:00-11:00"}, spacing=3600)
    moments = np.arange("2024-01-01T08", "2024-01-01T12", dtype="datetime64[h]").astype(
        "datetime64[ms]"
    )
    expected = np.arange(
        "2024-01-01T00", "2024-01-02T00", 6, dtype="datetime64[h]"
    ).astype("datetime64[ms]")
    np.testing.assert_array_equal(row_calendar.spread(moments, cleaning), expected)
    assert row_calendar.slots_per_day(cleaning.rows, 3600) == [4]
