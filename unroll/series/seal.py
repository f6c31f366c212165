"""The files of an answer or of a forecaster, which may come from somebody else.

Nothing in them is read before it is known to be a plain file with the bytes that were
written. Hashes find damage. They are no proof against their author, so what is read
afterwards is checked by schemas, too (docs/decisions/faults.md).
"""

import os
import stat
from pathlib import Path
from typing import Annotated

import pydantic

from pipeline.errors import UnrollError
from pipeline.files import read_checked, sha256, write_json
from pipeline.validation import Strict

FILE = "sha256.json"
"""The file of the hashes."""

CURE = "answer the series anew, or copy the whole folder again"
"""What mends a damaged file of an answer."""

MOST_BYTES = {".json": 1 << 22, ".csv": 1 << 28}
"""Suffix -> the most bytes of such a file: in memory JSON takes thirty times as much,
and CSV eight times."""

MOST_OF_ALL = 1 << 29
"""The most bytes of all files of an answer: in memory arrays take twice as much."""

DVC_CACHE = "/files/md5/"
"""A part of the paths in DVC's cache, to which its outputs may be links."""

Digest = Annotated[str, pydantic.StringConstraints(pattern="^[0-9a-f]{64}$")]
"""A hexadecimal SHA-256."""


class Seal(Strict):
    """The content of sha256.json.

    Attributes:
        files: path of a file in the folder -> its SHA-256.
    """

    files: dict[str, Digest]


def write(folder: Path, *left_out: str) -> None:
    """Write the hashes of the files in a folder, except hidden files and `left_out`."""
    files = {
        path: sha256(folder / path)
        for path in sorted(require_plain(folder))
        if not path.startswith(".") and path not in {FILE, *left_out}
    }
    write_json(folder / FILE, Seal(files=files).model_dump())


def check(folder: Path, *needed: str) -> None:
    """Compare a folder with its hashes.

    Args:
        folder: the folder that `write` sealed.
        needed: the files that must have a hash.

    Raises:
        UnrollError: the folder holds a link or anything else that is no plain file, or
            a file is missing, damaged or too large.
    """
    found = require_plain(folder)
    if FILE not in found:
        raise UnrollError(
            f"{folder / FILE} is missing: an older version of Unroll wrote this "
            "folder, or a file was lost; answer the series anew"
        )
    sealed = read_checked(folder / FILE, Seal, CURE).files
    for path in dict.fromkeys([*needed, *sealed]):
        if path not in found:
            raise UnrollError(f"{folder / path} is missing; {CURE}")
        if path not in sealed or sha256(folder / path) != sealed[path]:
            raise UnrollError(
                f"{folder / path} has another SHA-256 than {FILE} says, so it is "
                f"damaged or was edited; {CURE}"
            )


def names(folder: Path) -> set[str]:
    """Return the names of the files and folders at the top of a folder that were sealed;
    none if the hashes are missing or damaged.
    """
    try:
        sealed = read_checked(folder / FILE, Seal, CURE).files
    except UnrollError:
        return set()
    return {FILE, *(path.partition("/")[0] for path in sealed)}


def require_plain(folder: Path) -> list[str]:
    """Return the paths of all files in a folder, relative to it, with "/".

    No link is followed: it could lead to any file of the reader, or to a device that
    never ends.

    Raises:
        UnrollError: the folder holds something else than plain files and folders, or
            too much.
    """
    paths = list[str]()
    size = 0
    for root, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = Path(root, name)
            status = path.lstat()
            if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
                kind = "a link" if path.is_symlink() else "no plain file"
                cure = "copy the file there, or remove it"
                if path.is_symlink() and DVC_CACHE in str(path.readlink()):
                    cure = f"`dvc unprotect {folder}` copies them from DVC's cache"
                raise UnrollError(
                    f"{path} is {kind}, and the folder of an answer holds plain files "
                    f"alone; {cure}"
                )
            size += status.st_size
            most = MOST_BYTES.get(path.suffix, MOST_OF_ALL)
            if status.st_size > most or size > MOST_OF_ALL:
                raise UnrollError(
                    f"{path} makes the answer larger than what is read: {most:,} bytes "
                    f"of such a file, {MOST_OF_ALL:,} of all; answer the series anew, a "
                    "large CSV file as Parquet"
                )
        paths += [Path(root, name).relative_to(folder).as_posix() for name in files]
    return paths
