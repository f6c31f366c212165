"""The stage `prepare`: raw data -> a supervised problem."""

import dataclasses
from inspect import signature

from pipeline import locks
from pipeline.config import params, registry
from pipeline.data import dataset, manifest
from pipeline.data.dataset import Dataset
from pipeline.errors import UnrollError
from pipeline.files import atomic_folder
from pipeline.workspace import Workspace
from stages import progress


def prepare(workspace: Workspace, name: str) -> Dataset:
    """Turn the raw files of a data set's source into `data/prepared/NAME`.

    Args:
        workspace: where params.yaml and the data lie.
        name: a key of `datasets` in params.yaml.

    Returns:
        The data set, as it was written.

    Raises:
        UnrollError: the raw data are missing or unfit; then nothing is written, and what was there stays.
        UsageError: a name or an option in params.yaml is wrong.
    """
    every = params.load(workspace.params)
    make = registry.preparation(every, name)
    raw = workspace.raw(every.dataset(name).source)
    with locks.stage(workspace, "prepare", name):
        source = manifest.checked(raw)
        try:
            with progress.files() as shown:
                prepared: Dataset = make(name, raw, *([shown] if "progress" in signature(make).parameters else []))
        except ValueError as error:
            raise UnrollError(f"params.yaml: datasets.{name}.preparation: {error}") from None
        prepared = dataclasses.replace(prepared, stand_in=source.stand_in)
        with atomic_folder(workspace.prepared(name), workspace.scratch) as folder:
            dataset.save(prepared, folder)
    return prepared
