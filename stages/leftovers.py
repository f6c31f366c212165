"""What processes that were killed have left behind, and what of it is safe to remove or to mend."""

import json
import re
import sys
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.storage import UNFINISHED, Workspace, remove
from stages import lock

CLOCK = 5.0
"""Seconds by which a process may seem younger than it is: systems count from their own start, in whole seconds."""

OUTPUTS = ("data", "evaluations", "metrics", "report", "runs")

OF_DVC = re.compile(r"\.[\w-]{22}\.tmp")
"""The names that DVC gives to what it puts beside an output."""


def sweep(workspace: Workspace) -> None:
    """Remove half-written files and DVC's locks of processes that are no more, and mend a dvc.lock that was cut off.

    What belongs to a living process stays.
    """
    unfinished(workspace)
    _of_dvc(workspace.root)
    rwlock = workspace.root / ".dvc" / "tmp" / "rwlock"
    if rwlock.exists() and not _held(rwlock):
        rwlock.unlink(missing_ok=True)
    if lock.mend(workspace.root / "dvc.lock"):
        sys.stderr.write("dvc.lock was cut off, since DVC was killed while it wrote it: what it still holds is kept\n")


def unfinished(workspace: Workspace) -> None:
    """Remove half-written files: look wherever `storage.atomic_file` and `scratch_folder` write."""
    scratch = workspace.scratch
    folders = [workspace.root, workspace.root / "metrics", workspace.report.parent, scratch, *scratch.glob("*/")]
    folders += (workspace.root / "records").glob("*/")
    for folder in folders:
        for path in folder.glob(".*.tmp"):
            match = UNFINISHED.fullmatch(path.name)
            with suppress(FileNotFoundError):  # whoever writes it may be done
                if match and not _alive(int(match[1]), path.stat().st_mtime):
                    remove(path)


def _of_dvc(root: Path) -> None:
    """Remove what DVC has left beside outputs, where it writes only while it has its lock."""
    found = [path for name in OUTPUTS for path in (root / name).rglob(".*.tmp") if OF_DVC.fullmatch(path.name)]
    if found:
        with suppress(Timeout), FileLock(root / ".dvc" / "tmp" / "lock", timeout=0):
            for path in found:
                remove(path)


def _held(rwlock: Path) -> bool:
    """Whether a living process stands in DVC's list of who reads and writes what."""
    try:
        written = rwlock.stat().st_mtime
        entries = json.loads(rwlock.read_bytes())
        readers = [reader for readers in entries.get("read", {}).values() for reader in readers]
        numbers = {int(holder["pid"]) for holder in (*readers, *entries.get("write", {}).values())}
    except (ValueError, KeyError, TypeError, AttributeError, OSError):
        return False  # cut off, too: DVC would only say that it cannot read it
    return any(_alive(number, written) for number in numbers)


def _alive(number: int, written: float) -> bool:
    """Whether the process that had this number when it wrote something still runs.

    One that started later is another process. In a container a dead one may keep its number, as a zombie, for good.
    """
    import psutil

    try:
        process = psutil.Process(number)
        return bool(process.status() != psutil.STATUS_ZOMBIE and process.create_time() <= written + CLOCK)
    except psutil.NoSuchProcess:
        return False
