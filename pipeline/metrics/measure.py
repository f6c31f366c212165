"""What a measure is. A formula is written once and serves NumPy (`score`, float64) and
TensorFlow.

That is `pipeline.training.program`, float32 under XLA. What the two do differently
comes in as `ops`.
"""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Protocol

VALUES = frozenset({"forecast", "regress"})
CLASSES = frozenset({"classify"})
"""The kinds of data sets."""


class Ops(Protocol):
    """What a formula may use besides arithmetic and comparisons."""

    def mean(self, values: Any) -> Any:
        """Return the mean over examples (n,), or over all values of examples (n,
        values).
        """

    def log(self, values: Any) -> Any:
        """Return the natural logarithm of each value."""

    def clip(self, values: Any, low: float, high: float) -> Any:
        """Return each value, but none below `low` or above `high`."""


@dataclass(frozen=True)
class Measure:
    """A measure of predictions (n, ...) against targets of the same shape.

    Attributes:
        name: its name in params.yaml, and that of its module.
        title: its name on the page.
        formula: predictions, targets, ops -> one number.
        kinds: the kinds of data sets that it is reported for.
        higher: whether more is better.
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
