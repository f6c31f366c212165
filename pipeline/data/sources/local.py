"""A file of the user's own, such as a series to compare models on."""

import fnmatch
import shutil
from pathlib import Path

from pipeline.data.sources import Context
from pipeline.errors import UnrollError
from pipeline.validation import utf_8


def produce(
    folder: Path, context: Context, *, path: str, pattern: str | None = None
) -> None:
    """Copy the file at `path`, or those of the folder there that a pattern matches,
    under their own names.

    Raises:
        UnrollError: there is no such file, or it cannot be read.
    """
    option = f"params.yaml: files.{context.name}"
    whole = context.root / path
    files = [whole] if pattern is None else matching(whole, pattern)
    if pattern is None and not whole.is_file():
        what = "is a folder" if whole.is_dir() else "is not there"
        raise UnrollError(
            f"{option}.path: {whole} {what}; put the file there or name another"
        )
    if not files:
        raise UnrollError(
            f"{option}.pattern: {whole} has no file that matches {pattern!r}; put one there"
        )
    for file in files:
        try:
            shutil.copyfile(file, folder / utf_8(file.name))
        except OSError as error:
            raise UnrollError(
                f"{file} cannot be copied ({error.strerror}); check its permissions and the free space"
            ) from None
        context.progress(file.name, file.stat().st_size, file.stat().st_size)


def matching(folder: Path, pattern: str) -> list[Path]:
    """The files of a folder whose names match, in their order."""
    entries = sorted(folder.iterdir()) if folder.is_dir() else []
    return [
        file
        for file in entries
        if file.is_file() and fnmatch.fnmatchcase(file.name, pattern)
    ]
