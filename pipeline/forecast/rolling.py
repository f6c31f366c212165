"""Rolling origins: each model fitted on what came before, asked from one origin after the other, and whom to follow.

Tashman 2000, "Out-of-sample tests of forecasting accuracy", International Journal of Forecasting 16.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.config.params import Experiment
from pipeline.data import several, stamps
from pipeline.data.dataset import Dataset
from pipeline.data.examples import Array, Windows
from pipeline.errors import UnrollError
from pipeline.evaluation import conformal
from pipeline.training.job import Callback, Trained
from pipeline.training.recipe import recipe
from pipeline.training.run_folder import Run

MOST, FEW = 0.25, 28
"""The share of all windows that origins may be spread over; twice that while they are so few."""


@dataclass(frozen=True)
class Fold:
    """Origins that are asked of one fit.

    Attributes:
        train: windows whose targets had all come when the first of them was asked.
        asked: a window for each origin.
    """

    train: Windows
    asked: Windows


def whole(dataset: Dataset) -> Windows:
    """The windows of all splits, and of rows without a step those whose targets lie on both sides of a border.

    Raises:
        UnrollError: it is no series.
    """
    splits = [split for split in dataset.splits.values() if isinstance(split, Windows)]
    if not splits:
        raise UnrollError(f"{dataset.name} is no series")
    rows = np.unique(np.concatenate([split.rows for split in splits]))
    if splits[0].step == 1:
        every = np.arange(rows[0], rows[-1] + 1)
        later = np.searchsorted(rows, every)
        # Two windows so near have all targets of those between; a value that is not known leaves a wider gap.
        rows = every[(rows[later] == every) | (rows[later] - rows[later - 1] <= splits[0].outputs)]
    return replace(splits[0], rows=rows)


def stride(dataset: Dataset) -> int:
    """Rows from one origin to the next: a day, of daily rows and longer ones a timestep."""
    return whole(dataset).step * max(1, dataset.period)


def folds(dataset: Dataset, origins: int, refits: int) -> list[Fold]:
    """The last origins of a series, one a day, in as many groups as there are fits; several series have the same ones.

    Raises:
        UnrollError: there are too few windows.
    """
    windows, apart = whole(dataset), stride(dataset)
    times, reach, chosen = windows.rows % several.length(dataset), int(windows.ahead[-1]), list[int]()
    rows = np.unique(times)
    few, enough = (rows[-1] - share * (rows[-1] - rows[0]) for share in (2 * MOST, MOST))
    while len(chosen) < origins and len(rows) and rows[-1] > (few if len(chosen) < FEW else enough):
        chosen.insert(0, int(rows[-1]))
        rows = rows[rows <= rows[-1] - apart]  # where targets are missing, the next one is the one before that has all
    if len(chosen) < refits:
        raise UnrollError(f"{dataset.name}: {len(chosen)} origins are too few for {refits} fits; add rows")
    found = []
    for group in np.array_split(chosen, refits):
        train = windows.rows[times <= group[0] - windows.step - reach]
        if not len(train):
            raise UnrollError(f"{dataset.name} has no window before the first origin; add rows")
        asked = windows.rows[np.isin(times, group)]
        found.append(Fold(replace(windows, rows=train), replace(windows, rows=asked)))
    return found


def entrants(dataset: Dataset, candidates: Mapping[str, Experiment], runs: Mapping[str, Run]) -> list[str]:
    """Who takes part: every model, but of the networks only the best on validation, since each fit takes minutes."""
    networks = {name: run for name, run in runs.items() if run.summary.layers}
    found = [name for name in candidates if name not in networks]
    if not networks:
        return found
    errors = {name: float(conformal.errors(dataset, run, "validation").mean()) for name, run in networks.items()}
    return [*found, min(errors, key=errors.__getitem__)]


def forecast(name: str, experiment: Experiment, dataset: Dataset, fold: Fold) -> Array:
    """(origins, steps) in model units, of a fold; the mean over the seeds. One value for all steps counts for each."""
    trained = fit(name, experiment, dataset, fold.train, fold.asked)
    found = np.mean([each.predictions["final_test"] for each in trained.replicates], axis=0, dtype=np.float64)
    return np.broadcast_to(found.reshape(len(fold.asked), -1), (len(fold.asked), fold.asked.outputs))


def fit(
    name: str, experiment: Experiment, dataset: Dataset, train: Windows, asked: Windows, *callbacks: Callback
) -> Trained:
    """An experiment trained on some windows and asked at others; its predictions are "final_test".

    A network has as many epochs as it is to have (`settled`). The windows' own series may have more columns than that
    of `dataset`, which are those that the experiment sees.

    Raises:
        UnrollError: it looks back further than the windows, and the series has a gap.
    """
    if experiment.model.options.get("history") and dataset.stamps is not None and dataset.fitted:
        apart = np.diff(stamps.evenly(dataset.stamps, dataset.fitted.options.get("rows")))
        if (apart != apart[0]).any():
            raise UnrollError(f"{name}: `history` is for one series without gaps; leave it out")
    if experiment.training.method == "none":
        train = asked  # nothing is learnt there, and all splits are answered
    series = whole(dataset).series
    parts = {"train": train, "test": asked}
    splits = {split: seen_by(experiment, replace(one, series=series)) for split, one in parts.items()}
    chosen = recipe(name, experiment)
    return chosen.train(chosen.job(replace(dataset, splits={**splits}, scored=()), *callbacks))


def seen_by(experiment: Experiment, windows: Windows) -> Windows:
    """Windows as a model sees them: with `history` so many timesteps long, NaN where the series has not begun."""
    more = (experiment.model.options.get("history") or 0) * windows.step - windows.lookback
    if more <= 0:
        return windows
    before = np.full((more, windows.series.shape[1]), np.nan, windows.series.dtype)
    series = np.concatenate([before, windows.series])
    return replace(windows, series=series, rows=windows.rows + more, lookback=windows.lookback + more)


def settled(experiment: Experiment, best_epochs: Sequence[int] | None) -> Experiment:
    """The experiment without validation: for as many epochs as were best before, at the median of the seeds."""
    if not best_epochs:
        return experiment
    options = experiment.training.model_dump() | {"epochs": round(float(np.median(best_epochs))), "patience": None}
    return experiment.model_copy(update={"training": type(experiment.training).model_validate(options)})
