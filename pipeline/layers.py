"""Layers of Keras whose training has the same bits whatever the processor's caches, and
the embedding of words.

The gradient of weights is a product over all rows of a batch. In the form that
TensorFlow derives, XLA hands this product to Eigen. Eigen splits a long sum by the size
of the first-level cache, so its last bits depend on the processor
(docs/decisions/bits.md). Here the product has a form that XLA hands to YNNPACK, whose
sums have one order everywhere.

Importing this module starts TensorFlow.
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from tensorflow.compiler.tf2xla.python import xla

from pipeline.data.problem import Problem


def barrier(value: Any) -> Any:
    """Return the value. XLA computes it once, apart from the operations that use it."""
    return value if tf.executing_eagerly() else xla.optimization_barrier(value)[0]


@tf.custom_gradient  # type: ignore[untyped-decorator]
def product(values: Any, weights: Any) -> tuple[Any, Callable[[Any], tuple[Any, Any]]]:
    """Return values (..., inputs) times weights (inputs, outputs)."""

    def backward(gradient: Any) -> tuple[Any, Any]:
        inputs, outputs = weights.shape
        of_values = keras.ops.matmul(gradient, tf.transpose(weights))
        rows = tf.reshape(values, (-1, inputs))
        return of_values, _of_weights(rows, tf.reshape(gradient, (-1, outputs)))

    return keras.ops.matmul(values, weights), backward


def _of_weights(rows: Any, gradients: Any) -> Any:
    """The gradient of weights (inputs, outputs), from rows (n, inputs) of values and
    their products' gradients (n, outputs).

    Transposing the narrower matrix takes less time. Without a barrier XLA would undo
    it.
    """
    if rows.shape[1] < gradients.shape[1]:
        return tf.matmul(barrier(tf.transpose(rows)), gradients)
    transposed = tf.matmul(barrier(tf.transpose(gradients)), rows)
    return tf.transpose(barrier(transposed))


class Dense(keras.layers.Dense):  # type: ignore[misc]
    """Keras' layer, with `product`."""

    def call(self, inputs: Any) -> Any:
        """Return outputs (..., units) for inputs (..., values)."""
        outputs = product(inputs, tf.convert_to_tensor(self.kernel))
        if self.use_bias:
            outputs = outputs + self.bias
        return self.activation(outputs)


class GRUCell(keras.layers.GRUCell):  # type: ignore[misc]
    """Keras' cell with `reset_after` and without dropout, with `product`."""

    def call(self, inputs: Any, states: Any) -> tuple[Any, list[Any]]:
        """Return the new state (batch, units), as outputs and as states."""
        (state,) = states
        kernel = tf.convert_to_tensor(self.kernel)
        recurrent_kernel = tf.convert_to_tensor(self.recurrent_kernel)
        of_inputs = product(inputs, kernel) + self.bias[0]
        of_state = product(state, recurrent_kernel) + self.bias[1]
        update, reset, candidate = keras.ops.split(of_inputs, 3, axis=-1)
        state_update, state_reset, state_candidate = keras.ops.split(
            of_state, 3, axis=-1
        )
        update = self.recurrent_activation(update + state_update)
        reset = self.recurrent_activation(reset + state_reset)
        candidate = self.activation(candidate + reset * state_candidate)
        state = update * state + (1 - update) * candidate
        return state, [state]


class TimePooling(keras.layers.Layer):  # type: ignore[misc]
    """A layer whose mask says which timesteps are no padding."""

    def __init__(self, pools: tuple[str, ...]) -> None:
        super().__init__()
        self.pools = pools
        self.supports_masking = True

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """Return None: the output has no timesteps."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """Return the pools side by side."""
        if mask is None:
            mask = keras.ops.ones_like(inputs[:, :, 0], "bool")
        present = mask[:, :, None]
        outputs = {}
        if "max" in self.pools:
            lowest = keras.ops.where(present, inputs, float("-inf"))
            highest = keras.ops.max(lowest, axis=1)
            some = keras.ops.any(present, axis=1)
            outputs["max"] = keras.ops.where(some, highest, 0.0)
        if "mean" in self.pools:
            total = keras.ops.sum(keras.ops.where(present, inputs, 0.0), axis=1)
            count = keras.ops.sum(keras.ops.cast(present, inputs.dtype), axis=1)
            outputs["mean"] = total / keras.ops.maximum(count, 1.0)
        parts = [outputs[pool] for pool in self.pools]
        return keras.ops.concatenate(parts, axis=1)


POOLS = {"mean": ("mean",), "max": ("max",), "mean_max": ("max", "mean")}
"""A builder's option `pooling` -> what is computed over time, side by side."""


def time_pooling(pooling: str) -> Any:
    """Return a Keras layer that pools over the timesteps without the padding.

    It maps (batch, timesteps, values) to (batch, values), or to (batch, 2 * values) for
    the maximum and the mean. Without any word the output is 0.

    Args:
        pooling: a key of `POOLS`.
    """
    return TimePooling(POOLS[pooling])


def check_embedding(
    problem: Problem, embedding: int, word_dropout: float = 0.0
) -> None:
    """Raise ValueError for words without an embedding, or an embedding without words.

    Word dropout needs words as well.
    """
    if bool(problem.vocabulary) != bool(embedding):
        raise ValueError(
            "`embedding` must be set where inputs are words, and only there"
        )
    if word_dropout and not problem.vocabulary:
        raise ValueError(
            f"`word_dropout` is for words. Received: {word_dropout} for values"
        )


def add_embedding(
    model: keras.Sequential,
    problem: Problem,
    width: int,
    *,
    word_dropout: float = 0.0,
    skip_padding: bool,
) -> None:
    """Add an embedding of word numbers (batch, timesteps) to a model.

    Args:
        model: the model.
        problem: with words.
        width: the width of a word's vector.
        word_dropout: the share of words whose whole vector is 0 in training. Keras'
            dropout divides the other vectors by the share that is left.
        skip_padding: whether the layers behind skip padding, by Keras' mask.
    """
    model.add(keras.layers.Embedding(problem.vocabulary, width, mask_zero=skip_padding))
    if word_dropout:
        one_of_each_word = (None, None, 1)
        model.add(keras.layers.Dropout(word_dropout, noise_shape=one_of_each_word))
