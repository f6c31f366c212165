"""The command `tune`: search the options of experiments on validation.

The trainings of all searches share one pool of processes, or a cluster. All trainings
go to results/trials/DATASET/EXPERIMENT.csv. The entry of params.yaml with the best
options is printed. Every model, recurrent or not, gets the same treatment
(docs/decisions/search.md).
"""

import contextlib
import json
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from pipeline.config import params, plain_yaml
from pipeline.config.params import Experiment, Params, built_by, merged, own_name
from pipeline.data import dataset
from pipeline.errors import UnrollError
from pipeline.files import read_table, write_table
from pipeline.locks import alone
from pipeline.metrics import MEASURES
from pipeline.processes import duration
from pipeline.provenance import places
from pipeline.provenance.fingerprint import Code
from pipeline.training.tasks import Task
from pipeline.workspace import Workspace
from stages.train import trainings
from unroll.tune.search import NOT_CONVERGED, Attempt, Search, Training
from unroll.tune.space import current_values, describe, space, with_values

USUAL = 8
"""Trials of an experiment without `trials` in params.yaml."""


def tune(
    workspace: Workspace,
    names: Sequence[str],
    jobs: int,
    *,
    trials: int | None = None,
    over: Sequence[str] = (),
    seeds: int = 1,
    number: int = 1,
    dry: bool = False,
) -> None:
    """Search the options of experiments, and print the entry of each with the best ones.

    An experiment that has `trials` is not searched again if results/trials has its
    trials; its entry is printed from there.

    Args:
        workspace: its data sets must be prepared.
        names: experiments, such as waves/gru, or data sets. A data set stands for each
            of its experiments that has `trials`.
        jobs: most trainings at once.
        trials: the number of trials; by default the experiment's `trials`.
        over: the options, as in `space`.
        seeds: how many of the experiment's seeds each trial has.
        number: the number of the search. Each number draws other options.
        dry: whether only the search space is printed.

    Raises:
        UsageError, UnrollError: a search failed. What was trained is kept, and other
            experiments are searched before the error is raised.
    """
    config = params.load(workspace.params)
    wanted = [each for name in names for each in _with_trials(config, name)]
    code = Code(places.CODE)
    errors = []
    searches = []
    with contextlib.ExitStack() as locked:
        for name in dict.fromkeys(wanted):
            try:
                experiment = config.experiment(name)
                file = workspace.trials(experiment.dataset, own_name(name))
                if experiment.trials and file.exists() and not dry:
                    print(f"{name} was searched before; delete {file} to search again.")
                    table = read_table(
                        file,
                        experiment=str,
                        trial=int,
                        seed=str,
                        ended=str,
                        options=str,
                    )
                    _show_best(workspace, name, table)
                    continue
                search = search_of(
                    workspace, config, name, code, trials, over, seeds, number
                )
                print(f"{name}, chosen by {search.metric} on validation, over")
                for line in describe(search.searched, search.own_values):
                    print(line, flush=True)
                if not dry:
                    lock = workspace.scratch / "tuning" / f"{name}.lock"
                    busy = f"another process searches {name}; wait until it has ended"
                    locked.enter_context(alone(lock, busy))
                    searches.append(search)
            except UnrollError as error:
                errors.append(error)
                if len(wanted) > 1:
                    print(f"{name}: {error}", flush=True)
        if searches:
            workspace.sweep()
            errors += _perform(workspace, searches, jobs)
    if errors:
        raise errors[0]


def _with_trials(config: Params, name: str) -> list[str]:
    """Return the experiments of a data set that have `trials`, or the experiment."""
    if "/" in name:
        return [name]
    names = [
        f"{name}/{key}"
        for key, experiment in config.experiments_of(name).items()
        if experiment.trials and experiment.share == 1
    ]
    if not names:
        raise UnrollError(
            f"no experiment of {name} has `trials`, so there is nothing to try; "
            f"name one: unroll tune {name}/EXPERIMENT"
        )
    return names


def search_of(
    workspace: Workspace,
    config: Params,
    name: str,
    code: Code,
    trials: int | None = None,
    over: Sequence[str] = (),
    seeds: int = 1,
    number: int = 1,
) -> Search:
    """Return the search of an experiment; parameters are as in `tune`.

    Raises:
        UnrollError: the data set is not prepared.
        UsageError: it has no validation split, or an option is wrong.
    """
    experiment = config.experiment(name)
    experiment = experiment.model_copy(update={"seeds": experiment.seeds[:seeds]})
    about = config.dataset(experiment.dataset)
    folder = workspace.prepared(experiment.dataset)
    if not (folder / "dataset.json").is_file():
        raise UnrollError(
            f"{folder.relative_to(workspace.root)} is missing; "
            f"{built_by(workspace, f'prepare@{experiment.dataset}')}"
        )
    data = dataset.load(folder, calendar=experiment.calendar, share=experiment.share)
    input_shape = dataset.on_validation(data).input_shape
    return Search(
        workspace,
        name,
        experiment,
        space(name, experiment, input_shape, over),
        trials or experiment.trials or USUAL,
        data.metric,
        about.floor,
        number,
        code,
    )


def _perform(
    workspace: Workspace, searches: Sequence[Search], jobs: int
) -> list[UnrollError]:
    """Train what searches want, until each has ended or one of its trainings failed.

    Write and print the result of each search as it ends. Return the errors.
    """
    wanted: dict[Task, tuple[Search, Training]] = {}
    asked: dict[Task, float] = {}
    errors = []

    def ask(search: Search) -> None:
        """Ask for the new tasks of a search; if it has ended, keep its result."""
        attempts, missing = search.progress()
        for training in missing:
            task = search.task(training)
            if task not in wanted:
                wanted[task] = (search, training)
                asked[task] = float(training.epochs or 1)
        if missing:
            return
        try:
            _keep(workspace, search, attempts)
        except UnrollError as error:
            print(f"{search.name}: {error}", flush=True)
            errors.append(error)

    for search in searches:
        ask(search)
    if not asked:
        return errors

    def figures(task: Task) -> list[str]:
        return _figures(*wanted[task])

    with trainings(workspace, asked, jobs, may_grow=True, figures=figures) as work:
        for ended in work.ended():
            search, _ = wanted[ended.key]
            if ended.error:
                text = f"{search.name}: {ended.error}; the same command goes on"
                errors.append(UnrollError(text))
                continue
            asked.clear()
            ask(search)
            for task, seconds in asked.items():
                work.submit(task, seconds)
    return errors


def _figures(search: Search, training: Training) -> list[str]:
    """Return the measure, and the options that differ from the experiment's own."""
    outcome = search.outcome(training)
    if outcome is None:
        return []
    how = outcome.ended
    if outcome.value is not None:
        how = f"{search.measure.title} {outcome.value:.4g}"
    differing = sorted(training.options.items() - search.own_values.items())
    return [
        how,
        *(f"{place.partition('.')[2] or place} {value}" for place, value in differing),
    ]


def _keep(workspace: Workspace, search: Search, attempts: Sequence[Attempt]) -> None:
    """Write the trainings of a search that has ended, and print the best.

    Raises:
        UnrollError: no training came to its end, or the data or code has changed.
    """
    if all(attempt.outcome.value is None for attempt in attempts):
        raise UnrollError(
            f"none of {search.trials} trials was completed ({attempts[0].ended}); a "
            "lower learning_rate in params.yaml lowers the rates that are tried"
        )
    search.require_unchanged(attempts)
    table = pd.DataFrame(
        {
            "experiment": search.name,
            "trial": [each.training.trial for each in attempts],
            "seed": " ".join(map(str, search.experiment.seeds)),
            f"validation_{search.metric}": [each.outcome.value for each in attempts],
            "epochs": [each.outcome.epochs for each in attempts],
            "best_epoch": [each.outcome.best_epoch for each in attempts],
            "ended": [each.ended for each in attempts],
            "cpu_seconds": [round(each.outcome.cpu_seconds, 1) for each in attempts],
            "options": [
                json.dumps(each.training.options, sort_keys=True) for each in attempts
            ],
        }
    )
    write_table(workspace.trials(*search.name.split("/")), table)
    seconds = sum(each.outcome.cpu_seconds for each in attempts)
    print(f"\n{search.name}: the search took {duration(seconds)} of CPU time.")
    _show_best(workspace, search.name, table)


def entry(
    workspace: Workspace,
    name: str,
    experiment: Experiment,
    changed: Mapping[str, Any],
    *,
    converged: bool,
) -> dict[str, Any]:
    """Return the entry of params.yaml with the best options of a search.

    Args:
        workspace: with params.yaml.
        name: the name of the experiment, such as waves/gru.
        experiment: the experiment of params.yaml.
        changed: place -> value of the options that the experiment does not have.
        converged: whether more epochs would not help.

    Returns:
        The name of the entry within its data set -> the entry. It is the experiment's
        own name if the experiment has `trials`.
    """
    after = with_values(experiment.model_dump(), changed)
    new: dict[str, Any] = {}
    for place in changed:
        part, *rest = place.split(".")
        if rest:
            new.setdefault(part, {})[rest[0]] = after[part][rest[0]]
        else:
            new[part] = after[part]
    if experiment.converged != converged:
        new["converged"] = converged
    key = own_name(name)
    entries = plain_yaml.read(workspace.params)["experiments"][experiment.dataset]
    whole = dict(merged(entries[key], new))
    return {key if experiment.trials else f"{key}_tuned": whole}


def _show_best(workspace: Workspace, name: str, table: pd.DataFrame) -> None:
    """Print the best training, and its entry of params.yaml.

    It is that of an experiment with `trials`, and a new one beside any other.
    """
    experiment = params.load(workspace.params).experiment(name)
    [column] = [each for each in table if each.startswith("validation_")]
    measure = MEASURES[column.removeprefix("validation_")]
    ranked = table.sort_values(column, ascending=not measure.higher, kind="stable")
    tried = [json.loads(options) for options in ranked["options"]]
    own = current_values(name, experiment, tried[0])
    score = f"{measure.title} on validation {ranked[column].iloc[0]:.4g}"
    beside = ""
    for options, value in zip(tried, ranked[column], strict=True):
        if options == current_values(name, experiment, options):
            beside = f" (as it is: {value:.4g})"
    print(f"{name}: {len(table)} trainings. The best: {score}{beside}")
    changed = {place: value for place, value in tried[0].items() if value != own[place]}
    converged = NOT_CONVERGED not in set(table["ended"])
    if not changed and experiment.converged == converged:
        print(f"params.yaml has the best options of {name} already.")
        return
    width = max(map(len, changed), default=0)
    for place, after in changed.items():
        print(f"  {place:{width}}  {own[place]} -> {after}")
    if not converged:
        print("The error still fell with the most epochs: the model has not converged.")
    new = entry(workspace, name, experiment, changed, converged=converged)
    [key] = new
    about = experiment.dataset
    print("The best of many trials is lucky on validation, so test decides.")
    print(f"For params.yaml, in experiments.{about}:")
    print(f"    # By `unroll tune {name}`, {len(table)} trainings: {score}.")
    print(textwrap.indent(plain_yaml.dumped(new), "    "), end="")
    prepared = workspace.prepared(about)
    if (prepared / "dataset.json").is_file() and dataset.describe(prepared).stand_in:
        print("These are stand-in data: no figure is a result.")
    unroll = workspace.program
    target = f"{about}/{key}"
    print(f"Next: paste it, then {unroll} repro evaluate@{about}", flush=True)
    if target != name:
        print(f"Then: {unroll} compare {target} {name}", flush=True)
