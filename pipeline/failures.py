"""The reasons why stages failed: one line for each stage in `.unroll/failures`.

The page and `unroll repro` show them.
"""

import errno
import shutil
from pathlib import Path

from pipeline.errors import UnrollError, one_line
from pipeline.files import UNFINISHED, write_text
from pipeline.workspace import Workspace


def explain(error: BaseException) -> str | None:
    """Return a message for the user about an error; None for a mistake in the code."""
    text = None
    match error:
        case UnrollError():
            text = str(error)
        # Of a copied folder; the reason begins with "[Errno 28] No space left".
        case shutil.Error(args=[[(_, target, reason), *_]]):
            why = str(reason).partition(":")[0]
            text = f"{target} cannot be written ({why}); check the disk, then go on"
        case OSError(errno=errno.ENOSPC | errno.EDQUOT):
            where = error.filename or "while writing"
            text = f"the disk is full ({where}); free some room, then run it again"
        case OSError() if error.filename:
            where = _meant(Path(error.filename))
            text = (
                f"{where}: {error.strerror}; "
                "check that it is there and who may read and write it"
            )
        case OSError(errno=errno.EIO | errno.EFBIG):
            text = (
                f"a file cannot be read or written ({error.strerror}); "
                "check the disk and its limits, then go on"
            )
        case MemoryError():
            text = (
                "memory ran out; close other programs or make the data set smaller in "
                "params.yaml"
            )
    return text


def _meant(path: Path) -> Path:
    """Return the final path of a file, if `path` is its unfinished form."""
    if not UNFINISHED.fullmatch(path.name):
        return path
    return path.with_name(path.name.removeprefix(".").rsplit(".", 3)[0])


def _file(workspace: Workspace, stage: str) -> Path:
    return workspace.scratch / "failures" / f"{stage}.txt"


def record(workspace: Workspace, stage: str, text: str) -> None:
    """Record why a stage failed, as one line.

    `stage` is DVC's name of the stage (`DVC_STAGE`), such as `source@jena`.
    """
    write_text(_file(workspace, stage), one_line(text) + "\n")


def clear(workspace: Workspace, stage: str) -> None:
    """Remove the record of a stage's failure, if there is one."""
    _file(workspace, stage).unlink(missing_ok=True)


def read(workspace: Workspace, since: float = 0) -> dict[str, str]:
    """Return stage -> the reason why it failed last, in alphabetical order.

    `since` leaves out what was recorded earlier (in seconds since 1970).
    """
    files = sorted((workspace.scratch / "failures").glob("*.txt"))
    return {
        file.name.removesuffix(".txt"): one_line(file.read_text(encoding="utf-8"))
        for file in files
        if file.stat().st_mtime >= since
    }
