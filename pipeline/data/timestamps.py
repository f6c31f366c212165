"""Cells that say when a row was measured -> instants, whatever clock they were read from."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pipeline.data.examples import Array

if TYPE_CHECKING:
    import pandas as pd

DAY = 86_400_000
"""Milliseconds."""

UNIX = {"unix": "s", "unix_ms": "ms"}
"""Formats that count from 1970 in UTC -> what they count."""

OFFSET = re.compile(r"\d[:T]\d\S*\s?(Z|[+-]\d\d(:?\d\d)?)$")
"""A time of day, and after it the distance from UTC."""


def increasing(stamps: Array) -> bool:
    """Whether each stamp is later than the one before."""
    return bool((stamps[1:] > stamps[:-1]).all())


def distinct(stamps: Array) -> Array:
    """The different ones of (rows,), in their order; faster than `np.unique`, which hashes, where they have one."""
    if increasing(stamps):
        return stamps
    ordered = np.sort(stamps, kind="stable")
    return np.asarray(ordered[np.append(True, ordered[1:] != ordered[:-1])])


def first_rows(stamps: Array) -> tuple[Array, Array | slice]:
    """`distinct`, and the row where each of them stands first."""
    return (stamps, slice(None)) if increasing(stamps) else np.unique(stamps, return_index=True)


class Regularity(NamedTuple):
    """How regular timestamps are.

    Attributes:
        freq: seconds from one row to the next.
        repeated: rows whose timestamp was there before.
        gaps: how often the next later timestamp is not `freq` seconds on.
    """

    freq: int
    repeated: int
    gaps: int


def regularity(stamps: Array, freq: int | None = None) -> Regularity:
    """Of timestamps (rows,) datetime64[ms], by a `freq` in seconds or by their median distance."""
    ordered = distinct(stamps)
    differences = np.diff(ordered).astype(np.int64)
    if freq is None:
        freq = max(1, round(float(np.median(differences)) / 1000)) if len(differences) else 1
    return Regularity(freq, len(stamps) - len(ordered), int((differences != freq * 1000).sum()))


def joined(frame: "pd.DataFrame", columns: Sequence[str]) -> "pd.Series[Any]":
    """The stamp of each row as one text, its columns with a space between; missing where one of them is.

    A single column that is no text (of a Parquet file) stays as it is.
    """
    import pandas as pd

    first, *rest = (frame[column] for column in columns)
    if not rest:
        return first
    text = first.astype("str").str.cat([column.astype("str") for column in rest], sep=" ")
    return text.mask(pd.concat([first, *rest], axis=1).isna().any(axis=1))


def parse(cells: "pd.Series[Any]", stamp_format: str) -> tuple[Array, bool]:
    """Stamps as they are written, or in UTC where they say their distance from it.

    Args:
        cells: text, or datetimes.
        stamp_format: as `strptime` takes it, "ISO8601", or a key of `UNIX`.

    Returns:
        (rows,) datetime64[ms], NaT where a cell is of another form, and whether they are in UTC.

    Raises:
        ValueError, re.error: there is no such format.
    """
    import pandas as pd

    if stamp_format in UNIX:
        numbers = pd.to_numeric(cells, errors="coerce")
        found, known = pd.to_datetime(numbers, unit=UNIX[stamp_format], errors="coerce", utc=True), True
    elif stamp_format == "ISO8601" and cells.dtype == "str" and (quick := _iso(cells)) is not None:
        return quick, False
    else:
        written = cells.mask(cells.isin(["now", "today"]))  # words for which pandas gives the time of this build
        found = pd.to_datetime(written, format=stamp_format, errors="coerce", utc=True)
        aware = getattr(cells.dtype, "tz", None) is not None
        known = aware or (len(cells) > 0 and OFFSET.search(str(cells.iloc[0]).strip()) is not None)
    return np.asarray(found.dt.tz_localize(None), dtype="datetime64[ms]"), known


def _iso(cells: "pd.Series[Any]") -> Array | None:
    """Stamps (rows,) by Arrow, if all are of the usual form and none says its distance from UTC; else None."""
    import pyarrow as pa

    try:
        return np.asarray(pa.array(cells).cast(pa.timestamp("ms")).to_numpy(zero_copy_only=False), "datetime64[ms]")
    except pa.ArrowInvalid:
        return None


def shown(stamp: np.datetime64) -> str:
    """A stamp as people read it, to the second."""
    return str(stamp.astype("datetime64[s]")).replace("T", " ")


def evenly(stamps: Array, rows: str | None) -> Array:
    """Days or months that follow one another -> as many days in a row, so that no gap lies between them.

    Args:
        stamps: (rows,) datetime64[ms].
        rows: "business" for days from Monday to Friday, "month" (quarters are three of them apart); None
            leaves them as they are.
    """
    days: Array
    if rows == "business":
        days = np.asarray(np.busday_count(np.datetime64("1970-01-01"), stamps.astype("datetime64[D]")))
    elif rows == "month":
        days = stamps.astype("datetime64[M]").astype(np.int64)
    else:
        return stamps
    return np.asarray((days * DAY).astype("datetime64[ms]"))


def as_they_are(stamps: Array, rows: str | None) -> Array:
    """The inverse of `evenly`, to the day; of a month its first one."""
    days = stamps.astype("datetime64[ms]").astype(np.int64) // DAY
    if rows == "business":
        return np.asarray(np.busday_offset(np.datetime64("1970-01-01"), days), "datetime64[ms]")
    return days.astype("datetime64[M]").astype("datetime64[ms]") if rows == "month" else stamps


def to_utc(stamps: Array, zone: str, *, ends: bool = False, whose: Array | None = None) -> Array:
    """Readings of a wall clock that keeps daylight saving -> UTC; NaT where the clock skipped that reading.

    Of a reading that comes twice, in the night when clocks are put back, the earlier is summer time.

    Args:
        stamps: (rows,) datetime64[ms], as written.
        zone: such as "Europe/Berlin".
        ends: whether they tell the end of what was measured: of an hour from 02:00 to 03:00, say, 03:00.
        whose: (rows,) of several series the number of each row's; None for one.

    Raises:
        KeyError: there is no such zone.
    """
    import pandas as pd

    if ends:
        apart = np.median(np.diff(distinct(stamps)))
        return np.asarray(to_utc(stamps - apart, zone, whose=whose) + apart)
    order = "last" if len(stamps) and stamps[0] > stamps[-1] else "first"  # a file may begin with the newest row
    rows = pd.Series(stamps) if whose is None else pd.DataFrame({"stamp": stamps, "whose": whose})
    summer = ~rows.duplicated(keep=order).to_numpy()
    index = pd.DatetimeIndex(stamps).tz_localize(_zone(zone), ambiguous=summer, nonexistent="NaT")
    return np.asarray(index.tz_convert(None), dtype="datetime64[ms]")


def to_wall_clock(stamps: Array, zone: str) -> Array:
    """The inverse of `to_utc`."""
    import pandas as pd

    index = pd.DatetimeIndex(stamps).tz_localize("UTC").tz_convert(_zone(zone))
    return np.asarray(index.tz_localize(None), dtype="datetime64[ms]")


def _zone(name: str) -> Any:
    import zoneinfo

    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise KeyError(name) from None
