"""What a network sees of each example, the naive forecast that it corrects, and fixed
layers around it.

Networks of both kinds, recurrent or not, can have the same inputs in their own form: a
recurrent network reads rows, a dense network reads features
(docs/decisions/opponents.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.data.examples import Array, Arrays, Examples, Windows
from pipeline.data.problem import Problem
from pipeline.errors import UsageError
from pipeline.models import Last, look_back, recent_changes, recent_extremes
from pipeline.training.job import Predict, chunks

if TYPE_CHECKING:
    import keras


BESIDE = (-3, 0, 3)
"""The times of extra targets, in timesteps from the target's."""


def rows(
    problem: Problem,
    *,
    last: Last = None,
    changes: bool = False,
    extremes: bool = False,
) -> Predict:
    """Return the function from windows to the rows that a network reads.

    Args:
        problem: with windows (timesteps, columns) as inputs.
        last: how many of the latest timesteps are read; None for all.
        changes: whether each row also holds the `recent_changes` of the target.
        extremes: whether each row also holds the `recent_extremes` of the target.

    Raises:
        ValueError: `last` is more than the window has.
    """
    read = look_back(problem.input_shape[0], last)

    def seen(inputs: Array) -> Array:
        latest = inputs[:, -read:]
        target = inputs[:, :, problem.target].astype(np.float64)
        columns = recent_changes(target, read) if changes else []
        if extremes:
            columns += recent_extremes(target, read)
        # The calendar stays at the end, where models look for it.
        measured = inputs.shape[2] - problem.calendar
        parts = [
            latest[:, :, :measured],
            *(column[:, :, None] for column in columns),
            latest[:, :, measured:],
        ]
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
    def of(
        cls,
        problem: Problem,
        make: Predict | None,
        *,
        residual: bool,
        beside: Sequence[int] = (),
    ) -> "View":
        """Return the view of a problem's windows.

        Args:
            problem: the problem of the data set.
            make: what the network sees, as rows or as features; None for the windows as
                they are.
            residual: whether the network learns how much the target differs from its
                last value.
            beside: the times of extra targets, for which it has outputs, too.

        Raises:
            ValueError: the inputs are no windows of one forecast column.
        """
        words_or_vector = problem.vocabulary or len(problem.input_shape) == 1
        if words_or_vector or problem.each_step or problem.every:
            raise ValueError(
                "windows of values with one forecast column are needed; leave it out"
            )
        make = make or (lambda inputs: inputs)
        shape = make(np.zeros((1, *problem.input_shape))).shape[1:]
        extra = len(beside) * (problem.input_shape[1] - problem.calendar)
        about = replace(problem, input_shape=shape, outputs=problem.outputs + extra)
        if len(shape) == 1:
            about = Problem(shape, outputs=about.outputs)
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


def with_extra_targets(seen: Arrays, train: Examples) -> Arrays:
    """Return examples that also have extra targets, before their own one.

    Extra targets are the changes of every column from the last input to the target's
    time, and to those of `BESIDE`, but not beyond the last target of the split. They
    have the mean and the variance of the own targets, so that each counts as much.

    Args:
        seen: what a network sees and learns of the train split, with targets (n,).
        train: the train split, without a calendar.

    Returns:
        Targets are (n, times * columns + 1), the own ones at the end.

    Raises:
        UsageError: the split is no windows over one series, or has several targets.
    """
    if not isinstance(train, Windows) or train.outputs > 1:
        raise UsageError(
            "params.yaml: training.extra_targets needs windows over a series, with one "
            "target each; leave it out"
        )
    ahead = train.rows[:, None] + train.delay + train.step * np.array(BESIDE)
    changes = (
        train.series[np.clip(ahead, 0, train.rows.max() + train.delay)]
        - train.series[train.rows - train.step, None]
    )
    every = np.column_stack([changes.reshape(len(train), -1), seen.targets])
    mean, variance = _weighted(every, np.ones(len(train)))
    return Arrays(
        seen.inputs, mean[-1] + (every - mean) * np.sqrt(variance[-1] / variance)
    )


def _last_value(column: int, inputs: Array) -> Array:
    latest: Array = inputs[:, -1, column]
    return latest


@dataclass(frozen=True)
class Moments:
    """Mean and variance over all train examples and timesteps; a constant has variance 1.

    Attributes:
        inputs: (2, columns) float64, or (2, values) for inputs without timesteps; None
            if inputs stay as they are.
        targets: (2,) float64, over all values of all targets.
    """

    inputs: Array | None
    targets: Array


def moments(train: Examples) -> Moments:
    """Return the moments of a train split. Windows are not cut out of their series."""
    if isinstance(train, Windows):
        inputs = train.series
        targets = train.series if train.every else train.series[:, [train.target]]
        seen = _occurrences(train, train.offsets)
        asked = _occurrences(train, train.ahead)
        if train.measured is not None:
            asked = asked * train.measured
        asked = np.repeat(asked, targets.shape[1])
    else:
        inputs = train.inputs.reshape(-1, train.inputs.shape[-1])
        targets = train.targets
        seen = np.ones(len(inputs))
        asked = np.ones(targets.size)
    of_targets = _weighted(targets.reshape(-1, 1), asked)
    return Moments(_weighted(inputs, seen), of_targets[:, 0])


def _occurrences(train: Windows, offsets: Array) -> Array:
    """The number of windows (rows,) that have each row of the series.

    `offsets` are the positions of a window's rows, from its row number.
    """
    counts = np.zeros(len(train.series))
    for offset in offsets:
        np.add.at(counts, train.rows + offset, 1.0)
    return counts


def _weighted(values: Array, weights: Array) -> Array:
    """Mean and variance (2, columns) of rows (n, columns), with weights (n,)."""
    values = values[weights > 0].astype(np.float64)
    weights = weights[weights > 0]
    mean = np.average(values, axis=0, weights=weights)
    variance = np.average((values - mean) ** 2, axis=0, weights=weights)
    # The computed mean of a constant may be off by a last bit. Its computed variance is
    # then tiny, but not 0.
    return np.stack([mean, np.where(np.ptp(values, axis=0) > 0, variance, 1.0)])


def with_fixed_layers(
    network: "keras.Model",
    problem: Problem,
    known: Moments | None = None,
    *,
    standardise: bool,
) -> "keras.Model":
    """Return a network with fixed layers, which scale its inputs and its outputs.

    With `standardise` a layer in front standardises inputs, and one behind turns
    standardised outputs into model units. A network that returns a probability has none
    behind. Otherwise outputs are in the unit of the data, and the only layer is one
    behind that turns them into model units.

    Outside of the network, targets, loss and predictions stay in the data set's own
    units. The loss in these units is a multiple of the loss of standardised targets.
    Steps of Adam and RMSprop do not depend on such a factor. Nor does weight decay,
    which is no part of the loss.

    Args:
        network: for the problem; its layers and weights become those of the result.
        problem: with values as inputs, not words.
        known: the moments of the train split, or those of the data set's scale; None if
            weights, which include the moments, are loaded next.
        standardise: see above.
    """
    import keras

    inputs = keras.Input(problem.input_shape)
    before: list[Any] = []
    behind: list[Any] = []
    if standardise:
        before.append(keras.layers.Normalization())
        _fix(before[0], (None, *problem.input_shape), known.inputs if known else None)
    if not (standardise and problem.classify):
        behind.append(keras.layers.Normalization(axis=None, invert=standardise))
        _fix(behind[0], network.output_shape, known.targets if known else None)
    if isinstance(network, keras.Sequential):
        return keras.Sequential([inputs, *before, *network.layers, *behind])
    outputs = inputs
    # `call` calls the network's layers one by one, so that a summary shows each of them.
    for layer in (*before, network.call, *behind):
        outputs = layer(outputs)
    return keras.Model(inputs, outputs)


def _fix(
    layer: "keras.layers.Normalization",
    shape: tuple[int | None, ...],
    known: Array | None,
) -> None:
    """Build a layer for a shape, with mean and variance if they are known."""
    layer.build(shape)
    if known is not None:
        layer.adapt_mean.assign(known[0])
        layer.adapt_variance.assign(known[1])
        layer.finalize_state()
