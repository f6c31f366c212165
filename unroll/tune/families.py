"""A data set's families of models, each with the same number of trials on validation (docs/decisions/opponents.md)."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
from optuna.trial import FrozenTrial, Trial, TrialState

from pipeline import tables
from pipeline.config import params
from pipeline.config.params import Experiment
from pipeline.errors import UnrollError
from pipeline.metrics import MEASURES
from pipeline.validation import one_of
from pipeline.workspace import Workspace
from unroll.tune import entry
from unroll.tune.space import Space, changed, space
from unroll.tune.study import Trials, opened
from unroll.tune.trial import seen, train

RATE, DROPOUT = "learning_rate=0.0003:0.01", "dropout=0:0.4"
CELL = ("units=8:64", "layers=1:2", DROPOUT, RATE, "embedding=8:64")

RANGES: dict[str, tuple[str, ...]] = {
    "linear": ("last=1:120", "ridge=1:100000"),
    "lags": ("last=1:72", "others=1:12", "trees=50:400", "leaves=4:32", "learning_rate=0.02:0.2", "examples=20:200"),
    "kernel_ridge": ("last=1:72", "others=1:12", "gamma=0.01:4", "alpha=0.001:10"),
    "mlp": ("hidden.1=16:256", "hidden.2=8:128", "dropout=0:0.5", "last=4:72", "embedding=8:64", RATE),
    "tcn": ("filters=8:48", "kernel=2:5", "layers=2:5", DROPOUT, "last=12:72", "embedding=8:64", RATE),
    "attention": ("size=4:16", "layers=1:2", DROPOUT, "last=12:72", "embedding=8:64", RATE),
    "nlinear": ("last=4:240", RATE),
    "dlinear": ("last=4:240", "average=3:49", RATE),
    "tfidf": ("c=1:100", "reviews=3:10"),
    **dict.fromkeys(("simple_rnn", "lstm", "gru", "min_gru"), CELL),
}
"""Model, or method with its own -> what is searched. What an experiment has off (`last`, `others`, `embedding`)
is not, nor a `last` beyond its range; a `last` ends with the input."""


def tune(workspace: Workspace, dataset: str, only: str | None = None) -> None:
    """Try each experiment of a data set that has `trials` as often as it says; the best options replace its own.

    All trials go to results/trials/EXPERIMENT.csv. What was tried before is not tried again. `only` is one of the
    experiments.

    Raises:
        UsageError, UnrollError: in one line; the trials that have ended are kept.
    """
    every = params.load(workspace.params)
    every.dataset(dataset)
    wanted = {name: one for name, one in every.experiments_of(dataset).items() if one.trials and one.share == 1}
    if only is not None:
        wanted = {only: wanted[one_of(only, wanted, f"the experiment of {dataset} with `trials`")]}
    if not wanted:
        raise UnrollError(f"no experiment of {dataset} has `trials`, so there is nothing to try")
    for name, experiment in wanted.items():
        file = workspace.trials(name)
        if not file.exists():
            chosen = experiment.model_copy(update={"seeds": experiment.seeds[:1]})
            tables.write(file, _tried(workspace, name, chosen))
        # From the file, so that a search that was killed before it wrote them does so the next time.
        best, section = _best(file), experiment.model_dump()
        if changed(section, best) != section:
            entry.change(workspace, name, best)


def _best(file: Path) -> dict[str, Any]:
    """The options of the best trial of a file."""
    table = tables.read(file, experiment=str, trial=int, seed=int, ended=str, options=str)
    (measure,) = (column for column in table if column.startswith("validation_"))
    scores = table[measure]
    best = scores.idxmax() if MEASURES[measure.removeprefix("validation_")].higher else scores.idxmin()
    found: dict[str, Any] = json.loads(table["options"][best])
    return found


def _tried(workspace: Workspace, name: str, experiment: Experiment) -> pd.DataFrame:
    """A row for each trial."""
    data = seen(workspace, experiment)
    searched = _space(name, experiment, data.input_shape[0])
    with opened(workspace, name, experiment, data, searched, experiment.trials) as trials:
        while (trial := trials.begin()) is not None:
            try:
                value, why = train(trials, trial)
            except UnrollError as error:
                value, why = None, str(error)
            trial.set_user_attr("why", why)
            trials.study.tell(trial, value, TrialState.PRUNED if why else None)
            said = why or f"{data.metric} {value:.4g}"
            place = f"trial {len(trials.done())} of {experiment.trials}"
            print(f"{name}  {place}  {said}  {_options(trials, trial)}", flush=True)
        if trials.best() is None:
            raise UnrollError(f"none of the {experiment.trials} trials of {name} came to an end")
        found = sorted(trials.done(), key=lambda trial: trial.number)
    rows = [
        {
            "experiment": name,
            "trial": number,
            "seed": experiment.seeds[0],
            f"validation_{data.metric}": None if trial.user_attrs["why"] else trial.value,
            "ended": trial.user_attrs["why"] or "complete",
            "options": json.dumps(_options(trials, trial), sort_keys=True),
        }
        for number, trial in enumerate(found, 1)
    ]
    return pd.DataFrame(rows)


def _space(name: str, experiment: Experiment, timesteps: int) -> Space:
    own, method, over = experiment.model.options, experiment.training.method, []
    for text in RANGES[method if method in RANGES else experiment.model.name]:
        option, limits = text.split("=")
        low, high = limits.split(":")
        part, _, place = option.partition(".")
        off = option in ("last", "others", "embedding") and not own.get(option)
        if off or (place and int(place) > len(own[part])):
            continue
        if option == "last" and own["last"] > int(high):
            continue
        over.append(f"{'model.' * bool(place)}{option}={low}:{min(int(high), timesteps) if option == 'last' else high}")
    return space(name, experiment, over)


def _options(trials: Trials, trial: Trial | FrozenTrial) -> dict[str, Any]:
    return {**trials.now, **trials.values(trial)}
