"""Scores of forecasts: mean absolute error, weighted quantile loss and coverage.

Arrays are (series, origins, steps). Arrays of quantiles are (series, origins, steps,
quantiles). Missing values are left out.
"""

import numpy as np

from pipeline.data.examples import Array
from unroll.series import prediction_intervals

LEVELS = (0.5, 0.8, 0.9)
"""The coverages of the prediction intervals that are compared."""

QUANTILES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
"""The quantiles at the ends of the intervals, and the median, which is the forecast."""


def mean_absolute_error(truth: Array, forecasts: Array) -> float:
    """Return the mean absolute error over all series, origins and steps."""
    return float(np.nanmean(np.abs(truth - forecasts)))


def weighted_quantile_loss(truth: Array, quantiles: Array) -> float:
    """Return `prediction_intervals.weighted_quantile_loss` over the `QUANTILES`."""
    known = np.isfinite(truth)
    return (
        prediction_intervals.weighted_quantile_loss(
            truth[known], quantiles[known], QUANTILES
        )
        or 0.0
    )


def coverage(truth: Array, quantiles: Array) -> float:
    """Return the fraction of values that lie inside the widest intervals."""
    inside = (truth >= quantiles[..., 0]) & (truth <= quantiles[..., -1])
    return float(inside[np.isfinite(truth)].mean())


def conformal(forecasts: Array, earlier: Array, floor: float) -> Array:
    """Return quantiles by split conformal prediction, for a model that has none.

    Args:
        forecasts: (series, origins, steps).
        earlier: errors at earlier origins (series, earlier origins, steps), NaN where
            the value is missing.
        floor: the lowest possible quantile.

    Returns:
        Quantiles (series, origins, steps, quantiles), symmetric about the forecast.
    """
    errors = np.abs(earlier)
    count = errors.shape[1]
    widths = []
    for level in LEVELS:
        corrected = min(1.0, level * (1 + 1 / count))
        widths.append(np.nanquantile(errors, corrected, axis=1, method="inverted_cdf"))
    narrow_first = np.stack(widths, axis=-1)[:, None]  # (series, 1, steps, levels)
    median = forecasts[..., None]
    lower = median - narrow_first[..., ::-1]
    upper = median + narrow_first
    return np.asarray(
        np.maximum(np.concatenate([lower, median, upper], axis=-1), floor)
    )
