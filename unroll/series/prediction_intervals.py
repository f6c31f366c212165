"""Prediction intervals: weighted conformal quantiles of the errors at earlier origins.

Each step ahead has an interval of its own. The score is a signed error divided by its
expected size (locally weighted split conformal prediction: Lei and others 2018,
"Distribution-free predictive inference for regression", JASA 113, section 5.2). Each
end of an interval is a quantile of its own (Linusson and others 2014, "Signed-error
conformal regression", PAKDD), so that intervals are as skewed as the errors are. Older
scores weigh less (NexCP: Barber and others 2023, "Conformal prediction beyond
exchangeability", Annals of Statistics 51).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipeline.data.examples import Array
from unroll.series.combination import discounted, when_known
from unroll.series.spec import DAYS, POSITIONS, SLOTS

LEVELS = tuple(percent / 100 for percent in range(1, 100))
"""Coverages that intervals can be made for."""

USUAL = 0.9
"""The coverage of an interval if a user names none."""

DECAY = 0.98
"""The weight of an origin's scores relative to the next origin's."""

RECENT_DECAY = 0.8
"""The weight of an origin relative to the next one, in the size of recent errors."""

PRIOR_ORIGINS = 0.5
"""Number of origins with usual errors that the size of recent errors begins with."""

PRIOR_SYMMETRIC = 20
"""The weight of a symmetric interval in each interval, in origins.

One tail alone has only half of the errors."""

FEWEST = 5
"""Smallest number of origins with known errors for an interval."""

PRIOR_ERRORS = 48
"""The weight of all errors in the usual error at a position of the cycle, in errors."""

MOST_CHANCE = 1e-4
"""Largest chance of so many values 0 at a position that is not closed."""

ROUNDING = 1e-9
"""Difference below which fractions of the weight are equal."""

FEWEST_POOLED = 20
"""Smallest number of pooled errors of an interval, if there are as many at all."""

SMALLEST_ERROR = 0.01
"""The least error that counts in `exponents`, in mean errors; 0 has no logarithm."""

PRIOR_EXPONENT = 20
"""The weight of an exponent of 0, in errors whose measure lies a factor e off."""

LEAST_SPREAD = 0.1
"""What is added to the spread of forecasts, in usual changes; one model has none."""

MOST_VALUES = 500_000
"""Number of weights that are summed up at a time; more would need much memory."""


def quantiles(
    errors: Array,
    levels: Sequence[float],
    delay: Array,
    since: int = 0,
    positions: Array | None = None,
) -> Array:
    """Return the quantiles of the errors to expect at each origin.

    They are computed from the errors that are known at the origin. The quantiles at a
    step are those of the scores at this step and its two neighbours, times the expected
    size of an error. The expected size is that of recent errors at all steps, times
    that of usual errors at the position in the cycle.

    Args:
        errors: (..., origins, steps) truth minus forecast, in the order of time; NaN
            where nothing was forecast or measured. Leading axes are series.
        levels: coverages of central intervals.
        delay: (steps,) number of origins after which an error is known
            (`combination.known_after`).
        since: the first origin to compute.
        positions: (..., origins + 1, steps) the positions in the cycle (`positions`);
            None if there is no cycle.

    Returns:
        (..., origins + 1, steps, 2 * levels) offsets from the forecast, in ascending
        order, however `levels` are ordered. The last origin is the next one to come.
        Offsets are infinite if too few errors are known. No lower offset is above 0 and
        no upper one is below 0, since the forecast itself is the median.
    """
    *leading, origins, steps = errors.shape
    stacked = errors.reshape(-1, origins, steps)
    first = FEWEST + int(delay[-1]) - 1
    sizes = _expected_sizes(np.abs(stacked), delay, first)
    sizes = np.repeat(sizes[..., None], steps, axis=-1)
    if positions is not None:
        places = positions.reshape(-1, origins + 1, steps)
        relative = position_sizes(np.abs(stacked), places, delay)
        sizes *= np.take_along_axis(relative, places, axis=-1)
    scores = stacked / sizes[:, :-1]
    effective = _effective_origins(np.isfinite(stacked), delay)
    signed = _Sorted.of(scores, delay)
    absolute = _Sorted.of(np.abs(scores), delay)
    offsets = np.empty((len(stacked), origins + 1, steps, 2 * len(levels)))
    offsets[..., : len(levels)] = -np.inf
    offsets[..., len(levels) :] = np.inf
    at_once = max(1, MOST_VALUES // signed.scores.size)
    for start in range(max(first, since), origins + 1, at_once):
        some = np.arange(start, min(start + at_once, origins + 1))
        of_scores = _ends(signed, absolute, np.sort(levels), effective[:, some], some)
        offsets[:, some] = sizes[:, some][..., None] * of_scores
    return offsets.reshape(*leading, origins + 1, steps, 2 * len(levels))


def pooled(errors: Array, levels: Sequence[float]) -> Array:
    """Return the quantiles of the errors to expect, from those of many series.

    A whole series has too few errors for quantiles of its own, so the quantiles are
    those of all series (split conformal prediction). An interval is made from the errors
    at its step and at the steps beside it, as far away as needed. Beyond the last step
    with an error it grows with the square root of the time ahead.

    Args:
        errors: (origins, steps) truth minus forecast, in units that all series share;
            NaN where nothing was measured.
        levels: coverages of central intervals.

    Returns:
        (steps, 2 * levels) offsets from the forecast, in ascending order; infinite if
        there is no error.
    """
    steps = errors.shape[1]
    ascending = np.sort(levels)
    known = np.flatnonzero(np.isfinite(errors).any(axis=0))
    ends = np.full((steps, 2 * len(levels)), np.inf)
    ends[:, : len(levels)] = -np.inf
    if not len(known):
        return ends
    for step in range(steps):
        nearest = min(step, int(known[-1]))
        own = _around(errors, nearest)
        # The largest of n errors bounds a new one with probability n / (n + 1) only.
        tails = np.minimum((1 + ascending) / 2 * (1 + 1 / len(own)), 1.0)
        growth = np.sqrt((step + 1) / (nearest + 1))
        low = np.minimum(np.quantile(own, 1 - tails), 0.0)
        high = np.maximum(np.quantile(own, tails), 0.0)
        ends[step] = growth * np.concatenate([low[::-1], high])
    return ends


def exponents(errors: Array, measures: Sequence[Array], groups: Array) -> Array:
    """Return how the size of an error grows with what is known beforehand.

    It is the product of the measures, each to its exponent, times a size of the group's
    own (ridge regression of logarithms).

    Args:
        errors: (origins, steps), NaN where nothing was measured.
        measures: (origins, steps) each, above 0, such as the level of a forecast.
        groups: (origins, steps) or (origins, 1) the number of an error's group.

    Returns:
        (measures,); those of few errors, or of equal measures, are near 0.
    """
    known = np.isfinite(errors)
    own = np.broadcast_to(groups, errors.shape)[known]
    count = np.maximum(np.bincount(own), 1)
    sizes = np.abs(errors[known])
    least = SMALLEST_ERROR * (np.bincount(own, sizes) / count)[own] + ROUNDING
    logarithms = np.log([np.maximum(sizes, least), *(each[known] for each in measures)])
    means = np.array([np.bincount(own, values) / count for values in logarithms])
    target, *inputs = logarithms - means[:, own]
    squares = np.inner(inputs, inputs) + PRIOR_EXPONENT * np.eye(len(inputs))
    return np.asarray(np.linalg.solve(squares, np.inner(inputs, target)))


def growth(errors: Array, levels: Array, series: Array) -> float:
    """Return the exponent, 0 to 1, by which errors grow with the level of forecasts.

    Args:
        errors: (origins, steps), NaN where nothing was measured.
        levels: (origins, steps), above 0.
        series: (origins,) the series of each origin.
    """
    [exponent] = exponents(errors, [levels], series[:, None])
    return float(np.clip(exponent, 0.0, 1.0))


def measures(usual: Array, forecasts: Array) -> Array:
    """Return what tells the size of an error of a whole series beforehand.

    Args:
        usual: (origins, 1) the usual change of the series up to the origin.
        forecasts: (models, origins, steps) in the same unit.

    Returns:
        (2, origins, steps): the usual change, and in usual changes how far models lie
        apart.
    """
    spread = np.abs(forecasts - forecasts.mean(axis=0)).mean(axis=0)
    change = np.broadcast_to(usual, spread.shape)
    return np.stack([change, spread / usual + LEAST_SPREAD])


def of_whole(errors: Array, measured: Array) -> Array:
    """Return the `exponents` of the `measures` of whole series, beside those of a step.

    Args:
        errors: (origins, steps) in the unit of the usual changes.
        measured: (2, origins, steps).
    """
    steps = np.arange(errors.shape[1])[None]
    return exponents(errors / measured[0], [*measured], steps)


def sizes_of_whole(measured: Array, exponent: Array) -> Array:
    """Return the size (origins, steps) of an error by its measures and exponents."""
    powers = measured ** exponent[:, None, None]
    return np.asarray(measured[0] * powers.prod(axis=0))


def _around(errors: Array, step: int) -> Array:
    """Return the errors (origins, steps) at a step and beside it."""
    own = np.array([])
    for width in range(1, errors.shape[1] + 1):
        some = errors[:, max(0, step - width) : step + width + 1]
        own = some[np.isfinite(some)]
        if len(own) >= FEWEST_POOLED:
            break
    return own


def closed(truth: Array, positions: Array, zero: float = 0.0) -> Array:
    """Return (series, positions) whether all values at a position of the cycle are 0.

    It is no position at which so many values 0 may be chance.

    Args:
        truth: (series, origins, steps), NaN where nothing was measured.
        positions: (series, origins, steps).
        zero: the value 0, in the unit of `truth`.
    """
    measured = np.isfinite(truth)
    counts = _by_position(measured, positions, measured)
    zeros = _by_position(np.abs(truth - zero) < ROUNDING, positions, measured)
    share = zeros.sum(axis=-1) / np.maximum(counts.sum(axis=-1), 1)
    chance = share[:, None] ** counts
    return np.asarray((zeros == counts) & (chance < MOST_CHANCE))


def of_open(errors: Array, truth: Array, positions: Array, zero: float = 0.0) -> Array:
    """Return errors (series, origins, steps), NaN at positions that are closed."""
    is_closed = closed(truth, positions, zero)
    flat = np.take_along_axis(is_closed, positions.reshape(len(errors), -1), axis=1)
    return np.asarray(np.where(flat.reshape(errors.shape), np.nan, errors))


def _by_position(weights: Array, positions: Array, measured: Array) -> Array:
    """Return (series, positions) the sums of weights (series, origins, steps)."""
    count = len(weights)
    cell = np.arange(count)[:, None, None] * POSITIONS + positions
    sums = np.bincount(cell[measured], weights[measured], count * POSITIONS)
    return np.asarray(sums.reshape(count, POSITIONS))


def position_sizes(errors: Array, positions: Array, delay: Array) -> Array:
    """Return the usual error at each position, relative to all, at each origin.

    The few errors of an hour of the week are shrunk to those of this hour on all days,
    and these to all.

    Args:
        errors: (series, origins, steps) absolute errors.
        positions: (series, origins + 1, steps).
        delay: (steps,) number of origins after which an error is known.

    Returns:
        (series, origins + 1, positions).
    """
    count, origins, _ = errors.shape
    known = np.minimum(np.arange(origins)[:, None] + delay, origins + 1)
    row = np.arange(count)[:, None, None] * (origins + 2) + known
    cell = row * POSITIONS + positions[:, :-1]
    measured = np.isfinite(errors)
    shape = (count, origins + 2, DAYS, SLOTS)

    def summed(weights: Array) -> Array:
        size = int(np.prod(shape))
        table = np.bincount(cell[measured], weights[measured], size)
        return np.asarray(np.cumsum(table.reshape(shape), axis=1)[:, :-1])

    sums = summed(errors)
    counts = summed(measured.astype(float))
    # (series, origins + 1, 1, 1)
    number = counts.sum(axis=(-2, -1), keepdims=True)
    mean = sums.sum(axis=(-2, -1), keepdims=True) / np.maximum(number, 1)
    prior = PRIOR_ERRORS * mean
    of_hour = sums.sum(axis=-2, keepdims=True) + prior
    of_hour /= counts.sum(axis=-2, keepdims=True) + PRIOR_ERRORS
    own = (sums + PRIOR_ERRORS * of_hour) / (counts + PRIOR_ERRORS)
    relative = np.where(mean > 0, own / np.where(mean > 0, mean, 1.0), 1.0)
    return relative.reshape(count, origins + 1, POSITIONS)


def inside(errors: Array, offsets: Array) -> Array:
    """Return (..., origins, steps) 1 for errors inside the widest interval, else 0.

    It is NaN where the error or the interval is unknown.

    Args:
        errors: (..., origins, steps) truth minus forecast.
        offsets: (..., origins, steps, 2 * levels), as `quantiles` returns them, without
            the next origin to come.
    """
    low = offsets[..., 0]
    high = offsets[..., -1]
    held = (low <= errors) & (errors <= high)
    return np.asarray(np.where(np.isfinite(errors) & np.isfinite(high), held, np.nan))


def weighted_quantile_loss(
    truth: Array, forecasts: Array, levels: Sequence[float]
) -> float | None:
    """Return the weighted quantile loss, as in the tables of M5 and GluonTS.

    It is twice the pinball loss over the sum of absolute values, as a mean over
    quantiles; 0 is perfect. With the median alone it is the sum of absolute errors over
    the sum of absolute values.

    Args:
        truth: (n,) values, without NaN.
        forecasts: (n, quantiles), without NaN.
        levels: (quantiles,) the levels of the quantiles.

    Returns:
        The loss; None if all values are 0, or there are none.
    """
    total = np.abs(truth).sum()
    if not total:
        return None
    errors = truth[:, None] - forecasts
    pinball = np.maximum(np.array(levels) * errors, (np.array(levels) - 1) * errors)
    return float(2 * pinball.sum(axis=0).mean() / total)


@dataclass(frozen=True)
class _Sorted:
    """The scores that make the quantiles of each step, in ascending order.

    A step is served by its own scores and by those of the steps before and after it, at
    all origins.

    Attributes:
        scores: (series, steps, 3 * origins).
        weights: (series, steps, 3 * origins), 0 where nothing was measured.
        known: (series, steps, 3 * origins) the origin at which each score is known.
    """

    scores: Array
    weights: Array
    known: Array

    @classmethod
    def of(cls, scores: Array, delay: Array) -> "_Sorted":
        """Sort (series, origins, steps) scores; NaN where nothing was measured."""
        origins = np.arange(scores.shape[1])[:, None]  # (origins, 1)
        measured = np.isfinite(scores)
        # Only relative weights count, so one array does for all origins.
        weights = measured * DECAY ** (len(origins) - origins)
        known = np.broadcast_to(origins + delay, scores.shape)
        values = _with_neighbours(np.where(measured, scores, 0.0))
        order = np.argsort(values, axis=-1)

        def in_order(array: Array) -> Array:
            return np.take_along_axis(_with_neighbours(array), order, axis=-1)

        values = np.take_along_axis(values, order, axis=-1)
        return cls(values, in_order(weights), in_order(known))

    def quantiles(self, fractions: Array, origins: Array) -> tuple[Array, Array]:
        """Return weighted quantiles of the scores that are known at some origins.

        Args:
            fractions: (series, origins, steps, levels) of the sum of all weights.
            origins: (origins,) the numbers of the origins.

        Returns:
            Two arrays (series, origins, steps, levels): the greatest scores with at
            least these fractions at or above them, and the least scores with at least
            these fractions at or below them. They mean nothing if no score is known.
        """
        count = self.scores.shape[-1]
        # The part of all known weight up to each score: (series, origins, steps, count).
        known = self.known[:, None] <= origins[:, None, None]
        reached = np.cumsum(np.where(known, self.weights[:, None], 0.0), axis=-1)
        total = reached[..., -1:]
        parts = (reached / np.where(total > 0, total, 1.0)).reshape(-1, count)
        # One search does for all rows: row r is moved to lie between r and r + 1.
        rows = np.arange(len(parts))[:, None]
        ascending = (parts + rows).ravel()
        sought = fractions.reshape(len(rows), -1)

        def score_at(fraction: Array, side: Literal["left", "right"]) -> Array:
            places = np.searchsorted(ascending, rows + fraction, side) - rows * count
            places = np.clip(places, 0, count - 1).reshape(fractions.shape)
            return np.take_along_axis(self.scores[:, None], places, axis=-1)

        greatest = score_at(1 - sought + ROUNDING, "right")
        return greatest, score_at(sought - ROUNDING, "left")


def _with_neighbours(values: Array) -> Array:
    """Join each step with its two neighbours; the first and last step stand twice.

    Args:
        values: (series, origins, steps).

    Returns:
        (series, steps, 3 * origins).
    """
    series, origins, steps = values.shape
    padded = np.pad(values, ((0, 0), (0, 0), (1, 1)), mode="edge")
    three = [padded[..., :-2], padded[..., 1:-1], padded[..., 2:]]
    joined = np.stack(three, axis=-1)  # (series, origins, steps, 3)
    return np.moveaxis(joined, 1, -1).reshape(series, steps, 3 * origins)


def _ends(
    signed: _Sorted, absolute: _Sorted, levels: Array, effective: Array, origins: Array
) -> Array:
    """Return quantiles of the scores: (series, origins, steps, 2 * levels).

    The largest of n errors bounds a new error with probability n / (n + 1) only. So the
    quantile at level q is taken at q * (1 + 1 / n). If this is more than 1, n origins
    say too little about one tail alone, and the interval is symmetric. Otherwise an end
    is the mean of the signed quantile, with weight n, and of the symmetric one, with
    weight `PRIOR_SYMMETRIC`.

    Args:
        signed: the scores.
        absolute: the absolute values of the scores.
        levels: (levels,) the coverages of the intervals, ascending.
        effective: (series, origins, steps) the number n of known origins.
        origins: (origins,) the numbers of the origins.
    """
    number = np.maximum(effective, ROUNDING)[..., None]  # (series, origins, steps, 1)
    # (series, origins, steps, levels)
    _, half = absolute.quantiles(np.minimum(levels * (1 + 1 / number), 1.0), origins)
    tail = (1 + levels) / 2 * (1 + 1 / number)
    low, high = signed.quantiles(np.minimum(tail, 1.0), origins)
    share = np.where(tail <= 1 + ROUNDING, number / (number + PRIOR_SYMMETRIC), 0.0)
    low = share * np.minimum(low, 0.0) - (1 - share) * half
    high = share * np.maximum(high, 0.0) + (1 - share) * half
    # A higher level's interval holds a lower level's.
    low = np.minimum.accumulate(low, axis=-1)
    high = np.maximum.accumulate(high, axis=-1)
    ends = np.concatenate([low[..., ::-1], high], axis=-1)
    unknown = np.repeat([-np.inf, np.inf], len(levels))
    return np.asarray(np.where(effective[..., None] > 0, ends, unknown))


def _effective_origins(measured: Array, delay: Array) -> Array:
    """Return how many equally weighted origins the known ones are worth (Kish 1965).

    Args:
        measured: (series, origins, steps) whether there is an error.
        delay: (steps,) number of origins after which an error is known.

    Returns:
        (series, origins + 1, steps).
    """
    series, origins, steps = measured.shape
    weights = measured * DECAY ** np.arange(origins, 0, -1)[:, None]
    total = np.pad(np.cumsum(weights, axis=1), ((0, 0), (1, 0), (0, 0)))
    squares = np.pad(np.cumsum(weights**2, axis=1), ((0, 0), (1, 0), (0, 0)))
    # At origin o the errors of origins 0 to o - delay are known.
    known = np.maximum(np.arange(origins + 1)[:, None] - delay + 1, 0)
    places = np.broadcast_to(known, (series, origins + 1, steps))
    total = np.take_along_axis(total, places, axis=1)
    squares = np.take_along_axis(squares, places, axis=1)
    effective = total**2 / np.where(squares > 0, squares, 1.0)
    around = np.pad(effective, ((0, 0), (0, 0), (1, 1)))
    return np.asarray(
        np.max([around[..., :-2], around[..., 1:-1], around[..., 2:]], axis=0)
    )


def _expected_sizes(errors: Array, delay: Array, first: int) -> Array:
    """Return the size of recent errors relative to usual errors, at each origin.

    Args:
        errors: (series, origins, steps) absolute errors.
        delay: (steps,) number of origins after which an error is known.
        first: the origin before which sizes are 1.

    Returns:
        (series, origins + 1).
    """
    series, _, steps = errors.shape
    next_origin = np.full((series, 1, steps), np.nan)
    known = when_known(np.concatenate([errors, next_origin], axis=1), delay)
    total, weight = discounted(known, DECAY)
    recent, recent_weight = discounted(known, RECENT_DECAY)
    usual = np.where(total > 0, total / np.where(weight > 0, weight, 1.0), 1.0)
    prior = PRIOR_ORIGINS * steps
    sizes = ((recent / usual).sum(axis=-1) + prior) / (
        recent_weight.sum(axis=-1) + prior
    )
    sizes[:, :first] = 1.0
    return np.asarray(sizes)
