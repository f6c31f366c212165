"""Look at a file from beginning to end: what is not certain gets a reason, what is contradictory is refused."""

import itertools
import re
import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.data import row_calendar, timestamps
from pipeline.data.examples import Array
from pipeline.data.row_files import RowFile, blank, require_same
from pipeline.data.row_table import MOST_WORDS
from pipeline.data.series_options import Cleaning, CsvFormat
from pipeline.data.sniff import layout, timestamp_formats
from pipeline.data.sniff.profile import ColumnProfile, Detected, FileProfile, Overrides
from pipeline.data.timestamps import Regularity
from pipeline.errors import UnrollError, UsageError, one_line
from pipeline.validation import one_of

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.data.download import Progress

HEAD = 2000
"""Rows that the columns of the timestamp are found in."""

MOST = 0.9
"""The share of the first rows that have one format if some of them are wrong."""

KEPT = 250_000
"""Rows whose numbers are kept, for their autocorrelation."""

PARTS_OF_A_DAY = (24, 25, 48, 50, 96, 100, 144, 150)
"""Hours, half hours and such, which some files count in a column of its own; some have an hour more in autumn."""

EVEN, OTHER = 0.5, 0.75
"""The share of even steps that rows must have, and how much of that other readings of their timestamps may have."""

DISTINCT = 0.99
"""The share of rows that a column must tell apart by series; the others are of the nights when clocks are put back."""


def detect(paths: Sequence[Path], overrides: Overrides, progress: "Progress") -> FileProfile:
    """Read files of one form, in chunks.

    Raises:
        UnrollError: they are no series; one line says why.
        UsageError: something can be read in two ways; the line says which option decides.
    """
    detected, units = _text(paths, overrides)
    form = CsvFormat(**{option: entry.value for option, entry in detected.items()})
    files = [RowFile(path, form, "") for path in paths]
    head = _head(files[0], progress)
    stamp, formats = _stamp(head, overrides, paths[0])
    form = form.model_copy(update={"stamp": stamp})
    columns = {
        name: ColumnProfile(name, below)
        for name, below in itertools.zip_longest(head.columns, units, fillvalue="")
        if name not in stamp
    }
    if overrides.target is not None:  # now, since the rows of a large file take minutes
        one_of(overrides.target, columns, "--target")
    try:
        readings, numbers, blanks = _read(files, form, formats, columns, progress)
    except (ValueError, re.error) as error:
        raise UsageError(f"--stamp-format: {one_line(str(error))}. Received: {overrides.stamp_format!r}") from None
    detected["stamp_format"] = _stamp_format(readings, overrides, paths[0])
    moments = readings[detected["stamp_format"].value]
    detected["series_id"], series = _series_id(head, moments, columns, numbers, paths[0])
    sentinels = _sentinels(columns, overrides, form)
    unsorted = bool((np.diff(moments) < np.timedelta64(0)).any())
    utc = timestamps.parse(timestamps.joined(head, stamp), detected["stamp_format"].value)[1]
    moments, zone = _in_utc(moments, overrides.time_zone, utc=utc)
    detected |= zone
    calendar, regular, detected["time_zone"] = _calendar(moments, zone["time_zone"], utc=utc)
    clock = detected["time_zone"].value
    ordered = row_calendar.numbered(timestamps.distinct(moments), calendar, clock)
    outside, ordered = int(np.isnat(ordered).sum()), timestamps.distinct(ordered[~np.isnat(ordered)])
    steps = _even_steps(ordered, regular, stamp)
    options = {option: entry.value for option, entry in detected.items() if option != "series_id"}
    return FileProfile(
        form=form.model_copy(update=options | {"drop": _other_times(columns)}),
        columns=columns,
        missing=_missing(columns, sentinels, overrides.missing) + Counter({"": blanks}),
        sentinels=sentinels,
        freq=regular.freq,
        rows=len(moments),
        repeated=regular.repeated,
        unsorted=unsorted,
        first=row_calendar.stamps(ordered[:1], calendar, clock)[0],
        last=row_calendar.stamps(ordered[-1:], calendar, clock)[0],
        gaps=Counter((steps[steps > 1] - 1).tolist()),
        head=numbers,
        reasons={option: entry.why for option, entry in detected.items() if entry.why},
        text=not files[0].parquet,
        calendar=calendar.rows,
        outside=outside,
        series_id=detected["series_id"].value,
        series=sorted(series),
    )


def _text(paths: Sequence[Path], overrides: Overrides) -> tuple[dict[str, Detected[Any]], list[str]]:
    """How the files are written, as far as the first lines say, and the cells of the row of units."""
    if RowFile(paths[0], CsvFormat(), "").parquet:
        return {}, []
    try:
        encodings = [layout.encoding(path, overrides.encoding) for path in paths]
        encoding = next((name for name in encodings if name != "ascii"), "utf-8")
        first = layout.layout(paths[0], encoding, overrides.delimiter)
    except (LookupError, UnicodeError):  # a name that is no text of UTF-8
        raise UsageError(f"--encoding: there is no encoding {overrides.encoding!r}") from None
    if any(name not in {"ascii", encoding} for name in encodings):
        raise UnrollError(f"{paths[0]} and others are written in {' and '.join(sorted({*encodings}))}; pass --encoding")
    single_byte = encoding in {"latin-1", "cp1252"} and not overrides.encoding
    names = None if first.header else [f"column{number}" for number in range(1, len(first.rows[0]) + 1)]
    cells = (cell for row in first.rows for cell in row)
    decimal, thousands = layout.marks(cells, paths[0], overrides.decimal)
    detected: dict[str, Detected[Any]] = {
        "encoding": Detected(encoding, "not UTF-8; of the encodings of one byte this is the usual one" * single_byte),
        "delimiter": Detected(first.delimiter),
        "decimal": Detected(decimal),
        "thousands": Detected(thousands),
        "skip": Detected(first.skip),
        "units_rows": Detected(len(first.units)),
        "names": Detected(names, "the file has no header" if names else ""),
    }
    return detected, first.units[0] if first.units else []


def _head(file: RowFile, progress: "Progress") -> "pd.DataFrame":
    """The first rows as text."""
    first = next(file.chunks(progress), None)
    if first is None or not len(first):
        raise UnrollError(f"{file.path} holds no rows; name a file with a header and rows")
    for name in first.columns:  # of a file, or to steer a terminal: as a column's it is a mistake or mischief
        if re.match(r"\.{0,2}[/\\]|~[/\\]|[A-Za-z]:\\", name) or not name.isprintable():
            raise UnrollError(f"{file.path}: column {name!r:.80} is named like a path; rename it in the file")
    head = first.head(HEAD)
    return head.astype("str").where(head.notna(), "")


def _stamp(head: "pd.DataFrame", overrides: Overrides, path: Path) -> tuple[list[str], list[str]]:
    """The columns of the timestamp, and the formats that it may have."""
    stamp, formats = timestamp_formats.find_columns(head, overrides.stamp)
    if not formats:  # perhaps of single wrong cells, which `_read` will name
        stamp, formats = timestamp_formats.find_columns(head[len(head) // 2 :], overrides.stamp, MOST)
    formats = [overrides.stamp_format] if overrides.stamp_format else formats
    if lacking := [column for column in stamp if column not in head.columns]:
        raise UsageError(f"--stamp: {path} has no column {lacking[0]!r}. It has: {', '.join(head.columns):.2000}")
    if not (stamp and formats):
        raise UsageError(
            f"{path}: no column holds times of a form that is known here; pass --stamp COLUMN (repeatable) and "
            f"--stamp-format, as strptime takes it. Columns: {', '.join(head.columns):.2000}"
        )
    return stamp, formats


def _read(
    files: Sequence[RowFile],
    form: CsvFormat,
    formats: Sequence[str],
    columns: dict[str, ColumnProfile],
    progress: "Progress",
) -> tuple[dict[str, Array], Array, int]:
    """Count what stands in each column, and read the timestamps by each format that all of them may have.

    Returns:
        Format -> (rows,) datetime64[ms]; (rows, columns) float64, the first numbers; how many rows are blank.
    """
    readings: dict[str, list[Array]] = {stamp_format: [] for stamp_format in formats}
    numbers, rows, blanks, wrong = list[Array](), 0, 0, dict[str, tuple[int, str]]()
    require_same(files, [*form.stamp, *columns])
    for file in files:
        before = 0
        for chunk in file.chunks(progress):
            empty = blank(chunk, form.stamp)
            frame = chunk[~empty] if empty.any() else chunk
            cells = timestamps.joined(frame, form.stamp)
            cells = cells.str.strip() if cells.dtype == "str" else cells
            for stamp_format in [*readings]:
                moments, _ = timestamps.parse(cells, stamp_format)
                readings[stamp_format].append(moments)
                if (bad := np.isnat(moments)).any():
                    wrong[stamp_format] = before + int(np.flatnonzero(~empty)[bad.argmax()]), str(cells[bad].iloc[0])
                    del readings[stamp_format]
            if not readings:
                likely = max(wrong, key=lambda name: wrong[name][0])  # the others failed in earlier rows
                row, text = wrong[likely]
                where = f"row {row} (from 0)" if file.parquet else f"line {file.line(row)}"
                raise UnrollError(
                    f"{file.path}, {where}: {text!r:.60} is no stamp of the form {likely}, as others are; "
                    "correct the file"
                )
            values = [column.update(frame[name], form) for name, column in columns.items()]
            if rows < KEPT and values:
                numbers.append(np.column_stack(values))
            rows, blanks, before = rows + len(frame), blanks + int(empty.sum()), before + len(chunk)
    whole = {stamp_format: np.concatenate(moments) for stamp_format, moments in readings.items()}
    return whole, np.concatenate(numbers) if numbers else np.empty((0, 0)), blanks


def _stamp_format(readings: dict[str, Array], overrides: Overrides, path: Path) -> Detected[str]:
    """Of the formats that all rows have, that by which they have a frequency."""
    if overrides.day_first is not None:
        start = "%d" if overrides.day_first else "%m"
        readings = {name: moments for name, moments in readings.items() if name.startswith(start)} or readings
    if len(readings) == 1:
        return Detected(*readings)
    even = {name: timestamp_formats.evenness(moments) for name, moments in readings.items()}
    first, *others = sorted(readings, key=lambda name: -even[name])
    others = [name for name in others if not np.array_equal(readings[name], readings[first])]
    if not others:
        return Detected(first)
    if even[first] >= EVEN and even[others[0]] <= even[first] * OTHER:
        return Detected(first, f"by {others[0]} the rows would not be evenly spaced")
    if first.startswith("%d.%m."):
        return Detected(first, "with dots the day stands first; --month-first says otherwise")
    which = f"--stamp-format {first!r} or {others[0]!r}"
    if {first[:2], others[0][:2]} == {"%d", "%m"}:
        which = "--day-first or --month-first"
    raise UsageError(f"{path}: its stamps can be read as {first} or as {others[0]}; pass {which}")


def _series_id(
    head: "pd.DataFrame", moments: Array, columns: dict[str, ColumnProfile], numbers: Array, path: Path
) -> tuple[Detected[str | None], list[str]]:
    """Where timestamps repeat, the column that says which series a row belongs to, and the names of the series.

    Each of them has a timestamp once, except for the hours that come twice in autumn.

    Raises:
        UsageError: there are too many series, or no column tells apart rows that differ at one timestamp.
    """
    if not len(numbers) or len(timestamps.distinct(moments)) > 0.7 * len(moments):
        return Detected(None), []
    for index, (name, column) in enumerate(columns.items()):
        cells = numbers[:, index] if column.numeric else head[name].to_numpy()
        counts = Counter(cells.tolist()) if column.numeric else column.words
        rows = len(timestamps.distinct(moments[: counts.total()]))
        unique = len({*zip(moments, cells, strict=False)}) >= DISTINCT * len(cells)
        several = min(rows, len(counts)) > 1
        most = max(counts.values())
        dense = 2 * counts.total() >= rows * len(counts) or (2 * most >= rows and len(counts) <= MOST_WORDS)
        if several and unique and DISTINCT * most <= rows and dense:
            series = [f"{word:g}" if column.numeric else word for word in counts]
            counted = any({*series} == {*map(str, range(start, start + len(series)))} for start in (0, 1))
            cure = f"{name!r} may count parts of a day, too; then make it part of the stamp in the file"
            why = cure if counted and len(series) in PARTS_OF_A_DAY else ""
            if len(series) > MOST_WORDS:
                few = why or f"leave all but {MOST_WORDS} out"
                raise UsageError(f"{path} holds {len(series)} series, by {name!r}; {few}")
            return Detected(name, why), series
    distinct, index_of = np.unique(moments[: len(numbers)], return_inverse=True)
    if len(np.unique(np.column_stack([index_of, np.nan_to_num(numbers)]), axis=0)) > 2 * len(distinct):
        few = " and ".join(name for name in columns if 1 < head[name].nunique() <= MOST_WORDS) or "none has few values"
        raise UsageError(
            f"{path}: each stamp stands {len(numbers) / len(distinct):.3g} times, with other numbers, and no column "
            f"alone says which series a row is of; join those that do ({few}) into one, or leave all but one series out"
        )
    return Detected(None), []


def _in_utc(moments: Array, given: str | None, *, utc: bool) -> tuple[Array, dict[str, Detected[Any]]]:
    """Timestamps (rows,) in UTC where the time zone is `given` or shows, and the options that say so."""
    if (count := len(timestamps.distinct(moments))) < 3:
        raise UnrollError(f"the file has {count} different stamps; a series has many")
    zone, ends, why = given, False, ""
    if not utc and zone is None and (shown := timestamp_formats.time_zone(moments)):
        zone, ends = shown
        why = "hours are missing in spring and doubled in autumn; zones of the same rule do as well"
    if not utc and zone:
        moments = timestamps.in_utc(moments, zone, "--time-zone", ends=ends)
    return moments, {"time_zone": Detected(zone, why), "ends": Detected(ends)}


def _calendar(
    moments: Array, zone: Detected[str | None], *, utc: bool
) -> tuple[Cleaning, Regularity, Detected[str | None]]:
    """As `timestamp_formats.calendar`, by the clock of a zone; of rows in UTC by that whose opening hours they keep."""
    calendar, regular = timestamp_formats.calendar(moments, zone.value)
    unknown = utc and zone.value is None and calendar.rows is None and regular.gaps
    for clock in timestamp_formats.ZONES if unknown else ():
        by_clock = timestamp_formats.calendar(moments, clock)
        if by_clock[0].rows is not None:
            return *by_clock, Detected(clock, "rows keep this clock's hours; zones of the same rule do as well")
    return calendar, regular, zone


def _even_steps(ordered: Array, regular: Regularity, stamp: Sequence[str]) -> Array:
    """(rows - 1,) how many rows of their frequency lie from one row to the next. Raises UnrollError if few are one."""
    steps = np.diff(ordered).astype(np.int64)
    if np.median(steps) < 1000:
        raise UnrollError("rows lie less than a second apart; thin them out to a second or more")
    even = (steps == regular.freq * 1000).mean()
    if even < EVEN or (even < 1 and steps.min() >= row_calendar.SHORTEST * timestamps.DAY):
        raise UnrollError(
            f"rows are not evenly spaced: from {steps.min() / 1000:g} to {steps.max() / 1000:g} seconds apart, "
            f"{regular.freq:,} in the middle; make rows of equal distance first, such as means of an hour"
            + f"; or pass --stamp {shlex.quote(stamp[0])}, if {stamp[1]!r} is no part of the time"
            * (len(stamp) == 2)
        )
    return np.asarray(steps // (regular.freq * 1000))


def _sentinels(columns: dict[str, ColumnProfile], overrides: Overrides, form: CsvFormat) -> set[float]:
    """The numbers that mean no value. Raises UsageError if cells have another decimal mark than the others."""
    import pandas as pd

    given = pd.to_numeric(pd.Series(overrides.missing, dtype=object), errors="coerce").to_numpy(np.float64)
    for column in columns.values():
        column.suspects.update(dict.fromkeys(given[np.isfinite(given)].tolist(), 0))
        if column.mixed and (column.numeric or overrides.decimal):
            cure = (
                f"pass --decimal {'.' if form.decimal == ',' else ','}" if overrides.decimal else "correct such cells"
            )
            what = f"beside numbers with {form.decimal!r} as decimal mark"
            raise UsageError(f"column {column.name!r} holds {column.mixed} {what}; {cure}")
    return set().union(*(column.sentinels for column in columns.values() if column.numeric))


def _missing(columns: dict[str, ColumnProfile], sentinels: set[float], given: Sequence[str]) -> Counter[str]:
    """Words and numbers that mean no value -> how often; those that the user gave in any case."""
    missing: Counter[str] = Counter()
    for column in columns.values():
        if column.numeric:
            missing.update({"": 0 if column.useless(sentinels) else column.empty})
            missing.update(column.words)
            missing.update({f"{number:g}": column.suspects[number] for number in sentinels})
    missing = +missing
    missing.update(dict.fromkeys(given, 1))
    return missing


def _other_times(columns: dict[str, ColumnProfile]) -> list[str]:
    """Columns that hold other timestamps."""
    words = {name: next(iter(column.words)) for name, column in columns.items() if not column.numeric and column.words}
    return [
        name
        for name, word in words.items()
        if timestamp_formats.formats(word, digits=False) or timestamp_formats.time_formats(word)
    ]
