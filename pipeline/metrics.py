"""Measures of a prediction against its targets, in float64. A shape slip is an error, not a broadcast."""

import math
from collections.abc import Callable

import numpy as np

from pipeline.windows import Array

EPSILON = 1e-7
"""How far a probability is kept from 0 and 1 before its logarithm: Keras' default."""


def _pair(predictions: Array, targets: Array) -> tuple[Array, Array]:
    if predictions.ndim != 1 or predictions.shape != targets.shape or not len(targets):
        raise ValueError(
            "`predictions` and `targets` must both have shape (n,), n at least 1. "
            f"Received: {predictions.shape} and {targets.shape}"
        )
    return predictions.astype(np.float64), targets.astype(np.float64)


def mse(predictions: Array, targets: Array) -> float:
    """Mean squared error of (n,) against (n,), in the targets' unit squared."""
    predicted, true = _pair(predictions, targets)
    return float(np.mean((predicted - true) ** 2))


def mae(predictions: Array, targets: Array) -> float:
    """Mean absolute error of (n,) against (n,), in the targets' unit."""
    predicted, true = _pair(predictions, targets)
    return float(np.mean(np.abs(predicted - true)))


def accuracy(predictions: Array, targets: Array) -> float:
    """Share of right classes: probabilities (n,) above 0.5 mean class 1, targets (n,) are 0 or 1."""
    predicted, true = _pair(predictions, targets)
    return float(np.mean((predicted > 0.5) == (true > 0.5)))


def binary_crossentropy(predictions: Array, targets: Array) -> float:
    """Mean of -log(the probability given to the true class), in nats; (n,) against (n,)."""
    predicted, true = _pair(predictions, targets)
    predicted = np.clip(predicted, EPSILON, 1 - EPSILON)
    # One by one: NumPy's logarithms have other last bits on processors with AVX-512 (docs/decisions/bits.md).
    of_one = np.array([math.log(value) for value in predicted.tolist()])
    of_zero = np.array([math.log1p(-value) for value in predicted.tolist()])
    return float(-np.mean(true * of_one + (1 - true) * of_zero))


def pairwise_mse(predictions: Array, targets: Array) -> float:
    """Mean squared difference over all pairs of a prediction (n,) and a target (n,).

    It is what Keras computes of outputs (n, 1, 1) and targets (n,), which broadcast to (n, 1, n): the two
    variances plus the squared difference of the means, which needs no (n, n) array.
    """
    predicted, true = _pair(predictions, targets)
    return float(np.var(predicted) + np.var(true) + (np.mean(predicted) - np.mean(true)) ** 2)


METRICS: dict[str, Callable[[Array, Array], float]] = {
    "mse": mse,
    "mae": mae,
    "accuracy": accuracy,
    "binary_crossentropy": binary_crossentropy,
    "pairwise_mse": pairwise_mse,
}

BETTER: dict[str, Callable[[float, float], bool]] = {
    "mse": lambda new, old: new < old,
    "mae": lambda new, old: new < old,
    "accuracy": lambda new, old: new > old,
}
"""Whether the first value of a metric is better than the second."""
