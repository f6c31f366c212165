"""Why a stage could not be built: one line per stage in `.unroll/failures`, for the page and for `unroll repro`.

Outside every DVC output, since DVC deletes those before it runs a stage.
"""

from pathlib import Path

from pipeline.storage import Workspace, write_text


def folder(workspace: Workspace) -> Path:
    """Where the lines lie, one file per stage: `train@jena_gru.txt`."""
    return workspace.scratch / "failures"


def record(workspace: Workspace, stage: str, text: str) -> None:
    """Keep why `stage` failed: `text` as one line. The stage's name is DVC's (`DVC_STAGE`), such as `source@jena`."""
    write_text(folder(workspace) / f"{stage}.txt", " ".join(text.split()) + "\n")


def clear(workspace: Workspace, stage: str) -> None:
    """Forget that `stage` ever failed."""
    (folder(workspace) / f"{stage}.txt").unlink(missing_ok=True)


def read(workspace: Workspace) -> dict[str, str]:
    """Stage -> why it failed, of every stage that failed last time, in alphabetical order."""
    files = sorted(folder(workspace).glob("*.txt"))
    return {file.name.removesuffix(".txt"): file.read_text(encoding="utf-8").strip() for file in files}
