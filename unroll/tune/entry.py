"""The best trial as an experiment of params.yaml."""

import json
from collections.abc import Mapping
from typing import Any

from pipeline.config import params, plain_yaml
from pipeline.config.params import merged
from pipeline.errors import UsageError
from pipeline.files import scratch_folder, write_text
from pipeline.locks import alone
from pipeline.workspace import Workspace
from unroll.tune.space import changed
from unroll.tune.study import PATIENCE


def check(workspace: Workspace, name: str, target: str) -> None:
    """Raises UsageError if an experiment could not stand in params.yaml once more, under another name.

    If that is the same model on the same data, more trials change its options.
    """
    every = params.load(workspace.params).experiments
    there = every.get(target)
    if there is None or (there.dataset, there.model.name) != (every[name].dataset, every[name].model.name):
        _text(workspace, name, target, {}, "")


def write(
    workspace: Workspace, name: str, target: str, values: Mapping[str, Any], now: Mapping[str, Any], comment: str
) -> None:
    """Add an experiment to params.yaml once more, with other values (`now` its own), under another name.

    If it is there by earlier trials, its options are changed.

    It has the seeds of its data set, if that says how such experiments are trained.
    """
    with alone(workspace.scratch / "params.lock", "another tune writes params.yaml", patience=PATIENCE):
        if target not in params.load(workspace.params).experiments:
            write_text(workspace.params, _text(workspace, name, target, values, comment))
            return
    change(workspace, target, {**now, **values})


def change(workspace: Workspace, name: str, values: Mapping[str, Any]) -> None:
    """Set options of an experiment in params.yaml, as `dvc exp run -S` does."""
    from dvc.utils.hydra import apply_overrides

    with alone(workspace.scratch / "params.lock", "another process writes params.yaml", patience=PATIENCE):
        after = changed(params.load(workspace.params).experiments[name].model_dump(), values)
        options = {(part, option): after[part][option] for part, option, *_ in (place.split(".") for place in values)}
        apply_overrides(
            workspace.params,
            [f"++experiments.{name}.{part}.{option}={json.dumps(value)}" for (part, option), value in options.items()],
        )


def _text(workspace: Workspace, name: str, target: str, values: Mapping[str, Any], comment: str) -> str:
    """The text of params.yaml with the new entry, checked."""
    every = params.load(workspace.params)
    experiment = every.experiment(name)
    if target in every.experiments:
        raise UsageError(f"params.yaml has {target} already; pass --name with another, or take its entry out")
    whole = changed(experiment.model_dump(), values)
    new: dict[str, dict[str, Any]] = {}
    for part, option, *_ in (place.split(".") for place in values):
        new.setdefault(part, {})[option] = whole[part][option]
    entry = dict(merged(plain_yaml.read(workspace.params)["experiments"][name], new))
    usual = every.datasets[experiment.dataset]
    if usual.training is not None and usual.training.method == experiment.training.method:
        entry.pop("seeds", None)
    comments: dict[plain_yaml.Place, str] = {("experiments", target): comment} if comment else {}
    text = plain_yaml.added(workspace.params, {"experiments": {target: entry}}, comments)
    with scratch_folder(workspace.scratch, "tune") as scratch:
        write_text(scratch / workspace.params.name, text)
        params.load(scratch / workspace.params.name)
    return text
