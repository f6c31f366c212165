"""The data of a series: a DataFrame, a file, or several files of one form."""

import hashlib
import io
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, BinaryIO, TypeAlias

import pandas as pd
import pydantic

from pipeline.errors import UnrollError, UsageError, one_line
from pipeline.files import damaged, require_small
from pipeline.validation import Strict, nearest
from unroll.series.reading import file_rows
from unroll.series.reading.layout import text_of
from unroll.series.row_options import CsvFormat

Data: TypeAlias = (
    pd.DataFrame | str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
)
"""A series: a DataFrame, a file, or several files of one form."""

CHUNK = 1 << 20
"""The bytes of a file that are hashed at a time."""

MOST_BYTES = 4_000_000_000
"""Largest size of a file of rows."""

UNSAFE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
"""Characters of a path that no JSON file or terminal should get."""

LONGEST_NAME = 40
"""Largest number of characters of a name."""


class RowsFile(Strict):
    """A file of rows, as it was when an answer was made.

    Attributes:
        path: the path from the folder of the answer; the whole path if it lies far from
            there.
        bytes: the size of the file; of a workbook, that of its rows as CSV.
        sha256: the SHA-256 of these bytes.
    """

    path: Annotated[str, pydantic.StringConstraints(pattern=r"^[^\x00-\x1f\x7f]+$")]
    bytes: Annotated[int, pydantic.Field(ge=0)]
    sha256: str

    @classmethod
    def of(cls, file: Path, folder: Path) -> "RowsFile":
        """Return the description of a file for the answer in a folder."""
        with _content(file) as opened:
            size = opened.seek(0, os.SEEK_END)
            return cls(
                path=_relative(file, folder),
                bytes=size,
                sha256=_sha256_of(opened, b"", 0, size),
            )

    def seen_from(self, folder: Path, other: Path) -> "RowsFile":
        """Return the same file for an answer that moves from a folder to another."""
        return self.model_copy(update={"path": _relative(folder / self.path, other)})

    def place(self, folder: Path) -> Path:
        """Return the path of the file of the answer in a folder."""
        return Path(os.path.normpath(folder.resolve() / self.path))

    def found(self, folder: Path) -> Path:
        """Return the path of the file, to whose end rows may have been added since.

        An answer from somebody else can name any file. A file is read only if it begins
        with the bytes that the answer was made from, which nobody knows of a secret.

        Raises:
            UnrollError: the file is not there, or is another one.
        """
        path = self.place(folder)
        cure = (
            f"name a file of rows (`unroll predict {folder.name} --data FILE`, `unroll "
            "answer FILE` or `answer.forecast(FILE)`)"
        )
        if not path.is_file():
            raise UnrollError(f"{path}, the file of the answer, is not there; {cure}")
        if not 0 < path.stat().st_size <= MOST_BYTES or not self._holds(path):
            raise UnrollError(
                f"{path} does not begin with the rows that the answer was made from, "
                f"so it is not read; {cure}"
            )
        if path.is_relative_to(folder.resolve()) and file_rows.is_parquet(path):
            try:
                require_small(path)
            except (OSError, ValueError) as error:
                raise damaged(path, error, cure) from None
        return path

    def _holds(self, path: Path) -> bool:
        """Return whether a file begins with the bytes, or has new rows below its first
        line alone.
        """
        with _content(path) as opened:
            size = opened.seek(0, os.SEEK_END)
            if not 0 < self.bytes <= size:
                return False
            if _sha256_of(opened, b"", 0, self.bytes) == self.sha256:
                return True
            opened.seek(0)
            header = opened.readline(CHUNK)
            rest = self.bytes - len(header)
            return _sha256_of(opened, header, size - rest, rest) == self.sha256


def _content(file: Path) -> BinaryIO:
    """Open a file; a workbook, whose bytes all change with a row, as the text of CSV."""
    opened = file.open("rb")
    if opened.read(4) != b"PK\x03\x04":
        return opened
    opened.close()
    text, _, _ = text_of(file)
    return io.BytesIO(text.encode())


def _sha256_of(opened: BinaryIO, header: bytes, start: int, size: int) -> str:
    """Return the SHA-256 of some bytes, and of `size` bytes of a file from `start` on."""
    digest = hashlib.sha256(header)
    opened.seek(start)
    while size > 0 and (chunk := opened.read(min(size, CHUNK))):
        digest.update(chunk)
        size -= len(chunk)
    return digest.hexdigest()


def _relative(file: Path, folder: Path) -> str:
    """Return the path of a file relative to a near folder, else its whole path."""
    file = file.resolve()
    folder = folder.resolve()
    if file.is_relative_to(folder.parents[min(1, len(folder.parents) - 1)]):
        return Path(os.path.relpath(file, folder)).as_posix()
    return str(file)


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
    if isinstance(data, pd.DataFrame):
        return file_rows.of_frame(plain_frame(data), form)
    return file_rows.read(paths_of(data), form)


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
