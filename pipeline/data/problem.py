"""The facts of a data set that a model may know."""

from dataclasses import dataclass, replace

import numpy as np

from pipeline.data.dataset import Dataset
from pipeline.data.examples import Windows, ceil_div


@dataclass(frozen=True)
class Problem:
    """The facts of a data set that a builder of models may know.

    Attributes:
        input_shape: the shape of one example: (values,), (timesteps, features) or, for
            words, (timesteps,).
        classify: whether the output is the probability of class 1, not a value.
        vocabulary: the number of words if inputs are word numbers, else 0.
        target: the input column that is predicted, if inputs are series.
        horizon: timesteps from the last input to the first target.
        period: timesteps of one natural cycle; 0 if there is none.
        calendar: the number of the last input columns that hold the hour and the season
            (`series.calendar`).
        outputs: the number of values to predict.
        each_step: whether there is one output for each timestep, predicted from the
            input up to that timestep.
        every: whether the outputs are all columns at each future timestep, one timestep
            after the other.
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
    """Return the `Problem` that a data set poses."""
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


def asks_next_value(dataset: Dataset) -> bool:
    """Return whether the target is the next value of the series that is the input.

    Inputs then have the shape (timesteps, 1), with two or more timesteps.
    """
    train = dataset.splits["train"]
    about = problem(dataset)
    if isinstance(train, Windows) and (train.delay != 0 or train.every):
        return False
    one_column = about.input_shape[1:] == (1,) and about.input_shape[0] > 1
    return dataset.kind == "forecast" and one_column and about.outputs == 1


def at_each_step(about: Problem) -> Problem:
    """Return the problem whose target at each timestep is the next value of the input.

    `about` has this target at the last timestep only (`asks_next_value`).
    """
    return replace(about, outputs=about.input_shape[0], each_step=True)
