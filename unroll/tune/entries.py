"""What trials write to params.yaml. Several processes may write it, one after the other."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from pipeline.config import params, plain_yaml
from pipeline.config.params import Experiment, merged
from pipeline.errors import UsageError
from pipeline.files import scratch_folder, write_text
from pipeline.locks import alone
from pipeline.workspace import Workspace
from unroll.tune.space import changed, present
from unroll.tune.study import PATIENCE


def params_lock(workspace: Workspace) -> AbstractContextManager[None]:
    """Under it no other process writes params.yaml."""
    return alone(workspace.scratch / "params.lock", "another process writes params.yaml", patience=PATIENCE)


def set_options(workspace: Workspace, name: str, values: Mapping[str, Any], *, converged: bool = True) -> None:
    """Give an experiment of params.yaml other options, as far as they differ, and say whether it `converged`.

    `values` has where each stands, as in `unroll.tune.space.Space` -> it.
    """
    with params_lock(workspace):
        experiment = params.load(workspace.params).experiment(name)
        now = present(name, experiment, values)
        new: dict[str, Any] = _sections(experiment, {path: v for path, v in values.items() if v != now[path]})
        if experiment.converged != converged:
            new["converged"] = converged
        if new:
            entry = merged(plain_yaml.read(workspace.params)["experiments"][name], new)
            write_text(workspace.params, _checked(workspace, plain_yaml.replaced(workspace.params, name, entry)))


def with_entry(workspace: Workspace, name: str, target: str, values: Mapping[str, Any], comment: str) -> str:
    """The text of params.yaml with an experiment once more, with other values, under another name, checked.

    It has the seeds of its data set, if that says how such experiments are trained.
    """
    every = params.load(workspace.params)
    experiment = every.experiment(name)
    if target in every.experiments:
        raise UsageError(f"params.yaml has {target} already; pass --name with another, or take its entry out")
    entry = dict(merged(plain_yaml.read(workspace.params)["experiments"][name], _sections(experiment, values)))
    usual = every.datasets[experiment.dataset]
    if usual.training is not None and usual.training.method == experiment.training.method:
        entry.pop("seeds", None)
    comments: dict[plain_yaml.Place, str] = {("experiments", target): comment} if comment else {}
    return _checked(workspace, plain_yaml.added(workspace.params, {"experiments": {target: entry}}, comments))


def _sections(experiment: Experiment, values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What an experiment's entry says of other values: model or training -> option -> what it becomes."""
    after = changed(experiment.model_dump(), values)
    new: dict[str, dict[str, Any]] = {}
    for part, option, *_ in (where.split(".") for where in values):
        new.setdefault(part, {})[option] = after[part][option]
    return new


def _checked(workspace: Workspace, text: str) -> str:
    """The text of params.yaml. Raises UsageError if it is not valid."""
    with scratch_folder(workspace.scratch, "tune") as scratch:
        write_text(scratch / workspace.params.name, text)
        params.load(scratch / workspace.params.name)
    return text
