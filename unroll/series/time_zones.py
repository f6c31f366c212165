"""Local time with daylight saving, and UTC."""

import numpy as np
import pandas as pd

from pipeline.data.examples import Array
from pipeline.data.timestamps import distinct


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
    index = pd.DatetimeIndex(timestamps).tz_localize("UTC").tz_convert(zone)
    return np.asarray(index.tz_localize(None), dtype="datetime64[ms]")
