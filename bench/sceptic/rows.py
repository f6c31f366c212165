"""A prepared data set as rows of inputs and targets, as somebody would make them who
has scikit-learn and no layers.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from pipeline.data.dataset import Dataset
from pipeline.data.examples import Array, Windows, of_every_column

LARGE = 500
"""Values in an input from which on a model is tried on differences and means first."""

AT_ONCE = 500
"""Examples that are turned into rows at once: bounds memory."""


@dataclass(frozen=True)
class View:
    """What a model sees of an input (timesteps, columns); of a vector it sees all.

    Attributes:
        last: timesteps of the target's column.
        others: timesteps of the other columns.
        summary: whether it sees differences and means over as many in place of the
            values.
        change: whether it predicts how the target changes from its last known value on,
            and sees changes since then.
        calendar: whether it sees the calendar's columns, of the last timestep.
    """

    last: int = 1
    others: int = 1
    summary: bool = False
    change: bool = False
    calendar: bool = True


def start(data: Dataset) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options of a first `View`, and what each may be: a list, or the ends of a
    range.
    """
    if len(data.input_shape) == 1:
        return {}, {}
    timesteps, columns = data.input_shape
    if data.each_step or of_every_column(data.splits["train"]):
        return {"last": timesteps}, {"last": (1, timesteps)}
    choices = {
        "last": (1, timesteps),
        "summary": [False, True],
        "change": [False, True],
    }
    options = {
        "last": timesteps,
        "summary": timesteps * columns > LARGE,
        "change": False,
    }
    if columns > 1:
        options["others"], choices["others"] = data.period or timesteps, (1, timesteps)
    if data.calendar:
        options["calendar"], choices["calendar"] = True, [False, True]
    return options, choices


def each(data: Dataset) -> int:
    """Rows that one example becomes."""
    timesteps, columns = (*data.input_shape, 1)[:2]
    return (
        timesteps
        if data.each_step
        else columns
        if of_every_column(data.splits["train"])
        else 1
    )


def values(data: Dataset) -> int:
    """Values that one row asks for."""
    return int(rows(data, "train", np.arange(1), View())[1].shape[1])


def rows(data: Dataset, split: str, indices: Array, view: View) -> tuple[Array, Array]:
    """Inputs (rows, columns) and targets (rows, values), float64, of some examples."""
    parts = [
        indices[first : first + AT_ONCE] for first in range(0, len(indices), AT_ONCE)
    ]
    inputs, targets = zip(
        *(_rows(data, split, part, view) for part in parts), strict=True
    )
    return np.concatenate(inputs), np.concatenate(targets)


def _rows(data: Dataset, split: str, indices: Array, view: View) -> tuple[Array, Array]:
    """Where each step is answered it has a row, of what was known by then and how much
    that is; where all columns are asked for, each has one, of its own past less its
    last value, as in NLinear (Zeng and others 2023).
    """
    examples = data.splits[split]
    target = 0
    if isinstance(examples, Windows):
        target = examples.target
        # So that little more is read than is seen.
        reach = min(max(view.last, view.others) + 1, data.input_shape[0])
        examples = replace(examples, lookback=reach * examples.step)
    inputs, targets = examples.take(indices)
    inputs = inputs.astype(np.float64)
    targets = targets.reshape(len(indices), -1)
    if inputs.ndim == 2:
        return inputs, targets
    if data.each_step:
        padded = np.pad(inputs, [(0, 0), (view.last - 1, 0), (0, 0)])
        known = sliding_window_view(padded, view.last, axis=1).reshape(targets.size, -1)
        return np.column_stack(
            [known, np.tile(np.arange(inputs.shape[1]), len(inputs))]
        ), targets.reshape(-1, 1)
    if of_every_column(examples):
        by_time = targets.reshape(len(inputs), -1, inputs.shape[2])
        inputs, by_time = (
            np.swapaxes(values - inputs[:, -1:], 1, 2)
            for values in (inputs[:, -view.last :], by_time)
        )
        return inputs.reshape(-1, inputs.shape[2]), by_time.reshape(
            -1, by_time.shape[2]
        )
    measured, calendar = np.split(inputs, [inputs.shape[2] - data.calendar], axis=2)
    now = measured[:, -1]
    if view.change:
        targets = targets - now[:, [target]]
    of_target = measured[..., [target]]
    of_others = np.delete(measured, target, axis=2)
    if view.summary:
        seen = [
            now,
            *_summary(of_target, view.last, data.period),
            *_summary(of_others, view.others, data.period),
        ]
    else:
        parts = [(of_target, view.last), (of_others, view.others)]
        seen = [
            column[:, -last:] - column[:, -1:] * view.change for column, last in parts
        ] + [now] * view.change
    seen += [calendar[:, -1]] * view.calendar
    return np.concatenate(
        [part.reshape(len(inputs), -1) for part in seen], axis=1
    ), targets


def _summary(columns: Array, last: int, period: int) -> list[Array]:
    """How columns changed over 1, 2, 3, 6, 12, ... timesteps and over whole cycles, and
    their means over as many.
    """
    back = {
        1,
        2,
        *(3 * 2**power for power in range(12)),
        *(period * cycles for cycles in range(1, 8)),
        last,
    }
    steps = sorted(step for step in back if 0 < step <= min(last, columns.shape[1] - 1))
    changes = [columns[:, -1] - columns[:, -1 - step] for step in steps]
    return [*changes, *(columns[:, -step:].mean(axis=1) for step in steps if step > 1)]
