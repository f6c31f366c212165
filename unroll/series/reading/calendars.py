"""How rows follow one another: evenly, by a calendar of business days, months or hours of
a week, by a clock with daylight saving; and the row that does not follow.
"""

import itertools
import re
from datetime import UTC, datetime
from typing import Any

import numpy as np

from pipeline.data import timestamps
from pipeline.data.examples import Array
from pipeline.data.timestamps import DAY, Regularity, regularity, shown
from unroll.series import row_calendar, time_zones
from unroll.series.options import argument
from unroll.series.row_calendar import LATE_DAYS, MONDAY, WEEK
from unroll.series.row_options import WEEKDAYS, Cleaning

SHORTEST = 28
"""Days of the shortest month."""

CONVENTION = 0.75
"""Share of rows that must lie on one day of the month, such as the last day."""

WEEKS = 3
"""Smallest number of weeks that show opening hours."""

HALF = 0.5
"""Share of the weeks in which a time of the week must have a row."""

RECENT = 9
"""Number of last weeks, in most of which a time of the week is open, if not before."""

INSIDE = 0.98
"""Share of rows that must lie within opening hours."""

FILLED = 0.9
"""Share of times within opening hours that must have a row, and of quarters or years
that must lie on one day of the month."""

OPEN = 0.95
"""Largest share of a week that opening hours can take."""

FAR = 3
"""Rows from the last one that is over to the next, if that belongs to them."""

FEW = 0.05
"""Largest share of rows beside the others that are left out."""

HOUR = DAY // 24
"""Milliseconds of the longest distance of rows that no change of a clock moves."""

EASTERN = np.timedelta64(14, "h")
"""How far the clocks of the farthest time zone are ahead of others."""

ALIKE = 0.2
"""Largest difference of two equal distances; months have 28 to 31 days."""

EVEN = 0.8
"""Smallest share of even steps of rows whose last one may be early."""

FEW_DAYS = 15
"""Smallest number of timestamps without a weekend that show business days."""


ZONES = (
    *("Europe/Berlin", "Europe/London", "Europe/Helsinki", "America/New_York"),
    *("America/Sao_Paulo", "Australia/Sydney", "Pacific/Auckland"),
)
"""Time zones, one for each common rule of daylight saving.

Other zones of the same rule give the same rows."""


def calendar(moments: Array, zone: str | None = None) -> tuple[Cleaning, Regularity]:
    """Return the calendar by which rows follow one another, and their regularity by it.

    The calendar has no `rows` if the rows have an even distance. Rows may also lie
    several months apart, as quarters and years do. Then they must keep a day of the
    month, such as the last day.

    Args:
        moments: (rows,) datetime64[ms]; in UTC if there is a zone.
        zone: the time zone whose clock the calendar follows.
    """
    distinct = timestamps.distinct(
        time_zones.to_wall_clock(moments, zone) if zone else moments
    )
    cleaning = Cleaning()
    if len(distinct) > 2:
        cleaning = Cleaning(rows=_by_days(distinct))
        timed = (distinct != distinct.astype("datetime64[D]")).any()
        if cleaning.rows is None or (cleaning.rows == "business" and timed):
            cleaning = opening_hours(distinct) or cleaning
        if cleaning.rows is None and zone:
            cleaning = _days_of_a_clock(moments, distinct)
    even = row_calendar.numbered(moments, cleaning, zone)
    return cleaning, regularity(even[~np.isnat(even)])


def _by_days(distinct: Array) -> str | None:
    """Return "business" or a kind of month as in `Cleaning.rows`; None if neither fits.

    Args:
        distinct: (rows,) datetime64[ms], more than two, in order, by the clock.
    """
    days = distinct.astype("datetime64[D]")
    steps = np.diff(days).astype(int)
    daily = steps.min() == 1 and np.median(steps) == 1
    if daily and len(days) >= FEW_DAYS and np.is_busday(days).all():
        return "business"
    month_steps = np.diff(days.astype("datetime64[M]")).astype(int)
    if steps.min() < SHORTEST or month_steps.min() <= 0:
        return None
    name, share = day_of_month(days, (distinct - days).astype(np.int64))
    surely = share == 1 and re.match("month( at|, day|$)", name)
    usual = np.median(month_steps) == 1 or share >= FILLED
    return name if surely or (usual and np.ptp(steps) > 0) else None


def _days_of_a_clock(moments: Array, distinct: Array) -> Cleaning:
    """Return the calendar of daily or weekly rows with one time of day on a clock.

    In UTC such rows have no even distance, since days with a change of the clock are
    longer or shorter. For other rows the calendar has no `rows`.

    Args:
        moments: (rows,) datetime64[ms], in UTC.
        distinct: (rows,) the timestamps by the clock, distinct and in order.
    """
    steps = np.diff(distinct).astype(np.int64)
    spacing = int(np.median(steps))
    in_utc = np.diff(timestamps.distinct(moments)).astype(np.int64)
    even = (steps % spacing == 0).all() and (in_utc % spacing != 0).any()
    if spacing not in {DAY, WEEK} or not even:
        return Cleaning()
    weekday, time = divmod(int((distinct[0] - MONDAY).astype(np.int64)) % WEEK, DAY)
    names = WEEKDAYS if spacing == DAY else [WEEKDAYS[weekday]]
    return Cleaning(rows=dict.fromkeys(names, _clock(time)), spacing=spacing // 1000)


def day_of_month(days: Array, times: Array) -> tuple[str, float]:
    """Return the kind of month as in `Cleaning.rows`, and the share of rows on it.

    Args:
        days: (rows,) datetime64[D], one in a month.
        times: (rows,) milliseconds since midnight.
    """
    months = days.astype("datetime64[M]")
    usual = WEEKDAYS[np.bincount((days.astype(np.int64) + 3) % 7).argmax()]
    numbers = [*range(1, SHORTEST + 1), *range(-1, -SHORTEST - 1, -1)]
    names = [
        f"month, {kind} {number}"
        for kind in ("day", "business day", usual)
        for number in numbers
    ]
    names += [f"month, day {number}" for number in LATE_DAYS]
    shares = {
        name: (row_calendar.days_of_months(months, name) == days).mean()
        for name in names
    }
    name = max(shares, key=shares.__getitem__)
    share = float(shares[name])
    if share < CONVENTION or name == "month, day 1":
        name = "month"
    if times[0] and np.ptp(times) == 0:
        name += f" at {_clock(times[0])}"
    return name, share


def opening_hours(moments: Array) -> Cleaning | None:
    """Return the opening hours that rows keep, with the distance of rows.

    None means that rows are not confined to a part of the week, or that the weeks are
    too few to tell. A day without rows, such as a holiday, does not matter; neither do
    single rows that lack or lie outside.

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
    lately = np.searchsorted(times, time[week > week.max() - RECENT])
    usual = (filled >= HALF * days) & (days >= HALF * weeks)
    usual |= np.bincount(lately, minlength=len(times)) > HALF * RECENT
    hours = times[usual]
    inside = filled[usual].sum()
    confined = 0 < len(hours) * spacing <= OPEN * WEEK
    whole = inside >= INSIDE * len(moments) and inside >= FILLED * days[usual].sum()
    if not (confined and whole):
        return None
    by_day = {name: _ranges(hours, day, spacing) for day, name in enumerate(WEEKDAYS)}
    return Cleaning(
        rows={name: text for name, text in by_day.items() if text},
        spacing=spacing // 1000,
    )


def _ranges(times: Array, day: int, spacing: int) -> str:
    """Return times of a week on one of its days, such as "08:00-12:00, 14:00-18:00"."""
    of_day = times[times // DAY == day] % DAY
    breaks = np.flatnonzero(np.diff(of_day) != spacing) + 1
    runs = [run for run in np.split(of_day, breaks) if len(run)]
    ends = [dict.fromkeys([_clock(run[0]), _clock(run[-1])]) for run in runs]
    return ", ".join(map("-".join, ends))


def _clock(time: Any) -> str:
    return (
        str(np.datetime64(int(time) // 1000, "s")).partition("T")[2].removesuffix(":00")
    )


def evenness(moments: Array) -> float:
    """Return the share of the time that evenly spaced rows fill."""
    cleaning, regular = calendar(moments)
    even = row_calendar.numbered(moments, cleaning)
    steps = np.diff(timestamps.distinct(even[~np.isnat(even)])).astype(np.int64)
    freq = regular.freq * 1000
    return float((steps == freq).sum() * freq / max(1, steps.sum()))


def time_zone(moments: Array) -> tuple[str | None, bool]:
    """Return the time zone that makes timestamps more regular than they are as written.

    Args:
        moments: (rows,) datetime64[ms], as written.

    Returns:
        The zone, None if there is none; and whether timestamps are ends of intervals.
    """
    written = regularity(moments)
    odd: dict[tuple[str | None, bool], int]
    odd = {(None, False): written.repeated + written.gaps}
    if written.repeated and written.freq <= 3600:
        for zone, ends in itertools.product(ZONES, (False, True)):
            moved = time_zones.to_utc(moments, zone, ends=ends)
            regular = regularity(moved, written.freq)
            if not np.isnat(moved).any():
                odd[zone, ends] = regular.repeated + regular.gaps
    return min(odd, key=odd.__getitem__)


def skipping_zone(moments: Array) -> str | None:
    """Return the time zone whose clock skips an hour in spring where rows lack it.

    Rows must lack this hour in two years at least. None means that no zone is like that.

    Args:
        moments: (rows,) datetime64[ms], as written.
    """
    ordered = timestamps.distinct(moments)
    steps = np.diff(ordered).astype(np.int64)
    freq = 1000 * regularity(moments).freq
    lacking = (ordered[:-1] + freq)[steps == freq + DAY // 24]
    for zone in ZONES:
        skipped = lacking[np.isnat(time_zones.to_utc(lacking, zone))]
        if len(np.unique(skipped.astype("datetime64[Y]"))) > 1:
            return zone
    return None


def now() -> datetime:
    """Return the time by this machine's clock."""
    return datetime.now().astimezone()


def this_moment(*, utc: bool) -> np.datetime64:
    """Return the time now, in UTC or by this machine's clock."""
    moment = now().astimezone(UTC) if utc else now()
    return np.datetime64(moment.replace(tzinfo=None), "ms")


def unfinished(moments: Array, zone: str | None, *, utc: bool) -> np.datetime64 | None:
    """Return the first timestamp whose day, week, month ... is not over, None if all are.

    It is not over if it lasts until now or comes later, or if the row was written before
    it is due, as on 18 June below the last days of months. Rows of less than a day are
    over unless they come later. Where most rows come later, the clock is another one.

    Args:
        moments: (rows,) datetime64[ms], in UTC if there is a zone.
        zone: the time zone of the rows' clock, if it is known.
        utc: whether the timestamps are in UTC.
    """
    this = this_moment(utc=utc or bool(zone))
    every = timestamps.distinct(moments)
    if len(every) < FAR:
        return None
    usual = np.median(np.diff(every))
    is_dense = usual < np.timedelta64(1, "D")
    of_unknown_zone = is_dense and not (utc or zone)
    begun = every[every <= this + of_unknown_zone * EASTERN]
    later = every[len(begun) :]
    if 2 * len(begun) < len(every):  # a rule refuses such rows
        return None
    last = None if is_dense else _not_over(begun, this, zone)
    if last is None and len(later) and later[0] - begun[-1] <= FAR * usual:
        return np.datetime64(later[0])
    return last


def _not_over(
    ordered: Array, this: np.datetime64, zone: str | None
) -> np.datetime64 | None:
    """Return the last of the timestamps of days, weeks ... if it is not over now."""
    steps = np.diff(ordered[:-1]).astype(np.int64)
    if len(steps) < FAR:
        return None
    last = ordered[-1]
    cleaning, regular = calendar(ordered[:-1], zone)
    freq = np.timedelta64(regular.freq, "s")
    number = row_calendar.numbered(ordered[-2:-1], cleaning, zone) + freq
    due = row_calendar.stamps(number, cleaning, zone)[0]
    # Before the end of a period, it ends with the row; else it begins with the row.
    begin = last - freq if freq > np.timedelta64(1, "D") else last
    end = last + freq
    if str(cleaning.rows).startswith("month"):
        months = freq.astype("timedelta64[D]").astype(int)
        begin = last.astype("datetime64[M]")
        at_end = re.search("-|2[89]|30", str(cleaning.rows))
        end = begin + (1 if at_end else months)
        begin = end - months
    even = near(steps, np.median(steps)).mean() >= EVEN
    by_days = cleaning.rows == "business" or isinstance(cleaning.rows, dict)
    is_early = even and last < due and not by_days
    return last if is_early or begin <= this < end else None


def left_out(last: np.datetime64) -> str:
    """Return that the rows of a timestamp are left out (`unfinished`), in words."""
    return (
        f"{shown(last)} is left out, with any rows after it, since its period is not "
        f"over; {argument('keep_last', True)} keeps it"
    )


def off_grid(moments: Array) -> tuple[Array, int]:
    """Return which rows of a series lie beside the regular times of the others.

    Months are counted from their beginning or from their end.

    Args:
        moments: (rows,) datetime64[ms], by the clock.

    Returns:
        (rows,) bool, false if most rows have no regular time; and the milliseconds
        between most rows.
    """
    steps, counts = np.unique(
        np.diff(timestamps.distinct(moments)).astype(np.int64), return_counts=True
    )
    if not len(steps):
        return np.zeros(len(moments), bool), DAY
    spacing = int(steps[counts.argmax()])
    places = [moments.astype(np.int64) % spacing]
    if spacing >= SHORTEST * DAY:
        months = moments.astype("datetime64[M]")
        places = [moments - months, moments - (months + 1)]
    found = [np.unique(place, return_inverse=True) for place in places]
    off = min((place != np.bincount(place).argmax() for _, place in found), key=np.sum)
    return off & (2 * off.sum() < len(off)), spacing


def near(steps: Any, others: Any) -> Any:
    """Return whether distances (rows,) are those of others, but for days of a month."""
    return abs(steps - others) <= ALIKE * np.maximum(steps, others)
