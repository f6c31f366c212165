"""Removal of runs that params.yaml does not use from the store of runs."""

from pathlib import Path

from pipeline.config import params
from pipeline.files import remove
from pipeline.training import run_store
from pipeline.workspace import Workspace
from stages.train import tasks_of


def prune(workspace: Workspace) -> list[Path]:
    """Remove the runs that params.yaml does not use; return their entries in the store.

    If a data set is not prepared, its used runs are not known, so all its runs stay.

    Raises:
        UsageError: params.yaml is wrong.
    """
    store = run_store.store(workspace)
    config = params.load(workspace.params)
    used: set[Path] = set()
    for name in config.datasets:
        if workspace.prepared(name).exists():
            for task in tasks_of(workspace, config, name):
                used.add(run_store.entry(workspace, name, task.name, task.key))
        else:
            used.update(store.glob(f"{name}/*/*"))
    unused = sorted(set(store.glob("*/*/*")) - used)
    for entry in unused:
        remove(entry)
    return unused
