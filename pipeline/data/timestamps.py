"""Timestamps of rows: how regular they are, and how they are shown."""

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


def duration(seconds: int) -> str:
    """Return a duration as text in the largest unit that divides it, such as "an hour"."""
    unit = next(unit for unit, length in UNITS.items() if seconds % length == 0)
    count = seconds // UNITS[unit]
    if count != 1:
        return f"{count:,} {unit}s"
    return "an hour" if unit == "hour" else f"a {unit}"
