"""Tables of rows with timestamps, and reading them from a plain CSV file."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from pipeline.data.examples import Array
from pipeline.errors import UnrollError, UsageError, one_line


@dataclass(frozen=True)
class RowTable:
    """The rows of one or more files, in their order.

    Attributes:
        timestamps: (rows,) datetime64[ms], in UTC if the file has UTC offsets or the
            time zone is given, else as written.
        columns: the names of the columns.
        values: (rows, columns) float64, NaN where a value is missing, else finite.
    """

    timestamps: Array
    columns: list[str]
    values: Array

    def only(self, mask: Array) -> Self:
        """Return the rows where `mask` (rows,) is true."""
        return replace(self, timestamps=self.timestamps[mask], values=self.values[mask])


def read(
    path: Path, stamp: str, stamp_format: str, drop: Sequence[str] = ()
) -> RowTable:
    """Read a CSV file in UTF-8 with a column of timestamps and columns of numbers.

    Args:
        path: the path of the file.
        stamp: the column of timestamps.
        stamp_format: the format of the timestamps for `strptime`, or "ISO8601".
        drop: columns to leave out.

    Raises:
        UsageError: a named column does not exist.
        UnrollError: the file is missing or no CSV file, or a cell is no timestamp or no
            finite number. The text names the row and the column.
    """
    if not path.is_file():
        raise UnrollError(
            f"{path} is missing; run `unroll repro`, or name another file in "
            "params.yaml"
        )
    try:
        with warnings.catch_warnings():
            # Rows with more cells than the header, such as those with decimal commas,
            # would lose their last cells.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            cells = pd.read_csv(path, dtype=str, keep_default_na=False, index_col=False)
    except pd.errors.ParserWarning:
        raise UnrollError(
            f"{path}: rows have more cells than the header; separate cells by commas "
            "and write decimals with a point"
        ) from None
    except ValueError as error:  # pandas' errors are ValueErrors
        raise UnrollError(
            f"{path} is no regular CSV file in UTF-8 ({one_line(str(error)):.160}); "
            "correct the file"
        ) from None
    for name in (stamp, *drop):
        if name not in cells.columns:
            raise UsageError(
                f"{path} has no column {name!r}. It has: {', '.join(cells.columns)}"
            )
    times = pd.to_datetime(cells[stamp], format=stamp_format, errors="coerce", utc=True)
    _require_all(
        path,
        cells[stamp],
        times.isna(),
        f"no timestamp like {stamp_format}; correct the file, or set csv.stamp_format, "
        "such as '%d.%m.%Y %H:%M'",
    )
    columns = [name for name in cells.columns if name not in {stamp, *drop}]
    values = np.empty((len(cells), len(columns)))
    for index, name in enumerate(columns):
        values[:, index] = pd.to_numeric(cells[name], errors="coerce")
        _require_all(
            path,
            cells[name],
            ~np.isfinite(values[:, index]),
            "no finite number; correct the file: decimals have a point, and a column "
            "has no words",
        )
    timestamps_ms = np.array(times.dt.tz_localize(None), dtype="datetime64[ms]")
    return RowTable(timestamps_ms, columns, values)


def _require_all(path: Path, cells: Any, wrong: Any, what: str) -> None:
    """Raise UnrollError for the first wrong cell of a column; `what` says why, and what
    to do.
    """
    if wrong.any():
        row = int(np.argmax(wrong))
        raise UnrollError(
            f"{path}, row {row + 1} below the header: column {cells.name!r} holds "
            f"{cells.iloc[row]!r:.60}, {what}"
        )
