"""A Keras model whose recurrent layer runs in the loops of `through_time`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from pipeline.layers import TimePooling, barrier
from pipeline.training.recurrence.cell import Cell, masked, plain
from pipeline.training.recurrence.rules import RULES, Tensor, Tensors
from pipeline.training.recurrence.through_time import (
    Sequences,
    SkippedPadding,
    Texts,
    ThroughTime,
    Values,
    last_words_first,
)

FIRST = 8
"""The number of rows of a sorted batch that are looped over from the start in prediction,
while the other rows wait for their words."""


class LoopedModel:
    """A model as a function that XLA compiles well; the model keeps the weights.

    The first recurrent layer runs in our loops if its cells are known, together with an
    embedding and word dropout in front of it and pooling over time behind it. All other
    layers are called as Keras has them.

    Attributes:
        loops: the loops of the recurrent layer, one for each direction; empty if Keras
            calls the whole model.
        refusal: why Keras calls the whole model; "" if it does not.
    """

    def __init__(self, model: keras.Model) -> None:
        self.model = model
        self.loops: list[RecurrentLayer] = []
        self.refusal = "it is no chain of layers with a recurrent one"
        layers = list(model.layers)
        recurrent = [layer for layer in layers if _directions(layer)]
        # In a model that is no chain, a layer need not be the input of the next one.
        if not recurrent or type(model) is not keras.Sequential:
            return
        index = layers.index(recurrent[0])
        self._front = _front(layers[:index])
        self._behind = layers[index + 1 :]
        self._pools: tuple[str, ...] = ()
        if self._behind and isinstance(self._behind[0], TimePooling):
            self._pools = self._behind.pop(0).pools
        self.refusal = _refusal(recurrent[0], self._front, self._pools)
        if not self.refusal:
            self.loops = [
                RecurrentLayer(layer, self._front.embedding, self._pools)
                for layer in _directions(recurrent[0])
            ]

    def buffers(self, *shape: int) -> tuple[Tensor, ...]:
        """Return memory for activations, for inputs of a shape (batch, ...).

        The memory is used again for every batch: XLA would fill new memory with zeros
        first, which is slow.
        """
        if not self.loops:
            return ()
        for layer in self._front.others:
            shape = layer.compute_output_shape(shape)
        return tuple(
            buffer for loop in self.loops for buffer in loop.buffers(*shape[:2])
        )

    def predict(self, inputs: Tensor) -> Tensor:
        """Return the outputs of `model(inputs, training=False)`."""
        if not self.loops:
            return self.model(inputs, training=False)
        for layer in self._front.others:
            inputs = layer(inputs)
        outputs = self._side_by_side([loop.predict(inputs) for loop in self.loops])
        for layer in self._behind:
            outputs = layer(outputs)
        return outputs

    def train(
        self, inputs: Tensor, buffers: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the outputs of `model(inputs, training=True)`, with gradients.

        The second value are the buffers for the next batch.
        """
        if not self.loops:
            return self.model(inputs, training=True), buffers
        for layer in self._front.others:
            inputs = layer(inputs, training=True)
        factors = None
        if self._front.word_dropout is not None:
            ones = tf.ones((*inputs.shape, 1))
            factors = self._front.word_dropout(ones, training=True)[:, :, 0]
        share = len(buffers) // len(self.loops)
        states = []
        filled: list[Tensor] = []
        for loop in self.loops:
            own = buffers[len(filled) : len(filled) + share]
            of_loop, own = loop.train(inputs, own, factors)
            states.append(of_loop)
            filled += own
        outputs = self._side_by_side(states)
        for layer in self._behind:
            outputs = layer(outputs, training=True)
        return outputs, tuple(filled)

    def _side_by_side(self, states: list[Tensor]) -> Tensor:
        """The outputs of all loops: the first pool of each, then the second."""
        if len(states) == 1:
            return states[0]
        if len(self._pools) > 1:
            parts = [tf.split(state, len(self._pools), axis=1) for state in states]
            states = [part for of_pool in zip(*parts, strict=True) for part in of_pool]
        return tf.concat(states, 1)


@dataclass(frozen=True)
class Front:
    """The layers in front of a recurrent layer.

    Attributes:
        others: those that Keras calls.
        embedding: the last one, if it is an embedding; else None.
        word_dropout: the layer between embedding and recurrent layer that drops words;
            None if there is none.
    """

    others: list[Any]
    embedding: Any = None
    word_dropout: Any = None

    @property
    def skips_padding(self) -> bool:
        """True if inputs are words, and padding is no word."""
        return self.embedding is not None and bool(self.embedding.mask_zero)


def _front(layers: list[Any]) -> Front:
    rest = list(layers)
    word_dropout = None
    # The class itself: those that inherit may do something else.
    if rest and type(rest[-1]) is keras.layers.Dropout:
        word_dropout = rest.pop()
    if not rest or type(rest[-1]) is not keras.layers.Embedding:
        return Front(layers)
    front = Front(rest[:-1], rest[-1], word_dropout)
    of_words = word_dropout is None or word_dropout.noise_shape == (None, None, 1)
    # Without a mask, words of the padding would be dropped as well.
    if of_words and (word_dropout is None or front.skips_padding):
        return front
    return Front(layers)


def _directions(layer: Any) -> list[Any]:
    """The recurrent layers in a layer: none, one, or one for each direction."""
    if hasattr(layer, "cell"):
        return [layer]
    if type(layer) is keras.layers.Bidirectional and layer.merge_mode == "concat":
        return [layer.forward_layer, layer.backward_layer]
    return []


def _refusal(layer: Any, front: Front, pools: tuple[str, ...]) -> str:
    """Why `RecurrentLayer` cannot take the place of a recurrent layer; "" if it can.

    Args:
        layer: the layer, or `Bidirectional`.
        front: the layers in front of it.
        pools: the pools behind it.
    """
    directions = _directions(layer)
    every = layer.return_sequences and not pools
    one_way = len(directions) == 1 and not layer.go_backwards
    reasons = {
        "the loop gives no gradient of its inputs": any(
            other.trainable_weights for other in front.others
        ),
        "every state is known only forward": every and not one_way,
        "every state is known only with padding that is read": (
            every and front.skips_padding
        ),
        "pools of words are known only if padding is skipped": (
            pools and front.embedding is not None and not front.skips_padding
        ),
        "the layer has an option that the loop has not": any(
            each.return_state or each.stateful or each.unroll for each in directions
        ),
        "a cell is not known": not all(
            _known_cell(cell) for each in directions for cell in _keras_cells(each)
        ),
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def _known_cell(cell: Any) -> bool:
    gates = getattr(cell, "recurrent_activation", keras.activations.sigmoid)
    return (
        type(cell).__name__ in RULES
        and cell.activation.__name__ == "tanh"
        and gates.__name__ == "sigmoid"
        and getattr(cell, "reset_after", True)
        and cell.use_bias
    )


def _keras_cells(layer: Any) -> list[Any]:
    """The cells of a recurrent layer of Keras, the lowest first."""
    return list(getattr(layer.cell, "cells", [layer.cell]))


class RecurrentLayer:
    """One recurrent layer, perhaps of stacked cells, on sequences or on embedded words.

    It returns the last states (batch, units) of the top cell, or the pooled states
    (batch, units * pools). If the Keras layer has `return_sequences` and there are no
    pools, it returns all states (batch, timesteps, units), and rows do not share their
    padding.

    Args:
        layer: the Keras layer.
        embedding: the Keras layer in front of it if inputs are word numbers (batch,
            timesteps); None if they are values (batch, timesteps, values). If it has
            `mask_zero`, padding is skipped.
        pools: the names of the pools of the states over time.
    """

    def __init__(self, layer: Any, embedding: Any, pools: tuple[str, ...]) -> None:
        self._keras_cells = _keras_cells(layer)
        self._cells = [plain(keras_cell) for keras_cell in self._keras_cells]
        self._embedding = embedding
        self._pools = pools
        self._every = bool(layer.return_sequences) and not pools
        self._skip_padding = embedding is not None and bool(embedding.mask_zero)
        self._backward = bool(layer.go_backwards)

    def buffers(self, batch: int, timesteps: int) -> tuple[Tensor, ...]:
        """Return arrays (timesteps, rows, batch) for operands, activations and states.

        There is one operand for each cell, then each activation of the cell's rule. The
        states of the top cell come last, if all states are returned.
        """
        rows = []
        for cell in self._cells:
            rows += [cell.rows, *[cell.units] * cell.rule.activations]
        if self._every:
            rows.append(self._cells[-1].units)
        return tuple(tf.zeros((timesteps, count, batch)) for count in rows)

    def predict(self, inputs: Tensor) -> Tensor:
        """Return the states of the top cell, without dropout."""
        batch, timesteps = inputs.shape[:2]
        widths = [FIRST, batch]
        if self._every or self._skip_padding or batch <= FIRST:
            widths = [batch]
        buffers = []
        if self._every:
            buffers = [tf.zeros((timesteps, self._cells[-1].units, batch))]
        sequence = self._sequence(inputs, widths, None)
        loops = ThroughTime(self._cells, sequence, self._every, self._pools)
        states, carried, filled = loops.forward(
            self._source(), self._weights(self._cells), buffers, train=False
        )
        return sequence.unordered(self._output(loops, states, carried, filled))

    def train(
        self, inputs: Tensor, buffers: tuple[Tensor, ...], factors: Tensor | None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the states of the top cell, with dropout and gradients.

        The second value are the buffers with their new contents. `factors` are those of
        the words' vectors (batch, timesteps) under word dropout.
        """
        batch = inputs.shape[0]
        widths = sorted({max(1, batch * quarter // 4) for quarter in (1, 2, 3, 4)})
        # With dropout, the states of rows differ even in padding that is read.
        dropped = any(c.dropout or c.recurrent_dropout for c in self._keras_cells)
        if self._every or (dropped and not self._skip_padding):
            widths = [batch]
        sequence = self._sequence(inputs, widths, factors)
        cells = [
            masked(cell, keras_cell, batch, sequence.ordered)
            for cell, keras_cell in zip(self._cells, self._keras_cells, strict=True)
        ]
        loops = ThroughTime(cells, sequence, self._every, self._pools)
        weights = self._weights(cells)
        # All tensors must come in as arguments, also the buffers, which have no gradient.
        run = tf.custom_gradient(lambda *given: self._run(loops, weights, *given))
        output, *filled = run(self._source(), *tf.nest.flatten(weights), *buffers)
        return sequence.unordered(output), tuple(filled)

    def _run(
        self,
        loops: ThroughTime,
        like: list[list[Tensor]],
        source: Tensor,
        *given: Tensor,
    ) -> tuple[tuple[Tensor, ...], Callable[..., tuple[Any, ...]]]:
        """Run the loops forward; return output and buffers, and their gradient.

        TensorFlow differentiates what is in front of it (from Keras' variables to the
        given weights) and behind it, and asks the function for the rest.

        Args:
            loops: the loops.
            like: the weights, in the structure of the given ones.
            source: as `_source` returns it.
            given: the weights in a row, then the buffers.
        """
        count = len(tf.nest.flatten(like))
        weights = tf.nest.pack_sequence_as(like, given[:count])
        states, carried, filled = loops.forward(
            source, weights, given[count:], train=True
        )

        def gradient(grad_output: Tensor, *_: Tensor) -> tuple[Any, ...]:
            axes = (1, 2, 0) if self._every else (1, 0)
            turned = tf.transpose(grad_output, axes)
            grad_source, grad_weights = loops.backward(
                source, weights, states, carried, filled, turned
            )
            none = [None] * len(filled)
            return grad_source, *tf.nest.flatten(grad_weights), *none

        return (self._output(loops, states, carried, filled), *filled), gradient

    def _output(
        self,
        loops: ThroughTime,
        states: list[Tensors],
        carried: list[Tensors],
        buffers: Tensors,
    ) -> Tensor:
        """States (batch, units), (batch, timesteps, units) or (batch, units * pools), in
        the order of the loop.
        """
        if self._every:
            return tf.transpose(buffers[-1], (2, 0, 1))
        top = loops.pooled(carried) if self._pools else states[-1][0]
        # Behind the barrier the head's product has no transposed factor, which XLA
        # would hand to Eigen (docs/decisions/bits.md).
        return barrier(tf.transpose(top))

    def _source(self) -> Tensor:
        """The words' vectors (words, values); an empty tensor if inputs are values."""
        if self._embedding is None:
            return tf.zeros(())
        return self._embedding.embeddings.value

    def _weights(self, cells: list[Cell]) -> list[list[Tensor]]:
        pairs = zip(cells, self._keras_cells, strict=True)
        return [cell.weights(keras_cell) for cell, keras_cell in pairs]

    def _sequence(
        self, inputs: Tensor, widths: list[int], factors: Tensor | None
    ) -> Sequences:
        if self._skip_padding:
            if self._backward:
                turned = last_words_first(inputs, inputs)
                if factors is not None:
                    factors = last_words_first(inputs, factors)
                inputs = turned
            return SkippedPadding(inputs, widths, factors)
        if self._backward:  # padding comes last, so rows do not share it
            inputs = tf.reverse(inputs, [1])
            widths = [inputs.shape[0]]
        return Values(inputs) if self._embedding is None else Texts(inputs, widths)
