"""A network between two fixed layers: it sees standardised inputs, and its outputs are
turned back.

So targets, loss, predictions and weights on disk are in the data set's own units for
all that is around it. In these units the loss is a multiple of what it would be of
standardised targets. Steps of Adam and RMSprop do not depend on such a factor, nor does
weight decay, which is no part of the loss.
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
    """Mean and variance, 1 of what is constant, over all train examples (and
    timesteps).

    Attributes:
        inputs: (2, columns) float64, or (2, values) of inputs without timesteps; None
            where inputs stay as they are.
        targets: (2,) float64, of all values of all targets together.
    """

    inputs: Array | None
    targets: Array


def moments(train: Examples) -> Moments:
    """Return the moments of a train split; of windows without cutting them out of their
    series.
    """
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
    """(rows,) in how many windows each row of the series lies, at one of the offsets
    from the window's row number.
    """
    counts = np.zeros(len(train.series))
    for offset in offsets:
        np.add.at(counts, train.rows + offset, 1.0)
    return counts


def _weighted(values: Array, weights: Array) -> Array:
    """(2, columns) mean and variance of the rows of `values`, each counted as often as
    `weights` says.
    """
    values = values[weights > 0].astype(np.float64)
    weights = weights[weights > 0]
    mean = np.average(values, axis=0, weights=weights)
    variance = np.average((values - mean) ** 2, axis=0, weights=weights)
    # Of a constant the computed mean may be off by a last bit, and the variance by its
    # square.
    return np.stack([mean, np.where(np.ptp(values, axis=0) > 0, variance, 1.0)])


def standardised(
    network: "keras.Model", problem: Problem, known: Moments | None = None
) -> "keras.Model":
    """Return the network with a fixed layer in front and, unless it answers with a
    probability, one behind.

    Args:
        network: for the problem; its layers and weights become those of the result.
        problem: with values as inputs, not words.
        known: the moments of the train split; None where weights, which hold them, are
            loaded next.
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
    """Return the network with a fixed layer behind, which turns its outputs, in the
    unit of the data, into model units.

    Args:
        network: for the problem; its layers and weights become those of the result.
        problem: of values, not of classes.
        known: with the moments of the data set's scale; None where weights, which hold
            them, are loaded next.
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
    """Build a layer for a shape, with a mean and a variance if they are known."""
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
    # its layers one by one, not as one layer: so a summary shows them
    outputs = network.call(outputs)
    for layer in behind:
        outputs = layer(outputs)
    return keras.Model(inputs, outputs)
