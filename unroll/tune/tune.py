"""The command `tune`: trials of an experiment on validation.

Then the best three trials are trained with twice the epochs, and the best of these with
even more, as long as they help. The best options go to params.yaml, all trainings to
results/trials/DATASET/EXPERIMENT.csv. Every model, recurrent or not, gets the same
treatment (docs/decisions/search.md).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import pandas as pd
from optuna import Study

from pipeline.config import params, plain_yaml
from pipeline.config.params import Experiment, Params, merged, own_name
from pipeline.errors import UnrollError, UsageError
from pipeline.files import read_table, scratch_folder, write_table, write_text
from pipeline.workspace import Workspace, alone
from unroll.terminal import program
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
    in_place: bool = False,
    new_name: str | None = None,
    dry: bool = False,
) -> None:
    """Search the options of an experiment, and write the best to params.yaml.

    For a data set, do so for each of its experiments that has `trials`.

    Args:
        workspace: its data set must be prepared.
        name: an experiment, such as waves/gru, or a data set.
        trials: how many trials have to complete; by default the experiment's `trials`.
        over: the options, as in `space`.
        seeds: how many of the experiment's seeds each trial has.
        number: the number of the search. Each number draws other options.
        in_place: whether the best options replace the experiment's own. An experiment
            whose trials are in results/trials is then not searched again.
        new_name: the name of the experiment with the best options, by default
            gru_tuned.
        dry: whether only the search space is printed.

    Raises:
        UsageError, UnrollError: a search failed. Its trials are kept, and other
            experiments of the data set are searched before the error is raised.
    """
    config = params.load(workspace.params)
    names = [name] if "/" in name else _with_trials(config, name)
    if new_name and (in_place or names != [name]):
        raise UsageError(
            "--name is for one new experiment, so not for --in-place or a data set; "
            "leave it out"
        )
    failures = []
    for each in names:
        target = each if in_place else _target(each, new_name)
        experiment = config.experiment(each)
        experiment = experiment.model_copy(update={"seeds": experiment.seeds[:seeds]})
        try:
            _require_same_model(config, target, experiment)
            data = without_test(workspace, experiment)
            searched = space(each, experiment, data.input_shape[0], over)
            count = trials or experiment.trials or USUAL
            search = Search(
                each, experiment, data, searched, count, number, from_own=not in_place
            )
            print(f"{each}, chosen by {data.metric} on validation, over")
            print(*describe(searched, search.own_values), sep="\n", flush=True)
            if not dry:
                _tune(workspace, search, target)
        except UnrollError as error:
            if len(names) == 1:
                raise
            print(f"{each}: {error}", flush=True)
            failures.append(error)
    if failures:
        raise failures[0]


def _target(name: str, new_name: str | None) -> str:
    """Return the full name of the new experiment with the best options."""
    dataset, _, own = name.partition("/")
    key = new_name or f"{own}_tuned"
    return f"{dataset}/{key.removeprefix(f'{dataset}/')}"


def _require_same_model(config: Params, target: str, experiment: Experiment) -> None:
    """Raise UsageError if `target` exists and is an experiment of another model."""
    there = config.runs.get(target)
    if there and there.model.name != experiment.model.name:
        raise UsageError(
            f"params.yaml has {target} already, with another model; "
            "pass --name with another name, or remove the entry"
        )


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


def _tune(workspace: Workspace, search: Search, target: str) -> None:
    """Train all trials, unless an earlier search in place did, and write the best."""
    file = workspace.trials(search.data.name, own_name(target))
    # The best is adopted from the file again: an earlier search may have been killed
    # before it wrote params.yaml.
    if target == search.name and file.exists():
        print(f"{target} was searched before; delete {file} to search it again.")
        table = read_table(
            file, experiment=str, trial=int, seed=str, ended=str, options=str
        )
        _adopt(workspace, search, target, table)
        return
    workspace.sweep()
    with opened(workspace, search) as study:
        optimize(search, study)
        if is_running(study):
            print(
                "Another process runs the last trials, and will write the best. "
                "If that process is stopped, run this command again."
            )
            return
        table = _table(search, study)
    _adopt(workspace, search, target, table)


def _table(search: Search, study: Study) -> pd.DataFrame:
    """Return a row for each trial, and for each longer training of the best trials.

    Raises:
        UnrollError: no trial came to its end.
    """
    rows = list(enumerate(attempts(search, study), 1))
    scores = {number: a.value for number, a in rows if a.value is not None}
    if not scores:
        raise UnrollError(
            f"none of {len(rows)} trials of {search.name} was completed; "
            "pass --over learning_rate=LOW:HIGH with lower rates"
        )
    choose = max if search.measure.higher else min
    ranked = sorted(scores, key=scores.__getitem__, reverse=search.measure.higher)
    promoted = {}
    for number in ranked[:PROMOTED]:
        promoted[number] = _longer(search, study, number, rows[number - 1][1], 1)
        reached = [a.value for a in promoted[number] if a.value is not None]
        scores[number] = choose([scores[number], *reached])
    best = choose(promoted, key=scores.__getitem__)
    promoted[best] = _longer(search, study, best, rows[best - 1][1], DOUBLINGS)
    for number, longer in promoted.items():
        rows += [(number, attempt) for attempt in longer]
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
    cosine = training.get("schedule") == "cosine"
    trained = [trial]
    for doublings in range(most + 1):
        epochs = training["epochs"] * 2**doublings
        if doublings > 0:
            options = dict(trial.options)
            # Patience is doubled, too: under a cosine the rate stays high for longer,
            # and the validation score fluctuates while it is high.
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
    if most < DOUBLINGS:
        return trained[1:]
    return [*trained[1:-1], replace(trained[-1], ended=NOT_CONVERGED)]


def may_gain(
    trained: Sequence[Attempt], epochs: int, *, cosine: bool, higher: bool
) -> bool:
    """Return whether more epochs might help.

    They might if the best epoch was late, and each doubling was worth it so far. Under
    a cosine the best epoch always counts as late, unless patience ended the training.

    Args:
        trained: trainings, each with twice the epochs of the one before.
        epochs: the most epochs of the last training.
        cosine: whether the rate falls to 0 in these epochs.
        higher: whether a higher measure is better, as for an accuracy.
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
    """Write the trials to results/trials and the best to params.yaml; print what
    changed.
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
    write_table(workspace.trials(search.data.name, own_name(target)), table)
    converged = NOT_CONVERGED not in set(table["ended"])
    if not converged:
        print("The error still fell with the most epochs: the model has not converged.")
    comment = f"By `unroll tune {name}`, {len(table)} trainings: {score}."
    _write(workspace, name, target, options, converged, comment)
    print(
        f"Written to params.yaml: {target}. The best of many trials is lucky on "
        "validation, so test decides."
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
    """Write the experiment `name` with other options to params.yaml, as `target`.

    `target` is `name` itself, the result of an earlier search, or new. If it is not
    `name`, it has the data set's usual seeds, if the data set defines them.
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
            if value == now[place]:
                continue
            part, _, rest = place.partition(".")
            option = rest.partition(".")[0]
            if option:
                new.setdefault(part, {})[option] = after[part][option]
            else:
                new[part] = after[part]
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
        # The new text is parsed before it replaces params.yaml.
        with scratch_folder(workspace.scratch, "tune") as scratch:
            write_text(scratch / file.name, text)
            params.parse(plain_yaml.read(scratch / file.name), params.templates(file))
        write_text(file, text)
