"""Cross-validation by rolling origins.

Models are fitted to the rows before some cutoffs, and forecast from each cutoff
(Tashman 2000, "Out-of-sample tests of forecasting accuracy", International Journal of
Forecasting 16). The result is one long table with a row for each forecast value. Its
columns are those of Nixtla's utilsforecast: `unique_id, ds, cutoff, model, seed, y,
y_hat`.

An *origin* is the window of a series that ends at a *cutoff*, the timestamp of its last
input.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from pipeline.data import timestamps
from pipeline.data.dataset import Dataset
from pipeline.data.examples import Array, Windows, ceil_div
from pipeline.errors import UnrollError
from pipeline.evaluation import scores
from unroll.series import prediction_intervals
from unroll.series.combination import known_after
from unroll.series.options import argument
from unroll.series.row_options import fitted_of, scales
from unroll.series.rows import ended

ORIGINS_SHARE = 0.5
"""Share of the windows, the last ones, in which origins lie.

The first fit has the other windows."""

MOST_ORIGINS = 200
"""Largest number of origins of a series, such as half a year of days."""

MOST_FORECASTS = 20_000
"""Largest number of origins of all series of a file together."""

FEWEST_ORIGINS = 12
"""Number of origins that each of many series keeps, if its rows suffice."""

REFITS = 3
"""Number of fits of each model on the way through the origins."""

FEWEST_ROWS = 4
"""Smallest number of rows of a whole series before an origin."""

FORECASTS = 120
"""Number of origins of all whole series together; a series has at least one."""

MOST_OF_WHOLE = 24
"""Largest number of origins of a whole series."""

COLUMNS = ["unique_id", "ds", "cutoff", "model", "seed", "y", "y_hat"]
"""The columns of the table of forecasts."""


@dataclass(frozen=True)
class Plan:
    """The origins that models forecast from.

    Attributes:
        origins: number of origins of each series.
        stride: rows from one origin to the next.
        refits: number of fits of each model; each forecasts from equally many origins.
        apart: whether each series has origins of its own, since models see whole series:
            the last of them lies a horizon before its end. A series may have fewer. All
            of them both choose models and compare them, and a series is a block.
        lag: rows of a recent change: those of the longest cycle of whole series, else 1.
    """

    origins: int
    stride: int
    refits: int = REFITS
    apart: bool = False
    lag: int = 1


@dataclass(frozen=True)
class Fold:
    """One fit of a model, and the origins that it forecasts from.

    Attributes:
        train: the windows whose targets were all known at the first origin.
        test: a window for each origin.
    """

    train: Windows
    test: Windows


def plan(dataset: Dataset, cycles: Sequence[int] = ()) -> Plan:
    """Spread origins evenly over the last half of the windows.

    Origins lie a day apart, or a timestep if rows lie a day or more apart. If they are
    too many, only every second, third, ... is taken. Such a distance shares no factor
    with a cycle, so that origins see all days of the cycle.

    Of a few whole series there are many origins, of a panel one for each series.

    Args:
        dataset: the series.
        cycles: timesteps of each cycle, such as a day and a week.

    Raises:
        UnrollError: there are too few windows.
    """
    if fitted_of(dataset).windows.whole:
        count = min(ceil_div(FORECASTS, len(scales(dataset))), MOST_OF_WHOLE)
        lag = max([1, *cycles])
        return Plan(origins=count, stride=1, refits=1, apart=True, lag=lag)
    every = windows(dataset)
    shared, first = _candidates(scores.shared_rows(dataset, every.rows))
    spacing = max(1, dataset.period)
    available = 1 + int((shared[-1] - first) // spacing)
    most = min(
        MOST_ORIGINS, max(FEWEST_ORIGINS, MOST_FORECASTS // len(scales(dataset)))
    )
    apart = math.ceil(available / most)
    days = [cycle // max(1, dataset.period) for cycle in cycles]
    while apart > 1 and any(math.gcd(apart, cycle) > 1 for cycle in days):
        apart += 1
    origins = len(_origins(shared, first, apart * spacing))
    if origins < 2:
        raise UnrollError(
            f"{dataset.name}: comparing models takes 2 cutoffs, {apart * spacing} rows "
            f"apart, and the rows suffice for {origins}; add rows"
        )
    return Plan(origins, apart * spacing, min(REFITS, origins))


def folds(dataset: Dataset, plan: Plan) -> list[Fold]:
    """Split the origins into one fold for each fit; all series have the same origins.

    Whole series have one fold, and origins of their own.

    Raises:
        UnrollError: there is no window before the first origin.
    """
    if plan.apart:
        return [_fold_of_wholes(dataset, plan)]
    every = windows(dataset)
    numbers = scores.shared_rows(dataset, every.rows)
    candidates, first = _candidates(numbers)
    origins = _origins(candidates, first, plan.stride)[-plan.origins :]
    horizon = int(every.ahead[-1])
    train_stride = fitted_of(dataset).windows.stride
    groups = []
    for group in np.array_split(origins, plan.refits):
        known = numbers <= group[0] - 1 - horizon
        kept = (group[0] - numbers) % train_stride == 0
        train = every.rows[known & kept]
        if not len(train):
            raise UnrollError(
                f"{dataset.name} has no window before the first cutoff; add rows"
            )
        test = every.rows[np.isin(numbers, group)]
        groups.append(Fold(replace(every, rows=train), replace(every, rows=test)))
    return groups


def _fold_of_wholes(dataset: Dataset, plan: Plan) -> Fold:
    """Return the windows at the origins of whole series, and those before.

    What is learnt from is known at the first origin of each series.
    """
    every = windows(dataset)
    ids = np.asarray(dataset.series_id)
    of_window = ids[every.rows]
    lengths = np.bincount(of_window)  # a window ends at each row
    number = every.rows - np.searchsorted(ids, of_window)  # of rows up to the end
    first = np.maximum(FEWEST_ROWS, lengths - every.outputs - plan.origins + 1)
    begin = first[of_window]
    end = np.minimum(first + plan.origins, lengths)[of_window]
    rows_before = np.arange(len(ids)) - np.searchsorted(ids, ids)
    measured = np.isfinite(np.asarray(dataset.truth)) & (rows_before < first[ids])
    train = replace(every, rows=every.rows[number < begin], measured=measured)
    origins = every.rows[(begin <= number) & (number < end)]
    if not len(origins):
        raise UnrollError(
            f"{dataset.name}: no series has rows enough for a cutoff; add rows, or pass "
            f"a smaller {argument('horizon')}"
        )
    return Fold(train, replace(every, rows=origins))


def recent(dataset: Dataset, plan: Plan) -> Array:
    """Return `prediction_intervals.recent` at each row of a data set: (rows, 2)."""
    ids = np.asarray(dataset.series_id)
    truth = np.asarray(dataset.truth)
    found = np.empty((len(ids), 2))
    for number, scale in enumerate(scales(dataset).values()):
        own = slice(*np.searchsorted(ids, [number, number + 1]))
        found[own] = prediction_intervals.recent(truth[own], plan.lag, scale.std)
    return found


def rows_at(dataset: Dataset, series: Array, cutoffs: Array) -> Array:
    """Return the rows (origins,) of a data set at some cutoffs.

    Args:
        dataset: the series.
        series: (origins,) the number of the series.
        cutoffs: (origins,) the timestamps of the last inputs.
    """
    ids = np.asarray(dataset.series_id)
    stamps = np.asarray(dataset.stamps)
    found = np.empty(len(series), int)
    for number in np.unique(series):
        first, last = np.searchsorted(ids, [number, number + 1])
        is_own = series == number
        found[is_own] = first + np.searchsorted(stamps[first:last], cutoffs[is_own])
    return found


def _candidates(numbers: Array) -> tuple[Array, float]:
    """Return the distinct row numbers, and the number after which origins lie."""
    # `np.unique` takes seconds for millions of rows
    distinct = timestamps.distinct(numbers)
    return distinct, distinct[-1] - ORIGINS_SHARE * (distinct[-1] - distinct[0])


def _origins(candidates: Array, first: float, stride: int) -> list[int]:
    """Return origins, at least `stride` rows apart, from the last candidate back."""
    origins = list[int]()
    while len(candidates) and candidates[-1] > first:
        origins.append(int(candidates[-1]))
        candidates = candidates[candidates <= origins[-1] - stride]
    return origins[::-1]


def windows(dataset: Dataset) -> Windows:
    """Return the windows of all splits.

    They include the windows between two splits, whose targets lie in both.
    """
    splits = [split for split in dataset.splits.values() if isinstance(split, Windows)]
    rows = np.concatenate([split.rows for split in splits])
    if (np.diff(rows) <= 0).any():
        rows = np.unique(rows)
    candidates = np.arange(rows[0], rows[-1] + 1)
    after = np.searchsorted(rows, candidates)
    # Between windows at most `outputs` rows apart all targets are known; a missing
    # value leaves a wider gap.
    close = rows[after] - rows[after - 1] <= splits[0].outputs
    return replace(splits[0], rows=candidates[(rows[after] == candidates) | close])


def to_refit(dataset: Dataset, plan: Plan) -> Fold:
    """Return the windows that a model is fitted to in the end, and the last ones.

    Of very many windows every second, third, ... is taken, the newest among them.
    """
    every = windows(dataset)
    if plan.apart:
        ids = np.asarray(dataset.series_id)[every.rows]
        is_last = np.append(np.diff(ids) > 0, True)
        train = replace(every, rows=every.rows[~is_last])
        return Fold(train, replace(every, rows=every.rows[is_last]))
    stride = fitted_of(dataset).windows.stride
    train = replace(every, rows=every.rows[::-stride][::-1])
    return Fold(train, replace(train, rows=train.rows[-1:]))


def delay(dataset: Dataset, stride: int) -> Array:
    """Return `known_after` for origins that lie `stride` rows apart."""
    return known_after(windows(dataset).outputs, stride)


def table(dataset: Dataset, origins: Windows, forecasts: Array) -> pd.DataFrame:
    """Return forecasts as a table of unique_id, ds, cutoff, y and y_hat.

    Args:
        dataset: the series.
        origins: the windows of the origins.
        forecasts: (origins, steps) in model units; or (origins,) of a model with one
            output, which stands for all steps.

    Returns:
        The table, in the target's unit; y is NaN where nothing was measured.
    """
    count = origins.outputs
    ahead = origins.rows[:, None] + origins.ahead  # (origins, steps)
    ids = np.asarray(dataset.series_id)[origins.rows]
    mean, std, lowest = _of_series(dataset, ids)
    over = _over(dataset)[origins.rows - 1, None]
    names = np.array([name or dataset.name for name in scales(dataset)], object)
    moments = np.asarray(dataset.stamps)
    by_origin = np.reshape(forecasts, (len(origins), -1)).astype(np.float64)
    values = np.broadcast_to(by_origin, (len(origins), count))
    values = np.where(over, 0.0, np.maximum(values * std + mean, lowest))
    return pd.DataFrame(
        {
            "unique_id": np.repeat(names[ids], count),
            "ds": moments[ahead].ravel(),
            "cutoff": np.repeat(moments[origins.rows - 1], count),
            "y": np.asarray(dataset.truth)[ahead].ravel(),
            "y_hat": values.ravel(),
        }
    )


def _over(dataset: Dataset) -> Array:
    """Return whether a series has ended by each row (rows,), so that 0 is forecast."""
    ids = np.asarray(dataset.series_id)
    found = np.zeros(len(ids), bool)
    fitted = fitted_of(dataset)
    for number, name in enumerate(fitted.series):
        if fitted.lowest(name) == 0:
            own = slice(*np.searchsorted(ids, [number, number + 1]))
            found[own] = ended(np.asarray(dataset.truth)[own], fitted.row)
    return found


def positions(dataset: Dataset, stamps: "pd.Series[Any]") -> Array:
    """Return the positions (n,) of timestamps in the cycle."""
    times = pd.DatetimeIndex(stamps)
    fitted = fitted_of(dataset)
    if fitted.csv.time_zone is not None:
        times = times.tz_localize("UTC").tz_convert(fitted.csv.time_zone)
    return fitted.positions(times)


def lowest_forecasts(dataset: Dataset) -> dict[str, float]:
    """Return unique_id of each series -> the smallest value that is forecast."""
    fitted = fitted_of(dataset)
    return {name or dataset.name: fitted.lowest(name) for name in fitted.series}


def arrays(
    dataset: Dataset, forecasts: pd.DataFrame, models: Sequence[str], plan: Plan
) -> dict[str, Array]:
    """Return the arrays of a `Forecaster` with some models as members.

    Values are in model units: standard deviations of a series from its mean.

    Args:
        dataset: the series.
        forecasts: unique_id, ds, cutoff, model, y and y_hat; the rows of each model in
            the order of series, cutoff and time.
        models: the members.
        plan: the origins.

    Returns:
        `truth` (origins, steps), NaN where nothing was measured; `forecasts` (models,
        origins, steps); `series_id` (origins,), the number of each origin's series in
        the data set; `positions` (origins, steps) in the cycle; and `recent` (origins,
        2).
    """
    steps = windows(dataset).outputs
    by_model = [forecasts[forecasts["model"] == name] for name in models]
    names = [name or dataset.name for name in scales(dataset)]
    numbers = {name: number for number, name in enumerate(names)}
    series_id = by_model[0]["unique_id"].map(numbers).to_numpy()[::steps]
    mean, std, _ = _of_series(dataset, series_id)

    def in_model_units(column: "pd.Series[float]") -> Array:
        return np.asarray((column.to_numpy().reshape(-1, steps) - mean) / std)

    places = positions(dataset, by_model[0]["ds"])
    cutoffs = by_model[0]["cutoff"].to_numpy()[::steps]
    return {
        "truth": in_model_units(by_model[0]["y"]),
        "forecasts": np.stack([in_model_units(rows["y_hat"]) for rows in by_model]),
        "series_id": series_id,
        "positions": places.reshape(-1, steps).astype(np.int16),
        "recent": recent(dataset, plan)[rows_at(dataset, series_id, cutoffs)],
    }


def _of_series(dataset: Dataset, ids: Array) -> tuple[Array, Array, Array]:
    """Return the mean, the standard deviation and the floor (n, 1) of series (n,)."""
    mean = np.array([scale.mean for scale in scales(dataset).values()])
    std = np.array([scale.std for scale in scales(dataset).values()])
    lowest = np.array([*lowest_forecasts(dataset).values()])
    return mean[ids, None], std[ids, None], lowest[ids, None]
