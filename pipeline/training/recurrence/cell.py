"""One cell on one batch: the products of a timestep, forward and back, around its rule."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.training.recurrence.rules import Product, Rule
from pipeline.training.recurrence.tape import Keep, Read, Tensor, barrier

ALIGNED = 24
"""Rows of an operand are filled up with zeros to a multiple of this: matrix products run in blocks of 8 to 48 rows."""


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


def _stacked(room: Tensor, blocks: Sequence[Tensor]) -> Tensor:
    """Blocks (units, width), one below the other, each written by itself: XLA does not vectorise a concatenation."""
    import tensorflow as tf
    from tensorflow.compiler.tf2xla.python import xla

    if len(blocks) == 1:
        return blocks[0]
    for place, block in enumerate(blocks):
        room = barrier(xla.dynamic_update_slice(room, block, tf.constant([place * block.shape[0], 0])))
    return room
