"""Scores of forecasts: mean absolute error, weighted quantile loss,
coverage.

Arrays are (series, origins, steps), those of quantiles (series, origins, steps,
quantiles). Values that are missing are left out.
"""

import numpy as np

from pipeline.data.examples import Array

LEVELS = (0.5, 0.8, 0.9)
"""The coverages of the prediction intervals that are compared."""

QUANTILES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
"""The ends of the intervals, with the forecast as the median."""


def mean_absolute_error(truth: Array, forecasts: Array) -> float:
    """Compute the mean absolute error over all series, origins and steps."""
    return float(np.nanmean(np.abs(truth - forecasts)))


def weighted_quantile_loss(truth: Array, quantiles: Array) -> float:
    """Compute twice the pinball loss over the sum of |truth|, its mean over
    `QUANTILES`.

    GluonTS has the same measure; 0 is perfect. A forecast without intervals, all
    quantiles equal, scores its MAE over the mean of |truth|.
    """
    levels = np.array(QUANTILES)
    error = truth[..., None] - quantiles  # (series, origins, steps, quantiles)
    loss = np.maximum(levels * error, (levels - 1) * error)
    total = np.nansum(loss, axis=(0, 1, 2))  # (quantiles,)
    return float(np.mean(2 * total) / np.nansum(np.abs(truth)))


def coverage(truth: Array, quantiles: Array) -> float:
    """Compute the fraction of values that lie inside the widest intervals."""
    inside = (truth >= quantiles[..., 0]) & (truth <= quantiles[..., -1])
    return float(inside[np.isfinite(truth)].mean())


def conformal(forecasts: Array, earlier: Array, floor: float) -> Array:
    """Make quantiles of a model that has none, by its errors at earlier origins (split
    conformal).

    Args:
        forecasts: (series, origins, steps).
        earlier: (series, earlier origins, steps) errors, NaN where the value is
            missing.
        floor: no quantile lies below it.

    Returns:
        (series, origins, steps, quantiles), symmetric about the forecast.
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
