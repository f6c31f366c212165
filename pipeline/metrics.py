"""Every measure of predictions against targets, as a metric and as a loss: one entry of `MEASURES` each.

A formula is written once and serves NumPy (`score`, float64) and TensorFlow (`pipeline.training.program`, float32
under XLA). What the two do differently comes in as `ops`.
"""

import math
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

import numpy as np
import numpy.typing as npt
import pydantic

EPSILON = 1e-7
"""How far a probability is kept from 0 and 1 before its logarithm: Keras' default."""


class Ops(Protocol):
    """What a formula may use besides arithmetic and comparisons."""

    def mean(self, values: Any) -> Any:
        """The mean over examples (n,), or over all values of examples (n, values)."""

    def log(self, values: Any) -> Any:
        """The natural logarithm of each value."""

    def clip(self, values: Any, low: float, high: float) -> Any:
        """Each value, but none below `low` or above `high`."""


@dataclass(frozen=True)
class Measure:
    """A measure of predictions (n, ...) against targets of the same shape.

    Attributes:
        title: its name on the page.
        formula: predictions, targets, ops -> one number.
        kinds: the kinds of data sets that it is reported for.
        unit: its unit, where `{}` stands for the target's.
        higher: whether more is better.
        trains: whether a network can be trained on it.
    """

    title: str
    formula: Callable[[Any, Any, Ops], Any]
    kinds: AbstractSet[str] = frozenset()
    unit: str = "{}"
    higher: bool = False
    trains: bool = True

    def better(self, new: float, old: float) -> bool:
        """Whether the first value is better than the second."""
        return new > old if self.higher else new < old


def _crossentropy(predictions: Any, targets: Any, ops: Ops) -> Any:
    """-log of the probability that the true class was given."""
    p = ops.clip(predictions, EPSILON, 1 - EPSILON)
    return ops.mean(-(targets * ops.log(p) + (1 - targets) * ops.log(1 - p)))


def _pairwise_mse(predictions: Any, targets: Any, ops: Ops) -> Any:
    """The mean square over all pairs of a prediction and a target: Keras' of outputs (n, 1, 1) and targets (n,)."""
    one, other = ops.mean(predictions), ops.mean(targets)
    return ops.mean((predictions - one) ** 2) + ops.mean((targets - other) ** 2) + (one - other) ** 2


VALUES, CLASSES = frozenset({"forecast", "regress"}), frozenset({"classify"})

MEASURES = {
    "mse": Measure("MSE", lambda p, t, ops: ops.mean((p - t) ** 2), VALUES, "({})²"),
    "mae": Measure("MAE", lambda p, t, ops: ops.mean(abs(p - t)), VALUES),
    "accuracy": Measure(
        "accuracy",
        lambda p, t, ops: ops.mean((p > 0.5) == (t > 0.5)),
        CLASSES,
        "share of examples",
        higher=True,
        trains=False,
    ),
    "brier": Measure("Brier score", lambda p, t, ops: ops.mean((p - t) ** 2), CLASSES, "probability²", trains=False),
    "binary_crossentropy": Measure("cross-entropy", _crossentropy, CLASSES, "nats"),
    "pairwise_mse": Measure("pairwise MSE", _pairwise_mse, unit="({})²"),
}


def _known(name: str) -> str:
    if name not in MEASURES:
        raise ValueError(f"must be one of: {', '.join(MEASURES)}")
    return name


def _trains(name: str) -> str:
    losses = [name for name, measure in MEASURES.items() if measure.trains]
    if name not in losses:
        raise ValueError(f"must be one of: {', '.join(losses)}")
    return name


Metric = Annotated[str, pydantic.AfterValidator(_known)]
Loss = Annotated[str, pydantic.AfterValidator(_trains)]


class _NumPy:
    """`Ops` on arrays."""

    def mean(self, values: npt.NDArray[Any]) -> float:
        return float(np.mean(values))

    def log(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        # One by one: NumPy's logarithms have other last bits on processors with AVX-512 (docs/decisions/bits.md).
        return np.array([math.log(value) for value in values.ravel().tolist()]).reshape(values.shape)

    def clip(self, values: npt.NDArray[Any], low: float, high: float) -> npt.NDArray[Any]:
        clipped: npt.NDArray[Any] = np.clip(values, low, high)
        return clipped


class _Examples(_NumPy):
    """`Ops` that leave what each example adds apart."""

    def mean(self, values: npt.NDArray[Any]) -> Any:
        return values


def losses(name: str, predictions: npt.NDArray[Any], targets: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """What each example (seeds, n) adds to a measure that is a mean over examples; the mean of several values."""
    found = MEASURES[name].formula(predictions.astype(np.float64), targets, _Examples())
    of_examples: npt.NDArray[np.float64] = np.reshape(found, (*found.shape[:2], -1)).mean(axis=2)
    return of_examples


def score(name: str, predictions: npt.NDArray[Any], targets: npt.NDArray[Any]) -> float:
    """A measure of predictions (n,) or (n, values) against targets of the same shape, computed in float64.

    Raises:
        ValueError: the shapes differ. NumPy would broadcast them, and the number would mean something else.
    """
    plain = targets.ndim == 1 or (targets.ndim == 2 and targets.shape[1] > 1)
    if not plain or predictions.shape != targets.shape or not len(targets):
        raise ValueError(
            "`predictions` and `targets` must both have shape (n,), or both (n, values) with several of each. "
            f"Received: {predictions.shape} and {targets.shape}"
        )
    return float(MEASURES[name].formula(predictions.astype(np.float64), targets.astype(np.float64), _NumPy()))
