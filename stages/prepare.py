"""The stage `prepare`: makes a supervised problem of raw data."""

import dataclasses

from pipeline.config import params
from pipeline.data import dataset, manifest
from pipeline.data.dataset import Dataset
from pipeline.errors import UnrollError
from pipeline.files import atomic_folder
from pipeline.workspace import Workspace


def prepare(workspace: Workspace, name: str) -> Dataset:
    """Prepare a data set: write `data/prepared/NAME`, and return the data set.

    Args:
        workspace: the workspace of params.yaml and the data.
        name: a key of `datasets` in params.yaml.

    Raises:
        UnrollError: the raw data are missing or unfit. An earlier data/prepared/NAME
            stays as it was.
        UsageError: a name or an option in params.yaml is wrong.
    """
    config = params.load(workspace.params)
    preparation = config.preparer(name)
    raw = workspace.raw(config.dataset(name).source)
    with workspace.stage("prepare", name):
        source = manifest.checked(raw)
        try:
            prepared: Dataset = preparation(name, raw)
        except ValueError as error:
            raise UnrollError(
                f"params.yaml: datasets.{name}.preparation: {error}"
            ) from None
        prepared = dataclasses.replace(prepared, stand_in=source.stand_in)
        with atomic_folder(workspace.prepared(name), workspace.scratch) as folder:
            dataset.save(prepared, folder)
    return prepared
