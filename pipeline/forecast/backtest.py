"""A model's forecasts from rolling origins: fitted on the rows before, it forecasts from one origin after the other.

Tashman 2000, "Out-of-sample tests of forecasting accuracy", International Journal of Forecasting 16. What comes out is
one long table, a row for each value that was forecast, with the columns of the field (Nixtla's utilsforecast):
`unique_id, ds, cutoff, model, seed, y, y_hat`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.config.params import Experiment, Forecast
from pipeline.data import timestamps
from pipeline.data.dataset import Dataset
from pipeline.data.examples import Array, Windows
from pipeline.errors import UnrollError
from pipeline.training.job import Callback, Job, Trained
from pipeline.training.recipe import recipe

if TYPE_CHECKING:
    import pandas as pd

REACH = 0.5
"""The part of all windows, the last ones, that origins may lie in."""

VALIDATION = 0.15
"""The part of the first fit's windows, the last ones, by which a network's epochs are chosen."""

ENOUGH = 0.5
"""The part of the windows that must have all their targets, so that the others can be left out."""

TABLE = "forecasts.parquet"


@dataclass(frozen=True)
class Fold:
    """Origins that one fit forecasts from.

    Attributes:
        train: windows whose targets were all known at the first of them.
        test: a window for each origin.
    """

    train: Windows
    test: Windows


def windows(dataset: Dataset) -> Windows:
    """All windows, and of rows without a step those whose targets lie on both sides of a border of splits.

    Raises:
        UnrollError: it is no series.
    """
    splits = [split for split in dataset.splits.values() if isinstance(split, Windows)]
    if not splits:
        raise UnrollError(f"{dataset.name} is no series")
    rows = np.concatenate([split.rows for split in splits])
    if (np.diff(rows) <= 0).any():
        rows = np.unique(rows)
    if splits[0].step == 1:
        every = np.arange(rows[0], rows[-1] + 1)
        later = np.searchsorted(rows, every)
        # Two windows so near have all targets of those between; a value that is not known leaves a wider gap.
        rows = every[(rows[later] == every) | (rows[later] - rows[later - 1] <= splits[0].outputs)]
    return replace(splits[0], rows=rows)


def stride(dataset: Dataset) -> int:
    """Rows from one origin to the next: a day, of daily rows and longer ones a timestep."""
    return windows(dataset).step * max(1, dataset.period)


def folds(dataset: Dataset, settings: Forecast) -> list[Fold]:
    """The last origins of a series, one a day, in as many groups as there are fits; several series have the same ones.

    Raises:
        UnrollError: there are too few windows.
    """
    every = windows(dataset)
    spacing, reach, origins = stride(dataset), int(every.ahead[-1]), list[int]()
    numbers = every.rows  # of each row in its own series: the same for all series at the same time
    if dataset.series_id is not None:
        numbers = numbers - np.searchsorted(dataset.series_id, dataset.series_id[numbers])
    candidates = timestamps.distinct(numbers)  # `np.unique` hashes millions of them for seconds
    earliest = candidates[-1] - REACH * (candidates[-1] - candidates[0])
    while len(origins) < settings.origins and len(candidates) and candidates[-1] > earliest:
        origins.insert(0, int(candidates[-1]))
        candidates = candidates[candidates <= origins[0] - spacing]  # over a gap, the next one before it
    if len(origins) < max(2, settings.refits):
        raise UnrollError(f"{dataset.name}: {len(origins)} origins are too few for {settings.refits} fits; add rows")
    thinning = dataset.fitted.windows.stride if dataset.fitted else 1
    groups = []
    for group in np.array_split(origins, settings.refits):
        known = (numbers <= group[0] - every.step - reach) & ((group[0] - numbers) % thinning == 0)
        if not known.any():
            raise UnrollError(f"{dataset.name} has no window before the first origin; add rows")
        test = every.rows[np.isin(numbers, group)]
        groups.append(Fold(replace(every, rows=every.rows[known]), replace(every, rows=test)))
    return groups


def cross_validate(
    name: str, experiment: Experiment, dataset: Dataset, settings: Forecast, progress: Callable[[int, int], None]
) -> tuple["pd.DataFrame", Trained, Job]:
    """The forecasts of an experiment from all origins, and its last fit with what that was given.

    Args:
        name: of the experiment.
        experiment: with patience its epochs are chosen in the first fold (`with_best_epochs`), and are so many in all.
        dataset: the series, with the columns that the experiment sees.
        settings: how many origins and fits.
        progress: told which fit of how many begins.

    Returns:
        The table that the module's docstring describes, in the target's unit.
    """
    import pandas as pd

    tables, groups = [], folds(dataset, settings)
    experiment = with_best_epochs(name, experiment, dataset, groups[0].train)
    for number, fold in enumerate(groups, 1):
        progress(number, len(groups))
        trained, job = fit(name, experiment, dataset, fold.train, fold.test)
        for replicate in trained.replicates:
            forecasts = replicate.predictions["final_test"].reshape(len(fold.test), -1)
            forecasts = np.broadcast_to(
                forecasts, (len(fold.test), fold.test.outputs)
            )  # one value counts for all steps
            tables.append(table(dataset, fold.test, forecasts).assign(model=name, seed=replicate.seed))
    rows = pd.concat(tables).sort_values(["seed", "unique_id", "cutoff", "ds"], ignore_index=True)
    return rows[["unique_id", "ds", "cutoff", "model", "seed", "y", "y_hat"]], trained, job


def table(dataset: Dataset, origins: Windows, forecasts: Array) -> "pd.DataFrame":
    """unique_id, ds, cutoff, y and y_hat of forecasts (origins, steps) in model units; y is NaN where nothing was."""
    import pandas as pd

    ahead, count = origins.rows[:, None] + origins.ahead, origins.outputs
    ids = np.zeros(len(origins), int) if dataset.series_id is None else dataset.series_id[origins.rows]
    scales = dataset.scales
    std, mean = (np.array([getattr(scale, key) for scale in scales.values()])[ids, None] for key in ("std", "mean"))
    names = np.array([name or dataset.name for name in scales], object)
    moments = np.asarray(dataset.stamps)
    truth = origins.series[ahead, origins.target] * std + mean if dataset.truth is None else dataset.truth[ahead]
    return pd.DataFrame(
        {
            "unique_id": np.repeat(names[ids], count),
            "ds": moments[ahead].ravel(),
            "cutoff": np.repeat(moments[origins.rows - origins.step], count),
            "y": truth.ravel(),
            "y_hat": (np.asarray(forecasts, np.float64) * std + mean).ravel(),
        }
    )


def fit(
    name: str, experiment: Experiment, dataset: Dataset, train: Windows, test: Windows, *callbacks: Callback
) -> tuple[Trained, Job]:
    """An experiment trained on some windows, with its forecasts of others as "final_test", and what it was given.

    Raises:
        UnrollError: it looks back further than the windows, and the series has a gap.
    """
    if experiment.model.options.get("history") and dataset.stamps is not None and dataset.fitted:
        spacing = np.diff(timestamps.evenly(dataset.stamps, dataset.fitted.cleaning.rows))
        if (spacing != spacing[0]).any():
            raise UnrollError(f"{name}: `history` is for one series without gaps; leave it out")
    chosen = recipe(name, experiment)
    if experiment.training.method == "none":
        train = test  # nothing is learnt there, and all splits are answered
    elif not chosen.masks:
        train = without_holes(train)
    splits = {"train": seen_by(experiment, train), "test": seen_by(experiment, test)}
    job = replace(chosen.job(replace(dataset, splits={**splits}, scored=()), *callbacks), splits=("test",))
    return chosen.train(job), job


def with_best_epochs(name: str, experiment: Experiment, dataset: Dataset, train: Windows) -> Experiment:
    """The experiment for as many epochs as are best on the last of some windows, by its first seed; no patience."""
    if not experiment.training.options.get("patience"):
        return experiment
    chosen = recipe(name, experiment.model_copy(update={"seeds": experiment.seeds[:1]}))
    trained = chosen.train(chosen.job(validated(dataset, seen_by(experiment, train))))
    return with_epochs(experiment, trained.replicates[0].best_epoch or 1)


def validated(dataset: Dataset, train: Windows) -> Dataset:
    """The data set with some windows alone (`without_holes`), of which the last ones are for validation.

    `test` is validation again. Raises UnrollError if they are too few.
    """
    complete = without_holes(train)
    border = complete.rows[int((1 - VALIDATION) * len(complete))] if len(complete) > 1 else 0
    before = complete.rows[complete.rows < border - complete.ahead[-1]]
    if not len(before):
        raise UnrollError(f"{dataset.name}: there are too few windows before the first origin to validate by; add rows")
    validation = replace(complete, rows=complete.rows[complete.rows >= border])
    splits = {"train": replace(complete, rows=before), "validation": validation, "test": validation}
    return replace(dataset, splits={**splits}, scored=("validation",))


def without_holes(train: Windows) -> Windows:
    """For a method that takes no window with a missing target: those that have all, or, if these are fewer than half,
    all windows, with what was filled in as targets.
    """
    complete = train.complete()
    return complete if len(complete) >= ENOUGH * len(train) else replace(train, measured=None)


def with_epochs(experiment: Experiment, epochs: int) -> Experiment:
    """The experiment for so many epochs, whatever validation would say."""
    options = experiment.training.model_dump() | {"epochs": epochs, "patience": None}
    return experiment.model_copy(update={"training": type(experiment.training).model_validate(options)})


def seen_by(experiment: Experiment, chosen: Windows) -> Windows:
    """Windows as a model sees them: with `history` so many timesteps long, NaN where the series has not begun, and of
    a network with `last` no longer than these.
    """
    options = experiment.model.options
    if experiment.training.method == "gradient_descent" and options.get("last"):
        return replace(chosen, lookback=min(options["last"] * chosen.step, chosen.lookback))
    more = (options.get("history") or 0) * chosen.step - chosen.lookback
    if more <= 0:
        return chosen
    before = np.full((more, chosen.series.shape[1]), np.nan, chosen.series.dtype)
    series, measured = np.concatenate([before, chosen.series]), chosen.measured
    if measured is not None:
        measured = np.concatenate([np.zeros(more, bool), measured])
    shifted: dict[str, Any] = {"rows": chosen.rows + more, "lookback": chosen.lookback + more, "measured": measured}
    return replace(chosen, series=series, **shifted)


def first_seed(rows: "pd.DataFrame", name: str) -> "pd.DataFrame":
    """The rows of a model's first seed, in the order of series, cutoff and time."""
    own = rows[rows["model"] == name]
    return own[own["seed"] == own["seed"].iloc[0]].sort_values(["unique_id", "cutoff", "ds"])


def grids(forecasts: "pd.DataFrame", outputs: int) -> Iterator[tuple[str, Array]]:
    """Of a table of several models: name -> the mean over the seeds of its forecasts, (origins, steps)."""
    for name, rows in forecasts.groupby("model", sort=False):
        values = rows.groupby(["unique_id", "cutoff", "ds"], sort=True)["y_hat"].mean().to_numpy()
        yield str(name), values.reshape(-1, outputs)


def past(forecasts: "pd.DataFrame", names: Sequence[str], dataset: Dataset) -> dict[str, Array]:
    """Of a table `truth` (origins, steps) and `forecasts` (models, origins, steps) in model units, as `Forecaster` has
    them, and of several series `series_id` (origins,).
    """
    outputs = windows(dataset).outputs
    own, rows = forecasts[forecasts["model"].isin(names)], first_seed(forecasts, names[0])
    scales = {name or dataset.name: scale for name, scale in dataset.scales.items()}
    ids = rows["unique_id"].to_numpy()[::outputs]
    mean, std = (np.array([getattr(scales[key], part) for key in ids])[:, None] for part in ("mean", "std"))
    by_model = dict(grids(own, outputs))
    arrays = {
        "truth": (rows["y"].to_numpy().reshape(-1, outputs) - mean) / std,
        "forecasts": np.stack([(by_model[name] - mean) / std for name in names]),
    }
    return arrays | ({"series_id": np.array([[*scales].index(key) for key in ids])} if len(scales) > 1 else {})
