"""Files of the user, such as a series to compare models on."""

import shutil
from pathlib import Path

from pipeline.data.sources import Context
from pipeline.errors import UnrollError
from pipeline.validation import utf_8


def produce(
    folder: Path, context: Context, *, path: str, pattern: str | None = None
) -> None:
    """Copy the file at `path`, or the files in the folder `path` that match `pattern`.

    Raises:
        UnrollError: there is no such file.
        UsageError: the name of a file is not UTF-8.
    """
    option = f"params.yaml: files.{context.name}"
    whole = context.root / path
    if pattern is None:
        files = [whole]
        if not whole.is_file():
            what = "is a folder" if whole.is_dir() else "is not there"
            raise UnrollError(
                f"{option}.path: {whole} {what}; put the file there or name another"
            )
    else:
        files = sorted(file for file in whole.glob(pattern) if file.is_file())
        if not files:
            raise UnrollError(
                f"{option}.pattern: {whole} has no file that matches {pattern!r}; "
                "put one there"
            )
    for file in files:
        shutil.copyfile(file, folder / utf_8(file.name))
