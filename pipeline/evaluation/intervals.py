"""Intervals: of what another run would give, and of the difference between two models
(docs/decisions/verdicts.md).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, NamedTuple, TypeVar

import numpy as np
import pydantic

from pipeline.data.examples import Array
from pipeline.metrics import MEASURES

LEVEL = 0.95
"""Of every interval that is shown."""

# in JSON it is a list
Interval = Annotated[tuple[float, float], pydantic.Strict(strict=False)]
"""Low and high."""

Values = TypeVar("Values", float, Array)


def student(
    value: float, error: float, freedom: float, level: float = LEVEL
) -> Interval:
    """Where Student's t puts what `value` estimates, by its standard error and the
    degrees of freedom of that.
    """
    # what scipy.stats.t calls; scipy.stats takes a second to import
    from scipy import (
        special,
    )

    reach = float(special.stdtrit(freedom, (1 + level) / 2)) * error if error else 0.0
    return value - reach, value + reach


class Part(NamedTuple):
    """What one source of chance adds to the variance of a difference, and how many
    draws that is known from.
    """

    variance: float
    draws: int

    def of_more(self, draws: int) -> "Part":
        """From so many draws of the same scatter, if those are more."""
        return (
            Part(self.variance * self.draws / draws, draws)
            if self.variance and draws > self.draws
            else self
        )


@dataclass(frozen=True)
class Difference:
    """How much larger an error is for one model than for another, on the same rows,
    each over its seeds.

    Attributes:
        mean: of the logarithms of the errors, so that e^mean is their ratio; of the
            errors themselves without `log`.
        log: whether logarithms are compared: not where an error is exactly 0, and not
            of counts.
        rows: of its variance the part by the blocks of rows.
        seeds, other_seeds: the parts by the seeds of the one and of the other.
    """

    mean: float
    log: bool
    rows: Part
    seeds: Part
    other_seeds: Part

    @classmethod
    def of(
        cls,
        errors: Sequence[float],
        others: Sequence[float],
        rows: Part,
        *,
        log: bool | None = None,
    ) -> "Difference":
        """From the error with each seed, of one model and of another; logarithms where
        there are, unless `log` says.
        """
        log = min(*errors, *others) > 0 if log is None else log
        if log:
            errors, others = (
                list(map(math.log, values)) for values in (errors, others)
            )
        mean = math.fsum(errors) / len(errors) - math.fsum(others) / len(others)
        return cls(mean, log, rows, _of_mean(errors), _of_mean(others))

    @property
    def error(self) -> float:
        """The standard error."""
        return math.sqrt(sum(part.variance for part in self._parts))

    @property
    def freedom(self) -> float:
        """Degrees of freedom, by Welch and Satterthwaite; infinite where nothing is
        left to chance.
        """
        weight = sum(
            part.variance**2 / (part.draws - 1)
            for part in self._parts
            if part.draws > 1
        )
        return self.error**4 / weight if weight else math.inf

    @property
    def _parts(self) -> tuple[Part, Part, Part]:
        return self.rows, self.seeds, self.other_seeds

    @property
    def p_value(self) -> float:
        """Two-sided, of no difference."""
        return min(1.0, 2 * min(self._below(0.0), self._below(0.0, -1)))

    def equivalence(self, low: float, high: float) -> float:
        """The p-value of two one-sided tests: that the true difference is not between
        `low` and `high`.
        """
        return max(self._below(high), self._below(low, -1))

    def _below(self, bound: float, sign: int = 1) -> float:
        """The p-value of one test, that the true difference is not below a bound; with
        -1 not above it.
        """
        # what scipy.stats.t calls; scipy.stats takes a second to import
        from scipy import (
            special,
        )

        distance = sign * (self.mean - bound)
        return (
            float(special.stdtr(self.freedom, distance / self.error))
            if self.error
            else float(distance >= 0)
        )

    def interval(self, level: float = LEVEL) -> Interval:
        """Of the difference, low and high."""
        return student(self.mean, self.error, self.freedom, level)

    def with_more(self, blocks: int, seeds: int) -> "Difference":
        """As it would be with so many blocks of rows and seeds, if it stayed and each
        scattered as now.
        """
        parts = (
            self.rows.of_more(blocks),
            self.seeds.of_more(seeds),
            self.other_seeds.of_more(seeds),
        )
        return Difference(self.mean, self.log, *parts)


def as_errors(metric: str, values: Values) -> Values:
    """Scores, or what examples add to them, as errors: of an accuracy the fraction that
    is wrong.
    """
    return 1 - values if MEASURES[metric].higher else values


def difference(losses: Array, others: Array, blocks: Array) -> Difference:
    """How much larger the error of one model is than that of another, over seeds and
    rows.

    Args:
        losses: (seeds, n) what each example adds to the error of a model, which is
            their mean.
        others: of another one, on the same examples.
        blocks: the number of the block (n,) that each example belongs to; those of one
            block are not independent.
    """
    errors, of_others = (
        of_model.mean(axis=1).tolist() for of_model in (losses, others)
    )
    return Difference.of(errors, of_others, rows(losses, others, blocks))


def rows(losses: Array, others: Array, blocks: Array) -> Part:
    """What the rows add to the variance of a `difference`, on its scale."""
    of_model = losses.mean(axis=0)
    of_other = others.mean(axis=0)
    if min(losses.mean(axis=1).min(), others.mean(axis=1).min()) > 0:
        # The delta method: a small change of a mean, as a share of it, is that of its
        # logarithm.
        of_model = of_model / of_model.mean()
        of_other = of_other / of_other.mean()
    return Part(
        clustered_error(of_model - of_other, blocks) ** 2, len(np.unique(blocks))
    )


def independent(values: Sequence[float], others: Sequence[float]) -> Difference:
    """How much larger the mean of `values` is than that of `others`, of seeds that have
    nothing in common: Welch's.

    A single value is taken as it is: a count, or of a model that depends on no seed.
    """
    return Difference.of(values, others, Part(0.0, 1), log=False)


def _of_mean(values: Sequence[float]) -> Part:
    """The variance of the mean over seeds; none of one value."""
    return Part(
        float(np.var(values, ddof=1)) / len(values) if len(values) > 1 else 0.0,
        len(values),
    )


def clustered_error(losses: Array, blocks: Array) -> float:
    """The standard error of the mean of losses (n,), by the scatter of its blocks; 0
    where all are one block.
    """
    numbers = np.unique(blocks, return_inverse=True)[1]
    sums = np.bincount(numbers, weights=losses - losses.mean())
    if len(sums) == 1:
        return 0.0
    return math.sqrt(len(sums) / (len(sums) - 1) * float(np.square(sums).sum())) / len(
        losses
    )


Scale = tuple[
    float,
    float,
    Callable[[float], float],
    Callable[[float], float],
    Callable[[float], float],
]
"""On which a measure is near normal, so that Student's t applies there: between which
values of the measure it lies, the way to it and back, and its derivative, which turns
small standard errors into ones on it."""

LOGARITHM: Scale = 0.0, math.inf, math.log, math.exp, lambda x: 1 / x
LOGIT: Scale = (
    0.0,
    1.0,
    lambda x: math.log(x / (1 - x)),
    lambda x: 1 / (1 + math.exp(-x)),
    lambda x: 1 / x / (1 - x),
)
IDENTITY: Scale = -math.inf, math.inf, float, float, lambda _: 1.0


def _scale(measure: str) -> Scale:
    if measure == "accuracy":
        return LOGIT
    return LOGARITHM if measure in MEASURES or measure.endswith("_unit") else IDENTITY


def mean(values: Sequence[float], measure: str) -> Interval:
    """Of the mean over ever more seeds; sure where there is one value, which then
    depends on no seed.

    `measure` is as in `prediction`; the interval ends where its values do, so that no
    error is negative.
    """
    count, (least, most, *_) = len(values), _scale(measure)
    error = float(np.std(values, ddof=1)) / math.sqrt(count) if count > 1 else 0.0
    low, high = student(float(np.mean(values)), error, count - 1 or math.inf)
    return max(low, least), min(high, most)


def prediction(
    values: Sequence[float], measure: str, rows: float = 0.0
) -> Interval | None:
    """Where one more run would lie; None where a value has no place on the measure's
    normal scale.

    Errors vary in proportion to their size; an accuracy lies between 0 and 1.

    Args:
        values: of each seed; several, or that of a model without seeds.
        measure: of the values; empty for one that is taken as normal as it is.
        rows: the standard error of their mean by the rows, where the new run is scored
            on other rows; else 0.
    """
    least, most, forward, inverse, derivative = _scale(measure)
    if not all(least < value < most for value in values):
        return None
    # Two test sets differ by twice the variance of one.
    of_rows = 2 * (rows * derivative(math.fsum(values) / len(values))) ** 2
    low, high = next_run([forward(value) for value in values], of_rows)
    return inverse(low), inverse(high)


def next_run(values: Sequence[float], rows: float = 0.0) -> Interval:
    """Where one more run would lie, on a scale on which `values` are near normal;
    `rows` is a variance to add.
    """
    count = len(values)
    of_values = float(np.var(values, ddof=1)) * (1 + 1 / count) if count > 1 else 0.0
    # Satterthwaite's, where the variance of the rows is known and that of the seeds has
    # count - 1.
    freedom = (count - 1) * (1 + rows / of_values) ** 2 if of_values else math.inf
    return student(float(np.mean(values)), math.sqrt(of_values + rows), freedom)
