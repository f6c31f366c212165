"""Why a stage could not be built: one line per stage in `.unroll/failures`, for the
page and for `unroll repro`.
"""

import errno
from pathlib import Path

from pipeline.errors import UnrollError, one_line
from pipeline.files import UNFINISHED, write_text
from pipeline.workspace import Workspace


def explain(error: BaseException) -> str | None:
    """Return what to tell the user of an error in one line; None for a mistake in the
    code.
    """
    match error:
        case UnrollError():
            return str(error)
        case OSError(errno=errno.ENOSPC | errno.EDQUOT):
            where = error.filename or "while writing"
            return f"the disk is full ({where}); free some room, then run it again"
        case OSError() if error.filename:
            where = _meant(Path(error.filename))
            return (
                f"{where}: {error.strerror}; "
                "check that it is there and who may read and write it"
            )
        case OSError(errno=errno.EIO | errno.EFBIG):
            return (
                f"a file cannot be read or written ({error.strerror}); "
                "check the disk and its limits, then go on"
            )
        case MemoryError():
            return (
                "memory ran out; close other programs or make the data set smaller in "
                "params.yaml"
            )
    return None


def _meant(path: Path) -> Path:
    """Return the file that was being written, if the path is that of its unfinished
    form.
    """
    if not UNFINISHED.fullmatch(path.name):
        return path
    return path.with_name(path.name.removeprefix(".").rsplit(".", 3)[0])


def _file(workspace: Workspace, stage: str) -> Path:
    return workspace.scratch / "failures" / f"{stage}.txt"


def record(workspace: Workspace, stage: str, text: str) -> None:
    """Keep why `stage` failed, as one line. The stage's name is DVC's (`DVC_STAGE`),
    such as `source@jena`.
    """
    write_text(_file(workspace, stage), one_line(text) + "\n")


def clear(workspace: Workspace, stage: str) -> None:
    """Forget that `stage` ever failed."""
    _file(workspace, stage).unlink(missing_ok=True)


def read(workspace: Workspace) -> dict[str, str]:
    """Return stage -> why it failed last time, in alphabetical order."""
    files = sorted((workspace.scratch / "failures").glob("*.txt"))
    return {
        file.name.removesuffix(".txt"): one_line(file.read_text(encoding="utf-8"))
        for file in files
    }
