"""Files of rows of numbers with timestamps -> arrays, or one line that says which cell is wrong.

Of each chunk of a file only numbers are kept, so that memory is that of the result.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.data import timestamps
from pipeline.data.examples import Array
from pipeline.data.row_files import RowFile, blank, no_progress, numbers, require_same
from pipeline.data.series_options import ALONE, CsvFormat
from pipeline.errors import UnrollError, UsageError

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.data.download import Progress

MOST_WORDS = 50
"""Categories of a column, and series of a file, at most."""


@dataclass(frozen=True)
class RowTable:
    """What files hold, in the order of the files.

    Attributes:
        timestamps: (rows,) datetime64[ms], in UTC where the file gives an offset or its time zone is known, else as
            written.
        columns: the names of the columns of numbers, then `COLUMN=WORD` for each category: an empty cell is no word.
        values: (rows, columns) float64, NaN where there is no value, else finite.
        series_id: (rows,) of several series the name of each row's, "" where it has none; None of one alone.
    """

    timestamps: Array
    columns: list[str]
    values: Array
    series_id: Array | None = None

    def only(self, mask: Array) -> "RowTable":
        """Some of the rows, by a mask (rows,)."""
        series_id = None if self.series_id is None else self.series_id[mask]
        return RowTable(self.timestamps[mask], self.columns, self.values[mask], series_id)


def read(paths: Sequence[Path], form: CsvFormat, where: str, progress: "Progress" = no_progress) -> RowTable:
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


def read_files(files: Sequence[RowFile], progress: "Progress" = no_progress) -> RowTable:
    """What files of one form hold, as `read`."""
    import pandas as pd

    columns, form, utc = _columns(files), files[0].form, False
    moments, values, words = list[Array](), list[Array](), list[pd.DataFrame]()
    for file in files:
        row, count = 0, 0
        for frame in file.chunks(progress):
            cells = values_of(file, frame, columns, row)
            rows = np.arange(row, row + len(frame))
            row += len(frame)
            if form.missing is not None and "" in form.missing and (empty := blank(frame, form.stamp)).any():
                cells, frame, rows = cells[~empty], frame[~empty], rows[~empty]  # noqa: PLW2901
            chunk, utc = _timestamps(file, frame, rows)
            count += len(chunk)
            moments.append(chunk)
            values.append(cells)
            named = frame[form.words]
            words.append(named.mask(named.isin([*(form.missing or ()), ""])).astype("str").astype("category"))
        if not count:
            raise UnrollError(f"{file.path} holds a header and no rows; it needs rows")
    blocks, series_id = [np.concatenate(values)], None
    for column in form.words:
        codes, names = _categories((frame[column] for frame in words), column, files[0].where)
        if column == form.series_id:
            series_id = np.array([*names, ""], object)[codes]
        else:
            columns += [f"{column}={word}" for word in names]
            blocks.append((codes[:, None] == np.arange(len(names))).astype(np.float64))
    whole = np.concatenate(moments)
    if form.time_zone is not None and not utc:
        option = f"params.yaml: {files[0].where}.time_zone"
        whole = timestamps.in_utc(whole, form.time_zone, option, ends=form.ends, series_id=series_id)
    return RowTable(whole, columns, np.concatenate(blocks, axis=1) if len(blocks) > 1 else blocks[0], series_id)


def by_series(table: RowTable, names: Iterable[str] = ()) -> dict[str, RowTable]:
    """The rows of each series, at the timestamps of all: NaN where it has none.

    Of rows with one timestamp the first counts.

    Args:
        table: of one or several series.
        names: of several the ones that are wanted; by default those that occur.
    """
    if table.series_id is None:
        return {ALONE: table}
    moments, tables = timestamps.distinct(table.timestamps), {}
    for name in names or sorted({*table.series_id} - {""}):
        rows = np.flatnonzero(table.series_id == name)
        own, first = timestamps.first_rows(table.timestamps[rows])
        values = np.full((len(moments), len(table.columns)), np.nan)
        values[np.searchsorted(moments, own)] = table.values[rows[first]]  # noqa: PD011 - not pandas'
        tables[name] = RowTable(moments, table.columns, values)
    return tables


def _columns(files: Sequence[RowFile]) -> list[str]:
    """The columns of numbers, which every file must have."""
    file = files[0]
    form, where, header = file.form, file.where, file.header()
    named = {"stamp": form.stamp, "target": [form.target], "drop": form.drop, "categories": form.words}
    for key, column in ((key, column) for key, columns in named.items() for column in columns):
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
    require_same(files, [column for column in header if column not in form.drop])
    return columns


def _timestamps(file: RowFile, frame: "pd.DataFrame", rows: Array) -> tuple[Array, bool]:
    """As `timestamps.parse`, of a chunk whose `rows` count from the header."""
    import pandas as pd

    form, cells = file.form, timestamps.joined(frame, file.form.stamp)
    try:
        moments, utc = timestamps.parse(cells, form.stamp_format)
    except (ValueError, re.error) as error:
        raise UsageError(f"params.yaml: {file.where}.stamp_format: {error}. Received: {form.stamp_format!r}") from None
    if (bad := np.isnat(moments)).any():
        cell = cells.iloc[int(bad.argmax())]
        text = "nothing" if pd.isna(cell) or cell == "" else f"{cell!r:.60}"
        raise UnrollError(
            f"{file.path}, {_place(file, int(rows[bad.argmax()]))}: column {' '.join(form.stamp)!r} holds "
            f"{text}, not a stamp of the form {form.stamp_format!r}; correct the file or {file.where}.stamp_format"
        )
    return moments, utc


def _categories(chunks: "Iterable[pd.Series[str]]", column: str, where: str) -> tuple[Array, list[str]]:
    """(rows,) the number of each cell's word, -1 for none, and the words in their order."""
    from pandas.api.types import union_categoricals

    whole = union_categoricals([*chunks], sort_categories=True)
    words = [str(word) for word in whole.categories]
    if len(words) > MOST_WORDS:
        raise UsageError(
            f"params.yaml: {where}.categories: column {column!r} holds {len(words)} words, more than "
            f"{MOST_WORDS}; leave it out with drop"
        )
    return np.asarray(whole.codes), words


def values_of(file: RowFile, frame: "pd.DataFrame", columns: Sequence[str], before: int = 0) -> Array:
    """(rows, columns) float64 of a chunk that begins `before` rows after the header, NaN where there is no value.

    Raises:
        UnrollError: a cell is neither a finite number nor means no value.
    """
    import pandas as pd

    missing = file.form.missing
    form = file.form.model_copy(update={"decimal": ".", "thousands": None}) if file.parquet else file.form
    sentinels = pd.to_numeric(pd.Series(missing or [], dtype=object), errors="coerce").dropna().to_numpy(np.float64)
    values = np.empty((len(frame), len(columns)))
    for index, column in enumerate(columns):
        values[:, index] = numbers(frame[column], form)
        odd = np.flatnonzero(~np.isfinite(values[:, index]))
        if len(odd):
            cells = frame[column].iloc[odd]
            texts = cells.astype("str").str.strip()
            bad = ~((cells.isna() & (missing is not None)) | texts.isin(missing or ())).to_numpy(bool)
            if bad.any():
                row, text = before + int(odd[bad][0]), texts[bad].iloc[0]
                holds = f"{text!r:.60}, not a finite number" if isinstance(text, str) and text else "no value"
                raise UnrollError(
                    f"{file.path}, {_place(file, row)}: column {column!r} holds {holds}; correct the file, say what "
                    f"means no value with {file.where}.missing, or leave the column out with {file.where}.drop"
                )
            values[odd, index] = np.nan
        if len(sentinels):
            values[np.isin(values[:, index], sentinels), index] = np.nan
    return values


def _place(file: RowFile, row: int) -> str:
    return f"row {row} (from 0)" if file.parquet else f"line {file.line(row)}"
