"""Intervals around forecasts from rolling origins: conformal, by step, scaled by how large errors were lately.

A score is an error as a share of what recent errors lead to expect (normalised scores: Lei and others 2018, JASA 113,
section 5.2), and later scores count more (Barber and others 2023, arXiv 2202.13415).
"""

import numpy as np

from pipeline.data.examples import Array
from pipeline.forecast.origins import come, discounted

KEPT, RECENT = 0.98, 0.8
"""What an origin weighs as a share of the next one: in the scores' quantile, and in the size of recent errors."""

PRIOR = 0.5
"""Origins' worth of usual errors that the size of recent ones is drawn to."""

FEWEST = 5
"""Origins whose errors are known before intervals are counted on."""


def adaptive(errors: Array, level: float, known: Array, since: int = 0) -> tuple[Array, Array]:
    """Half widths from origin to origin, wider after large errors and narrower after small ones.

    For each step the half width is the quantile of the scores at this step and its neighbours, times the size of the
    errors that have become known since, those of the first steps of late origins too.

    Args:
        errors: (origins, steps) absolute, in the order of time; NaN where nothing was said or measured.
        level: the share of values that are to be held.
        known: (steps,) as `origins.later` gives it.
        since: the first origin that is asked about; the time goes into half widths.

    Returns:
        (origins + 1, steps) half widths, the last of them for what comes next, infinite where too few errors are known;
        and (counted, steps) of the origins asked about for which enough were known: 1 where the value was held, 0 or
        NaN.
    """
    count, steps = errors.shape
    first = FEWEST + int(known[-1]) - 1
    lately = come(np.concatenate([errors, np.full((1, steps), np.nan)]), known)
    (total, weight), (recent, recently) = (discounted(lately, kept) for kept in (KEPT, RECENT))
    usual = np.where(total > 0, total / np.where(weight > 0, weight, 1.0), 1.0)
    sizes = ((recent / usual).sum(axis=1) + PRIOR * steps) / (recently.sum(axis=1) + PRIOR * steps)
    sizes[:first] = 1.0
    there, errors, fading = np.isfinite(errors), np.nan_to_num(errors), KEPT ** np.arange(count + 1)
    widths = np.full((count + 1, steps), np.inf)
    near = np.clip(np.arange(steps)[:, None] + np.arange(-1, 2), 0, steps - 1)
    for origin in range(max(first, since), count + 1):
        past, age = errors[:origin], origin - known - np.arange(origin)[:, None]
        weights = np.where(there[:origin] & (age >= 0), fading[np.maximum(age, 0)], 0.0)
        pairs = (past / sizes[:origin, None], weights)
        scores, counted = (each[:, near].transpose(1, 0, 2).reshape(steps, -1) for each in pairs)
        whole = weights[:, -1]
        origins = whole.sum() ** 2 / (whole**2).sum()  # that would say as much if all counted the same
        widths[origin] = sizes[origin] * _quantiles(scores, counted, min(1.0, level * (1 + 1 / origins)))
    return widths, np.where(there, errors <= widths[:-1], np.nan)[max(first, since) :]


def _quantiles(values: Array, weights: Array, level: float) -> Array:
    """(rows,) of (rows, values) the least one that is not below a share `level` of all weight."""
    order = np.argsort(values, axis=1)
    reached = np.cumsum(np.take_along_axis(weights, order, axis=1), axis=1)
    place = (reached < (level - 1e-9) * reached[:, -1:]).sum(axis=1)
    # Of a level beyond all weight, the greatest value that has any.
    place = np.minimum(place, (reached < reached[:, -1:]).sum(axis=1))
    return np.asarray(np.take_along_axis(values, order, axis=1)[np.arange(len(values)), place])
