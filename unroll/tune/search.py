"""The command `search`: each model of a data set gets the same treatment (docs/decisions/opponents.md).

So many trials on validation, then more epochs for the best one for as long as they pay; its options replace the
experiment's own.
"""

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from typing import Any

import pandas as pd
from optuna.trial import FrozenTrial

from pipeline import tables
from pipeline.config import params
from pipeline.config.params import Experiment
from pipeline.errors import UnrollError, UsageError
from pipeline.locks import alone
from pipeline.metrics import MEASURES
from pipeline.validation import one_of
from pipeline.workspace import Workspace
from stages import progress
from unroll.tune.space import family_space, with_values
from unroll.tune.study import Attempt, Trials, opened, train, train_all, without_test
from unroll.tune.tune import set_options

LATE = 0.9
"""The fraction of its epochs behind which a best epoch says that more of them might be better."""

GAIN = 0.02
"""The fraction of its error by which twice the epochs must be better to be worth while: under half of what verdicts
call no difference."""

DOUBLINGS = 2
"""At most: four times the epochs."""

LONGER, NOT_CONVERGED = "longer", "longer, not converged"
"""How a training with more epochs ended; the second: it was the longest, and still better than the one before."""


def search(workspace: Workspace, dataset: str, only: str | None = None) -> None:
    """Search the options of each experiment of a data set that has `trials`; the best ones replace its own.

    All trainings go to results/trials/EXPERIMENT.csv. What has such a file is not searched again. An experiment that
    another process is at is left to it. `only` is one of the experiments.

    Raises:
        UsageError, UnrollError: in one line; the trials that have ended are kept, and other experiments are searched.
    """
    every = params.load(workspace.params)
    every.dataset(dataset)
    searched = {name: e for name, e in every.experiments_of(dataset).items() if e.trials and e.share == 1}
    if only is not None:
        searched = {only: searched[one_of(only, searched, f"the experiment of {dataset} with `trials`")]}
    if not searched:
        raise UnrollError(f"no experiment of {dataset} has `trials`, so there is nothing to try")
    started, failures = time.process_time(), []
    for name, experiment in searched.items():
        with ExitStack() as stack:
            try:
                stack.enter_context(alone(workspace.scratch / "tuning" / f"{name}.search.lock", "busy"))
            except UnrollError:
                print(f"{name}: left to another process, which is at it", flush=True)
                continue
            try:
                _search(workspace, name, experiment.model_copy(update={"seeds": experiment.seeds[:1]}))
            except UnrollError as error:
                failures.append(error)
                print(f"{name}: {error}", flush=True)
    print(f"{dataset}: {time.process_time() - started:.0f} CPU s")
    if failures:
        raise failures[0]


def _search(workspace: Workspace, name: str, experiment: Experiment) -> None:
    """Search an experiment with one seed, unless that was done, and write its options to params.yaml."""
    file, started = workspace.trials(name), time.process_time()
    if not file.exists():
        tables.write(file, _table(workspace, name, experiment))
    # From the file, so that a search that was killed before it wrote them does so the next time.
    table = tables.read(file, experiment=str, trial=int, seed=int, ended=str, options=str)
    (column,) = (column for column in table if column.startswith("validation_"))
    measure = MEASURES[column.removeprefix("validation_")]
    best = table.loc[table[column].idxmax() if measure.higher else table[column].idxmin()]
    converged = NOT_CONVERGED not in set(table["ended"])
    set_options(workspace, name, json.loads(best["options"]), converged=converged)
    end = "converged" if converged else "not converged"
    spent = f"{time.process_time() - started:.0f} CPU s"
    print(f"{name}: {measure.title} {best[column]:.4g}, {len(table)} trainings, {end}, {spent}", flush=True)


def _table(workspace: Workspace, name: str, experiment: Experiment) -> pd.DataFrame:
    """Train all trials of an experiment, and the best one longer: a row for each training."""
    data = without_test(workspace, experiment)
    searched = family_space(name, experiment, data.input_shape[0])
    if not searched:
        raise UsageError(f"{name} has `trials`, and no option with a range in unroll/tune/space.py")
    with opened(workspace, name, experiment, data, searched, experiment.trials, pruning=False) as trials:
        train_all(trials)
        best, done = trials.best(), sorted(trials.done(), key=lambda trial: trial.number)
        if best is None:
            raise UnrollError(f"none of {len(done)} trials of {name} came to an end")
        rows = [
            _row(trials, number, attempt, attempt.why or "complete", trials.values(trial))
            for number, trial in enumerate(done, 1)
            for attempt in [Attempt.of(trial)]
        ]
        rows += _longer(trials, [trial.number for trial in done].index(best.number) + 1, best)
    return pd.DataFrame(rows)


def _row(trials: Trials, number: int, attempt: Attempt, ended: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "experiment": trials.name,
        "trial": number,
        "seed": trials.experiment.seeds[0],
        f"validation_{trials.data.metric}": attempt.value,
        "epochs": attempt.epochs,
        "best_epoch": attempt.best_epoch,
        "ended": ended,
        "options": json.dumps({**trials.now, **values}, sort_keys=True),
    }


def _longer(trials: Trials, number: int, trial: FrozenTrial) -> list[dict[str, Any]]:
    """Train a trial with twice the epochs, and again for as long as that pays: a row for each.

    What has been trained is kept in the study, so that a search that was stopped goes on.
    """
    study, values, key = trials.study, trials.values(trial), f"longer {trial.number}"
    training = with_values(trials.experiment.model_dump(), values)["training"]
    if "epochs" not in training:
        return []
    cosine, higher = training.get("schedule") == "cosine", MEASURES[trials.data.metric].higher
    epochs = [training["epochs"] * 2**doublings for doublings in range(DOUBLINGS + 1)]

    def longer(doublings: int) -> dict[str, Any]:
        # Patience, too: under a cosine the rate is high for longer, and validation wavers while it is.
        options = [option for option in ("epochs", "patience") if training.get(option)]
        return {**values, **{f"training.{option}": training[option] * 2**doublings for option in options}}

    attempts = [Attempt.of(trial), *(Attempt(**kept) for kept in study.user_attrs.get(key, ()))]
    while may_gain(attempts, epochs[len(attempts) - 1], cosine=cosine, higher=higher) and len(attempts) < len(epochs):
        start = f"{trials.name}  trial {number} with {epochs[len(attempts)]} epochs"
        show = partial(progress.line, start, last=False)
        attempt = train(trials, longer(len(attempts)), show)
        attempts.append(attempt)
        study.set_user_attr(key, [asdict(attempt) for attempt in attempts[1:]])
        show([attempt.why or f"{MEASURES[trials.data.metric].title} {attempt.value:.4g}"], last=True)
    ended = [attempt.why or LONGER for attempt in attempts]
    if may_gain(attempts, epochs[-1], cosine=cosine, higher=higher):
        ended[-1] = NOT_CONVERGED
    return [_row(trials, number, attempts[count], ended[count], longer(count)) for count in range(1, len(attempts))]


def may_gain(attempts: Sequence[Attempt], epochs: int, *, cosine: bool, higher: bool) -> bool:
    """Whether more epochs might be better still.

    The best epoch was a late one, and twice the epochs have been worth it so far. Under a cosine it always is late,
    unless patience ended the training.

    Args:
        attempts: each with twice the epochs of the one before.
        epochs: of the last one, at most.
        cosine: whether the rate falls to 0 on the way.
        higher: whether a higher measure is better: an accuracy, whose error is the fraction that is wrong.
    """
    *before, last = attempts
    if last.value is None or last.best_epoch is None:
        return False
    if before:
        errors = [1 - (a.value or 0) if higher else a.value or 0 for a in (before[-1], last)]
        if errors[1] > (1 - GAIN) * errors[0]:
            return False
    return last.best_epoch > LATE * epochs or (cosine and last.epochs == epochs)
