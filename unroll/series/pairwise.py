"""The comparison of two models on the same cutoffs, with a confidence interval.

Errors of one week depend on one another, so a block of one week counts as one draw. If
the horizon is longer than a week, a block is as long as the horizon. The interval is
computed by `pipeline.evaluation.intervals.Difference`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pydantic

from pipeline.data.dataset import Dataset
from pipeline.data.examples import Array
from pipeline.evaluation import intervals
from pipeline.evaluation.intervals import FEWEST_BLOCKS, Difference, Part
from pipeline.evaluation.verdict_rule import BAND, Word, decide
from pipeline.validation import Strict
from unroll.series.options import Objective

POWER: Mapping[Objective, int] = {"median": 1, "mean": 2}
"""Objective -> the power of an error that is judged."""

WEEK = np.timedelta64(7, "D")
"""The shortest block whose errors count as independent of other blocks' errors."""

SEASON = 84
"""Smallest number of days for an interval; fewer days say nothing on other seasons."""

FEWEST_SERIES = 20
"""Smallest number of compared short series for an interval."""

ROUNDING = 1e-6
"""A constant added to each error, in standard deviations.

Smaller errors come from rounding, so they become equal."""

LARGEST = 15.0
"""Largest logarithm of a ratio of errors that is reported."""

MORE = (1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.8, 2.0)
"""Multiples of the rows, of which the smallest that would decide is reported."""

NO_SEEDS = Part(0.0, 1)
"""The part of the variance that is due to seeds, for a model without seeds."""


class Interval(Strict):
    """A change and its 95 % interval, both ends of which are known, or neither."""

    change: float | None
    low: float | None
    high: float | None

    @pydantic.model_validator(mode="after")
    def _ordered(self) -> "Interval":
        """Check the ends of the interval."""
        if self.low is None or self.high is None:
            if self.low != self.high:
                raise ValueError("low and high must both be numbers, or both be null")
        elif self.change is None or self.low > self.high:
            raise ValueError("low must be at most high, and change a number")
        return self


class ModelComparison(Interval):
    """The error of one model relative to that of another one.

    Attributes:
        change: the change of the error as a fraction: -0.04 is 4 % less.
        low: the lower end of the change's 95 % interval; None if there are too few days
            or blocks.
        high: the upper end of the interval.
        ahead: number of blocks in which the model has less error than the other one.
        blocks: number of blocks.
        more: the multiple of the rows that would decide, if all else stayed. It is None
            if twice the rows would not decide, if the comparison is decided, or if
            there is no interval.
    """

    change: float
    ahead: int
    blocks: int
    more: float | None

    @property
    def word(self) -> Word:
        """The verdict on the model; OPEN if it is not known."""
        return decide(self.low, self.high)

    @property
    def better(self) -> bool:
        """True if the model has less error than the other one.

        The interval has to lie below 0, or the change below the band. A lead beyond the
        band is more often real than not, even if it is not sure. Without an interval
        any lead counts.
        """
        if self.high is None:
            return self.change < 0
        return self.high < 0 or self.change < -BAND


def objective_of(dataset: Dataset) -> Objective:
    """Return what a forecast of a data set is, by its metric."""
    return "mean" if dataset.metric == "mse" else "median"


def errors_by_block(
    rows: pd.DataFrame,
    deviations: Mapping[str, float],
    length: np.timedelta64 | None,
    objective: Objective = "median",
) -> pd.DataFrame:
    """Sum up the absolute or squared errors of each model in each block.

    Args:
        rows: unique_id, cutoff, model, y and y_hat, from the same cutoffs for each
            model.
        deviations: unique_id -> the standard deviation of the series.
        length: the length of a block; None if each series is a block.
        objective: decides whether errors are squared.

    Returns:
        `sum` of the errors, in standard deviations, and `count` of the measured values;
        a row for each model and each block with a measured value.
    """
    blocks = rows["unique_id"].astype(str).to_numpy()
    if length is not None:
        blocks = block_numbers(rows["cutoff"].to_numpy(), length)
    errors = in_deviations(rows, deviations, objective)
    table = errors.groupby([rows["model"], blocks]).agg(["sum", "count"])
    return table[table["count"] > 0]


def compare(
    errors: pd.DataFrame,
    others: pd.DataFrame,
    days: float,
    seeds: Part = NO_SEEDS,
    other_seeds: Part = NO_SEEDS,
    objective: Objective = "median",
) -> ModelComparison:
    """Compare a model with another one.

    Args:
        errors: the model's rows of `errors_by_block`.
        others: the other model's rows, of the same blocks.
        days: number of days that the cutoffs span.
        seeds: the part of the variance of the error's logarithm that is due to the
            model's seeds.
        other_seeds: the part that is due to the other model's seeds.
        objective: whether errors are squared. Roots of their means are then compared.
    """
    power = POWER[objective]
    losses = _losses(errors)
    of_other = _losses(others)
    blocks = losses.shape[1]
    rows = intervals.rows(losses, of_other, np.arange(blocks))
    mean = (math.log(losses.mean()) - math.log(of_other.mean())) / power
    rows = rows._replace(variance=rows.variance / power**2)
    difference = Difference(
        mean, log=True, rows=rows, seeds=seeds, other_seeds=other_seeds
    )
    low = None
    high = None
    more = None
    if days >= SEASON and blocks >= FEWEST_BLOCKS:
        low, high = _interval(difference)
        more = _more(difference)
    ahead = errors["sum"].to_numpy() < others["sum"].to_numpy()
    return ModelComparison(
        change=_change(mean),
        low=low,
        high=high,
        ahead=int(ahead.sum()),
        blocks=blocks,
        more=more,
    )


@dataclass(frozen=True)
class Errors:
    """The errors of several models on the same cutoffs, to compare any two of them.

    Attributes:
        by_block: the rows of `errors_by_block` of all models.
        days: number of days that the cutoffs span.
        seeds: name of a model -> the part of the variance of its error's logarithm that
            is due to seeds; others have none.
        objective: whether errors are squared.
    """

    by_block: pd.DataFrame
    days: float
    seeds: Mapping[str, Part]
    objective: Objective

    def compared(self, name: str, other: str) -> ModelComparison:
        """Compare a model with another one."""
        return compare(
            self.by_block.loc[name],
            self.by_block.loc[other],
            self.days,
            self.seeds.get(name, NO_SEEDS),
            self.seeds.get(other, NO_SEEDS),
            self.objective,
        )

    def against(self, name: str, opponent: str) -> dict[str, Any]:
        """Return change, low and high against the opponent, None for the opponent
        itself; and seeds and seed_variance.
        """
        own = self.seeds.get(name, NO_SEEDS)
        found: dict[str, Any] = {"change": None, "low": None, "high": None}
        if name != opponent:
            found = self.compared(name, opponent).model_dump(include={*found})
        return found | {"seeds": own.draws, "seed_variance": own.variance}


def _losses(errors: pd.DataFrame) -> Array:
    """Return (1, blocks) losses above 0 whose mean is the mean error."""
    counts = errors["count"].to_numpy()
    sums = errors["sum"].to_numpy() + ROUNDING * counts
    return np.asarray(sums * len(sums) / counts.sum())[None]


def _interval(difference: Difference) -> tuple[float, float]:
    low, high = difference.interval()
    return _change(low), _change(high)


def _change(logarithm: float) -> float:
    return math.expm1(min(logarithm, LARGEST))


def _more(difference: Difference) -> float | None:
    """Return `ModelComparison.more`: the same difference is tried with more blocks."""
    if decide(*_interval(difference)) != Word.OPEN:
        return None
    for times in MORE:
        blocks = math.ceil(times * difference.rows.draws)
        if decide(*_interval(difference.with_blocks(blocks))) != Word.OPEN:
            return times
    return None


def seed_part(errors: Array) -> Part:
    """Return the part of the variance of a model's error that is due to seeds.

    It is the variance of the mean of the errors' logarithms.

    Args:
        errors: (seeds,) the MAE, or the RMSE, with each seed.
    """
    if len(errors) < 2:
        return NO_SEEDS
    logarithms = np.log(errors + ROUNDING)
    return Part(float(np.var(logarithms, ddof=1)) / len(errors), len(errors))


def in_deviations(
    rows: pd.DataFrame,
    deviations: Mapping[str, float],
    objective: Objective = "median",
) -> "pd.Series[float]":
    """Return the absolute or squared errors in standard deviations, NaN if unmeasured.

    Args:
        rows: with unique_id, y and y_hat.
        deviations: unique_id -> the standard deviation of the series.
        objective: decides whether errors are squared.
    """
    errors = (rows["y_hat"] - rows["y"]).abs()
    scales = rows["unique_id"].astype(str).map(deviations).astype(float)
    return (errors / scales) ** POWER[objective]


def scores(rows: pd.DataFrame, deviations: Mapping[str, float]) -> pd.DataFrame:
    """Return the scores of each model over the measured values of some rows.

    Args:
        rows: unique_id, model, y and y_hat.
        deviations: unique_id -> the standard deviation of the series.

    Returns:
        A row for each model: `mae` and `rmse`, in standard deviations, and `bias`, the
        sum of forecasts relative to that of the truth: -.1 is a tenth too low. It is NaN
        if a value lies below 0.
    """
    measured = rows[rows["y"].notna()]
    errors = measured[["model", "y", "y_hat"]].assign(
        mae=in_deviations(measured, deviations),
        rmse=in_deviations(measured, deviations, "mean"),
    )
    models = errors.groupby("model", sort=False)
    found = models[["mae", "rmse"]].mean()
    found["rmse"] **= 0.5
    sums = models[["y", "y_hat"]].sum()
    found["bias"] = np.nan
    if measured["y"].min() >= 0 and sums["y"].gt(0).all():
        found["bias"] = sums["y_hat"] / sums["y"] - 1
    return found


def middle(cutoffs: Array) -> np.datetime64:
    """Return the first cutoff of the later half."""
    distinct = np.unique(cutoffs)
    return np.datetime64(distinct[len(distinct) // 2])


def span(cutoffs: Array) -> np.timedelta64:
    """Return the time from the first cutoff to the place of the next one to come."""
    distinct = np.unique(cutoffs)
    if len(distinct) < 2:
        return WEEK
    usual = np.timedelta64(np.median(np.diff(distinct)))
    return np.timedelta64(distinct[-1] - distinct[0] + usual)


def block_numbers(cutoffs: Array, length: np.timedelta64) -> Array:
    """Return (n,) the number of the block of each cutoff, from 0.

    Args:
        cutoffs: (n,) in any order.
        length: the length of a block; a rest belongs to the last whole block.
    """
    whole = max(int(span(cutoffs) // length), 1)
    return np.asarray(np.minimum((cutoffs - cutoffs.min()) // length, whole - 1))
