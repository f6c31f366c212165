"""What processes that were killed have left behind, and what of it is safe to remove or to mend."""

import json
from pathlib import Path

from pipeline.storage import UNFINISHED, Workspace, remove
from stages import lock


def sweep(workspace: Workspace) -> None:
    """Remove half-written files and DVC's locks of processes that are no more, and mend a dvc.lock that was cut off.

    What belongs to a living process stays.
    """
    _unfinished(workspace)
    rwlock = workspace.root / ".dvc" / "tmp" / "rwlock"
    if rwlock.exists() and not _held(rwlock):
        rwlock.unlink(missing_ok=True)
    if lock.mend(workspace.root / "dvc.lock"):
        print("dvc.lock was cut off, since DVC was killed while it wrote it: what it still holds is kept", flush=True)


def _unfinished(workspace: Workspace) -> None:
    """Look wherever `storage.atomic_file` and `scratch_folder` write."""
    import psutil

    scratch = workspace.scratch
    folders = [workspace.root, workspace.root / "metrics", workspace.report.parent, scratch, *scratch.glob("*/")]
    folders += (workspace.root / "records").glob("*/")
    for folder in folders:
        for path in folder.glob(".*.tmp"):
            match = UNFINISHED.fullmatch(path.name)
            if match and not psutil.pid_exists(int(match[1])):
                remove(path)


def _held(rwlock: Path) -> bool:
    """Whether a living process stands in DVC's list of who reads and writes what.

    A process that started after the list was written is another one that got the number of a dead one.
    """
    import psutil

    try:
        written = rwlock.stat().st_mtime
        entries = json.loads(rwlock.read_bytes())
        readers = [reader for readers in entries.get("read", {}).values() for reader in readers]
        numbers = {int(holder["pid"]) for holder in (*readers, *entries.get("write", {}).values())}
    except (ValueError, KeyError, TypeError, AttributeError, OSError):
        return False  # cut off, too: DVC would only say that it cannot read it
    for number in numbers:
        try:
            if psutil.Process(number).create_time() <= written:
                return True
        except psutil.NoSuchProcess:
            continue
    return False
