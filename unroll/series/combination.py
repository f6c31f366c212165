"""Forecast combination: the weighted median of several models, with an intercept
correction; their weighted mean, if the mean is forecast; or a mean with fixed shares.

Series that are cut into windows have errors enough to weigh models by. Whole series have
too few, so their shares are fixed: half for models of one series, half for the global
network (`fixed_shares`).

Weights by discounted inverse errors: Bates and Granger 1969, "The combination of
forecasts", Operational Research Quarterly 20. The median of models: Stock and Watson
2004, "Combination forecasts of output growth", Journal of Forecasting 23. Adding a part
of the last errors is the intercept correction of Clements and Hendry 1996, "Intercept
corrections and structural change", Journal of Applied Econometrics 11.

Arrays of errors end in the axes (origins, steps); axes before them are series.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.data.examples import Array, ceil_div
from unroll.series.options import Objective
from unroll.series.pairwise import POWER

ENSEMBLE = "combination"
"""The name of the combination in the table of models."""

DECAY = 0.95
"""The weight of an origin relative to the next one."""

WEIGHT_POWER = 4
"""A model's weight is its inverse mean error to this power.

Errors are absolute, or squared if the mean is forecast."""

BANDWIDTH = 2.0
"""Standard deviation, in steps, of the normal kernel over the steps ahead."""

PRIOR_ORIGINS = 3
"""Number of origins, with the mean model's error, that each model begins with."""

CORRECTION = 0.15
"""The part of the last errors that is added.

Larger errors than usual are cut to the usual size, since a rare day does not repeat."""

CORRECTION_DECAY = 0.3
"""The weight of an error relative to the next one, in the correction."""

MOST_WAITING = 16_000_000
"""The most forecasts of all models whose errors are not known yet; each takes about 100
bytes."""

MOST_VALUES = 1_000_000
"""Number of forecasts that are combined at a time; more would need much memory."""

TINY = 1e-12
"""A small divisor in place of 0."""


def fixed_shares(is_global: Mapping[str, bool]) -> dict[str, float]:
    """Return the share of each model of whole series; all shares are 1 together.

    Models of one series have half together, and global networks the other half.

    Args:
        is_global: name of a model -> whether it learns from all series.
    """
    kinds = [*is_global.values()]
    halves = len({*kinds})
    return {name: 1 / (halves * kinds.count(kind)) for name, kind in is_global.items()}


def combined(
    forecasts: Array,
    truth: Array,
    series: Array,
    delay: Array,
    objective: Objective,
    shares: Sequence[float] = (),
) -> Array:
    """Return the combination of several models' forecasts, for each series by itself.

    Args:
        forecasts: (models, origins, steps), of each series in the order of time.
        truth: (origins, steps), NaN where nothing was measured.
        series: (origins,) the series of each origin; those of a series stand together.
        delay: (steps,) number of origins after which an error is known
            (`known_after`).
        objective: "median" or "mean" of the forecasts.
        shares: (models,) as for `weighted_forecast`.

    Returns:
        (origins, steps).
    """
    result = np.empty(truth.shape)
    for rows in stacks(series):
        count = max(1, MOST_VALUES // max(1, forecasts[:, rows[0]].size))
        for start in range(0, len(rows), count):
            some = rows[start : start + count]  # (series, origins)
            result[some] = weighted_forecast(
                forecasts[:, some], truth[some], delay, objective, shares
            )
    return result


def stacks(series: Array) -> list[Array]:
    """Group the series that have equally many origins.

    Args:
        series: (origins,) the series of each origin; those of a series stand together.

    Returns:
        An array (series, origins) for each group: the places of the series' origins.
    """
    _, first, counts = np.unique(series, return_index=True, return_counts=True)
    return [
        first[counts == count][:, None] + np.arange(count)
        for count in np.unique(counts)
    ]


def weighted_forecast(
    forecasts: Array,
    truth: Array,
    delay: Array,
    objective: Objective,
    shares: Sequence[float] = (),
) -> Array:
    """Return the combination at each origin, by the errors that are known there.

    Args:
        forecasts: (models, ..., origins, steps), in the order of time.
        truth: (..., origins, steps), NaN where nothing was measured, or not yet.
        delay: (steps,) number of origins after which an error is known
            (`known_after`).
        objective: "median" or "mean" of the forecasts.
        shares: (models,) fixed weights, whose sum is 1, of a mean; empty for weights by
            errors.

    Returns:
        (..., origins, steps); the forecasts of a single model stay as they are.
    """
    if len(forecasts) == 1:
        return np.asarray(forecasts[0])
    if shares:
        return np.asarray(np.tensordot(shares, forecasts, axes=1))
    steps = np.arange(truth.shape[-1])
    # (steps, steps)
    kernel = np.exp(-0.5 * ((steps[:, None] - steps) / BANDWIDTH) ** 2)
    kernel /= kernel.sum(axis=0)
    # (models, ..., origins, steps)
    losses = np.abs(truth - forecasts) ** POWER[objective]
    sums, counts = discounted(when_known(losses, delay), DECAY)
    errors = sums @ kernel
    weights = counts @ kernel
    mean = errors.sum(axis=0) / np.maximum(weights.sum(axis=0), TINY)
    loss = (errors + PRIOR_ORIGINS * mean) / (weights + PRIOR_ORIGINS)
    relative = np.where(loss > 0, loss.min(axis=0) / np.where(loss > 0, loss, 1.0), 1.0)
    weights = relative**WEIGHT_POWER
    if objective == "mean":
        return np.asarray((weights * forecasts).sum(axis=0) / weights.sum(axis=0))
    median = weighted_median(forecasts, weights)
    return np.asarray(median + _correction(truth - median, delay))


def _correction(errors: Array, delay: Array) -> Array:
    """Return the intercept correction at each origin, by the errors known there.

    Args:
        errors: (..., origins, steps) truth minus forecast.
        delay: (steps,) number of origins after which an error is known.
    """
    last = when_known(errors, delay)
    sizes, counts = discounted(np.abs(last), DECAY)
    count = np.maximum(counts.sum(axis=-1, keepdims=True), TINY)
    usual = sizes.sum(axis=-1, keepdims=True) / count
    recent, weight = discounted(np.clip(last, -usual, usual), CORRECTION_DECAY)
    return np.asarray(CORRECTION * recent / (weight + CORRECTION))


def weighted_median(values: Array, weights: Array) -> Array:
    """Return the value with half of all weight on either side.

    Args:
        values: (models, ...).
        weights: (models, ...).

    Returns:
        (...), interpolated between two values; with equal weights the median.
    """
    order = np.argsort(values, axis=0)
    values = np.take_along_axis(values, order, axis=0)
    weights = np.take_along_axis(weights, order, axis=0)
    middles = (np.cumsum(weights, axis=0) - weights / 2) / weights.sum(axis=0)
    above = np.clip((middles < 0.5).sum(axis=0, keepdims=True), 1, len(values) - 1)
    low = np.take_along_axis(values, above - 1, axis=0)[0]
    high = np.take_along_axis(values, above, axis=0)[0]
    before = np.take_along_axis(middles, above - 1, axis=0)[0]
    after = np.take_along_axis(middles, above, axis=0)[0]
    fraction = np.clip((0.5 - before) / np.maximum(after - before, TINY), 0, 1)
    return np.asarray(low + fraction * (high - low))


def known_after(outputs: int, stride: int) -> Array:
    """Return (steps,) the number of origins after which an error is known.

    Args:
        outputs: the number of steps ahead.
        stride: rows from one origin to the next.
    """
    return np.asarray(ceil_div(np.arange(1, outputs + 1), stride))


def require_memory(models: int, delay: Array) -> None:
    """Raise ValueError if combining models takes over 2 GB of memory.

    Args:
        models: the number of models.
        delay: (steps,) number of origins after which an error is known.
    """
    values = models * int(delay[-1]) * len(delay)
    if values > MOST_WAITING:
        raise ValueError(
            f"{len(delay):,} values ahead, of which the errors are known after "
            f"{delay[-1]:,} forecasts, take too much memory for {models} models"
        )


def when_known(errors: Array, delay: Array) -> Array:
    """Return the errors (..., origins, steps) that become known at each origin.

    They are NaN where no error becomes known.
    """
    origins = np.arange(errors.shape[-2])[:, None] - delay
    known = errors[..., np.maximum(origins, 0), np.arange(len(delay))]
    return np.asarray(np.where(origins >= 0, known, np.nan))


def discounted(errors: Array, decay: float) -> tuple[Array, Array]:
    """Sum up the errors up to each origin, without NaN; older errors weigh less.

    Args:
        errors: (..., origins, steps).
        decay: the weight of an origin relative to the next one.

    Returns:
        (..., origins, steps) the weighted sums, and the sums of the weights.
    """
    measured = np.isfinite(errors)
    sums = np.where(measured, errors, 0.0)
    weights = measured.astype(np.float64)
    for origin in range(1, errors.shape[-2]):
        sums[..., origin, :] += decay * sums[..., origin - 1, :]
        weights[..., origin, :] += decay * weights[..., origin - 1, :]
    return sums, weights
