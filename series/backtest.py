"""Cross-validation by rolling origins: a model is fitted on the rows before some origins, and forecasts from each.

Tashman 2000, "Out-of-sample tests of forecasting accuracy", International Journal of Forecasting 16. The result is one
long table with a row for each forecast value, and the columns of Nixtla's utilsforecast:
`unique_id, ds, cutoff, model, seed, y, y_hat`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.config.params import Experiment, Forecast
from pipeline.data import row_calendar, timestamps
from pipeline.data.dataset import Dataset
from pipeline.data.examples import Array, Windows
from pipeline.data.series_options import Fitted, Windowing
from pipeline.errors import UnrollError
from pipeline.training.job import Callback, Job, Trained
from pipeline.training.recipe import recipe
from series.combination import known_after, weighted_median_forecast

if TYPE_CHECKING:
    import pandas as pd

ORIGINS_FRACTION = 0.5
"""Origins lie in this fraction of the windows, the last ones; the first fit has the other half."""

VALIDATION_FRACTION = 0.15
"""A network's number of epochs is chosen on this fraction of the first fold's train windows, the last ones."""

COMPLETE_FRACTION = 0.5
"""If fewer of the train windows have all their targets, those with filled-in targets are trained on, too."""

TABLE = "forecasts.parquet"

MOMENTS = ("mean", "std")
"""Of a `Scale`."""


@dataclass(frozen=True)
class Fold:
    """One fit, and the origins that it forecasts from.

    Attributes:
        train: the windows whose targets were all known at the first origin.
        test: a window for each origin.
    """

    train: Windows
    test: Windows


def windows(dataset: Dataset) -> Windows:
    """The windows of all splits; with step 1 also those between two splits, whose targets lie in both.

    Raises:
        UnrollError: the data set is not a series.
    """
    splits = [split for split in dataset.splits.values() if isinstance(split, Windows)]
    if not splits:
        raise UnrollError(f"{dataset.name} is no series")
    rows = np.concatenate([split.rows for split in splits])
    if (np.diff(rows) <= 0).any():
        rows = np.unique(rows)
    if splits[0].step == 1:
        candidates = np.arange(rows[0], rows[-1] + 1)
        after = np.searchsorted(rows, candidates)
        # Between windows at most `outputs` rows apart every target is known; a missing value leaves a wider gap.
        rows = candidates[(rows[after] == candidates) | (rows[after] - rows[after - 1] <= splits[0].outputs)]
    return replace(splits[0], rows=rows)


def stride(dataset: Dataset) -> int:
    """Rows from one origin to the next: those of a day, or one timestep if rows are a day or more apart."""
    return windows(dataset).step * max(1, dataset.period)


def delay(dataset: Dataset) -> Array:
    """(steps,) after how many origins an error is known."""
    whole = windows(dataset)
    return known_after(whole.outputs, whole.step, stride(dataset))


def folds(dataset: Dataset, settings: Forecast) -> list[Fold]:
    """Split the origins, `stride` rows apart from the last one back, into one fold for each fit.

    All series have the same origins.

    Raises:
        UnrollError: there are too few windows.
    """
    whole = windows(dataset)
    spacing, horizon, origins = stride(dataset), int(whole.ahead[-1]), list[int]()
    numbers = whole.rows  # counted in each series by itself, so that series with the same timestamps have the same
    if dataset.series_id is not None:
        numbers = numbers - np.searchsorted(dataset.series_id, dataset.series_id[numbers])
    candidates = timestamps.distinct(numbers)  # `np.unique` takes seconds for millions of rows
    earliest = candidates[-1] - ORIGINS_FRACTION * (candidates[-1] - candidates[0])
    while len(origins) < settings.origins and len(candidates) and candidates[-1] > earliest:
        origins.insert(0, int(candidates[-1]))
        candidates = candidates[candidates <= origins[0] - spacing]  # over a gap, the last one before it
    if len(origins) < max(2, settings.refits):
        raise UnrollError(f"{dataset.name}: {len(origins)} origins are too few for {settings.refits} fits; add rows")
    train_stride = dataset.fitted.windows.stride if dataset.fitted else 1
    groups = []
    for group in np.array_split(origins, settings.refits):
        train = (numbers <= group[0] - whole.step - horizon) & ((group[0] - numbers) % train_stride == 0)
        if not train.any():
            raise UnrollError(f"{dataset.name} has no window before the first origin; add rows")
        test = whole.rows[np.isin(numbers, group)]
        groups.append(Fold(replace(whole, rows=whole.rows[train]), replace(whole, rows=test)))
    return groups


def rows_needed(windows: Windowing, period: int, fits: int) -> int:
    """The least rows without a gap that `folds` takes, of a series with one half to train on."""
    span, later = windows.lookback + int(windows.ahead[-1]), int(windows.ahead[-1]) - windows.step
    between = (max(2, fits) - 1) * windows.step * max(1, period)  # from the first origin to the last
    return max(2 * span, span - 1 + max(2 * between + 2, between + windows.step + later + 1))


def cross_validate(
    name: str, experiment: Experiment, dataset: Dataset, settings: Forecast, progress: Callable[[int, int], None]
) -> tuple["pd.DataFrame", Trained, Job]:
    """Forecast from all origins: the table that the module's docstring describes, in the target's unit; the last fit.

    Args:
        name: of the experiment.
        experiment: with patience, the number of epochs is chosen in the first fold (`with_best_epochs`) for all.
        dataset: the series, with the columns that the experiment takes as inputs.
        settings: how many origins and fits.
        progress: called before each fit with its number, from 1, and their count.
    """
    import pandas as pd

    tables, groups = [], folds(dataset, settings)
    experiment = with_best_epochs(name, experiment, dataset, groups[0].train)
    for number, fold in enumerate(groups, 1):
        progress(number, len(groups))
        trained, job = fit(name, experiment, dataset, fold.train, fold.test)
        for replicate in trained.replicates:
            forecasts = table(dataset, fold.test, replicate.predictions["final_test"])
            tables.append(forecasts.assign(model=name, seed=replicate.seed))
    rows = pd.concat(tables).sort_values(["seed", "unique_id", "cutoff", "ds"], ignore_index=True)
    return rows[["unique_id", "ds", "cutoff", "model", "seed", "y", "y_hat"]], trained, job


def table(dataset: Dataset, origins: Windows, forecasts: Array) -> "pd.DataFrame":
    """Forecasts in model units -> unique_id, ds, cutoff, y and y_hat; y is NaN where nothing was measured.

    `forecasts` are (origins, steps), or (origins,) of a model with one output, who forecasts this value for all steps.
    """
    import pandas as pd

    ahead, count = origins.rows[:, None] + origins.ahead, origins.outputs
    ids = np.zeros(len(origins), int) if dataset.series_id is None else dataset.series_id[origins.rows]
    scales, floors = dataset.scales, [floor(dataset.fitted, name) for name in dataset.scales]
    mean, std = (np.array([getattr(scale, key) for scale in scales.values()])[ids, None] for key in MOMENTS)
    names = np.array([name or dataset.name for name in scales], object)
    moments = np.asarray(dataset.stamps)
    values = np.broadcast_to(np.reshape(forecasts, (len(origins), -1)), (len(origins), count)).astype(np.float64)
    truth = origins.series[ahead, origins.target] * std + mean if dataset.truth is None else dataset.truth[ahead]
    return pd.DataFrame(
        {
            "unique_id": np.repeat(names[ids], count),
            "ds": moments[ahead].ravel(),
            "cutoff": np.repeat(moments[origins.rows - origins.step], count),
            "y": truth.ravel(),
            "y_hat": np.maximum(values * std + mean, np.array(floors)[ids, None]).ravel(),
        }
    )


def floor(fitted: Fitted | None, series: str) -> float:
    """The least value that is forecast of a series, in its unit: 0 if none of its train rows lies below, else none."""
    if fitted is None or fitted.series[series].low[fitted.columns.index(fitted.csv.target)] < 0:
        return -np.inf
    return 0.0


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


def with_best_epochs(name: str, experiment: Experiment, dataset: Dataset, train: Windows) -> Experiment:
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


@dataclass(frozen=True)
class Origins:
    """The table of forecasts as arrays, in model units: a series' standard deviations from its mean.

    Attributes:
        rows: the table's rows of one model and seed, in the order of series, cutoff and time.
        series: (origins,) int, which of the data set's series an origin is of.
        mean, std: (origins, 1) of its series.
        truth: (origins, steps), NaN where nothing was measured.
        forecasts: name of a model -> (origins, steps), the mean over its seeds.
    """

    rows: "pd.DataFrame"
    series: Array
    mean: Array
    std: Array
    truth: Array
    forecasts: dict[str, Array]

    @classmethod
    def of(cls, dataset: Dataset, table: "pd.DataFrame") -> "Origins":
        """The arrays of a table, all of whose models forecast from the same origins."""
        ordered = table.sort_values(["seed", "unique_id", "cutoff", "ds"])
        by_model = {str(name): rows for name, rows in ordered.groupby("model", sort=False)}
        first, outputs, scales = next(iter(by_model.values())), windows(dataset).outputs, dataset.scales
        rows = first[first["seed"] == first["seed"].iloc[0]]
        names = [name or dataset.name for name in scales]
        series = np.array([names.index(name) for name in rows["unique_id"].to_numpy()[::outputs]])
        mean, std = (np.array([getattr(scale, key) for scale in scales.values()])[series, None] for key in MOMENTS)
        values = {"": rows["y"]} | {name: own["y_hat"] for name, own in by_model.items()}
        grids = {name: column.to_numpy().reshape(-1, len(series), outputs) for name, column in values.items()}
        units = {name: (grid.mean(axis=0) - mean) / std for name, grid in grids.items()}
        return cls(rows, series, mean, std, units.pop(""), units)

    def errors(self, name: str) -> Array:
        """(origins, steps) absolute errors of a model."""
        return np.asarray(np.abs(self.forecasts[name] - self.truth))

    def combined(self, names: Sequence[str], delay: Array) -> Array:
        """(origins, steps) the weighted median of some models, for each series by itself."""
        forecasts, combined = np.stack([self.forecasts[name] for name in names]), np.empty_like(self.truth)
        for own in (self.series == number for number in np.unique(self.series)):
            combined[own] = weighted_median_forecast(forecasts[:, own], self.truth[own], delay)
        return combined

    def arrays(self, names: Sequence[str]) -> dict[str, Array]:
        """`truth`, `forecasts` (models, origins, steps) of some models, and `series_id`, as a `Forecaster` has them."""
        forecasts = np.stack([self.forecasts[name] for name in names])
        return {"truth": self.truth, "forecasts": forecasts, "series_id": self.series}
