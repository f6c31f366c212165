"""Reads files of rows with timestamps into arrays; an error names the cell that is
wrong.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pipeline.data import timestamps
from pipeline.data.examples import Array
from pipeline.data.row_files import RowFile, blank, no_progress, numbers, require_same
from pipeline.data.series_options import ALONE, CsvFormat
from pipeline.errors import UnrollError, UsageError

if TYPE_CHECKING:
    from pipeline.data.download import Progress

MOST_CATEGORIES = 50
"""Largest number of words in a column that becomes columns of 0 and 1."""

MOST_SERIES = 10_000
"""Largest number of series in a file."""


@dataclass(frozen=True)
class RowTable:
    """The rows of one or more files, in order.

    Attributes:
        timestamps: (rows,) datetime64[ms], in UTC if the cells have a UTC offset or the
            time zone is given, else as written.
        columns: the numeric columns, then the one-hot columns `COLUMN=WORD`; an empty
            cell is no category.
        values: (rows, columns) float64, NaN where a value is missing, else finite.
        series_id: (rows,) the name of each row's series, "" if it has none; None for a
            single series.
    """

    timestamps: Array
    columns: list[str]
    values: Array
    series_id: Array | None = None

    def only(self, mask: Array) -> "RowTable":
        """Return the rows where `mask` (rows,) is true."""
        series_id = None if self.series_id is None else self.series_id[mask]
        return RowTable(
            self.timestamps[mask], self.columns, self.values[mask], series_id
        )


def read(
    paths: Sequence[Path],
    form: CsvFormat,
    where: str,
    progress: "Progress" = no_progress,
) -> RowTable:
    """Read every column but the dropped ones, from files of the same format.

    Args:
        paths: CSV or Parquet files; the first decides which columns there are.
        form: the format of all of them.
        where: the place in params.yaml that the format comes from, for error messages.
        progress: called with how much of a file is read.

    Raises:
        UnrollError: a file is empty, of another encoding or no regular CSV, or a cell
            is not a stamp or not a finite number; the text names its line and column.
        UsageError: a file or a named column is not there (the text lists those that
            are), or one option contradicts another.
    """
    for path in paths:
        if not path.is_file():
            others = [
                file.name
                for file in path.parent.glob("*")
                if file.name != "source.json"
            ]
            raise UsageError(
                f"params.yaml: {where}.file: {path.parent} has no {path.name!r}. "
                f"It has: {', '.join(sorted(others)) or 'none'}"
            )
    return read_files([RowFile(path, form, where) for path in paths], progress)


def read_files(
    files: Sequence[RowFile], progress: "Progress" = no_progress
) -> RowTable:
    """Do as `read`, with files that exist."""
    form = files[0].form
    columns = _columns(files)
    utc = False
    stamps = list[Array]()
    values = list[Array]()
    words = list[pd.DataFrame]()
    for file in files:
        frame = file.rows(progress)
        if form.missing is not None and "" in form.missing:
            frame = frame[~blank(frame, form.stamp)]
        if not len(frame):
            raise UnrollError(f"{file.path} holds a header and no rows; it needs rows")
        values.append(values_of(file, frame, columns))
        stamp, utc = _timestamps(file, frame)
        stamps.append(stamp)
        words.append(_words_of(frame, form))
    blocks = [np.concatenate(values)]
    series_id = None
    for column in form.words:
        cells = pd.concat([frame[column] for frame in words])
        codes, found = pd.factorize(cells, sort=True)
        names = [str(word) for word in found]
        if column == form.series_id:
            _require_few(names, MOST_SERIES, f"{files[0].where}.series_id", column)
            series_id = np.array([*names, ""], object)[codes]
        else:
            _require_few(names, MOST_CATEGORIES, f"{files[0].where}.categories", column)
            columns += [f"{column}={word}" for word in names]
            blocks.append((codes[:, None] == np.arange(len(names))).astype(np.float64))
    stamp = np.concatenate(stamps)
    if form.time_zone is not None and not utc:
        option = f"params.yaml: {files[0].where}.time_zone"
        stamp = timestamps.in_utc(
            stamp, form.time_zone, option, ends=form.ends, series_id=series_id
        )
    # A single block is large: `concatenate` would copy it.
    whole = np.concatenate(blocks, axis=1) if len(blocks) > 1 else blocks[0]
    return RowTable(stamp, columns, whole, series_id)


def _words_of(frame: pd.DataFrame, form: CsvFormat) -> pd.DataFrame:
    """Return the columns of words as text, NA where a cell means no value."""
    words = pd.DataFrame(index=frame.index)
    for column in form.words:
        texts = timestamps.as_text(frame[column])
        missing = [""] if column == form.series_id else [*(form.missing or ()), ""]
        words[column] = texts.mask(texts.isin(missing)).astype("str")
    return words


def _require_few(names: Sequence[str], most: int, where: str, column: str) -> None:
    """Raise UsageError if a column holds too many words."""
    if len(names) > most:
        raise UsageError(
            f"params.yaml: {where}: column {column!r} holds {len(names):,} words, more than "
            f"{most:,}; leave it out with drop"
        )


def by_series(table: RowTable, names: Iterable[str] = ()) -> dict[str, RowTable]:
    """Return the rows of each series at the timestamps of all series.

    A value is NaN where a series has no row. Of rows with the same timestamp the first
    counts.

    Args:
        table: the rows.
        names: of the series; by default those that occur.
    """
    if table.series_id is None:
        return {ALONE: table}
    index, position = np.unique(table.timestamps, return_inverse=True)
    codes, found = pd.factorize(table.series_id)
    code_of = {str(name): code for code, name in enumerate(found) if name}
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(len(found) + 1))
    tables = {}
    for name in names or sorted(code_of):
        values = np.full((len(index), len(table.columns)), np.nan)
        if name in code_of:
            code = code_of[name]
            # Backwards, so that the first of several rows is written last.
            rows = order[starts[code] : starts[code + 1]][::-1]
            values[position[rows]] = table.values[rows]  # noqa: PD011 - not pandas'
        tables[name] = RowTable(index, table.columns, values)
    return tables


def _columns(files: Sequence[RowFile]) -> list[str]:
    """Return the numeric columns.

    Raises:
        UsageError: a column of the options is lacking, or files differ in theirs.
    """
    file = files[0]
    form = file.form
    header = file.header()
    named = {
        "stamp": form.stamp,
        "target": [form.target],
        "drop": form.drop,
        "categories": form.words,
    }
    for key, columns in named.items():
        lacking = [column for column in columns if column not in header]
        if lacking:
            raise UsageError(
                f"params.yaml: {file.where}.{key}: {file.path.name} has no column {lacking[0]!r}. "
                f"It has: {', '.join(header)}"
            )
    others = {*form.stamp, *form.drop, *form.words}
    columns = [column for column in header if column not in others]
    if form.target not in columns or {*form.stamp} & {*form.drop}:
        stamp = form.stamp[0] if len(form.stamp) == 1 else list(form.stamp)
        raise UsageError(
            f"params.yaml: {file.where}: target, stamp and drop must name different columns. "
            f"Received: {form.target!r}, {stamp!r}, {list(form.drop)}"
        )
    require_same(files, [column for column in header if column not in form.drop])
    return columns


def _timestamps(file: RowFile, frame: pd.DataFrame) -> tuple[Array, bool]:
    """Parse the timestamps as `timestamps.parse` does.

    The frame's index counts the rows after the header.
    """
    form = file.form
    cells = timestamps.joined(frame, form.stamp)
    try:
        stamps, utc = timestamps.parse(cells, form.stamp_format, form.first_year)
    except (ValueError, re.error) as error:
        raise UsageError(
            f"params.yaml: {file.where}.stamp_format: {error}. Received: {form.stamp_format!r}"
        ) from None
    bad = timestamps.wrong(stamps)
    if bad.any():
        row = int(bad.argmax())
        cell = cells.iloc[row]
        text = "nothing" if pd.isna(cell) or cell == "" else f"{cell!r:.60}"
        column = " ".join(form.stamp)
        raise UnrollError(
            f"{file.path}, {file.place(frame.index[row])}: column {column!r} holds {text}, not a "
            f"stamp of the form {form.stamp_format!r}; correct the file or "
            f"{file.option('stamp_format')}"
        )
    return stamps, utc


def values_of(file: RowFile, frame: pd.DataFrame, columns: Sequence[str]) -> Array:
    """Return (rows, columns) float64, NaN where a value is missing.

    The frame's index counts the rows after the header.

    Raises:
        UnrollError: a cell is neither a finite number nor one of `missing`.
    """
    form = file.form
    missing = [word.strip() for word in form.missing or ()]
    values = np.empty((len(frame), len(columns)))
    for index, column in enumerate(columns):
        values[:, index] = numbers(frame[column], form, typed=file.typed)
        others = frame[column][~np.isfinite(values[:, index])]
        texts = others.astype("str").str.strip()
        bad = ~texts.isin(missing) & (others.notna() | (form.missing is None))
        if bad.any():
            text = texts[bad].iloc[0]
            holds = "no value"
            if isinstance(text, str) and text:
                holds = f"{text!r:.60}, not a finite number"
            raise UnrollError(
                f"{file.path}, {file.place(bad.idxmax())}: column {column!r} holds {holds}; "
                f"correct the file, say what means no value with {file.option('missing')}, or leave "
                "the column out"
            )
    sentinels = numbers(pd.Series(missing, dtype="str"), CsvFormat())
    finite = sentinels[np.isfinite(sentinels)]
    values[~np.isfinite(values) | np.isin(values, finite)] = np.nan
    return values
