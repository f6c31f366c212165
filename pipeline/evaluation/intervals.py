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
    """A figure, its standard error, and the degrees of freedom of that error: infinite where it is known."""

    value: float
    error: float
    freedom: float

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Low and high, by Student's t."""
        from scipy import special  # what scipy.stats.t calls; scipy.stats takes a second to import

        reach = float(special.stdtrit(self.freedom, (1 + level) / 2)) * self.error if self.error else 0.0
        return self.value - reach, self.value + reach

    def p_value(self) -> float:
        """Two-sided, of a true value of zero."""
        from scipy import special

        if not self.error:
            return float(self.value == 0)
        return float(2 * special.stdtr(self.freedom, -abs(self.value) / self.error))


@dataclass(frozen=True)
class Transform:
    """To a scale on which a measure is near normal, so that Student's t applies there.

    Attributes:
        forward, inverse: to that scale, and back to the measure's own.
        derivative: of `forward`. A small standard error times it is the standard error on that scale.
        domain: whether a value has a place there: no perfect score has a logarithm.
    """

    forward: Callable[[float], float]
    inverse: Callable[[float], float]
    derivative: Callable[[float], float]
    domain: Callable[[float], bool]


LOGARITHM = Transform(math.log, math.exp, lambda x: 1 / x, lambda x: x > 0)
LOGIT = Transform(
    lambda x: math.log(x / (1 - x)), lambda x: 1 / (1 + math.exp(-x)), lambda x: 1 / x / (1 - x), lambda x: 0 < x < 1
)
IDENTITY = Transform(float, float, lambda _: 1.0, lambda _: True)


def transform(measure: str) -> Transform:
    """Errors vary in proportion to their size; an accuracy lies between 0 and 1."""
    if measure == "accuracy":
        return LOGIT
    return LOGARITHM if measure in MEASURES or measure.endswith("_unit") else IDENTITY


def mean(values: Sequence[float]) -> Estimate:
    """The mean over ever more seeds, from some; sure where there is one value, which then depends on no seed."""
    count = len(values)
    if count == 1:
        return Estimate(float(values[0]), 0.0, math.inf)
    return Estimate(float(np.mean(values)), float(np.std(values, ddof=1)) / math.sqrt(count), count - 1)


def prediction(values: Sequence[float], measure: str, rows: float = 0.0) -> tuple[float, float] | None:
    """Where one more run would lie; None where a value has no place on the measure's normal scale.

    Args:
        values: of each seed; several, or that of a model without seeds.
        measure: of the values; empty for one that is taken as normal as it is.
        rows: the standard error of their mean by the rows, where the new run is scored on other rows; else 0.
    """
    to = transform(measure)
    if not all(map(to.domain, values)):
        return None
    # Two test sets differ by twice the variance of one.
    of_rows = 2 * (rows * to.derivative(math.fsum(values) / len(values))) ** 2 if rows else 0.0
    low, high = next_run([to.forward(value) for value in values], of_rows).interval()
    return to.inverse(low), to.inverse(high)


def next_run(values: Sequence[float], rows: float = 0.0) -> Estimate:
    """What one more run would give, on a scale on which `values` are near normal; `rows` is a variance to add."""
    count = len(values)
    of_values = float(np.var(values, ddof=1)) * (1 + 1 / count) if count > 1 else 0.0
    # Satterthwaite's, where the variance of the rows is known and that of the seeds has count - 1.
    freedom = (count - 1) * (1 + rows / of_values) ** 2 if of_values else math.inf
    return Estimate(float(np.mean(values)), math.sqrt(of_values + rows), freedom)


def difference(one: Array, other: Array, blocks: Array) -> Estimate:
    """How much larger the mean of `one` is than that of `other`, over seeds and rows.

    Args:
        one: losses (seeds, n) of a model.
        other: of another one, on the same examples.
        blocks: the number of the block (n,) that each example belongs to; those of one block are not independent.
    """
    parts = [(clustered_error(one.mean(axis=0) - other.mean(axis=0), blocks) ** 2, len(np.unique(blocks)) - 1)]
    for losses in (one, other):
        seeds = len(losses)
        if seeds > 1:
            parts.append((float(np.var(losses.mean(axis=1), ddof=1)) / seeds, seeds - 1))
    return _sum(float(one.mean() - other.mean()), parts)


def independent(one: Sequence[float], other: Sequence[float]) -> Estimate:
    """How much larger the mean of `one` is than that of `other`, values of seeds that have nothing in common: Welch's.

    A single value is taken as it is: a count, or of a model that depends on no seed.
    """
    parts = [(float(np.var(each, ddof=1)) / len(each), len(each) - 1) for each in (one, other) if len(each) > 1]
    return _sum(float(np.mean(one)) - float(np.mean(other)), parts)


def _sum(value: float, parts: Sequence[tuple[float, int]]) -> Estimate:
    """A value whose variance is the sum of these, each with its degrees of freedom: Welch's and Satterthwaite's."""
    total = sum(variance for variance, _ in parts)
    shares = sum(variance**2 / freedom for variance, freedom in parts if freedom > 0)
    return Estimate(value, math.sqrt(total), total**2 / shares if shares else math.inf)


def clustered_error(losses: Array, blocks: Array) -> float:
    """The standard error of the mean of losses (n,), by the scatter of its blocks; 0 where all are one block."""
    numbers = np.unique(blocks, return_inverse=True)[1]
    sums = np.bincount(numbers, weights=losses - losses.mean())
    if len(sums) == 1:
        return 0.0
    return math.sqrt(len(sums) / (len(sums) - 1) * float(np.square(sums).sum())) / len(losses)
