"""The command `tune`: so many trials of an experiment on validation, then more epochs
for the best one for as long as they pay. The best options go to params.yaml.

Every model, recurrent or not, gets the same treatment (docs/decisions/opponents.md).
All trainings go to results/trials/DATASET/EXPERIMENT.csv.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import pandas as pd
from optuna import Study

from pipeline import tables
from pipeline.config import params, plain_yaml
from pipeline.config.params import Params, merged, own_name
from pipeline.errors import UnrollError, UsageError
from pipeline.files import scratch_folder, write_text
from pipeline.locks import alone, sweep
from pipeline.workspace import Workspace
from unroll.hints import program
from unroll.tune.space import current_values, describe, space, with_values
from unroll.tune.study import (
    PATIENCE,
    Attempt,
    Search,
    attempts,
    is_running,
    opened,
    optimize,
    train,
    without_test,
)

USUAL = 30
"""Trials of an experiment whose `trials` says no other number."""

LATE = 0.9
"""Fraction of its epochs behind which a best epoch says that more of them might be
better."""

GAIN = 0.02
"""Fraction of its error by which twice the epochs must be better to be worth while."""

DOUBLINGS = 2
"""Most doublings of the epochs: four times as many."""

LONGER = "longer"
"""How a training with more epochs ended."""

NOT_CONVERGED = "longer, not converged"
"""How the longest training ended, if it was still better than the one before."""


def tune(
    workspace: Workspace,
    name: str,
    *,
    trials: int | None = None,
    over: Sequence[str] = (),
    seeds: int = 1,
    number: int = 1,
    in_place: bool = False,
    new_name: str | None = None,
    dry: bool = False,
) -> None:
    """Search the options of an experiment, or of each one of a data set that has
    `trials`, and write the best to params.yaml.

    Args:
        workspace: its data set must be prepared.
        name: of the experiment, such as waves/gru, or of the data set.
        trials: that come to their end; by default those that the experiment says.
        over: the options, as in `space`.
        seeds: of the experiment's own, for each trial.
        number: of the search; another one draws other options.
        in_place: whether the best options replace the experiment's own. What has its
            trials in results/trials is then not searched again.
        new_name: of the experiment with the best options, by default gru_tuned.
        dry: only print what is searched.

    Raises:
        UsageError, UnrollError: in one line; the trials that have ended are kept, and
            other experiments are searched.
    """
    config = params.load(workspace.params)
    names = [name] if "/" in name else _with_trials(config, name)
    if new_name and (in_place or names != [name]):
        raise UsageError("--name is for one new experiment; leave it out")
    failures = []
    for each in names:
        target = each
        if not in_place:
            key = new_name or f"{own_name(each)}_tuned"
            dataset = each.partition("/")[0]
            target = f"{dataset}/{key.removeprefix(f'{dataset}/')}"
        experiment = config.experiment(each)
        experiment = experiment.model_copy(update={"seeds": experiment.seeds[:seeds]})
        try:
            data = without_test(workspace, experiment)
            searched = space(each, experiment, data.input_shape[0], over)
            count = trials or experiment.trials or USUAL
            search = Search(each, experiment, data, searched, count, number)
            print(f"{each}, chosen by {data.metric} on validation, over")
            print(*describe(searched, search.own_values), sep="\n", flush=True)
            there = config.runs.get(target)
            if there and there.model.name != experiment.model.name:
                raise UsageError(
                    f"params.yaml has {target} already; pass --name with another, or "
                    "take its entry out"
                )
            if not dry:
                _tune(workspace, search, target)
        except UnrollError as error:
            if len(names) == 1:
                raise
            print(f"{each}: {error}", flush=True)
            failures.append(error)
    if failures:
        raise failures[0]


def _with_trials(config: Params, dataset: str) -> list[str]:
    """Return the experiments of a data set that have `trials`."""
    config.dataset(dataset)
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


def _tune(workspace: Workspace, search: Search, target: str) -> None:
    """Train all trials, unless that was done in place, and write the best."""
    file = workspace.trials(search.data.name, own_name(target))
    # From the file, so that a search that was killed before it wrote params.yaml does
    # so the next time.
    if target == search.name and file.exists():
        print(f"{target} was searched before; delete {file} to search it again.")
        table = tables.read(
            file, experiment=str, trial=int, seed=str, ended=str, options=str
        )
        _adopt(workspace, search, target, table)
        return
    sweep(workspace)
    with opened(workspace, search) as study:
        optimize(search, study)
        if is_running(study):
            print(
                "Another process is at the last trials; it will write the best. "
                "If it is stopped, run this again."
            )
            return
        table = _table(search, study)
    _adopt(workspace, search, target, table)


def _table(search: Search, study: Study) -> pd.DataFrame:
    """Return a row for each trial, and for each training of the best with more epochs.

    Raises:
        UnrollError: no trial came to its end.
    """
    rows = list(enumerate(attempts(search, study), 1))
    scores = {number: a.value for number, a in rows if a.value is not None}
    if not scores:
        raise UnrollError(
            f"none of {len(rows)} trials of {search.name} came to its end; "
            "pass --over with lower rates"
        )
    choose = max if search.measure.higher else min
    best = choose(scores, key=scores.__getitem__)
    longer = _longer(search, study, best, rows[best - 1][1])
    rows += [(best, attempt) for attempt in longer]
    return pd.DataFrame(
        {
            "experiment": search.name,
            "trial": [number for number, _ in rows],
            "seed": " ".join(map(str, search.experiment.seeds)),
            f"validation_{search.data.metric}": [a.value for _, a in rows],
            "epochs": [a.epochs for _, a in rows],
            "best_epoch": [a.best_epoch for _, a in rows],
            "ended": [a.ended for _, a in rows],
            "options": [json.dumps(a.options, sort_keys=True) for _, a in rows],
        }
    )


def _longer(search: Search, study: Study, number: int, best: Attempt) -> list[Attempt]:
    """Train a trial with twice the epochs, and again for as long as that pays.

    The study keeps what has been trained, so that a search that was stopped goes on.
    """
    training = with_values(search.experiment.model_dump(), best.options)["training"]
    if "epochs" not in training:
        return []
    key = f"longer {number}"
    kept = [Attempt(**attempt) for attempt in study.user_attrs.get(key, ())]
    cosine = training.get("schedule") == "cosine"
    trained = [best]
    for doublings in range(DOUBLINGS + 1):
        epochs = training["epochs"] * 2**doublings
        if doublings > 0:
            options = dict(best.options)
            # Patience, too: under a cosine the rate is high for longer, and validation
            # wavers while it is.
            for option in ("epochs", "patience"):
                if training.get(option):
                    options[f"training.{option}"] = training[option] * 2**doublings
            if len(kept) < doublings:
                title = f"{search.name}  trial {number} with {epochs} epochs"
                kept.append(train(search, options, title))
                study.set_user_attr(key, [asdict(attempt) for attempt in kept])
            attempt = kept[doublings - 1]
            if attempt.value is not None:
                attempt = replace(attempt, ended=LONGER)
            trained.append(attempt)
        if not may_gain(trained, epochs, cosine=cosine, higher=search.measure.higher):
            return trained[1:]
    return [*trained[1:-1], replace(trained[-1], ended=NOT_CONVERGED)]


def may_gain(
    trained: Sequence[Attempt], epochs: int, *, cosine: bool, higher: bool
) -> bool:
    """Return whether more epochs might be better still.

    The best epoch was a late one, and twice the epochs have been worth it so far. Under
    a cosine it always is late, unless patience ended the training.

    Args:
        trained: each with twice the epochs of the one before.
        epochs: of the last one, at most.
        cosine: whether the rate falls to 0 on the way.
        higher: whether a higher measure is better: an accuracy, whose error is the
            fraction that is wrong.
    """
    last = trained[-1]
    if last.value is None or last.best_epoch is None:
        return False
    if len(trained) > 1:
        before = trained[-2].value or 0.0
        error = 1 - last.value if higher else last.value
        error_before = 1 - before if higher else before
        if error > (1 - GAIN) * error_before:
            return False
    return last.best_epoch > LATE * epochs or (cosine and last.epochs == epochs)


def _adopt(
    workspace: Workspace, search: Search, target: str, table: pd.DataFrame
) -> None:
    """Write the trials to results/trials and the best of them to params.yaml, and say
    what changed.
    """
    name = search.name
    scores = table[f"validation_{search.data.metric}"]
    best = table.loc[scores.idxmax() if search.measure.higher else scores.idxmin()]
    options = json.loads(best["options"])
    own = current_values(name, search.experiment, options)
    changed = {place: value for place, value in options.items() if value != own[place]}
    score = f"{search.measure.title} on validation {scores[best.name]:.4g}"
    beside = ""
    if json.loads(table["options"][0]) == search.own_values:
        beside = f" ({name} as it is: {scores[0]:.4g})"
    print(f"\n{name}: {len(table)} trainings. The best: {score}{beside}")
    if not changed and target != name:
        print(f"{name} as it is was the best, so nothing was written.")
        return
    width = max(map(len, changed), default=0)
    for place, value in changed.items():
        print(f"  {place:{width}}  {own[place]} -> {value}")
    tables.write(workspace.trials(search.data.name, own_name(target)), table)
    converged = NOT_CONVERGED not in set(table["ended"])
    if not converged:
        print("It still gained with the most epochs: not converged.")
    comment = f"By `unroll tune {name}`, {len(table)} trainings: {score}."
    _write(workspace, name, target, options, converged, comment)
    print(
        f"Written to params.yaml: {target}. Its figure on validation flatters it; "
        "test decides."
    )
    if search.data.stand_in:
        print("These are stand-in data: no figure is a result.")
    unroll = program(workspace)
    compared = "" if target == name else f" && {unroll} compare {name} {target}"
    print(f"Next: {unroll} repro evaluate@{search.data.name}{compared}")


def _write(
    workspace: Workspace,
    name: str,
    target: str,
    options: Mapping[str, Any],
    converged: bool,
    comment: str,
) -> None:
    """Write experiment `name` with other options to params.yaml, as `target`, which is
    itself, one of an earlier search, or new.

    Another one than itself has the seeds of its data set, if that says how such
    experiments are trained.
    """
    file = workspace.params
    busy = "another process writes params.yaml"
    with alone(workspace.scratch / "params.lock", busy, patience=PATIENCE):
        config = params.load(file)
        experiment = config.experiment(name)
        dataset = experiment.dataset
        now = current_values(name, experiment, options)
        after = with_values(experiment.model_dump(), options)
        new: dict[str, Any] = {}
        for place, value in options.items():
            part, option, *_ = place.split(".")
            if value != now[place]:
                new.setdefault(part, {})[option] = after[part][option]
        if experiment.converged != converged:
            new["converged"] = converged
        if target == name and not new:
            return
        written = plain_yaml.read(file)["experiments"][dataset][own_name(name)]
        entry = dict(merged(written, new))
        usual = config.datasets[dataset].training
        if target != name and usual and usual.method == experiment.training.method:
            entry.pop("seeds", None)
        keys = ["experiments", dataset, own_name(target)]
        if target in config.runs:
            comment = ""
        text = plain_yaml.with_entry(file, keys, entry, comment)
        # Nothing is written that could not be read.
        with scratch_folder(workspace.scratch, "tune") as scratch:
            write_text(scratch / file.name, text)
            params.parse(plain_yaml.read(scratch / file.name), params.templates(file))
        write_text(file, text)
