"""The loop over time, forward and back."""

from dataclasses import dataclass
from typing import Any

from pipeline.training.recurrence.rules import RULES, Parts, Rule, Tensor
from pipeline.training.recurrence.sequences import Values, Words, joined, parted

ALIGNED = 24
"""Rows of an operand are filled up with zeros to a multiple of this: matrix products run in blocks of 8 to 48 rows."""

FIRST = 8
"""How many rows of a sorted batch are looped over while all the others still wait for their words, in prediction."""


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
class Stack:
    """The cells of a layer on one batch, the lowest first.

    Attributes:
        rules: of each cell.
        units: of each cell.
        inputs: how many values each cell takes per timestep.
        masks: of each cell None, or one dropout mask (rows, batch) for all its gates, or one for each.
        trained_inputs: whether the gradient of the lowest cell's inputs is asked for.
    """

    rules: list[Rule]
    units: list[int]
    inputs: list[int]
    masks: list[list[Tensor] | None]
    trained_inputs: bool

    def forward(self, weights: Parts, values: Tensor, states: Any, width: int) -> tuple[Any, list[Any]]:
        """One timestep.

        Args:
            weights: of each cell (gates * units, rows).
            values: (inputs, width).
            states: of each cell, (units, width) each.
            width: how many rows of the batch take part.

        Returns:
            The new states; and for each cell what `back` needs: operand, slopes and, where its rule says so, others.
        """
        import tensorflow as tf

        kept, new = [], []
        for place, rule in enumerate(self.rules):
            units = self.units[place]
            rows = weights[place].shape[1] - values.shape[0] - units
            ones = tf.concat([tf.ones((1, width)), tf.zeros((rows - 1, width))], 0)
            operand = tf.concat([values, states[place][0], ones], 0)
            masks = self.masks[place] or [None]
            blocks = zip(tf.split(weights[place], len(masks)), masks, strict=True)
            products = [block @ (operand if mask is None else operand * mask[:, :width]) for block, mask in blocks]
            if len(masks) < rule.gates:
                products = tf.split(products[0], rule.gates)
            states_, slopes, others = rule.forward(products, states[place])
            kept.append([operand, tf.stack(slopes), *([tf.stack(others)] if others else [])])
            new.append(states_)
            values = states_[0]
        return new, kept

    def turned(self, weights: Parts) -> list[Tensor]:
        """The weights as `back` wants them: (rows, gates * units), for the rows whose gradient is asked for."""
        import tensorflow as tf

        sizes = zip(weights, self._first, self.inputs, self.units, strict=True)
        return [tf.transpose(w[:, first : inputs + units]) for w, first, inputs, units in sizes]

    @property
    def _first(self) -> list[int]:
        return [0 if place or self.trained_inputs else size for place, size in enumerate(self.inputs)]

    def back(
        self, turned: Parts, kept: list[Any], gradients: Any, changes: Parts, width: int
    ) -> tuple[Tensor, Any, list[Tensor]]:
        """The way back of `forward`: gradients of the inputs, of the old states, and of the weights, added up."""
        import tensorflow as tf

        old: list[Any] = [None] * len(self.rules)
        new = list(changes)
        from_above: Tensor = 0.0
        for place in reversed(range(len(self.rules))):
            rule, units = self.rules[place], self.units[place]
            operand, slopes, *others = kept[place]
            of_states = (gradients[place][0] + from_above, *gradients[place][1:])
            of_products, through = rule.back(slopes, others[0] if others else None, of_states)
            masks = self.masks[place] or [None]
            of_products = tf.reshape(of_products, (len(masks), -1, width))
            blocks = list(zip(tf.split(turned[place], len(masks), 1), tf.unstack(of_products), masks, strict=True))
            of_operand: Tensor = 0.0
            changed = []
            for block, of_block, mask in blocks:
                masked, rows = operand, block @ of_block
                if mask is not None:
                    masked = operand * mask[:, :width]
                    rows *= mask[self._first[place] : self.inputs[place] + units, :width]
                changed.append(tf.matmul(of_block, masked, transpose_b=True))
                of_operand += rows
            new[place] += tf.concat(changed, 0)
            from_above, of_state = of_operand[:-units], of_operand[-units:]
            old[place] = (through[0] + of_state, *through[1:])
        return from_above, old, new


class Loop:
    """One recurrent layer, perhaps of stacked cells, on sequences or on embedded words.

    Args:
        layer: the Keras layer.
        embedding: the Keras layer in front of it where inputs are word numbers (batch, timesteps); None where they are
            (batch, timesteps, values).
    """

    def __init__(self, layer: Any, embedding: Any) -> None:
        self.cells, self.embedding = cells(layer), embedding
        self.rules = [RULES[type(cell).__name__] for cell in self.cells]
        self.units = [cell.units for cell in self.cells]
        self.inputs = [cell.kernel.shape[0] for cell in self.cells]
        self.rows = [-(-(i + u + 1) // ALIGNED) * ALIGNED for i, u in zip(self.inputs, self.units, strict=True)]

    def buffers(self, batch: int, timesteps: int) -> tuple[Tensor, ...]:
        """For each cell (timesteps, ..., batch): operands, slopes and, where its rule keeps them, others."""
        import tensorflow as tf

        shapes = []
        for rule, units, rows in zip(self.rules, self.units, self.rows, strict=True):
            shapes += [(rows,), (rule.gates, units), *([(rule.kept, units)] if rule.kept else [])]
        return tuple(tf.zeros((timesteps, *shape, batch)) for shape in shapes)

    def predict(self, inputs: Tensor) -> Tensor:
        """Last states (batch, units) of the top cell, without dropout."""
        import tensorflow as tf

        batch = inputs.shape[0]
        sequence = self._sequence(inputs, [FIRST, batch] if batch > FIRST else [batch])
        stack = Stack(self.rules, self.units, self.inputs, [None] * len(self.cells), self.embedding is not None)
        weights = self._weights()

        def step(time: Tensor, states: Any, width: int) -> Any:
            return stack.forward(weights, sequence.at(self._source(), time, width), states, width)[0]

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
        dropout = any(cell.dropout or cell.recurrent_dropout for cell in self.cells)
        widths = [batch] if dropout else sorted({max(1, batch * part // 4) for part in (1, 2, 3, 4)})
        sequence = self._sequence(inputs, widths)
        stack = Stack(self.rules, self.units, self.inputs, self._masks(batch, sequence), self.embedding is not None)
        count = len(self.cells)

        @tf.custom_gradient  # type: ignore[untyped-decorator]
        def run(source: Tensor, *numbers: Tensor) -> Any:
            weights = numbers[:count]

            def step(time: Tensor, states: Any, buffers: Any, width: int) -> Any:
                states, kept = stack.forward(weights, sequence.at(source, time, width), states, width)
                flat = [array for cell in kept for array in cell]
                return time + 1, states, tuple(_put(b, a, time) for b, a in zip(buffers, flat, strict=True))

            states, buffers = self._start(sequence.widths[0]), tuple(numbers[count:])
            for width, begin, end in sequence.stages():
                states = joined(states, width)
                _, states, buffers = tf.while_loop(
                    lambda time, *_, end=end: time < end,
                    lambda time, states, buffers, width=width: step(time, states, buffers, width),
                    (begin, states, buffers),
                )

            def gradient(of_last: Tensor, *_: Tensor) -> Any:
                def back(width: int, time: Tensor, gradients: Any, changes: Any, of_source: Tensor) -> Any:
                    kept = iter([buffer[time][..., :width] for buffer in buffers])
                    of_cells = [[next(kept) for _ in range(3 if rule.kept else 2)] for rule in self.rules]
                    of_values, old, new = stack.back(turned, of_cells, gradients, changes, width)
                    return time - 1, old, new, sequence.back(of_source, of_values, time, width)

                gradients = [tuple(tf.zeros_like(state) for state in states_) for states_ in states]
                gradients[-1] = (of_last, *gradients[-1][1:])
                changes, turned = [tf.zeros_like(w) for w in weights], stack.turned(weights)
                of_source = tf.zeros_like(source) if self.embedding is not None else tf.constant(0.0)
                for width, begin, end in reversed(sequence.stages()):
                    gradients = parted(gradients, width)
                    _, gradients, changes, of_source = tf.while_loop(
                        lambda time, *_, begin=begin: time >= begin,
                        lambda *loop, width=width: back(width, *loop),
                        (end - 1, gradients, changes, of_source),
                    )
                return (of_source if self.embedding is not None else None, *changes, *[None] * len(buffers))

            return (states[-1][0], *buffers), gradient

        last, *buffers_ = run(self._source(), *self._weights(), *buffers)
        return sequence.in_order(tf.transpose(last)), tuple(buffers_)

    def _source(self) -> Tensor:
        import tensorflow as tf

        return tf.zeros(()) if self.embedding is None else self.embedding.embeddings.value

    def _weights(self) -> list[Tensor]:
        import tensorflow as tf

        packed = [rule.pack(cell) for rule, cell in zip(self.rules, self.cells, strict=True)]
        return [tf.pad(w, [[0, 0], [0, rows - w.shape[1]]]) for w, rows in zip(packed, self.rows, strict=True)]

    def _start(self, width: int) -> list[tuple[Tensor, ...]]:
        import tensorflow as tf

        states = [2 if type(cell).__name__ == "LSTMCell" else 1 for cell in self.cells]
        return [tuple(tf.zeros((u, width)) for _ in range(n)) for u, n in zip(self.units, states, strict=True)]

    def _sequence(self, inputs: Tensor, widths: list[int]) -> "Values | Words":
        return Values(inputs) if self.embedding is None else Words(inputs, widths)

    def _masks(self, batch: int, sequence: "Values | Words") -> list[list[Tensor] | None]:
        """Keras' masks, drawn in its order, as factors of the products' operands."""
        import tensorflow as tf

        found: list[list[Tensor] | None] = []
        for rule, cell, inputs, rows in zip(self.rules, self.cells, self.inputs, self.rows, strict=True):
            drawn = (
                cell.get_dropout_mask(tf.ones((batch, inputs))),
                cell.get_recurrent_dropout_mask(tf.ones((batch, cell.units))),
            )
            cell.reset_dropout_mask()
            cell.reset_recurrent_dropout_mask()
            if drawn == (None, None):
                found.append(None)
                continue
            blocks = rule.gates if any(isinstance(masks, list) for masks in drawn) else 1
            factors = []
            for block in range(blocks):
                parts = [
                    tf.ones((batch, size)) if masks is None else masks[places[block]] if blocks > 1 else masks
                    for masks, places, size in zip(drawn, rule.masks, (inputs, cell.units), strict=True)
                ]
                parts.append(tf.ones((batch, rows - inputs - cell.units)))
                factors.append(tf.transpose(sequence.sorted(tf.concat(parts, 1))))
            found.append(factors)
        return found


def _put(buffer: Tensor, array: Tensor, time: Tensor) -> Tensor:
    """The buffer with `array` at a timestep, in place under XLA; an array of fewer rows leaves those of the others."""
    import tensorflow as tf
    from tensorflow.compiler.tf2xla.python import xla

    return xla.dynamic_update_slice(buffer, array[None], tf.stack([time, *[0] * len(array.shape)]))
