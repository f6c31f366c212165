"""A CSV file of stamped rows of numbers -> arrays, or one line that says which cell is wrong."""

import csv
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.data.examples import Array
from pipeline.errors import UnrollError, UsageError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Table:
    """What a file holds, in the order of the file.

    Attributes:
        stamps: (rows,) datetime64[ms], in UTC where the file gives an offset, else as written.
        columns: the names of the columns of numbers.
        values: (rows, columns) float64, finite.
    """

    stamps: Array
    columns: list[str]
    values: Array


@dataclass(frozen=True)
class _File:
    """A CSV file, and where params.yaml describes it."""

    path: Path
    encoding: str
    where: str

    def read(self, **options: Any) -> "pd.DataFrame":
        """`pandas.read_csv`; a file that cannot be read at all gives one line."""
        import pandas as pd

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", pd.errors.ParserWarning)
                return pd.read_csv(self.path, encoding=self.encoding, index_col=False, **options)
        except UnicodeError as error:
            text = " ".join(str(error).split())
            raise UnrollError(
                f"{self.path} is not {self.encoding} text ({text}); set {self.where}.encoding, such as latin-1"
            ) from None
        except LookupError:
            raise UsageError(f"params.yaml: {self.where}.encoding is unknown. Received: {self.encoding!r}") from None
        except pd.errors.EmptyDataError:
            raise UnrollError(f"{self.path} is empty; run `unroll source {self.path.parent.name}` again") from None
        except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
            text = " ".join(str(error).split()).removeprefix("Error tokenizing data. C error: ")
            raise UnrollError(f"{self.path} is not a regular CSV file ({text:.160}); correct the file") from None

    def line(self, row: int) -> int:
        """The line, counted from 1, on which the data row `row`, counted from 0, ends."""
        with self.path.open(encoding=self.encoding, newline="") as text:
            reader = csv.reader(text)
            rows = (record for record in reader if len(record) > 1 or any(map(str.strip, record)))
            try:
                for place, _ in enumerate(rows, start=-1):
                    if place == row:
                        return reader.line_num
            except csv.Error:  # pandas reads fields that this module finds too long
                pass
        return row + 2


def read(
    path: Path, *, stamp: str, stamp_format: str, target: str, drop: Sequence[str], encoding: str, where: str
) -> Table:
    """Read every column but the dropped ones.

    Args:
        path: a CSV file with a header.
        stamp: the column that holds the time of a row.
        stamp_format: as `strptime` takes it, or "ISO8601".
        target: a column that has to be there.
        drop: columns to leave out.
        encoding: of the file, such as "utf-8" or "latin-1".
        where: the place in params.yaml that these options come from, for the error texts.

    Raises:
        UnrollError: the file is missing, empty, of another encoding or no regular CSV, or a cell is not a stamp
            or not a finite number; the text names its line and column.
        UsageError: a named column is not there (the text lists those that are), or an option contradicts another.
    """
    file = _File(path, encoding, where)
    _require_file(file)
    header = [str(column) for column in file.read(nrows=0).columns]
    for key, column in [("stamp", stamp), ("target", target), *(("drop", column) for column in drop)]:
        if column not in header:
            raise UsageError(
                f"params.yaml: {where}.{key}: {path.name} has no column {column!r}. It has: {', '.join(header)}"
            )
    columns = [column for column in header if column != stamp and column not in drop]
    if target not in columns or stamp in drop:
        raise UsageError(
            f"params.yaml: {where}: target, stamp and drop must name different columns. "
            f"Received: {target!r}, {stamp!r}, {list(drop)}"
        )
    try:
        # All columns, dropped ones as text: with `usecols` pandas takes rows of too many fields.
        frame = file.read(dtype=dict.fromkeys(header, str) | dict.fromkeys(columns, np.float64))
    except ValueError as error:
        raise _not_a_number(file, columns, str(error)) from None
    if frame.empty:
        raise UnrollError(f"{path} holds a header and no rows; run `unroll source {path.parent.name}` again")
    values = np.ascontiguousarray(frame[columns].to_numpy())
    if not np.isfinite(values).all():
        raise _not_a_number(file, columns, "a cell is not finite")
    return Table(_stamps(file, frame[stamp], stamp_format), columns, values)


def _require_file(file: _File) -> None:
    path = file.path
    if path.is_file():
        return
    there = sorted(p.name for p in path.parent.glob("*") if p.name != "source.json")
    if there:
        raise UsageError(
            f"params.yaml: {file.where}.file: {path.parent} has no {path.name!r}. It has: {', '.join(there)}"
        )
    raise UnrollError(f"{path} is missing; run `unroll source {path.parent.name}`")


def _stamps(file: _File, texts: "pd.Series[str]", stamp_format: str) -> Array:
    import pandas as pd

    try:
        stamps = pd.to_datetime(texts, format=stamp_format, errors="coerce", utc=True)
    except (ValueError, re.error) as error:
        raise UsageError(f"params.yaml: {file.where}.stamp_format: {error}. Received: {stamp_format!r}") from None
    bad = stamps.isna().to_numpy()
    if bad.any():
        row = int(bad.argmax())
        text = "nothing" if pd.isna(texts.iloc[row]) else f"{texts.iloc[row]!r:.60}"
        raise UnrollError(
            f"{file.path}, line {file.line(row)}: column {texts.name!r} holds {text}, not a stamp of the form "
            f"{stamp_format!r}; correct the file or {file.where}.stamp_format"
        )
    return np.asarray(stamps.dt.tz_localize(None), dtype="datetime64[ms]")


def _not_a_number(file: _File, columns: list[str], otherwise: str) -> UnrollError:
    """Find the first cell that is not a finite number; read as text, so only when it is known to be there."""
    import pandas as pd

    frame = file.read(dtype=str, keep_default_na=False)
    first: tuple[int, str] | None = None
    for column in columns:
        bad = ~np.isfinite(pd.to_numeric(frame[column], errors="coerce").to_numpy(np.float64, na_value=np.nan))
        if bad.any() and (first is None or bad.argmax() < first[0]):
            first = int(bad.argmax()), column
    if first is None:
        return UnrollError(f"{file.path} holds something that is not a number ({otherwise}); correct the file")
    row, column = first
    cell = frame[column].iloc[row]
    holds = f"{cell!r:.60}, not a finite number" if isinstance(cell, str) and cell.strip() else "no value"
    return UnrollError(
        f"{file.path}, line {file.line(row)}: column {column!r} holds {holds}; "
        f"correct the file, or leave the column out with {file.where}.drop"
    )
