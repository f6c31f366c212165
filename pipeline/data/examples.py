"""Supervised examples as plain arrays or as windows over one series.

Windows are stored as row numbers. The ten-minute series of Jena takes 24 MB; its
windows written out would take 12 GB.
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
        targets: float, (examples,) or, with two or more values each, (examples,
            values). The shape (examples, 1) is not allowed.
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

    The window of row r holds the rows r - lookback, r - lookback + step, ... up to r -
    step. Its target is column `target` at row r + delay, so the horizon from the last
    input to the target is delay + step rows. The generator in documents 001 and 002
    counts in this way. Further outputs follow, `step` rows apart.

    With `every`, a window may have 15,120 targets, too many to keep predictions of.
    Runs then keep the loss of each example by each measure (`compared`).

    Attributes:
        series: (rows, features), float.
        rows: (examples,), int, the row number r of each example.
        lookback: rows that a window spans, a multiple of `step`.
        step: rows from one input to the next.
        delay: rows from r to the first target.
        target: the column to predict.
        outputs: the number of values to predict.
        every: whether all columns are predicted, not only `target`.
        measured: (rows,) bool, whether the target was measured in a row. A target that
            was not is NaN. None if all were measured.
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
        """Rows from a window's last input to its first target."""
        return self.delay + self.step

    @property
    def input_shape(self) -> tuple[int, int]:
        """The shape (timesteps, features) of one window."""
        return self.lookback // self.step, self.series.shape[1]

    @property
    def offsets(self) -> Array:
        """The rows (timesteps,) of a window's inputs, relative to the window's row."""
        return np.arange(-self.lookback, 0, self.step)

    @cached_property
    def targets(self) -> Array:
        """The values to predict: (examples,), or (examples, values) if there are
        several.
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
        """The rows (outputs,) of a window's targets, relative to the window's row."""
        return self.delay + np.arange(self.outputs) * self.step

    def complete(self) -> "Windows":
        """Return only the windows whose targets were all measured."""
        if self.measured is None:
            return self
        measured = self.measured[self.rows[:, None] + self.ahead]
        return replace(self, rows=self.rows[measured.all(axis=1)])


Examples = Arrays | Windows


def of_every_column(examples: Examples) -> TypeGuard[Windows]:
    """Return whether all columns are predicted.

    Runs then keep the losses of each window instead of predictions.
    """
    return isinstance(examples, Windows) and examples.every


def compared(examples: Examples) -> Array | None:
    """Return the targets that a run's predictions are compared with.

    Return None if the run keeps losses instead of predictions.
    """
    if of_every_column(examples):
        return None
    return examples.targets
