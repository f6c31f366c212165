"""What killed processes and removed experiments have left behind, and what of it is safe to remove or to mend."""

import json
import sys
from pathlib import Path

from pipeline import locks
from pipeline.config.params import Params
from pipeline.files import remove
from pipeline.locks import alive
from pipeline.workspace import Workspace
from unroll.runner import dvc_lock


def sweep(workspace: Workspace) -> None:
    """Remove half-written files and DVC's locks of processes that are no more, and mend a dvc.lock that was cut off.

    What belongs to a living process stays.
    """
    locks.sweep(workspace)
    rwlock = workspace.root / ".dvc" / "tmp" / "rwlock"
    if rwlock.exists() and not _held(rwlock):
        rwlock.unlink(missing_ok=True)
    if dvc_lock.mend(workspace.root / dvc_lock.LOCK):
        sys.stderr.write("dvc.lock was cut off, since DVC was killed while it wrote it: what it still holds is kept\n")


def _held(rwlock: Path) -> bool:
    """Whether a living process stands in DVC's list of who reads and writes what."""
    try:
        written = rwlock.stat().st_mtime
        entries = json.loads(rwlock.read_bytes())
        readers = [reader for readers in entries.get("read", {}).values() for reader in readers]
        numbers = {int(holder["pid"]) for holder in (*readers, *entries.get("write", {}).values())}
    except (ValueError, KeyError, TypeError, AttributeError, OSError):
        return False  # cut off, too: DVC would only say that it cannot read it
    return any(alive(number, written) for number in numbers)


def prune(workspace: Workspace, wanted: Params) -> None:
    """Remove the runs, evaluations and metrics of what `wanted` does not have; make the folders that DVC hashes."""
    used = {name: {*wanted.experiments_of(name)} for name in wanted.datasets}
    evaluations, metrics = workspace.root / "evaluations", workspace.root / "metrics"
    every = (workspace.root / "runs", evaluations, metrics)
    stale = [path for folder in every for path in folder.glob("*/") if path.name not in used]
    stale += metrics.glob("*.json")  # of 0.1
    for name, experiments in used.items():
        stale += [run for run in workspace.runs(name).glob("*") if run.name not in experiments]
        stale += [file for file in workspace.metrics(name).glob("*.json") if file.stem not in experiments]
    checkpoints = workspace.scratch / "checkpoints"
    stale += [file for file in checkpoints.glob("*.npz") if file.name.partition(".")[0] not in wanted.experiments]
    for path in stale:
        remove(path)
    for folder in (evaluations, metrics, *(workspace.runs(name) for name in used)):
        folder.mkdir(parents=True, exist_ok=True)
