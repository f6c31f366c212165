"""The stage `prepare@NAME`: raw data -> a supervised problem."""

import dataclasses
from pathlib import Path

from pipeline import dataset, params, registry
from pipeline.dataset import Dataset
from pipeline.errors import UnrollError
from pipeline.storage import Workspace, atomic_folder, read_json


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
    section = params.load(workspace.params).dataset(name)
    where = f"datasets.{name}.preparation"
    module = registry.module("datasets", section.preparation.name, f"params.yaml: {where}.name")
    options = registry.options(module.prepare, section.preparation.options, where)
    raw = workspace.raw(section.source)
    stand_in = _is_stand_in(raw / "source.json", section.source)
    try:
        prepared: Dataset = module.prepare(name, raw, **options)
    except ValueError as error:
        raise UnrollError(f"params.yaml: {where}: {error}") from None
    prepared = dataclasses.replace(prepared, stand_in=stand_in)
    with atomic_folder(workspace.prepared(name), workspace.scratch) as folder:
        dataset.save(prepared, folder)
    return prepared


def _is_stand_in(path: Path, source: str) -> bool:
    if not path.is_file():
        raise UnrollError(f"{path} is missing; run `unroll source {source}`")
    facts = read_json(path)
    if not isinstance(facts, dict) or not isinstance(facts.get("stand_in"), bool):
        raise UnrollError(f"{path} does not say whether the data are a stand-in; run `unroll source {source}` again")
    return bool(facts["stand_in"])
