"""Look at a file from beginning to end: what is not certain gets a reason, what is contradictory is refused."""

import itertools
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pipeline.data import notations, row_calendar, timestamps
from pipeline.data.examples import Array
from pipeline.data.row_files import RowFile, blank, require_same
from pipeline.data.row_table import MOST_WORDS
from pipeline.data.series_options import Cleaning, CsvFormat
from pipeline.data.timestamps import Regularity
from pipeline.errors import UnrollError, UsageError, one_line
from pipeline.validation import one_of
from series.reading import layout, timestamp_formats
from series.reading.profile import ColumnProfile, Detected, FileProfile, Overrides, sentinels_of

if TYPE_CHECKING:
    from pipeline.data.download import Progress

HEAD = 2000
"""Rows that the columns of the timestamp are found in."""

PARTS_OF_A_DAY = (24, 25, 48, 50, 96, 100, 144, 150)
"""Hours, half hours and such, which some files count in a column of its own; some have an hour more in autumn."""

EVEN, OTHER = 0.5, 0.75
"""The share of even steps that rows must have, and how much of that other readings of their timestamps may have."""

DISTINCT = 0.99
"""The share of rows that a column must tell apart by series; the others are of the nights when clocks are put back."""

NUMBERED = re.compile(r"^(?!.*#[A-Za-z]).*\d")
"""A word that may be a number; those like #DIV/0! are a spreadsheet's errors."""

PART_OF_TIME = re.compile(
    r"(?<![a-z])(time|hour|hr|he|minute|min|day|month|mon|quarter|qtr|week|period|interval|half|"
    r"zeit|uhrzeit|stunde|minute|tag|monat|quartal|woche|von|bis|heure|mois|hora|mes|dia)(?![a-z])",
    re.IGNORECASE,
)
"""What a column is called that may hold a part of the time."""

COUNTED = re.compile(r"(?:h|he|hour|q|m|month|w|kw|day)?[ _]?(\d{1,4})(?:[.:h]\d+\w*)?", re.IGNORECASE)
"""A part of the time, as a cell or a heading: H1, Q4, 31, 02:00."""

WIDTHS = {12, 24, 25, 28, 29, 30, 31, 48, 96}
"""How many columns there are for the times of a year, a day or a month."""


@dataclass(frozen=True)
class Rows:
    """The rows of some files that hold something; the frame's index has the file's number and the row's in it."""

    files: Sequence[RowFile]
    frame: pd.DataFrame

    def place(self, row: int) -> str:
        """Return the file and the line of a row."""
        number, own = self.frame.index[row]
        return f"{self.files[number].path}, {self.files[number].place(own)}"


def detect(paths: Sequence[Path], overrides: Overrides, progress: "Progress") -> FileProfile:
    """Read files of one form.

    Raises:
        UnrollError: they are no series; one line says why.
        UsageError: something can be read in two ways; the line says which option decides.
    """
    detected, units = _text(paths, overrides)
    form = CsvFormat(**{option: entry.value for option, entry in detected.items()})
    files = [RowFile(path, form, "") for path in paths]
    _require_plain_names(files)
    frame = pd.concat({number: file.rows(progress) for number, file in enumerate(files)})
    if not len(frame):
        raise UnrollError(f"{paths[0]} holds no rows; name a file with a header and rows")
    stamp, formats = _stamp(frame.head(HEAD).astype("str").fillna(""), overrides, paths[0])
    empty = blank(frame, stamp)
    rows = Rows(files, frame[~empty])
    names = [name for name in frame.columns if name not in stamp]
    if overrides.target is not None:
        one_of(overrides.target, names, "--target")
    moments, utc, found = _moments(rows, stamp, formats, overrides)
    found["series_id"], series = _series_id(rows.frame[names], moments, paths[0])
    if not files[0].typed:
        samples = [_sample(rows.frame[name]) for name in names]
        decimal, thousands = layout.marks(samples, paths[0], form.delimiter, overrides.decimal)
        found |= {"decimal": Detected(decimal), "thousands": Detected(thousands)}
        form = form.model_copy(update={"decimal": decimal, "thousands": thousands})
    below = dict(itertools.zip_longest(frame.columns, units, fillvalue=""))
    columns = {name: ColumnProfile.of(name, below[name], rows.frame[name], form) for name in names}
    _require_one_notation(columns.values(), overrides, form)
    unsorted = bool((np.diff(moments) < np.timedelta64(0)).any())
    moments, zone = _in_utc(moments, overrides.time_zone, utc=utc)
    detected |= found | zone
    calendar, regular, detected["time_zone"] = _calendar(moments, zone["time_zone"], utc=utc)
    clock = detected["time_zone"].value
    ordered = row_calendar.numbered(timestamps.distinct(moments), calendar, clock)
    outside, ordered = int(np.isnat(ordered).sum()), timestamps.distinct(ordered[~np.isnat(ordered)])
    steps = _even_steps(ordered, regular, stamp)
    sentinels = sentinels_of([column for column in columns.values() if column.numeric], overrides.missing)
    missing = _missing(columns, sentinels) + Counter({"": int(empty.sum())})
    options = {option: entry.value for option, entry in detected.items() if option != "series_id"}
    return FileProfile(
        form=form.model_copy(update=options | {"stamp": stamp, "drop": _other_times(columns)}),
        columns={name: column.without(sentinels) for name, column in columns.items()},
        missing=missing | Counter(overrides.missing),
        freq=regular.freq,
        rows=len(moments),
        repeated=regular.repeated,
        unsorted=unsorted,
        first=row_calendar.stamps(ordered[:1], calendar, clock)[0],
        last=row_calendar.stamps(ordered[-1:], calendar, clock)[0],
        gaps=Counter((steps[steps > 1] - 1).tolist()),
        reasons={option: entry.why for option, entry in detected.items() if entry.why},
        text=not files[0].typed,
        calendar=calendar.rows,
        outside=outside,
        series_id=detected["series_id"].value,
        series=series,
    )


def _sample(cells: "pd.Series[str]") -> list[str]:
    """Return the first cells of a column and some of the longest ones: where thousands have marks, those do."""
    longest = cells.str.len().nlargest(50).index
    return [*cells.head(200), *cells[longest]]


def _text(paths: Sequence[Path], overrides: Overrides) -> tuple[dict[str, Detected[Any]], list[str]]:
    """How the files are written, as far as the first lines say, and the cells of the row of units."""
    if RowFile(paths[0], CsvFormat(), "").typed:
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
    detected: dict[str, Detected[Any]] = {
        "encoding": Detected(encoding, "not UTF-8; of the encodings of one byte this is the usual one" * single_byte),
        "delimiter": Detected(first.delimiter),
        "skip": Detected(first.skip),
        "units_rows": Detected(len(first.units)),
        "names": Detected(first.names, "the file has no whole header" if first.names else ""),
    }
    return detected, first.units[0] if first.units else []


def _require_plain_names(files: Sequence[RowFile]) -> None:
    """Raise UnrollError if files differ in their columns, have too many, or one has a name that is not for the eye."""
    header = files[0].header()
    if len(header) > layout.MOST_COLUMNS:
        raise UnrollError(
            f"{files[0].path} has {len(header):,} columns; keep those that matter, {layout.MOST_COLUMNS:,} at most"
        )
    for name in header:  # of a file, or to steer a terminal: as a column's it is a mistake or mischief
        if re.match(r"\.{0,2}[/\\]|~[/\\]|[A-Za-z]:\\", name) or not name.isprintable():
            raise UnrollError(f"{files[0].path}: column {name!r:.80} is named like a path; rename it in the file")
    times = [name for name in header if timestamp_formats.time_formats(name)]
    months = [name for name in header if notations.plain_date(name) in notations.MONTHS]
    counts = sorted({int(found[1]) for found in map(COUNTED.fullmatch, header) if found})
    counted = len(counts) in WIDTHS and counts[0] < 2 and counts[-1] - counts[0] == len(counts) - 1
    quarters = {"q1", "q2", "q3", "q4"} <= {name.lower() for name in header}
    if counted or quarters or len(times) > 3 or len(months) > 3:
        raise UsageError(f"{files[0].path}: each column is of another time; turn the table to rows (pandas: melt)")
    require_same(files, header)


def _stamp(head: pd.DataFrame, overrides: Overrides, path: Path) -> tuple[list[str], list[str]]:
    """Return the columns of the timestamp, and the formats that it may have, from the first rows as text.

    Where a few of the rows have another one, `_moments` will name them.
    """
    if lacking := [column for column in overrides.stamp if column not in head.columns]:
        raise UsageError(f"--stamp: {path} has no column {lacking[0]!r}. It has: {', '.join(head.columns):.2000}")
    for rows, share in ((head, 1.0), (head[len(head) // 2 :], 0.9), (head, 0.5)):
        stamp, formats = timestamp_formats.find_columns(rows, overrides.stamp, share)
        if stamp and (overrides.stamp_format or formats):
            return stamp, [overrides.stamp_format] if overrides.stamp_format else formats
    for names in (head.columns, head.iloc[0]):
        if sum(bool(timestamp_formats.formats(name, digits=False)) for name in names) > len(names) / 2:
            raise UsageError(f"{path}: its columns are times; turn the table (pandas: melt), so that each row has one")
    named = [column for column in head.columns if timestamp_formats.find_columns(head[[column]], [column])[1]]
    if named and not overrides.stamp:
        raise UsageError(f"{path}: column {named[0]!r} may hold times; pass --stamp {shlex.quote(named[0])} if it does")
    first = ", ".join(f"{name} ({head[name].iloc[0]!r:.40})" for name in stamp or head.columns)
    raise UsageError(
        f"{path}: no column holds times of a form that is known here; pass --stamp COLUMN (repeatable) and "
        "--stamp-format, such as '%d.%m.%Y %H:%M' for 31.01.2024 13:00, or write times like 2024-01-31 13:00. "
        f"Columns and first cells: {first:.2000}"
    )


def _moments(
    rows: Rows, stamp: Sequence[str], formats: Sequence[str], overrides: Overrides
) -> tuple[Array, bool, dict[str, Detected[Any]]]:
    """Return the timestamps (rows,) datetime64[ms], whether they are in UTC, and the options that say how to read them.

    Raises:
        UnrollError: a row has no timestamp of a form that the others have, or one that contradicts the others.
        UsageError: all have several forms that give other times.
    """
    cells = timestamps.joined(rows.frame, stamp)
    if cells.dtype == "str":
        cells = cells.str.strip()
        ends = cells.str.extract(notations.CLOSE_INTERVAL)[1]
        if ends.notna().any() and ends.nunique() < 3:
            raise UsageError(
                f"{rows.files[0].path}: {cells[ends.first_valid_index()]!r} may be an interval or have a UTC offset; "
                "write 10:00 - 11:00, or an offset behind seconds: 10:00:00-05:00"
            )
    try:
        parsed = {stamp_format: timestamps.parse(cells, stamp_format) for stamp_format in formats}
    except (ValueError, re.error) as error:
        raise UsageError(f"--stamp-format: {one_line(str(error))}. Received: {overrides.stamp_format!r}") from None
    wrong = {
        stamp_format: timestamps.wrong(moments) | ~(timestamps.usual(moments) | bool(overrides.stamp))
        for stamp_format, (moments, _) in parsed.items()
    }
    readings = {stamp_format: parsed[stamp_format][0] for stamp_format in formats if not wrong[stamp_format].any()}
    if not readings:
        likely = max(formats, key=lambda name: int(wrong[name].argmax()))  # the others failed in earlier rows
        row = int(wrong[likely].argmax())
        if row == 0 and np.isnat(parsed[likely][0][0]) and not wrong[likely].all():
            row = int((~wrong[likely]).argmax()) - 1  # the last one before the form changes
        what = f"is no stamp of the form {likely}, as others are; correct the file"
        if not np.isnat(parsed[likely][0][row]):
            first, last = timestamps.YEARS
            what = f"lies outside of the years {first} to {last}, read as {likely}; correct it"
            what += f", or if most are right pass --stamp {shlex.quote(stamp[0])}"
        raise UnrollError(f"{rows.place(row)}: {str(cells.iloc[row])!r:.60} {what}")
    centuries = {name: timestamp_formats.first_year(readings[name]) for name in readings if "%y" in name}
    for name, first_year in centuries.items():
        if first_year is not None:
            readings[name] = timestamps.in_century(readings[name], first_year)
    found: dict[str, Detected[Any]] = {"stamp_format": _stamp_format(readings, overrides, rows.files[0].path)}
    chosen = found["stamp_format"].value
    if first_year := centuries.get(chosen):
        found["first_year"] = Detected(first_year, "years of two digits begin there, so that rows lie close together")
    _require_one_order(rows, cells, readings[chosen], chosen)
    slip = timestamp_formats.slip(readings[chosen])
    if slip is not None:
        near = [readings[chosen][index] for index in (slip - 1, slip + 1) if 0 <= index < len(cells)]
        raise UnrollError(
            f"{rows.place(slip)}: the stamp {timestamps.shown(readings[chosen][slip])} does not fit those beside it, "
            f"{' and '.join(map(timestamps.shown, near))}; correct it, or leave that row out"
        )
    return readings[chosen], parsed[chosen][1], found


def _require_one_order(rows: Rows, cells: "pd.Series[Any]", moments: Array, stamp_format: str) -> None:
    """Raise UnrollError if some rows have day and month in the other order, as spreadsheets leave them."""
    swapped = stamp_format.translate(str.maketrans("dm", "md"))
    if not {"%d", "%m"} <= {stamp_format[start : start + 2] for start in range(len(stamp_format))}:
        return
    others, _ = timestamps.parse(cells, swapped)
    mended = np.where(np.isnat(others), moments, others)
    if (np.diff(mended) > np.timedelta64(0)).all() and not (np.diff(moments) > np.timedelta64(0)).all():
        row = int((mended != moments).argmax())
        other = str(cells.iloc[int(np.isnat(others).argmax())])
        what = f"{str(cells.iloc[row])!r:.60} has day and month in another order than {other!r:.60}"
        raise UnrollError(f"{rows.place(row)}: {what}; correct the file")


def _stamp_format(readings: dict[str, Array], overrides: Overrides, path: Path) -> Detected[str]:
    """Return, of the formats that all rows have, that by which they have a frequency."""
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


def _series_id(frame: pd.DataFrame, moments: Array, path: Path) -> tuple[Detected[str | None], list[str]]:
    """Return, where timestamps repeat, the column that says which series a row belongs to, and the series' names.

    Each series has a timestamp once, except for the hours that come twice in autumn.

    Raises:
        UsageError: there are too many series, or no column tells apart rows that differ at one timestamp.
    """
    times = len(timestamps.distinct(moments))
    if times < 2 or times > 0.7 * len(moments):
        return Detected(None), []
    for name in frame.columns:
        names = frame[name].astype("str").str.strip().reset_index(drop=True)
        counts = names[names != ""].value_counts()
        apart = 1 - pd.DataFrame({"stamp": moments, "series": names}).duplicated().mean()
        filled = counts.sum() / max(1, times * len(counts))
        if len(counts) < 2 or counts.median() < 2 or apart < DISTINCT or counts.max() * DISTINCT > times:
            continue
        of_time = (COUNTED.fullmatch(word) or notations.plain_date(word) in notations.MONTHS for word in counts.index)
        if PART_OF_TIME.search(name) and len(counts) <= 400 and all(of_time):
            raise UsageError(
                f"{path}: column {name!r} may be a part of the time, since each stamp stands {len(counts)} times; join "
                "both in the file, as in 2024-01-31 13:00, or rename the column if it names series"
            )
        numbers = pd.to_numeric(counts.index, errors="coerce")
        counted = numbers.min() in {0, 1} and numbers.max() - numbers.min() == len(counts) - 1
        why = ""
        if counted and len(counts) in PARTS_OF_A_DAY:
            why = f"{name!r} may count parts of a day, too; then make it part of the stamp in the file"
        if len(counts) > MOST_WORDS:
            few = why or f"leave all but {MOST_WORDS} out"
            raise UsageError(f"{path} holds {len(counts):,} series, by {name!r}; {few}")
        if filled >= 0.5 or 2 * counts.max() >= times:  # some may be short
            return Detected(name, why), sorted(counts.index)
    if len(frame.assign(**{"the stamp": moments}).drop_duplicates()) > 2 * times:
        candidates = " and ".join(name for name in frame if 1 < frame[name].nunique() <= MOST_WORDS)
        raise UsageError(
            f"{path}: each stamp stands {len(frame) / times:.3g} times, with other numbers, and no column alone says "
            f"which series a row is of; join those that do ({candidates or 'none has few values'}) into one, or leave "
            "all but one series out"
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
    """As `row_calendar.calendar`, by the clock of a zone; of rows in UTC by that whose opening hours they keep."""
    calendar, regular = row_calendar.calendar(moments, zone.value)
    unknown = utc and zone.value is None and calendar.rows is None and regular.gaps
    for clock in timestamp_formats.ZONES if unknown else ():
        by_clock = row_calendar.calendar(moments, clock)
        if by_clock[0].rows is not None:
            return *by_clock, Detected(clock, "rows keep this clock's hours; zones of the same rule do as well")
    return calendar, regular, zone


def _even_steps(ordered: Array, regular: Regularity, stamp: Sequence[str]) -> Array:
    """(rows - 1,) how many rows of their frequency lie from one row to the next. Raises UnrollError if few are one."""
    steps = np.diff(ordered).astype(np.int64)
    if np.median(steps) < 1000:
        raise UnrollError("rows lie less than a second apart; thin them out to a second or more")
    even = (steps == regular.freq * 1000).mean()
    cure = ""
    if len(stamp) == 2:
        cure = f"; or pass --stamp {shlex.quote(stamp[0])}, if {stamp[1]!r} is no part of the time"
    if even < EVEN or (even < 1 and steps.min() >= row_calendar.SHORTEST * timestamps.DAY):
        raise UnrollError(
            f"rows are not evenly spaced: from {steps.min() / 1000:,.0f} to {steps.max() / 1000:,.0f} seconds apart, "
            f"{regular.freq:,} in the middle; make rows of equal distance first, such as means of an hour"
            f"{cure}"
        )
    return np.asarray(steps // (regular.freq * 1000))


def _require_one_notation(columns: Iterable[ColumnProfile], overrides: Overrides, form: CsvFormat) -> None:
    """Raise UsageError if a column of numbers has cells that may be numbers, or numbers of several units."""
    doubtful = r"-?\d+[.,]\d+" if overrides.decimal else r"(?!)"  # all are words by the wrong mark
    for column in columns:
        pattern = NUMBERED if column.numeric else doubtful
        for word, count in column.words.items():
            if re.search(pattern, word) and word not in overrides.missing:
                cure = "write it like the others"
                if overrides.decimal:
                    cure = f"pass --decimal {layout.OTHER[form.decimal]}"
                raise UsageError(
                    f"column {column.name!r} holds {word:.60} {count:,} times beside numbers with {form.decimal!r} as "
                    f"decimal mark; {cure}, or pass --missing {shlex.quote(word)} if it means no value"
                )
        parts = [sign for sign in "%‰" if 0 < column.signs[sign] < column.numbers]
        if parts or len(column.signs) > 1:
            signs = " and ".join([*column.signs, *["none" for _ in parts]])
            raise UsageError(f"column {column.name!r} holds numbers of several units ({signs}); write all in one")


def _missing(columns: dict[str, ColumnProfile], sentinels: set[float]) -> Counter[str]:
    """Return words and numbers that mean no value -> how often."""
    missing = Counter[str]()
    for column in columns.values():
        if column.numeric:
            cells = column.measured[np.isin(column.measured, [*sentinels])]
            missing += column.words + Counter(f"{number:g}" for number in cells)
            missing[""] += 0 if column.without(sentinels).useless else column.empty
    return +missing


def _other_times(columns: dict[str, ColumnProfile]) -> list[str]:
    """Columns that hold other timestamps."""
    words = {name: next(iter(column.words)) for name, column in columns.items() if not column.numeric and column.words}
    return [
        name
        for name, word in words.items()
        if timestamp_formats.formats(word, digits=False) or timestamp_formats.time_formats(word)
    ]
