"""Rows that have no even distance: by which calendar they follow one another, and what
comes next by it."""

import itertools

import numpy as np
import pandas as pd
import pytest

from pipeline.config.plain_yaml import read, write
from pipeline.validation import checked
from unroll.series import row_calendar
from unroll.series.reading import calendars
from unroll.series.row_options import Cleaning


def after(stamps, count, zone=None):
    """The calendar that rows show, after a round trip through a file, and what comes
    next by it."""
    moments = np.asarray(stamps, "datetime64[ms]")
    calendar, regular = calendars.calendar(moments)
    numbers = row_calendar.numbered(moments, calendar, zone)
    inside = ~np.isnat(numbers)
    np.testing.assert_array_equal(
        row_calendar.stamps(numbers[inside], calendar, zone), moments[inside]
    )
    ahead = numbers.max() + np.arange(1, count + 1) * np.timedelta64(regular.freq, "s")
    return calendar.rows, row_calendar.stamps(ahead, calendar, zone)


CONVENTIONS = {
    "B": "business",
    "MS": "month",
    "ME": "month, day -1",
    "BMS": "month, business day 1",
    "BME": "month, business day -1",
    "WOM-3FRI": "month, Fri 3",
    "QS": "month",
    "QE": "month, day -1",
    "BQE": "month, business day -1",
    "YS": "month",
    "YE": "month, day -1",
    "YE-JUN": "month, day -1",
    "BYE": "month, business day -1",
    "D": None,
    "W-FRI": None,
    "14D": None,
    "28D": None,
    "h": None,
}


@pytest.mark.parametrize(("freq", "rows"), CONVENTIONS.items())
def test_forecasts_bear_the_stamps_of_the_next_rows(freq, rows):
    stamps = pd.date_range("2015-01-01", periods=46, freq=freq)
    found, ahead = after(stamps[:-6], 6)
    assert found == rows
    np.testing.assert_array_equal(ahead, stamps[-6:])


DAYS = [
    (2, "month, day 2"),
    (15, "month, day 15"),
    (28, "month, day 28"),
    (29, "month, day 29"),
    (30, "month, day 30"),
]


@pytest.mark.parametrize(("day", "rows"), [*DAYS, (31, "month, day -1 at 23:59:59")])
def test_the_middle_of_a_month_and_the_last_second_of_it(day, rows):
    stamps = [
        pd.Timestamp("2022-01-01") + pd.DateOffset(months=month, day=day)
        for month in range(30)
    ]
    stamps = [
        stamp + pd.Timedelta("23:59:59") if day == 31 else stamp for stamp in stamps
    ]
    found, ahead = after(stamps[:-6], 6)
    assert found == rows
    np.testing.assert_array_equal(ahead, np.asarray(stamps[-6:], "datetime64[ms]"))


@pytest.mark.parametrize("freq", ["D", "W-SUN", "B", "MS", "ME", "QS", "BME"])
@pytest.mark.parametrize(
    "zone", ["Europe/Berlin", "America/New_York", "Australia/Sydney"]
)
def test_days_and_months_of_a_clock_are_even_where_it_changes(freq, zone):
    stamps = pd.date_range(
        "2021-01-01", periods=300 if freq in {"D", "B"} else 60, freq=freq, tz=zone
    )
    moments = np.asarray(stamps.tz_convert("UTC").tz_localize(None), "datetime64[ms]")
    calendar, regular = calendars.calendar(moments[:-6], zone)
    numbers = row_calendar.numbered(moments[:-6], calendar, zone)
    ahead = numbers[-1] + np.arange(1, 7) * np.timedelta64(regular.freq, "s")
    assert regular.gaps == 0
    np.testing.assert_array_equal(
        row_calendar.stamps(ahead, calendar, zone), moments[-6:]
    )


WEEK = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
HOURS = pd.date_range("2024-01-01", periods=24 * 63, freq="h")
HALVES = pd.date_range("2024-01-01", periods=48 * 63, freq="30min")

OPEN = {
    "a shop": (
        HOURS[(HOURS.hour >= 7) & (HOURS.hour <= 17)],
        dict.fromkeys(WEEK, "07:00-17:00"),
    ),
    "Monday to Saturday": (
        HOURS[(HOURS.hour >= 9) & (HOURS.hour <= 20) & (HOURS.day_of_week < 6)],
        dict.fromkeys(WEEK[:6], "09:00-20:00"),
    ),
    "an exchange": (
        HALVES[
            (HALVES.hour * 60 + HALVES.minute >= 570)
            & (HALVES.hour < 16)
            & (HALVES.day_of_week < 5)
        ],
        dict.fromkeys(WEEK[:5], "09:30-15:30"),
    ),
    "a bar": (
        HOURS[(HOURS.hour >= 18) | (HOURS.hour <= 2)],
        dict.fromkeys(WEEK, "00:00-02:00, 18:00-23:00"),
    ),
    "lunch": (
        HOURS[HOURS.hour.isin([8, 9, 10, 11, 14, 15, 16]) & (HOURS.day_of_week < 5)],
        dict.fromkeys(WEEK[:5], "08:00-11:00, 14:00-16:00"),
    ),
    "short on Saturday": (
        HOURS[
            (HOURS.hour >= 7)
            & (HOURS.hour <= np.where(HOURS.day_of_week < 5, 17, 12))
            & (HOURS.day_of_week < 6)
        ],
        {**dict.fromkeys(WEEK[:5], "07:00-17:00"), "Sat": "07:00-12:00"},
    ),
    "three readings a day": (
        HOURS[HOURS.hour.isin([7, 14, 21])],
        dict.fromkeys(WEEK, "07:00-21:00"),
    ),
    "days but Sundays": (
        HOURS[(HOURS.hour == 0) & (HOURS.day_of_week < 6)],
        dict.fromkeys(WEEK[:6], "00:00"),
    ),
    "ten seconds a day": (
        pd.DatetimeIndex(
            [day + pd.Timedelta(seconds=n) for day in HOURS[::24] for n in range(10)]
        ),
        dict.fromkeys(WEEK, "00:00-00:00:09"),
    ),
    "two days a week": (
        HOURS[(HOURS.hour == 0) & HOURS.day_of_week.isin([1, 3])],
        {"Tue": "00:00", "Thu": "00:00"},
    ),
    "the close of business days": (
        HOURS[(HOURS.hour == 16) & (HOURS.day_of_week < 5)],
        dict.fromkeys(WEEK[:5], "16:00"),
    ),
}


@pytest.mark.parametrize("name", OPEN)
def test_after_closing_time_comes_the_next_opening(name, tmp_path):
    stamps, rows = OPEN[name]
    known = stamps[:-6]
    ahead = stamps[-6:].to_numpy("datetime64[ms]")
    missing = known[[*range(20), *range(21, len(known))]] if len(known) > 100 else known
    found, following = after(missing, 6)
    assert found == rows
    np.testing.assert_array_equal(following, ahead)
    write({"rows": found, "spacing": 3600}, tmp_path / "params.yaml")
    assert checked(Cleaning, read(tmp_path / "params.yaml")).rows == rows


def test_a_holiday_and_rows_outside_do_not_hide_the_hours_and_outside_is_no_row():
    stamps, rows = OPEN["a shop"]
    open_days = stamps[stamps.strftime("%m-%d") != "02-13"]
    extra = pd.DatetimeIndex(["2024-02-18 19:00", "2024-02-18 20:00"])
    moments = open_days.append(extra).sort_values().to_numpy("datetime64[ms]")
    calendar, regular = calendars.calendar(moments)
    assert (calendar.rows, regular.freq, regular.gaps) == (rows, 3600, 1)
    numbers = row_calendar.numbered(moments, calendar)
    assert (
        moments[np.isnat(numbers)].tolist() == extra.to_numpy("datetime64[ms]").tolist()
    )


@pytest.mark.parametrize(
    "lacks",
    [
        np.random.default_rng(0).random(len(HOURS)) < 0.2,
        (HOURS.day_of_week == 2) & (HOURS.day < 12),
        (HOURS >= "2024-01-20") & (HOURS < "2024-02-05"),
        HOURS.hour == 0,
        (HOURS.hour < 6) & (HOURS < "2024-02-20"),
        (HOURS >= "2024-01-13") | (HOURS.hour < 7),
    ],
    ids=[
        "at random",
        "two Wednesdays",
        "a fortnight",
        "midnight",
        "nights of some weeks",
        "too few weeks to tell",
    ],
)
def test_gaps_are_no_closing_time(lacks):
    moments = HOURS[~lacks].to_numpy("datetime64[ms]")
    assert calendars.calendar(moments)[0].rows is None


def runs(values):
    """Values in words, such as "3 x None, 2 x business"."""
    groups = itertools.groupby(values)
    return ", ".join(f"{len([*run])} x {value}" for value, run in groups)


def test_calendars_of_few_rows_are_as_approved(file_regression):
    """Of 1 to 30 rows, then of 40 rows of which one to eight in a row lack, or lie on
    the day before."""
    lines = []
    for freq in CONVENTIONS:
        stamps = np.asarray(
            pd.date_range("2021-01-01", periods=40, freq=freq), "M8[ms]"
        )
        few = [stamps[:count] for count in range(1, 31)]
        gaps = [np.delete(stamps, slice(9, 9 + count)) for count in range(1, 9)]
        early = [
            np.unique(stamps - np.timedelta64(1, "D") * (np.arange(40) % 9 < count))
            for count in range(1, 9)
        ]
        for name, samples in (("few", few), ("gaps", gaps), ("early", early)):
            found = [calendars.calendar(sample) for sample in samples]
            rows = [
                f"{cleaning.rows} {each.freq} {each.gaps}" for cleaning, each in found
            ]
            lines.append(f"{freq} {name}: {runs(rows)}")
    file_regression.check("\n".join(lines))
