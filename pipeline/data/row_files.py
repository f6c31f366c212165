"""Files of rows, CSV or Parquet, as data frames."""

import contextlib
import csv
import itertools
import os
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.data import notations
from pipeline.data.examples import Array
from pipeline.data.series_options import CsvFormat
from pipeline.errors import UnrollError, UsageError, one_line

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.data.download import Progress

CHUNK = 2_500_000
"""Cells that are read at once, from one report of progress to the next; changes no value."""

PLAIN = re.compile(r"(dict\w+<values=|large_)*(bool|u?int|(half)?float|double|decimal|string|date|time|duration|null)")
"""Arrow's types of a Parquet file's columns that hold numbers, words or times."""


def no_progress(_file: str, _done: int, _total: int | None) -> None:
    """No progress is shown."""


@dataclass(frozen=True)
class RowFile:
    """A file of rows, and where params.yaml describes it."""

    path: Path
    form: CsvFormat
    where: str

    @property
    def parquet(self) -> bool:
        """Whether it is a Parquet file: those begin so."""
        with self.path.open("rb") as file:
            return file.read(4) == b"PAR1"

    def header(self) -> list[str]:
        """The names of all columns."""
        with self._whole():
            if self.parquet:
                return list(self._parquet().schema_arrow.names)
            return [str(column) for column in next(self._csv(no_progress, nrows=0)).columns]

    def rows(self, progress: "Progress") -> "pd.DataFrame":
        """Return all rows: of a CSV file as text, "" where one is too short, of Parquet as they are."""
        import pandas as pd

        with self._whole():
            if self.parquet:
                return pd.concat(self._batches(progress), ignore_index=True)
            rows = max(1000, CHUNK // len(self.header()))
            return pd.concat(self._csv(progress, chunksize=rows, dtype=str, keep_default_na=False)).fillna("")

    def _batches(self, progress: "Progress") -> Iterator["pd.DataFrame"]:
        """Give the rows of a Parquet file without the dropped columns; at least one frame, perhaps of no row."""
        table = self._parquet()
        fields = [field for field in table.schema_arrow if field.name not in self.form.drop]
        if odd := [field for field in fields if not PLAIN.match(str(field.type))]:
            what = f"column {odd[0].name!r} holds {odd[0].type!s:.80}"
            raise UnrollError(f"{self.path}: {what}; save it as numbers, text or times, or leave it out")
        yield table.schema_arrow.empty_table().select([field.name for field in fields]).to_pandas(ignore_metadata=True)
        size = self.path.stat().st_size
        done = 0
        rows = max(1000, CHUNK // len(fields))
        for batch in table.iter_batches(batch_size=rows, columns=[field.name for field in fields]):
            batch.validate(full=True)  # of text, too: pandas decodes it when it is used
            yield batch.to_pandas(ignore_metadata=True)
            done += len(batch)
            progress(self.path.name, size * done // max(done, table.metadata.num_rows), size)

    @contextlib.contextmanager
    def _whole(self) -> Iterator[None]:
        """Around all that reads: what is raised of a damaged file becomes one line."""
        try:
            yield
        except (UnrollError, MemoryError):
            raise
        except Exception as error:
            if getattr(error, "errno", None) is not None:  # the disk's
                raise
            kind, text = "Parquet" if self.parquet else "CSV", one_line(str(error))
            raise UnrollError(f"{self.path} is no whole {kind} file ({text:.160}); save it again") from None

    def _parquet(self) -> Any:
        import pyarrow as pa
        from pyarrow import parquet

        table = parquet.ParquetFile(pa.OSFile(os.fsencode(self.path)))  # a path as text must be UTF-8 there
        self._distinct(table.schema_arrow.names)
        return table

    def _distinct(self, names: list[str]) -> list[str]:
        if twice := [name for name, count in Counter(names).items() if count > 1]:
            raise UnrollError(f"{self.path} has two columns {twice[0]!r}; rename or remove one of them")
        return names

    def _csv(self, progress: "Progress", **options: Any) -> Iterator["pd.DataFrame"]:
        """What `pandas.read_csv` gives; a file that cannot be read at all gives one line."""
        import pandas as pd

        form = self.form
        units = range(form.skip + 1, form.skip + 1 + form.units_rows)
        options |= {"sep": r"\s+" if form.delimiter == " " else form.delimiter, "encoding": form.encoding}
        options |= {"skiprows": [*range(form.skip), *units] if units else form.skip}
        options |= {"header": None, "names": list(form.names)} if form.names else {}
        try:
            with self.path.open("rb") as file:
                frames = pd.read_csv(file, index_col=False, **options)
                frames = frames if "chunksize" in options else iter([frames])
                while True:
                    with warnings.catch_warnings():
                        warnings.simplefilter("error", pd.errors.ParserWarning)
                        chunk = next(frames, None)
                    if chunk is None:
                        return
                    if not form.names:  # headings may have line breaks, and blanks around them
                        chunk.columns = self._distinct([" ".join(str(name).split()) for name in chunk.columns])
                    yield chunk
                    progress(self.path.name, file.tell(), self.path.stat().st_size)
        except UnicodeError as error:
            cure = f"set {f'{self.where}.' if self.where else '--'}encoding, such as latin-1"
            raise UnrollError(f"{self.path} is not {form.encoding} text ({one_line(str(error))}); {cure}") from None
        except LookupError:
            raise UsageError(f"params.yaml: {self.where}.encoding is unknown. Received: {form.encoding!r}") from None
        except pd.errors.EmptyDataError:
            raise UnrollError(f"{self.path} is empty; it needs a header and rows") from None
        except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
            text = one_line(str(error)).removeprefix("Error tokenizing data. C error: ")
            raise UnrollError(f"{self.path} is not a regular CSV file ({text:.160}); correct the file") from None

    def place(self, row: int) -> str:
        """Return where the data row `row`, counted from 0, stands, in words."""
        return f"row {row} (from 0)" if self.parquet else f"line {self.line(row)}"

    def line(self, row: int) -> int:
        """The line, counted from 1, on which the data row `row`, counted from 0, ends."""
        form = self.form
        row += 0 if form.names else 1 + form.units_rows
        with contextlib.suppress(csv.Error), self.path.open(encoding=form.encoding) as text:  # of fields too long
            reader = csv.reader(itertools.islice(text, form.skip, None), delimiter=form.delimiter)
            ends = (reader.line_num for record in reader if len(record) > 1 or any(map(str.strip, record)))
            return form.skip + next(itertools.islice(ends, row, None), row + 1)
        return form.skip + row + 1


@dataclass(frozen=True)
class RowFrame(RowFile):
    """Rows that are in memory; `path` is what they are called. Their numbers are numbers, whatever the form says."""

    frame: "pd.DataFrame"

    @property
    def parquet(self) -> bool:
        """They have types, as a Parquet file's have."""
        return True

    def header(self) -> list[str]:
        """The names of all columns."""
        return self._distinct(list(map(str, self.frame.columns)))

    def rows(self, progress: "Progress") -> "pd.DataFrame":  # noqa: ARG002 - as a file's
        """Return all rows."""
        return self.frame


def require_same(files: Sequence[RowFile], columns: Iterable[str]) -> None:
    """Raise UnrollError if one of several files lacks a column."""
    for file in files:
        if lacking := [name for name in columns if name not in file.header()]:
            first = files[0].path.name
            raise UnrollError(f"{file.path} has no column {lacking[0]!r}, which {first} has; leave that file out")


def blank(frame: "pd.DataFrame", stamp: Sequence[str]) -> Array:
    """(rows,) bool, rows of a chunk that hold nothing, as spreadsheets leave them."""
    texts = frame[list(stamp)]
    rows = np.array((texts.isna() | (texts == "")).all(axis=1), bool)
    rows[rows] = frame[rows].isin(["", None]).all(axis=1)
    return rows


def numbers(cells: "pd.Series[Any]", form: CsvFormat) -> Array:
    """Return (rows,) float64 of cells of text or of numbers, NaN where a cell is no number."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(cells.dtype):
        return np.asarray(cells.to_numpy(np.float64, na_value=np.nan))
    texts = cells.astype("str")
    values = _floats(texts, form)
    failed = np.flatnonzero(np.isnan(values) & (texts != "").to_numpy(bool))
    plain = texts.iloc[failed].map(lambda text: notations.plain_number(text)[0])
    changed = (plain != texts.iloc[failed]).to_numpy(bool)
    values[failed[changed]] = _floats(plain[changed], form)
    return values


def _floats(texts: "pd.Series[str]", form: CsvFormat) -> Array:
    """Return (rows,) float64 of numbers with the marks of a file, NaN where a text is none."""
    import pandas as pd
    import pyarrow as pa
    from pyarrow import compute

    if form.thousands:
        texts = texts.str.replace(notations.ungrouped(form.thousands), "", regex=True)
    if form.decimal != ".":  # a point is then no mark of a number, as for pandas
        texts = texts.str.replace(".", "?", regex=False).str.replace(form.decimal, ".", regex=False)
    with contextlib.suppress(pa.ArrowInvalid):  # ten times as fast, unless there are words or spaces
        cells = pa.array(texts)
        full = compute.if_else(compute.equal(cells, ""), pa.scalar(None, cells.type), cells)
        return np.array(full.cast(pa.float64()).to_numpy(zero_copy_only=False))
    return np.array(pd.to_numeric(texts, errors="coerce").to_numpy(np.float64, na_value=np.nan))
