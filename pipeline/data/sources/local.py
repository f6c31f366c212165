"""A file of the user, such as a series to compare models on."""

import shutil
from pathlib import Path

from pipeline.data.fetch import Context
from pipeline.errors import UnrollError
from pipeline.validation import utf_8


def produce(folder: Path, context: Context, *, path: str) -> None:
    """Copy the file at `path`.

    Raises:
        UnrollError: there is no such file.
        UsageError: its name is not UTF-8.
    """
    file = context.root / path
    if not file.is_file():
        what = "is a folder" if file.is_dir() else "is not there"
        raise UnrollError(
            f"params.yaml: files.{context.name}.path: {file} {what}; put the file "
            "there or name another"
        )
    shutil.copyfile(file, folder / utf_8(file.name))
