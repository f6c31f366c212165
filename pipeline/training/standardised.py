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
        inputs: (2, columns) float64, or (2, values) of inputs without timesteps.
        targets: (2,) float64, of all values of all targets together.
    """

    inputs: Array
    targets: Array


def moments(train: Examples) -> Moments:
    """The moments of a train split; of windows without cutting them out of their
    series.
    """
    if not isinstance(train, Windows):
        inputs = train.inputs.reshape(-1, train.inputs.shape[-1])
        targets = train.targets.reshape(-1, 1)
        return Moments(
            _weighted(inputs, np.ones(len(inputs))),
            _weighted(targets, np.ones(len(targets)))[:, 0],
        )
    seen, asked = (
        _occurrences(train, offsets) for offsets in (train.offsets, train.ahead)
    )
    if train.measured is not None:
        asked = asked * train.measured
    targets = train.series if train.every else train.series[:, [train.target]]
    asked = np.repeat(asked, targets.shape[1])
    return Moments(
        _weighted(train.series, seen), _weighted(targets.reshape(-1, 1), asked)[:, 0]
    )


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
    """The network with a fixed layer in front and, unless it answers with a
    probability, one behind.

    Args:
        network: for the problem; its layers and weights become those of the result.
        problem: with values as inputs, not words.
        known: the moments of the train split; None where weights, which hold them, are
            loaded next.
    """
    import keras

    of_inputs, of_targets = (known.inputs, known.targets) if known else (None, None)
    before = _fixed(
        keras.layers.Normalization(), (None, *problem.input_shape), of_inputs
    )
    after = keras.layers.Normalization(axis=None, invert=True)
    behind = (
        [] if problem.classify else [_fixed(after, network.output_shape, of_targets)]
    )
    return _between(problem, [before], network, behind)


def in_unit(
    network: "keras.Model", problem: Problem, known: Array | None = None
) -> "keras.Model":
    """The network with a fixed layer behind, which turns its outputs, in the unit of
    the data, into model units.

    Args:
        network: for the problem; its layers and weights become those of the result.
        problem: of values, not of classes.
        known: (2,) mean and variance of the data set's scale; None where weights, which
            hold them, are loaded next.
    """
    import keras

    return _between(
        problem,
        [],
        network,
        [_fixed(keras.layers.Normalization(axis=None), network.output_shape, known)],
    )


def _between(
    problem: Problem, before: list[Any], network: "keras.Model", behind: list[Any]
) -> "keras.Model":
    import keras

    if isinstance(network, keras.Sequential):
        return keras.Sequential(
            [keras.Input(problem.input_shape), *before, *network.layers, *behind]
        )
    inputs = outputs = keras.Input(problem.input_shape)
    for layer in before:
        outputs = layer(outputs)
    # its layers one by one, not as one layer: so a summary shows them
    outputs = network.call(outputs)
    for layer in behind:
        outputs = layer(outputs)
    return keras.Model(inputs, outputs)


def _fixed(
    layer: "keras.layers.Normalization",
    shape: tuple[int | None, ...],
    known: Array | None,
) -> Any:
    layer.build(shape)
    if known is not None:
        layer.adapt_mean.assign(known[0])
        layer.adapt_variance.assign(known[1])
        layer.finalize_state()
    return layer
