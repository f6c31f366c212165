"""Files of rows, CSV or Parquet, as data frames."""

import contextlib
import csv
import itertools
import re
import unicodedata
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pipeline.data import notations
from pipeline.data.examples import Array
from pipeline.data.series_options import CsvFormat
from pipeline.errors import UnrollError, UsageError, one_line

if TYPE_CHECKING:
    from pipeline.data.download import Progress

CHUNK = 100_000
"""Rows from one report of progress to the next; changes no value."""

PLAIN = re.compile(
    r"(dict\w+<values=|large_)*"
    r"(bool|u?int|(half)?float|double|decimal|string|date|time|duration|null)"
)
"""Arrow's types of a Parquet file's columns that hold numbers, words or times."""


def no_progress(_file: str, _done: int, _total: int | None) -> None:
    """Show no progress."""


@dataclass(frozen=True)
class RowFile:
    """A file of rows, or a table in memory.

    Attributes:
        path: of the file; of a table what it is called.
        form: how it is written.
        where: the place in params.yaml that says so.
        table: rows in memory. Their numbers are numbers, whatever the form says.
    """

    path: Path
    form: CsvFormat
    where: str
    table: pd.DataFrame | None = None

    @cached_property
    def typed(self) -> bool:
        """Whether its cells have types, as those of a Parquet file."""
        if self.table is not None:
            return True
        with self.path.open("rb") as file:
            return file.read(4) == b"PAR1"

    def option(self, name: str) -> str:
        """Return how an option of the format is set: its place in params.yaml, else its
        flag.
        """
        if self.where:
            return f"{self.where}.{name}"
        return f"--{name.replace('_', '-')}"

    def header(self) -> list[str]:
        """Return the names of all columns."""
        return list(self._read(no_progress, empty=True).columns)

    def rows(self, progress: "Progress") -> pd.DataFrame:
        """Return all rows: of a CSV file as text, "" where one is too short, of Parquet
        as typed.

        Raises:
            UnrollError: the file is damaged, of another encoding, or not regular.
        """
        return self._read(progress, empty=False)

    def _read(self, progress: "Progress", *, empty: bool) -> pd.DataFrame:
        if self.table is not None:
            return self.table.set_axis(self._names(self.table.columns), axis=1)
        read = self._parquet if self.typed else self._csv
        try:
            with warnings.catch_warnings(), self.path.open("rb") as file:
                warnings.simplefilter("error", pd.errors.ParserWarning)
                frame = pd.concat(
                    [*read(file, progress, empty=empty)], ignore_index=True
                )
                return frame.set_axis(self._names(frame.columns), axis=1)
        except UnicodeError as error:
            option = self.option("encoding")
            raise UnrollError(
                f"{self.path} is not {self.form.encoding} text ({one_line(str(error))}); "
                f"set {option}, such as latin-1"
            ) from None
        except LookupError:
            raise UsageError(
                f"params.yaml: {self.where}.encoding is unknown. Received: {self.form.encoding!r}"
            ) from None
        except pd.errors.EmptyDataError:
            raise UnrollError(
                f"{self.path} is empty; it needs a header and rows"
            ) from None
        except (UnrollError, MemoryError):
            raise
        except Exception as error:
            if getattr(error, "errno", None) is not None:  # the disk's
                raise
            what = (
                "is no whole Parquet file"
                if self.typed
                else "is not a regular CSV file"
            )
            why = one_line(str(error)).removeprefix("Error tokenizing data. C error: ")
            raise UnrollError(
                f"{self.path} {what} ({why:.160}); correct the file, or save it again"
            ) from None

    def _names(self, names: Iterable[Any]) -> list[str]:
        """Return names in one line, without blanks around them and letters that nobody
        sees.

        Raises:
            UnrollError: one stands twice.
        """
        cleaned = [plain_name(str(name)) for name in names]
        twice = [name for name, count in Counter(cleaned).items() if count > 1]
        if twice:
            raise UnrollError(
                f"{self.path} has two columns {twice[0]!r}; rename or remove one of them"
            )
        return cleaned

    def _csv(
        self, file: IO[bytes], progress: "Progress", *, empty: bool
    ) -> Iterator[pd.DataFrame]:
        form = self.form
        options: dict[str, Any] = {"encoding": form.encoding, "sep": form.delimiter}
        if form.delimiter == " ":
            options["sep"] = r"\s+"
        options["skiprows"] = form.skip
        if form.units_rows:
            units = range(form.skip + 1, form.skip + 1 + form.units_rows)
            options["skiprows"] = [*range(form.skip), *units]
        if form.names:
            options |= {"header": None, "names": list(form.names)}
        options |= {"index_col": False, "dtype": str, "keep_default_na": False}
        options |= {"skipinitialspace": True, "chunksize": CHUNK}
        with pd.read_csv(file, **options) as reader:
            yield reader.read(0)
            if empty:
                return
            for frame in reader:
                yield frame.fillna("")
                progress(self.path.name, file.tell(), self.path.stat().st_size)

    def _parquet(
        self, file: IO[bytes], progress: "Progress", *, empty: bool
    ) -> Iterator[pd.DataFrame]:
        """Give the rows without the dropped columns."""
        from pyarrow import parquet

        table = parquet.ParquetFile(file)
        self._names(table.schema_arrow.names)
        fields = [
            field for field in table.schema_arrow if field.name not in self.form.drop
        ]
        odd = [field for field in fields if not PLAIN.match(str(field.type))]
        if odd:
            raise UnrollError(
                f"{self.path}: column {odd[0].name!r} holds {odd[0].type!s:.80}; "
                "save it as numbers, text or times, or leave it out"
            )
        names = [field.name for field in fields]
        rows = table.schema_arrow.empty_table() if empty else table.read(names)
        rows.validate(full=True)  # of text, too: pandas decodes it when it is used
        yield rows.to_pandas(ignore_metadata=True)
        size = self.path.stat().st_size
        progress(self.path.name, size, size)

    def place(self, row: int) -> str:
        """Return where the data row `row`, counted from 0, stands, in words."""
        return f"row {row} (from 0)" if self.typed else f"line {self.line(row)}"

    def line(self, row: int) -> int:
        """Return the line, counted from 1, on which the data row `row`, counted from 0,
        ends.
        """
        form = self.form
        if not form.names:
            row += 1 + form.units_rows
        with (
            contextlib.suppress(csv.Error),
            self.path.open(encoding=form.encoding) as text,
        ):
            lines = itertools.islice(text, form.skip, None)
            reader = csv.reader(lines, delimiter=form.delimiter, skipinitialspace=True)
            ends = (
                reader.line_num
                for record in reader
                if len(record) > 1 or any(map(str.strip, record))
            )
            return form.skip + next(itertools.islice(ends, row, None), row + 1)
        return form.skip + row + 1  # a field is too long for `csv`


def plain_name(name: str) -> str:
    """Return a column's name in one line, without blanks around it and letters that
    nobody sees.
    """
    seen = "".join(letter for letter in name if unicodedata.category(letter) != "Cf")
    return " ".join(seen.split())


def require_same(files: Sequence[RowFile], columns: Sequence[str]) -> None:
    """Raise UnrollError if one of several files lacks a column."""
    for file in files:
        header = {*file.header()}
        lacking = [name for name in columns if name not in header]
        if lacking:
            raise UnrollError(
                f"{file.path} has no column {lacking[0]!r}, which {files[0].path.name} has; "
                "leave that file out"
            )


def blank(frame: pd.DataFrame, stamp: Sequence[str]) -> Array:
    """Return (rows,) bool, rows of a frame that hold nothing, as spreadsheets leave
    them.
    """
    texts = frame[list(stamp)]
    rows = np.array((texts.isna() | (texts == "")).all(axis=1), bool)
    if rows.any():
        rows[rows] = frame[rows].isin(["", None]).all(axis=1)
    return rows


def numbers(cells: "pd.Series[Any]", form: CsvFormat, *, typed: bool = False) -> Array:
    """Return (rows,) float64 of cells of text or of numbers, NaN where a cell is no
    number.

    Texts of a `typed` file have points as decimal marks, whatever the form says. A unit
    is left out if it stands behind each number.
    """
    if typed:
        form = CsvFormat()
    if pd.api.types.is_numeric_dtype(cells.dtype):
        return np.asarray(cells.to_numpy(np.float64, na_value=np.nan))
    texts = cells.astype("str").reset_index(drop=True)
    likely = texts[texts.str.contains(notations.NUMBER_BEGINS, na=False)]
    values = pd.Series(np.nan, texts.index)
    values.update(_floats(likely, form))
    failed = likely[values[likely.index].isna()]
    if len(failed):
        plain = failed.map(lambda text: notations.plain_number(text)[0])
        if values.isna().all() and (plain == failed).all():
            stripped, _ = notations.without_unit(failed)
            plain[:] = [notations.plain_number(text)[0] for text in stripped]
        values.update(_floats(plain[plain != failed], form))
    return np.asarray(values)


def _floats(texts: "pd.Series[str]", form: CsvFormat) -> "pd.Series[float]":
    """Return numbers with the marks of a file, NaN where a text is none."""
    if form.thousands:
        texts = texts.str.replace(notations.ungrouped(form.thousands), "", regex=True)
    if form.decimal != ".":  # a point is then no mark of a number, as for pandas
        texts = texts.str.replace(".", "?", regex=False).str.replace(
            form.decimal, ".", regex=False
        )
    return pd.to_numeric(texts, errors="coerce").astype(np.float64)
