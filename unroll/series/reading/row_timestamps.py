"""The timestamps of files' rows, with their format, their series and their clock."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.data import timestamps
from pipeline.data.examples import Array
from pipeline.data.timestamps import Regularity, shown
from pipeline.errors import UnrollError, UsageError, one_line
from unroll.series import row_calendar
from unroll.series.options import Options, argument
from unroll.series.reading import (
    calendars,
    series_names,
    timestamp_columns,
    timestamp_formats,
)
from unroll.series.reading.cures import CurableError, Cure
from unroll.series.reading.facts import Timestamps
from unroll.series.reading.file_rows import (
    FileRows,
    below_data,
    in_utc,
    without_notes,
    wrong_stamp,
)
from unroll.series.reading.timestamp_formats import YEARS
from unroll.series.row_options import Cleaning

HEAD = 2000
"""Number of first rows in which the columns of the timestamp are looked for."""

FEWEST = 6
"""The fewest different timestamps; with fewer rows no two cutoffs can be compared."""


EVEN = 0.5
"""Smallest evenness of a reading that is taken since others are less even."""

OTHER = 0.75
"""Largest evenness of another reading, as a part of the best evenness."""


@dataclass(frozen=True)
class Reading:
    """The timestamps of rows by one format.

    Attributes:
        stamp_format: the format.
        timestamps: (rows,) datetime64[ms].
        utc: whether they are in UTC.
        is_note: (rows,) bool, whether a row stands below the data and has no timestamp.
        first_year: the first of the hundred years that `%y` stands for; None for those
            of `strptime`.
    """

    stamp_format: str
    timestamps: Array
    utc: bool
    is_note: Array
    first_year: int | None = None


def stamp_columns(
    head: pd.DataFrame, options: Options, path: Path
) -> tuple[list[str], list[str]]:
    """Return the columns of the timestamp, and the formats that the timestamp may have.

    A few rows may have another format; `row_timestamps` refuses such rows.

    Args:
        head: the first rows.
        options: the user's options.
        path: the file, for messages.

    Raises:
        UsageError: no column holds timestamps.
    """
    texts = head.apply(timestamp_formats.as_text).fillna("")
    for rows, share in ((texts, 1.0), (texts[len(texts) // 2 :], 0.9), (texts, 0.5)):
        stamp, formats = timestamp_columns.find_columns(rows, options.stamp, share)
        if stamp and options.stamp_format:
            return stamp, [options.stamp_format]
        if formats:
            if not options.stamp:
                timestamp_columns.require_one_calendar(texts[stamp], path)
            return stamp, formats
        _require_no_times(path, list(texts.columns))
        cells = texts.iloc[0]
        counts = cells[cells.str.fullmatch("[0-9]{5}")]  # may be any numbers
        if not counts.astype(int).diff().iloc[1:].between(1, 366).all():
            cells = cells.drop(counts.index)
        _require_no_times(path, list(cells))
    timestamp_columns.require_one_calendar(texts, path)
    for name in [] if options.stamp else texts.columns:
        _, formats = timestamp_columns.find_columns(texts[[name]], [name])
        if formats and formats != ["excel"]:
            first, _ = timestamp_formats.parse(texts[name].head(1), formats[0])
            raise CurableError(
                f"{path}: column {name!r} may hold times, from {shown(first[0])} on",
                [Cure("stamp", name, "if that is right")],
                f"name the columns of the time with {argument('stamp')}",
            )
    cells = [f"{name} ({texts[name].iloc[0]!r:.40})" for name in stamp or texts.columns]
    raise UsageError(
        f"{path}: no column holds times of a known form; name their column or columns "
        f"with {argument('stamp')} and their form with {argument('stamp_format')}, such "
        "as '%d.%m.%Y %H:%M' for "
        "31.01.2024 13:00 or excel for a spreadsheet's days since 1900, or write times "
        f"like 2024-01-31 13:00, of the years {YEARS[0]} to {YEARS[1]}. Columns and "
        f"first cells: {', '.join(cells):.2000}"
    )


def _require_no_times(path: Path, names: list[str]) -> None:
    """Raise UsageError if most headings, or most cells of a row, are times."""
    kind, times = timestamp_columns.times_in(names)
    if kind:
        raise timestamp_columns.turned(path, names, kind, times)


def row_timestamps(
    rows: FileRows, stamp: Sequence[str], formats: Sequence[str], options: Options
) -> tuple[Timestamps, dict[str, Any], dict[str, str]]:
    """Return the timestamps of rows.

    Args:
        rows: the rows of the files.
        stamp: the columns of the timestamp.
        formats: the formats that the timestamp may have.
        options: the user's options.

    Returns:
        The timestamps; option of the form -> detected value; and option -> reason for
        the value, if the value is a guess.

    Raises:
        UnrollError: a timestamp has another form than the others.
        UsageError: several formats fit all rows and give different times.
    """
    cells = timestamp_formats.joined(rows.cells, stamp)
    if cells.dtype == "str":
        cells = cells.str.strip()
        _require_no_doubtful_interval(cells, rows.paths[0])
    reading, why_format = _read(rows, cells, formats, options)
    rows, notes = without_notes(rows, cells, reading.is_note)
    written = reading.timestamps[~reading.is_note]
    others = rows.cells.drop(columns=list(stamp))
    series = series_names.series_names(others, written, rows.paths[0])
    count = len(timestamps.distinct(written))
    if count < FEWEST:
        raise UnrollError(
            f"the file has {count} different timestamps, and forecasts take at least "
            f"{FEWEST}; add rows"
        )
    by_series = series_names.rows_by_series(series.of_rows, len(written))
    of_column = str(getattr(cells.dtype, "tz", ""))
    longest = written[max(by_series, key=len)]
    zone, ends, why_zone = _time_zone(options, of_column, longest, utc=reading.utc)
    moments = written
    if zone is not None and not reading.utc:
        moments = in_utc(written, zone, ends=ends, series_id=series.of_rows)
    unfinished = None
    if not options.keep_last:
        unfinished = calendars.unfinished(moments, zone, utc=reading.utc)
    kept = np.ones(len(moments), bool)
    if unfinished is not None:
        kept = moments < unfinished
    beside = np.zeros(len(moments), bool)
    for own in by_series:
        off, spacing = calendars.off_grid(written[own])
        beside[own] = kept[own] & off & (spacing <= calendars.HOUR)
    if 0 < beside.mean() <= calendars.FEW:
        row = int(beside.argmax())
        many = "1 row" if beside.sum() == 1 else f"{beside.sum():,} rows"
        place = f"{shown(written[row])} in {rows.place(row)}"
        line = f"{many} beside the regular times of the others, first {place}"
        notes += (("left out", line),)
        kept &= ~beside
    if not kept.all():
        rows = replace(rows, cells=rows.cells[kept])
        moments = moments[kept]
        written = written[kept]
        if series.of_rows is not None:
            series = replace(series, of_rows=series.of_rows[kept])
    cleaning, regular, clock = _calendar(moments, zone, utc=reading.utc)
    if clock != zone:
        why_zone = "rows keep this clock's hours; other zones of the same rule would do"
    facts = Timestamps(
        **vars(series),
        file=rows,
        stamp=list(stamp),
        written=written,
        timestamps=moments,
        cleaning=cleaning,
        clock=clock,
        freq=regular.freq,
        unfinished=unfinished,
        asked=options,
        notes=notes,
    )
    form = {
        "stamp": list(stamp),
        "stamp_format": reading.stamp_format,
        "first_year": reading.first_year,
        "time_zone": clock,
        "ends": ends,
    }
    close = "years of two digits are read so that rows lie close together"
    reasons = {
        "stamp_format": why_format,
        "first_year": close if reading.first_year is not None else "",
        "time_zone": why_zone if clock else "",
        "series_id": series.doubt,
    }
    return facts, form, reasons


def _time_zone(
    options: Options, of_column: str, written: Array, *, utc: bool
) -> tuple[str | None, bool, str]:
    """Return the time zone, whether timestamps are ends of intervals, and a reason.

    Args:
        options: the user's options.
        of_column: the time zone of a typed column; else "".
        written: (rows,) datetime64[ms] of a series.
        utc: whether they are in UTC.
    """
    if options.time_zone is not None:
        return options.time_zone, False, ""
    if "/" in of_column:
        return of_column, False, "of the column"
    if utc:
        return None, False, ""
    why = (
        "hours are missing in spring and doubled in autumn; other zones of the same rule "
        "would do"
    )
    return *calendars.time_zone(written), why


def _read(
    rows: FileRows, cells: "pd.Series[Any]", formats: Sequence[str], options: Options
) -> tuple[Reading, str]:
    """Return the timestamps by the format that fits all rows, and why it was chosen.

    Raises:
        UnrollError: no format fits all rows; the text names the first row that differs.
        UsageError: there is no such format, or several fit.
    """
    readings: list[Reading] = []
    wrong: list[Array] = []
    try:
        for stamp_format in formats:
            moments, utc = timestamp_formats.parse(cells, stamp_format)
            off = timestamp_formats.wrong(moments, any_year=bool(options.stamp))
            is_note = below_data(rows, cells, off)
            off &= ~is_note
            year = None
            if "%y" in stamp_format and not off.any():
                year = timestamp_formats.first_year(moments[~is_note])
                moments = timestamp_formats.in_century(moments, year)
            readings.append(Reading(stamp_format, moments, utc, is_note, year))
            wrong.append(off)
    except (ValueError, re.error) as error:
        raise UsageError(
            f"{argument('stamp_format')} is no format of strptime: {one_line(str(error))}. "
            f"Received: {options.stamp_format!r}"
        ) from None
    right = [each for each, off in zip(readings, wrong, strict=True) if not off.any()]
    if right:
        return _most_even(right, options, rows.paths[0])
    # Other formats failed in earlier rows.
    failed_at = [int(is_wrong.argmax()) for is_wrong in wrong]
    likely = int(np.argmax(failed_at))
    row = failed_at[likely]
    moments = readings[likely].timestamps
    if row == 0 and np.isnat(moments[0]) and not wrong[likely].all():
        row = int(wrong[likely].argmin()) - 1  # the last row before the format changes
    raise wrong_stamp(rows, cells, moments, row, readings[likely].stamp_format)


def _require_no_doubtful_interval(cells: "pd.Series[str]", path: Path) -> None:
    """Raise UsageError if ends of intervals may be UTC offsets, since few differ."""
    found = cells[cells.str.contains(timestamp_formats.CLOSE_INTERVAL, na=False)]
    ends = found.str.extract(r" \d\d?:\d\d(-\d\d?:\d\d)$")[0].dropna()
    if len(ends) and ends.nunique() < 3:
        raise UsageError(
            f"{path}: {cells[ends.index[0]]!r} may be an interval or have a UTC "
            "offset; write 10:00 - 11:00, or an offset behind seconds: 10:00:00-05:00"
        )


def _most_even(
    readings: Sequence[Reading], options: Options, path: Path
) -> tuple[Reading, str]:
    """Return the reading by which rows are evenly spaced, and a reason if it is a guess.

    Args:
        readings: the timestamps by each format that fits all rows.
        options: the user's options.
        path: the file, for the message.

    Raises:
        UsageError: rows are evenly spaced by several formats.
    """
    if options.day_first is not None:
        start = "%d" if options.day_first else "%m"
        wanted = [each for each in readings if each.stamp_format.startswith(start)]
        readings = wanted or readings
    by_times = dict[bytes, Reading]()
    for reading in readings:
        by_times.setdefault(reading.timestamps.tobytes(), reading)
    different = [*by_times.values()]
    if len(different) == 1:
        return different[0], ""
    even = [
        calendars.evenness(reading.timestamps[~reading.is_note])
        for reading in different
    ]
    first, second = np.argsort(-np.array(even), kind="stable")[:2]
    best = different[first]
    forms = (best.stamp_format, different[second].stamp_format)
    if even[first] >= EVEN and even[second] <= even[first] * OTHER:
        return best, f"by {forms[1]} the rows would not be evenly spaced"
    if forms[0].startswith("%d.%m."):
        other = argument("day_first", False)
        return best, f"with dots the day stands first; {other} says otherwise"
    cures = [Cure("stamp_format", form) for form in forms]
    if {form[:2] for form in forms} == {"%d", "%m"}:
        cures = [Cure("day_first", True), Cure("day_first", False)]
    raise CurableError(
        f"{path}: timestamps can be read as {forms[0]} or as {forms[1]}",
        cures,
        "write timestamps like 2024-01-31 13:00",
    )


def _calendar(
    moments: Array, zone: str | None, *, utc: bool
) -> tuple[Cleaning, Regularity, str | None]:
    """Return the calendar of rows, their regularity by it, and its time zone.

    Rows in UTC may keep the hours of a clock with daylight saving, such as one row each
    midnight. If they are not even in UTC, the first clock that they keep is taken.
    """
    cleaning, regular = calendars.calendar(moments, zone)
    has_gaps = cleaning.rows is None and regular.gaps > 0
    if utc and zone is None and (has_gaps or not _keeps(cleaning, moments, None)):
        for clock in calendars.ZONES:
            other, by_clock = calendars.calendar(moments, clock)
            if other.rows is not None and _keeps(other, moments, clock):
                return other, by_clock, clock
    return cleaning, regular, zone


def _keeps(cleaning: Cleaning, moments: Array, clock: str | None) -> bool:
    """Return whether rows lie where a calendar by a clock expects them."""
    if not isinstance(cleaning.rows, str):
        return True
    numbers = row_calendar.numbered(moments, cleaning, clock)
    return bool((row_calendar.stamps(numbers, cleaning, clock) == moments).all())
