"""The facts of a data set that a model must know, and no more."""

from dataclasses import dataclass, replace

import numpy as np

from pipeline.data.dataset import Dataset
from pipeline.data.examples import Windows, ceil_div


@dataclass(frozen=True)
class Problem:
    """The facts of a data set that a builder must know.

    Attributes:
        input_shape: the shape of one example: (values,), (timesteps, features) or, of
            words, (timesteps,).
        classify: whether the output is the probability of class 1, else a value.
        vocabulary: the number of words where inputs are word numbers, else 0.
        target: the input column that is predicted, where inputs are series.
        horizon: timesteps from the last input to the target.
        period: timesteps of one natural cycle, 0 where there is none.
        calendar: how many input columns, the last ones, tell the hour and the season
            (`series.calendar`).
        outputs: how many values are asked for.
        each_step: whether they are one for each timestep, to be answered from the input
            up to there.
        every: whether they are all columns at each time to come, times one after the
            other.
    """

    input_shape: tuple[int, ...]
    classify: bool = False
    vocabulary: int = 0
    target: int = 0
    horizon: int = 1
    period: int = 0
    calendar: int = 0
    outputs: int = 1
    each_step: bool = False
    every: bool = False


def problem(dataset: Dataset) -> Problem:
    """Return the facts of a data set that builders must know."""
    train = dataset.splits["train"]
    _, targets = train.take(np.arange(1))
    general = Problem(
        train.input_shape,
        classify=dataset.kind == "classify",
        vocabulary=dataset.vocabulary,
        outputs=targets.size,
        each_step=dataset.each_step,
    )
    if not isinstance(train, Windows):
        return general
    return replace(
        general,
        target=train.target,
        horizon=ceil_div(train.horizon, train.step),
        period=dataset.period,
        calendar=dataset.calendar,
        every=train.every,
    )
