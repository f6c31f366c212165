"""Atomic writing of files: JSON, arrays and tables. The same content gives the same
bytes.
"""

import contextlib
import hashlib
import io
import json
import math
import os
import re
import secrets
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pydantic

from pipeline.errors import UnrollError, one_line
from pipeline.validation import checked

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

Model = TypeVar("Model", bound=pydantic.BaseModel)

REBUILD = "delete it and run `unroll repro`"
"""What mends a damaged file of a build."""

UNFINISHED = re.compile(r"\..+\.(\d+)\.\w+\.tmp")
"""The names that `unfinished` gives. The number is the id of the writing process."""

MOST_OF_FOOTER = 1 << 16
"""The most bytes of a Parquet file's footer, by whose nesting its reader can die."""

PLAIN = re.compile(
    r"(dict\w+<values=|large_)*"
    r"(bool|u?int|(half)?float|double|decimal|string|date|time|duration|null)"
)
"""Arrow's types of a Parquet file's columns that hold numbers, words or times."""


def unfinished(folder: Path, name: str) -> Path:
    """Return a new path in `folder` for a file or folder that is being written.

    If this process is killed, `Workspace.sweep` finds the path.
    """
    return folder / f".{name}.{os.getpid()}.{secrets.token_hex(4)}.tmp"


def remove(path: Path) -> None:
    """Remove a file, a link or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield the path of a temporary file, which replaces `path` at the end of the block.

    If the block raises, the temporary file is removed and `path` stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = unfinished(path.parent, path.name)
    temporary.touch(exist_ok=False)
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def scratch_folder(scratch: Path, name: str) -> Iterator[Path]:
    """Yield a new folder in `scratch` that is removed when the block ends."""
    folder = unfinished(scratch, name)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        remove(folder)


@contextlib.contextmanager
def atomic_folder(path: Path, scratch: Path) -> Iterator[Path]:
    """Yield a temporary folder, which replaces `path` at the end of the block.

    If the block raises, the temporary folder is removed and `path` stays as it was.

    Args:
        path: the folder to replace as a whole.
        scratch: a folder on the same file system (`Workspace.scratch`).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    old = unfinished(scratch, f"{path.name}.old")
    with scratch_folder(scratch, path.name) as temporary:
        try:
            yield temporary
            if os.path.lexists(path):
                path.replace(old)
            temporary.replace(path)
        finally:
            if os.path.lexists(old) and not os.path.lexists(path):
                old.replace(path)
            remove(old)


def write_text(path: Path, text: str) -> None:
    """Write a text as UTF-8, atomically."""
    with atomic_file(path) as temporary:
        temporary.write_bytes(text.encode("utf-8"))


def write_json(path: Path, data: Any) -> None:
    """Write plain data as JSON: keys in their order, floats as `repr` gives them.

    Raises ValueError if a number is not finite.
    """
    text = json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def read_json(path: Path, cure: str = REBUILD) -> Any:
    """Return the data of a JSON file.

    Raises UnrollError if the file is missing or damaged; `cure` says what helps then.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
    except FileNotFoundError:
        raise missing(path) from None
    except (ValueError, RecursionError) as error:
        raise damaged(path, error, cure) from None


def _refuse(constant: str) -> float:
    raise ValueError(f"it holds {constant}")


def read_checked(path: Path, model: type[Model], cure: str = REBUILD) -> Model:
    """Return the data of a JSON file as an instance of `model`.

    Raises UnrollError if the file is missing or damaged; `cure` says what helps then.
    """
    try:
        return checked(model, read_json(path, cure))
    except ValueError as error:
        raise damaged(path, error, cure) from None


def write_npz(path: Path, arrays: Mapping[str, "npt.NDArray[Any]"]) -> None:
    """Write named arrays, atomically; the same arrays give the same bytes.

    Arrays are stored row by row and in their order. NumPy gives each member the same
    date.
    """
    import numpy as np

    ordered = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    with atomic_file(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **ordered)


def read_npz(path: Path, cure: str = REBUILD) -> dict[str, "npt.NDArray[Any]"]:
    """Return all arrays of a file that `write_npz` wrote, without unpickling.

    Raises:
        UnrollError: the file is missing or damaged; `cure` says what helps then.
    """
    arrays = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                # `write_npz` compresses nothing, so no member is larger than its file.
                if member.compress_type != zipfile.ZIP_STORED:
                    raise ValueError(f"{member.filename} is compressed")
                # Read the whole member, and so its checksum, before NumPy trusts its
                # header.
                content = archive.read(member)
                arrays[member.filename.removesuffix(".npy")] = _array(content)
    except FileNotFoundError:
        raise missing(path) from None
    except (PermissionError, MemoryError, ImportError):
        raise
    # zipfile and NumPy raise a dozen kinds of errors for damaged bytes.
    except Exception as error:  # noqa: BLE001
        raise damaged(path, error, cure) from None
    return arrays


def _array(content: bytes) -> "npt.NDArray[Any]":
    """Return the array of a member of a .npz file.

    Raises ValueError if the header promises more values than follow. NumPy would make
    room for all of them before it reads the first one.
    """
    import numpy as np

    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    headers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    shape, _, dtype = headers[version](file)
    needed = math.prod(shape) * dtype.itemsize
    found = len(content) - file.tell()
    if not dtype.itemsize or (needed != found and not dtype.hasobject):
        raise ValueError(f"an array takes {needed:,} bytes, and {found:,} are there")
    file.seek(0)
    array: npt.NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    return array


def write_table(path: Path, table: "pd.DataFrame") -> None:
    """Write a table as CSV. Numbers keep all their digits; a missing value is empty."""
    write_text(path, table.to_csv(index=False, lineterminator="\n"))


def read_table(path: Path, cure: str = REBUILD, /, **columns: type) -> "pd.DataFrame":
    """Return a table that `write_table` wrote.

    Args:
        path: the file.
        cure: what helps if the file is damaged.
        columns: name -> int, float or str, for the columns that the file must have. All
            other columns hold numbers, NaN where a value is missing.

    Raises:
        UnrollError: the file is missing or has other columns.
    """
    import pandas as pd

    try:
        # A file that was cut in a number would still be read.
        if not path.read_bytes().endswith(b"\n"):
            raise ValueError("its last line has no end")
        table = pd.read_csv(path, dtype=columns, na_values=[""], keep_default_na=False)
        # Raises if one of `columns` is missing or another column holds no numbers.
        table.drop(columns=[*columns]).astype(float)
    except FileNotFoundError:
        raise missing(path) from None
    except (ValueError, TypeError, KeyError) as error:
        # pandas raises KeyError for a missing column, else a kind of ValueError.
        raise damaged(path, error, cure) from None
    return table


def write_parquet(path: Path, table: "pd.DataFrame") -> None:
    """Write a table that `read_parquet` reads, without its index, atomically."""
    with atomic_file(path) as temporary:
        table.to_parquet(temporary, index=False)


def require_flat(path: Path) -> None:
    """Raise ValueError unless a Parquet file is a flat table of plain columns."""
    from pyarrow import parquet

    with path.open("rb") as opened:
        opened.seek(-8, os.SEEK_END)
        size = int.from_bytes(opened.read(4), "little")
    if size > MOST_OF_FOOTER:
        raise ValueError(f"its footer has {size:,} bytes")
    if not all(PLAIN.match(str(one.type)) for one in parquet.read_schema(path)):
        raise ValueError("it has a column that is no number, text or timestamp")


def read_parquet(
    path: Path, columns: Mapping[str, str], cure: str = REBUILD
) -> "pd.DataFrame":
    """Return a table that `write_parquet` wrote.

    Args:
        path: the file.
        columns: name -> the kinds of NumPy that its values may have, such as "iu" for
            integers, "O" for text; the file must have these columns in this order.
        cure: what helps if the file is damaged.

    Raises:
        UnrollError: the file is missing or damaged.
    """
    from pyarrow import parquet

    texts = [name for name, kinds in columns.items() if "O" in kinds]
    try:
        require_flat(path)
        # a text that stands in all rows is in memory once
        file = parquet.ParquetFile(path, read_dictionary=texts)
        if file.schema_arrow.names != [*columns]:
            raise ValueError(f"it must have the columns {', '.join(columns)}")
        # pandas' own notes in the file could name any type.
        table = file.read().to_pandas(ignore_metadata=True)
        for name, kinds in columns.items():
            if table[name].dtype.kind not in kinds:
                raise ValueError(f"its column {name} is of another type")
        table = table.astype(dict.fromkeys(table.select_dtypes("category"), str))
    except FileNotFoundError:
        raise missing(path) from None
    # Arrow raises these for damaged bytes.
    except (OSError, ValueError, TypeError, NotImplementedError, KeyError) as error:
        raise damaged(path, error, cure) from None
    return table


def sha256(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hashes_of(folder: Path) -> dict[str, str]:
    """Return file -> SHA-256 for a folder. Raises UnrollError if it has no files."""
    hashes = {
        path.relative_to(folder).as_posix(): sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    if not hashes:
        raise missing(folder)
    return hashes


def missing(path: Path) -> UnrollError:
    """Return the error for a missing file of a build."""
    return UnrollError(f"{path} is missing; `unroll repro` builds it")


def damaged(path: Path, error: Exception, cure: str = REBUILD) -> UnrollError:
    """Return the error for a damaged file; `cure` says what helps."""
    what = one_line(str(error)) or type(error).__name__
    return UnrollError(f"{path} is damaged ({what:.200}); {cure}")
