"""A model fitted to windows: with how many epochs, from how far back, and to which windows."""

from dataclasses import replace
from typing import Any

import numpy as np

from pipeline.config.params import Experiment
from pipeline.data import row_calendar
from pipeline.data.dataset import Dataset
from pipeline.data.examples import Windows
from pipeline.errors import UnrollError
from pipeline.training.job import Callback, Job, Trained
from pipeline.training.recipe import recipe

VALIDATION_FRACTION = 0.15
"""A network's number of epochs is chosen on this fraction of the first fold's train windows, the last ones."""

COMPLETE_FRACTION = 0.5
"""If fewer of the train windows have all their targets, those with filled-in targets are trained on, too."""


def fit(
    name: str, experiment: Experiment, dataset: Dataset, train: Windows, test: Windows, *callbacks: Callback
) -> tuple[Trained, Job]:
    """Train an experiment on windows and predict others, as "final_test".

    Raises:
        UnrollError: the model has the option `history`, and the series has a gap.
    """
    if experiment.model.options.get("history") and dataset.stamps is not None and dataset.fitted:
        fitted = dataset.fitted
        spacing = np.diff(row_calendar.numbered(dataset.stamps, fitted.cleaning, fitted.csv.time_zone))
        if (spacing != spacing[0]).any():
            raise UnrollError(f"{name}: `history` is for one series without gaps; leave it out")
    trainer = recipe(name, experiment)
    if experiment.training.method == "none":
        train = test  # this method learns nothing, and predicts all splits: predict no more than is needed
    elif not trainer.masks:
        train = complete_windows(train)
    splits = {"train": with_lookback(experiment, train), "test": with_lookback(experiment, test)}
    job = replace(trainer.job(replace(dataset, splits={**splits}, scored=()), *callbacks), splits=("test",))
    return trainer.train(job), job


def settled(name: str, experiment: Experiment, dataset: Dataset, train: Windows) -> Experiment:
    """Instead of patience, the number of epochs that is best by validation within the train windows, for one seed."""
    if not experiment.training.options.get("patience"):
        return experiment
    trainer = recipe(name, experiment.model_copy(update={"seeds": experiment.seeds[:1]}))
    trained = trainer.train(trainer.job(with_validation(dataset, with_lookback(experiment, train))))
    return with_epochs(experiment, trained.replicates[0].best_epoch or 1)


def with_validation(dataset: Dataset, windows: Windows) -> Dataset:
    """The data set with these windows alone (`complete_windows`), of which the last ones are for validation.

    `test` is validation again. Raises UnrollError if there are too few.
    """
    windows = complete_windows(windows)
    first = windows.rows[int((1 - VALIDATION_FRACTION) * len(windows))] if len(windows) > 1 else 0
    train = windows.rows[windows.rows < first - windows.ahead[-1]]
    if not len(train):
        before, ahead = f"{len(windows)} windows before the first origin", windows.ahead[-1] + windows.step
        cure = "add rows, or the series anew with a smaller --horizon"
        raise UnrollError(f"{dataset.name}: {before} are too few to validate by, with a value {ahead} rows on; {cure}")
    validation = replace(windows, rows=windows.rows[windows.rows >= first])
    splits = {"train": replace(windows, rows=train), "validation": validation, "test": validation}
    return replace(dataset, splits={**splits}, scored=("validation",))


def complete_windows(train: Windows) -> Windows:
    """For methods that cannot mask a missing target: the windows that have all targets.

    If too few do (`COMPLETE_FRACTION`), all windows, whose missing targets were filled in.
    """
    windows = train.complete()
    return windows if len(windows) >= COMPLETE_FRACTION * len(train) else replace(train, measured=None)


def with_epochs(experiment: Experiment, epochs: int) -> Experiment:
    """The experiment with this number of epochs and no patience."""
    options = experiment.training.model_dump() | {"epochs": epochs, "patience": None}
    return experiment.model_copy(update={"training": type(experiment.training).model_validate(options)})


def with_lookback(experiment: Experiment, windows: Windows) -> Windows:
    """Windows as long as a model's options say: longer by `history` (NaN before the series begins), shorter by `last`.

    Both count timesteps; `last` shortens the windows of networks alone, as the other models do this themselves.
    """
    options = experiment.model.options
    if experiment.training.method == "gradient_descent" and options.get("last"):
        return replace(windows, lookback=min(options["last"] * windows.step, windows.lookback))
    more = (options.get("history") or 0) * windows.step - windows.lookback
    if more <= 0:
        return windows
    before = np.full((more, windows.series.shape[1]), np.nan, windows.series.dtype)
    series, measured = np.concatenate([before, windows.series]), windows.measured
    if measured is not None:
        measured = np.concatenate([np.zeros(more, bool), measured])
    shifted: dict[str, Any] = {"rows": windows.rows + more, "lookback": windows.lookback + more, "measured": measured}
    return replace(windows, series=series, **shifted)
