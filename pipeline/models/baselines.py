"""Models that learn little or nothing. No TensorFlow.

A baseline is a pair of functions. `features` turns inputs (n, ...) into what its training method fits:
predictions (n,) for the method `none`, a matrix (n, features) for the others.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from pipeline.data.examples import Array
from pipeline.data.problem import Problem


@dataclass(frozen=True)
class Baseline:
    """A model without layers.

    Attributes:
        features: inputs (n, ...) -> (n,) predictions, or (n, features) to be weighted.
        intercept: whether a constant is fitted beside the weights.
        majority: whether it predicts the mean target, rounded to a class.
    """

    features: Callable[[Array], Any]
    intercept: bool = False
    majority: bool = False


def constant(_problem: Problem, *, value: Annotated[float, Field(ge=-1e9, le=1e9)] = 0.0) -> Baseline:
    """Always `value`, in model units."""
    return Baseline(lambda inputs: np.full(len(inputs), value))


def majority(_problem: Problem) -> Baseline:
    """Always the class that most train targets have."""
    return Baseline(lambda inputs: np.ones(len(inputs)), majority=True)


def last_value(problem: Problem) -> Baseline:
    """The target's column at the last timestep of the input: "persistence".

    Raises:
        ValueError: inputs are not series.
    """
    if len(problem.input_shape) != 2:
        raise ValueError(f"last_value needs inputs (timesteps, features). Received: {problem.input_shape}")
    return Baseline(lambda inputs: inputs[:, -1, problem.target])


def daily_cycle(problem: Problem) -> Baseline:
    """The target's column a whole number of cycles before the target, as late as the input allows.

    Raises:
        ValueError: the data set has no cycle, or the input does not reach back so far.
    """
    if not problem.period:
        raise ValueError("daily_cycle needs a data set with a period")
    back = -problem.horizon % problem.period
    if back >= problem.input_shape[0]:
        raise ValueError(f"daily_cycle needs {back + 1} timesteps. Received: {problem.input_shape[0]}")
    return Baseline(lambda inputs: inputs[:, -1 - back, problem.target])


def linear(problem: Problem, *, last: Annotated[int | None, Field(ge=1)] = None, intercept: bool = True) -> Baseline:
    """A weighted sum of all features of the `last` timesteps (None: of all), for `least_squares`.

    Raises:
        ValueError: `last` is more than the input has.
    """
    shape = problem.input_shape
    used = shape[0] if last is None else last
    if used > shape[0]:
        raise ValueError(f"`last` must be at most {shape[0]} timesteps. Received: {used}")
    return Baseline(lambda inputs: inputs[:, -used:].reshape(len(inputs), -1), intercept=intercept)


def bag_of_words(problem: Problem) -> Baseline:
    """Which words occur, as a sparse 0/1 matrix (n, vocabulary), for `logistic_regression`.

    Raises:
        ValueError: inputs are not words.
    """
    if not problem.vocabulary:
        raise ValueError("bag_of_words needs a data set of words")

    def features(inputs: Array) -> Any:
        from scipy.sparse import csr_matrix

        bags = [np.unique(review[review > 0]) for review in inputs]  # 0 is padding, not a word
        ends = np.cumsum([0, *map(len, bags)])
        ones = np.ones(ends[-1], np.float64)
        return csr_matrix((ones, np.concatenate(bags), ends), shape=(len(inputs), problem.vocabulary))

    return Baseline(features, intercept=True)


MODELS = {
    "constant": constant,
    "majority": majority,
    "last_value": last_value,
    "daily_cycle": daily_cycle,
    "linear": linear,
    "bag_of_words": bag_of_words,
}

KINDS = dict.fromkeys(MODELS, "predictions") | dict.fromkeys(("linear", "bag_of_words"), "features")
"""What `features` gives, and so which training methods can take a model."""
