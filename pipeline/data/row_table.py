"""Files of stamped rows of numbers -> arrays, or one line that says which cell is wrong.

Of each chunk of a file only numbers are kept, so that memory is that of the result.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.data import timestamps
from pipeline.data.examples import Array
from pipeline.data.row_files import RowFile, numbers, unseen
from pipeline.data.series_options import ALONE, CsvFormat
from pipeline.errors import UnrollError, UsageError

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.data.download import Progress

MOST_WORDS = 50
"""Categories of a column, at most."""


@dataclass(frozen=True)
class RowTable:
    """What a file holds, in the order of the file.

    Attributes:
        stamps: (rows,) datetime64[ms], in UTC where the file gives an offset or its time zone is known, else as
            written.
        columns: the names of the columns of numbers, then `COLUMN=WORD` for each category: an empty cell is no word.
        values: (rows, columns) float64, NaN where there is no value, else finite.
    """

    stamps: Array
    columns: list[str]
    values: Array

    def only(self, kept: Array) -> "RowTable":
        """Some of the rows, by a mask (rows,)."""
        return RowTable(self.stamps[kept], self.columns, self.values[kept])


def read(paths: Sequence[Path], form: CsvFormat, where: str, progress: "Progress" = unseen) -> RowTable:
    """Read every column but the dropped ones, of one file or of several of one form.

    Args:
        paths: CSV or Parquet files; the first says which columns there are.
        form: of all of them.
        where: the place in params.yaml that the form comes from, for the error texts.
        progress: told of what has been read.

    Raises:
        UnrollError: a file is empty, of another encoding or no regular CSV, or a cell is not a stamp
            or not a finite number; the text names its line and column.
        UsageError: a file or a named column is not there (the text lists those that are), or one option contradicts
            another.
    """
    for path in paths:
        if not path.is_file():
            there = sorted(other.name for other in path.parent.glob("*") if other.name != "source.json")
            what = f"{path.parent} has no {path.name!r}. It has: {', '.join(there) or 'none'}"
            raise UsageError(f"params.yaml: {where}.file: {what}")
    return read_files([RowFile(path, form, where) for path in paths], progress)


def read_files(files: Sequence[RowFile], progress: "Progress" = unseen) -> RowTable:
    """What files of one form hold, as `read`."""
    columns = _columns(files)
    readings = [_Reading(file, columns) for file in files]
    for reading in readings:
        reading.run(progress)
    return _table(readings, columns, files[0].form, files[0].where)


def by_series(table: RowTable, column: str | None) -> dict[str, RowTable]:
    """The rows of each series, at the stamps of all: NaN where it has none; of rows with one stamp the first counts.

    Args:
        table: with `column` as a category.
        column: says which series a row belongs to; None of one alone.
    """
    if column is None:
        return {ALONE: table}
    marks = {name: name.partition("=")[2] for name in table.columns if name.startswith(f"{column}=")}
    kept = [place for place, name in enumerate(table.columns) if name not in marks]
    stamps, cells, found = timestamps.distinct(table.stamps), table.values, {}  # noqa: PD011 - not pandas'
    for name, word in marks.items():
        own = np.flatnonzero(cells[:, table.columns.index(name)])
        there, first = timestamps.first_rows(table.stamps[own])
        values = np.full((len(stamps), len(kept)), np.nan)
        values[np.searchsorted(stamps, there)] = cells[own[first]][:, kept]
        found[word] = RowTable(stamps, [table.columns[place] for place in kept], values)
    return found


def _columns(files: Sequence[RowFile]) -> list[str]:
    """The columns of numbers, which every file must have."""
    file = files[0]
    form, where, header = file.form, file.where, file.header()
    asked = {"stamp": form.stamp, "target": [form.target], "drop": form.drop, "categories": form.words}
    for key, column in ((key, column) for key, columns in asked.items() for column in columns):
        if column not in header:
            raise UsageError(
                f"params.yaml: {where}.{key}: {file.path.name} has no column {column!r}. It has: {', '.join(header)}"
            )
    columns = [column for column in header if column not in {*form.stamp, *form.drop, *form.words}]
    if form.target not in columns or {*form.stamp} & {*form.drop}:
        stamp = form.stamp[0] if len(form.stamp) == 1 else list(form.stamp)
        raise UsageError(
            f"params.yaml: {where}: target, stamp and drop must name different columns. "
            f"Received: {form.target!r}, {stamp!r}, {list(form.drop)}"
        )
    for other in files[1:]:
        if lacking := [column for column in header if column not in other.header() and column not in form.drop]:
            raise UnrollError(
                f"{other.path} has no column {lacking[0]!r}, which {file.path.name} has; correct the files"
            )
    return columns


@dataclass
class _Reading:
    """One file, as far as it was read."""

    file: RowFile
    columns: list[str]
    stamps: list[Array] = field(default_factory=list)
    rows: list[Array] = field(default_factory=list)
    words: list["pd.DataFrame"] = field(default_factory=list)
    utc: bool = False

    def run(self, progress: "Progress") -> None:
        """Read all of it."""
        before = 0
        for frame in self.file.chunks(progress):
            self._take(frame, before)
            before += len(frame)
        if not sum(map(len, self.stamps)):
            raise UnrollError(f"{self.file.path} holds a header and no rows; it needs rows")

    def _take(self, frame: "pd.DataFrame", before: int) -> None:
        """Keep the numbers of a chunk that begins `before` rows after the header."""
        form, rows = self.file.form, np.arange(before, before + len(frame))
        values = values_of(self.file, frame, self.columns, before)
        if form.missing is not None and "" in form.missing:
            # Spreadsheets leave rows of nothing but delimiters.
            stamp = frame[list(form.stamp)]
            full = ~((stamp.isna() | (stamp == "")).all(axis=1).to_numpy() & np.isnan(values).all(axis=1))
            if not full.all():
                values, frame, rows = values[full], frame[full], rows[full]
        self.stamps.append(self._stamps(timestamps.joined(frame, form.stamp), rows))
        self.rows.append(values)
        words = frame[form.words]
        self.words.append(words.mask(words.isin(form.missing or [""])).astype("category"))

    def _stamps(self, cells: "pd.Series[Any]", rows: Array) -> Array:
        import pandas as pd

        file, form = self.file, self.file.form
        try:
            found, self.utc = timestamps.parse(cells, form.stamp_format)
        except (ValueError, re.error) as error:
            raise UsageError(
                f"params.yaml: {file.where}.stamp_format: {error}. Received: {form.stamp_format!r}"
            ) from None
        bad = np.isnat(found)
        if bad.any():
            cell, row = cells.iloc[int(bad.argmax())], int(rows[bad.argmax()])
            text = "nothing" if pd.isna(cell) or cell == "" else f"{cell!r:.60}"
            raise UnrollError(
                f"{file.path}, {_where(file, row)}: column {' '.join(form.stamp)!r} holds "
                f"{text}, not a stamp of the form {form.stamp_format!r}; correct the file or {file.where}.stamp_format"
            )
        return found


def _table(readings: Sequence[_Reading], columns: list[str], form: CsvFormat, where: str) -> RowTable:
    """What was read, as one."""
    import pandas as pd

    stamps = np.concatenate([stamps for reading in readings for stamps in reading.stamps])
    if form.time_zone is not None and not readings[0].utc:
        written, whose = stamps, None
        if form.series_id:
            cells = [frame[form.series_id].astype("str") for reading in readings for frame in reading.words]
            whose = pd.factorize(pd.concat(cells))[0]
        try:
            stamps = timestamps.to_utc(written, form.time_zone, ends=form.ends, whose=whose)
        except KeyError:
            raise UsageError(
                f"params.yaml: {where}.time_zone must be a name such as Europe/Berlin. Received: {form.time_zone!r}"
            ) from None
        if (skipped := np.isnat(stamps)).any():
            raise UnrollError(
                f"{readings[0].file.path}: {written[skipped.argmax()]} is a time that clocks of {form.time_zone} skip, "
                f"so the file keeps another time; correct {where}.time_zone or leave it out"
            )
    values, parts = np.concatenate([values for reading in readings for values in reading.rows]), []
    names = list(columns)
    for column in form.words:
        cells = [frame[column] for reading in readings for frame in reading.words]
        words = sorted({str(word) for part in cells for word in part.cat.categories} - {""})
        if len(words) > MOST_WORDS:
            raise UsageError(
                f"params.yaml: {where}.categories: column {column!r} holds {len(words)} words, more than "
                f"{MOST_WORDS}; leave it out with drop"
            )
        codes = pd.Index(words).get_indexer(pd.concat([part.astype("str") for part in cells]))
        parts.append((codes[:, None] == np.arange(len(words))).astype(np.float64))
        names += [f"{column}={word}" for word in words]
    return RowTable(stamps, names, np.concatenate([values, *parts], axis=1) if parts else values)


def values_of(file: RowFile, frame: "pd.DataFrame", columns: Sequence[str], before: int = 0) -> Array:
    """(rows, columns) float64 of a chunk that begins `before` rows after the header, NaN where there is no value.

    Raises:
        UnrollError: a cell is neither a finite number nor means no value.
    """
    import pandas as pd

    missing = file.form.missing
    form = file.form.model_copy(update={"decimal": ".", "thousands": None}) if file.parquet else file.form
    marks = pd.to_numeric(pd.Series(missing or [], dtype=object), errors="coerce").dropna().to_numpy(np.float64)
    values = np.empty((len(frame), len(columns)))
    for place, column in enumerate(columns):
        values[:, place] = numbers(frame[column], form)
        odd = np.flatnonzero(~np.isfinite(values[:, place]))
        if len(odd):
            cells = frame[column].iloc[odd]
            texts = cells.astype("str").str.strip()
            bad = ~((cells.isna() & (missing is not None)) | texts.isin(missing or ())).to_numpy(bool)
            if bad.any():
                at, text = odd[bad][0], texts[bad].iloc[0]
                holds = f"{text!r:.60}, not a finite number" if isinstance(text, str) and text else "no value"
                raise UnrollError(
                    f"{file.path}, {_where(file, before + int(at))}: column {column!r} holds {holds}; correct the "
                    f"file, say what means no value with {file.where}.missing, or leave the column out with "
                    f"{file.where}.drop"
                )
            values[odd, place] = np.nan
        if len(marks):
            values[np.isin(values[:, place], marks), place] = np.nan
    return values


def _where(file: RowFile, row: int) -> str:
    return f"row {row} (from 0)" if file.parquet else f"line {file.line(row)}"
