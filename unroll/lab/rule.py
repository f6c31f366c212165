"""By which rule a network learns, told from its outputs after two epochs."""

from collections.abc import Sequence

import numpy as np

from pipeline.data.examples import Array
from unroll.lab import node
from unroll.lab.program import INPUTS

PROBES = {
    "D": np.outer([0, 1], np.ones(INPUTS)) / np.sqrt(INPUTS),
    "R": np.eye(INPUTS)[[0, -1, -2]] * np.array([[0], [1], [1]]),
}

ROUNDING = 1e-10, 3e-6
"""How far off outputs are besides what the digits leave open: those that were printed, and those from these."""

LEFT = 1e-3
"""What the digits may leave open of outputs, at most, for these to tell rules apart."""

BEST = 8
"""So many slips are looked at closely."""


class Rule:
    """What leads from a network's outputs for the probes after one epoch to those after the next.

    Args:
        letter: D or R.
        train: the rows (series, 51) that it learns from.
        first, second: (probes, 2): the outputs after each epoch, and how far off they may be by the printed digits.
    """

    def __init__(self, letter: str, train: Array, first: Array, second: Array) -> None:
        # All 50 inputs of D are alike, so they are one, of this size.
        self._inputs = train[:, :1] * np.sqrt(INPUTS) if letter == "D" else train[:, :-1]
        self._probes = PROBES[letter][:, :1] * np.sqrt(INPUTS) if letter == "D" else PROBES[letter]
        self._targets, self._second = train[:, -1], second[:, :, None]
        # From the first outputs, and from each of them at its digits' upper end.
        shifts = np.vstack([np.zeros(len(first)), np.diag(first[:, 1] + ROUNDING[0])])
        with np.errstate(all="ignore"):
            self._weights = np.hstack([node.weights_of(first[:, 0] + shift, self._probes) for shift in shifts])
        self.slips = list(node.SLIPS)[: None if letter == "R" else node.OF_A_PERCEPTRON]
        self._rates = np.geomspace(1e-4, 10, 201) if letter == "D" else np.geomspace(1e-5, 1, 51)

    def agreeing(
        self, slips: Sequence[str], low: float = 0, high: float = np.inf, left: float = LEFT
    ) -> dict[str, float]:
        """Those slips, "" for none, that lead from the digits of the first figures to those of the second ones.

        Args:
            slips: those of `node.SLIPS` to try, or "".
            low: the least learning rate.
            high: the greatest one.
            left: how far apart outputs may be that the digits leave open.

        Returns:
            Slip -> the rate at which it comes nearest.
        """
        low, high = max(low, self._rates[0]), min(high, self._rates[-1])
        rates, reach = np.unique(np.clip(self._rates, low, high)), self._rates[1] / self._rates[0]
        misses = self._misses(np.repeat(slips, len(rates)), np.tile(rates, len(slips))).reshape(len(slips), -1)
        sides = np.pad(misses, ((0, 0), (1, 1)), constant_values=np.inf)
        which, at = np.nonzero((misses <= sides[:, :-2]) & (misses <= sides[:, 2:]))
        tried, nearest = np.array(slips)[which], rates[at]
        for closer in range(5):
            trials = np.clip(nearest[:, None] * reach ** np.linspace(-1, 1, 21), low, high)
            misses = self._misses(np.repeat(tried, 21), trials.ravel(), left if closer else 0).reshape(trials.shape)
            best = np.arange(len(tried)), misses.argmin(1)
            keep = misses[best].argsort()[:BEST]
            nearest, tried, misses = trials[best][keep], tried[keep], misses[best][keep]
            reach **= 0.1
        # A network that has settled is where it was an epoch ago, which a rate of nearly 0 would explain as well.
        order = np.lexsort((-misses, nearest > 1.01 * low))
        return {str(tried[at]): float(nearest[at]) for at in order if misses[at] <= 1}

    def _misses(self, slips: Array, rates: Array, most: float = 0) -> Array:
        """How far each slip at each rate leads from the second outputs, in units of what the digits leave open.

        That is at `most` so much; 0: what they leave open of the first outputs is not asked.
        """
        count = self._weights.shape[1] if most else 1
        weights = np.repeat(self._weights[:, :count], len(rates), 1)
        with np.errstate(all="ignore"):  # many a rate is far too high for one slip or another
            after = node.epoch(weights, self._inputs, self._targets, np.tile(rates, count), np.tile(slips, count))
        outputs = node.outputs(after, self._probes).reshape(-1, count, len(rates))
        left = self._second[:, 1] + ROUNDING[1] + np.abs(outputs[:, 1:] - outputs[:, :1]).sum(1)
        misses = (np.abs(outputs[:, 0] - self._second[:, 0]) / left).max(0)
        return np.where(np.isnan(misses) | (left.max(0) > (most or np.inf)), np.inf, misses)
