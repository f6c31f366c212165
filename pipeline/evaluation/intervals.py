"""Intervals: of what another run would give, and of the difference between two models (docs/decisions/verdicts.md)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.data.examples import Array

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
        from scipy import stats

        reach = float(stats.t.ppf((1 + level) / 2, self.freedom)) * self.error if self.error else 0.0
        return self.value - reach, self.value + reach

    def chance(self) -> float:
        """The two-sided p-value of a true value of zero."""
        from scipy import stats

        if not self.error:
            return float(self.value == 0)
        return float(2 * stats.t.sf(abs(self.value) / self.error, self.freedom))


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
        one, other: losses (seeds, n) of two models on the same examples.
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
    numbers, counts = np.unique(blocks, return_inverse=True, return_counts=True)[1:]
    if len(counts) == 1:
        return 0.0
    sums = np.bincount(numbers, weights=losses - losses.mean())
    return math.sqrt(len(counts) / (len(counts) - 1) * float(np.square(sums).sum())) / len(losses)


def holm(chances: Sequence[float]) -> list[float]:
    """P-values of one table, corrected by Holm's method: of all that are below 0.05, one in twenty tables has one wrong."""
    order = np.argsort(chances)
    corrected = np.asarray(chances)[order] * np.arange(len(order), 0, -1)
    found = np.empty(len(order))
    found[order] = np.minimum(np.maximum.accumulate(corrected), 1)
    return found.tolist()
