"""Removes from the store of runs what params.yaml does not use now."""

import re
from pathlib import Path

from pipeline import locks
from pipeline.config import params
from pipeline.errors import UsageError
from pipeline.files import remove
from pipeline.training import run_store
from pipeline.workspace import Workspace
from stages.train import tasks_of

UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
"""What stands behind the number of a size -> bytes."""


def prune(workspace: Workspace, keep: str) -> str:
    """Remove unused runs until the store takes at most `keep`, such as 20G; says what
    that freed.

    Of a data set that is not prepared nobody knows which runs are used, so all of them
    stay.

    Raises:
        UsageError: `keep` is no size, or params.yaml is wrong.
    """
    most = _bytes(keep)
    config = params.load(workspace.params)
    used: set[Path] = set()
    checkpoints: set[Path] = set()
    with locks.alone(
        workspace.scratch / "prune.lock",
        "another `unroll prune` is at work; wait for it",
    ):
        for name in config.datasets:
            checkpoints.update(
                workspace.checkpoint(name, key) for key in config.experiments_of(name)
            )
            if workspace.prepared(name).exists():
                tasks = tasks_of(workspace, config, name)
                used.update(
                    run_store.entry(workspace, name, task.name, task.key)
                    for task in tasks
                )
            else:
                used.update(run_store.entries(workspace, name))
        count, freed = run_store.prune(workspace, used, most)
        for path in (workspace.scratch / "checkpoints").glob("*/*.npz"):
            if path not in checkpoints:
                freed += path.stat().st_size
                remove(path)
    return f"Runs removed from the store: {count}. Space freed: {freed / 10**6:.1f} MB."


def _bytes(size: str) -> int:
    """The bytes of a size such as `500M`."""
    match = re.fullmatch(r"(\d+)([KMGT]?)B?", size.upper())
    if match is None:
        raise UsageError(
            f"--keep must be a size such as 500M or 20G. Received: {size!r}"
        )
    return int(match[1]) * UNITS[match[2]]
