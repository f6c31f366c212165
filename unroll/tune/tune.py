"""The command `tune`: trials of an experiment with other options; the best on validation becomes another experiment.

Several processes may write params.yaml, one after the other.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from pipeline.config import params, plain_yaml
from pipeline.config.params import Experiment, merged
from pipeline.errors import UnrollError, UsageError
from pipeline.files import scratch_folder, write_text
from pipeline.locks import alone, sweep
from pipeline.metrics import MEASURES
from pipeline.workspace import Workspace
from unroll.tune.space import current_values, describe, space, with_values
from unroll.tune.study import PATIENCE, Trials, opened, train_all, without_test


def tune(
    workspace: Workspace, name: str, *, trials: int, over: Sequence[str], seeds: int, target: str, dry: bool
) -> None:
    """Go on with the trials of an experiment until there are so many, then write the best to params.yaml, as `target`.

    Each trial has so many `seeds` of the experiment's own; `over` is as in `space`; `dry` only says what is searched.

    Raises:
        UsageError, UnrollError: in one line; the trials that have ended are kept.
    """
    experiment = params.load(workspace.params).experiment(name)
    experiment = experiment.model_copy(update={"seeds": experiment.seeds[:seeds]})
    data = without_test(workspace, experiment)
    searched = space(name, experiment, over, data.input_shape[0])
    print(f"{name} on {data.name}, chosen by {data.metric} on validation, over")
    print(*describe(searched, current_values(name, experiment, searched)), sep="\n", flush=True)
    if dry:
        return
    earlier = params.load(workspace.params).experiments.get(target)
    if earlier is None or (earlier.dataset, earlier.model.name) != (experiment.dataset, experiment.model.name):
        with_entry(workspace, name, target, {}, "")  # refuses what could not be written after all the trials
    sweep(workspace)
    with opened(workspace, name, experiment, data, searched, trials) as study:
        train_all(study)
        if others := len(study.running()):
            print(f"Another process is at the last {others}; it will write the best. If it is stopped, run this again.")
        else:
            _write_best(workspace, study, target)


def _write_best(workspace: Workspace, trials: Trials, target: str) -> None:
    """Write the best trial to params.yaml and say what changed."""
    name, best, done = trials.name, trials.best(), trials.done()
    if best is None:
        raise UnrollError(f"none of {len(done)} trials of {name} ended; pass --over with lower rates")
    values, given_up = trials.values(best), sum(trial.state.name == "PRUNED" for trial in done)
    own = [trial.value for trial in done if trial.state.name == "COMPLETE" and not trials.values(trial)]
    beside = f" ({name} as it is: {own[0]:.4g})" if own else ""
    score = f"{MEASURES[trials.data.metric].title} on validation {best.value:.4g}{beside}"
    print(f"\n{len(done)} trials, {given_up} given up. The best: {score}")
    if not values:
        print(f"{name} as it is was the best, so nothing was written.")
        return
    width = max(map(len, values))
    print(*(f"  {option:{width}}  {trials.now[option]} -> {value}" for option, value in values.items()), sep="\n")
    comment = f"By `unroll tune {name}`, {len(done)} trials: {score}."
    with params_lock(workspace):
        new = target not in params.load(workspace.params).experiments
        if new:
            write_text(workspace.params, with_entry(workspace, name, target, values, comment))
    if not new:  # by earlier trials
        set_options(workspace, target, {**trials.now, **values})
    stand_in = " These are stand-in data: no figure is a result." if trials.data.stand_in else ""
    print(
        f"Written to params.yaml: {target}. Its figure on validation flatters it; test decides.{stand_in}\n"
        f"Next: unroll repro evaluate@{trials.data.name} && unroll compare {name} {target}"
    )


def params_lock(workspace: Workspace) -> AbstractContextManager[None]:
    """Under it no other process writes params.yaml."""
    return alone(workspace.scratch / "params.lock", "another process writes params.yaml", patience=PATIENCE)


def set_options(workspace: Workspace, name: str, values: Mapping[str, Any], *, converged: bool = True) -> None:
    """Give an experiment of params.yaml other options, as far as they differ, and say whether it `converged`.

    `values` has where each stands, as in `unroll.tune.space.Space` -> it.
    """
    with params_lock(workspace):
        experiment = params.load(workspace.params).experiment(name)
        now = current_values(name, experiment, values)
        differing = {path: value for path, value in values.items() if value != now[path]}
        new: dict[str, Any] = _sections(experiment, differing)
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
    after = with_values(experiment.model_dump(), values)
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
