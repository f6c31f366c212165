"""How good the quantiles of forecasts are: the weighted quantile loss, and the
coverage.
"""

import math
from dataclasses import dataclass

import numpy as np

from pipeline.data.examples import Array
from series import combination, intervals
from series.backtest import Origins

LEVELS = (0.2, 0.4, 0.6, 0.8)
"""Coverages of the intervals that the deciles bound."""

DECILES = [number / 10 for number in range(1, 10)]
"""The quantiles of the weighted quantile loss."""

MOST_SERIES = 100
"""The most series that quantiles are scored on, evenly drawn; more would take minutes.
"""


@dataclass(frozen=True)
class QuantileScores:
    """Scores the quantiles of forecasts on the later half; of many series on some of
    them.

    Attributes:
        truth: (origins, steps) in model units.
        mean: (origins, 1) of the series of an origin.
        std: (origins, 1).
        floors: (origins, 1) in model units.
        later: (origins,) whether an origin belongs to the later half.
        stacks: as `combination.stacks` gives them.
        delay: (steps,) after how many origins an error is known.
    """

    truth: Array
    mean: Array
    std: Array
    floors: Array
    later: Array
    stacks: list[Array]
    delay: Array

    @classmethod
    def of(
        cls, origins: Origins, floors: Array, later: Array, delay: Array
    ) -> "QuantileScores":
        """Draw at most `MOST_SERIES` series; the arguments are as in the attributes."""
        stacks = combination.stacks(origins.series)
        every = math.ceil(sum(map(len, stacks)) / MOST_SERIES)
        drawn = [rows[::every] for rows in stacks]
        return cls(
            origins.truth, origins.mean, origins.std, floors, later, drawn, delay
        )

    def scores(self, forecasts: Array) -> tuple[float | None, float | None]:
        """Return the weighted quantile loss and the coverage of 90 % intervals.

        Args:
            forecasts: (origins, steps) in model units.

        Returns:
            None for what is not known: with too few errors before there is no interval.
        """
        truths = []
        deciles = []
        held = []
        for rows in self.stacks:  # (series, origins)
            truth, of_truth, inside = self._of_stack(forecasts[rows], rows)
            truths.append(truth)
            deciles.append(of_truth)
            held.append(inside)
        truth = np.concatenate(truths)
        if not len(truth):
            return None, None
        wql = intervals.weighted_quantile_loss(truth, np.concatenate(deciles), DECILES)
        return wql, float(np.concatenate(held).mean())

    def _of_stack(self, forecasts: Array, rows: Array) -> tuple[Array, Array, Array]:
        """Compute the deciles of some series with equally many origins.

        Args:
            forecasts: (series, origins, steps).
            rows: (series, origins) the places of these origins.

        Returns:
            Of each value of the later half that has an interval: (n,) the value and (n,
            9) its deciles in the target's unit, and (n,) whether it lay inside the 90 %
            interval.
        """
        errors = self.truth[rows] - forecasts
        later = self.later[rows]  # (series, origins)
        since = int(later.argmax(axis=1).min())
        levels = (*LEVELS, intervals.USUAL)
        offsets = intervals.quantiles(errors, levels, self.delay, since)[:, :-1]
        held = intervals.inside(errors, offsets)
        known = np.isfinite(held) & later[..., None]
        # The outermost offsets are those of the 90 % interval; the forecast itself is
        # the median.
        of_deciles = np.insert(offsets[..., 1:-1], len(LEVELS), 0.0, axis=-1)
        deciles = forecasts[..., None] + of_deciles  # (series, origins, steps, 9)
        deciles = np.maximum(deciles, self.floors[rows][..., None])
        mean = self.mean[rows]
        std = self.std[rows]
        truth_in_unit = self.truth[rows] * std + mean
        deciles_in_unit = deciles * std[..., None] + mean[..., None]
        return truth_in_unit[known], deciles_in_unit[known], held[known]
