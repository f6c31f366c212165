"""Removal of runs that params.yaml does not use from the store of runs."""

from pathlib import Path

import pydantic

from pipeline import locks
from pipeline.config import params
from pipeline.errors import UsageError
from pipeline.training import run_store
from pipeline.workspace import Workspace
from stages.train import tasks_of


def prune(workspace: Workspace, keep: str) -> str:
    """Remove unused runs until the store takes at most `keep`, such as 20G.

    If a data set is not prepared, its used runs are not known, so all its runs stay.

    Returns:
        A sentence about the removed runs and the freed space.

    Raises:
        UsageError: `keep` is no size, or params.yaml is wrong.
    """
    try:
        most = pydantic.TypeAdapter(pydantic.ByteSize).validate_python(keep)
    except pydantic.ValidationError:
        raise UsageError(
            f"--keep must be a size such as 500M or 20G. Received: {keep!r}"
        ) from None
    config = params.load(workspace.params)
    used: set[Path] = set()
    checkpoints: set[Path] = set()
    busy = "another `unroll prune` is at work; wait for it"
    with locks.alone(workspace.scratch / "prune.lock", busy):
        for name in config.datasets:
            for key in config.experiments_of(name):
                checkpoints.add(workspace.checkpoint(name, key))
            if workspace.prepared(name).exists():
                for task in tasks_of(workspace, config, name):
                    used.add(run_store.entry(workspace, name, task.name, task.key))
            else:
                used.update(run_store.entries(workspace, name))
        count, freed = run_store.prune(workspace, used, most)
        for path in (workspace.scratch / "checkpoints").glob("*/*.npz"):
            if path not in checkpoints:
                freed += path.stat().st_size
                path.unlink()
    return f"Runs removed from the store: {count}. Space freed: {freed / 10**6:.1f} MB."
