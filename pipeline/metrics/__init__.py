"""Measures of predictions against targets, which serve as metrics and as losses.

Each measure is a module of this package and an entry in `table`.
"""

import math
from functools import partial
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import pydantic

from pipeline.metrics.measure import Measure, Ops
from pipeline.metrics.table import MEASURES

__all__ = [
    "KEPT",
    "MEASURES",
    "Loss",
    "Measure",
    "Metric",
    "Ops",
    "added",
    "losses",
    "score",
]


def _known(name: str, *, trains: bool = False) -> str:
    valid = [name for name, measure in MEASURES.items() if measure.trains or not trains]
    if name not in valid:
        raise ValueError(f"must be one of: {', '.join(valid)}")
    return name


Metric = Annotated[str, pydantic.AfterValidator(_known)]
Loss = Annotated[str, pydantic.AfterValidator(partial(_known, trains=True))]


class _NumPy:
    """`Ops` on NumPy arrays."""

    def mean(self, values: npt.NDArray[Any]) -> float:
        return float(np.mean(values))

    def log(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        # `math.log` for each value: NumPy's logarithms have other last bits on
        # processors with AVX-512 (docs/decisions/bits.md).
        logarithms = [math.log(value) for value in values.ravel().tolist()]
        return np.array(logarithms).reshape(values.shape)

    def clip(
        self, values: npt.NDArray[Any], low: float, high: float
    ) -> npt.NDArray[Any]:
        clipped: npt.NDArray[Any] = np.clip(values, low, high)
        return clipped


class _Examples(_NumPy):
    """`Ops` whose mean keeps the loss of each value."""

    def mean(self, values: npt.NDArray[Any]) -> Any:
        return values


KEPT = ("mse", "mae")
"""The measures whose losses `added` keeps for each example."""


def added(
    predictions: npt.NDArray[Any], targets: npt.NDArray[Any]
) -> npt.NDArray[np.float32]:
    """Return the loss of each example by each measure of `KEPT`: (n, measures).

    `predictions` and `targets` have shape (n, values).
    """
    by_measure = [losses(name, predictions[None], targets)[0] for name in KEPT]
    return np.stack(by_measure, axis=1).astype(np.float32)


def losses(
    name: str, predictions: npt.NDArray[Any], targets: npt.NDArray[Any] | None
) -> npt.NDArray[np.float64]:
    """Return the loss of each example (seeds, n) by a measure.

    The measure is the mean of these losses. The loss of an example with several values
    is their mean. Without targets, `predictions` (seeds, n, measures) are the result of
    `added`.
    """
    if targets is None:
        return predictions[..., KEPT.index(name)].astype(np.float64)
    values = MEASURES[name].formula(
        predictions.astype(np.float64), targets, _Examples()
    )
    by_value: npt.NDArray[np.float64] = np.reshape(values, (*values.shape[:2], -1))
    return np.asarray(by_value.mean(axis=2))


def score(
    name: str, predictions: npt.NDArray[Any], targets: npt.NDArray[Any] | None
) -> float:
    """Return a measure of predictions against targets, computed in float64.

    Both have shape (n,) or (n, values). Without targets, `predictions` (n, measures)
    are the result of `added`.

    Raises:
        ValueError: the shapes differ. NumPy would broadcast them, and the number would
            mean something else.
    """
    if targets is None:
        return float(losses(name, predictions[None], None).mean())
    plain = targets.ndim == 1 or (targets.ndim == 2 and targets.shape[1] > 1)
    if not plain or predictions.shape != targets.shape or not len(targets):
        raise ValueError(
            "`predictions` and `targets` must both have shape (n,), or both (n, values) "
            f"with several of each. Received: {predictions.shape} and {targets.shape}"
        )
    return float(
        MEASURES[name].formula(
            predictions.astype(np.float64), targets.astype(np.float64), _NumPy()
        )
    )
