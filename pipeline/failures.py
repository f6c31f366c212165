"""Why a stage could not be built: one line per stage in `.unroll/failures`, for the
page and for `unroll repro`.
"""

import errno
from pathlib import Path

from pipeline.errors import UnrollError, one_line
from pipeline.files import UNFINISHED, regular, write_text
from pipeline.workspace import Workspace

MACHINE = ("the disk is full", "a file cannot be read or written", "memory ran out")
"""How lines begin that say what this machine lacks: on another one the same may work.
"""


def explain(error: BaseException) -> str | None:
    """What to tell the user of an error in one line; None for a mistake in the code."""
    match error:
        case UnrollError():
            return str(error)
        case OSError(errno=errno.ENOSPC | errno.EDQUOT):
            return f"{MACHINE[0]} ({error.filename or 'while writing'}); free some room, then run it again"
        case OSError() if error.filename:
            where = _meant(Path(error.filename))
            return f"{where}: {error.strerror}; check that it is there and who may read and write it"
        case OSError(errno=errno.EIO | errno.EFBIG):
            return f"{MACHINE[1]} ({error.strerror}); check the disk and its limits, then go on"
        case MemoryError():
            return f"{MACHINE[2]}; close other programs or make the data set smaller in params.yaml"
    return None


def _meant(path: Path) -> Path:
    """The file that was being written, if the path is that of its unfinished form."""
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
    """Stage -> why it failed, of every stage that failed last time, in alphabetical
    order.
    """
    files = sorted((workspace.scratch / "failures").glob("*.txt"))
    return {
        file.name.removesuffix(".txt"): one_line(
            regular(file).read_text(encoding="utf-8")
        )
        for file in files
    }
