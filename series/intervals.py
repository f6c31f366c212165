"""Weighted conformal prediction by step ahead: intervals of the errors at earlier origins, scaled by recent ones.

The score is an error divided by its expected size (locally weighted split conformal prediction: Lei and others 2018,
"Distribution-free predictive inference for regression", JASA 113, section 5.2). Scores weigh less the older they are
(NexCP: Barber and others 2023, "Conformal prediction beyond exchangeability", Annals of Statistics 51).
"""

import numpy as np

from pipeline.data.examples import Array
from series.combination import discounted, when_known

LEVELS = tuple(percent / 100 for percent in range(50, 100))
"""Coverages that intervals can be made for."""

USUAL = 0.9

DECAY, RECENT_DECAY = 0.98, 0.8
"""The weight of an origin relative to the next one: in the scores' quantile, and in the size of recent errors."""

PRIOR_ORIGINS = 0.5
"""Origins with usual errors that the size of recent ones begins with."""

FEWEST = 5
"""Origins whose errors are known before intervals are counted on."""


def adaptive(errors: Array, level: float, delay: Array, since: int = 0) -> tuple[Array, Array]:
    """Half widths from origin to origin, wider after large errors and narrower after small ones.

    For each step the half width is the quantile of the scores at this step and its neighbours, times the expected size
    of an error, to which the first steps of late origins contribute, too.

    Args:
        errors: (origins, steps) absolute, in the order of time; NaN where nothing was forecast or measured.
        level: the coverage.
        delay: (steps,) as `combination.known_after` gives it.
        since: the first origin to compute; what takes the time is half widths.

    Returns:
        (origins + 1, steps) half widths, the last of them for what comes next, infinite where too few errors are known;
        and (counted, steps) of those from `since` on for which enough were known: 1 where the value lay inside, 0 or
        NaN.
    """
    origins, steps = errors.shape
    first = FEWEST + int(delay[-1]) - 1
    sizes = _expected_sizes(errors, delay, first)
    measured, errors, ages = np.isfinite(errors), np.nan_to_num(errors), DECAY ** np.arange(origins + 1)
    half_widths = np.full((origins + 1, steps), np.inf)
    neighbours = np.clip(np.arange(steps)[:, None] + np.arange(-1, 2), 0, steps - 1)
    for origin in range(max(first, since), origins + 1):
        age = origin - delay - np.arange(origin)[:, None]
        weights = np.where(measured[:origin] & (age >= 0), ages[np.maximum(age, 0)], 0.0)
        pairs = (errors[:origin] / sizes[:origin, None], weights)
        scores, counted = (array[:, neighbours].transpose(1, 0, 2).reshape(steps, -1) for array in pairs)
        last = weights[:, int(weights.sum(axis=0).argmin())]
        effective = last.sum() ** 2 / max((last**2).sum(), 1e-12)  # Kish's effective number of origins
        corrected = min(1.0, level * (1 + 1 / max(effective, 1e-12)))
        half_widths[origin] = sizes[origin] * _quantiles(scores, counted, corrected)
        half_widths[origin, counted.sum(axis=1) == 0] = np.inf
    return half_widths, np.where(measured, errors <= half_widths[:-1], np.nan)[max(first, since) :]


def _expected_sizes(errors: Array, delay: Array, first: int) -> Array:
    """(origins + 1,) how large errors are to be expected, relative to usual ones, by those known lately; 1 at first."""
    steps = errors.shape[1]
    known = when_known(np.concatenate([errors, np.full((1, steps), np.nan)]), delay)
    (total, weight), (recent, recent_weight) = (discounted(known, decay) for decay in (DECAY, RECENT_DECAY))
    usual = np.where(total > 0, total / np.where(weight > 0, weight, 1.0), 1.0)
    prior = PRIOR_ORIGINS * steps
    sizes = ((recent / usual).sum(axis=1) + prior) / (recent_weight.sum(axis=1) + prior)
    sizes[:first] = 1.0
    return np.asarray(sizes)


def _quantiles(values: Array, weights: Array, level: float) -> Array:
    """(rows,) of (rows, values) the least value below or at which a fraction `level` of all weight lies."""
    order = np.argsort(values, axis=1)
    reached = np.cumsum(np.take_along_axis(weights, order, axis=1), axis=1)
    index = (reached < (level - 1e-9) * reached[:, -1:]).sum(axis=1)
    # Of a level beyond all weight, the greatest value that has any.
    index = np.minimum(index, (reached < reached[:, -1:]).sum(axis=1))
    return np.asarray(np.take_along_axis(values, order, axis=1)[np.arange(len(values)), index])
