"""Timestamps of rows: how regular they are, time zones and daylight saving."""

from typing import NamedTuple

import numpy as np

from pipeline.data.examples import Array

DAY = 86_400_000
"""Milliseconds of a day."""

UNITS = {"week": 604_800, "day": 86_400, "hour": 3600, "minute": 60, "second": 1}
"""Units of time -> their seconds."""


def distinct(timestamps: Array) -> Array:
    """Return the unique timestamps of (rows,), sorted."""
    return first_rows(timestamps)[0]


def first_rows(timestamps: Array) -> tuple[Array, Array]:
    """Return `distinct`, and the index of the first row with each of them."""
    # Without the index NumPy takes ten times as long.
    return np.unique(timestamps, return_index=True)


class Regularity(NamedTuple):
    """How regular timestamps are.

    Attributes:
        freq: seconds from row to row.
        repeated: how many timestamps are duplicates.
        gaps: how many steps differ from `freq`.
    """

    freq: int
    repeated: int
    gaps: int


def regularity(timestamps: Array, freq: int | None = None) -> Regularity:
    """Return how regular timestamps are.

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
    """Return local time with daylight saving in UTC.

    A time that does not exist, in the hour that clocks skip, becomes NaT. Of a time
    that comes twice, in the hour that clocks repeat, the earlier one is summer time.

    Args:
        timestamps: (rows,) datetime64[ms], as written.
        zone: such as "Europe/Berlin".
        ends: whether they are the ends of intervals: 03:00 for the hour from 02:00 to
            03:00.
        series_id: (rows,) the series of each row; None for a single series.
        nonexistent: "shift_forward" for the next time that exists instead of NaT.

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
    """Return the inverse of `to_utc`."""
    import pandas as pd

    index = pd.DatetimeIndex(timestamps).tz_localize("UTC").tz_convert(zone)
    return np.asarray(index.tz_localize(None), dtype="datetime64[ms]")


def duration(seconds: int) -> str:
    """Return a time in words, by the largest unit that it is whole in: "an hour"."""
    unit = next(unit for unit, length in UNITS.items() if seconds % length == 0)
    count = seconds // UNITS[unit]
    if count != 1:
        return f"{count:,} {unit}s"
    return "an hour" if unit == "hour" else f"a {unit}"
