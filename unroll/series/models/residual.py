"""Networks that learn a residual to a naive forecast, without TensorFlow.

A network sees the last rows of a window. Each row is enriched with what a network would
otherwise learn from many rows: how much the target changed, how far it is from its
short means, and its value one cycle before the forecast time. The outputs are added to
a naive forecast.

These models are trained by `numpy_adam`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from pipeline.config.model_card import ModelCard, Options
from pipeline.data.examples import Array
from pipeline.data.problem import Problem
from pipeline.models import SPANS, Count, Cycles, Positive, Size, recent_changes
from pipeline.models.baselines import back_to_cycle
from pipeline.models.dense import mlp_title
from pipeline.models.recurrent import stack_title

Base = Literal["last", "mean"]

SEASON_COLUMNS = (2, 3)
"""The columns of the calendar that tell the time of the year."""


@dataclass(frozen=True)
class Residual:
    """A network with its inputs and the forecast that it corrects.

    Attributes:
        rows: inputs (n, timesteps, columns) -> enriched rows (n, last, values) float32,
            the oldest first; or (n, values) for a dense network.
        naive: inputs -> the naive forecast (n, outputs), to which the network's outputs
            are added.
        layer: the kind of the hidden layers.
        sizes: width of each hidden layer. A linear map to the outputs follows.
        outputs: how many values are forecast.
        logarithms: whether naive forecasts, and the network's outputs that correct
            them, are of the logarithms of the values.
        weights: inputs -> how much the errors (n,) of each window count; None for
            equally much. Nothing is learnt from windows that count 0.
    """

    rows: Callable[[Array], Array]
    naive: Callable[[Array], Array]
    layer: Literal["GRU", "LSTM", "Dense"]
    sizes: list[int]
    outputs: int
    logarithms: bool = False
    weights: Callable[[Array], Array] | None = None

    def residuals(self, inputs: Array, targets: Array) -> Array:
        """Return targets (n, outputs) less their naive forecasts, NaN where unknown."""
        values = targets.reshape(len(inputs), -1)
        if self.logarithms:
            values = np.log(np.maximum(values, np.finfo(float).tiny))
        return np.asarray(values - self.naive(inputs))

    def forecasts(self, inputs: Array, residuals: Array) -> Array:
        """Return the forecasts (n,) or (n, outputs) by residuals (n, outputs)."""
        values = self.naive(inputs) + residuals
        if self.logarithms:
            values = np.exp(values)
        return np.asarray(values if self.outputs > 1 else values[:, 0])


def reach(last: int, cycles: list[int]) -> int:
    """Return how many timesteps a network needs, with those that enrich its first row."""
    return last + max([*cycles, *SPANS])


def recurrent(
    cell: Literal["GRU", "LSTM"],
    problem: Problem,
    *,
    cycles: Cycles,
    last: Positive = 12,
    base: Base = "last",
    units: Size = 32,
    season: bool = True,
) -> Residual:
    """A recurrent cell on the enriched rows, and a linear map of its last state.

    Args:
        cell: Keras' name of the cell.
        problem: of a series.
        cycles: lengths of cycles in timesteps, the shortest first.
        last: how many rows are read.
        base: the naive forecast: the last value, or the mean of the last value and of
            the values one cycle before, for each cycle.
        units: width of the state.
        season: whether the network sees the time of the year.
    """
    rows = partial(_enriched, problem, cycles, last, season)
    naive = partial(_naive, problem, cycles, base)
    return Residual(rows, naive, cell, [units], problem.outputs)


def mlp(
    problem: Problem,
    *,
    cycles: Cycles,
    hidden: Annotated[list[Size], Field(min_length=1, max_length=16)],
    last: Positive = 64,
    base: Base = "last",
    known: Count = 0,
    season: bool = True,
) -> Residual:
    """A perceptron on the target's last values, the last enriched row and the naive
    forecasts.

    Args:
        problem: of a series.
        cycles: lengths of cycles in timesteps, the shortest first.
        hidden: width of each hidden layer.
        last: how many of the target's values are seen.
        base: the naive forecast, as for `recurrent`.
        known: how many columns are known beforehand. They are the last ones before the
            calendar's, and the network sees their values for each value ahead.
        season: whether the network sees the time of the year.
    """
    usable = _usable(problem, cycles)

    def rows(inputs: Array) -> Array:
        target = inputs[:, :, problem.target]
        level = target[:, -1:]
        row = _enriched(problem, cycles, 1, season, inputs)[:, 0]
        naive = [_cycle_before(problem, cycle, target) - level for cycle in usable]
        measured = inputs.shape[2] - problem.calendar
        beforehand = inputs[:, -problem.outputs :, measured - known : measured]
        parts = [level, target[:, -last:] - level, row, *naive]
        parts.append(beforehand.reshape(len(inputs), -1))
        return np.concatenate(parts, axis=1, dtype=np.float32, casting="same_kind")

    naive = partial(_naive, problem, cycles, base)
    return Residual(rows, naive, "Dense", hidden, problem.outputs)


def _usable(problem: Problem, cycles: list[int]) -> list[int]:
    """The cycles that a window spans."""
    return [cycle for cycle in cycles if cycle <= problem.input_shape[0]]


def _cycle_before(problem: Problem, cycle: int, target: Array) -> Array:
    """The latest target whole cycles before each value ahead: (n, outputs).

    `target` is (n, timesteps).
    """
    return target[:, -1 - back_to_cycle(problem, cycle)]


def _naive(problem: Problem, cycles: list[int], base: Base, inputs: Array) -> Array:
    """The naive forecast (n, outputs)."""
    target = inputs[:, :, problem.target]
    forecasts = [np.repeat(target[:, -1:], problem.outputs, axis=1)]
    if base == "mean":
        usable = _usable(problem, cycles)
        forecasts += [_cycle_before(problem, cycle, target) for cycle in usable]
    return np.asarray(np.mean(forecasts, axis=0, dtype=np.float64))


def _enriched(
    problem: Problem, cycles: list[int], last: int, season: bool, inputs: Array
) -> Array:
    """The last rows of inputs (n, timesteps, columns), enriched: (n, last, values)."""
    last = min(last, inputs.shape[1])
    target = inputs[:, :, problem.target].astype(np.float64)
    now = target[:, -last:]
    columns = [now - now[:, -1:], *recent_changes(target, last)]
    for cycle in _usable(problem, cycles):
        furthest = back_to_cycle(problem, cycle)[-1]
        columns.append(_before(target, furthest, last))
    measured = inputs.shape[2] - problem.calendar
    for column in range(inputs.shape[2]):
        of_season = column - measured in SEASON_COLUMNS
        if column != problem.target and (season or not of_season):
            columns.append(inputs[:, -last:, column])
    return np.stack(columns, axis=2, dtype=np.float32, casting="same_kind")


def _before(values: Array, back: int, last: int) -> Array:
    """The values `back` timesteps before each of the last ones: (n, last).

    `values` is (n, timesteps).
    """
    timesteps = values.shape[1]
    index = np.arange(timesteps - last, timesteps) - back
    return values[:, np.maximum(index, 0)]


def dense_title(model: Options, training: Options) -> str:
    """Return the title, with the naive forecast unless it is the last value."""
    words = mlp_title(model, training)
    return f"{words} on the mean of cycles" if model.get("base") == "mean" else words


MODELS = {
    "gru": partial(recurrent, "GRU"),
    "lstm": partial(recurrent, "LSTM"),
    "mlp": mlp,
}

CARDS = {
    "gru": ModelCard(
        kind="recurrent", gives="residual", title=partial(stack_title, "GRU")
    ),
    "lstm": ModelCard(
        kind="recurrent", gives="residual", title=partial(stack_title, "LSTM")
    ),
    "mlp": ModelCard(kind="network", gives="residual", title=dense_title),
}
