"""The record of an answer's files, options and code.

By this record the same command answers at once.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import UnrollError, UsageError
from pipeline.files import read_checked, write_json
from pipeline.provenance import fingerprint
from pipeline.validation import Strict
from series import FILE as ANSWER
from series import seal
from series.options import Options
from series.source import RowsFile, existing

CACHE = ".cache"
"""The folder in an answer's folder that keeps finished parts."""

FILE = f"{CACHE}/asked.json"
"""The file of the record, in the folder of an answer."""


class Asked(Strict):
    """The content of asked.json.

    Attributes:
        files: the files, as they were when they were read.
        options: the user's options.
        code: version and hash of the code.
        answered: whether the answer is finished; False while it is computed, and after
            a stop.
    """

    files: list[RowsFile]
    options: Options
    code: str
    answered: bool = True

    def paths(self, folder: Path) -> list[Path]:
        """Return the paths of the files; `RowsFile.found` says whether to read them."""
        return [file.place(folder) for file in self.files]


def now(folder: Path, files: Sequence[Path], options: Options) -> Asked:
    """Return the record that an answer in `folder` would have now.

    Raises:
        UsageError: a file is not there.
    """
    return Asked(
        files=[RowsFile.of(existing(file), folder) for file in files],
        options=options,
        code=fingerprint.package(),
    )


def before(folder: Path, files: Sequence[Path]) -> Asked | None:
    """Return the record of the answer in a folder; None if there is no record.

    Raises:
        UsageError: the folder holds something else, or the answer for other files.
    """
    cure = "pass --name with another name"
    if (folder / FILE).is_file():
        asked = read(folder)
        paths = asked.paths(folder)
        if not {file.resolve() for file in files} & {path.resolve() for path in paths}:
            names = ", ".join(os.path.relpath(path) for path in paths)
            raise UsageError(f"{folder} holds the answer for {names}; {cure}")
        return asked
    is_ours = (folder / ANSWER).is_file()  # an answer without its cache
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not is_ours):
        raise UsageError(f"{folder} exists and is no answer of Unroll's; {cure}")
    return None


def read(folder: Path) -> Asked:
    """Read asked.json.

    Raises:
        UnrollError: it is missing or damaged, or the folder holds a link.
    """
    seal.require_plain(folder)
    if not (folder / FILE).is_file():
        raise UnrollError(
            f"{folder}/{CACHE} is missing; `unroll answer FILE` makes it again"
        )
    return read_checked(folder / FILE, Asked, seal.CURE)


def write(folder: Path, asked: Asked) -> None:
    """Write asked.json."""
    write_json(folder / FILE, asked.model_dump())
