"""The loop over time, forward and back."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from typing import Any

from pipeline.training.recurrence.rules import RULES, Keep, Product, Read, Rule, Tensor, barrier
from pipeline.training.recurrence.sequences import Values, Words, joined, parted

ALIGNED = 24
"""Rows of an operand are filled up with zeros to a multiple of this: matrix products run in blocks of 8 to 48 rows."""

FIRST = 8
"""How many rows of a sorted batch are looped over while all the others still wait for their words, in prediction."""

COUNTERS = 2
"""Of the timestep, read in turn: one fused operation reads a kept number twice at most (`Tape`)."""


def known(layer: Any) -> bool:
    """Whether a recurrent layer is one that `Loop` can take the place of."""
    plain = not (layer.return_sequences or layer.return_state or layer.stateful or layer.go_backwards or layer.unroll)
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


@dataclass(frozen=True)
class Cell:
    """One cell of a layer, on one batch.

    Attributes:
        rule: of its kind.
        units: of its state.
        inputs: how many values it takes per timestep.
        products: of the rule; under dropout with a mask for each gate, one for each gate.
        masks: for each product None, or a dropout mask (rows of its operand, batch).
    """

    rule: Rule
    units: int
    inputs: int
    products: list[Product]
    masks: list[Tensor | None]

    @property
    def rows(self) -> int:
        """Of the operand."""
        return -(-(self.units + self.inputs + 1) // ALIGNED) * ALIGNED

    def first(self, product: Product) -> int:
        """Of the operand's rows, which the product needs."""
        return 0 if product.state else self.units

    def weights(self, cell: Any) -> list[Tensor]:
        """Of each product: (gates * units, rows of its operand)."""
        import tensorflow as tf

        gates = [tf.transpose(w) * scale for w, scale in zip(self.rule.pack(cell), self.rule.scales, strict=True)]
        found = []
        for product in self.products:
            found.append(tf.concat(gates[: product.gates], 0))
            gates = gates[product.gates :]
        sizes = [self.rows - self.first(product) for product in self.products]
        return [tf.pad(w, [[0, 0], [0, size - w.shape[1]]]) for w, size in zip(found, sizes, strict=True)]

    def turned(self, weights: Sequence[Tensor], *, inputs: bool) -> list[Tensor]:
        """The weights as `back` wants them: (rows, gates * units), for the rows whose gradient is asked for."""
        import tensorflow as tf

        last = self.units + (self.inputs if inputs else 0)
        return [tf.transpose(w[:, : last - self.first(p)]) for w, p in zip(weights, self.products, strict=True)]

    def forward(
        self, weights: Sequence[Tensor], values: Tensor, states: Sequence[Tensor], keep: Keep
    ) -> Sequence[Tensor]:
        """One timestep: values (inputs, width) and states (units, width) -> new states."""
        import tensorflow as tf

        width, inputs = values.shape[1], self.inputs
        zeros = tf.zeros((self.rows - self.units - inputs - 1, width))
        operand = tf.concat([states[0], values, tf.ones((1, width)), zeros], 0)
        keep(operand)
        gates: list[Tensor] = []
        for w, product, mask in zip(weights, self.products, self.masks, strict=True):
            factor = operand if product.state else values
            if mask is not None:
                factor *= mask[: factor.shape[0], :width]
            # Values are there already; cutting them out of the operand, with the one and the zeros, is a copy.
            found = w @ factor if product.state else w[:, :inputs] @ factor + w[:, inputs : inputs + 1]
            gates += tf.split(found, product.gates)
        return self.rule.forward(gates, states, keep)

    def back(
        self, turned: Sequence[Tensor], kept: Sequence[Read], gradients: Sequence[Tensor], room: Sequence[Tensor]
    ) -> tuple[Tensor, Sequence[Tensor], list[Tensor], list[Tensor]]:
        """The way back of `forward`.

        Args:
            turned: weights.
            kept: what `forward` kept, in its order.
            gradients: of the new states.
            room: for each product (gates * units, width), to be written over.

        Returns:
            Gradients of the values (none of them if not asked for), of the old states, of the weights; and the room.
        """
        import tensorflow as tf

        operand, *others = kept
        of_gates, of_states = self.rule.back(others, lambda: operand(0, self.units), gradients)
        gates, of_products, of_weights = list(of_gates), [], []
        of_state, of_values = of_states[0], 0.0
        for t, product, mask, place in zip(turned, self.products, self.masks, room, strict=True):
            of_product = _stacked(place, gates[: product.gates])
            gates = gates[product.gates :]
            rows, factor = t @ of_product, operand(self.first(product), self.rows)
            if mask is not None:
                rows *= mask[: rows.shape[0], : rows.shape[1]]
                factor *= mask[:, : rows.shape[1]]
            if product.state:
                of_state += rows[: self.units]
                rows = rows[self.units :]
            of_values += rows
            of_weights.append(tf.matmul(of_product, factor, transpose_b=True))
            of_products.append(of_product)
        return of_values, (of_state, *of_states[1:]), of_weights, of_products


class Loop:
    """One recurrent layer, perhaps of stacked cells, on sequences or on embedded words.

    Args:
        layer: the Keras layer.
        embedding: the Keras layer in front of it where inputs are word numbers (batch, timesteps); None where they are
            (batch, timesteps, values).
    """

    def __init__(self, layer: Any, embedding: Any) -> None:
        self.layers, self.embedding = cells(layer), embedding
        self.cells = []
        for cell in self.layers:
            rule = RULES[type(cell).__name__]
            products = list(rule.products)
            self.cells.append(Cell(rule, cell.units, cell.kernel.shape[0], products, [None] * len(products)))

    def buffers(self, batch: int, timesteps: int) -> tuple[Tensor, ...]:
        """For each cell (timesteps, ..., batch): operands, and each number that its rule keeps."""
        import tensorflow as tf

        rows = [rows for cell in self.cells for rows in (cell.rows, *[cell.units] * cell.rule.kept)]
        return tuple(tf.zeros((timesteps, count, batch)) for count in rows)

    def predict(self, inputs: Tensor) -> Tensor:
        """Last states (batch, units) of the top cell, without dropout."""
        import tensorflow as tf

        batch = inputs.shape[0]
        sequence = self._sequence(inputs, [FIRST, batch] if batch > FIRST else [batch])
        weights = self._weights(self.cells)

        def step(time: Tensor, states: Any, width: int) -> Any:
            values, new = sequence.at(self._source(), time, width), []
            for cell, w, old in zip(self.cells, weights, states, strict=True):
                new.append(cell.forward(w, values, old, lambda number: lambda: number))
                values = new[-1][0]
            return new

        states = self._start(sequence.widths[0])
        for width, begin, end in sequence.stages():
            states = joined(states, width)
            _, states = tf.while_loop(
                lambda time, _states, end=end: time < end,
                lambda time, states, width=width: (time + 1, step(time, states, width)),
                (begin, states),
            )
        return sequence.in_order(tf.transpose(states[-1][0]))

    def train(self, inputs: Tensor, buffers: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Last states (batch, units) of the top cell with dropout and gradients, and the buffers' new contents."""
        import tensorflow as tf

        batch = inputs.shape[0]
        # Under dropout rows differ in their padding, too.
        dropout = any(cell.dropout or cell.recurrent_dropout for cell in self.layers)
        widths = [batch] if dropout else sorted({max(1, batch * part // 4) for part in (1, 2, 3, 4)})
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
                values, new = sequence.at(source, times[0], width), []
                for cell, w, old in zip(layer, weights, states, strict=True):
                    new.append(cell.forward(w, values, old, tape.keep))
                    values = new[-1][0]
                return [time + 1 for time in times], new, tuple(tape.buffers)

            states, buffers = self._start(sequence.widths[0]), tuple(numbers[count:])
            for width, begin, end in sequence.stages():
                states = joined(states, width)
                _, states, buffers = tf.while_loop(
                    lambda times, *_, end=end: times[0] < end,
                    lambda *loop, width=width: step(width, *loop),
                    (_twins(begin), states, buffers),
                )

            def gradient(of_last: Tensor, *_: Tensor) -> Any:
                def back(width: int, times: Any, gradients: Any, changes: Any, room: Any, of_source: Tensor) -> Any:
                    reads = Tape(times, buffers, width).reads()
                    of_states, written, new_changes = list(gradients), list(room), list(changes)
                    of_values: Any = 0.0
                    for place in reversed(range(len(layer))):
                        cell = layer[place]
                        start = sum(1 + below.rule.kept for below in layer[:place])
                        of_new = (gradients[place][0] + of_values, *gradients[place][1:])
                        of_values, of_states[place], changed, written[place] = cell.back(
                            turned[place], reads[start : start + 1 + cell.rule.kept], of_new, room[place]
                        )
                        new_changes[place] = [old + new for old, new in zip(changes[place], changed, strict=True)]
                    of_source = sequence.back(of_source, of_values, times[0], width)
                    return [time - 1 for time in times], of_states, new_changes, written, of_source

                gradients = [tuple(tf.zeros_like(state) for state in states_) for states_ in states]
                gradients[-1] = (of_last, *gradients[-1][1:])
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
                        (_twins(end - 1), gradients, changes, room, of_source),
                    )
                return (of_source if words else None, *tf.nest.flatten(changes), *[None] * len(buffers))

            return (states[-1][0], *buffers), gradient

        last, *buffers_ = run(self._source(), *tf.nest.flatten(packed), *buffers)
        return sequence.in_order(tf.transpose(last)), tuple(buffers_)

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


class Tape:
    """What one timestep writes for the way back, or reads from it.

    A timestep reads a number by another counter for each use of it. They all count the same, but XLA does not know: it
    would load a slice that one fused operation uses twice element by element (docs/decisions/recurrence.md).

    Args:
        times: the counters, each the timestep.
        buffers: (timesteps, rows, batch).
        width: how many columns of the batch take part.
    """

    def __init__(self, times: Sequence[Tensor], buffers: Sequence[Tensor], width: int) -> None:
        self.times, self.buffers, self.width = times, list(buffers), width
        self._next = 0

    def keep(self, number: Tensor) -> Read:
        """Write the next buffer (rows, width) at this timestep, in place under XLA."""
        import tensorflow as tf
        from tensorflow.compiler.tf2xla.python import xla

        place, self._next = self._next, self._next + 1
        start = tf.stack([self.times[0], 0, 0])
        self.buffers[place] = barrier(xla.dynamic_update_slice(self.buffers[place], number[None], start))
        return self._read(self.buffers[place])

    def reads(self) -> list[Read]:
        """Of all buffers."""
        return [self._read(buffer) for buffer in self.buffers]

    def _read(self, buffer: Tensor) -> Read:
        import tensorflow as tf
        from tensorflow.compiler.tf2xla.python import xla

        times = cycle(self.times)

        def read(first: int = 0, last: int = buffer.shape[1]) -> Tensor:
            start = tf.stack([next(times), first, 0])
            return xla.dynamic_slice(buffer, start, [1, last - first, self.width])[0]

        return read


def _twins(time: Tensor) -> list[Tensor]:
    """Counters that XLA takes for different ones."""
    found = [time]
    while len(found) < COUNTERS:
        found.append(barrier(found[-1]))
    return found


def _stacked(room: Tensor, blocks: Sequence[Tensor]) -> Tensor:
    """Blocks (units, width), one below the other, each written by itself: XLA does not vectorise a concatenation."""
    import tensorflow as tf
    from tensorflow.compiler.tf2xla.python import xla

    if len(blocks) == 1:
        return blocks[0]
    for place, block in enumerate(blocks):
        room = barrier(xla.dynamic_update_slice(room, block, tf.constant([place * block.shape[0], 0])))
    return room
