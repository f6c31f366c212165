"""The stage `source`: fetches or generates raw data."""

from os import environ
from pathlib import Path

from pipeline.config import params
from pipeline.data import manifest
from pipeline.data.fetch import Context
from pipeline.files import atomic_folder
from pipeline.workspace import Workspace


def source(workspace: Workspace, name: str) -> Path:
    """Write data/raw/NAME atomically: the files, and source.json with their sizes and
    hashes.

    If the environment variable UNROLL_MIRROR names a folder or base URL, files are
    looked for there first.

    Args:
        workspace: the workspace of params.yaml.
        name: a key of `sources` in params.yaml.

    Raises:
        UsageError: a name or an option is wrong.
        UnrollError: a file cannot be fetched or is damaged, or another process is
            writing the same source.
    """
    config = params.load(workspace.params)
    produce = config.producer(name)
    raw = workspace.raw(name)
    mirror = environ.get("UNROLL_MIRROR") or None
    context = Context(name, workspace.root, workspace.scratch, mirror)
    with (
        workspace.stage("source", name),
        atomic_folder(raw, workspace.scratch) as folder,
    ):
        produce(folder, context)
        manifest.write(folder, name, config.source(name).kind)
    return raw
