"""The rule by which a network learns, found from its outputs after two epochs.

The network is one recurrent node. It learns by document 003's rule, or by a slip that
students make. With one timestep it is the perceptron, whose 50 inputs are multiples of
one direction, and so count as one input.
"""

import warnings
from collections.abc import Sequence
from copy import copy

import numpy as np
from scipy.optimize import fsolve

from pipeline.data.examples import Array

INPUTS = 50
"""The number of inputs of the networks."""

_ANGLES = np.arange(INPUTS) ** 2
DIRECTION = np.sin(_ANGLES + 1) / np.linalg.norm(np.sin(_ANGLES + 1))
"""The inputs (50,) of D, up to a factor; of length 1. They are all different, so that
inputs in another order would be noticed."""

PROBES = {
    "D": np.outer([0, 1], DIRECTION),
    "R": np.eye(INPUTS)[[0, -1, -2]] * np.array([[0], [1], [1]]),
}
"""Letter -> inputs (probes, 50) whose outputs determine the weights."""

SLIPS = {
    "sign": "the sign of the gradient is wrong, so it climbs the error",
    "plain": "the derivative of tanh is left out",
    "output": "the derivative of tanh is taken of the output a, and belongs to dot",
    "cosh": "the derivative of tanh is 1 / cosh^2, and it multiplies by cosh^2",
    "bias": "the bias is not trained",
    "last": "only the last step is trained: no error goes back through time",
    "weight": "on the way back through time the error is not multiplied by ws",
    "input": "on the way back through time the error is multiplied by wl, "
    "the weight of the input, in place of ws",
    "back": "on the way back through time the error is not multiplied "
    "by the derivative of tanh",
    "state": "ws is trained with the state of the same step, "
    "and needs that of the step before",
    "target": "it is trained to give the 50th value, and must give the 51st",
}
"""Slip -> its sentence in a verdict. The first five slips need no recurrence."""

ROUNDING_PRINTED = 1e-10
"""The rounding error of printed outputs, in addition to that of their digits."""

ROUNDING_COMPUTED = 3e-6
"""The rounding error of outputs that are computed from printed outputs."""

VALLEY = 0.3
"""The largest miss at the best rate of a slip, as a fraction of that at the ends of the
rates that are tried. It is about 0.05 for the right slip, and 1 for one that no rate
brings nearer."""

LEFT = 1e-3
"""The largest uncertainty of outputs by which rules can be told apart."""


def outputs(weights: Array, inputs: Array) -> Array:
    """Compute last states (rows, candidates).

    Args:
        weights: (3, candidates): kernel, recurrent weight and bias.
        inputs: (rows, steps).
    """
    state = np.zeros((len(inputs), weights.shape[1]))
    for values in inputs.T:
        state = np.tanh(weights[0] * values[:, None] + weights[1] * state + weights[2])
    return state


def epoch(
    weights: Array,
    inputs: Array,
    targets: Array,
    rates: Array,
    slips: Sequence[str] | Array,
) -> Array:
    """Compute weights (3, candidates) after one pass over the rows.

    Args:
        weights: (3, candidates), as for `outputs`.
        inputs: (rows, steps).
        targets: (rows,).
        rates: (candidates,) learning rates.
        slips: (candidates,) names of `SLIPS`, or "" for none.
    """
    has = {name: np.asarray(slips) == name for name in SLIPS}
    kernel, recurrent, bias = weights
    rates = np.where(has["sign"], -rates, rates)
    steps = inputs.shape[1]
    states = np.zeros((steps + 1, len(rates)))
    for values, target in zip(inputs, targets, strict=True):
        for step, value in enumerate(values):
            states[step + 1] = np.tanh(kernel * value + recurrent * states[step] + bias)
        slope = 1 - states[1:] ** 2  # (steps, candidates)
        slope = np.where(has["plain"], 1, slope)
        slope = np.where(has["output"], 1 - np.tanh(states[1:]) ** 2, slope)
        slope = np.where(has["cosh"], 1 / np.maximum(slope, 1e-9), slope)
        aim = np.where(has["target"], values[-1], target)
        deltas = np.empty_like(slope)
        deltas[-1] = (aim - states[-1]) * slope[-1]
        back = np.where(has["weight"], 1, recurrent)
        back = np.where(has["input"], kernel, back)
        back = np.where(has["last"], 0, back)
        slope = np.where(has["back"], 1, slope)
        for step in range(steps - 2, -1, -1):
            deltas[step] = deltas[step + 1] * back * slope[step]
        before = np.where(has["state"], states[1:], states[:-1])
        change = [
            values @ deltas,
            (deltas * before).sum(0),
            np.where(has["bias"], 0, deltas.sum(0)),
        ]
        kernel, recurrent, bias = np.clip(
            [kernel, recurrent, bias] + rates * np.array(change), -1e6, 1e6
        )
    return np.array([kernel, recurrent, bias])


def _weights(after: Array, probes: Array) -> Array:
    """Solve for the weights (3, 1) of a node whose outputs (probes,) are known.

    A perceptron has two outputs, and no recurrent weight.
    """
    dots = np.arctanh(np.clip(after, -1 + 1e-15, 1 - 1e-15))
    if len(after) == 2:
        return np.array([[dots[1] - dots[0]], [0.0], [dots[0]]])
    # The start of the search assumes that the state has settled before the input comes.
    # Then the last state but one is the second probe's output.
    recurrent = (dots[2] - dots[0]) / (after[1] - after[0])
    start = [dots[1] - dots[0], recurrent, dots[0] - recurrent * after[0]]
    with warnings.catch_warnings(action="ignore"):  # it warns if rounding stops it
        solution: Array = fsolve(
            lambda w: outputs(w[:, None], probes)[:, 0] - after, start, xtol=1e-13
        )
    return solution[:, None]


class LearningRule:
    """The search for the rules that explain a network's outputs after two epochs.

    Args:
        letter: D or R.
        train: the rows (series, 51) that the network learns from.
        first: (probes, 2): the outputs for the probes after one epoch, and their
            uncertainty by the printed digits.
        second: the same after the next epoch.

    Attributes:
        targets: (series,) the 51st values.
    """

    def __init__(self, letter: str, train: Array, first: Array, second: Array) -> None:
        self.slips = list(SLIPS)
        self._inputs = train[:, :-1]
        self._probes = PROBES[letter]
        self._rates = np.geomspace(1e-5, 1, 51)
        if letter == "D":
            self.slips = self.slips[:5]
            # All inputs of D are multiples of one direction, so they count as one.
            self._inputs = self._inputs @ DIRECTION[:, None]
            self._probes = self._probes @ DIRECTION[:, None]
            self._rates = np.geomspace(1e-4, 10, 201)
        self.targets = train[:, -1]
        self._second = second[:, :, None]
        # (probes + 1, probes): no shift, and each output shifted by its uncertainty
        shifts = np.vstack(
            [np.zeros(len(first)), np.diag(first[:, 1] + ROUNDING_PRINTED)]
        )
        with np.errstate(all="ignore"):
            self._weights = np.hstack(
                [_weights(first[:, 0] + shift, self._probes) for shift in shifts]
            )

    def moved(self, places: int) -> "LearningRule":
        """Return the search if the 51st values are moved by so many train rows."""
        rule = copy(self)
        rule.targets = np.roll(self.targets, places)
        return rule

    def agreeing(
        self, slips: Sequence[str], low: float = 0, high: float = np.inf
    ) -> dict[str, float]:
        """Return the slips that lead from the first outputs to the second, with rates.

        The slip "" is the rule itself. The rate of a slip, between `low` and `high`, is
        that at which it comes nearest.
        """
        low = max(low, self._rates[0])
        high = min(high, self._rates[-1])
        rates = np.unique(np.clip(self._rates, low, high))
        reach = self._rates[1] / self._rates[0]
        misses = self._misses(
            np.repeat(slips, len(rates)), np.tile(rates, len(slips))
        ).reshape(len(slips), -1)
        sides = np.pad(misses, ((0, 0), (1, 1)), constant_values=np.inf)
        which, at = np.nonzero((misses <= sides[:, :-2]) & (misses <= sides[:, 2:]))
        tried = np.array(slips)[which]
        nearest = rates[at]
        for closer in range(5):
            if not len(tried):
                return {}
            trials = np.clip(
                nearest[:, None] * reach ** np.linspace(-1, 1, 21), low, high
            )
            misses = self._misses(
                np.repeat(tried, 21), trials.ravel(), closely=closer > 0
            ).reshape(trials.shape)
            best = np.arange(len(tried)), misses.argmin(1)
            # Only the nearest eight are looked at more closely. A slip that explains
            # the outputs misses far less at its best rate than at the ends.
            least = misses[best]
            hopeful = (least <= 1) | (least <= VALLEY * misses[:, [0, -1]].max(1))
            keep = least.argsort()[:8]
            keep = keep[hopeful[keep]]
            nearest = trials[best][keep]
            tried = tried[keep]
            misses = least[keep]
            reach **= 0.1
        # A network that has settled does not change, which a rate near 0 would explain,
        # too. So rates above the lowest come last and win.
        order = np.lexsort((-misses, nearest > 1.01 * low))
        return {str(tried[at]): float(nearest[at]) for at in order if misses[at] <= 1}

    def _misses(self, slips: Array, rates: Array, *, closely: bool = False) -> Array:
        """Compute the distance of each slip at each rate from the second outputs.

        The unit is the uncertainty of the outputs. With `closely` it includes the
        uncertainty of the first outputs, and is at most `LEFT`.
        """
        count = self._weights.shape[1] if closely else 1
        weights = np.repeat(self._weights[:, :count], len(rates), 1)
        # with some slips, high rates overflow
        with np.errstate(all="ignore"):
            after = epoch(
                weights,
                self._inputs,
                self.targets,
                np.tile(rates, count),
                np.tile(slips, count),
            )
        candidates = outputs(after, self._probes).reshape(-1, count, len(rates))
        left = (
            self._second[:, 1]
            + ROUNDING_COMPUTED
            + np.abs(candidates[:, 1:] - candidates[:, :1]).sum(1)
        )
        misses = (np.abs(candidates[:, 0] - self._second[:, 0]) / left).max(0)
        return np.where(
            np.isnan(misses) | (closely & (left.max(0) > LEFT)), np.inf, misses
        )
