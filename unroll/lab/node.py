"""One recurrent node that learns by document 003's rule, or by one of the slips that students make.

With one timestep it is the perceptron: what all 50 inputs have in common is one input.
"""

import warnings
from collections.abc import Sequence

import numpy as np
from scipy.optimize import fsolve

from pipeline.data.examples import Array

SLIPS = {
    "sign": "the sign of the gradient is wrong, so it climbs the error",
    "plain": "the derivative of tanh is left out",
    "output": "the derivative of tanh is taken of the output a, and belongs to dot",
    "cosh": "the derivative of tanh is 1 / cosh^2, and it multiplies by cosh^2",
    "bias": "the bias is not trained",
    "last": "only the last step is trained: no error goes back through time",
    "weight": "on the way back through time the error is not multiplied by ws",
    "back": "on the way back through time the error is not multiplied by the derivative of tanh",
    "state": "ws is trained with the state of the same step, and needs that of the step before",
    "target": "it is trained to give the 50th value, and must give the 51st",
}
"""What can be wrong with the learning, and how it is said. The first five need no recurrence."""

OF_A_PERCEPTRON = 5


def outputs(weights: Array, inputs: Array) -> Array:
    """Last states (rows, candidates) for weights (3, candidates), kernel, recurrent, bias, and inputs (rows, steps)."""
    state = np.zeros((len(inputs), weights.shape[1]))
    for values in inputs.T:
        state = np.tanh(weights[0] * values[:, None] + weights[1] * state + weights[2])
    return state


def epoch(weights: Array, inputs: Array, targets: Array, rates: Array, slips: Sequence[str] | Array) -> Array:
    """Weights (3, candidates) after one pass over inputs (rows, steps), each candidate with its rate and its slip."""
    has = {name: np.asarray(slips) == name for name in SLIPS}
    kernel, recurrent, bias = weights
    rates = np.where(has["sign"], -rates, rates)
    steps = inputs.shape[1]
    states = np.zeros((steps + 1, len(rates)))
    for values, target in zip(inputs, targets, strict=True):
        for step, value in enumerate(values):
            states[step + 1] = np.tanh(kernel * value + recurrent * states[step] + bias)
        slope = 1 - states[1:] ** 2
        slope = np.where(has["output"], 1 - np.tanh(states[1:]) ** 2, np.where(has["plain"], 1, slope))
        slope = np.where(has["cosh"], 1 / np.maximum(slope, 1e-9), slope)
        deltas = np.empty_like(slope)
        deltas[-1] = (np.where(has["target"], values[-1], target) - states[-1]) * slope[-1]
        back = np.where(has["last"], 0, np.where(has["weight"], 1, recurrent))
        slope = np.where(has["back"], 1, slope)
        for step in range(steps - 2, -1, -1):
            deltas[step] = deltas[step + 1] * back * slope[step]
        before = np.where(has["state"], states[1:], states[:-1])
        change = [values @ deltas, (deltas * before).sum(0), np.where(has["bias"], 0, deltas.sum(0))]
        kernel, recurrent, bias = np.clip([kernel, recurrent, bias] + rates * np.array(change), -1e6, 1e6)
    return np.array([kernel, recurrent, bias])


def weights_of(read: Array, inputs: Array) -> Array:
    """The weights (3, 1) of a node whose outputs for three probes are known: zeros, and 1 at the last or next to last.

    Args:
        read: the outputs (probes,); two of them for a perceptron, which has no recurrent weight.
        inputs: the probes (probes, steps).
    """
    dots = np.arctanh(np.clip(read, -1 + 1e-15, 1 - 1e-15))
    if len(read) == 2:
        return np.array([[dots[1] - dots[0]], [0.0], [dots[0]]])
    # The state has settled before the input comes: then the last but one is the second probe's output.
    recurrent = (dots[2] - dots[0]) / (read[1] - read[0])
    start = [dots[1] - dots[0], recurrent, dots[0] - recurrent * read[0]]
    with warnings.catch_warnings(action="ignore"):  # it says so when rounding stops it
        found: Array = fsolve(lambda w: outputs(w[:, None], inputs)[:, 0] - read, start, xtol=1e-13)
    return found[:, None]
