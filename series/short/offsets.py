"""Prediction intervals of short series, from the errors of all series together.

A short series has too few errors for quantiles of its own. So its errors are divided by
the size of its usual changes, and the quantiles are those of all series (split conformal
prediction; Lei and others 2018, JASA 113).
"""

from collections.abc import Sequence

import numpy as np

from pipeline.data.examples import Array

FEWEST_SCORES = 20
"""Smallest number of errors of an interval, if there are as many at all."""


def offsets(scores: Array, levels: Sequence[float]) -> Array:
    """Return the ends of intervals, in sizes of usual changes.

    An interval is made from the errors at its step and at the steps beside it, as far
    away as needed. Beyond the last step with an error it grows with the square root of
    the time ahead.

    Args:
        scores: (cutoffs, horizon) truth minus forecast, in sizes of usual changes; NaN
            where nothing was measured.
        levels: coverages of central intervals.

    Returns:
        (horizon, 2 * levels) in ascending order; infinite if there is no error.
    """
    steps = scores.shape[1]
    ascending = np.sort(levels)
    known = np.flatnonzero(np.isfinite(scores).any(axis=0))
    ends = np.full((steps, 2 * len(levels)), np.inf)
    ends[:, : len(levels)] = -np.inf
    if not len(known):
        return ends
    for step in range(steps):
        nearest = min(step, int(known[-1]))
        own = _around(scores, nearest)
        # The largest of n errors bounds a new one with probability n / (n + 1) only.
        tails = np.minimum((1 + ascending) / 2 * (1 + 1 / len(own)), 1.0)
        growth = np.sqrt((step + 1) / (nearest + 1))
        low = np.minimum(np.quantile(own, 1 - tails), 0.0)
        high = np.maximum(np.quantile(own, tails), 0.0)
        ends[step] = growth * np.concatenate([low[::-1], high])
    return ends


def _around(scores: Array, step: int) -> Array:
    """Return the errors at a step and beside it."""
    own = np.array([])
    for width in range(1, scores.shape[1] + 1):
        some = scores[:, max(0, step - width) : step + width + 1]
        own = some[np.isfinite(some)]
        if len(own) >= FEWEST_SCORES:
            break
    return own
