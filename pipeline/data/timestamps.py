"""Timestamps of rows: how regular they are, time zones and daylight saving."""

from typing import NamedTuple

import numpy as np

from pipeline.data.examples import Array

DAY = 86_400_000
"""Milliseconds of a day."""

UNITS = {"week": 604_800, "day": 86_400, "hour": 3600, "minute": 60, "second": 1}
"""Unit of time -> its seconds."""


def distinct(timestamps: Array) -> Array:
    """Return the unique timestamps of (rows,), sorted."""
    return first_rows(timestamps)[0]


def first_rows(timestamps: Array) -> tuple[Array, Array]:
    """Return the unique timestamps, sorted, and the index of the first row of each."""
    # Without the index NumPy takes ten times as long.
    return np.unique(timestamps, return_index=True)


class Regularity(NamedTuple):
    """The regularity of timestamps.

    Attributes:
        freq: seconds from row to row.
        repeated: how many timestamps are duplicates.
        gaps: how many steps differ from `freq`.
    """

    freq: int
    repeated: int
    gaps: int


def regularity(timestamps: Array, freq: int | None = None) -> Regularity:
    """Return the regularity of timestamps.

    Args:
        timestamps: (rows,) datetime64[ms].
        freq: seconds from row to row; by default the median step.
    """
    ordered = distinct(timestamps)
    steps = np.diff(ordered).astype(np.int64)
    if freq is None:
        median = float(np.median(steps)) if len(steps) else 1000.0
        freq = max(1, round(median / 1000))
    repeated = len(timestamps) - len(ordered)
    return Regularity(freq, repeated, int((steps != freq * 1000).sum()))


def shown(timestamp: np.datetime64) -> str:
    """Return a timestamp as text, to the second: "2024-01-31 12:00:00"."""
    return str(timestamp.astype("datetime64[s]")).replace("T", " ")


def to_utc(
    timestamps: Array,
    zone: str,
    *,
    ends: bool = False,
    series_id: Array | None = None,
    nonexistent: str = "NaT",
) -> Array:
    """Convert local time with daylight saving to UTC.

    A time in the hour that clocks skip does not exist and becomes NaT. If a time in the
    hour that clocks repeat comes twice, the earlier one is summer time.

    Args:
        timestamps: (rows,) datetime64[ms], as written.
        zone: the time zone, such as "Europe/Berlin".
        ends: whether timestamps are the ends of intervals, such as 03:00 for the hour
            from 02:00.
        series_id: (rows,) the series of each row; None for a single series.
        nonexistent: "shift_forward" replaces a skipped time by the next time that
            exists.

    Raises:
        KeyError: there is no such zone.
    """
    import pandas as pd

    if ends:
        freq = np.median(np.diff(distinct(timestamps)))
        return np.asarray(to_utc(timestamps - freq, zone, series_id=series_id) + freq)
    newest_first = len(timestamps) > 0 and timestamps[0] > timestamps[-1]
    rows = pd.DataFrame({"timestamp": timestamps})
    if series_id is not None:
        rows["series_id"] = series_id
    repeated = rows.duplicated(keep="last" if newest_first else "first").to_numpy()
    index = pd.DatetimeIndex(timestamps)
    index = index.tz_localize(zone, ambiguous=~repeated, nonexistent=nonexistent)
    return np.asarray(index.tz_convert(None), dtype="datetime64[ms]")


def to_wall_clock(timestamps: Array, zone: str) -> Array:
    """Convert UTC to the local time of a time zone."""
    import pandas as pd

    index = pd.DatetimeIndex(timestamps).tz_localize("UTC").tz_convert(zone)
    return np.asarray(index.tz_localize(None), dtype="datetime64[ms]")


def duration(seconds: int) -> str:
    """Return a duration as text in the largest unit that divides it, such as "an hour"."""
    unit = next(unit for unit, length in UNITS.items() if seconds % length == 0)
    count = seconds // UNITS[unit]
    if count != 1:
        return f"{count:,} {unit}s"
    return "an hour" if unit == "hour" else f"a {unit}"
