"""Calendars for rows that are not evenly spaced: business days, months, opening hours.

A calendar numbers its rows. Rows with consecutive numbers have no gap between them, and
a forecast can name the rows that come next.
"""

import re
from collections.abc import Mapping

import numpy as np

from pipeline.data.examples import Array
from pipeline.data.timestamps import DAY
from unroll.series import time_zones
from unroll.series.row_options import WEEKDAYS, Cleaning, Rows

WEEK = 7 * DAY
"""Milliseconds of a week."""

MONDAY = np.datetime64("1969-12-29", "ms")
"""The start of a week, from which the times of a week are counted."""

EPOCH = np.datetime64("1970-01-01")

WEEKMASKS = {
    "day": "1111111",
    "business day": "1111100",
    **{name: name for name in WEEKDAYS},
}
"""Kind of day -> NumPy's mask of the week. A calendar may name the n-th or the last day
of a kind in each month."""

LATE_DAYS = (29, 30)
"""Days that some months lack. The last day of such a month stands for them."""


def numbered(moments: Array, cleaning: Cleaning, zone: str | None = None) -> Array:
    """Number rows by a calendar, and return the numbers as evenly spaced timestamps.

    Row number n becomes the n-th day after 1970 for business days and months, so
    quarters become three days apart. With opening hours it becomes n times
    `cleaning.spacing` seconds, and a row outside of these hours becomes NaT. Without a
    calendar the timestamps stay as they are.

    Args:
        moments: (rows,) datetime64[ms], in UTC if there is a zone.
        cleaning: the options; `rows` names the calendar.
        zone: the time zone of the calendar's clock.
    """
    rows = cleaning.rows
    if rows is None:
        return moments
    if zone:
        moments = time_zones.to_wall_clock(moments, zone)
    if isinstance(rows, Mapping):
        return _number_opening_times(moments, rows, cleaning.spacing or 1)
    if rows == "business":
        days = np.busday_count(EPOCH, moments.astype("datetime64[D]"))
    else:
        days = moments.astype("datetime64[M]").astype(np.int64)
    return np.asarray((days * DAY).astype("datetime64[ms]"))


def stamps(numbers: Array, cleaning: Cleaning, zone: str | None = None) -> Array:
    """Return the timestamps of rows that `numbered` has numbered.

    A month gets the day that `cleaning.rows` names.
    """
    rows = cleaning.rows
    if rows is None:
        return numbers
    milliseconds = numbers.astype("datetime64[ms]").astype(np.int64)
    if isinstance(rows, Mapping):
        moments = _opening_times(milliseconds, rows, cleaning.spacing or 1)
    elif rows == "business":
        moments = np.busday_offset(EPOCH, milliseconds // DAY)
    else:
        moments = days_of_months((milliseconds // DAY).astype("datetime64[M]"), rows)
    moments = np.asarray(moments, "datetime64[ms]")
    if zone:
        moments = time_zones.to_utc(moments, zone, nonexistent="shift_forward")
    return moments


def _number_opening_times(
    moments: Array, hours: Mapping[str, str], spacing: int
) -> Array:
    """Return the numbers of times within opening hours, as evenly spaced timestamps.

    With the hours {"Mon": "08:00-11:00"} and a spacing of 3,600 seconds, a week has
    four times: 8, 9, 10 and 11 o'clock. 1970-01-05T09:00 is time 1 of week 1. So its
    number is 1 * 4 + 1 = 5, and its timestamp is 5 hours after 1970,
    1970-01-01T05:00. 09:30 becomes NaT.

    Args:
        moments: (rows,) datetime64[ms], by the clock of the hours.
        hours: weekday -> its opening hours.
        spacing: seconds from one time to the next.
    """
    times = week_times(hours, spacing)
    week, time = np.divmod((moments - MONDAY).astype(np.int64), WEEK)
    position = np.searchsorted(times, time)
    numbers = (week * len(times) + position) * spacing * 1000
    inside = times[np.minimum(position, len(times) - 1)] == time
    found = numbers.astype("datetime64[ms]")
    return np.where(inside, found, np.datetime64("NaT", "ms"))


def _opening_times(
    milliseconds: Array, hours: Mapping[str, str], spacing: int
) -> Array:
    """Return the times (rows,) that `_number_opening_times` has numbered.

    In the example there, 1970-01-01T05:00 is 18,000,000 milliseconds after 1970. So its
    number is 5 = 1 * 4 + 1, and it is time 1 of week 1, 1970-01-05T09:00.

    Args:
        milliseconds: (rows,) the numbered timestamps, in milliseconds since 1970.
        hours: weekday -> its opening hours.
        spacing: seconds from one time to the next.
    """
    times = week_times(hours, spacing)
    week, position = np.divmod(milliseconds // (1000 * spacing), len(times))
    return np.asarray(MONDAY + week * WEEK + times[position])


def days_of_months(months: Array, rows: str) -> Array:
    """Return the day of each month (rows,), as datetime64[ms].

    `rows` is "month, KIND N at TIME": the N-th day of a kind of `WEEKMASKS`; -1 is the
    last one.
    """
    match = re.fullmatch(r"month(?:, (.+) (-?\d+))?(?: at (.+))?", rows)
    kind, number, time = match.groups("") if match else ("", "", "")
    count = int(number or 1)
    starts = months.astype("datetime64[D]")
    ends = (months + 1).astype("datetime64[D]")
    if count in LATE_DAYS:  # in a shorter month, its last day
        days = np.minimum(starts + (count - 1), ends - 1)
    else:
        first = starts if count > 0 else ends
        offset = count - 1 if count > 0 else count
        mask = WEEKMASKS[kind or "day"]
        days = np.busday_offset(first, offset, roll="forward", weekmask=mask)
    return np.asarray(days.astype("datetime64[ms]") + _milliseconds(time or "00:00"))


def week_times(rows: Mapping[str, str], spacing: int) -> Array:
    """Return the times of opening hours (times,) in milliseconds since Monday 00:00.

    Each range has times from its first to its last, `spacing` seconds apart.
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
    """Return the number of opening times of each weekday that has any; an empty list
    for other calendars.
    """
    if not isinstance(rows, Mapping):
        return []
    counts = np.bincount(week_times(rows, spacing) // DAY)
    return [int(count) for count in counts if count]


def spread(moments: Array, cleaning: Cleaning) -> Array:
    """Return the timestamps of opening hours (rows,), spread evenly over each day.

    Models then see a day as a cycle of its rows.
    """
    if not isinstance(cleaning.rows, Mapping):
        return moments
    times = week_times(cleaning.rows, cleaning.spacing or 1)
    days = moments.astype("datetime64[D]")
    time = (moments - MONDAY).astype(np.int64) % WEEK
    # `first` is the number of opening times of the week before the row's day, and `last`
    # is their number by the end of the day. `position` is the number of opening times
    # of the day before the row.
    first = np.searchsorted(times, time // DAY * DAY)
    last = np.searchsorted(times, (time // DAY + 1) * DAY)
    position = np.searchsorted(times, time) - first
    within = DAY * position // np.maximum(last - first, 1)
    return np.asarray(days + within.astype("timedelta64[ms]"))


def _milliseconds(clock: str) -> int:
    return int(np.datetime64(f"1970-01-01T{clock}", "ms").astype(np.int64))
