"""The loop over time, forward and back."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pipeline.training.recurrence.cell import Cell
from pipeline.training.recurrence.rules import RULES
from pipeline.training.recurrence.sequences import Values, Words, joined, parted
from pipeline.training.recurrence.tape import Keep, Tape, Tensor, twins

FIRST = 8
"""How many rows of a sorted batch are looped over while all the others still wait for their words, in prediction."""


def known(layer: Any) -> bool:
    """Whether a recurrent layer is one that `Loop` can take the place of."""
    plain = not (layer.return_state or layer.stateful or layer.go_backwards or layer.unroll)
    return plain and all(
        type(cell).__name__ in RULES
        and cell.activation.__name__ == "tanh"
        and (not hasattr(cell, "recurrent_activation") or cell.recurrent_activation.__name__ == "sigmoid")
        and getattr(cell, "reset_after", True)
        and cell.use_bias
        for cell in cells(layer)
    )


def cells(layer: Any) -> list[Any]:
    """The cells of a recurrent layer, the lowest first."""
    return list(getattr(layer.cell, "cells", [layer.cell]))


class Loop:
    """One recurrent layer, perhaps of stacked cells, on sequences or on embedded words.

    It gives the last states (batch, units) of the top cell, or all of them (batch, timesteps, units) where the layer
    has `return_sequences`. Then rows do not share their padding: each of its states is asked for.

    Args:
        layer: the Keras layer.
        embedding: the Keras layer in front of it where inputs are word numbers (batch, timesteps); None where they are
            (batch, timesteps, values).
    """

    def __init__(self, layer: Any, embedding: Any) -> None:
        self.layers, self.embedding = cells(layer), embedding
        self.every = bool(layer.return_sequences)
        self.cells = []
        for cell in self.layers:
            rule = RULES[type(cell).__name__]
            products = list(rule.products)
            self.cells.append(Cell(rule, cell.units, cell.kernel.shape[0], products, [None] * len(products)))

    def buffers(self, batch: int, timesteps: int) -> tuple[Tensor, ...]:
        """For each cell (timesteps, ..., batch): operands, and each number that its rule keeps; then every state."""
        import tensorflow as tf

        rows = [rows for cell in self.cells for rows in (cell.rows, *[cell.units] * cell.rule.kept)]
        rows += [self.cells[-1].units] * self.every
        return tuple(tf.zeros((timesteps, count, batch)) for count in rows)

    def predict(self, inputs: Tensor) -> Tensor:
        """States of the top cell, without dropout."""
        import tensorflow as tf

        batch = inputs.shape[0]
        sequence = self._sequence(inputs, [FIRST, batch] if batch > FIRST and not self.every else [batch])
        weights = self._weights(self.cells)
        every = tuple(tf.zeros((sequence.timesteps, self.cells[-1].units, batch)) for _ in range(self.every))

        def step(width: int, time: Tensor, states: Any, every: Any) -> Any:
            values = sequence.at(self._source(), time, width)
            states = _forward(self.cells, weights, values, states, lambda number: lambda: number)
            tape = Tape([time], every, width)
            if self.every:
                tape.keep(states[-1][0])
            return time + 1, states, tuple(tape.buffers)

        states = self._start(sequence.widths[0])
        for width, begin, end in sequence.stages():
            states = joined(states, width)
            _, states, every = tf.while_loop(
                lambda time, *_, end=end: time < end,
                lambda *loop, width=width: step(width, *loop),
                (begin, states, every),
            )
        return sequence.in_order(_batch_first(*every) if every else tf.transpose(states[-1][0]))

    def train(self, inputs: Tensor, buffers: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """States of the top cell with dropout and gradients, and the buffers' new contents."""
        import tensorflow as tf

        batch = inputs.shape[0]
        # Under dropout rows differ in their padding, too.
        apart = self.every or any(cell.dropout or cell.recurrent_dropout for cell in self.layers)
        widths = [batch] if apart else sorted({max(1, batch * part // 4) for part in (1, 2, 3, 4)})
        sequence = self._sequence(inputs, widths)
        layer = [self._masked(place, batch, sequence) for place in range(len(self.cells))]
        words = self.embedding is not None
        packed = self._weights(layer)
        count = len(tf.nest.flatten(packed))

        @tf.custom_gradient  # type: ignore[untyped-decorator]
        def run(source: Tensor, *numbers: Tensor) -> Any:
            weights = tf.nest.pack_sequence_as(packed, numbers[:count])

            def step(width: int, times: Any, states: Any, buffers: Any) -> Any:
                tape = Tape(times, buffers, width)
                states = _forward(layer, weights, sequence.at(source, times[0], width), states, tape.keep)
                if self.every:
                    tape.keep(states[-1][0])
                return [time + 1 for time in times], states, tuple(tape.buffers)

            states, buffers = self._start(sequence.widths[0]), tuple(numbers[count:])
            for width, begin, end in sequence.stages():
                states = joined(states, width)
                _, states, buffers = tf.while_loop(
                    lambda times, *_, end=end: times[0] < end,
                    lambda *loop, width=width: step(width, *loop),
                    (twins(begin), states, buffers),
                )

            def gradient(of_output: Tensor, *_: Tensor) -> Any:
                of_every: Tensor = tf.transpose(of_output, (1, 2, 0)) if self.every else None

                def back(width: int, times: Any, gradients: Any, changes: Any, room: Any, of_source: Tensor) -> Any:
                    reads = Tape(times, buffers, width).reads()
                    cells = list(zip(layer, turned, gradients, room, strict=True))
                    of_cells: list[Any] = []
                    of_values: Any = 0.0
                    if self.every:
                        reads.pop()
                        of_values = of_every[times[0]]
                    for cell, t, (of_state, *others), place in reversed(cells):
                        kept = [reads.pop() for _ in range(1 + cell.rule.kept)][::-1]
                        of_values, *found = cell.back(t, kept, (of_state + of_values, *others), place)
                        of_cells.insert(0, found)
                    gradients, new, room = zip(*of_cells, strict=True)
                    changes = tf.nest.map_structure(tf.add, changes, list(new))
                    of_source = sequence.back(of_source, of_values, times[0], width)
                    return [time - 1 for time in times], list(gradients), changes, list(room), of_source

                gradients = [tuple(tf.zeros_like(state) for state in states_) for states_ in states]
                if not self.every:
                    gradients[-1] = (of_output, *gradients[-1][1:])
                turned = [
                    cell.turned(w, inputs=bool(place) or words)
                    for place, (cell, w) in enumerate(zip(layer, weights, strict=True))
                ]
                changes = tf.nest.map_structure(tf.zeros_like, weights)
                of_source = tf.zeros_like(source) if words else tf.constant(0.0)
                for width, begin, end in reversed(sequence.stages()):
                    gradients = parted(gradients, width)
                    room = [[tf.zeros((p.gates * cell.units, width)) for p in cell.products] for cell in layer]
                    _, gradients, changes, _, of_source = tf.while_loop(
                        lambda times, *_, begin=begin: times[0] >= begin,
                        lambda *loop, width=width: back(width, *loop),
                        (twins(end - 1), gradients, changes, room, of_source),
                    )
                return (of_source if words else None, *tf.nest.flatten(changes), *[None] * len(buffers))

            return (_batch_first(buffers[-1]) if self.every else states[-1][0], *buffers), gradient

        output, *buffers_ = run(self._source(), *tf.nest.flatten(packed), *buffers)
        return sequence.in_order(output if self.every else tf.transpose(output)), tuple(buffers_)

    def _source(self) -> Tensor:
        import tensorflow as tf

        return tf.zeros(()) if self.embedding is None else self.embedding.embeddings.value

    def _weights(self, layer: Sequence[Cell]) -> list[list[Tensor]]:
        return [cell.weights(keras) for cell, keras in zip(layer, self.layers, strict=True)]

    def _start(self, width: int) -> list[tuple[Tensor, ...]]:
        import tensorflow as tf

        return [tuple(tf.zeros((cell.units, width)) for _ in range(cell.rule.states)) for cell in self.cells]

    def _sequence(self, inputs: Tensor, widths: list[int]) -> "Values | Words":
        return Values(inputs) if self.embedding is None else Words(inputs, widths)

    def _masked(self, place: int, batch: int, sequence: "Values | Words") -> Cell:
        """A cell with Keras' masks, drawn in its order, as factors of the products' operands."""
        import tensorflow as tf

        cell, keras = self.cells[place], self.layers[place]
        of_inputs = keras.get_dropout_mask(tf.ones((batch, cell.inputs)))
        of_states = keras.get_recurrent_dropout_mask(tf.ones((batch, cell.units)))
        keras.reset_dropout_mask()
        keras.reset_recurrent_dropout_mask()
        if of_inputs is None and of_states is None:
            return cell

        def mask(number: int) -> Tensor:
            parts = [
                tf.ones((batch, size)) if drawn is None else drawn[number] if isinstance(drawn, list) else drawn
                for drawn, size in ((of_states, cell.units), (of_inputs, cell.inputs))
            ]
            rest = tf.ones((batch, cell.rows - cell.units - cell.inputs))
            return tf.transpose(sequence.sorted(tf.concat([*parts, rest], 1)))

        if not any(isinstance(drawn, list) for drawn in (of_inputs, of_states)):
            return replace(cell, masks=[mask(0)[cell.first(product) :] for product in cell.products])
        apart = [replace(product, gates=1) for product in cell.products for _ in range(product.gates)]
        masks = [mask(number)[cell.first(product) :] for number, product in zip(cell.rule.masks, apart, strict=True)]
        return replace(cell, products=apart, masks=masks)


def _forward(layer: Sequence[Cell], weights: Any, values: Tensor, states: Any, keep: Keep) -> list[Sequence[Tensor]]:
    """One timestep of all cells, the lowest first: new states of each."""
    new: list[Sequence[Tensor]] = []
    for cell, w, old in zip(layer, weights, states, strict=True):
        new.append(cell.forward(w, values, old, keep))
        values = new[-1][0]
    return new


def _batch_first(states: Tensor) -> Tensor:
    """(timesteps, units, batch) -> (batch, timesteps, units)."""
    import tensorflow as tf

    return tf.transpose(states, (2, 0, 1))
