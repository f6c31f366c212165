"""Fits of a model to windows: at all cutoffs, or once; the choice of its options, and of
the windows to train on.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from pipeline.config.params import Experiment, Model, Training
from pipeline.data.dataset import Dataset
from pipeline.data.examples import Array, Windows
from pipeline.errors import UnrollError
from pipeline.training.job import Job, Trained
from unroll.series import backtest, row_calendar, windowed
from unroll.series.backtest import Plan
from unroll.series.models.recipes import recipe
from unroll.series.models.residual import reach
from unroll.series.pairwise import POWER, objective_of
from unroll.series.row_options import fitted_of

VALIDATION_SHARE = 0.15
"""Share of the windows, the last ones, on which options are chosen."""

FEWEST_TO_CHOOSE = 20
"""Smallest number of windows, to train and to validate on, to choose options by."""

BASES = ("mean", "last")
"""The naive forecasts whose residual a network may learn (see `unroll.series.models.residual`).

A series without a cycle has the last value alone."""

STEPS = (250, 800)
"""The numbers of steps that a network may be trained for.

Few steps suit noisy series, many suit regular series."""

BATCH_SIZE = 64
"""The windows of a step."""

MOST_EPOCHS = 30
"""Largest number of times that a network learns from each window."""

COMPLETE_SHARE = 0.5
"""Share of train windows with all targets, from which only these windows are taken."""


def cross_validate(
    name: str,
    experiment: Experiment,
    dataset: Dataset,
    plan: Plan,
) -> tuple[pd.DataFrame, Experiment]:
    """Forecast from all origins.

    Args:
        name: the name of the model.
        experiment: the model, and how it is trained.
        dataset: the series, with the columns that the experiment takes as inputs.
        plan: the origins.

    Returns:
        The table that the docstring of `backtest` describes, in the target's unit; and the
        experiment as it was trained, with the options that were chosen on the rows
        before the first origin.

    Raises:
        UnrollError: there are too few windows, or the loss is not finite.
    """
    groups = backtest.folds(dataset, plan)
    settled = select_options(name, experiment, dataset, groups[0].train)
    tables = []
    for fold in groups:
        trained, _ = fit(name, settled, dataset, fold.train, fold.test)
        for replicate in trained.replicates:
            forecasts = backtest.table(
                dataset, fold.test, replicate.predictions["final_test"]
            )
            tables.append(forecasts.assign(model=name, seed=replicate.seed))
    return pd.concat(tables).sort_values(
        ["seed", "unique_id", "cutoff", "ds"], ignore_index=True
    )[backtest.COLUMNS], settled


def select_options(
    name: str, experiment: Experiment, dataset: Dataset, train: Windows
) -> Experiment:
    """Choose the open options of a network.

    They are the naive forecast that the network corrects, and the number of steps.

    Args:
        name: the name of the model.
        experiment: the model, and how it is trained.
        dataset: the series.
        train: the windows whose targets were known at the first origin. The last of
            them are validated on.

    Returns:
        The experiment with the options of the smallest mean error of one seed.
        With too few windows the first options are taken. A model that is no network is
        returned as it is.
    """
    if experiment.model.family != "residual":
        return experiment
    earlier, later = _halves(dataset, train)
    if min(len(earlier), len(later)) < FEWEST_TO_CHOOSE:
        first = by_base(experiment)[0]
        return by_steps(first, len(train))[0]

    def error(choice: Experiment) -> float:
        one_seed = choice.model_copy(update={"seeds": choice.seeds[:1]})
        trained, _ = fit(name, one_seed, dataset, earlier, later)
        forecasts = trained.replicates[0].predictions["final_test"]
        errors = np.abs(forecasts - later.targets)
        return float(np.nanmean(errors ** POWER[objective_of(dataset)]))

    def best(choices: list[Experiment]) -> Experiment:
        return choices[0] if len(choices) == 1 else min(choices, key=error)

    with_base = best(by_base(experiment))
    return best(by_steps(with_base, len(train)))


def is_network(experiment: Experiment) -> bool:
    """Return whether a model is a network, dense or recurrent."""
    return experiment.training.method == "numpy_adam"


def by_base(experiment: Experiment) -> list[Experiment]:
    """Return a network with each of the naive forecasts whose residual it may learn."""
    if "base" in experiment.model.options:
        return [experiment]
    bases = BASES if experiment.model.options["cycles"] else BASES[1:]
    options = experiment.model.model_dump()
    models = [Model.model_validate(options | {"base": base}) for base in bases]
    return [experiment.model_copy(update={"model": model}) for model in models]


def by_steps(experiment: Experiment, windows: int) -> list[Experiment]:
    """Return a network with each of the numbers of steps that it may be trained for.

    Args:
        experiment: the network, and how it is trained.
        windows: number of windows that the network learns from, each at most
            `MOST_EPOCHS` times.
    """
    options = experiment.training.model_dump()
    most = max(1, MOST_EPOCHS * windows // options.get("batch_size", BATCH_SIZE))
    trainings = [
        Training.model_validate(options | {"steps": steps})
        for steps in sorted({min(steps, most) for steps in STEPS})
    ]
    return [experiment.model_copy(update={"training": each}) for each in trainings]


def _halves(dataset: Dataset, train: Windows) -> tuple[Windows, Windows]:
    """Split windows by time; earlier targets lie before later windows."""
    stamps = np.asarray(dataset.stamps)
    begins = stamps[train.rows]
    ends = stamps[train.rows + train.ahead[-1]]
    first = np.sort(begins)[int((1 - VALIDATION_SHARE) * len(train))]
    earlier = replace(train, rows=train.rows[ends < first])
    return earlier, replace(train, rows=train.rows[begins >= first])


def fit(
    name: str, experiment: Experiment, dataset: Dataset, train: Windows, test: Windows
) -> tuple[Trained, Job]:
    """Train a model on windows and predict others, as "final_test".

    Args:
        name: the name of the model.
        experiment: the model, and how it is trained.
        dataset: the series.
        train: windows to train on.
        test: windows to predict.

    Returns:
        The trained model, and the job with the windows as the model takes them.

    Raises:
        UnrollError: the model has the option `history`, and the series has a gap.
    """
    if experiment.model.options.get("history"):
        _require_no_gap(name, dataset)
    trainer = recipe(name, experiment)
    if experiment.training.method == "none":
        train = test  # nothing is learnt, so no more windows are needed
    elif not trainer.masks:
        train = complete_windows(train)
    splits = {
        "train": with_lookback(experiment, dataset, train),
        "test": with_lookback(experiment, dataset, test),
    }
    job = trainer.job(replace(dataset, splits={**splits}, scored=()))
    job = replace(job, splits=("test",))
    return trainer.train(job), job


def _require_no_gap(name: str, dataset: Dataset) -> None:
    """Raise UnrollError unless the rows of each series are evenly spaced."""
    fitted = fitted_of(dataset)
    numbers = row_calendar.numbered(
        np.asarray(dataset.stamps), fitted.cleaning, fitted.csv.time_zone
    )
    spacing = np.diff(numbers)[np.diff(np.asarray(dataset.series_id)) == 0]
    if (spacing != spacing[:1]).any():
        raise UnrollError(
            f"{name}: the option `history` is for series without gaps; leave the option "
            "out"
        )


def complete_windows(train: Windows) -> Windows:
    """Return the windows that have all targets.

    Methods that cannot mask a missing target are trained on them. If they are too few
    (`COMPLETE_SHARE`), all windows are returned, with missing targets filled in.
    """
    windows = train.complete()
    if len(windows) >= COMPLETE_SHARE * len(train):
        return windows
    return replace(train, measured=None)


def with_lookback(
    experiment: Experiment, dataset: Dataset, windows: Windows
) -> Windows:
    """Return windows that reach as far back as a model looks.

    They are longer for a model with the option `history`, with NaN before a series
    begins. They are shorter for a network of the family `residual`, which looks at a
    few enriched rows.

    Args:
        experiment: the model.
        dataset: the series.
        windows: the windows, as long as the data set says.
    """
    options = experiment.model.options
    fitted = fitted_of(dataset)
    begins = _begins(dataset)
    if experiment.model.family == "residual":
        rows = reach(options["last"], options["cycles"])
        every = windowed.seen(windows, 0, begins, fitted)
        return replace(every, lookback=min(rows, windows.lookback))
    return windowed.seen(windows, options.get("history") or 0, begins, fitted)


def _begins(dataset: Dataset) -> Array:
    """Return the first row (rows,) of each row's series; if windows count whose series
    has just begun, its first known row.
    """
    ids = np.asarray(dataset.series_id)
    counts = np.arange(len(ids))
    if fitted_of(dataset).windows.begun:
        counts = np.flatnonzero(np.isfinite(np.asarray(dataset.truth)))
    return counts[np.searchsorted(ids[counts], ids)]
