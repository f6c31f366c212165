"""Files of rows, CSV or Parquet, as data frames: a chunk at a time, so that memory does not grow with the file."""

import contextlib
import csv
import errno
import os
import re
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.data.examples import Array
from pipeline.data.series_options import CsvFormat
from pipeline.errors import UnrollError, UsageError, one_line

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.data.download import Progress

CHUNK = 250_000
"""Rows at a time; bounds memory, changes no value."""

PLAIN = re.compile(r"(dict\w+<values=|large_)*(bool|u?int|(half)?float|double|decimal|string|date|time|duration|null)")
"""Arrow's types of a Parquet file's columns that hold numbers, words or times."""

PACKED = {".gz": "gzip", ".bz2": "bz2", ".xz": "xz", ".zip": "zip", ".zst": "zstd"}


def unseen(_file: str, _done: int, _total: int | None) -> None:
    """No progress is shown."""


@dataclass(frozen=True)
class File:
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
            return [str(column) for column in next(self._csv(unseen, nrows=0)).columns]

    def chunks(self, progress: "Progress", **options: Any) -> Iterator["pd.DataFrame"]:
        """All rows, `CHUNK` at a time; `options` are of `pandas.read_csv`, and without effect on Parquet."""
        if not self.parquet:
            with self._whole(ValueError):  # of a cell that is no number
                yield from self._csv(progress, chunksize=CHUNK, **options)
            return
        done, size = 0, self.path.stat().st_size
        with self._whole():
            table = self._parquet()
            wanted = [field for field in table.schema_arrow if field.name not in self.form.drop]
            if odd := [field for field in wanted if not PLAIN.match(str(field.type))]:
                what = f"column {odd[0].name!r} holds {odd[0].type!s:.80}"
                raise UnrollError(f"{self.path}: {what}; save it as numbers, text or times, or leave it out")
            for batch in table.iter_batches(batch_size=CHUNK, columns=[field.name for field in wanted]):
                batch.validate(full=True)  # of text, too: pandas decodes it when it is used
                yield batch.to_pandas(ignore_metadata=True)
                done += len(batch)
                progress(self.path.name, size * done // max(done, table.metadata.num_rows), size)

    @contextlib.contextmanager
    def _whole(self, told: type[Exception] = UnrollError) -> Iterator[None]:
        """Around all that reads: what is raised of a damaged file becomes one line, but for what others tell of."""
        try:
            yield
        except (UnrollError, MemoryError, told):
            raise
        except Exception as error:
            if getattr(error, "errno", None) not in {None, errno.EINVAL}:  # the disk's; a damaged zip gives EINVAL
                raise
            kind, text = "Parquet" if self.parquet else PACKED.get(self.path.suffix, "CSV"), one_line(str(error))
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
        options |= {"sep": r"\s+" if form.delimiter == " " else form.delimiter, "skiprows": form.skip}
        options |= {"decimal": form.decimal, "thousands": form.thousands, "encoding": form.encoding}
        options |= {"header": None, "names": list(form.names)} if form.names else {}
        if form.missing is not None:
            options |= {"na_values": list(form.missing), "keep_default_na": False}
        try:
            with self.path.open("rb") as file:
                found = pd.read_csv(file, index_col=False, compression=PACKED.get(self.path.suffix), **options)
                found = found if "chunksize" in options else iter([found])
                while True:
                    with warnings.catch_warnings():
                        warnings.simplefilter("error", pd.errors.ParserWarning)
                        chunk = next(found, None)
                    if chunk is None:
                        return
                    yield chunk
                    progress(self.path.name, file.tell(), self.path.stat().st_size)
        except UnicodeError as error:
            what = f"{self.path} is not {form.encoding} text ({one_line(str(error))})"
            raise UnrollError(f"{what}; set {self.where}.encoding, such as latin-1") from None
        except LookupError:
            raise UsageError(f"params.yaml: {self.where}.encoding is unknown. Received: {form.encoding!r}") from None
        except pd.errors.EmptyDataError:
            raise UnrollError(f"{self.path} is empty; it needs a header and rows") from None
        except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
            text = one_line(str(error)).removeprefix("Error tokenizing data. C error: ")
            raise UnrollError(f"{self.path} is not a regular CSV file ({text:.160}); correct the file") from None

    def line(self, row: int) -> int:
        """The line, counted from 1, on which the data row `row`, counted from 0, ends."""
        from pandas.io.common import get_handle  # unpacks as `read_csv` does

        skip, first = self.form.skip, 0 if self.form.names else -1
        with get_handle(self.path, "r", encoding=self.form.encoding, compression="infer") as opened:
            text = opened.handle
            for _ in range(skip):
                next(text, None)
            reader = csv.reader(text, delimiter=self.form.delimiter)
            rows = (record for record in reader if len(record) > 1 or any(map(str.strip, record)))
            try:
                for place, _ in enumerate(rows, start=first):
                    if place == row:
                        return skip + reader.line_num
            except csv.Error:  # pandas reads fields that this module finds too long
                pass
        return skip + row + 1 - first


@dataclass(frozen=True)
class Rows(File):
    """Rows that are in memory; `path` is what they are called. Their numbers are numbers, whatever the form says."""

    frame: "pd.DataFrame"

    @property
    def parquet(self) -> bool:
        """They have types, as a Parquet file's have."""
        return True

    def header(self) -> list[str]:
        """The names of all columns."""
        return self._distinct(list(map(str, self.frame.columns)))

    def chunks(self, progress: "Progress", **options: Any) -> Iterator["pd.DataFrame"]:  # noqa: ARG002 - as a file's
        """All rows at once."""
        yield self.frame


def numbers(cells: "pd.Series[Any]", form: CsvFormat) -> Array:
    """(rows,) float64 of cells of text, NaN where a cell is no number."""
    import pandas as pd

    if form.thousands:
        cells = cells.str.replace(form.thousands, "", regex=False)
    if form.decimal != ".":  # a point is then no mark of a number, as for pandas
        cells = cells.str.replace(".", "?", regex=False).str.replace(form.decimal, ".", regex=False)
    return np.asarray(pd.to_numeric(cells, errors="coerce").to_numpy(np.float64, na_value=np.nan))
