"""Finding out the profile of a file, from its encoding to its columns.

A guess gets a reason, and a contradiction is refused.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.errors import UnrollError, UsageError
from pipeline.validation import one_of
from unroll.series.options import Options, argument
from unroll.series.reading import (
    column_rules,
    file_rows,
    layout,
    magnitudes,
    numbers,
    row_timestamps,
    rules,
)
from unroll.series.reading.cures import CurableError
from unroll.series.reading.file_rows import FileRows, column_named
from unroll.series.reading.profile import ColumnProfile, FileProfile
from unroll.series.row_options import CsvFormat

MOST_COLUMNS = 500
"""Largest number of columns in a file."""

SHORT = 200
"""Number of first cells of a column that are looked at for marks in numbers."""

LONG = 50
"""Number of longest cells of a column that are looked at for marks of thousands."""

MOST = 10_000
"""Rows at each end by which options are tried after a refusal."""


def detect(data: Sequence[Path] | FileRows, options: Options) -> FileProfile:
    """Return the profile of files of one form, or of a DataFrame.

    Args:
        data: CSV, Parquet or .xlsx files; or the rows of a DataFrame.
        options: the user's options; what is left out is detected.

    Raises:
        UnrollError: the files hold no series; one line says why.
        UsageError: something can be read in two ways; the line names the options with
            which the rows are read.
    """
    try:
        return _detected(data, options)
    except CurableError as error:
        raise error.that_help(options, partial(_detected, data, most=MOST)) from None


def _detected(
    data: Sequence[Path] | FileRows, options: Options, most: int | None = None
) -> FileProfile:
    """Return the profile of all rows, or of at most so many at each end, as `detect`."""
    asked = options
    if isinstance(data, FileRows):
        rows = data
        form = rows.form
        units = list[str]()
        reasons = dict[str, str]()
    else:
        form, texts, units, reasons = _written(data, options)
        rows = file_rows.read(data, form, texts)
    if most and len(rows.cells) > 2 * most:
        ends = [rows.cells.head(most), rows.cells.tail(most)]
        rows = replace(rows, cells=pd.concat(ends))
    paths = rows.paths
    header = list(rows.cells.columns)
    _require_table(rows, header)
    options = _of_columns(options, header)
    stamp, formats = row_timestamps.stamp_columns(
        rows.cells.head(row_timestamps.HEAD), options, paths[0]
    )
    names = [name for name in header if name not in stamp]
    if options.target is not None:
        one_of(options.target, names, argument("target"))
    measured, detected, why = row_timestamps.row_timestamps(
        rows, stamp, formats, options
    )
    rules.require(rules.OF_ROWS, measured)
    rows = measured.file
    samples = []
    for name in names:
        cells = rows.cells[name].dropna()
        if cells.dtype == "str":
            longest = cells.str.len().to_numpy().argsort(kind="stable")[-LONG:]
            samples.append([*cells.head(SHORT), *cells.iloc[longest]])
    detected["decimal"], detected["thousands"] = numbers.marks(
        samples, paths[0], form.delimiter, options.decimal
    )
    form = form.model_copy(update=detected)
    below = dict(zip(header, units, strict=False))
    columns = {
        name: ColumnProfile.of(name, below.get(name, ""), rows.cells[name], form)
        for name in names
    }
    profile = FileProfile(
        **measured.given,
        form=form,
        columns=columns,
        missing=Counter(options.missing),
        odd=[],
        reasons={name: reason for name, reason in (reasons | why).items() if reason},
    )
    rules.require(column_rules.OF_COLUMNS, profile)
    numeric = [column for column in profile.measures if column.numeric]
    notes = (*profile.notes, *column_rules.lasting_changes(profile))
    profile = replace(profile, asked=asked, notes=notes)
    return _without_sentinels(profile, numeric, options.missing)


def _without_sentinels(
    profile: FileProfile, numeric: Sequence[ColumnProfile], words: Sequence[str]
) -> FileProfile:
    """Return the profile without the numbers that mean no value.

    Args:
        profile: the profile of the file.
        numeric: the columns of numbers.
        words: what means no value, as the user says.
    """
    numbers_given = pd.to_numeric(pd.Series([*words], dtype="str"), errors="coerce")
    sentinels = {*numbers_given.dropna()}
    known = {column.name: column.without(sentinels).measured for column in numeric}
    odd = magnitudes.odd(known, profile.timestamps, profile.of_rows)
    sentinels |= {one.number for one in odd if one.missing}
    missing = Counter[str]()
    columns = {
        name: column.without(sentinels) for name, column in profile.columns.items()
    }
    for column in numeric:
        cells = column.measured[np.isin(column.measured, [*sentinels])].tolist()
        missing.update(column.words)
        missing.update(str(number).removesuffix(".0") for number in cells)
        if not columns[column.name].useless:
            missing[""] += column.empty
    missing[""] += profile.file.empty
    timed = [name for name in columns if columns[name].timed]
    return replace(
        profile,
        form=profile.form.model_copy(update={"drop": timed}),
        columns=columns,
        missing=+missing | profile.missing,
        odd=odd,
    )


def _require_table(rows: FileRows, header: Sequence[str]) -> None:
    """Raise UnrollError or UsageError unless there are rows, and not too many columns."""
    path = rows.paths[0]
    if len(header) > MOST_COLUMNS:
        raise UnrollError(
            f"{path} has {len(header):,} columns, more than {MOST_COLUMNS}; keep the "
            "columns that matter"
        )
    if not len(rows.cells):
        raise UnrollError(f"{path} holds no rows; name a file with a header and rows")


def _of_columns(options: Options, header: Sequence[str]) -> Options:
    """Return options with the names of columns as the file has them."""
    stamp = [column_named(name, header) for name in options.stamp]
    lacking = [name for name in stamp if name not in header]
    if lacking:
        raise UsageError(
            f"{argument('stamp')} must name columns of the file: {', '.join(header):.2000}. "
            f"Received: {lacking[0]!r}"
        )
    target = None if options.target is None else column_named(options.target, header)
    return options.model_copy(update={"stamp": stamp, "target": target})


def _written(
    paths: Sequence[Path], options: Options
) -> tuple[CsvFormat, dict[Path, str], list[str], dict[str, str]]:
    """Return how files are written, by their first lines.

    Returns:
        The form; file -> its text; the cells of the first row of units; and option ->
        reason for its value, if the value is a guess.
    """
    if file_rows.is_parquet(paths[0]):
        return CsvFormat(), {}, [], {}
    found = {path: layout.text_of(path, options.encoding) for path in paths}
    texts = {path: text for path, (text, _, _) in found.items()}
    encodings = {encoding for _, encoding, _ in found.values()} - {"ascii"}
    encoding = next(iter(encodings), "utf-8")
    if len(encodings) > 1:
        raise UnrollError(
            f"{paths[0]} and others are written in {' and '.join(sorted(encodings))}; "
            f"pass {argument('encoding')} if one fits all"
        )
    form, units = layout.layout(paths[0], texts[paths[0]], options.delimiter)
    form = form.model_copy(update={"encoding": encoding})
    guessed = encoding in {"latin-1", "cp1252"} and not options.encoding
    one_byte = "not UTF-8, and this is the usual encoding of one byte"
    reasons = {
        "sheet": next((sheet for _, _, sheet in found.values() if sheet), ""),
        "encoding": one_byte if guessed else "",
        "names": "the file has no whole header" if form.names else "",
    }
    return form, texts, units[0] if units else [], reasons
