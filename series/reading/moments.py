"""When the rows of files were measured: the timestamps, their format, their series and
clock.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.data import notations, row_calendar, timestamps
from pipeline.data.examples import Array
from pipeline.data.row_files import RowFile
from pipeline.data.series_options import Cleaning
from pipeline.data.timestamps import Regularity
from pipeline.errors import UnrollError, UsageError, one_line
from series.reading import headings, series_names, timestamp_checks, timestamp_columns
from series.reading.profile import Detected, Overrides

HEAD = 2000
"""Rows that the columns of the timestamp are found in."""

EVEN = 0.5
"""The share of even steps that rows must have."""

OTHER = 0.75
"""How much of that share other readings of the timestamps may have."""

UNEVEN = 0.1
"""The largest share of steps of days or longer that are no multiple of the frequency.
"""


@dataclass(frozen=True)
class Rows:
    """The rows of some files that hold something.

    Attributes:
        files: of one form.
        counts: how many rows each file has.
        frame: their rows; its index counts those of all files.
    """

    files: Sequence[RowFile]
    counts: Sequence[int]
    frame: pd.DataFrame

    @property
    def path(self) -> Path:
        """The first file."""
        return self.files[0].path

    def place(self, row: int) -> str:
        """Return the file and the line of a row."""
        ends = np.cumsum(self.counts)
        position = int(self.frame.index[row])
        number = int(np.searchsorted(ends, position, side="right"))
        own = position - int(ends[number]) + self.counts[number]
        return f"{self.files[number].path}, {self.files[number].place(own)}"


@dataclass(frozen=True)
class Moments:
    """When rows were measured.

    Attributes:
        written: (rows,) datetime64[ms], in UTC if the time zone is known.
        options: of the form -> what was detected.
        calendar: by which rows follow one another.
        regular: how regular they are by it.
        series: what says which series a row belongs to.
        unsorted: whether rows are not in the order of time.
    """

    written: Array
    options: dict[str, Detected[Any]]
    calendar: Cleaning
    regular: Regularity
    series: series_names.SeriesNames
    unsorted: bool


def stamp_columns(
    head: pd.DataFrame, overrides: Overrides, path: Path
) -> timestamp_columns.Candidate:
    """Return the columns of the timestamp, and the formats that it may have.

    Where a few of the rows have another one, `moments_of` will name them.

    Args:
        head: the first rows.
        overrides: what a user says.
        path: of the file, for messages.

    Raises:
        UsageError: there are none.
    """
    texts = pd.DataFrame(
        {name: timestamps.as_text(head[name]).fillna("") for name in head}
    )
    for rows, share in ((texts, 1.0), (texts[len(texts) // 2 :], 0.9), (texts, 0.5)):
        stamp, formats = timestamp_columns.find_columns(rows, overrides.stamp, share)
        if stamp and overrides.stamp_format:
            return stamp, [overrides.stamp_format]
        if formats:
            return stamp, formats
        for names in (list(texts.columns), list(texts.iloc[0])):
            times = headings.times_of(names)
            if len(times) > len(names) / 2:
                raise UsageError(headings.turned(path, names, times))
    for name in texts.columns if not overrides.stamp else ():
        if timestamp_columns.find_columns(texts[[name]], [name])[1]:
            raise UsageError(
                f"{path}: column {name!r} may hold times; pass --stamp {shlex.quote(name)} if it does"
            )
    shown = [f"{name} ({texts[name].iloc[0]!r:.40})" for name in stamp or texts.columns]
    raise UsageError(
        f"{path}: no column holds times of a form that is known here; pass --stamp COLUMN "
        "(repeatable) and --stamp-format, such as '%d.%m.%Y %H:%M' for 31.01.2024 13:00 or excel "
        "for a spreadsheet's days since 1900, or write times like 2024-01-31 13:00. "
        f"Columns and first cells: {', '.join(shown):.2000}"
    )


def moments_of(
    rows: Rows, stamp: Sequence[str], formats: Sequence[str], overrides: Overrides
) -> Moments:
    """Return when rows were measured.

    Args:
        rows: of the files.
        stamp: the columns of the timestamp.
        formats: that it may have.
        overrides: what a user says.

    Raises:
        UnrollError: a row has no timestamp of a form that the others have, or one that
            contradicts the others, or rows are not evenly spaced.
        UsageError: all have several forms that give other times.
    """
    cells = timestamps.joined(rows.frame, stamp)
    if cells.dtype == "str":
        cells = cells.str.strip()
        _require_no_doubtful_interval(cells, rows.path)
    parsed = _parsed(cells, formats, overrides)
    readings = _right_readings(rows, cells, parsed, overrides, stamp)
    options: dict[str, Detected[Any]] = {}
    first_years = _in_their_centuries(readings)
    options["stamp_format"] = _stamp_format(readings, overrides, rows.path)
    chosen = options["stamp_format"].value
    written = readings[chosen]
    if first_years.get(chosen) is not None:
        why = "years of two digits begin there, so that rows lie close together"
        options["first_year"] = Detected(first_years[chosen], why)
    _require_one_order(rows, cells, written, chosen)
    others = rows.frame[[name for name in rows.frame if name not in stamp]]
    series = series_names.series_names(others, written, rows.path)
    _require_no_slip(rows, written, series)
    unsorted = bool((np.diff(written) < np.timedelta64(0)).any())
    utc = parsed[chosen][1]
    zone = _zone(cells, written, series, overrides.time_zone, utc=utc)
    if zone["time_zone"].value and not utc:
        written = timestamps.in_utc(
            written,
            zone["time_zone"].value,
            "--time-zone",
            ends=zone["ends"].value,
            series_id=series.of_rows,
        )
    calendar, regular, zone["time_zone"] = _calendar(
        written, zone["time_zone"], utc=utc
    )
    return Moments(written, options | zone, calendar, regular, series, unsorted)


def _require_no_doubtful_interval(cells: "pd.Series[str]", path: Path) -> None:
    """Raise UsageError if the ends of intervals are so few that they may be UTC
    offsets.
    """
    pattern = r"( \d\d?:\d\d)(-\d\d?:\d\d)$"
    found = cells[cells.str.contains(notations.CLOSE_INTERVAL, na=False)]
    ends = found.str.extract(pattern)[1].dropna()
    if len(ends) and ends.nunique() < 3:
        raise UsageError(
            f"{path}: {cells[ends.index[0]]!r} may be an interval or have a UTC offset; "
            "write 10:00 - 11:00, or an offset behind seconds: 10:00:00-05:00"
        )


def _parsed(
    cells: "pd.Series[Any]", formats: Sequence[str], overrides: Overrides
) -> dict[str, tuple[Array, bool]]:
    """Return each format -> the timestamps by it, and whether they are in UTC."""
    try:
        return {name: timestamps.parse(cells, name) for name in formats}
    except (ValueError, re.error) as error:
        raise UsageError(
            f"--stamp-format: {one_line(str(error))}. Received: {overrides.stamp_format!r}"
        ) from None


def _right_readings(
    rows: Rows,
    cells: "pd.Series[Any]",
    parsed: Mapping[str, tuple[Array, bool]],
    overrides: Overrides,
    stamp: Sequence[str],
) -> dict[str, Array]:
    """Return each format that all rows have -> the timestamps by it.

    Raises:
        UnrollError: there is none; the text names the first row that has another one.
    """
    wrong = {}
    for name, (moments, _) in parsed.items():
        wrong[name] = timestamps.wrong(moments)
        if not overrides.stamp:
            wrong[name] |= ~timestamps.usual(moments)
    readings = {name: parsed[name][0] for name in parsed if not wrong[name].any()}
    if readings:
        return readings
    # Other formats failed in earlier rows.
    likely = max(parsed, key=lambda name: int(wrong[name].argmax()))
    moments = parsed[likely][0]
    row = int(wrong[likely].argmax())
    if row == 0 and np.isnat(moments[0]) and not wrong[likely].all():
        row = int((~wrong[likely]).argmax()) - 1  # the last one before the form changes
    what = f"is no stamp of the form {likely}, as others are; correct the file"
    if not np.isnat(moments[row]):
        first, last = timestamps.YEARS
        cure = f"correct it, or if most are right pass --stamp {shlex.quote(stamp[0])}"
        what = f"lies outside of the years {first} to {last}, read as {likely}; {cure}"
    elif (
        likely == "ISO8601"
        and len({*map(timestamps.has_offset, cells.iloc[[0, row]])}) > 1
    ):
        what = (
            f"is not like {cells.iloc[0]!r:.60}: one has a UTC offset; write all alike"
        )
    raise UnrollError(f"{rows.place(row)}: {str(cells.iloc[row])!r:.60} {what}")


def _in_their_centuries(readings: dict[str, Array]) -> dict[str, int | None]:
    """Move timestamps with years of two digits into their century, and return its first
    year.
    """
    first_years = {}
    for name, moments in readings.items():
        if "%y" not in name:
            continue
        first_year = timestamp_checks.first_year(moments)
        first_years[name] = first_year
        if first_year is not None:
            readings[name] = timestamps.in_century(moments, first_year)
    return first_years


def _stamp_format(
    readings: Mapping[str, Array], overrides: Overrides, path: Path
) -> Detected[str]:
    """Return, of the formats that all rows have, that by which they have a frequency.

    Raises:
        UsageError: they have one by several.
    """
    if overrides.day_first is not None:
        start = "%d" if overrides.day_first else "%m"
        ordered = {name: readings[name] for name in readings if name.startswith(start)}
        readings = ordered or readings
    if len(readings) == 1:
        return Detected(next(iter(readings)))
    even = {
        name: timestamp_checks.evenness(moments) for name, moments in readings.items()
    }
    first, *others = sorted(readings, key=lambda name: -even[name])
    others = [
        name for name in others if not np.array_equal(readings[name], readings[first])
    ]
    if not others:
        return Detected(first)
    other = others[0]
    if even[first] >= EVEN and even[other] <= even[first] * OTHER:
        return Detected(first, f"by {other} the rows would not be evenly spaced")
    if first.startswith("%d.%m."):
        return Detected(
            first, "with dots the day stands first; --month-first says otherwise"
        )
    which = f"--stamp-format {first!r} or {other!r}"
    if {first[:2], other[:2]} == {"%d", "%m"}:
        which = "--day-first or --month-first"
    raise UsageError(
        f"{path}: its stamps can be read as {first} or as {other}; pass {which}"
    )


def _require_one_order(
    rows: Rows, cells: "pd.Series[Any]", moments: Array, stamp_format: str
) -> None:
    """Raise UnrollError if some rows have day and month in the other order.

    Spreadsheets leave them so.
    """
    if "%d" not in stamp_format or "%m" not in stamp_format:
        return
    months = moments.astype("datetime64[M]")
    days = moments.astype("datetime64[D]")
    month = months.astype(np.int64) % 12
    day = (days - months).astype(np.int64)
    both = day < 12  # as numbers from 0
    years = moments.astype("datetime64[Y]").astype("datetime64[M]")
    swapped = (years + day).astype("datetime64[D]") + month
    mended = np.where(both, swapped + (moments - days), moments)
    in_order = (np.diff(moments) > np.timedelta64(0)).all()
    if not in_order and (np.diff(mended) > np.timedelta64(0)).all():
        row = int((mended != moments).argmax())
        other = str(cells.iloc[int((~both).argmax())])
        raise UnrollError(
            f"{rows.place(row)}: {str(cells.iloc[row])!r:.60} has day and month in another order "
            f"than {other!r:.60}; correct the file"
        )


def _require_no_slip(
    rows: Rows, moments: Array, series: series_names.SeriesNames
) -> None:
    """Raise UnrollError if the timestamp of a row contradicts the others of its series."""
    for own in series.rows():
        slip = timestamp_checks.slip(moments[own])
        if slip is None:
            continue
        near = [own[index] for index in (slip - 1, slip + 1) if 0 <= index < len(own)]
        beside = " and ".join(timestamps.shown(moments[index]) for index in near)
        row = int(own[slip])
        raise UnrollError(
            f"{rows.place(row)}: the stamp {timestamps.shown(moments[row])} does not fit those "
            f"beside it, {beside}; correct it, or leave that row out"
        )


def _zone(
    cells: "pd.Series[Any]",
    moments: Array,
    series: series_names.SeriesNames,
    given: str | None,
    *,
    utc: bool,
) -> dict[str, Detected[Any]]:
    """Return the time zone where it is given or shows, and whether stamps are ends of
    intervals.

    Raises:
        UnrollError: there are too few timestamps.
    """
    count = len(timestamps.distinct(moments))
    if count < 3:
        raise UnrollError(f"the file has {count} different stamps; a series has many")
    ends = False
    zone = Detected(given)
    of_column = str(getattr(cells.dtype, "tz", None) or "")
    if given is None and utc and "/" in of_column:
        zone = Detected(of_column, "of the column")
    if given is None and not utc:
        longest = max(series.rows(), key=len)
        shown = timestamp_checks.time_zone(moments[longest])
        if shown is not None:
            ends = shown[1]
            why = "hours are missing in spring and doubled in autumn; zones of the same rule do too"
            zone = Detected(shown[0], why)
    return {"time_zone": zone, "ends": Detected(ends)}


def _calendar(
    moments: Array, zone: Detected[str | None], *, utc: bool
) -> tuple[Cleaning, Regularity, Detected[str | None]]:
    """Return `row_calendar.calendar` by the clock of a zone.

    Of rows in UTC without a zone it is that of the zone whose days or opening hours
    they keep.
    """
    calendar, regular = row_calendar.calendar(moments, zone.value)
    uneven = regular.gaps > 0
    if isinstance(calendar.rows, str):
        days = row_calendar.stamps(row_calendar.numbered(moments, calendar), calendar)
        uneven = bool((days != moments).any())
    if utc and zone.value is None and uneven and not isinstance(calendar.rows, dict):
        for clock in timestamp_checks.ZONES:
            other, by_clock = row_calendar.calendar(moments, clock)
            if _keeps(other, moments, clock):
                why = "rows keep this clock's hours; zones of the same rule do as well"
                return other, by_clock, Detected(clock, why)
    return calendar, regular, zone


def _keeps(calendar: Cleaning, moments: Array, clock: str) -> bool:
    """Return whether rows lie where a calendar by a clock says."""
    if not isinstance(calendar.rows, str):
        return calendar.rows is not None
    numbers = row_calendar.numbered(moments, calendar, clock)
    return bool((row_calendar.stamps(numbers, calendar, clock) == moments).all())


def even_steps(ordered: Array, regular: Regularity, stamp: Sequence[str]) -> Array:
    """Return (rows - 1,) how many rows of their frequency lie from one row to the next.

    Args:
        ordered: (rows,) datetime64[ms], by the calendar.
        regular: how regular they are.
        stamp: the columns of the timestamp.

    Raises:
        UnrollError: few steps are one.
    """
    steps = np.diff(ordered).astype(np.int64)
    freq = regular.freq * 1000
    if np.median(steps) < 1000:
        raise UnrollError(
            "rows lie less than a second apart; thin them out to a second or more"
        )
    even = (steps == freq).mean()
    months = steps.min() >= row_calendar.SHORTEST * timestamps.DAY
    off = (steps % freq != 0).mean() if freq >= timestamps.DAY else 0.0
    if even < EVEN or off > UNEVEN or (even < 1 and months):
        cure = "make rows of equal distance first, such as means of an hour"
        if freq >= timestamps.DAY:
            cure = "make rows of equal distance first, such as sums of a month"
        if len(stamp) == 2:
            cure += f"; or pass --stamp {shlex.quote(stamp[0])}, if {stamp[1]!r} is no part of the time"
        raise UnrollError(
            f"rows are not evenly spaced: from {steps.min() / 1000:,.0f} to "
            f"{steps.max() / 1000:,.0f} seconds apart, {regular.freq:,} in the middle; {cure}"
        )
    return np.asarray(steps // freq)
