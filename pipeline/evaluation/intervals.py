"""Intervals: of what another run would give, and of the difference between two models (docs/decisions/verdicts.md)."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pydantic

from pipeline.data.examples import Array
from pipeline.metrics import MEASURES
from pipeline.validation import Strict

LEVEL = 0.95
"""Of every interval that is shown."""

Interval = Annotated[tuple[float, float], pydantic.Strict(strict=False)]  # in JSON it is a list
"""Low and high."""


def student(value: float, error: float, freedom: float, level: float = LEVEL) -> Interval:
    """Where Student's t puts what `value` estimates, by its standard error and the degrees of freedom of that."""
    from scipy import special  # what scipy.stats.t calls; scipy.stats takes a second to import

    reach = float(special.stdtrit(freedom, (1 + level) / 2)) * error if error else 0.0
    return value - reach, value + reach


class Difference(Strict):
    """How much more the data set's measure is for one model than for another, on the same rows, each over its seeds.

    Attributes:
        mean: the difference.
        error, freedom: its standard error, and the degrees of freedom of that; None where they are infinite.
        p_value: two-sided, of no difference.
    """

    mean: float
    error: float
    freedom: float | None
    p_value: float

    @classmethod
    def of(cls, mean: float, variances: Sequence[tuple[float, int]]) -> "Difference":
        """Whose variance is the sum of these, each with its degrees of freedom: Welch's and Satterthwaite's."""
        from scipy import special

        total = sum(variance for variance, _ in variances)
        error, weight = math.sqrt(total), sum(variance**2 / freedom for variance, freedom in variances if freedom > 0)
        freedom = total**2 / weight if weight else math.inf
        p_value = float(2 * special.stdtr(freedom, -abs(mean) / error)) if error else float(mean == 0)
        return cls(mean=mean, error=error, freedom=freedom if math.isfinite(freedom) else None, p_value=p_value)

    def interval(self, level: float = LEVEL) -> Interval:
        """Of the difference, low and high."""
        return student(self.mean, self.error, math.inf if self.freedom is None else self.freedom, level)


def difference(losses: Array, others: Array, blocks: Array) -> Difference:
    """How much larger the mean of `losses` is than that of `others`, over seeds and rows.

    Args:
        losses: (seeds, n) of a model.
        others: of another one, on the same examples.
        blocks: the number of the block (n,) that each example belongs to; those of one block are not independent.
    """
    by_rows = clustered_error(losses.mean(axis=0) - others.mean(axis=0), blocks)
    variances = [(by_rows**2, len(np.unique(blocks)) - 1)]
    variances += [_of_mean(of_model.mean(axis=1)) for of_model in (losses, others) if len(of_model) > 1]
    return Difference.of(float(losses.mean() - others.mean()), variances)


def independent(values: Sequence[float], others: Sequence[float]) -> Difference:
    """How much larger the mean of `values` is than that of `others`, of seeds that have nothing in common: Welch's.

    A single value is taken as it is: a count, or of a model that depends on no seed.
    """
    variances = [_of_mean(of_model) for of_model in (values, others) if len(of_model) > 1]
    return Difference.of(float(np.mean(values)) - float(np.mean(others)), variances)


def _of_mean(values: Array | Sequence[float]) -> tuple[float, int]:
    """The variance of the mean over seeds, and its degrees of freedom."""
    return float(np.var(values, ddof=1)) / len(values), len(values) - 1


def clustered_error(losses: Array, blocks: Array) -> float:
    """The standard error of the mean of losses (n,), by the scatter of its blocks; 0 where all are one block."""
    numbers = np.unique(blocks, return_inverse=True)[1]
    sums = np.bincount(numbers, weights=losses - losses.mean())
    if len(sums) == 1:
        return 0.0
    return math.sqrt(len(sums) / (len(sums) - 1) * float(np.square(sums).sum())) / len(losses)


def mean(values: Sequence[float]) -> Interval:
    """Of the mean over ever more seeds, from some; sure where there is one value, which then depends on no seed."""
    count = len(values)
    error = float(np.std(values, ddof=1)) / math.sqrt(count) if count > 1 else 0.0
    return student(float(np.mean(values)), error, count - 1 or math.inf)


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


def prediction(values: Sequence[float], measure: str, rows: float = 0.0) -> Interval | None:
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
    low, high = next_run([to.forward(value) for value in values], of_rows)
    return to.inverse(low), to.inverse(high)


def next_run(values: Sequence[float], rows: float = 0.0) -> Interval:
    """Where one more run would lie, on a scale on which `values` are near normal; `rows` is a variance to add."""
    count = len(values)
    of_values = float(np.var(values, ddof=1)) * (1 + 1 / count) if count > 1 else 0.0
    # Satterthwaite's, where the variance of the rows is known and that of the seeds has count - 1.
    freedom = (count - 1) * (1 + rows / of_values) ** 2 if of_values else math.inf
    return student(float(np.mean(values)), math.sqrt(of_values + rows), freedom)
