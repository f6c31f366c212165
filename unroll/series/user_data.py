"""The data of a series: a DataFrame, a file, or several files of one form."""

import os
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import pandas as pd
import pydantic

from pipeline.errors import UnrollError, UsageError, one_line
from pipeline.files import damaged, require_flat, write_parquet
from pipeline.validation import Strict, nearest
from unroll.series.reading import file_rows
from unroll.series.reading.layout import text_of
from unroll.series.row_options import CsvFormat

Data: TypeAlias = (
    pd.DataFrame | str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
)
"""A series: a DataFrame, a file, or several files of one form."""

MOST_BYTES = 1 << 30
"""Largest size of a file of rows that is compared with its copy."""

UNSAFE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
"""Characters of a path that no JSON file or terminal should get."""

LONGEST_NAME = 40
"""Largest number of characters of a name."""


class RowsFile(Strict):
    """A file of rows, and its copy in the folder of an answer.

    Attributes:
        path: the path of the file from this folder; for a DataFrame that of the copy.
        kept: the name of the copy, which holds the rows that the answer was made from.
    """

    path: Annotated[str, pydantic.StringConstraints(pattern=r"^[^\x00-\x1f\x7f]+$")]
    kept: Annotated[
        str, pydantic.StringConstraints(pattern=r"^rows_[0-9]+\.(csv|parquet)$")
    ]

    def place(self, folder: Path) -> Path:
        """Return the path of the file of the answer in a folder."""
        return Path(os.path.normpath(folder / self.path))

    def seen_from(self, folder: Path, other: Path) -> "RowsFile":
        """Return the same file for an answer that moves from a folder to another."""
        if self.path == self.kept:
            return self
        path = os.path.relpath(self.place(folder), other)
        return RowsFile(path=path, kept=self.kept)

    def added(self, file: Path, folder: Path) -> int | None:
        """Return how many bytes a file has more than the copy; None if it holds others.

        New rows may stand at its end, or below its first line.
        """
        copy = folder / self.kept
        if not copy.is_file() or not 0 < file.stat().st_size <= MOST_BYTES:
            return None
        now = _content(file)
        before = copy.read_bytes()
        added = len(now) - len(before)
        header, end, rest = before.partition(b"\n")
        is_below = now.startswith(header + end) and now.endswith(rest)
        if before and added >= 0 and (is_below or now.startswith(before)):
            return added
        return None

    def found(self, folder: Path) -> Path:
        """Return the path of the file, to which rows may have been added since; that of
        the copy if the file is not there.

        An answer from somebody else can name any file. A file is read only if it begins
        with the bytes that the answer was made from, which nobody knows of a secret.

        Raises:
            UnrollError: the file is another one, or the copy is damaged.

        Warns:
            UserWarning: the file is not there.
        """
        path = self.place(folder)
        copy = folder / self.kept
        cure = (
            f"name a file of rows (`unroll predict {folder.name} --data FILE`, `unroll "
            "answer FILE` or `answer.forecast(FILE)`)"
        )
        if not path.is_file():
            told = f"{path} is not there; its rows are those that {folder.name}/ holds"
            warnings.warn(told, UserWarning, stacklevel=3)
            path = copy
        if not copy.is_file():
            raise UnrollError(f"{copy} is missing; {cure}")
        if path == copy and file_rows.is_parquet(copy):
            try:
                require_flat(copy)
            except (OSError, ValueError) as error:
                raise damaged(copy, error, cure) from None
        if path != copy and self.added(path, folder) is None:
            raise UnrollError(
                f"{path} does not begin with the rows that the answer was made from, "
                f"so it is not read; {cure}"
            )
        return path


def keep(rows: file_rows.FileRows, folder: Path) -> list[RowsFile]:
    """Copy rows into the folder of an answer; those of a workbook as CSV."""
    files = []
    for number, path in enumerate(rows.paths, 1):
        kept = f"rows_{number}.parquet" if rows.typed else f"rows_{number}.csv"
        if rows.in_memory:
            write_parquet(folder / kept, rows.cells.reset_index(drop=True))
        else:
            (folder / kept).write_bytes(_content(path))
        files.append(RowsFile(path=kept if rows.in_memory else str(path), kept=kept))
    return files


def _content(file: Path) -> bytes:
    """Return the bytes of a file; of a workbook, whose bytes all change with a row, those
    of its text as CSV.
    """
    content = file.read_bytes()
    if content.startswith(b"PK\x03\x04"):
        text, _, _ = text_of(file)
        return text.encode()
    return content


def paths_of(data: Data) -> list[Path]:
    """Return the paths of the files that hold the rows of some data.

    Raises:
        UsageError: the data is neither a path nor several, or a file is not there.
    """
    paths = [data] if isinstance(data, str | os.PathLike) else data
    if not isinstance(paths, Sequence) or not paths:
        raise UsageError(
            "data must be a DataFrame (of a Series, data.to_frame()), the path of a CSV, "
            "Parquet or .xlsx file, or a list of paths. Received: "
            f"{type(data).__name__} {one_line(repr(data)):.60}"
        )
    return [existing(path) for path in paths]


def rows_of(data: Data, form: CsvFormat) -> file_rows.FileRows:
    """Return the rows of a DataFrame or of files, which are written in a known form.

    Raises:
        UsageError: as `paths_of`; or the DataFrame has a column of another type.
        UnrollError: the files cannot be read.
    """
    if is_table(data):
        return file_rows.of_frame(plain_frame(frame_of(data)), form)
    return file_rows.read(paths_of(data), form)


def is_table(data: object) -> bool:
    """Return whether data is a DataFrame, or a table of polars or pyarrow."""
    return hasattr(data, "__arrow_c_stream__") and hasattr(data, "columns")


def frame_of(data: Any) -> pd.DataFrame:
    """Return a table of pandas, polars or pyarrow as a DataFrame of pandas."""
    import pyarrow as pa

    return data if isinstance(data, pd.DataFrame) else pa.table(data).to_pandas()


def existing(given: object) -> Path:
    """Return the path of a file that is there.

    Raises:
        UsageError: it is no path, or there is no such file.
    """
    if not isinstance(given, str | os.PathLike):
        raise UsageError(
            f"each of several files must be a path. Received: {given!r:.60}"
        )
    path = Path(given)
    if UNSAFE.search(str(path.absolute())):
        name = ascii(str(path.absolute()))[1:-1]
        raise UsageError(
            f"the path {name} has a character that no text may have, such as a new line "
            "or one of another system's encoding; rename the file or the folder"
        )
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name a CSV, Parquet or .xlsx file")
    if path.exists() and not path.is_file():
        raise UsageError(
            f"{path} is a pipe or a device, whose rows can be read only once, and a "
            "forecast reads them again; write them into a file, and name that"
        )
    if not path.is_file():
        beside = [file.name for file in path.parent.glob("*") if file.is_file()]
        close = nearest(path.name, beside)
        hint = f". Did you mean {path.with_name(close)}?" if close else ""
        raise UsageError(
            f"{path} is not there; name a CSV, Parquet or .xlsx file{hint}"
        )
    return path.resolve()


def plain_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a DataFrame with its index as columns, and columns of plain types.

    Raises:
        UsageError: there are no rows, or two columns of one name.
    """
    if not len(frame):
        raise UsageError("data has no rows; give a DataFrame with rows")
    frame = pd.DataFrame(frame)  # without `attrs`, which may be of any type
    counted = isinstance(frame.index, pd.RangeIndex) or (
        frame.index.name is None and pd.api.types.is_integer_dtype(frame.index.dtype)
    )
    rows = frame if counted else frame.reset_index(allow_duplicates=True)
    rows = rows.set_axis([str(column) for column in rows.columns], axis=1)
    twice = rows.columns[rows.columns.duplicated()]
    if len(twice):
        raise UsageError(
            f"data has two columns {twice[0]!r}; rename or remove one of them"
        )
    for column in rows.columns:
        cells = rows[column]
        if isinstance(cells.dtype, pd.PeriodDtype):
            rows[column] = cells.dt.to_timestamp()
        elif cells.dtype == object and len({*cells.dropna().map(type)}) > 1:
            # such as numbers with "n/a" among them
            rows[column] = cells.map(str, na_action="ignore")
    return rows


def plain_name(rows: file_rows.FileRows) -> str:
    """Return a name for a series, after its file; "series" for a DataFrame."""
    if rows.in_memory:
        return "series"
    return made_name(rows.paths[0].stem)


def made_name(text: str) -> str:
    """Return a name with a letter first, such as series_2024_sales for 2024_sales."""
    name = slug(text)
    return name if name[:1].isalpha() else slug(f"series_{name}")


def slug(text: str) -> str:
    """Return a text in small letters, digits and _, at most `LONGEST_NAME` of them."""
    words = re.sub(r"[^a-z0-9]+", "_", text.lower())
    return words.strip("_")[:LONGEST_NAME].strip("_")
