"""Intervals: of what another run would give, and of the difference between two models
(docs/decisions/verdicts.md).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, NamedTuple, TypeVar

import numpy as np
import pydantic

from pipeline.data.examples import Array
from pipeline.metrics import MEASURES

LEVEL = 0.95
"""The level of every interval that is shown."""

# in JSON it is a list
Interval = Annotated[tuple[float, float], pydantic.Strict(strict=False)]
"""Low and high."""

Values = TypeVar("Values", float, Array)


def student(
    value: float, error: float, freedom: float, level: float = LEVEL
) -> Interval:
    """Return the interval of Student's t around an estimate.

    Args:
        value: the estimate.
        error: its standard error; 0 gives an interval without a width.
        freedom: the degrees of freedom of the standard error.
        level: of the interval.
    """
    # scipy.stats.t calls this function, but takes a second to import
    from scipy import special

    reach = 0.0
    if error:
        reach = float(special.stdtrit(freedom, (1 + level) / 2)) * error
    return value - reach, value + reach


class Part(NamedTuple):
    """What one source of chance adds to the variance of a difference, and how many
    draws that is known from.
    """

    variance: float
    draws: int


@dataclass(frozen=True)
class Difference:
    """How much larger an error is for one model than for another, on the same rows,
    each over its seeds.

    Attributes:
        mean: of the logarithms of the errors, so that e^mean is their ratio; of the
            errors themselves without `log`.
        log: whether logarithms are compared: not where an error is exactly 0, and not
            of counts.
        rows: the part of the variance by the blocks of rows.
        seeds: the part by the seeds of the one model.
        other_seeds: the part by the seeds of the other model.
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
        """Compare the errors of each seed, of one model and of another.

        Logarithms are compared where all errors are above 0, unless `log` says.
        """
        if log is None:
            log = min(*errors, *others) > 0
        if log:
            errors = [math.log(value) for value in errors]
            others = [math.log(value) for value in others]
        mean = math.fsum(errors) / len(errors) - math.fsum(others) / len(others)
        return cls(mean, log, rows, _of_mean(errors), _of_mean(others))

    @property
    def _parts(self) -> tuple[Part, Part, Part]:
        return self.rows, self.seeds, self.other_seeds

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

    def interval(self, level: float = LEVEL) -> Interval:
        """Return the interval of the difference."""
        return student(self.mean, self.error, self.freedom, level)

    def in_errors(
        self, error: float, level: float = LEVEL
    ) -> tuple[float, float, float]:
        """Return the difference and the ends of its interval in the unit of the errors.

        Args:
            error: the other model's error.
            level: of the interval.

        Returns:
            The low end, the difference, the high end.
        """
        low, high = self.interval(level)
        if not self.log:
            return low, self.mean, high
        # e^710 is no number any more.
        low, mean, high = (
            error * math.expm1(min(end, 700.0)) for end in (low, self.mean, high)
        )
        return low, mean, high

    def with_blocks(self, blocks: int) -> "Difference":
        """Return the same difference with more blocks of rows of the same scatter."""
        variance = self.rows.variance * self.rows.draws / blocks
        return replace(self, rows=Part(variance, blocks))


def as_errors(metric: str, values: Values) -> Values:
    """Return scores, or what examples add to them, as errors: of an accuracy the
    fraction that is wrong.
    """
    return 1 - values if MEASURES[metric].higher else values


def difference(losses: Array, others: Array, blocks: Array) -> Difference:
    """Return how much larger the error of one model is than that of another, over seeds
    and rows.

    Args:
        losses: (seeds, n) what each example adds to the error of a model, which is
            their mean.
        others: of another one, on the same examples.
        blocks: the number of the block (n,) that each example belongs to; those of one
            block are not independent.
    """
    errors = losses.mean(axis=1).tolist()
    of_others = others.mean(axis=1).tolist()
    return Difference.of(errors, of_others, rows(losses, others, blocks))


def rows(losses: Array, others: Array, blocks: Array) -> Part:
    """Return what the rows add to the variance of a `difference`, on its scale."""
    of_model = losses.mean(axis=0)
    of_other = others.mean(axis=0)
    if min(losses.mean(axis=1).min(), others.mean(axis=1).min()) > 0:
        # The delta method: a small change of a mean, as a share of it, is that of its
        # logarithm.
        of_model = of_model / of_model.mean()
        of_other = of_other / of_other.mean()
    error = clustered_error(of_model - of_other, blocks)
    return Part(error**2, len(np.unique(blocks)))


def independent(values: Sequence[float], others: Sequence[float]) -> Difference:
    """Return how much larger the mean of `values` is than that of `others`, of seeds
    that have nothing in common: Welch's.

    A single value is taken as it is: a count, or of a model that depends on no seed.
    """
    return Difference.of(values, others, Part(0.0, 1), log=False)


def _of_mean(values: Sequence[float]) -> Part:
    """Return the variance of the mean over seeds; 0 of one value."""
    count = len(values)
    if count == 1:
        return Part(0.0, 1)
    return Part(float(np.var(values, ddof=1)) / count, count)


def clustered_error(losses: Array, blocks: Array) -> float:
    """Return the standard error of the mean of losses (n,), by the scatter of its
    blocks; 0 where all are one block.
    """
    numbers = np.unique(blocks, return_inverse=True)[1]
    sums = np.bincount(numbers, weights=losses - losses.mean())
    count = len(sums)
    if count == 1:
        return 0.0
    of_sum = math.sqrt(count / (count - 1) * float(np.square(sums).sum()))
    return of_sum / len(losses)


class Scale(NamedTuple):
    """A scale on which a measure is near normal, so that Student's t applies there.

    Attributes:
        least: the measure lies above it.
        most: the measure lies below it.
        forward: the way to the scale.
        inverse: the way back.
        derivative: of `forward`, which turns small standard errors into ones on the
            scale.
    """

    least: float
    most: float
    forward: Callable[[float], float]
    inverse: Callable[[float], float]
    derivative: Callable[[float], float]


LOGARITHM = Scale(0.0, math.inf, math.log, math.exp, lambda x: 1 / x)
LOGIT = Scale(
    0.0,
    1.0,
    lambda x: math.log(x / (1 - x)),
    lambda x: 1 / (1 + math.exp(-x)),
    lambda x: 1 / x / (1 - x),
)
IDENTITY = Scale(-math.inf, math.inf, float, float, lambda _: 1.0)


def _scale(measure: str) -> Scale:
    if measure == "accuracy":
        return LOGIT
    if measure in MEASURES or measure.endswith("_unit"):
        return LOGARITHM
    return IDENTITY


def mean(values: Sequence[float], measure: str) -> Interval:
    """Return the interval of the mean over ever more seeds; without a width where there
    is one value, which then depends on no seed.

    `measure` is as in `prediction`; the interval ends where its values do, so that no
    error is negative.
    """
    scale = _scale(measure)
    count = len(values)
    error = 0.0
    if count > 1:
        error = float(np.std(values, ddof=1)) / math.sqrt(count)
    low, high = student(float(np.mean(values)), error, count - 1 or math.inf)
    return max(low, scale.least), min(high, scale.most)


def prediction(
    values: Sequence[float], measure: str, rows: float = 0.0
) -> Interval | None:
    """Return where one more run would lie; None where a value has no place on the
    measure's normal scale.

    Errors vary in proportion to their size; an accuracy lies between 0 and 1.

    Args:
        values: of each seed; several, or that of a model without seeds.
        measure: of the values; empty for one that is taken as normal as it is.
        rows: the standard error of their mean by the rows, where the new run is scored
            on other rows; else 0.
    """
    scale = _scale(measure)
    if not all(scale.least < value < scale.most for value in values):
        return None
    # Two test sets differ by twice the variance of one.
    error = rows * scale.derivative(math.fsum(values) / len(values))
    low, high = next_run([scale.forward(value) for value in values], 2 * error**2)
    return scale.inverse(low), scale.inverse(high)


def next_run(values: Sequence[float], rows: float = 0.0) -> Interval:
    """Return where one more run would lie, on a scale on which `values` are near
    normal; `rows` is a variance to add.
    """
    count = len(values)
    of_values = 0.0
    if count > 1:
        of_values = float(np.var(values, ddof=1)) * (1 + 1 / count)
    # Satterthwaite's, where the variance of the rows is known and that of the seeds has
    # count - 1.
    freedom = math.inf
    if of_values:
        freedom = (count - 1) * (1 + rows / of_values) ** 2
    return student(float(np.mean(values)), math.sqrt(of_values + rows), freedom)
