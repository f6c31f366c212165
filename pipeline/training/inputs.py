"""What a network sees of each example, and the naive forecast that it corrects.

Networks of both kinds, recurrent or not, can have the same inputs in their own form: a
recurrent network reads rows, a dense network reads features
(docs/decisions/opponents.md).
"""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from pipeline.data.examples import Array, Arrays, Examples
from pipeline.data.problem import Problem
from pipeline.models import Last, look_back, recent_changes
from pipeline.training.job import Predict, chunks


def rows(problem: Problem, *, last: Last = None, changes: bool = False) -> Predict:
    """Return the function from windows to the rows that a network reads.

    Args:
        problem: with windows (timesteps, columns) as inputs.
        last: how many of the latest timesteps are read; None for all.
        changes: whether each row also holds the `recent_changes` of the target.

    Raises:
        ValueError: `last` is more than the window has.
    """
    timesteps = problem.input_shape[0]
    read = look_back(timesteps, last)

    def seen(inputs: Array) -> Array:
        latest = inputs[:, -read:]
        if not changes:
            return latest
        target = inputs[:, :, problem.target].astype(np.float64)
        columns = np.stack(recent_changes(target, read), axis=2)
        # The calendar stays at the end, where models look for it.
        measured = inputs.shape[2] - problem.calendar
        parts = [latest[:, :, :measured], columns, latest[:, :, measured:]]
        return np.concatenate(parts, axis=2)

    return seen


@dataclass(frozen=True)
class View:
    """What a network sees of the examples of a problem.

    Attributes:
        make: inputs (n, timesteps, columns) -> what the network sees, float32.
        problem: the problem that the network sees.
        naive: inputs -> the naive forecast (n,), the last value. The network learns the
            targets less this forecast. None if it learns the targets.
    """

    make: Predict
    problem: Problem
    naive: Predict | None = None

    @classmethod
    def of(cls, problem: Problem, make: Predict | None, *, residual: bool) -> "View":
        """Return the view of a problem's windows.

        Args:
            problem: the problem of the data set.
            make: what the network sees, as rows or as features; None for the windows as
                they are.
            residual: whether the network learns how much the target differs from its
                last value.

        Raises:
            ValueError: the inputs are no windows of one forecast column.
        """
        words_or_vector = problem.vocabulary or len(problem.input_shape) == 1
        if words_or_vector or problem.each_step or problem.every:
            raise ValueError(
                "windows of values with one forecast column are needed; leave it out"
            )
        make = make or _unchanged
        shape = make(np.zeros((1, *problem.input_shape))).shape[1:]
        about = replace(problem, input_shape=shape)
        if len(shape) == 1:
            about = Problem(shape, outputs=problem.outputs)
        naive = partial(_last_value, problem.target) if residual else None
        return cls(lambda inputs: make(inputs).astype(np.float32), about, naive)

    def examples(self, examples: Examples) -> tuple[Arrays, Array | None]:
        """Return what the network sees and learns of a split, and its naive forecasts.

        The naive forecasts have the targets' number of axes.
        """
        inputs = []
        forecasts = []
        for windows, _ in chunks(examples):
            inputs.append(self.make(windows))
            if self.naive:
                forecasts.append(self.naive(windows))
        seen = np.concatenate(inputs)
        targets = examples.targets
        if not forecasts:
            return Arrays(seen, targets), None
        naive = np.concatenate(forecasts)
        if targets.ndim > 1:
            naive = naive[:, None]
        return Arrays(seen, targets - naive), naive


def _unchanged(inputs: Array) -> Array:
    return inputs


def _last_value(column: int, inputs: Array) -> Array:
    latest: Array = inputs[:, -1, column]
    return latest
