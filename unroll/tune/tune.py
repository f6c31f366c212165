"""The commands `tune` and `search`: trials of experiments with other options, the best
of which go to params.yaml.

By `tune` the best becomes another experiment. By `search` each model of a data set gets
the same treatment (docs/decisions/opponents.md): so many trials on validation, then
more epochs for the best one for as long as they pay; its options replace the
experiment's own. Several processes may write params.yaml, one after the other.
"""

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict
from functools import partial
from typing import Any

import pandas as pd
from optuna.trial import FrozenTrial

from pipeline import tables
from pipeline.config import params, plain_yaml
from pipeline.config.params import Experiment, merged, own_name
from pipeline.errors import UnrollError, UsageError
from pipeline.evaluation import schema
from pipeline.files import scratch_folder, write_text
from pipeline.locks import alone, sweep
from pipeline.metrics import MEASURES
from pipeline.validation import one_of
from pipeline.workspace import Workspace
from stages import progress
from unroll.hints import program
from unroll.tune.space import current_values, describe, family_space, space, with_values
from unroll.tune.study import (
    PATIENCE,
    Attempt,
    Trials,
    opened,
    train,
    train_all,
    without_test,
)

LATE = 0.9
"""The fraction of its epochs behind which a best epoch says that more of them might be
better."""

GAIN = 0.02
"""The fraction of its error by which twice the epochs must be better to be worth while:
under half of the band within which a difference does not matter."""

DOUBLINGS = 2
"""At most: four times the epochs."""

LONGER = "longer"
NOT_CONVERGED = "longer, not converged"
"""How a training with more epochs ended; the second: it was the longest, and still
better than the one before."""


def tune(
    workspace: Workspace,
    name: str,
    *,
    trials: int,
    over: Sequence[str],
    seeds: int,
    target: str,
    dry: bool,
) -> None:
    """Go on with the trials of an experiment until there are so many, then write the
    best to params.yaml, as `target`.

    Each trial has so many `seeds` of the experiment's own; `over` is as in `space`;
    `dry` only says what is searched.

    Raises:
        UsageError, UnrollError: in one line; the trials that have ended are kept.
    """
    experiment = params.load(workspace.params).experiment(name)
    experiment = experiment.model_copy(update={"seeds": experiment.seeds[:seeds]})
    data = without_test(workspace, experiment)
    searched = space(name, experiment, over, data.input_shape[0])
    print(f"{name} on {data.name}, chosen by {data.metric} on validation, over")
    print(
        *describe(searched, current_values(name, experiment, searched)),
        sep="\n",
        flush=True,
    )
    folder = workspace.evaluation(data.name)
    entries = (
        schema.load(folder).experiments
        if (folder / "evaluation.json").is_file()
        else {}
    )
    names = {name: own_name(name), target: own_name(target)}
    # so that nobody tunes by test without seeing that it was looked at before
    if {*names.values()} <= entries.keys():
        scores = [
            f"{key} {entries[names[key]].final['test'][data.metric].mean:.4g}"
            for key in (name, target)
        ]
        print(
            f"{data.metric} on test, of the last build: {', '.join(scores)}", flush=True
        )
    if dry:
        return
    earlier = params.load(workspace.params).runs.get(target)
    if earlier is None or (earlier.dataset, earlier.model.name) != (
        experiment.dataset,
        experiment.model.name,
    ):
        # refuses what could not be written after all the trials
        with_entry(workspace, name, target, {}, "")
    sweep(workspace)
    with opened(workspace, name, experiment, data, searched, trials) as study:
        train_all(study)
        if others := len(study.running()):
            print(
                f"Another process is at the last {others}; it will write the best. If it is stopped, run this again."
            )
        else:
            _write_best(workspace, study, target)


def _write_best(workspace: Workspace, trials: Trials, target: str) -> None:
    """Write the best trial to params.yaml and say what changed."""
    name = trials.name
    best = trials.best()
    done = trials.done()
    if best is None:
        raise UnrollError(
            f"none of {len(done)} trials of {name} ended; pass --over with lower rates"
        )
    values = trials.values(best)
    given_up = sum(trial.state.name == "PRUNED" for trial in done)
    own = [
        trial.value
        for trial in done
        if trial.state.name == "COMPLETE" and not trials.values(trial)
    ]
    beside = f" ({name} as it is: {own[0]:.4g})" if own else ""
    score = (
        f"{MEASURES[trials.data.metric].title} on validation {best.value:.4g}{beside}"
    )
    print(f"\n{len(done)} trials, {given_up} given up. The best: {score}")
    if not values:
        print(f"{name} as it is was the best, so nothing was written.")
        return
    width = max(map(len, values))
    print(
        *(
            f"  {option:{width}}  {trials.own_values[option]} -> {value}"
            for option, value in values.items()
        ),
        sep="\n",
    )
    comment = f"By `unroll tune {name}`, {len(done)} trials: {score}."
    with params_lock(workspace):
        new = target not in params.load(workspace.params).runs
        if new:
            write_text(
                workspace.params, with_entry(workspace, name, target, values, comment)
            )
    if not new:  # by earlier trials
        set_options(workspace, target, {**trials.own_values, **values})
    stand_in = (
        " These are stand-in data: no figure is a result."
        if trials.data.stand_in
        else ""
    )
    unroll = program(workspace)
    print(
        f"Written to params.yaml: {target}. Its figure on validation flatters it; test decides.{stand_in}\n"
        f"Next: {unroll} repro evaluate@{trials.data.name} && {unroll} compare {name} {target}"
    )


def search(workspace: Workspace, dataset: str, only: str | None = None) -> None:
    """Search the options of each experiment of a data set that has `trials`; the best
    ones replace its own.

    All trainings go to results/trials/DATASET/EXPERIMENT.csv. What has such a file is
    not searched again. An experiment that another process is at is left to it. `only`
    is one of them, by its name in the data set.

    Raises:
        UsageError, UnrollError: in one line; the trials that have ended are kept, and
            other experiments are searched.
    """
    every = params.load(workspace.params)
    every.dataset(dataset)
    searched = {
        name: e
        for name, e in every.experiments_of(dataset).items()
        if e.trials and e.share == 1
    }
    if only is not None:
        searched = {
            only: searched[
                one_of(only, searched, f"the experiment of {dataset} with `trials`")
            ]
        }
    if not searched:
        raise UnrollError(
            f"no experiment of {dataset} has `trials`, so there is nothing to try"
        )
    started = time.process_time()
    failures = []
    for name, experiment in (
        (f"{dataset}/{name}", experiment) for name, experiment in searched.items()
    ):
        with ExitStack() as stack:
            try:
                stack.enter_context(
                    alone(workspace.scratch / "tuning" / f"{name}.search.lock", "busy")
                )
            except UnrollError:
                print(f"{name}: left to another process, which is at it", flush=True)
                continue
            try:
                _search(
                    workspace,
                    name,
                    experiment.model_copy(update={"seeds": experiment.seeds[:1]}),
                )
            except UnrollError as error:
                failures.append(error)
                print(f"{name}: {error}", flush=True)
    print(f"{dataset}: {time.process_time() - started:.0f} CPU s")
    if failures:
        raise failures[0]


def _search(workspace: Workspace, name: str, experiment: Experiment) -> None:
    """Search an experiment with one seed, unless that was done, and write its options
    to params.yaml.
    """
    file = workspace.trials(experiment.dataset, own_name(name))
    started = time.process_time()
    if not file.exists():
        tables.write(file, _table(workspace, name, experiment))
    # From the file, so that a search that was killed before it wrote them does so the
    # next time.
    table = tables.read(
        file, experiment=str, trial=int, seed=int, ended=str, options=str
    )
    (column,) = (column for column in table if column.startswith("validation_"))
    measure = MEASURES[column.removeprefix("validation_")]
    best = table.loc[
        table[column].idxmax() if measure.higher else table[column].idxmin()
    ]
    converged = NOT_CONVERGED not in set(table["ended"])
    set_options(workspace, name, json.loads(best["options"]), converged=converged)
    end = "converged" if converged else "not converged"
    spent = f"{time.process_time() - started:.0f} CPU s"
    print(
        f"{name}: {measure.title} {best[column]:.4g}, {len(table)} trainings, {end}, {spent}",
        flush=True,
    )


def _table(workspace: Workspace, name: str, experiment: Experiment) -> pd.DataFrame:
    """Train all trials of an experiment, and the best one longer: a row for each
    training.
    """
    data = without_test(workspace, experiment)
    searched = family_space(name, experiment, data.input_shape[0])
    if not searched:
        raise UsageError(
            f"{name} has `trials`, and no option with a range in unroll/tune/space.py"
        )
    with opened(
        workspace, name, experiment, data, searched, experiment.trials, pruning=False
    ) as trials:
        train_all(trials)
        best = trials.best()
        done = sorted(trials.done(), key=lambda trial: trial.number)
        if best is None:
            raise UnrollError(f"none of {len(done)} trials of {name} came to an end")
        rows = [
            _row(
                trials, number, attempt, attempt.why or "complete", trials.values(trial)
            )
            for number, trial in enumerate(done, 1)
            for attempt in [Attempt.of(trial)]
        ]
        rows += _longer(
            trials, [trial.number for trial in done].index(best.number) + 1, best
        )
    return pd.DataFrame(rows)


def _row(
    trials: Trials, number: int, attempt: Attempt, ended: str, values: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "experiment": trials.name,
        "trial": number,
        "seed": trials.experiment.seeds[0],
        f"validation_{trials.data.metric}": attempt.value,
        "epochs": attempt.epochs,
        "best_epoch": attempt.best_epoch,
        "ended": ended,
        "options": json.dumps({**trials.own_values, **values}, sort_keys=True),
    }


def _longer(trials: Trials, number: int, trial: FrozenTrial) -> list[dict[str, Any]]:
    """Train a trial with twice the epochs, and again for as long as that pays: a row
    for each.

    What has been trained is kept in the study, so that a search that was stopped goes
    on.
    """
    study = trials.study
    values = trials.values(trial)
    key = f"longer {trial.number}"
    training = with_values(trials.experiment.model_dump(), values)["training"]
    if "epochs" not in training:
        return []
    cosine = training.get("schedule") == "cosine"
    higher = MEASURES[trials.data.metric].higher
    epochs = [training["epochs"] * 2**doublings for doublings in range(DOUBLINGS + 1)]

    def longer(doublings: int) -> dict[str, Any]:
        # Patience, too: under a cosine the rate is high for longer, and validation
        # wavers while it is.
        options = [option for option in ("epochs", "patience") if training.get(option)]
        return {
            **values,
            **{
                f"training.{option}": training[option] * 2**doublings
                for option in options
            },
        }

    attempts = [
        Attempt.of(trial),
        *(Attempt(**kept) for kept in study.user_attrs.get(key, ())),
    ]
    while may_gain(
        attempts, epochs[len(attempts) - 1], cosine=cosine, higher=higher
    ) and len(attempts) < len(epochs):
        start = f"{trials.name}  trial {number} with {epochs[len(attempts)]} epochs"
        show = partial(progress.line, start, last=False)
        attempt = train(trials, longer(len(attempts)), show)
        attempts.append(attempt)
        study.set_user_attr(key, [asdict(attempt) for attempt in attempts[1:]])
        show(
            [
                attempt.why
                or f"{MEASURES[trials.data.metric].title} {attempt.value:.4g}"
            ],
            last=True,
        )
    ended = [attempt.why or LONGER for attempt in attempts]
    if may_gain(attempts, epochs[-1], cosine=cosine, higher=higher):
        ended[-1] = NOT_CONVERGED
    return [
        _row(trials, number, attempts[count], ended[count], longer(count))
        for count in range(1, len(attempts))
    ]


def may_gain(
    attempts: Sequence[Attempt], epochs: int, *, cosine: bool, higher: bool
) -> bool:
    """Whether more epochs might be better still.

    The best epoch was a late one, and twice the epochs have been worth it so far. Under
    a cosine it always is late, unless patience ended the training.

    Args:
        attempts: each with twice the epochs of the one before.
        epochs: of the last one, at most.
        cosine: whether the rate falls to 0 on the way.
        higher: whether a higher measure is better: an accuracy, whose error is the
            fraction that is wrong.
    """
    *before, last = attempts
    if last.value is None or last.best_epoch is None:
        return False
    if before:
        errors = [
            1 - (a.value or 0) if higher else a.value or 0 for a in (before[-1], last)
        ]
        if errors[1] > (1 - GAIN) * errors[0]:
            return False
    return last.best_epoch > LATE * epochs or (cosine and last.epochs == epochs)


def params_lock(workspace: Workspace) -> AbstractContextManager[None]:
    """Under it no other process writes params.yaml."""
    return alone(
        workspace.scratch / "params.lock",
        "another process writes params.yaml",
        patience=PATIENCE,
    )


def set_options(
    workspace: Workspace,
    name: str,
    values: Mapping[str, Any],
    *,
    converged: bool = True,
) -> None:
    """Give an experiment of params.yaml other options, as far as they differ, and say
    whether it `converged`.

    `values` has where each stands, as in `unroll.tune.space.Space` -> it.
    """
    with params_lock(workspace):
        experiment = params.load(workspace.params).experiment(name)
        now = current_values(name, experiment, values)
        differing = {
            path: value for path, value in values.items() if value != now[path]
        }
        new: dict[str, Any] = _sections(experiment, differing)
        if experiment.converged != converged:
            new["converged"] = converged
        if new:
            dataset = experiment.dataset
            own = own_name(name)
            entry = merged(
                plain_yaml.read(workspace.params)["experiments"][dataset][own], new
            )
            keys = ["experiments", dataset, own]
            text = plain_yaml.with_entry(workspace.params, keys, entry)
            write_text(workspace.params, _checked(workspace, text))


def with_entry(
    workspace: Workspace,
    name: str,
    target: str,
    values: Mapping[str, Any],
    comment: str,
) -> str:
    """The text of params.yaml with an experiment once more, with other values, under
    another name, checked.

    It has the seeds of its data set, if that says how such experiments are trained.
    """
    every = params.load(workspace.params)
    experiment = every.experiment(name)
    if target in every.runs:
        raise UsageError(
            f"params.yaml has {target} already; pass --name with another, or take its entry out"
        )
    dataset = experiment.dataset
    written = plain_yaml.read(workspace.params)["experiments"][dataset][own_name(name)]
    entry = dict(merged(written, _sections(experiment, values)))
    usual = every.datasets[dataset]
    if (
        usual.training is not None
        and usual.training.method == experiment.training.method
    ):
        entry.pop("seeds", None)
    keys = ["experiments", dataset, own_name(target)]
    text = plain_yaml.with_entry(workspace.params, keys, entry, comment)
    return _checked(workspace, text)


def _sections(
    experiment: Experiment, values: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """What an experiment's entry says of other values: model or training -> option ->
    what it becomes.
    """
    after = with_values(experiment.model_dump(), values)
    new: dict[str, dict[str, Any]] = {}
    for part, option, *_ in (where.split(".") for where in values):
        new.setdefault(part, {})[option] = after[part][option]
    return new


def _checked(workspace: Workspace, text: str) -> str:
    """The text of params.yaml. Raises UsageError if it is not valid."""
    with scratch_folder(workspace.scratch, "tune") as scratch:
        write_text(scratch / workspace.params.name, text)
        params.parse(
            plain_yaml.read(scratch / workspace.params.name),
            params.templates(workspace.params),
        )
    return text
