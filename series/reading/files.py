"""The rows of files, CSV or Parquet, as they stand there."""

import csv
import io
import itertools
import re
import unicodedata
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.data.series_options import CsvFormat
from pipeline.errors import UnrollError, one_line
from series.reading.layout import text_of

PLAIN = re.compile(
    r"(dict\w+<values=|large_)*"
    r"(bool|u?int|(half)?float|double|decimal|string|date|time|duration|null)"
)
"""Arrow's types of a Parquet file's columns that hold numbers, words or times."""


@dataclass(frozen=True)
class Rows:
    """The rows of one or more files of one form, or of a table in memory.

    Attributes:
        paths: of the files; of a table what it is called.
        form: how the files are written.
        typed: whether cells have types, as those of Parquet have; else they are text.
        cells: the rows of all files that hold something; the index counts all rows.
        counts: how many rows each file has.
    """

    paths: Sequence[Path]
    form: CsvFormat
    typed: bool
    cells: pd.DataFrame
    counts: Sequence[int]

    def place(self, row: int) -> str:
        """Return the file and the line of a row of `cells`."""
        ends = np.cumsum(self.counts)
        position = int(self.cells.index[row])
        number = int(np.searchsorted(ends, position, side="right"))
        path = self.paths[number]
        own = position - int(ends[number]) + self.counts[number]
        if self.typed:
            return f"{path}, row {own} (from 0)"
        form = self.form
        # Records are counted from the header on; a quoted cell may have several lines.
        record = own if form.names else own + 1 + form.units_rows
        with suppress(csv.Error), path.open(encoding=form.encoding) as text:
            lines = itertools.islice(text, form.skip, None)
            reader = csv.reader(lines, delimiter=form.delimiter, skipinitialspace=True)
            ends_of_records = (
                reader.line_num
                for cells in reader
                if len(cells) > 1 or any(map(str.strip, cells))
            )
            line = next(itertools.islice(ends_of_records, record, None), record + 1)
            return f"{path}, line {form.skip + line}"
        return f"{path}, row {own + 1}"  # a cell is too long for `csv`


def is_parquet(path: Path) -> bool:
    """Return whether a file is Parquet."""
    with path.open("rb") as file:
        return file.read(4) == b"PAR1"


def read(
    paths: Sequence[Path], form: CsvFormat, texts: Mapping[Path, str] | None = None
) -> Rows:
    """Read all rows: of CSV as text, "" where a row is too short, of Parquet as typed.

    Args:
        paths: CSV or Parquet files; the first decides which columns there are.
        form: how they are written.
        texts: a file -> its text, where that was read before.

    Raises:
        UnrollError: a file is damaged, of another encoding, not regular, or lacks a
            column that the first one has.
    """
    frames: list[pd.DataFrame] = []
    for path in paths:
        cells = _cells(path, form, (texts or {}).get(path))
        cells = cells.set_axis(plain_names(cells.columns, path), axis=1)
        names = list(frames[0].columns) if frames else list(cells.columns)
        lacking = [name for name in names if name not in cells.columns]
        if lacking:
            raise UnrollError(
                f"{path} has no column {lacking[0]!r}, which {paths[0].name} has; "
                "leave that file out"
            )
        frames.append(cells[names])
    return _rows_of(paths, form, frames, typed=is_parquet(paths[0]))


def of_table(table: pd.DataFrame, form: CsvFormat) -> Rows:
    """Return the rows of a table in memory, whose numbers are numbers."""
    path = Path("the table")
    cells = table.set_axis(plain_names(table.columns, path), axis=1)
    return _rows_of([path], form, [cells], typed=True)


def _rows_of(
    paths: Sequence[Path],
    form: CsvFormat,
    frames: Sequence[pd.DataFrame],
    *,
    typed: bool,
) -> Rows:
    """Return rows without those that hold nothing, as spreadsheets leave them."""
    cells = pd.concat(frames, ignore_index=True)
    blank = _is_empty(cells.iloc[:, 0])
    if blank.any():
        blank[blank] = cells[blank].apply(_is_empty).all(axis=1)
        cells = cells[~blank]
    return Rows(paths, form, typed, cells, [len(frame) for frame in frames])


def _is_empty(cells: "pd.Series[Any]") -> "pd.Series[bool]":
    return cells.isna() | (cells == "")


def _cells(path: Path, form: CsvFormat, text: str | None) -> pd.DataFrame:
    """Return the cells of one file."""
    typed = is_parquet(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            if typed:
                return _parquet(path, form)
            if text is None:
                text, _ = text_of(path, form.encoding)
            return _csv(text, form)
    except (UnrollError, MemoryError):
        raise
    except Exception as error:
        if getattr(error, "errno", None) is not None:  # the disk's
            raise
        kind = "is no whole Parquet file" if typed else "is not a regular CSV file"
        why = one_line(str(error)).removeprefix("Error tokenizing data. C error: ")
        raise UnrollError(
            f"{path} {kind} ({why:.160}); correct the file, or save it again"
        ) from None


def _csv(text: str, form: CsvFormat) -> pd.DataFrame:
    units = range(form.skip + 1, form.skip + 1 + form.units_rows)
    cells = pd.read_csv(
        io.StringIO(text),
        sep=r"\s+" if form.delimiter == " " else form.delimiter,
        skiprows=[*range(form.skip), *units],
        header=None if form.names else 0,
        names=form.names,
        index_col=False,
        dtype=str,
        keep_default_na=False,
        skipinitialspace=True,
    )
    return cells.fillna("")


def _parquet(path: Path, form: CsvFormat) -> pd.DataFrame:
    """Return the rows without the dropped columns."""
    from pyarrow import parquet

    file = parquet.ParquetFile(path)
    plain_names(file.schema_arrow.names, path)
    kept = [one for one in file.schema_arrow if one.name not in form.drop]
    odd = [one for one in kept if not PLAIN.match(str(one.type))]
    if odd:
        raise UnrollError(
            f"{path}: column {odd[0].name!r} holds {odd[0].type!s:.80}; save it as "
            "numbers, text or times, or leave it out"
        )
    rows = file.read([one.name for one in kept])
    rows.validate(full=True)  # of text, too: pandas decodes it when it is used
    return rows.to_pandas(ignore_metadata=True)


def plain_names(names: Iterable[object], path: Path) -> list[str]:
    """Return names of columns as `plain_name` does.

    Raises:
        UnrollError: one stands twice.
    """
    plain = [plain_name(str(name)) for name in names]
    twice = [name for name, count in Counter(plain).items() if count > 1]
    if twice:
        raise UnrollError(
            f"{path} has two columns {twice[0]!r}; rename or remove one of them"
        )
    return plain


def plain_name(name: str) -> str:
    """Return a column's name in one line, without blanks around it and letters that
    nobody sees.
    """
    seen = "".join(letter for letter in name if unicodedata.category(letter) != "Cf")
    return " ".join(seen.split())
