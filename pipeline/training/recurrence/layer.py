"""One recurrent layer: which kinds are looped over here, what its loops are given, and what they give back."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pipeline.training.recurrence.cell import Cell
from pipeline.training.recurrence.rules import RULES
from pipeline.training.recurrence.sequences import Values, Words
from pipeline.training.recurrence.tape import Tensor
from pipeline.training.recurrence.through_time import ThroughTime

FIRST = 8
"""How many rows of a sorted batch are looped over while all the others still wait for their words, in prediction."""


def known(layer: Any) -> bool:
    """Whether a recurrent layer is one that `Layer` can take the place of."""
    turned = layer.go_backwards and layer.return_sequences
    plain = not (layer.return_state or layer.stateful or turned or layer.unroll)
    return plain and all(
        type(cell).__name__ in RULES
        and cell.activation.__name__ == "tanh"
        and (not hasattr(cell, "recurrent_activation") or cell.recurrent_activation.__name__ == "sigmoid")
        and getattr(cell, "reset_after", True)
        and cell.use_bias
        for cell in keras_cells(layer)
    )


def keras_cells(layer: Any) -> list[Any]:
    """The cells of a recurrent layer of Keras, the lowest first."""
    return list(getattr(layer.cell, "cells", [layer.cell]))


class Layer:
    """One recurrent layer, perhaps of stacked cells, on sequences or on embedded words.

    It gives the last states (batch, units) of the top cell, or all of them (batch, timesteps, units) where the Keras
    layer has `return_sequences`. Then rows do not share their padding: each of its states is asked for.

    Args:
        layer: the Keras layer.
        embedding: the Keras layer in front of it where inputs are word numbers (batch, timesteps); None where they are
            (batch, timesteps, values).
    """

    def __init__(self, layer: Any, embedding: Any) -> None:
        self.keras_cells, self.embedding = keras_cells(layer), embedding
        self.every, self.backward = bool(layer.return_sequences), bool(layer.go_backwards)
        self.cells = []
        for cell in self.keras_cells:
            rule = RULES[type(cell).__name__]
            products = list(rule.products)
            self.cells.append(Cell(rule, cell.units, cell.kernel.shape[0], products, [None] * len(products)))

    def buffers(self, batch: int, timesteps: int) -> tuple[Tensor, ...]:
        """For each cell (timesteps, ..., batch): operands, and each residual of its rule; then every state."""
        import tensorflow as tf

        rows = [rows for cell in self.cells for rows in (cell.rows, *[cell.units] * cell.rule.residuals)]
        rows += [self.cells[-1].units] * self.every
        return tuple(tf.zeros((timesteps, count, batch)) for count in rows)

    def predict(self, inputs: Tensor) -> Tensor:
        """States of the top cell, without dropout."""
        import tensorflow as tf

        batch = inputs.shape[0]
        sequence = self._sequence(inputs, [FIRST, batch] if batch > FIRST and not self.every else [batch])
        buffers = [tf.zeros((sequence.timesteps, self.cells[-1].units, batch))] * self.every
        loops = ThroughTime(self.cells, sequence, self.every, self.embedding is not None)
        states, filled = loops.forward(self._source(), self._weights(self.cells), buffers, train=False)
        return sequence.in_order(self._output(states, filled))

    def train(self, inputs: Tensor, buffers: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """States of the top cell with dropout and gradients, and the buffers' new contents."""
        import tensorflow as tf

        batch = inputs.shape[0]
        # Under dropout rows differ in their padding, too.
        apart = self.every or any(cell.dropout or cell.recurrent_dropout for cell in self.keras_cells)
        widths = [batch] if apart else sorted({max(1, batch * part // 4) for part in (1, 2, 3, 4)})
        sequence = self._sequence(inputs, widths)
        cells = [self._masked(place, batch, sequence) for place in range(len(self.cells))]
        loops = ThroughTime(cells, sequence, self.every, self.embedding is not None)
        nested = self._weights(cells)
        flat = tf.nest.flatten(nested)

        # TensorFlow differentiates what is in front (from Keras' variables to `flat`) and behind, and asks `gradient`
        # for what lies between. Tensors must come in and go out as arguments: the buffers, too, which have none.
        @tf.custom_gradient  # type: ignore[untyped-decorator]
        def run(source: Tensor, *tensors: Tensor) -> Any:
            weights = tf.nest.pack_sequence_as(nested, tensors[: len(flat)])
            states, filled = loops.forward(source, weights, tensors[len(flat) :], train=True)

            def gradient(grad_output: Tensor, *_: Tensor) -> Any:
                grad_output = tf.transpose(grad_output, (1, 2, 0) if self.every else (1, 0))
                grad_source, grad_weights = loops.backward(source, weights, states, filled, grad_output)
                return (grad_source, *tf.nest.flatten(grad_weights), *[None] * len(filled))

            return (self._output(states, filled), *filled), gradient

        output, *filled = run(self._source(), *flat, *buffers)
        return sequence.in_order(output), tuple(filled)

    def _output(self, states: Sequence[Sequence[Tensor]], buffers: Sequence[Tensor]) -> Tensor:
        """(batch, units) or (batch, timesteps, units), the batch as the loop has it."""
        import tensorflow as tf

        return tf.transpose(buffers[-1], (2, 0, 1)) if self.every else tf.transpose(states[-1][0])

    def _source(self) -> Tensor:
        import tensorflow as tf

        return tf.zeros(()) if self.embedding is None else self.embedding.embeddings.value

    def _weights(self, cells: Sequence[Cell]) -> list[list[Tensor]]:
        return [cell.weights(of_keras) for cell, of_keras in zip(cells, self.keras_cells, strict=True)]

    def _sequence(self, inputs: Tensor, widths: list[int]) -> Values | Words:
        import tensorflow as tf

        if self.backward:  # then padding comes last, and no two rows share it
            inputs, widths = tf.reverse(inputs, [1]), [inputs.shape[0]]
        return Values(inputs) if self.embedding is None else Words(inputs, widths)

    def _masked(self, place: int, batch: int, sequence: Values | Words) -> Cell:
        """A cell with Keras' masks, drawn in its order, as factors of the products' operands."""
        import tensorflow as tf

        cell, of_keras = self.cells[place], self.keras_cells[place]
        input_masks = of_keras.get_dropout_mask(tf.ones((batch, cell.inputs)))
        state_masks = of_keras.get_recurrent_dropout_mask(tf.ones((batch, cell.units)))
        of_keras.reset_dropout_mask()
        of_keras.reset_recurrent_dropout_mask()
        if input_masks is None and state_masks is None:
            return cell

        def mask(number: int) -> Tensor:
            """(rows of the operand, batch) for a gate; Keras has one for all gates, or a list."""
            parts = [
                tf.ones((batch, size)) if drawn is None else drawn[number] if isinstance(drawn, list) else drawn
                for drawn, size in ((state_masks, cell.units), (input_masks, cell.inputs))
            ]
            rest = tf.ones((batch, cell.rows - cell.units - cell.inputs))
            return tf.transpose(sequence.sorted(tf.concat([*parts, rest], 1)))

        if not any(isinstance(drawn, list) for drawn in (input_masks, state_masks)):
            return replace(cell, masks=[mask(0)[cell.first(product) :] for product in cell.products])
        apart = [replace(product, gates=1) for product in cell.products for _ in range(product.gates)]
        masks = [mask(number)[cell.first(product) :] for number, product in zip(cell.rule.masks, apart, strict=True)]
        return replace(cell, products=apart, masks=masks)


class BothWays:
    """A layer for each direction on the same inputs, their last states side by side: Keras' `Bidirectional`.

    Args:
        wrapper: the Keras layer.
        embedding: as for `Layer`.
    """

    def __init__(self, wrapper: Any, embedding: Any) -> None:
        self.ways = [Layer(layer, embedding) for layer in (wrapper.forward_layer, wrapper.backward_layer)]

    def buffers(self, batch: int, timesteps: int) -> tuple[Tensor, ...]:
        """Those of each direction."""
        return tuple(buffer for way in self.ways for buffer in way.buffers(batch, timesteps))

    def predict(self, inputs: Tensor) -> Tensor:
        """As `Layer.predict`."""
        import tensorflow as tf

        return tf.concat([way.predict(inputs) for way in self.ways], 1)

    def train(self, inputs: Tensor, buffers: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """As `Layer.train`."""
        import tensorflow as tf

        half = len(buffers) // 2
        (one, of_one), (other, of_other) = (
            way.train(inputs, some) for way, some in zip(self.ways, (buffers[:half], buffers[half:]), strict=True)
        )
        return tf.concat([one, other], 1), (*of_one, *of_other)
