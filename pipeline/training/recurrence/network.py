"""A Keras model whose recurrent layer is looped over here: what is, what its loops are
given, what they give back.
"""

from typing import Any

import keras
import tensorflow as tf

from pipeline.training.recurrence import cell as cells
from pipeline.training.recurrence.cell import Cell
from pipeline.training.recurrence.rules import RULES, Tensor, Tensors
from pipeline.training.recurrence.through_time import Texts, ThroughTime, Values

FIRST = 8
"""How many rows of a sorted batch are looped over while all the others still wait for
their words, in prediction."""


class LoopedModel:
    """A model as a function that XLA compiles well; the model keeps the weights.

    A recurrent layer that stands first, or behind an `Embedding`, is looped over by
    this module where it knows its cells. All other layers are called as they are.
    """

    def __init__(self, model: keras.Model) -> None:
        self.model = model
        self.layers = list(model.layers)
        self.loop: RecurrentLayer | BothWays | None = None
        index = next(
            (index for index, layer in enumerate(self.layers) if _recurrent(layer)),
            None,
        )
        # The layers of a model that is no chain may not follow one another.
        chain = type(model).__name__ == "Sequential"
        if (
            index is None
            or not chain
            or any(
                layer.trainable_weights for layer in self.layers[: max(0, index - 1)]
            )
        ):
            return
        before = self.layers[index - 1] if index else None
        words = (
            before is not None
            and type(before).__name__ == "Embedding"
            and not before.mask_zero
        )
        # The loop gives no gradient of its inputs, so nothing in front of it but words
        # may be trained.
        fixed = before is None or not before.trainable_weights
        if (words or fixed) and all(map(_known, _recurrent(self.layers[index]))):
            make = RecurrentLayer if hasattr(self.layers[index], "cell") else BothWays
            self.loop = make(self.layers[index], before if words else None)
            self.first = self.layers[: index - words]
            self.rest = self.layers[index + 1 :]

    def buffers(self, *shape: int) -> tuple[Tensor, ...]:
        """Memory for what the loop forward saves for the one backward, for inputs of a
        shape (batch, ...).

        It is used again for every batch, since XLA fills new memory with zeros first,
        which is slow.
        """
        if self.loop is None:
            return ()
        for layer in self.first:
            shape = layer.compute_output_shape(shape)
        return self.loop.buffers(*shape[:2])

    def predict(self, inputs: Tensor) -> Tensor:
        """The outputs of `model(inputs, training=False)`."""
        if self.loop is None:
            return self.model(inputs, training=False)
        for layer in self.first:
            inputs = layer(inputs)
        outputs = self.loop.predict(inputs)
        for layer in self.rest:
            outputs = layer(outputs)
        return outputs

    def train(
        self, inputs: Tensor, buffers: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The outputs of `model(inputs, training=True)`, with gradients; and the
        buffers, for the next batch.
        """
        if self.loop is None:
            return self.model(inputs, training=True), buffers
        for layer in self.first:
            inputs = layer(inputs, training=True)
        outputs, buffers = self.loop.train(inputs, buffers)
        for layer in self.rest:
            outputs = layer(outputs, training=True)
        return outputs, buffers


def _recurrent(layer: Any) -> list[Any]:
    """The recurrent layers that a layer is: one, one for each direction, or none."""
    if hasattr(layer, "cell"):
        return [layer]
    if (
        type(layer).__name__ == "Bidirectional"
        and layer.merge_mode == "concat"
        and not layer.return_sequences
    ):
        return [layer.forward_layer, layer.backward_layer]
    return []


def _known(layer: Any) -> bool:
    """Whether a recurrent layer is one that `RecurrentLayer` can take the place of."""
    turned = layer.go_backwards and layer.return_sequences
    plain = not (layer.return_state or layer.stateful or turned or layer.unroll)
    return plain and all(
        type(cell).__name__ in RULES
        and cell.activation.__name__ == "tanh"
        and (
            not hasattr(cell, "recurrent_activation")
            or cell.recurrent_activation.__name__ == "sigmoid"
        )
        and getattr(cell, "reset_after", True)
        and cell.use_bias
        for cell in _keras_cells(layer)
    )


def _keras_cells(layer: Any) -> list[Any]:
    """The cells of a recurrent layer of Keras, the lowest first."""
    return list(getattr(layer.cell, "cells", [layer.cell]))


class RecurrentLayer:
    """One recurrent layer, perhaps of stacked cells, on sequences or on embedded words.

    It gives the last states (batch, units) of the top cell, or all of them (batch,
    timesteps, units) where the Keras layer has `return_sequences`. Then rows do not
    share their padding: each of its states is asked for.

    Args:
        layer: the Keras layer.
        embedding: the Keras layer in front of it where inputs are word numbers (batch,
            timesteps); None where they are (batch, timesteps, values).
    """

    def __init__(self, layer: Any, embedding: Any) -> None:
        self.keras_cells = _keras_cells(layer)
        self.embedding = embedding
        self.every = bool(layer.return_sequences)
        self.backward = bool(layer.go_backwards)
        self.cells = [cells.plain(keras_cell) for keras_cell in self.keras_cells]

    def buffers(self, batch: int, timesteps: int) -> tuple[Tensor, ...]:
        """For each cell (timesteps, ..., batch): operands, and each residual of its
        rule; then every state.
        """
        rows = [
            rows
            for cell in self.cells
            for rows in (cell.rows, *[cell.units] * cell.rule.residuals)
        ]
        rows += [self.cells[-1].units] * self.every
        return tuple(tf.zeros((timesteps, count, batch)) for count in rows)

    def predict(self, inputs: Tensor) -> Tensor:
        """States of the top cell, without dropout."""
        batch = inputs.shape[0]
        sequence = self._sequence(
            inputs, [FIRST, batch] if batch > FIRST and not self.every else [batch]
        )
        buffers = [
            tf.zeros((sequence.timesteps, self.cells[-1].units, batch))
        ] * self.every
        loops = ThroughTime(self.cells, sequence, self.every)
        states, filled = loops.forward(
            self._source(), self._weights(self.cells), buffers, train=False
        )
        return sequence.unordered(self._output(states, filled))

    def train(
        self, inputs: Tensor, buffers: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """States of the top cell with dropout and gradients, and the buffers' new
        contents.
        """
        batch = inputs.shape[0]
        # Under dropout rows differ in their padding, too.
        unshared = self.every or any(
            cell.dropout or cell.recurrent_dropout for cell in self.keras_cells
        )
        widths = (
            [batch]
            if unshared
            else sorted({max(1, batch * quarter // 4) for quarter in (1, 2, 3, 4)})
        )
        sequence = self._sequence(inputs, widths)
        pairs = zip(self.cells, self.keras_cells, strict=True)
        masked = [
            cells.masked(cell, keras_cell, batch, sequence.ordered)
            for cell, keras_cell in pairs
        ]
        loops = ThroughTime(masked, sequence, self.every)
        nested = self._weights(masked)
        flat = tf.nest.flatten(nested)

        # TensorFlow differentiates what is in front (from Keras' variables to `flat`)
        # and behind, and asks `gradient` for what lies between. Tensors must come in
        # and go out as arguments: the buffers, too, which have none.
        @tf.custom_gradient  # type: ignore[untyped-decorator]
        def run(source: Tensor, *tensors: Tensor) -> Any:
            weights = tf.nest.pack_sequence_as(nested, tensors[: len(flat)])
            states, filled = loops.forward(
                source, weights, tensors[len(flat) :], train=True
            )

            def gradient(grad_output: Tensor, *_: Tensor) -> Any:
                grad_output = tf.transpose(
                    grad_output, (1, 2, 0) if self.every else (1, 0)
                )
                grad_source, grad_weights = loops.backward(
                    source, weights, states, filled, grad_output
                )
                return (
                    grad_source,
                    *tf.nest.flatten(grad_weights),
                    *[None] * len(filled),
                )

            return (self._output(states, filled), *filled), gradient

        output, *filled = run(self._source(), *flat, *buffers)
        return sequence.unordered(output), tuple(filled)

    def _output(self, states: list[Tensors], buffers: Tensors) -> Tensor:
        """(batch, units) or (batch, timesteps, units), the batch as the loop has it."""
        return (
            tf.transpose(buffers[-1], (2, 0, 1))
            if self.every
            else tf.transpose(states[-1][0])
        )

    def _source(self) -> Tensor:
        return (
            tf.zeros(()) if self.embedding is None else self.embedding.embeddings.value
        )

    def _weights(self, of_cells: list[Cell]) -> list[list[Tensor]]:
        return [
            cell.weights(keras_cell)
            for cell, keras_cell in zip(of_cells, self.keras_cells, strict=True)
        ]

    def _sequence(self, inputs: Tensor, widths: list[int]) -> Values:
        if self.backward:  # then padding comes last, and no two rows share it
            inputs, widths = tf.reverse(inputs, [1]), [inputs.shape[0]]
        return Values(inputs) if self.embedding is None else Texts(inputs, widths)


class BothWays:
    """A layer for each direction on the same inputs, their last states side by side:
    Keras' `Bidirectional`.

    Methods and `embedding` are as those of `RecurrentLayer`.
    """

    def __init__(self, wrapper: Any, embedding: Any) -> None:
        self.ways = [
            RecurrentLayer(layer, embedding)
            for layer in (wrapper.forward_layer, wrapper.backward_layer)
        ]

    def buffers(self, batch: int, timesteps: int) -> tuple[Tensor, ...]:
        return tuple(
            buffer for way in self.ways for buffer in way.buffers(batch, timesteps)
        )

    def predict(self, inputs: Tensor) -> Tensor:
        return tf.concat([way.predict(inputs) for way in self.ways], 1)

    def train(
        self, inputs: Tensor, buffers: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        half = len(buffers) // 2
        forward, backward = self.ways
        forward_states, forward_buffers = forward.train(inputs, buffers[:half])
        backward_states, backward_buffers = backward.train(inputs, buffers[half:])
        return tf.concat([forward_states, backward_states], 1), (
            *forward_buffers,
            *backward_buffers,
        )
