"""Numbers for rows that have no even distance, by a calendar: business days, months,
hours of a week.

By these numbers no window has a gap where there is none, and a forecast names the rows
that come next.
"""

import re
from collections.abc import Mapping

import numpy as np

from pipeline.data import timestamps
from pipeline.data.examples import Array
from pipeline.data.series_options import WEEKDAYS, Cleaning, Rows
from pipeline.data.timestamps import DAY

WEEK = 7 * DAY
"""Milliseconds."""

MONDAY = np.datetime64("1969-12-29", "ms")
"""The first day of a week."""

EPOCH = np.datetime64("1970-01-01")

WEEKMASKS = {
    "day": "1111111",
    "business day": "1111100",
    **{name: name for name in WEEKDAYS},
}
"""Kinds of days, of which a calendar names a month's n-th or last one -> NumPy's mask
of the week."""

LATE_DAYS = (29, 30)
"""Days that some months do not have; the last day of the month stands for them."""


def numbered(moments: Array, cleaning: Cleaning, zone: str | None = None) -> Array:
    """Number rows, and return the numbers as timestamps that are evenly spaced.

    A row counts as a day of 1970 and later: business days, or months (also for
    quarters, which become three days apart); of opening hours as `cleaning.spacing`
    seconds. A row outside of opening hours becomes NaT. Where the calendar has no name
    timestamps (rows,) stay.

    Args:
        moments: (rows,) datetime64[ms], in UTC with a zone.
        cleaning: its `rows` names the calendar.
        zone: by whose clock it goes.
    """
    rows = cleaning.rows
    if rows is None:
        return moments
    if zone:
        moments = timestamps.to_wall_clock(moments, zone)
    if isinstance(rows, Mapping):
        spacing = cleaning.spacing or 1
        times = week_times(rows, spacing)
        week, time = np.divmod((moments - MONDAY).astype(np.int64), WEEK)
        position = np.searchsorted(times, time)
        numbers = (week * len(times) + position) * spacing * 1000
        inside = times[np.minimum(position, len(times) - 1)] == time
        found = numbers.astype("datetime64[ms]")
        return np.where(inside, found, np.datetime64("NaT", "ms"))
    if rows == "business":
        days = np.busday_count(EPOCH, moments.astype("datetime64[D]"))
    else:
        days = moments.astype("datetime64[M]").astype(np.int64)
    return np.asarray((days * DAY).astype("datetime64[ms]"))


def stamps(numbers: Array, cleaning: Cleaning, zone: str | None = None) -> Array:
    """Return the inverse of `numbered`: of a month the day that `rows` names."""
    rows = cleaning.rows
    if rows is None:
        return numbers
    milliseconds = numbers.astype("datetime64[ms]").astype(np.int64)
    if isinstance(rows, Mapping):
        spacing = cleaning.spacing or 1
        times = week_times(rows, spacing)
        week, position = np.divmod(milliseconds // (1000 * spacing), len(times))
        moments = MONDAY + week * WEEK + times[position]
    elif rows == "business":
        moments = np.busday_offset(EPOCH, milliseconds // DAY)
    else:
        moments = days_of_months((milliseconds // DAY).astype("datetime64[M]"), rows)
    moments = np.asarray(moments, "datetime64[ms]")
    if zone:
        moments = timestamps.to_utc(moments, zone, nonexistent="shift_forward")
    return moments


def days_of_months(months: Array, rows: str) -> Array:
    """Return (rows,) datetime64[ms] of "month, KIND N at TIME".

    It is the N-th day of a kind of `WEEKMASKS` in each month, -1 the last one.
    """
    match = re.fullmatch(r"month(?:, (.+) (-?\d+))?(?: at (.+))?", rows)
    kind, number, time = match.groups("") if match else ("", "", "")
    count = int(number or 1)
    starts = months.astype("datetime64[D]")
    ends = (months + 1).astype("datetime64[D]")
    if count in LATE_DAYS:  # or the last day of a shorter month
        days = np.minimum(starts + (count - 1), ends - 1)
    else:
        first = starts if count > 0 else ends
        offset = count - 1 if count > 0 else count
        mask = WEEKMASKS[kind or "day"]
        days = np.busday_offset(first, offset, roll="forward", weekmask=mask)
    return np.asarray(days.astype("datetime64[ms]") + _milliseconds(time or "00:00"))


def week_times(rows: Mapping[str, str], spacing: int) -> Array:
    """Return (times,) milliseconds since Monday 00:00, in order.

    Those are the first and the last time of each range and those between, `spacing`
    apart.
    """
    times = list[int]()
    for day, text in rows.items():
        for run in text.split(", "):
            ends = [_milliseconds(time) for time in run.split("-")]
            first = WEEKDAYS.index(day) * DAY + ends[0]
            length = (ends[-1] - ends[0]) % DAY  # the last may lie after midnight
            times += range(first, first + length + 1, 1000 * spacing)
    return np.unique(np.mod(times, WEEK))


def slots_per_day(rows: Rows, spacing: int) -> list[int]:
    """Return how many times each day of the week has that has any; none of other
    calendars.
    """
    if not isinstance(rows, Mapping):
        return []
    counts = np.bincount(week_times(rows, spacing) // DAY)
    return [int(count) for count in counts if count]


def spread(moments: Array, cleaning: Cleaning) -> Array:
    """Return opening hours (rows,) by the clock, spread over the whole day.

    So models see a day as a cycle of its rows.
    """
    if not isinstance(cleaning.rows, Mapping):
        return moments
    times = week_times(cleaning.rows, cleaning.spacing or 1)
    days = moments.astype("datetime64[D]")
    time = (moments - MONDAY).astype(np.int64) % WEEK
    first = np.searchsorted(times, time // DAY * DAY)
    last = np.searchsorted(times, (time // DAY + 1) * DAY)
    position = np.searchsorted(times, time) - first
    within = DAY * position // np.maximum(last - first, 1)
    return np.asarray(days + within.astype("timedelta64[ms]"))


def _milliseconds(clock: str) -> int:
    return int(np.datetime64(f"1970-01-01T{clock}", "ms").astype(np.int64))
