"""A network between two fixed layers, which standardise its inputs and scale its outputs
back.

Outside of the network, targets, loss and predictions stay in the data set's own units.
The loss in these units is a multiple of the loss of standardised targets. Steps of Adam
and RMSprop do not depend on such a factor. Nor does weight decay, which is no part of
the loss.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.data.examples import Array, Examples, Windows
from pipeline.data.problem import Problem

if TYPE_CHECKING:
    import keras


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


def standardised(
    network: "keras.Model", problem: Problem, known: Moments | None = None
) -> "keras.Model":
    """Return the network with a fixed layer in front and one behind.

    A network that returns a probability has none behind.

    Args:
        network: for the problem; its layers and weights become those of the result.
        problem: with values as inputs, not words.
        known: the moments of the train split; None if weights, which include the
            moments, are loaded next.
    """
    import keras

    before = keras.layers.Normalization()
    _fix(before, (None, *problem.input_shape), known.inputs if known else None)
    if problem.classify:
        return _between(problem, [before], network, [])
    behind = keras.layers.Normalization(axis=None, invert=True)
    _fix(behind, network.output_shape, known.targets if known else None)
    return _between(problem, [before], network, [behind])


def in_unit(
    network: "keras.Model", problem: Problem, known: Moments | None = None
) -> "keras.Model":
    """Return the network with a fixed layer behind it.

    The network's outputs are in the unit of the data. The layer turns them into model
    units.

    Args:
        network: for the problem; its layers and weights become those of the result.
        problem: with values as targets, not classes.
        known: the moments of the data set's scale; None if weights, which include the
            moments, are loaded next.
    """
    import keras

    behind = keras.layers.Normalization(axis=None)
    _fix(behind, network.output_shape, known.targets if known else None)
    return _between(problem, [], network, [behind])


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


def _between(
    problem: Problem, before: list[Any], network: "keras.Model", behind: list[Any]
) -> "keras.Model":
    import keras

    inputs = keras.Input(problem.input_shape)
    if isinstance(network, keras.Sequential):
        return keras.Sequential([inputs, *before, *network.layers, *behind])
    outputs = inputs
    for layer in before:
        outputs = layer(outputs)
    # The layers are called one by one, so that a summary shows each of them.
    outputs = network.call(outputs)
    for layer in behind:
        outputs = layer(outputs)
    return keras.Model(inputs, outputs)
