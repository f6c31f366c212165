"""Files of stamped rows of numbers, CSV or Parquet -> arrays, or one line that says which cell is wrong.

A file is read in chunks, of which only numbers are kept, so that memory is that of the result.
"""

import csv
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.data import stamps as clocks
from pipeline.data.examples import Array
from pipeline.errors import UnrollError, UsageError

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.data.download import Progress

CHUNK = 250_000
"""Rows at a time; bounds memory, changes no value."""

MOST_WORDS = 50
"""Categories of a column, at most."""

PACKED = {".gz": "gzip", ".bz2": "bz2", ".xz": "xz", ".zip": "zip", ".zst": "zstd"}


def unseen(_file: str, _done: int, _total: int | None) -> None:
    """No progress is shown."""


@dataclass(frozen=True)
class Form:
    """How a file is written, and what of it is wanted; `preparations.series.prepare` says what each option means."""

    stamp: Sequence[str]
    target: str
    stamp_format: str = "ISO8601"
    time_zone: str | None = None
    drop: Sequence[str] = ()
    categories: Sequence[str] = ()
    encoding: str = "utf-8"
    delimiter: str = ","
    decimal: str = "."
    thousands: str | None = None
    missing: Sequence[str] | None = None
    names: Sequence[str] | None = None
    skip: int = 0


@dataclass(frozen=True)
class Table:
    """What a file holds, in the order of the file.

    Attributes:
        stamps: (rows,) datetime64[ms], in UTC where the file gives an offset or its time zone is known, else as
            written.
        columns: the names of the columns of numbers, then `COLUMN=WORD` for each category.
        values: (rows, columns) float64, NaN where there is no value, else finite.
    """

    stamps: Array
    columns: list[str]
    values: Array


@dataclass(frozen=True)
class File:
    """A file of rows, and where params.yaml describes it."""

    path: Path
    form: Form
    where: str

    @property
    def parquet(self) -> bool:
        """Whether it is a Parquet file: those begin so."""
        with self.path.open("rb") as file:
            return file.read(4) == b"PAR1"

    @property
    def again(self) -> str:
        """What to do about one that holds nothing."""
        return f"run `unroll source {self.path.parent.name}` again"

    def header(self) -> list[str]:
        """The names of all columns."""
        if self.parquet:
            return [str(name) for name in self._parquet().schema_arrow.names]
        return [str(column) for column in next(self._csv(unseen, nrows=0)).columns]

    def chunks(self, progress: "Progress", **options: Any) -> Iterator["pd.DataFrame"]:
        """All rows, `CHUNK` at a time; `options` are of `pandas.read_csv`, and without effect on Parquet."""
        if not self.parquet:
            yield from self._csv(progress, chunksize=CHUNK, **options)
            return
        table, done = self._parquet(), 0
        for batch in table.iter_batches(batch_size=CHUNK):
            yield batch.to_pandas(ignore_metadata=True)
            done += len(batch)
            progress(
                self.path.name, self.path.stat().st_size * done // table.metadata.num_rows, self.path.stat().st_size
            )

    def _parquet(self) -> Any:
        import pyarrow as pa
        from pyarrow import parquet

        try:
            return parquet.ParquetFile(self.path)
        except pa.ArrowException as error:
            raise UnrollError(f"{self.path} is no whole Parquet file ({' '.join(str(error).split()):.160})") from None

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
            text = " ".join(str(error).split())
            raise UnrollError(
                f"{self.path} is not {form.encoding} text ({text}); set {self.where}.encoding, such as latin-1"
            ) from None
        except LookupError:
            raise UsageError(f"params.yaml: {self.where}.encoding is unknown. Received: {form.encoding!r}") from None
        except pd.errors.EmptyDataError:
            raise UnrollError(f"{self.path} is empty; {self.again}") from None
        except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
            text = " ".join(str(error).split()).removeprefix("Error tokenizing data. C error: ")
            raise UnrollError(f"{self.path} is not a regular CSV file ({text:.160}); correct the file") from None

    def line(self, row: int) -> int:
        """The line, counted from 1, on which the data row `row`, counted from 0, ends."""
        skip, first = self.form.skip, 0 if self.form.names else -1
        with self.path.open(encoding=self.form.encoding, newline="") as text:
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


class Given(File):
    """A file that no source brought."""

    @property
    def again(self) -> str:
        """What to do about one that holds nothing."""
        return "give one with a header and rows"


@dataclass(frozen=True)
class Rows(Given):
    """Rows that are in memory; `path` is what they are called. Their numbers are numbers, whatever the form says."""

    frame: "pd.DataFrame"

    @property
    def parquet(self) -> bool:
        """They have types, as a Parquet file's have."""
        return True

    def header(self) -> list[str]:
        """The names of all columns."""
        return [str(column) for column in self.frame.columns]

    def chunks(self, progress: "Progress", **options: Any) -> Iterator["pd.DataFrame"]:  # noqa: ARG002 - as a file's
        """All rows at once."""
        yield self.frame


def read(paths: Sequence[Path], form: Form, where: str, progress: "Progress" = unseen) -> Table:
    """Read every column but the dropped ones, of one file or of several of one form.

    Args:
        paths: CSV or Parquet files; the first says which columns there are.
        form: of all of them.
        where: the place in params.yaml that the form comes from, for the error texts.
        progress: told of what has been read.

    Raises:
        UnrollError: a file is missing, empty, of another encoding or no regular CSV, or a cell is not a stamp
            or not a finite number; the text names its line and column.
        UsageError: a named column is not there (the text lists those that are), or an option contradicts another.
    """
    files = [File(path, form, where) for path in paths]
    for file in files:
        _require_file(file)
    return table(files, progress)


def table(files: Sequence[File], progress: "Progress" = unseen) -> Table:
    """What files of one form hold, as `read`."""
    columns = _columns(files)
    readings = [_Reading(file, columns) for file in files]
    for reading in readings:
        reading.run(progress)
    return _table(readings, columns, files[0].form, files[0].where)


def _columns(files: Sequence[File]) -> list[str]:
    """The columns of numbers, which every file must have."""
    file = files[0]
    form, where, header = file.form, file.where, file.header()
    asked = {"stamp": form.stamp, "target": [form.target], "drop": form.drop, "categories": form.categories}
    for key, column in ((key, column) for key, columns in asked.items() for column in columns):
        if column not in header:
            raise UsageError(
                f"params.yaml: {where}.{key}: {file.path.name} has no column {column!r}. It has: {', '.join(header)}"
            )
    columns = [column for column in header if column not in {*form.stamp, *form.drop, *form.categories}]
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

    file: File
    columns: list[str]
    stamps: list[Array] = field(default_factory=list)
    rows: list[Array] = field(default_factory=list)
    words: list["pd.DataFrame"] = field(default_factory=list)
    utc: bool = False

    def run(self, progress: "Progress") -> None:
        """Read all of it."""
        texts = dict.fromkeys(self.file.header(), str)
        before = 0
        try:
            # All columns, dropped ones as text: with `usecols` pandas takes rows of too many fields.
            for frame in self.file.chunks(progress, dtype=texts | dict.fromkeys(self.columns, np.float64)):
                self._take(frame, before)
                before += len(frame)
        except ValueError as error:
            raise _not_a_number(self.file, self.columns, str(error)) from None
        if not sum(map(len, self.stamps)):
            raise UnrollError(f"{self.file.path} holds a header and no rows; {self.file.again}")

    def _take(self, frame: "pd.DataFrame", before: int) -> None:
        """Keep the numbers of a chunk that begins `before` rows after the header."""
        form = self.file.form
        values = np.ascontiguousarray(frame[self.columns].astype(np.float64).to_numpy())
        if self.file.parquet and form.missing:
            values[np.isin(values, [float(word) for word in form.missing if _number(word)])] = np.nan
        if (np.isinf(values) if form.missing is not None else ~np.isfinite(values)).any():
            raise ValueError("a cell is not finite")
        cells = clocks.joined(frame, form.stamp)
        rows = np.arange(before, before + len(frame))
        if form.missing is not None and "" in form.missing:
            # Spreadsheets leave rows of nothing but delimiters.
            full = ~(frame[list(form.stamp)].isna().all(axis=1).to_numpy() & np.isnan(values).all(axis=1))
            cells, values, frame, rows = cells[full], values[full], frame[full], rows[full]
        self.stamps.append(self._stamps(cells, rows))
        self.rows.append(values)
        self.words.append(frame[list(form.categories)].astype("category"))

    def _stamps(self, cells: "pd.Series[Any]", rows: Array) -> Array:
        import pandas as pd

        file, form = self.file, self.file.form
        try:
            found, self.utc = clocks.parse(cells, form.stamp_format)
        except (ValueError, re.error) as error:
            raise UsageError(
                f"params.yaml: {file.where}.stamp_format: {error}. Received: {form.stamp_format!r}"
            ) from None
        bad = np.isnat(found)
        if bad.any():
            cell, row = cells.iloc[int(bad.argmax())], int(rows[bad.argmax()])
            text = "nothing" if pd.isna(cell) else f"{cell!r:.60}"
            raise UnrollError(
                f"{file.path}, line {row if file.parquet else file.line(row)}: column {' '.join(form.stamp)!r} holds "
                f"{text}, not a stamp of the form {form.stamp_format!r}; correct the file or {file.where}.stamp_format"
            )
        return found


def _table(readings: Sequence[_Reading], columns: list[str], form: Form, where: str) -> Table:
    """What was read, as one."""
    import pandas as pd

    stamps = np.concatenate([stamps for reading in readings for stamps in reading.stamps])
    if form.time_zone is not None and not readings[0].utc:
        written = stamps
        try:
            stamps = clocks.to_utc(written, form.time_zone)
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
    for column in form.categories:
        cells = [frame[column] for reading in readings for frame in reading.words]
        words = sorted({str(word) for part in cells for word in part.cat.categories})
        if len(words) > MOST_WORDS:
            raise UsageError(
                f"params.yaml: {where}.categories: column {column!r} holds {len(words)} words, more than "
                f"{MOST_WORDS}; leave it out with drop"
            )
        codes = pd.Categorical(pd.concat([part.astype("str") for part in cells]), categories=words).codes
        parts.append((codes[:, None] == np.arange(len(words))).astype(np.float64))
        parts[-1][codes < 0] = np.nan
        if (codes < 0).any() and form.missing is None:
            raise UnrollError(f"column {column!r} has empty cells; say that they mean no value: {where}.missing: ['']")
        names += [f"{column}={word}" for word in words]
    return Table(stamps, names, np.concatenate([values, *parts], axis=1) if parts else values)


def _require_file(file: File) -> None:
    path = file.path
    if path.is_file():
        return
    there = sorted(p.name for p in path.parent.glob("*") if p.name != "source.json")
    if there:
        raise UsageError(
            f"params.yaml: {file.where}.file: {path.parent} has no {path.name!r}. It has: {', '.join(there)}"
        )
    raise UnrollError(f"{path} is missing; run `unroll source {path.parent.name}`")


def _not_a_number(file: File, columns: list[str], otherwise: str) -> UnrollError:
    """Find the first cell that is not a finite number; read as text, so only when it is known to be there."""
    todo = (
        f"correct the file, say what means no value with {file.where}.missing, or leave the column out with "
        f"{file.where}.drop"
    )
    unknown = UnrollError(f"{file.path} holds something that is not a number ({otherwise:.160}); {todo}")
    if file.parquet:
        return unknown
    before = 0
    for frame in file.chunks(unseen, dtype=str, keep_default_na=False):
        first: tuple[int, str] | None = None
        for column in columns:
            bad = ~np.isfinite(numbers(frame[column], file.form))
            bad &= (file.form.missing is None) | frame[column].notna().to_numpy()
            if bad.any() and (first is None or bad.argmax() < first[0]):
                first = int(bad.argmax()), column
        if first is not None:
            row, column = first
            cell = frame[column].iloc[row]
            holds = f"{cell!r:.60}, not a finite number" if isinstance(cell, str) and cell.strip() else "no value"
            return UnrollError(f"{file.path}, line {file.line(before + row)}: column {column!r} holds {holds}; {todo}")
        before += len(frame)
    return unknown


def numbers(cells: "pd.Series[Any]", form: Form) -> Array:
    """(rows,) float64 of cells of text, NaN where a cell is no number."""
    import pandas as pd

    if form.thousands:
        cells = cells.str.replace(form.thousands, "", regex=False)
    if form.decimal != ".":  # a point is then no mark of a number, as for pandas
        cells = cells.str.replace(".", "?", regex=False).str.replace(form.decimal, ".", regex=False)
    return np.asarray(pd.to_numeric(cells, errors="coerce").to_numpy(np.float64, na_value=np.nan))


def _number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
