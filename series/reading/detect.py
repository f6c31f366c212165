"""Look at a file from beginning to end.

What is not certain gets a reason, what is contradictory is refused.
"""

import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pipeline.data import row_calendar, timestamps
from pipeline.data.row_files import RowFile, blank
from pipeline.data.series_options import CsvFormat
from pipeline.errors import UnrollError, UsageError
from pipeline.validation import one_of
from series.reading import headings, layout, number_marks, timestamp_formats
from series.reading import moments as row_moments
from series.reading.headings import column_named
from series.reading.moments import HEAD, Moments, Rows
from series.reading.profile import (
    ColumnProfile,
    Detected,
    FileProfile,
    Overrides,
    sentinels_of,
)

if TYPE_CHECKING:
    from pipeline.data.download import Progress

NUMBERED = re.compile(r"^(?!.*#[A-Za-z]).*\d")
"""A word that may be a number; those like #DIV/0! are a spreadsheet's errors."""

SHORT = 200
"""First cells of a column that are looked at for marks in numbers."""

LONG = 50
"""Longest cells of a column that are looked at: where thousands have marks, those do.
"""


def detect(
    paths: Sequence[Path], overrides: Overrides, progress: "Progress"
) -> FileProfile:
    """Read files of one form.

    Raises:
        UnrollError: they are no series; one line says why.
        UsageError: something can be read in two ways; the line says which option
            decides.
    """
    written, units = _written(paths, overrides)
    form = CsvFormat(**{option: entry.value for option, entry in written.items()})
    files = [RowFile(path, form, "") for path in paths]
    headings.require_plain(files)
    overrides = _of_columns(overrides, files[0].header())
    frames = [file.rows(progress) for file in files]
    frame = pd.concat(frames, ignore_index=True)
    if not len(frame):
        raise UnrollError(
            f"{paths[0]} holds no rows; name a file with a header and rows"
        )
    stamp, formats = row_moments.stamp_columns(frame.head(HEAD), overrides, paths[0])
    empty = blank(frame, stamp)
    counts = [len(one) for one in frames]
    rows = Rows(files, counts, frame[~empty] if empty.any() else frame)
    names = [name for name in frame.columns if name not in stamp]
    if overrides.target is not None:
        one_of(overrides.target, names, "--target")
    moments = row_moments.moments_of(rows, stamp, formats, overrides)
    marks = _marks(rows, names, form, overrides)
    form = form.model_copy(
        update={option: entry.value for option, entry in marks.items()}
    )
    below = dict(zip(frame.columns, units, strict=False))
    columns = {
        name: ColumnProfile.of(name, below.get(name, ""), rows.frame[name], form)
        for name in names
    }
    series = moments.series
    # The names of series are no values.
    measured = {
        name: column for name, column in columns.items() if name != series.column
    }
    _require_one_notation(measured, overrides, form)
    _require_numbers(measured, overrides, files[0])
    sentinels = sentinels_of(
        [column for column in measured.values() if column.numeric], overrides.missing
    )
    missing = _missing(measured, sentinels)
    missing[""] += int(empty.sum())
    detected = written | marks | moments.options
    options = {option: entry.value for option, entry in detected.items()}
    options |= {"stamp": stamp, "drop": _other_times(columns)}
    reasons = {option: entry.why for option, entry in detected.items() if entry.why}
    if series.why:
        reasons["series_id"] = series.why
    return FileProfile(
        form=form.model_copy(update=options),
        columns={name: column.without(sentinels) for name, column in columns.items()},
        missing=+missing | Counter(overrides.missing),
        rows=len(rows.frame),
        repeated=moments.regular.repeated,
        unsorted=moments.unsorted,
        reasons=reasons,
        text=not files[0].typed,
        calendar=moments.calendar.rows,
        series_id=series.column,
        series=series.names,
        **_spacing(moments, stamp),
    )


def _of_columns(overrides: Overrides, header: Sequence[str]) -> Overrides:
    """Return overrides with the names of columns as the file has them."""
    stamp = [column_named(name, header) for name in overrides.stamp]
    lacking = [name for name in stamp if name not in header]
    if lacking:
        raise UsageError(
            f"--stamp: the file has no column {lacking[0]!r}. It has: {', '.join(header):.2000}"
        )
    if overrides.target is None:
        return replace(overrides, stamp=stamp)
    return replace(
        overrides, stamp=stamp, target=column_named(overrides.target, header)
    )


def _spacing(moments: Moments, stamp: Sequence[str]) -> dict[str, Any]:
    """Return the attributes of a profile that say how far apart rows are.

    Raises:
        UnrollError: they are not evenly spaced.
    """
    clock = moments.options["time_zone"].value
    calendar = moments.calendar
    numbers = row_calendar.numbered(
        timestamps.distinct(moments.written), calendar, clock
    )
    outside = np.isnat(numbers)
    ordered = timestamps.distinct(numbers[~outside])
    steps = row_moments.even_steps(ordered, moments.regular, stamp)
    first, last = row_calendar.stamps(ordered[[0, -1]], calendar, clock)
    return {
        "freq": moments.regular.freq,
        "first": first,
        "last": last,
        "gaps": Counter((steps[steps > 1] - 1).tolist()),
        "outside": int(outside.sum()),
    }


def _written(
    paths: Sequence[Path], overrides: Overrides
) -> tuple[dict[str, Detected[Any]], list[str]]:
    """Return how files are written, as far as the first lines say, and the cells of
    units.
    """
    if RowFile(paths[0], CsvFormat(), "").typed:
        return {}, []
    try:
        encodings = [layout.encoding(path, overrides.encoding) for path in paths]
        encoding = next((name for name in encodings if name != "ascii"), "utf-8")
        first = layout.layout(paths[0], encoding, overrides.delimiter)
    except (LookupError, UnicodeError):  # a name that is no text of UTF-8
        raise UsageError(
            f"--encoding: there is no encoding {overrides.encoding!r}"
        ) from None
    if not {*encodings} <= {"ascii", encoding}:
        raise UnrollError(
            f"{paths[0]} and others are written in {' and '.join(sorted({*encodings}))}; "
            "pass --encoding"
        )
    why = ""
    if encoding in {"latin-1", "cp1252"} and not overrides.encoding:
        why = "not UTF-8; of the encodings of one byte this is the usual one"
    detected: dict[str, Detected[Any]] = {
        "encoding": Detected(encoding, why),
        "delimiter": Detected(first.delimiter),
        "skip": Detected(first.skip),
        "units_rows": Detected(len(first.units)),
        "names": Detected(
            first.names, "the file has no whole header" if first.names else ""
        ),
    }
    return detected, first.units[0] if first.units else []


def _marks(
    rows: Rows, names: Sequence[str], form: CsvFormat, overrides: Overrides
) -> dict[str, Detected[Any]]:
    """Return which marks the numbers of a text file have."""
    if rows.files[0].typed:
        return {}
    samples = [_sample(rows.frame[name]) for name in names]
    decimal, thousands = number_marks.marks(
        samples, rows.path, form.delimiter, overrides.decimal
    )
    return {"decimal": Detected(decimal), "thousands": Detected(thousands)}


def _sample(cells: "pd.Series[str]") -> list[str]:
    """Return the first cells of a column and some of the longest ones."""
    longest = cells.str.len().to_numpy().argsort(kind="stable")[-LONG:]
    return [*cells.head(SHORT), *cells.iloc[longest]]


def _require_one_notation(
    columns: Mapping[str, ColumnProfile], overrides: Overrides, form: CsvFormat
) -> None:
    """Raise UsageError if a column of numbers holds others, too, or numbers of several
    units.
    """
    # By the wrong mark all numbers are words.
    doubtful = r"-?\d+[.,]\d+" if overrides.decimal else r"(?!)"
    for name, column in columns.items():
        pattern = NUMBERED if column.numeric else doubtful
        for word, count in column.words.items():
            if word in overrides.missing or not re.search(pattern, word):
                continue
            cure = "write it like the others"
            if overrides.decimal:
                cure = f"pass --decimal {number_marks.OTHER[form.decimal]}"
            raise UsageError(
                f"column {name!r} holds {word:.60} {count:,} times beside numbers with "
                f"{form.decimal!r} as decimal mark; {cure}, or pass --missing {shlex.quote(word)} "
                "if it means no value"
            )
        parts = [sign for sign in "%‰" if 0 < column.signs[sign] < column.numbers]
        if parts or len(column.signs) > 1:
            signs = [*column.signs, *(["none"] if parts else [])]
            raise UsageError(
                f"column {name!r} holds numbers of several units ({' and '.join(signs)}); "
                "write all in one"
            )


def _require_numbers(
    columns: Mapping[str, ColumnProfile], overrides: Overrides, file: RowFile
) -> None:
    """Raise UsageError if what may be forecast holds no numbers, but words that begin
    with one.
    """
    names = [name for name in columns if overrides.target in {None, name}]
    if any(columns[name].numeric for name in names):
        return
    for name in names:
        words = [word for word in columns[name].words if re.search(r"^\D{0,3}\d", word)]
        if 2 * len(words) > len(columns[name].words):
            cure = (
                "save them as numbers"
                if file.typed
                else "write numbers alone, all in one unit"
            )
            raise UsageError(
                f"{file.path}: column {name!r} holds {words[0]:.40} and {words[-1]:.40}, which are "
                f"not read as numbers; {cure}"
            )


def _missing(
    columns: Mapping[str, ColumnProfile], sentinels: set[float]
) -> Counter[str]:
    """Return words and numbers that mean no value -> how often."""
    missing = Counter[str]()
    for column in columns.values():
        if not column.numeric:
            continue
        cells = column.measured[np.isin(column.measured, [*sentinels])]
        missing.update(column.words)
        missing.update(f"{number:g}" for number in cells)
        if not column.without(sentinels).useless:
            missing[""] += column.empty
    return missing


def _other_times(columns: Mapping[str, ColumnProfile]) -> list[str]:
    """Return columns that hold other timestamps."""
    others = []
    for name, column in columns.items():
        if column.numeric or not column.words:
            continue
        word = next(iter(column.words))
        if timestamp_formats.formats(
            word, digits=False
        ) or timestamp_formats.time_formats(word):
            others.append(name)
    return others
