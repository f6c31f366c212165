"""The type of a measure.

A measure's formula is written once. It serves NumPy (`score`, float64) and TensorFlow
(`pipeline.training.program`, float32 under XLA). Operations in which the two differ are
passed as `ops`.
"""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Protocol

VALUES = frozenset({"forecast", "regress"})
"""The kinds of data sets whose targets are values."""

CLASSES = frozenset({"classify"})
"""The kind of data set whose targets are classes."""


class Ops(Protocol):
    """The operations of a formula besides arithmetic and comparisons."""

    def mean(self, values: Any) -> Any:
        """Return the mean over examples (n,), or over all values of examples (n,
        values).
        """

    def log(self, values: Any) -> Any:
        """Return the natural logarithm of each value."""

    def clip(self, values: Any, low: float, high: float) -> Any:
        """Return each value, limited to the range from `low` to `high`."""


@dataclass(frozen=True)
class Measure:
    """A measure of predictions (n, ...) against targets of the same shape.

    Attributes:
        name: the name in params.yaml and of the measure's module.
        title: the name on the page.
        formula: predictions, targets, ops -> one number.
        kinds: the kinds of data sets that the measure is reported for.
        higher: whether a higher value is better.
        trains: whether a network can be trained on it.
    """

    name: str
    title: str
    formula: Callable[[Any, Any, Ops], Any]
    kinds: AbstractSet[str] = frozenset()
    higher: bool = False
    trains: bool = True

    def better(self, new: float, old: float) -> bool:
        """Return whether the first value is better than the second."""
        return new > old if self.higher else new < old
