"""A file of the user's own, such as a series to compare models on."""

import shutil
from pathlib import Path

from pipeline.data.sources import Context
from pipeline.errors import UnrollError


def produce(folder: Path, context: Context, *, path: str) -> None:
    """Copy one file, under its own name.

    Args:
        folder: an empty folder.
        context: its root is where a relative `path` starts.
        path: the file.

    Raises:
        UnrollError: there is no such file, or it cannot be read.
    """
    file = context.root / path
    if not file.is_file():
        what = "is a folder" if file.is_dir() else "is not there"
        raise UnrollError(
            f"params.yaml: sources.{context.name}.path: {file} {what}; put the file there or name another"
        )
    try:
        shutil.copyfile(file, folder / file.name)
    except OSError as error:
        raise UnrollError(
            f"{file} cannot be copied ({error.strerror}); check its permissions and the free space"
        ) from None
    context.progress(file.name, file.stat().st_size, file.stat().st_size)
