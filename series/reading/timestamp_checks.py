"""What timestamps of a file say together: their century, slips, how even they are,
their clock.
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
"""One time zone for each rule of daylight saving that many live by; others of the same
rule give the same rows."""

DISPLACED = 3
"""Rows that a slip lies away from its place, at least."""

HOLE = 4
"""Rows from one neighbour of a slip to the other, at most."""

FEW = 0.05
"""The largest fraction of the rows that may be slips."""

IN_ORDER = 0.8
"""Steps forward less steps back, as a fraction of the rows, from which on their order
counts."""

MOST = 10
"""Rows that are looked at as slips."""


def first_year(moments: Array) -> int | None:
    """Return the first of the hundred years that two-digit years lie in.

    None where `strptime` is right about them. The years of one file are closer to one
    another than to the same years of another century. They do not begin in the future,
    nor reach it where `strptime` puts them into two centuries.

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
    """Return the row of a timestamp (rows,) that contradicts the others; None where
    none does.

    It is a row out of its place, one of very few between the times at which all others
    lie, or one of few that lie further from all others than those from each other.
    """
    ordered = timestamps.distinct(moments)
    steps = np.diff(ordered).astype(np.int64)
    forward = np.sign(np.diff(moments).astype(np.int64)).sum()
    if len(steps) < DISPLACED or abs(forward) < IN_ORDER * len(moments):
        return None
    freq = float(np.median(steps))
    row = _out_of_place(moments, freq)
    if row is None:
        row = _off_the_grid(moments, freq)
    if row is None:
        row = _far_away(moments, ordered, steps)
    return row


def _out_of_place(moments: Array, freq: float) -> int | None:
    """Return a row far from its neighbours, which have a hole where it should be.

    Its own time is taken or beyond all others.
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
    """Return one of very few rows between the times at which all others lie."""
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
    """Return one of few rows that lie further from all others than those from each
    other.
    """
    widest = int(steps.argmax())
    if 2 * steps[widest] <= steps.sum():
        return None
    for few in (moments <= ordered[widest], moments > ordered[widest]):
        if few.sum() <= FEW * len(moments):
            return int(few.argmax())
    return None


def evenness(moments: Array) -> float:
    """Return the share of time, from the first row to the last, that has rows of their
    frequency.
    """
    cleaning, regular = calendars.calendar(moments)
    even = row_calendar.numbered(moments, cleaning)
    steps = np.diff(timestamps.distinct(even[~np.isnat(even)])).astype(np.int64)
    freq = regular.freq * 1000
    return float((steps == freq).sum() * freq / max(1, steps.sum()))


def time_zone(moments: Array) -> tuple[str | None, bool]:
    """Return the time zone by whose clock timestamps (rows,) are more regular than as
    written, and whether they tell the ends of intervals.

    The zone is None where there is no such clock.
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
