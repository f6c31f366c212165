"""Forecast combination: the weighted median of several models' forecasts, with an intercept correction.

Weights by discounted inverse errors: Bates and Granger 1969, "The combination of forecasts", Operational Research
Quarterly 20; the median of models: Stock and Watson 2004, "Combination forecasts of output growth", Journal of
Forecasting 23. Adding a part of the last errors is the intercept correction of Clements and Hendry 1996, "Intercept
corrections and structural change", Journal of Applied Econometrics 11.
"""

import numpy as np

from pipeline.data.examples import Array

DECAY, POWER, BANDWIDTH = 0.95, 4, 2.0
"""The weight of an origin relative to the next one, the power of a model's MAE, and how many steps around one count."""

PRIOR_ORIGINS = 3
"""Origins at the mean model's MAE that each model begins with."""

CORRECTION, CORRECTION_DECAY = 0.15, 0.3
"""The part of the last errors that is added, and the weight of one of them relative to the next. Errors beyond the
usual size count as that: a day like no other is not to be expected again."""


def weighted_median_forecast(forecasts: Array, truth: Array, delay: Array) -> Array:
    """The combination of several models' forecasts at each origin, by the errors that are known there.

    Args:
        forecasts: (models, origins, steps), in the order of time.
        truth: (origins, steps), NaN where nothing was measured, or not yet.
        delay: (steps,) after how many origins an error is known, as `known_after` gives it.

    Returns:
        (origins, steps); of one model alone its forecasts.
    """
    if len(forecasts) == 1:
        return np.asarray(forecasts[0])
    steps = np.arange(truth.shape[1])
    kernel = np.exp(-0.5 * ((steps[:, None] - steps) / BANDWIDTH) ** 2)
    kernel /= kernel.sum(axis=0)
    known = when_known(np.abs(truth - forecasts), delay)
    errors, weights = (sums @ kernel for sums in discounted(known, DECAY))
    mean = errors.sum(axis=0) / np.maximum(weights.sum(axis=0), 1e-12)
    mae = (errors + PRIOR_ORIGINS * mean) / (weights + PRIOR_ORIGINS)
    relative = np.where(mae > 0, mae.min(axis=0) / np.where(mae > 0, mae, 1.0), 1.0)
    median = weighted_median(forecasts, relative**POWER)
    last = when_known(truth - median, delay)
    sizes, counts = (sums.sum(axis=1, keepdims=True) for sums in discounted(np.abs(last), DECAY))
    usual = sizes / np.maximum(counts, 1e-12)
    recent, weight = discounted(np.clip(last, -usual, usual), CORRECTION_DECAY)
    return np.asarray(median + CORRECTION * recent / (weight + CORRECTION))


def weighted_median(values: Array, weights: Array) -> Array:
    """(...) of (models, ...) the value with half of all weight on either side, between two of them in proportion.

    With equal weights it is the median.
    """
    order = np.argsort(values, axis=0)
    values, weights = (np.take_along_axis(array, order, axis=0) for array in (values, weights))
    middles = (np.cumsum(weights, axis=0) - weights / 2) / weights.sum(axis=0)
    above = np.clip((middles < 0.5).sum(axis=0, keepdims=True), 1, len(values) - 1)
    (low, high), (before, after) = (
        [np.take_along_axis(array, index, axis=0)[0] for index in (above - 1, above)] for array in (values, middles)
    )
    fraction = np.clip((0.5 - before) / np.maximum(after - before, 1e-12), 0, 1)
    return np.asarray(low + fraction * (high - low))


def known_after(outputs: int, step: int, stride: int) -> Array:
    """(steps,) how many origins later an error is known; steps are `step` rows apart, and origins `stride` rows."""
    return np.asarray(-(-np.arange(1, outputs + 1) * step // stride))


def when_known(errors: Array, delay: Array) -> Array:
    """(..., origins, steps): the errors that become known at each origin; NaN where none does."""
    origins = np.arange(errors.shape[-2])[:, None] - delay
    known = errors[..., np.maximum(origins, 0), np.arange(len(delay))]
    return np.asarray(np.where(origins >= 0, known, np.nan))


def discounted(errors: Array, decay: float) -> tuple[Array, Array]:
    """(..., origins, steps) -> sums of the errors up to each origin, each worth `decay` of the next, and of weights."""
    measured = np.isfinite(errors)
    sums, weights = np.where(measured, errors, 0.0), measured.astype(np.float64)
    for origin in range(1, errors.shape[-2]):
        for running in (sums, weights):
            running[..., origin, :] += decay * running[..., origin - 1, :]
    return sums, weights
