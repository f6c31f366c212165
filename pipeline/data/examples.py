"""Supervised examples as plain arrays or as windows over one series.

A window is an index: a series of 420,551 x 14 float32 takes 24 MB, its materialised
windows 12 GB.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def ceil_div(number: Any, divisor: Any) -> Any:
    """Return the quotient of two whole numbers, or of arrays of them, rounded up."""
    return -(-number // divisor)


@dataclass(frozen=True)
class Arrays:
    """Examples that are stored one by one.

    Attributes:
        inputs: (examples, ...), any dtype.
        targets: (examples,) or, of several values each, (examples, values), float.
            Several are two and more, so that (examples, 1) is no second way to write
            (examples,).
    """

    inputs: Array
    targets: Array

    def __post_init__(self) -> None:
        if (
            len(self.inputs) != len(self.targets)
            or self.targets.ndim not in (1, 2)
            or self.targets.shape[1:] == (1,)
        ):
            raise ValueError(
                "`targets` must be one value for each of `inputs`, or several. "
                f"Received: inputs {self.inputs.shape}, targets {self.targets.shape}"
            )

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one example's input."""
        return tuple(self.inputs.shape[1:])

    def take(self, indices: Array) -> tuple[Array, Array]:
        """Return inputs (n, ...) and targets (n, ...) of the examples at `indices`."""
        return self.inputs[indices], self.targets[indices]


@dataclass(frozen=True)
class Windows:
    """Examples cut from a series, kept as one row number each.

    The window of row r holds the series at r - lookback, r - lookback + step, ... up to
    r - step; its target is column `target` at r + delay. So the horizon, from the last
    input to the target, is delay + step rows: the indexing of the generator in
    documents 001 and 002. With more than one output the targets go on from there, with
    a stride of `step` rows.

    With `every` column a target, those of a window are too many to keep (15,120 in the
    largest benchmark): runs then keep what each example adds to each measure, in place
    of predictions (`compared`).

    Attributes:
        series: (rows, features), float.
        rows: (examples,), int, the row number r of each example.
        lookback: rows that a window spans, a multiple of `step`.
        step: rows from one input to the next.
        delay: rows from r to the target.
        target: the column to predict.
        outputs: how many of its values.
        every: whether all columns are predicted, and not `target` alone.
        measured: (rows,) bool, whether there is a target in a row: else it is NaN; None
            where all have one.
    """

    series: Array
    rows: Array
    lookback: int
    step: int
    delay: int
    target: int
    outputs: int = 1
    every: bool = False
    measured: Array | None = None

    def __post_init__(self) -> None:
        if self.step < 1 or self.lookback < self.step or self.lookback % self.step:
            raise ValueError(
                "`lookback` must be a multiple of `step`. "
                f"Received: {self.lookback}, {self.step}"
            )
        if self.outputs < 1:
            raise ValueError(f"`outputs` must be at least 1. Received: {self.outputs}")
        if self.series.ndim != 2 or not 0 <= self.target < self.series.shape[1]:
            raise ValueError(
                "`target` must be a column of (rows, features). "
                f"Received: {self.series.shape}"
            )
        if len(self.rows):
            reach = self.delay + (self.outputs - 1) * self.step
            first = int(self.rows.min()) - self.lookback
            last = int(self.rows.max()) + max(reach, -self.step)
            if first < 0 or last >= len(self.series):
                raise ValueError(
                    "`rows` must leave the window and its target inside the series of "
                    f"{len(self.series)} rows. "
                    f"Received: windows that reach from {first} to {last}"
                )

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def horizon(self) -> int:
        """Rows from a window's last input to its (first) target."""
        return self.delay + self.step

    @property
    def input_shape(self) -> tuple[int, int]:
        """(timesteps, features) of one window."""
        return self.lookback // self.step, self.series.shape[1]

    @property
    def offsets(self) -> Array:
        """(timesteps,) where a window's inputs lie, relative to its row."""
        return np.arange(-self.lookback, 0, self.step)

    @cached_property
    def targets(self) -> Array:
        """(examples,) the value to predict for every example; of several, (examples,
        outputs), columns side by side.
        """
        return self._after(self.rows)

    def take(self, indices: Array) -> tuple[Array, Array]:
        """Return inputs (n, timesteps, features) and targets (n,) or (n, outputs) of
        the examples at `indices`.
        """
        rows = self.rows[indices]
        return self.series[rows[:, None] + self.offsets], self._after(rows)

    def _after(self, rows: Array) -> Array:
        ahead = rows + self.delay
        if self.every or self.outputs > 1:
            ahead = rows[:, None] + self.ahead
        values: Array
        if self.every:
            values = self.series[ahead].reshape(len(rows), -1)
            return values
        values = self.series[ahead, self.target]
        if self.measured is not None:
            values = np.where(self.measured[ahead], values, np.nan)
        return values

    @property
    def ahead(self) -> Array:
        """(outputs,) where a window's targets lie, relative to its row."""
        return self.delay + np.arange(self.outputs) * self.step

    def complete(self) -> "Windows":
        """Return the windows all of whose targets were measured."""
        if self.measured is None:
            return self
        measured = self.measured[self.rows[:, None] + self.ahead]
        return replace(self, rows=self.rows[measured.all(axis=1)])


Examples = Arrays | Windows


def of_every_column(examples: Examples) -> TypeGuard[Windows]:
    """Return whether all columns are asked for, so that runs keep what each window adds
    to each measure, not predictions.
    """
    return isinstance(examples, Windows) and examples.every


def compared(examples: Examples) -> Array | None:
    """Return the targets that a run's predictions are compared with; None if the run
    keeps what they add to each measure.
    """
    if of_every_column(examples):
        return None
    return examples.targets
