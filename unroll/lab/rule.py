"""By which rule a network learns, told from its outputs after two epochs."""

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize_scalar

from pipeline.data.examples import Array
from pipeline.training.methods import by_hand
from unroll.lab import node
from unroll.lab.program import INPUTS, Undecided, Wrong

PROBES = {
    "D": np.outer([0, 1], np.ones(INPUTS)) / np.sqrt(INPUTS),
    "R": np.eye(INPUTS)[[0, -1, -2]] * np.array([[0], [1], [1]]),
}


class Rule:
    """What leads from a network's outputs for the probes after one epoch to those after the next."""

    def __init__(self, letter: str, train: Array, first: Array, second: Array) -> None:
        self._letter, self._first, self._second = letter, first, second
        # All 50 inputs of D are alike, so they are one, of this size.
        self._inputs = train[:, :1] * np.sqrt(INPUTS) if letter == "D" else train[:, :-1]
        self._probes = PROBES[letter][:, :1] * np.sqrt(INPUTS) if letter == "D" else PROBES[letter]
        self._targets, self._weights = train[:, -1], node.weights_of(first, self._probes)
        self._rates = np.geomspace(1e-4, 10, 41) if letter == "D" else np.geomspace(1e-5, 1, 31)

    def by_hand(self) -> tuple[float, float]:
        """The rate at which the document's rule comes nearest, and by how much it misses."""
        logs = np.log(self._rates)
        misses = [np.inf, *map(self._miss, logs), np.inf]
        # A network that has settled is where it was an epoch ago, which a rate of nearly 0 would explain as well.
        inner = range(1, len(logs) - 1)
        valleys = [at for at in inner if misses[at + 1] <= min(misses[at], misses[at + 2])] or [1, len(logs) - 2]
        found = [
            minimize_scalar(self._miss, bounds=logs[[at - 1, at + 1]], method="bounded", options={"xatol": 1e-6})
            for at in valleys
        ]
        best = min(found, key=lambda one: one.fun)
        return float(np.exp(best.x)), float(best.fun)

    def _miss(self, log_rate: float) -> float:
        weights = [*self._weights.copy()]
        if self._letter == "R":
            by_hand.node_epoch(weights, self._inputs, self._targets, float(np.exp(log_rate)))
        else:  # views: what changes in them changes in `weights`
            kernel, _, bias = weights
            by_hand.perceptron_epoch([kernel[:, None], bias], self._inputs, self._targets, float(np.exp(log_rate)))
        return float(np.abs(node.outputs(np.array(weights), self._probes)[:, 0] - self._second).max())

    def slip(self, tolerance: float) -> None:
        """Say which slip it is.

        Raises:
            Wrong: one that is known.
            Undecided: it is none of them.
        """
        names = list(node.SLIPS)[: None if self._letter == "R" else node.OF_A_PERCEPTRON]
        low, high, count = (1e-3, 10, 161) if self._letter == "D" else (1e-4, 1, 41)
        rates = np.tile(np.geomspace(low, high, count), (len(names), 1))
        for _ in range(7):
            misses = np.array(self._misses(rates, names))
            best = np.take_along_axis(rates, misses.argmin(1)[:, None], 1)
            reach = (rates[0, 1] / rates[0, 0]) ** np.linspace(-1, 1, 7)
            rates = np.clip(best * reach, low, high)
        if misses.min() < tolerance:
            raise Wrong(f"{self._letter}: {node.SLIPS[names[misses.min(1).argmin()]]}")
        if min(abs(self._first)) > 0.95:  # it has climbed to where tanh is flat
            raise Wrong(f"{self._letter}: {node.SLIPS['sign']}")
        raise Undecided(
            f"{self._letter} learns, but neither by the document's rule nor with a slip that is known here; batches, "
            f"another optimiser, or an order of its own that the check cannot hold still would do that"
        )

    def _misses(self, rates: Array, names: Sequence[str]) -> Array:
        weights = np.repeat(self._weights, rates.size, 1)
        slips = [name for name in names for _ in range(rates.shape[1])]
        with np.errstate(all="ignore"):  # many a rate is far too high for one slip or another
            after = node.epoch(weights, self._inputs, self._targets, rates.ravel(), slips)
        misses: Array = np.abs(node.outputs(after, self._probes) - self._second[:, None]).max(0)
        return np.where(np.isnan(misses), np.inf, misses).reshape(rates.shape)
