"""Several models' forecasts as one: a median in which each weighs by how small its errors were, moved by the last ones.

Weights by inverse errors: Bates and Granger 1969, "The combination of forecasts", Operational Research Quarterly 20. A
share of the last errors is added to the next forecast: Clements and Hendry 1996, "Intercept corrections and structural
change", Journal of Applied Econometrics 11.
"""

import numpy as np

from pipeline.data.examples import Array
from pipeline.forecast.origins import come, discounted

KEPT, POWER, NEAR = 0.95, 4, 2.0
"""What an origin weighs as a share of the next one, the power of a model's MAE, and how many steps around one count."""

PRIOR = 3
"""Origins' worth of the mean model's errors that those of each one are drawn to."""

CARRIED, FADING = 0.3, 0.3
"""The share of the last errors that is added, and what one of them weighs as a share of the next. Errors beyond the
usual size count as that: a day like no other is not to be expected again."""


def combined(forecasts: Array, truth: Array, known: Array) -> Array:
    """What several models say at each origin, by the errors that are known there.

    Args:
        forecasts: (models, origins, steps), in the order of time.
        truth: (origins, steps), NaN where nothing was measured, or not yet.
        known: (steps,) after how many origins an error is known, as `origins.later` gives it.

    Returns:
        (origins, steps); of one model alone what it says.
    """
    if len(forecasts) == 1:
        return np.asarray(forecasts[0])
    steps = np.arange(truth.shape[1])
    near = np.exp(-0.5 * ((steps[:, None] - steps) / NEAR) ** 2)
    near /= near.sum(axis=0)
    missed, counted = (each @ near for each in discounted(np.abs(come(truth - forecasts, known)), KEPT))
    mean = missed.sum(axis=0) / np.maximum(counted.sum(axis=0), 1e-12)
    mae = (missed + PRIOR * mean) / (counted + PRIOR)
    found = weighted_median(forecasts, np.where(mae > 0, mae.min(axis=0) / np.where(mae > 0, mae, 1.0), 1.0) ** POWER)
    came = come(truth - found, known)
    size, values = (each.sum(axis=1, keepdims=True) for each in discounted(np.abs(came), KEPT))
    usual = size / np.maximum(values, 1e-12)
    last, weight = discounted(np.clip(came, -usual, usual), FADING)
    return np.asarray(found + CARRIED * last / (weight + CARRIED))


def weighted_median(values: Array, weights: Array) -> Array:
    """(...) of (models, ...) the value with half of all weight on either side, between two of them in proportion.

    With equal weights it is the median.
    """
    order = np.argsort(values, axis=0)
    values, weights = (np.take_along_axis(each, order, axis=0) for each in (values, weights))
    reached = (np.cumsum(weights, axis=0) - weights / 2) / weights.sum(axis=0)  # at the middle of each one's weight
    above = np.clip((reached < 0.5).sum(axis=0, keepdims=True), 1, len(values) - 1)
    (low, high), (before, after) = (
        [np.take_along_axis(each, place, axis=0)[0] for place in (above - 1, above)] for each in (values, reached)
    )
    share = np.clip((0.5 - before) / np.maximum(after - before, 1e-12), 0, 1)
    return np.asarray(low + share * (high - low))
