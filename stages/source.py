"""The stage `source`: raw data, fetched or generated."""

from os import environ
from pathlib import Path

from pipeline import locks
from pipeline.config import params, registry
from pipeline.data import manifest
from pipeline.data.sources import Context
from pipeline.files import atomic_folder
from pipeline.workspace import Workspace
from stages import progress


def source(workspace: Workspace, name: str) -> Path:
    """Fill data/raw/NAME, whole or not at all.

    The environment's UNROLL_MIRROR names a folder or base address that is asked before official addresses.

    Args:
        workspace: where params.yaml is.
        name: a key of `sources` in params.yaml.

    Returns:
        The folder that was written: the files, and source.json with their bytes and hashes.

    Raises:
        UsageError: a name or an option is wrong.
        UnrollError: a file cannot be had or is damaged, or another process is at the same source.
    """
    every = params.load(workspace.params)
    produce = registry.source(every, name)
    raw = workspace.raw(name)
    with (
        locks.stage(workspace, "source", name),
        progress.files() as shown,
        atomic_folder(raw, workspace.scratch) as folder,
    ):
        mirror = environ.get("UNROLL_MIRROR") or None
        produce(folder, Context(name, workspace.root, workspace.scratch, mirror, shown))
        manifest.write(folder, name, every.source(name).kind)
    return raw
