"""Checks of all timestamps of a file together: their century, slips, their distances,
and the clock that they show.
"""

import itertools

import numpy as np

from pipeline.data import row_calendar, timestamps
from pipeline.data.examples import Array
from pipeline.data.timestamps import regularity
from series.reading import calendars

ZONES = (
    *("Europe/Berlin", "Europe/London", "Europe/Helsinki", "America/New_York"),
    *("America/Sao_Paulo", "Australia/Sydney", "Pacific/Auckland"),
)
"""Time zones, one for each common rule of daylight saving.

Other zones of the same rule give the same rows."""

DISPLACED = 3
"""Smallest distance of a slip from its place, in rows."""

HOLE = 4
"""Largest distance of a slip's two neighbours, in rows."""

FEW = 0.05
"""Largest fraction of the rows that may be slips."""

IN_ORDER = 0.8
"""Smallest share of steps forward, less steps back, of sorted rows."""

MOST = 10
"""Largest number of rows that are looked at as slips."""


def first_year(moments: Array) -> int | None:
    """Return the first of the hundred years that years of two digits lie in.

    None means that `strptime` reads the years right. The years of one file lie close
    together, and they do not begin in the future. Where `strptime` reads two centuries,
    the years do not reach into the future either.

    Args:
        moments: (rows,) datetime64[ms], as `strptime` reads them.
    """
    years = np.unique(moments.astype("datetime64[Y]").astype(int) + 1970)
    of_century = np.unique(years % 100)
    steps = np.diff(of_century, append=of_century[0] + 100)
    widest = steps.argmax()
    span = 100 - steps[widest]
    first = 2000 + int(np.roll(of_century, -1)[widest])
    today = np.datetime64("today", "Y").astype(int) + 1970
    together = years[-1] - years[0] == span
    if first + span > today and not (together and years[0] == first <= today):
        first -= 100
    return None if together and years[0] == first else first


def slip(moments: Array) -> int | None:
    """Return the row whose timestamp contradicts the others; None if none does.

    There are three kinds of such rows: a row out of its place in the file; a row
    between the regular times of nearly all rows; and a row far away from them.

    Args:
        moments: (rows,) datetime64[ms], in the order of the file.
    """
    ordered = timestamps.distinct(moments)
    steps = np.diff(ordered).astype(np.int64)
    forward = np.sign(np.diff(moments).astype(np.int64)).sum()
    if len(steps) < DISPLACED or abs(forward) < IN_ORDER * len(moments):
        return None
    freq = float(np.median(steps))
    found = (
        _out_of_place(moments, freq),
        _off_the_grid(moments, freq),
        _far_away(moments, ordered, steps),
    )
    return next((row for row in found if row is not None), None)


def _out_of_place(moments: Array, freq: float) -> int | None:
    """Return a row far from its neighbours, between which a row is missing.

    Another row has the same timestamp, or the timestamp lies outside of all others.
    """
    times = moments.astype(np.int64)
    before = abs(times[1:-1] - times[:-2])
    after = abs(times[1:-1] - times[2:])
    hole = abs(times[2:] - times[:-2])
    away = np.minimum(before, after) >= DISPLACED * freq
    suspects = 1 + np.flatnonzero(away & (hole >= 1.8 * freq) & (hole <= HOLE * freq))
    for row in suspects[:MOST]:
        others = np.delete(moments, row)
        taken = (others == moments[row]).any()
        if taken or not others.min() < moments[row] < others.max():
            return int(row)
    return None


def _off_the_grid(moments: Array, freq: float) -> int | None:
    """Return a row, of very few, that lies between the regular times of the others."""
    places = [(moments - moments[0]).astype(np.int64) % max(1, int(freq))]
    if freq >= calendars.SHORTEST * timestamps.DAY:
        months = moments.astype("datetime64[M]")
        places = [moments - months, moments - (months + 1)]
    rows = []
    for place in places:
        usual, counts = np.unique(place, return_counts=True)
        off = np.flatnonzero(place != usual[counts.argmax()])
        if not len(off):
            return None
        if len(off) <= min(3, FEW * len(moments)):
            rows.append(int(off[0]))
    return rows[0] if rows else None


def _far_away(moments: Array, ordered: Array, steps: Array) -> int | None:
    """Return a row, of few, beyond a gap that is longer than half of the whole time."""
    widest = int(steps.argmax())
    if 2 * steps[widest] <= steps.sum():
        return None
    for few in (moments <= ordered[widest], moments > ordered[widest]):
        if few.sum() <= FEW * len(moments):
            return int(few.argmax())
    return None


def evenness(moments: Array) -> float:
    """Return the share of the time that evenly spaced rows fill."""
    cleaning, regular = calendars.calendar(moments)
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
    best: tuple[str | None, bool] = (None, False)
    least = regularity(moments)
    freq = least.freq
    if not least.repeated or freq > 3600:
        return best
    for name, ends in itertools.product(ZONES, (False, True)):
        moved = timestamps.to_utc(moments, name, ends=ends)
        if np.isnat(moved).any():
            continue
        regular = regularity(moved, freq)
        if regular.repeated + regular.gaps < least.repeated + least.gaps:
            best = (name, ends)
            least = regular
    return best
