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
