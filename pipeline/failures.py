"""Why a stage could not be built: one line per stage in `.unroll/failures`, for the page and for `unroll repro`."""

from pathlib import Path

from pipeline.errors import one_line
from pipeline.files import write_text
from pipeline.workspace import Workspace


def _file(workspace: Workspace, stage: str) -> Path:
    return workspace.scratch / "failures" / f"{stage}.txt"


def record(workspace: Workspace, stage: str, text: str) -> None:
    """Keep why `stage` failed, as one line. The stage's name is DVC's (`DVC_STAGE`), such as `source@jena`."""
    write_text(_file(workspace, stage), one_line(text) + "\n")


def clear(workspace: Workspace, stage: str) -> None:
    """Forget that `stage` ever failed."""
    _file(workspace, stage).unlink(missing_ok=True)


def read(workspace: Workspace) -> dict[str, str]:
    """Stage -> why it failed, of every stage that failed last time, in alphabetical order."""
    files = sorted((workspace.scratch / "failures").glob("*.txt"))
    return {file.name.removesuffix(".txt"): one_line(file.read_text(encoding="utf-8")) for file in files}
