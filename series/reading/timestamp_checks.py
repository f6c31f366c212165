"""Checks of all timestamps of a file together: their century, slips, their distances,
and the clock that they show.
"""

import itertools
from collections.abc import Iterator

import numpy as np
import pandas as pd

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

TWO_STEPS = 1.8
"""Smallest distance of a slip's two neighbours, in rows: about two, since one lacks."""

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
    together, and they do not begin in the future: 98, 99 and 00 are 1998 to 2000. Where
    `strptime` reads two centuries, the years do not reach into the future either.

    Args:
        moments: (rows,) datetime64[ms], as `strptime` reads them.
    """
    years = np.unique(moments.astype("datetime64[Y]").astype(int) + 1970)
    two_digits = np.unique(years % 100)
    # A hundred years are a circle. The file's years begin behind the widest gap in it.
    gaps = np.diff(two_digits, append=two_digits[0] + 100)
    first = 2000 + int(np.roll(two_digits, -1)[gaps.argmax()])
    last = first + 100 - int(gaps.max())
    first_as_read = years[0] if np.ptp(years) == last - first else None
    this_year = np.datetime64("today", "Y").astype(int) + 1970
    if last > this_year and (first != first_as_read or first > this_year):
        first -= 100
    return None if first == first_as_read else first


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
    found = [
        *_out_of_place(moments, freq),
        *_off_the_grid(moments, freq),
        *_far_away(moments, ordered, steps),
    ]
    return found[0] if found else None


def _out_of_place(moments: Array, freq: float) -> Iterator[int]:
    """Yield rows far from their neighbours, between which a row is missing.

    Another row has the same timestamp, or the timestamp lies outside of all others.
    """
    times = moments.astype(np.int64)
    to_before = abs(times[1:-1] - times[:-2])
    to_next = abs(times[1:-1] - times[2:])
    hole = abs(times[2:] - times[:-2])
    is_far = np.minimum(to_before, to_next) >= DISPLACED * freq
    is_hole = (hole >= TWO_STEPS * freq) & (hole <= HOLE * freq)
    for row in 1 + np.flatnonzero(is_far & is_hole)[:MOST]:
        others = np.delete(moments, row)
        is_taken = (others == moments[row]).any()
        if is_taken or not others.min() < moments[row] < others.max():
            yield int(row)


def _off_the_grid(moments: Array, freq: float) -> list[int]:
    """Return the rows, if very few, that lie between the regular times of the others.

    Months may be counted from their beginning or from their end.
    """
    places = [(moments - moments[0]).astype(np.int64) % max(1, int(freq))]
    if freq >= calendars.SHORTEST * timestamps.DAY:
        months = moments.astype("datetime64[M]")
        places = [moments - months, moments - (months + 1)]
    fewest = min(
        (np.flatnonzero(place != pd.Series(place).mode().iloc[0]) for place in places),
        key=len,
    )
    return fewest.tolist() if len(fewest) <= min(3, FEW * len(moments)) else []


def _far_away(moments: Array, ordered: Array, steps: Array) -> Iterator[int]:
    """Yield the first of few rows behind a gap longer than half of the whole time."""
    widest = int(steps.argmax())
    for few in (moments <= ordered[widest], moments > ordered[widest]):
        if 2 * steps.max() > steps.sum() and few.sum() <= FEW * len(moments):
            yield int(few.argmax())


def evenness(moments: Array) -> float:
    """Return the share of the time that evenly spaced rows fill."""
    cleaning, regular = calendars.calendar(moments)
    even = row_calendar.numbered(moments, cleaning)
    steps = np.diff(timestamps.distinct(even[~np.isnat(even)])).astype(np.int64)
    freq = regular.freq * 1000
    return float((steps == freq).sum() * freq / max(1, steps.sum()))


def time_zone(moments: Array) -> tuple[str | None, bool, str]:
    """Return the time zone that makes timestamps more regular than they are as written.

    Args:
        moments: (rows,) datetime64[ms], as written.

    Returns:
        The zone, None if there is none; whether timestamps are ends of intervals; and
        the reason for the zone.
    """
    best: tuple[str | None, bool, str] = (None, False, "")
    why = (
        "hours are missing in spring and doubled in autumn; other zones of the same "
        "rule would do"
    )
    written = regularity(moments)
    least = written.repeated + written.gaps
    if not written.repeated or written.freq > 3600:
        return best
    for name, ends in itertools.product(ZONES, (False, True)):
        moved = timestamps.to_utc(moments, name, ends=ends)
        regular = regularity(moved, written.freq)
        odd = regular.repeated + regular.gaps
        if odd < least and not np.isnat(moved).any():
            best = (name, ends, why)
            least = odd
    return best
