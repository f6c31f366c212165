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
"""Formats that count from a day -> pandas' name of the unit, that day, and the largest
count of the next larger unit."""

DECIMAL_YEARS = ("decimal_month", "decimal_year")
"""Formats of a year with decimals: 2020.083 is February 2020, or a day of 2020."""

MONTH_DECIMALS = 0.07
"""Largest distance, in months, of a decimal year from the beginning or the middle of a
month."""

FEW_DECIMALS = 4
"""Decimals of a day or year, up to which a count of days or years is only about a
timestamp."""

YEARS = (1800, 2100)
"""Years of timestamps that are taken without being asked for."""

# Without \d and \s, so that Arrow searches.
UTC_OFFSET = r"[0-9][:T][0-9][^ ]*(?: ?[AaPp][Mm])? ?(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)$"
"""A time of day followed by a UTC offset."""

WITH_HOUR = re.compile("%H|ISO8601")
"""Formats with an hour, which may be 24."""


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


def joined(frame: "pd.DataFrame", columns: Sequence[str]) -> "pd.Series[Any]":
    """Return the timestamp of each row as text, its columns joined by a space; NA where
    one is.

    A single column is returned as it is: in a Parquet file it need not be text.
    """
    if len(columns) == 1:
        return frame[columns[0]]
    texts = [as_text(frame[column]) for column in columns]
    return texts[0].str.cat(texts[1:], sep=" ")


def as_text(cells: "pd.Series[Any]") -> "pd.Series[str]":
    """Return the cells of a column as text, without blanks around them; whole numbers
    as such.
    """
    import pandas as pd

    if pd.api.types.is_float_dtype(cells.dtype) and (cells.dropna() % 1 == 0).all():
        cells = cells.astype("Int64")
    return cells.astype("str").str.strip()


def parse(
    cells: "pd.Series[Any]", stamp_format: str, first_year: int | None = None
) -> tuple[Array, bool]:
    """Parse timestamps as written, or in UTC if they have a UTC offset.

    Args:
        cells: text, or datetimes.
        stamp_format: a format of `strptime`, where `%q` is a quarter and `%G` with `%V`
            a week; "ISO8601", or one of `COUNTS` or `DECIMAL_YEARS`. Other notations of
            the same (`notations.plain_date`, hour 24) are read, too.
        first_year: the first of the hundred years that `%y` stands for; by default
            1969.

    Returns:
        (rows,) datetime64[ms], NaT where a cell has another format, and whether they
        are in UTC.

    Raises:
        ValueError, re.error: there is no such format.
    """
    import pandas as pd

    if stamp_format in COUNTS:
        return _counted(cells, stamp_format), stamp_format.startswith("unix")
    if stamp_format in DECIMAL_YEARS:
        return _decimal_years(cells, monthly=stamp_format == "decimal_month"), False
    if pd.api.types.is_numeric_dtype(cells.dtype):
        cells = as_text(cells)
    if cells.dtype != "str":
        aware = getattr(cells.dtype, "tz", None) is not None
        return _strptime(cells, stamp_format), aware
    texts = cells.str.strip()
    intervals = texts.str.contains(notations.CLOSE_INTERVAL, na=False)
    parsed = _strptime(texts.mask(intervals), stamp_format)
    failed = np.isnat(parsed)
    if failed.any():
        plain = texts[failed].fillna("").map(notations.plain_date)
        parsed[failed] = _in_plain_notation(plain, stamp_format)
        texts = texts.mask(failed, plain)
    offsets = texts.str.contains(UTC_OFFSET, na=False).to_numpy(bool)
    utc = bool(offsets[:1].any())
    if stamp_format == "ISO8601":
        parsed[offsets != utc] = np.datetime64("NaT")
    if first_year is not None:
        parsed = in_century(parsed, first_year)
    return parsed, utc


def has_offset(cell: Any) -> bool:
    """Return whether a timestamp has a UTC offset."""
    return re.search(UTC_OFFSET, notations.plain_date(str(cell))) is not None


def _in_plain_notation(plain: "pd.Series[str]", stamp_format: str) -> Array:
    """Return (rows,) datetime64[ms] of texts by `notations.plain_date`, in which an
    hour may be 24.
    """
    stamp_format = stamp_format.replace("%B", "%b")
    if WITH_HOUR.search(stamp_format) is None:
        return _strptime(plain, stamp_format)
    midnight = plain.str.replace(notations.HOUR_24, "00", regex=True)
    later = np.where(midnight != plain, DAY, 0).astype("timedelta64[ms]")
    return np.asarray(_strptime(midnight, stamp_format) + later)


def _strptime(cells: "pd.Series[Any]", stamp_format: str) -> Array:
    """Return (rows,) datetime64[ms] by pandas, for which quarters become months.

    A week gets its Monday.
    """
    import pandas as pd

    # pandas would parse these as the current time.
    cells = cells.mask(cells.isin(["now", "today"]))
    if "%V" in stamp_format and not re.search("%[aAuw]", stamp_format):
        cells = cells + " 1"
        stamp_format += " %u"
    if "%q" in stamp_format:
        cells = _quarters_as_months(cells, stamp_format)
        stamp_format = stamp_format.replace("%q", "%m")
    parsed = pd.to_datetime(cells, format=stamp_format, errors="coerce", utc=True)
    return np.array(parsed.dt.tz_localize(None), dtype="datetime64[ms]")


def _quarters_as_months(cells: "pd.Series[str]", stamp_format: str) -> "pd.Series[str]":
    """Return texts with the first month of the quarter in place of `%q`; NA where there
    is none.
    """
    before, after = stamp_format.split("%q")
    patterns = []
    for part in (before, after):
        escaped = re.escape(part)
        patterns.append(escaped.replace("%Y", r"\d{4}").replace("%y", r"\d{2}"))
    quarter = re.compile(rf"^({patterns[0]})0?([1-4])({patterns[1]})$")
    quarters = cells.where(cells.str.fullmatch(quarter))

    def month(found: re.Match[str]) -> str:
        return f"{found[1]}{3 * int(found[2]) - 2}{found[3]}"

    return quarters.str.replace(quarter, month, regex=True)


def _counted(cells: "pd.Series[Any]", stamp_format: str) -> Array:
    """Return (rows,) datetime64[ms] of counts of one unit, NaT where another was
    counted.

    Days are to the second, or to the minute if they have few decimals.
    """
    import pandas as pd

    unit, origin, least = COUNTS[stamp_format]
    counts, decimals = _decimals(cells)
    counts = counts.where(counts.abs() >= least)
    parsed = pd.to_datetime(counts, unit=unit, origin=origin, errors="coerce")
    if stamp_format == "excel":
        parsed = parsed.dt.round("min" if decimals <= FEW_DECIMALS else "s")
    return np.array(parsed, dtype="datetime64[ms]")


def _decimals(cells: "pd.Series[Any]") -> tuple["pd.Series[Any]", int]:
    """Return numbers with a point or a comma, NaN where a cell is none, and how many
    decimals.

    Of numbers that are no text the decimals are not known: there are many.
    """
    import pandas as pd

    if cells.dtype != "str":
        return pd.to_numeric(cells, errors="coerce"), 15
    texts = cells.str.replace(",", ".", regex=False)
    lengths = texts.str.partition(".")[2].str.len()
    decimals = int(lengths.max()) if len(lengths) else 0
    return pd.to_numeric(texts, errors="coerce"), decimals


def _decimal_years(cells: "pd.Series[Any]", *, monthly: bool) -> Array:
    """Return (rows,) datetime64[ms] of years with decimals.

    Args:
        cells: text or numbers.
        monthly: whether they are the beginnings or the middles of months, else NaT.
            Otherwise they are to the hour, or to half a day if they have few decimals.
    """
    numbers, decimals = _decimals(cells)
    values = numbers.where(numbers.between(*YEARS)).to_numpy(np.float64)
    known = np.isfinite(values)
    whole = np.floor(np.where(known, values, 1970))
    fraction = np.where(known, values, 1970) - whole
    years = (whole.astype(np.int64) - 1970).astype("datetime64[Y]")
    if monthly:
        months = fraction * 12
        halves = np.rint(months * 2).astype(np.int64)
        days = np.where(halves % 2 == 1, 14, 0)
        moments = (years.astype("datetime64[M]") + halves // 2).astype(
            "datetime64[D]"
        ) + days
        known &= np.abs(months - halves / 2) <= MONTH_DECIMALS
    else:
        starts = years.astype("datetime64[D]")
        lengths = ((years + 1).astype("datetime64[D]") - starts).astype(np.int64)
        hours = 12 if decimals <= FEW_DECIMALS else 1
        steps = np.rint(fraction * lengths * 24 / hours).astype(np.int64)
        moments = starts.astype("datetime64[h]") + steps * hours
    moments = moments.astype("datetime64[ms]")
    moments[~known] = np.datetime64("NaT")
    return np.asarray(moments)


def in_century(timestamps: Array, first_year: int) -> Array:
    """Return timestamps (rows,) with the same last two digits of their years.

    They lie in the hundred years from `first_year` on.
    """
    months = timestamps.astype("datetime64[M]")
    years = months.astype("datetime64[Y]").astype(np.int64) + 1970
    moved = first_year + (years - first_year) % 100 - years
    within = timestamps - months
    return np.asarray((months + 12 * moved).astype("datetime64[ms]") + within)


def usual(timestamps: Array) -> Array:
    """Return (rows,) bool, whether a timestamp's year lies within `YEARS`."""
    first, last = np.array([f"{year}-01-01" for year in YEARS], "datetime64[ms]")
    return np.asarray((timestamps >= first) & (timestamps < last))


def wrong(timestamps: Array) -> Array:
    """Return (rows,) bool, whether there is no timestamp, or one of few unusual ones."""
    within = usual(timestamps)
    few = within.sum() > 0.9 * len(within)
    return np.asarray(np.isnat(timestamps) | (~within & few))


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


def in_utc(
    written: Array,
    zone: str,
    option: str,
    *,
    ends: bool = False,
    series_id: Array | None = None,
) -> Array:
    """Return `to_utc`.

    Raises:
        UsageError: the zone, or a time in it, does not exist; the text names the
            option.
    """
    try:
        utc = to_utc(written, zone, ends=ends, series_id=series_id)
    except (KeyError, ValueError, OSError):
        raise UsageError(
            f"{option} must be a name such as Europe/Berlin. Received: {zone!r}"
        ) from None
    skipped = np.isnat(utc)
    if skipped.any():
        raise UsageError(
            f"{option}: {written[skipped.argmax()]} is a time that clocks of {zone} skipped, so "
            "the file keeps another time; correct this or leave it out"
        )
    return utc


def to_wall_clock(timestamps: Array, zone: str) -> Array:
    """Return the inverse of `to_utc`."""
    import pandas as pd

    index = pd.DatetimeIndex(timestamps).tz_localize("UTC").tz_convert(zone)
    return np.asarray(index.tz_localize(None), dtype="datetime64[ms]")
