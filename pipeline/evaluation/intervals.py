"""Intervals: of what another run would give, and of the difference between two models (docs/decisions/verdicts.md)."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.data.examples import Array
from pipeline.metrics import MEASURES

LEVEL = 0.95
"""Of every interval that is shown."""


@dataclass(frozen=True)
class Estimate:
    """A figure, and how sure it is.

    Attributes:
        value: the figure.
        error: its standard error.
        freedom: degrees of freedom of that error; infinite where it is known.
    """

    value: float
    error: float
    freedom: float

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Low and high, by Student's t."""
        from scipy import special  # what scipy.stats.t calls; scipy.stats takes a second to import

        reach = float(special.stdtrit(self.freedom, (1 + level) / 2)) * self.error if self.error else 0.0
        return self.value - reach, self.value + reach

    def chance(self) -> float:
        """The two-sided p-value of a true value of zero."""
        from scipy import special

        if not self.error:
            return float(self.value == 0)
        return float(2 * special.stdtr(self.freedom, -abs(self.value) / self.error))


@dataclass(frozen=True)
class Scale:
    """On which a measure is near normal.

    Attributes:
        forth, backward: to it and from it.
        slope: of `forth`.
        knows: whether a value has a place on it.
    """

    forth: Callable[[float], float]
    backward: Callable[[float], float]
    slope: Callable[[float], float]
    knows: Callable[[float], bool]

    def there(self, values: Sequence[float]) -> list[float]:
        """Values on this scale."""
        return [self.forth(value) for value in values]

    def back(self, found: Estimate) -> tuple[float, float]:
        """An interval in the measure's own unit."""
        low, high = found.interval()
        return self.backward(low), self.backward(high)


LOGARITHM = Scale(math.log, math.exp, lambda x: 1 / x, lambda x: x > 0)
LOGIT = Scale(
    lambda x: math.log(x / (1 - x)), lambda x: 1 / (1 + math.exp(-x)), lambda x: 1 / x / (1 - x), lambda x: 0 < x < 1
)
PLAIN = Scale(float, float, lambda _: 1.0, lambda _: True)


def scale(measure: str) -> Scale:
    """Errors vary in proportion to their size; an accuracy lies between 0 and 1."""
    if measure == "accuracy":
        return LOGIT
    return LOGARITHM if measure in MEASURES or measure.endswith("_unit") else PLAIN


def mean(values: Sequence[float]) -> Estimate:
    """The mean over ever more seeds, from some; sure where there is one value, which then depends on no seed."""
    count = len(values)
    if count == 1:
        return Estimate(float(values[0]), 0.0, math.inf)
    return Estimate(float(np.mean(values)), float(np.std(values, ddof=1)) / math.sqrt(count), count - 1)


def next_run(values: Sequence[float], rows: float = 0.0) -> Estimate:
    """What one more run would give.

    Args:
        values: of each seed, on a scale on which they are near normal; several, or that of a model without seeds.
        rows: the variance of the difference between two test sets; 0 if the run is scored on the same rows.
    """
    count = len(values)
    spread = float(np.var(values, ddof=1)) if count > 1 else 0.0
    of_seeds = spread * (1 + 1 / count)
    freedom = (count - 1) * (1 + rows / of_seeds) ** 2 if of_seeds else math.inf
    return Estimate(float(np.mean(values)), math.sqrt(of_seeds + rows), freedom)


def difference(one: Array, other: Array, blocks: Array) -> Estimate:
    """How much larger the mean of `one` is than that of `other`, over seeds and rows.

    Args:
        one: losses (seeds, n) of a model.
        other: of another one, on the same examples.
        blocks: the number of the block (n,) that each example belongs to; those of one block are not independent.
    """
    parts = [(of_rows(one.mean(axis=0) - other.mean(axis=0), blocks) ** 2, len(np.unique(blocks)) - 1)]
    for losses in (one, other):
        seeds = len(losses)
        if seeds > 1:
            parts.append((float(np.var(losses.mean(axis=1), ddof=1)) / seeds, seeds - 1))
    total = sum(variance for variance, _ in parts)
    shares = sum(variance**2 / freedom for variance, freedom in parts if freedom > 0)
    freedom = total**2 / shares if shares else math.inf
    return Estimate(float(one.mean() - other.mean()), math.sqrt(total), freedom)


def of_rows(losses: Array, blocks: Array) -> float:
    """The standard error of the mean of losses (n,), by the scatter of its blocks; 0 where all are one block."""
    numbers = np.unique(blocks, return_inverse=True)[1]
    sums = np.bincount(numbers, weights=losses - losses.mean())
    if len(sums) == 1:
        return 0.0
    return math.sqrt(len(sums) / (len(sums) - 1) * float(np.square(sums).sum())) / len(losses)
