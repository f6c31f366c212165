"""The command `tune`: trials of an experiment on validation.

Then the best three trials are trained with twice the epochs, and the best of these with
even more, as long as they help. All trainings go to
results/trials/DATASET/EXPERIMENT.csv. The entry of params.yaml with the best options is
printed. Every model, recurrent or not, gets the same treatment
(docs/decisions/search.md).
"""

import json
import textwrap
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import pandas as pd
from optuna import Study

from pipeline.config import params, plain_yaml
from pipeline.config.params import Params, merged, own_name
from pipeline.errors import UnrollError
from pipeline.files import read_table, write_table
from pipeline.workspace import Workspace
from unroll.tune.space import current_values, describe, space, with_values
from unroll.tune.study import (
    Attempt,
    Search,
    attempts,
    opened,
    optimize,
    train,
    without_test,
)

USUAL = 30
"""Trials of an experiment without `trials` in params.yaml."""

LATE = 0.9
"""The fraction of the epochs after which a best epoch is late: more epochs might help."""

GAIN = 0.02
"""The fraction by which doubled epochs must reduce the error to be worth it."""

PROMOTED = 3
"""The number of best trials that are trained again with doubled epochs."""

DOUBLINGS = 4
"""The most doublings of the epochs."""

LONGER = "longer"
"""`Attempt.ended` of a training with more epochs."""

NOT_CONVERGED = "longer, not converged"
"""`Attempt.ended` of the longest training, if even more epochs might help."""


def tune(
    workspace: Workspace,
    name: str,
    *,
    trials: int | None = None,
    over: Sequence[str] = (),
    seeds: int = 1,
    number: int = 1,
    dry: bool = False,
) -> None:
    """Search the options of an experiment, and print its entry with the best ones.

    For a data set, do so for each of its experiments that has `trials`. Such an
    experiment is not searched again if results/trials has its trials.

    Args:
        workspace: its data set must be prepared.
        name: an experiment, such as waves/gru, or a data set.
        trials: how many trials have to complete; by default the experiment's `trials`.
        over: the options, as in `space`.
        seeds: how many of the experiment's seeds each trial has.
        number: the number of the search. Each number draws other options.
        dry: whether only the search space is printed.

    Raises:
        UsageError, UnrollError: a search failed. Its trials are kept, and other
            experiments of the data set are searched before the error is raised.
    """
    config = params.load(workspace.params)
    names = [name] if "/" in name else _with_trials(config, name)
    failures = []
    for each in names:
        experiment = config.experiment(each)
        experiment = experiment.model_copy(update={"seeds": experiment.seeds[:seeds]})
        try:
            data = without_test(workspace, experiment)
            searched = space(each, experiment, data.input_shape[0], over)
            count = trials or experiment.trials or USUAL
            search = Search(each, experiment, data, searched, count, number)
            print(f"{each}, chosen by {data.metric} on validation, over")
            print(*describe(searched, search.own_values), sep="\n", flush=True)
            if not dry:
                _tune(workspace, config, search)
        except UnrollError as error:
            if len(names) == 1:
                raise
            print(f"{each}: {error}", flush=True)
            failures.append(error)
    if failures:
        raise failures[0]


def _with_trials(config: Params, dataset: str) -> list[str]:
    """Return the experiments of a data set that have `trials`."""
    names = [
        f"{dataset}/{key}"
        for key, experiment in config.experiments_of(dataset).items()
        if experiment.trials and experiment.share == 1
    ]
    if not names:
        raise UnrollError(
            f"no experiment of {dataset} has `trials`, so there is nothing to try; "
            f"name one: unroll tune {dataset}/EXPERIMENT"
        )
    return names


def _tune(workspace: Workspace, config: Params, search: Search) -> None:
    """Train all trials, unless there are some of an experiment with `trials`; write
    them, and print the best.
    """
    file = workspace.trials(search.data.name, own_name(search.name))
    if search.experiment.trials and file.exists():
        print(f"{search.name} was searched before; delete {file} to search it again.")
        table = read_table(
            file, experiment=str, trial=int, seed=str, ended=str, options=str
        )
    else:
        workspace.sweep()
        with opened(workspace, search) as study:
            optimize(search, study)
            table = _table(search, study)
        write_table(file, table)
    _show_best(workspace, config, search, table)


def _table(search: Search, study: Study) -> pd.DataFrame:
    """Return a row for each trial, and for each longer training of the best trials.

    Raises:
        UnrollError: no trial came to its end.
    """
    trials = dict(enumerate(attempts(search, study), 1))
    ended = [number for number, trial in trials.items() if trial.value is not None]
    if not ended:
        raise UnrollError(
            f"none of {len(trials)} trials of {search.name} was completed; "
            "pass --over learning_rate=LOW:HIGH with lower rates"
        )
    ranked = sorted(ended, key=lambda number: search.rank(trials[number]))
    longer = {
        number: _longer(search, study, number, trials[number], 1)
        for number in ranked[:PROMOTED]
    }
    best = min(
        longer,
        key=lambda number: min(map(search.rank, [trials[number], *longer[number]])),
    )
    longer[best] = _longer(search, study, best, trials[best], DOUBLINGS)
    rows = list(trials.items())
    for number, trained in longer.items():
        rows += [(number, attempt) for attempt in trained]
    return pd.DataFrame(
        {
            "experiment": search.name,
            "trial": [number for number, _ in rows],
            "seed": " ".join(map(str, search.experiment.seeds)),
            search.column: [a.value for _, a in rows],
            "epochs": [a.epochs for _, a in rows],
            "best_epoch": [a.best_epoch for _, a in rows],
            "ended": [a.ended for _, a in rows],
            "options": [json.dumps(a.options, sort_keys=True) for _, a in rows],
        }
    )


def _longer(
    search: Search, study: Study, number: int, trial: Attempt, most: int
) -> list[Attempt]:
    """Train a trial with doubled epochs, and double them again as long as it helps.

    The study keeps these trainings, so that a search that was stopped can resume.

    Args:
        search: the search.
        study: its study.
        number: the number of the trial.
        trial: the trial.
        most: the most doublings, at most `DOUBLINGS`.
    """
    training = with_values(search.experiment.model_dump(), trial.options)["training"]
    if "epochs" not in training:
        return []
    key = f"longer {number}"
    kept = [Attempt(**attempt) for attempt in study.user_attrs.get(key, ())]
    trained = [trial]
    # Patience is doubled, too: under a cosine the rate stays high for longer, and the
    # validation score fluctuates while it is high.
    doubled = {
        key: training[key] for key in ("epochs", "patience") if training.get(key)
    }
    while may_gain(trained, doubled["epochs"], training, higher=search.measure.higher):
        if len(trained) > most:
            if most == DOUBLINGS:
                trained[-1] = replace(trained[-1], ended=NOT_CONVERGED)
            break
        doubled = {key: 2 * value for key, value in doubled.items()}
        if len(kept) < len(trained):
            options = {f"training.{key}": value for key, value in doubled.items()}
            title = f"{search.name}  trial {number} with {doubled['epochs']} epochs"
            attempt = train(search, trial.options | options, title)
            if attempt.value is not None:
                attempt = replace(attempt, ended=LONGER)
            kept.append(attempt)
            study.set_user_attr(key, [asdict(attempt) for attempt in kept])
        trained.append(kept[len(trained) - 1])
    return trained[1:]


def may_gain(
    trained: Sequence[Attempt], epochs: int, training: dict[str, Any], *, higher: bool
) -> bool:
    """Return whether more epochs might help.

    They might if the best epoch was late, and each doubling was worth it so far. Under
    a cosine the best epoch always counts as late, unless patience ended the training.

    Args:
        trained: trainings, each with twice the epochs of the one before.
        epochs: the most epochs of the last training.
        training: the options; with the `schedule` cosine the rate falls to 0 in these
            epochs.
        higher: whether a higher measure is better, as for an accuracy.
    """
    last = trained[-1]
    if last.value is None or last.best_epoch is None:
        return False
    if len(trained) > 1:
        before, error = [attempt.value or 0.0 for attempt in trained[-2:]]
        if higher:
            before = 1 - before
            error = 1 - error
        if error > (1 - GAIN) * before:
            return False
    is_whole_cosine = training.get("schedule") == "cosine" and last.epochs == epochs
    return last.best_epoch > LATE * epochs or is_whole_cosine


def _show_best(
    workspace: Workspace, config: Params, search: Search, table: pd.DataFrame
) -> None:
    """Print the best training, and its entry of params.yaml.

    It is that of an experiment with `trials`, and a new one beside any other.
    """
    name = search.name
    scores = table[search.column]
    best = table.loc[scores.idxmax() if search.measure.higher else scores.idxmin()]
    options = json.loads(best["options"])
    score = f"{search.measure.title} on validation {scores[best.name]:.4g}"
    beside = ""
    if json.loads(table["options"][0]) == search.own_values:
        beside = f" ({name} as it is: {scores[0]:.4g})"
    print(f"\n{name}: {len(table)} trainings. The best: {score}{beside}")
    own = current_values(name, search.experiment, options)
    changed = {place: value for place, value in options.items() if value != own[place]}
    converged = NOT_CONVERGED not in set(table["ended"])
    if not changed and search.experiment.converged == converged:
        print(f"params.yaml has the best options of {name} already.")
        return
    width = max(map(len, changed), default=0)
    for place, value in changed.items():
        print(f"  {place:{width}}  {own[place]} -> {value}")
    if not converged:
        print("The error still fell with the most epochs: the model has not converged.")
    target = name if search.experiment.trials else f"{name}_tuned"
    entry = _entry(workspace, config, search, changed)
    if search.experiment.converged != converged:
        entry["converged"] = converged
    print(
        f"For params.yaml, in experiments.{search.data.name}; the best of many trials "
        "is lucky on validation, so test decides:"
    )
    print(f"    # By `unroll tune {name}`, {len(table)} trainings: {score}.")
    block = plain_yaml.dumped({own_name(target): entry})
    print(textwrap.indent(block, "    "), end="")
    if search.data.stand_in:
        print("These are stand-in data: no figure is a result.")
    unroll = workspace.program
    compared = "" if target == name else f" && {unroll} compare {name} {target}"
    print(f"Next: paste it, then {unroll} repro evaluate@{search.data.name}{compared}")


def _entry(
    workspace: Workspace, config: Params, search: Search, changed: dict[str, Any]
) -> dict[str, Any]:
    """Return the experiment's entry of params.yaml with other options.

    An entry beside it has the data set's usual seeds, if the data set defines them.

    Args:
        workspace: with params.yaml.
        config: its parsed content.
        search: the search.
        changed: place -> value, of the options that differ.
    """
    dataset = search.experiment.dataset
    after = with_values(search.experiment.model_dump(), changed)
    new: dict[str, Any] = {}
    for place in changed:
        part, _, rest = place.partition(".")
        option = rest.partition(".")[0]
        if option:
            new.setdefault(part, {})[option] = after[part][option]
        else:
            new[part] = after[part]
    entries = plain_yaml.read(workspace.params)["experiments"][dataset]
    entry = dict(merged(entries[own_name(search.name)], new))
    usual = config.datasets[dataset].training
    method = search.experiment.training.method
    if not search.experiment.trials and usual and usual.method == method:
        entry.pop("seeds", None)
    return entry
