"""Intervals of the result of one more run, and of the difference between two models
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
"""The level of every interval that is shown, but that of a comparison of searches."""

SEARCHED = 0.97
"""The level of the interval of a comparison of models with several searches. With it any
of nine questions gets a wrong word in at most 5 % of the draws (`python -m bench rule`)."""

FEWEST_BLOCKS = 4
"""Smallest number of blocks of rows for an interval; the scatter of fewer is not known.
"""

# JSON has lists only, so the tuple is not strict.
Interval = Annotated[tuple[float, float], pydantic.Strict(strict=False)]
"""The low end and the high end of an interval."""

Values = TypeVar("Values", float, Array)


def student(
    value: float, error: float, freedom: float, level: float = LEVEL
) -> Interval:
    """Return the interval of Student's t around an estimate.

    Args:
        value: the estimate.
        error: its standard error; 0 gives an interval without a width.
        freedom: the degrees of freedom of the standard error.
        level: the level of the interval.
    """
    # scipy.stats.t calls this function, but takes a second to import.
    from scipy import special

    reach = 0.0
    if error:
        reach = float(special.stdtrit(freedom, (1 + level) / 2)) * error
    return value - reach, value + reach


class Part(NamedTuple):
    """The share of one source of chance in the variance of a difference.

    Attributes:
        variance: the variance that this source adds.
        draws: the number of draws that the variance was estimated from.
    """

    variance: float
    draws: int


@dataclass(frozen=True)
class Difference:
    """The difference between the errors of two models on the same rows, over seeds.

    Attributes:
        mean: the mean difference of the logarithms of the errors, so that e^mean is
            their ratio; without `log`, the mean difference of the errors.
        log: whether logarithms are compared. They are not compared if an error is
            exactly 0, or for counts.
        rows: the part of the variance that comes from the blocks of rows.
        seeds: the part that comes from the seeds of the first model.
        other_seeds: the part that comes from the seeds of the second model.
        searched: whether the two models' parts are of searches for their options.
    """

    mean: float
    log: bool
    rows: Part
    seeds: Part
    other_seeds: Part
    searched: bool = False

    @classmethod
    def of(
        cls,
        errors: Sequence[float],
        others: Sequence[float],
        rows: Part,
        *,
        log: bool | None = None,
    ) -> "Difference":
        """Compare two models by the error of each of their seeds.

        If `log` is None, logarithms are compared if all errors are above 0.
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
        """Degrees of freedom, by Welch and Satterthwaite; infinite if no part varies."""
        weight = sum(
            part.variance**2 / (part.draws - 1)
            for part in self._parts
            if part.draws > 1
        )
        return self.error**4 / weight if weight else math.inf

    @property
    def level(self) -> float:
        """The level of its interval."""
        return SEARCHED if self.searched else LEVEL

    def interval(self, level: float | None = None) -> Interval:
        """Return the interval of the mean difference, by default at its `level`.

        The interval of searches is by parts: each part is multiplied by the t of its own
        degrees of freedom. Welch and Satterthwaite's estimate would be too great where a
        model's searches agree by chance.
        """
        chosen = level or self.level
        if not self.searched:
            return student(self.mean, self.error, self.freedom, chosen)
        ends = [
            student(0.0, math.sqrt(part.variance), part.draws - 1, chosen)
            for part in self._parts
        ]
        reach = math.hypot(*(high for _, high in ends))
        return self.mean - reach, self.mean + reach

    def in_errors(
        self, error: float, level: float | None = None
    ) -> tuple[float, float, float]:
        """Return the difference and the ends of its interval in the unit of the errors.

        Args:
            error: the other model's error.
            level: the level of the interval; by default its `level`.

        Returns:
            The low end, the difference, the high end.
        """
        low, high = self.interval(level)
        if not self.log:
            return low, self.mean, high
        # e^710 overflows.
        changes = [math.expm1(min(end, 700.0)) for end in (low, self.mean, high)]
        return error * changes[0], error * changes[1], error * changes[2]

    def with_blocks(self, blocks: int) -> "Difference":
        """Return the same difference with more blocks of rows of the same scatter."""
        variance = self.rows.variance * self.rows.draws / blocks
        return replace(self, rows=Part(variance, blocks))


def as_errors(metric: str, values: Values) -> Values:
    """Return scores as errors: for an accuracy, the fraction that is wrong.

    `values` are scores, or the losses of examples.
    """
    return 1 - values if MEASURES[metric].higher else values


def difference(losses: Array, others: Array, blocks: Array) -> Difference:
    """Return the difference between the errors of two models, over seeds and rows.

    Args:
        losses: (seeds, n) the loss of each example; the model's error is their mean.
        others: (other seeds, n) the same of the second model, on the same examples.
        blocks: (n,) the number of the block that each example belongs to. Examples of
            one block are not independent.
    """
    errors = losses.mean(axis=1).tolist()
    of_others = others.mean(axis=1).tolist()
    return Difference.of(errors, of_others, rows(losses, others, blocks))


def rows(losses: Array, others: Array, blocks: Array) -> Part:
    """Return the part of the rows in the variance of a `difference`, on its scale."""
    of_model = losses.mean(axis=0)
    of_other = others.mean(axis=0)
    if min(losses.mean(axis=1).min(), others.mean(axis=1).min()) > 0:
        # The delta method: the relative change of a mean is, if small, the change of
        # its logarithm.
        of_model = of_model / of_model.mean()
        of_other = of_other / of_other.mean()
    error = clustered_error(of_model - of_other, blocks)
    return Part(error**2, len(np.unique(blocks)))


def independent(values: Sequence[float], others: Sequence[float]) -> Difference:
    """Return the difference between the means of two independent samples, by Welch.

    A single value has no variance: it is a count, or its model depends on no seed.
    """
    return Difference.of(values, others, Part(0.0, 1), log=False)


def _of_mean(values: Sequence[float]) -> Part:
    """Return the variance of the mean over seeds; 0 for a single value."""
    count = len(values)
    if count == 1:
        return Part(0.0, 1)
    return Part(float(np.var(values, ddof=1)) / count, count)


def clustered_error(losses: Array, blocks: Array) -> float:
    """Return the standard error of the mean of losses (n,), by the scatter of their
    blocks; 0 if there is only one block.
    """
    numbers = np.unique(blocks, return_inverse=True)[1]
    sums = np.bincount(numbers, weights=losses - losses.mean())
    count = len(sums)
    if count == 1:
        return 0.0
    return math.sqrt(count / (count - 1) * float(np.square(sums).sum())) / len(losses)


class Scale(NamedTuple):
    """A scale on which a measure is nearly normal, so that Student's t applies there.

    Attributes:
        least: the measure is greater than this value.
        most: the measure is less than this value.
        forward: maps the measure to the scale.
        inverse: maps the scale back to the measure.
        derivative: the derivative of `forward`; a small standard error times it is
            the standard error on the scale.
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
    """Return the interval of the mean over infinitely many seeds.

    A single value depends on no seed, so its interval has no width. `measure` is as in
    `prediction`. The interval is cut at the least and the greatest possible value: no
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
    """Return the interval in which one more run would lie.

    It is computed on the measure's normal scale: errors vary in proportion to their
    size, and an accuracy lies between 0 and 1. Return None if a value, such as an error
    of 0, has no place on that scale.

    Args:
        values: the value of each seed; a single value is of a model without seeds.
        measure: the measure's name; empty for values that are taken as normal.
        rows: the standard error, by the rows, of the difference between this test and
            another one, if the new run is scored on other rows; else 0.
    """
    scale = _scale(measure)
    if not all(scale.least < value < scale.most for value in values):
        return None
    error = rows * scale.derivative(math.fsum(values) / len(values))
    low, high = next_run([scale.forward(value) for value in values], error**2)
    return scale.inverse(low), scale.inverse(high)


def next_run(values: Sequence[float], rows: float = 0.0) -> Interval:
    """Return the interval in which one more run would lie.

    `values` are on a scale on which they are nearly normal; `rows` is a variance to
    add.
    """
    count = len(values)
    of_values = 0.0
    if count > 1:
        of_values = float(np.var(values, ddof=1)) * (1 + 1 / count)
    # Satterthwaite: the variance of the rows is known, that of the seeds has count - 1
    # degrees of freedom.
    freedom = math.inf
    if of_values:
        freedom = (count - 1) * (1 + rows / of_values) ** 2
    return student(float(np.mean(values)), math.sqrt(of_values + rows), freedom)
