"""Intervals around forecasts, by split conformal prediction (docs/decisions/forecast-intervals.md).

Lei, G'Sell, Rinaldo, Tibshirani and Wasserman, "Distribution-free predictive inference for regression", JASA 113
(2018), section 2.2: the half width is a quantile of the absolute errors on examples that the model was not fitted to.
"""

import math

import numpy as np

from pipeline.data.dataset import Dataset
from pipeline.data.examples import Array
from pipeline.training.run_folder import Run

LEVELS = tuple(percent / 100 for percent in range(50, 100))
"""Shares of intervals that are to hold what comes."""

USUAL = 0.9


def errors(dataset: Dataset, run: Run, split: str) -> Array:
    """Absolute errors (n, steps ahead) of the mean forecast over the seeds, in model units.

    By the weights chosen on validation where they are.
    """
    targets = dataset.splits[split].targets
    return np.asarray(np.abs(mean_forecast(run, split) - targets).reshape(len(targets), -1))


def mean_forecast(run: Run, split: str) -> Array:
    """The mean over the seeds of what was predicted of a split: (n,) or (n, values), in model units."""
    return np.asarray(run.predictions[f"{run.points[-1]}_{split}"].mean(axis=0, dtype=np.float64))


def half_widths(errors: Array, level: float) -> Array:
    """(steps,) how far an interval of this level reaches to each side; infinite where too few errors are known.

    Args:
        errors: (n, steps) absolute.
        level: the share of intervals that are to hold what comes.
    """
    rank = math.ceil(round((len(errors) + 1) * level, 9))
    if rank > len(errors):
        return np.full(errors.shape[1], np.inf)
    return np.asarray(np.partition(errors, rank - 1, axis=0)[rank - 1])


def coverage(errors: Array, half_widths: Array) -> Array:
    """(steps,) the share of absolute errors (n, steps) that an interval of these half widths (steps,) holds."""
    return np.asarray((errors <= half_widths).mean(axis=0))


WEIGHT, RATE = 0.98, 0.1
"""How much less an origin's errors count than those of the next one; how fast the width follows what it missed (on real
files faster ones swing, docs/decisions/forecast-intervals.md)."""

FEWEST = 5
"""Origins whose errors are known before intervals are counted on."""


def adaptive(errors: Array, level: float, lag: int) -> tuple[Array, Array]:
    """Half widths from origin to origin, wider after misses and narrower after none.

    For each step the half width is the quantile of the absolute errors at this step and its neighbours from all origins
    before, later ones counting more (Barber and others 2023, arXiv 2202.13415), times one factor that follows the share
    of values that were missed (quantile tracking: Angelopoulos, Candes and Tibshirani 2023, arXiv 2307.16895).

    Args:
        errors: (origins, steps) absolute, in the order of time.
        level: the share of values that are to be held.
        lag: how many origins later the errors of one are all known.

    Returns:
        (origins + 1, steps) half widths, the last of them for what comes next, infinite where too few errors are known;
        and (origins, steps) bool, which values were held; of no meaning for the first `FEWEST` + `lag` - 1.
    """
    count, steps = errors.shape
    widths, held, factor = np.full((count + 1, steps), np.inf), np.zeros((count, steps), bool), 0.0
    near = np.clip(np.arange(steps)[:, None] + np.arange(-1, 2), 0, steps - 1)
    for origin in range(count + 1):
        known = max(0, origin - lag + 1)
        if known >= FEWEST:
            if known > FEWEST:
                factor += RATE / lag * ((~held[known - 1]).mean() - (1 - level))
            pool = errors[:known, near].swapaxes(0, 1).reshape(steps, -1)
            weights = WEIGHT ** np.arange(known)[::-1]
            count_of = weights.sum() ** 2 / (weights**2).sum()  # origins that would say as much if all counted the same
            rank = min(1.0, level * (1 + 1 / count_of))
            found = _quantiles(pool, np.repeat(weights, near.shape[1]), rank)
            widths[origin] = np.exp(np.clip(factor, -2, 2)) * found
        if origin < count:
            held[origin] = errors[origin] <= widths[origin]
    return widths, held


def _quantiles(values: Array, weights: Array, level: float) -> Array:
    """(rows,) of (rows, values) the least one that is not below a share `level` of all weight."""
    order = np.argsort(values, axis=1)
    reached = np.cumsum(weights[order], axis=1) / weights.sum()
    place = np.minimum((reached < level - 1e-9).sum(axis=1), values.shape[1] - 1)
    return np.asarray(np.take_along_axis(values, order, axis=1)[np.arange(len(values)), place])
