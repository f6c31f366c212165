"""The stage `prepare@NAME`: raw data -> a supervised problem."""

import dataclasses
from pathlib import Path

import pydantic

from pipeline import dataset, params, registry
from pipeline.dataset import Dataset
from pipeline.errors import UnrollError
from pipeline.storage import Workspace, atomic_folder, read_json, sha256
from stages import alone


class _File(pydantic.BaseModel):
    sha256: str


class _Facts(pydantic.BaseModel):
    """What a preparation takes from a source.json."""

    model_config = pydantic.ConfigDict(strict=True)

    stand_in: bool
    files: dict[str, _File]


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
    with alone.at(workspace, "prepare", name):
        stand_in = _checked(raw, section.source)
        try:
            prepared: Dataset = module.prepare(name, raw, **options)
        except ValueError as error:
            raise UnrollError(f"params.yaml: {where}: {error}") from None
        prepared = dataclasses.replace(prepared, stand_in=stand_in)
        with atomic_folder(workspace.prepared(name), workspace.scratch) as folder:
            dataset.save(prepared, folder)
    return prepared


def _checked(raw: Path, source: str) -> bool:
    """Compare every raw file with the hash that the source stage wrote; says whether the data are a stand-in."""
    path, again = raw / "source.json", f"run `unroll source {source}` again"
    if not path.is_file():
        raise UnrollError(f"{path} is missing; run `unroll source {source}`")
    try:
        facts = registry.checked(_Facts, read_json(path))
    except ValueError as error:
        raise UnrollError(f"{path} is damaged ({error}); {again}") from None
    for name, file in facts.files.items():
        if not (raw / name).is_file():
            raise UnrollError(f"{raw / name} is missing; {again}")
        if sha256(raw / name) != file.sha256:
            raise UnrollError(f"{raw / name} has another sha256 than {path.name} says, so it is damaged; {again}")
    return facts.stand_in
