"""What a model must know of a data set, and no more."""

from dataclasses import dataclass

from pipeline.data.dataset import Dataset
from pipeline.data.examples import Windows


@dataclass(frozen=True)
class Problem:
    """What a builder must know of a data set.

    Attributes:
        input_shape: the shape of one example: (values,), (timesteps, features) or, of words, (timesteps,).
        classify: whether the output is the probability of class 1, else a value.
        vocabulary: the number of words where inputs are word numbers, else 0.
        target: the input column that is predicted, where inputs are series.
        horizon: timesteps from the last input to the target.
        period: timesteps of one natural cycle, 0 where there is none.
        calendar: how many input columns, the last ones, tell the hour and the season (`series.calendar`).
    """

    input_shape: tuple[int, ...]
    classify: bool = False
    vocabulary: int = 0
    target: int = 0
    horizon: int = 1
    period: int = 0
    calendar: int = 0


def problem(dataset: Dataset) -> Problem:
    """What builders must know of `dataset`."""
    train = dataset.splits["train"]
    classify, vocabulary = dataset.kind == "classify", dataset.vocabulary
    if not isinstance(train, Windows):
        return Problem(train.input_shape, classify, vocabulary)
    horizon = -(-train.horizon // train.step)
    cycles = dataset.period, dataset.calendar
    return Problem(train.input_shape, classify, vocabulary, train.target, horizon, *cycles)
