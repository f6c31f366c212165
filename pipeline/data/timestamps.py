"""Timestamps of rows: parsing, time zones and daylight saving, and regularity."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pipeline.data import notations
from pipeline.data.examples import Array
from pipeline.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

DAY = 86_400_000
"""Milliseconds."""

COUNTS = {
    "unix": ("s", "1970-01-01", 0.0),
    "unix_ms": ("ms", "1970-01-01", 4.2e9),
    "unix_us": ("us", "1970-01-01", 4.2e12),
    "unix_ns": ("ns", "1970-01-01", 4.2e15),
    "excel": ("D", "1899-12-30", 0.0),
}
"""Formats that count from a day -> pandas' name of the unit, that day, the largest count of the next larger unit."""

YEARS = (1800, 2100)
"""Years of timestamps that are taken without being asked for."""

UTC_OFFSET = re.compile(r"\d[:T]\d\S*\s?(Z|[+-]\d\d(:?\d\d)?)$")
"""A time of day followed by a UTC offset."""


def distinct(timestamps: Array) -> Array:
    """Return the unique timestamps of (rows,), sorted."""
    return first_rows(timestamps)[0]


def first_rows(timestamps: Array) -> tuple[Array, Array]:
    """Return `distinct`, and the index of the first row with each of them."""
    return np.unique(timestamps, return_index=True)  # without the index NumPy takes ten times as long


class Regularity(NamedTuple):
    """Seconds from row to row, how many timestamps are duplicates, and how many steps differ from `freq`."""

    freq: int
    repeated: int
    gaps: int


def regularity(timestamps: Array, freq: int | None = None) -> Regularity:
    """The regularity of timestamps (rows,) datetime64[ms]; `freq` in seconds is the median step if it is not given."""
    ordered = distinct(timestamps)
    steps = np.diff(ordered).astype(np.int64)
    if freq is None:
        freq = max(1, round(float(np.median(steps)) / 1000)) if len(steps) else 1
    return Regularity(freq, len(timestamps) - len(ordered), int((steps != freq * 1000).sum()))


def joined(frame: "pd.DataFrame", columns: Sequence[str]) -> "pd.Series[Any]":
    """Return the timestamp of each row as text, its columns joined by a space; NA where one of them is.

    A single column is returned as it is: in a Parquet file it need not be text.
    """
    if len(columns) == 1:
        return frame[columns[0]]
    texts = frame[list(columns)].astype("str")
    return texts[columns[0]].str.cat(texts[list(columns[1:])], sep=" ")


def parse(cells: "pd.Series[Any]", stamp_format: str, first_year: int | None = None) -> tuple[Array, bool]:
    """Parse timestamps as written, or in UTC if they have a UTC offset.

    Args:
        cells: text, or datetimes.
        stamp_format: a format of `strptime`, where `%q` is a quarter and `%G` with `%V` a week; "ISO8601", or a key of
            `COUNTS`. Other notations of the same (`notations.DATES`, hour 24) are read, too.
        first_year: the first of the hundred years that `%y` stands for; by default 1969.

    Returns:
        (rows,) datetime64[ms], NaT where a cell has another format, and whether they are in UTC.

    Raises:
        ValueError, re.error: there is no such format.
    """
    if stamp_format in COUNTS:
        return _counted(cells, stamp_format), stamp_format.startswith("unix")
    if cells.dtype == "str":  # pandas would read 10:00-11:00 as a time with an offset
        cells = cells.str.replace(notations.CLOSE_INTERVAL, r"\1", regex=True)
    parsed = _strptime(cells, stamp_format)
    failed = np.isnat(parsed)
    if failed.any() and cells.dtype == "str":
        texts = cells[failed].dropna().map(notations.plain_date)
        midnight = texts.str.replace(notations.HOUR_24, "00", regex=True)
        later = np.where(midnight != texts, DAY, 0).astype("timedelta64[ms]")
        again = _strptime(midnight, stamp_format.replace("%B", "%b")) + later
        parsed[np.flatnonzero(failed)[cells[failed].notna()]] = again
    if first_year is not None:
        parsed = in_century(parsed, first_year)
    aware = getattr(cells.dtype, "tz", None) is not None
    return parsed, aware or (len(cells) > 0 and UTC_OFFSET.search(str(cells.iloc[0]).strip()) is not None)


def _strptime(cells: "pd.Series[Any]", stamp_format: str) -> Array:
    """Return (rows,) datetime64[ms] by pandas, for which quarters become months, and weeks get their Monday."""
    import pandas as pd

    cells = cells.mask(cells.isin(["now", "today"]))  # pandas would parse these as the current time
    if "%V" in stamp_format and not re.search("%[aAuw]", stamp_format):
        cells = cells + " 1"
        stamp_format += " %u"
    if "%q" in stamp_format:
        before, after = (
            re.escape(part).replace("%Y", r"\d{4}").replace("%y", r"\d{2}") for part in stamp_format.split("%q")
        )
        quarter = re.compile(rf"^({before})0?([1-4])({after})$")
        quarters = cells.where(cells.str.fullmatch(quarter))
        cells = quarters.str.replace(quarter, lambda found: f"{found[1]}{3 * int(found[2]) - 2}{found[3]}", regex=True)
        stamp_format = stamp_format.replace("%q", "%m")
    parsed = pd.to_datetime(cells, format=stamp_format, errors="coerce", utc=True)
    return np.array(parsed.dt.tz_localize(None), dtype="datetime64[ms]")


def _counted(cells: "pd.Series[Any]", stamp_format: str) -> Array:
    """Return (rows,) datetime64[ms] of counts of one unit, NaT where another was counted; days are to the second."""
    import pandas as pd

    unit, origin, least = COUNTS[stamp_format]
    texts = cells.str.replace(",", ".", regex=False) if cells.dtype == "str" else cells
    counts = pd.to_numeric(texts, errors="coerce")
    parsed = pd.to_datetime(counts.where(counts.abs() >= least), unit=unit, origin=origin, errors="coerce")
    if stamp_format == "excel":
        parsed = parsed.dt.round("s")
    return np.array(parsed, dtype="datetime64[ms]")


def in_century(timestamps: Array, first_year: int) -> Array:
    """Return timestamps (rows,) with the same last two digits of their years, in the hundred years from one on."""
    months = timestamps.astype("datetime64[M]")
    years = months.astype("datetime64[Y]").astype(np.int64) + 1970
    moved = first_year + (years - first_year) % 100 - years
    return np.asarray((months + 12 * moved).astype("datetime64[ms]") + (timestamps - months))


def usual(timestamps: Array) -> Array:
    """Return (rows,) bool, whether a timestamp's year lies within `YEARS`."""
    first, last = (np.datetime64(f"{year}-01-01") for year in YEARS)
    return np.asarray((timestamps >= first) & (timestamps < last))


def wrong(timestamps: Array) -> Array:
    """Return (rows,) bool, whether there is no timestamp, or one of few unusual ones."""
    within = usual(timestamps)
    return np.asarray(np.isnat(timestamps) | (~within & (within.sum() > 0.9 * len(within))))


def shown(timestamp: np.datetime64) -> str:
    """A timestamp as text, to the second: "2024-01-31 12:00:00"."""
    return str(timestamp.astype("datetime64[s]")).replace("T", " ")


def to_utc(
    timestamps: Array, zone: str, *, ends: bool = False, series_id: Array | None = None, nonexistent: str = "NaT"
) -> Array:
    """Local time with daylight saving -> UTC; NaT for a time that does not exist, in the hour that clocks skip.

    Of an ambiguous time that comes twice, in the hour that clocks repeat, the earlier one is summer time.

    Args:
        timestamps: (rows,) datetime64[ms], as written.
        zone: such as "Europe/Berlin".
        ends: whether they are the ends of intervals: 03:00 for the hour from 02:00 to 03:00.
        series_id: (rows,) the series of each row; None for a single series.
        nonexistent: "shift_forward" for the next time that exists instead of NaT.

    Raises:
        KeyError: there is no such zone.
    """
    import pandas as pd

    if ends:
        freq = np.median(np.diff(distinct(timestamps)))
        return np.asarray(to_utc(timestamps - freq, zone, series_id=series_id) + freq)
    newest_first = len(timestamps) and timestamps[0] > timestamps[-1]
    rows = pd.DataFrame({"timestamp": timestamps} | ({} if series_id is None else {"series_id": series_id}))
    summer = ~rows.duplicated(keep="last" if newest_first else "first").to_numpy()
    index = pd.DatetimeIndex(timestamps).tz_localize(zone, ambiguous=summer, nonexistent=nonexistent)
    return np.asarray(index.tz_convert(None), dtype="datetime64[ms]")


def in_utc(written: Array, zone: str, option: str, *, ends: bool = False, series_id: Array | None = None) -> Array:
    """Return `to_utc`. Raises UsageError, which names the option, if the zone or a time does not exist there."""
    try:
        utc = to_utc(written, zone, ends=ends, series_id=series_id)
    except (KeyError, ValueError, OSError):
        raise UsageError(f"{option} must be a name such as Europe/Berlin. Received: {zone!r}") from None
    skipped = np.isnat(utc)
    if skipped.any():
        raise UsageError(
            f"{option}: {written[skipped.argmax()]} is a time that clocks of {zone} skipped, so the file keeps another "
            "time; correct this or leave it out"
        )
    return utc


def to_wall_clock(timestamps: Array, zone: str) -> Array:
    """The inverse of `to_utc`."""
    import pandas as pd

    index = pd.DatetimeIndex(timestamps).tz_localize("UTC").tz_convert(zone)
    return np.asarray(index.tz_localize(None), dtype="datetime64[ms]")
