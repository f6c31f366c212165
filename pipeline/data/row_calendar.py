"""Rows that have no even distance are numbered by a calendar: business days, months, or the hours of a week.

By their numbers no window has a gap where none is, and a forecast names what comes next.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.data import timestamps
from pipeline.data.examples import Array
from pipeline.data.series_options import WEEKDAYS, Cleaning, Rows
from pipeline.data.timestamps import DAY, Regularity, regularity

WEEK = 7 * DAY
"""Milliseconds."""

MONDAY = np.datetime64("1969-12-29", "ms")
"""The first of a week."""

WEEKMASKS = {"day": "1111111", "business day": "1111100", **{name: name for name in WEEKDAYS}}
"""Days of which a month's n-th or last one is meant -> as NumPy writes them."""

SHORTEST = 28
"""Days of a month, at least."""

CONVENTION = 0.75
"""The share of rows that must lie on one day of the month, such as the last business day."""

WEEKS, HALF = 3, 0.5
"""That opening hours must be seen in, and the share of its days on which a time of the week has a row."""

INSIDE, FILLED, OPEN = 0.98, 0.9, 0.95
"""Of opening hours: the share of rows that lie within, of times within that have a row, and of a week, at most."""

FEW_WRONG = 0.9
"""The share of quarters or years that must have one day of the month, such as the last business day."""

FEW_DAYS = 15
"""Timestamps, of which it can be coincidence that none lies on a weekend."""


def calendar(moments: Array, zone: str | None = None) -> tuple[Cleaning, Regularity]:
    """By what calendar rows follow one another, if it is not an even distance; and how regular they are by it.

    Months may lie several apart, as quarters and years do, if they have a day of their own, such as the last one.

    Args:
        moments: (rows,) datetime64[ms], in UTC with a zone.
        zone: by whose clock the calendar goes.
    """
    rows, hours = None, None
    distinct = timestamps.distinct(timestamps.to_wall_clock(moments, zone) if zone else moments)
    days = distinct.astype("datetime64[D]")
    times, steps = (distinct - days).astype(np.int64), np.diff(days).astype(int)
    if len(days) > 2 and steps.min() > 0:
        month_steps = np.diff(days.astype("datetime64[M]")).astype(int)
        if len(days) >= FEW_DAYS and np.median(steps) == 1 and np.is_busday(days).all():
            rows = "business"
        elif steps.min() >= SHORTEST and month_steps.min() > 0:
            name, share = day_of_month(days, times)
            certain = share == 1 and re.match("month( at|, day|$)", name)
            uneven = np.ptp(steps) > 0 and (np.median(month_steps) == 1 or share >= FEW_WRONG)
            rows = name if certain or uneven else None
    if len(days) > 2 and (rows is None or (rows == "business" and times.any())):
        hours = opening_hours(distinct)
    cleaning = hours or Cleaning(rows=rows)
    even = numbered(moments, cleaning, zone)
    return cleaning, regularity(even[~np.isnat(even)])


def phases(moments: Array, freq: float) -> list[Array]:
    """Return where rows lie within their frequency: (rows,) milliseconds, of months from their beginning and end.

    Args:
        moments: (rows,) datetime64[ms].
        freq: milliseconds from row to row.
    """
    if freq < SHORTEST * DAY:
        return [(moments - moments[0]).astype(np.int64) % max(1, int(freq))]
    months = moments.astype("datetime64[M]")
    return [(moments - months).astype(np.int64), (moments - (months + 1)).astype(np.int64)]


def numbered(moments: Array, cleaning: Cleaning, zone: str | None = None) -> Array:
    """Number rows, and return the numbers as timestamps that are evenly spaced; NaT for one outside of opening hours.

    A row counts as a day of 1970 and later: business days, or months (also for quarters, which become three days
    apart); of opening hours as `cleaning.spacing` seconds. Where the calendar has no name timestamps (rows,) stay.

    Args:
        moments: (rows,) datetime64[ms], in UTC with a zone.
        cleaning: its `rows` names the calendar.
        zone: by whose clock it goes.
    """
    rows = cleaning.rows
    if rows is None:
        return moments
    moments = timestamps.to_wall_clock(moments, zone) if zone else moments
    if isinstance(rows, Mapping):
        times, spacing = week_times(rows, cleaning.spacing or 1), 1000 * (cleaning.spacing or 1)
        week, time = np.divmod((moments - MONDAY).astype(np.int64), WEEK)
        position = np.searchsorted(times, time)
        numbers = np.asarray(((week * len(times) + position) * spacing).astype("datetime64[ms]"))
        numbers[times[np.minimum(position, len(times) - 1)] != time] = np.datetime64("NaT")
        return numbers
    if rows == "business":
        days = np.busday_count(np.datetime64("1970-01-01"), moments.astype("datetime64[D]"))
    else:
        days = moments.astype("datetime64[M]").astype(np.int64)
    return np.asarray((days * DAY).astype("datetime64[ms]"))


def stamps(numbers: Array, cleaning: Cleaning, zone: str | None = None) -> Array:
    """The inverse of `numbered`: of a month the day that `rows` names."""
    rows = cleaning.rows
    if rows is None:
        return numbers
    days = numbers.astype("datetime64[ms]").astype(np.int64) // DAY
    if isinstance(rows, Mapping):
        times, spacing = week_times(rows, cleaning.spacing or 1), 1000 * (cleaning.spacing or 1)
        week, position = np.divmod(numbers.astype("datetime64[ms]").astype(np.int64) // spacing, len(times))
        moments = MONDAY + week * WEEK + times[position]
    elif rows == "business":
        moments = np.busday_offset(np.datetime64("1970-01-01"), days)
    else:
        moments = _days_of_months(days.astype("datetime64[M]"), rows)
    moments = np.asarray(moments, "datetime64[ms]")
    return timestamps.to_utc(moments, zone, nonexistent="shift_forward") if zone else moments


def _days_of_months(months: Array, rows: str) -> Array:
    """(rows,) datetime64[ms] of "month, KIND N at TIME": the N-th of a kind of `WEEKMASKS`, -1 the last."""
    match = re.fullmatch(r"month(?:, (.+) (-?\d+))?(?: at (.+))?", rows)
    kind, number, time = match.groups() if match else (None, None, None)
    number = int(number or 1)
    start = (months + (number < 0)).astype("datetime64[D]")
    days = np.busday_offset(start, number - (number > 0), roll="forward", weekmask=WEEKMASKS[kind or "day"])
    return np.asarray(days.astype("datetime64[ms]") + (_milliseconds(time) if time else 0))


def day_of_month(days: Array, times: Array) -> tuple[str, float]:
    """What `Cleaning.rows` says of months whose rows lie on some days, and the share of rows that do lie so.

    Args:
        days: (rows,) datetime64[D].
        times: (rows,) milliseconds since midnight.
    """
    months, found = days.astype("datetime64[M]"), dict[str, float]()
    starts, ends = (month.astype("datetime64[D]") for month in (months, months + 1))
    usual = WEEKDAYS[np.bincount((days.astype(np.int64) + 3) % 7).argmax()]
    for kind in ("day", "business day", usual):
        is_one = np.is_busday(days, weekmask=WEEKMASKS[kind])
        after, before = (
            np.busday_count(first, last, weekmask=WEEKMASKS[kind]) for first, last in ((starts, days), (days, ends))
        )
        for sign, number in ((1, after + 1), (-1, before)):
            counts = np.bincount(number[is_one], minlength=1)[: SHORTEST + 1]
            found[f"month, {kind} {sign * counts.argmax()}"] = counts.max() / len(days)
    name = max(found, key=found.__getitem__)
    share = found[name]
    name = name if share >= CONVENTION and name != "month, day 1" else "month"
    return name + (f" at {_clock(times[0])}" if times[0] and np.ptp(times) == 0 else ""), share


def opening_hours(moments: Array) -> Cleaning | None:
    """The times of the week at which rows lie, as `Cleaning.rows` has them, with their distance.

    None where rows are not confined to a part of the week, or the weeks are too few to tell. A day without rows, such
    as a holiday, and single rows that lack or lie outside do not matter.

    Args:
        moments: (rows,) datetime64[ms], distinct and in order, by the clock.
    """
    steps, counts = np.unique(np.diff(moments).astype(np.int64), return_counts=True)
    spacing = int(steps[counts.argmax()])
    week, time = np.divmod((moments - MONDAY).astype(np.int64), WEEK)
    weeks = len(np.unique(week))
    if len(steps) < 2 or spacing < 1000 or spacing % 1000 or weeks < WEEKS:
        return None
    times, filled = np.unique(time, return_counts=True)
    days = np.bincount(np.unique(week * 7 + time // DAY) % 7, minlength=7)[times // DAY]
    usual = (filled >= HALF * days) & (days >= HALF * weeks)
    inside, hours = filled[usual].sum(), times[usual]
    confined = 0 < len(hours) * spacing <= OPEN * WEEK
    if not (confined and inside >= INSIDE * len(moments) and inside >= FILLED * days[usual].sum()):
        return None
    by_day = {name: _ranges(hours, day, spacing) for day, name in enumerate(WEEKDAYS)}
    return Cleaning(rows={name: text for name, text in by_day.items() if text}, spacing=spacing // 1000)


def _ranges(times: Array, day: int, spacing: int) -> str:
    """Such as "08:00-12:00, 14:00-18:00", of the times of a week that lie on a day of it."""
    times = times[times // DAY == day] % DAY
    runs = np.split(times, np.flatnonzero(np.diff(times) != spacing) + 1)
    return ", ".join("-".join(dict.fromkeys(map(_clock, (run[0], run[-1])))) for run in runs if len(run))


def week_times(rows: Mapping[str, str], spacing: int) -> Array:
    """(times,) milliseconds since Monday 00:00, in order: the inverse of `_ranges`, for all days."""
    times = list[int]()
    for day, text in rows.items():
        for run in text.split(", "):
            first, *last = map(_milliseconds, run.split("-"))
            until = ((last or [first])[0] - first) % DAY  # the last may lie after midnight
            times += (WEEKDAYS.index(day) * DAY + first + np.arange(0, until + 1, 1000 * spacing)).tolist()
    return np.unique(np.mod(times, WEEK))


def slots_per_day(rows: Rows, spacing: int) -> list[int]:
    """How many times each day of the week has that has any; none of other calendars."""
    if not isinstance(rows, Mapping):
        return []
    counts = np.bincount(week_times(rows, spacing) // DAY)
    return [int(count) for count in counts if count]


def spread(moments: Array, cleaning: Cleaning) -> Array:
    """Opening hours (rows,) by the clock, spread over the whole day: models see a day as a cycle of its rows."""
    if not isinstance(cleaning.rows, Mapping):
        return moments
    times = week_times(cleaning.rows, cleaning.spacing or 1)
    days, time = moments.astype("datetime64[D]"), (moments - MONDAY).astype(np.int64) % WEEK
    first, last = (np.searchsorted(times, (time // DAY + later) * DAY) for later in (0, 1))
    position = np.searchsorted(times, time) - first
    return np.asarray(days + (DAY * position // np.maximum(last - first, 1)).astype("timedelta64[ms]"))


def _milliseconds(clock: str) -> int:
    return int(np.datetime64(f"1970-01-01T{clock}", "ms").astype(np.int64))


def _clock(time: Any) -> str:
    return str(np.datetime64(int(time) // 1000, "s")).partition("T")[2].removesuffix(":00")
