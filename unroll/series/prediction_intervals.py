"""Prediction intervals: quantiles of the errors at past cutoffs.

Half the width at a step is the geometric mean of two quantiles. One is of the series'
own absolute errors near the step. The other is of all series' errors, each divided by
the recent change of its series, times this series' recent change today. Both are split
conformal predictions (Lei and others 2018, "Distribution-free predictive inference for
regression", JASA 113). What was tried: docs/decisions/forecast-intervals.md.

An error is first divided by its *size*: what the level of the forecast and the place in
the cycle tell of it beforehand.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from pipeline.data.examples import Array
from unroll.series.row_options import POSITIONS, RECENT, SLOTS, WEEKDAYS

LEVELS = tuple(percent / 100 for percent in range(1, 100))
"""Coverages that intervals can be made for."""

USUAL = 0.9
"""The coverage of an interval if a user names none."""

KEPT = 60
"""Largest number of errors of a step that count, the last known ones."""

LEVEL_EXPONENT = 1.25
"""How errors grow with the forecast; promotions of shops need more than 1."""

LEAST_LEVEL = 0.1
"""The level of a forecast of 0: its error is not 0."""

CHANGE_EXPONENT = 0.9
"""How errors of several series grow with their recent change, which is partly chance."""

LEAST = 0.01
"""The least recent change and level, in standard deviations of the series."""

PRIOR_CUTOFFS = 8
"""Number of cutoffs from which own errors have half of their largest weight."""

PRIOR_ERRORS = 48
"""The weight of an hour on all days in its usual error on one weekday, in errors."""

FEWEST_SHARED = 100
"""Smallest number of errors near a step in a shared quantile, if there are as many."""

MOST_CHANCE = 1e-4
"""Largest chance of so many values 0 at a position that is not closed."""

ROUNDING = 1e-9
"""The largest value that is 0 but for rounding, in standard deviations."""


def recent(values: Array, lag: int, deviation: float) -> Array:
    """Return how much a series had changed of late, and how high it was, at each row.

    Args:
        values: (rows,) NaN where nothing was measured.
        lag: rows of a change, such as those of a year.
        deviation: the standard deviation of the series.

    Returns:
        (rows, 2) the mean absolute change, and the mean absolute value, of the last
        `RECENT` rows; both at least `LEAST` deviations.
    """
    series = pd.Series(values).ffill()
    change = series.diff(lag).abs().rolling(RECENT, min_periods=2).mean()
    shorter = series.diff().abs().rolling(RECENT, min_periods=1).mean()
    level = series.abs().rolling(RECENT, min_periods=1).mean()
    both = pd.DataFrame({"change": change.fillna(shorter), "level": level})
    return np.asarray(both.fillna(deviation).clip(lower=LEAST * deviation))


@dataclass(frozen=True)
class PastErrors:
    """The errors of some series up to a cutoff, and what tells their sizes.

    Series with fewer cutoffs begin with NaN.

    Attributes:
        truth: (series, cutoffs, steps), NaN where nothing was measured, or not yet.
        forecasts: (series, cutoffs + 1, steps), the last ones from the present cutoff.
        recent: (series, cutoffs + 1, 2) as `recent` returns it.
        positions: (series, cutoffs + 1, steps) in the cycle, below `POSITIONS`.
        lowest: (series,) the smallest value that is forecast: 0, or minus infinity.
    """

    truth: Array
    forecasts: Array
    recent: Array
    positions: Array
    lowest: Array

    @classmethod
    def of_origins(
        cls,
        truth: Array,
        forecasts: Array,
        recent: Array,
        positions: Array,
        series: Array,
        lowest: Array,
    ) -> "PastErrors":
        """Return the errors of a table of origins, all of which are known.

        Args:
            truth: (origins, steps).
            forecasts: (origins, steps).
            recent: (origins, 2).
            positions: (origins, steps).
            series: (origins,) the number of the series; origins of a series stand
                together, in the order of time.
            lowest: (series,) also of series without origins, which are left out.
        """
        named, first, counts = np.unique(series, return_index=True, return_counts=True)
        most = counts.max()
        places = first[:, None] + np.arange(most + 1) - (most - counts)[:, None]
        is_there = (places >= first[:, None])[:, :-1]
        # the forecasts from the present cutoff are no part of the table
        places = np.clip(places, first[:, None], (first + counts - 1)[:, None])
        known = truth[places[:, :-1]]
        known[~is_there] = np.nan
        return cls(
            known,
            forecasts[places],
            recent[places],
            positions[places],
            lowest[named],
        )

    @cached_property
    def closed(self) -> Array:
        """(series, positions) whether all values at a position of the cycle are 0.

        It is no position at which so many values 0 may be chance.
        """
        measured = np.isfinite(self.truth)
        counts = self._by_position(measured)
        rounding = ROUNDING * self.recent[:, -1, 1]
        is_zero = np.abs(self.truth) <= rounding[:, None, None]
        zeros = self._by_position(measured & is_zero)
        share = zeros.sum(axis=1) / np.maximum(counts.sum(axis=1), 1)
        chance = share[:, None] ** counts
        return np.asarray((zeros == counts) & (chance < MOST_CHANCE))

    @cached_property
    def usual(self) -> Array:
        """(series, positions) the usual error at a position, relative to all.

        The few errors of an hour of the week are shrunk to those of this hour on all
        days, and these to all errors, of which they get the weight of one.
        """
        sums = self._by_position(np.abs(np.nan_to_num(self._by_level)))
        counts = self._by_position(np.isfinite(self._by_level))
        cycle = (len(sums), len(WEEKDAYS), SLOTS)
        sums = sums.reshape(cycle)
        counts = counts.reshape(cycle)
        number = np.maximum(counts.sum(axis=(1, 2), keepdims=True), 1)
        mean = sums.sum(axis=(1, 2), keepdims=True) / number
        of_hour = sums.sum(axis=1, keepdims=True) + mean
        of_hour /= counts.sum(axis=1, keepdims=True) + 1
        own = (sums + PRIOR_ERRORS * of_hour) / (counts + PRIOR_ERRORS)
        relative = np.where(mean > 0, own / np.where(mean > 0, mean, 1.0), 1.0)
        # where all errors of an hour are 0, their size is
        return np.maximum(relative, ROUNDING).reshape(len(sums), POSITIONS)

    @cached_property
    def _by_level(self) -> Array:
        """The errors (series, cutoffs, steps) by their levels, NaN where closed.

        They are the last `KEPT` known ones of each step.
        """
        forecasts = self.forecasts[:, :-1]
        levels = self._levels(forecasts, self.recent[:, :-1])
        errors = (self.truth - forecasts) / levels
        known = np.isfinite(errors) & ~_at(self.closed, self.positions[:, :-1])
        # of the long horizons of dense cutoffs the last errors are not known yet
        since = known[:, ::-1].cumsum(axis=1)[:, ::-1]
        return np.where(known & (since <= KEPT), errors, np.nan)

    @cached_property
    def scores(self) -> Array:
        """The errors (series, cutoffs, steps) that count, by their sizes."""
        sizes = _at(self.usual, self.positions[:, :-1])
        return np.asarray(self._by_level / sizes)

    def sizes(self, forecasts: Array, positions: Array) -> Array:
        """Return the sizes (series, steps) of the errors of forecasts from now on.

        Args:
            forecasts: (series, steps), perhaps further ahead than models were trained.
            positions: (series, steps) in the cycle.
        """
        levels = self._levels(forecasts[:, None], self.recent[:, -1:])[:, 0]
        return np.asarray(levels * _at(self.usual, positions))

    def shared(self, levels: Sequence[float]) -> Array:
        """Return the quantiles of the errors of all series, by sizes and changes.

        They are those near each step, and of few errors those further away, too. Of few
        cutoffs they are widened, since the largest of n errors bounds a new one with
        probability n / (n + 1) only.

        Args:
            levels: coverages of central intervals.

        Returns:
            (steps, 2 * levels) in ascending order; infinite if there is no error.
        """
        steps = self.truth.shape[2]
        changes = self.recent[:, :-1, :1]
        scores = (self.scores / changes**CHANGE_EXPONENT).reshape(-1, steps)
        known = np.isfinite(scores)
        tails = (1 + np.sort(levels)) / 2
        ends = np.full((steps, 2 * len(tails)), np.inf)
        ends[:, : len(tails)] = -np.inf
        if not known.any():
            return ends
        for step in range(steps):
            width = 1
            while known[:, _near(step, width)].sum() < FEWEST_SHARED and width < steps:
                width += 1
            some = scores[:, _near(step, width)]
            some = some[np.isfinite(some)]
            low, high = np.quantile(some, [1 - tails, tails])
            below = np.minimum(low, 0.0)[::-1]
            ends[step] = np.concatenate([below, np.maximum(high, 0.0)])
        cutoffs = known.any(axis=1).sum()
        return np.asarray(ends * (1 + 1 / cutoffs))

    def offsets(self, levels: Sequence[float], shared: Array) -> Array:
        """Return the quantiles of the errors from now on, in their `sizes`.

        Args:
            levels: coverages of central intervals.
            shared: `shared` of these levels, of these series or of others.

        Returns:
            (series, steps, 2 * levels) offsets from the forecast, in ascending order.
            No lower offset is above 0 and no upper one is below 0.
        """
        ascending = np.sort(levels)
        known = np.isfinite(self.scores).any(axis=2).sum(axis=1)
        weight = (known / (2 * known + PRIOR_CUTOFFS))[:, None, None]
        changes = self.recent[:, -1, :1, None] ** CHANGE_EXPONENT  # (series, 1, 1)
        # (series, steps, levels), and the same for both ends
        own = _quantiles_near(np.abs(self.scores), ascending)
        own = np.concatenate([own[..., ::-1], own], axis=-1)
        others = np.abs(shared) * changes
        own = np.where(np.isfinite(own), own, others)
        half = own**weight * others ** (1 - weight)
        return np.asarray(np.sign(shared) * half)

    def next_offsets(self, levels: Sequence[float], shared: Array) -> Array:
        """Return the quantiles of the errors of the last forecasts, in their unit.

        Arguments are those of `offsets`.

        Returns:
            (series, steps, 2 * levels); infinite where all is closed.
        """
        positions = self.positions[:, -1]
        sizes = self.sizes(self.forecasts[:, -1], positions)
        offsets = self.offsets(levels, shared) * sizes[..., None]
        is_closed = _at(self.closed, positions)
        return np.where(is_closed[..., None], np.inf, offsets)

    def of_series(self, mask: Array) -> "PastErrors":
        """Return the errors of the series (series,) where the mask is true."""
        return PastErrors(
            **{name: values[mask] for name, values in asdict(self).items()}
        )

    def _levels(self, forecasts: Array, recent: Array) -> Array:
        """Return how errors of forecasts grow with their level.

        It is 1 where values may lie below 0.

        Args:
            forecasts: (series, cutoffs, steps).
            recent: (series, cutoffs, 2).
        """
        relative = np.maximum(forecasts / recent[..., 1:], 0.0) + LEAST_LEVEL
        is_amount = self.lowest[:, None, None] == 0
        return np.where(is_amount, relative**LEVEL_EXPONENT, 1.0)

    def _by_position(self, weights: Array) -> Array:
        """Return (series, positions) the sums of weights (series, cutoffs, steps)."""
        count = len(weights)
        row = np.arange(count)[:, None, None] * POSITIONS
        cells = (row + self.positions[:, :-1]).ravel()
        sums = np.bincount(cells, weights.ravel(), count * POSITIONS)
        return np.asarray(sums.reshape(count, POSITIONS))


def _at(table: Array, positions: Array) -> Array:
    """Return the values of a table (series, positions) at some of its positions.

    Args:
        table: (series, positions).
        positions: (series, ...).
    """
    flat = positions.reshape(len(positions), -1)
    return np.take_along_axis(table, flat, axis=1).reshape(positions.shape)


def _near(step: int, width: int) -> slice:
    """Return the steps up to `width` before and after a step."""
    return slice(max(0, step - width), step + width + 1)


def _quantiles_near(scores: Array, levels: Array) -> Array:
    """Return the quantiles (series, steps, levels) of the scores near each step.

    Args:
        scores: (series, cutoffs, steps); NaN is left out. Without any score quantiles
            are NaN.
        levels: (levels,).
    """
    series, _, steps = scores.shape
    found = np.empty((series, steps, len(levels)))
    for step in range(steps):
        # NaN stands last
        some = np.sort(scores[:, :, _near(step, 1)].reshape(series, -1), axis=1)
        last = np.maximum(np.isfinite(some).sum(axis=1) - 1, 0)
        place = last[:, None] * levels
        below = np.floor(place).astype(int)
        low = np.take_along_axis(some, below, axis=1)
        high = np.take_along_axis(some, np.ceil(place).astype(int), axis=1)
        found[:, step] = low + (place - below) * (high - low)
    return found


def inside(errors: Array, offsets: Array) -> Array:
    """Return (..., steps) 1 for errors inside the widest interval, else 0.

    It is NaN where the error or the interval is unknown.

    Args:
        errors: (..., steps) truth minus forecast.
        offsets: (..., steps, 2 * levels) in ascending order.
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
