"""The stage `prepare`: raw data -> a supervised problem."""

import dataclasses
from inspect import signature

from pipeline import locks
from pipeline.config import params
from pipeline.data import dataset, manifest
from pipeline.data.dataset import Dataset
from pipeline.errors import UnrollError
from pipeline.files import atomic_folder
from pipeline.workspace import Workspace
from stages import progress


def prepare(workspace: Workspace, name: str) -> Dataset:
    """Turn the raw files of a data set's source into `data/prepared/NAME`; return the
    data set.

    Args:
        workspace: where params.yaml and the data lie.
        name: a key of `datasets` in params.yaml.

    Raises:
        UnrollError: the raw data are missing or unfit; then an earlier
            data/prepared/NAME stays as it was.
        UsageError: a name or an option in params.yaml is wrong.
    """
    config = params.load(workspace.params)
    preparation = config.preparer(name)
    raw = workspace.raw(config.dataset(name).source)
    with locks.stage(workspace, "prepare", name):
        source = manifest.checked(raw)
        try:
            if "progress" in signature(preparation).parameters:  # it reads large files
                with progress.files() as show_progress:
                    prepared: Dataset = preparation(name, raw, show_progress)
            else:
                prepared = preparation(name, raw)
        except ValueError as error:
            raise UnrollError(
                f"params.yaml: datasets.{name}.preparation: {error}"
            ) from None
        prepared = dataclasses.replace(prepared, stand_in=source.stand_in)
        with atomic_folder(workspace.prepared(name), workspace.scratch) as folder:
            dataset.save(prepared, folder)
    return prepared
