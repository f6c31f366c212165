"""One cell on one batch: the products of a timestep, forward and backward, around its rule."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.training.recurrence.rules import Product, Rule
from pipeline.training.recurrence.tape import Residual, Save, Tensor, barrier

ALIGNED = 24
"""Rows of an operand are filled up with zeros to a multiple of this: matrix products run in blocks of 8 to 48 rows."""


@dataclass(frozen=True)
class Cell:
    """One cell of a layer, on one batch.

    Its operand (rows, width) is stacked from state (units), inputs, a row of ones, which the bias is multiplied by, and
    zeros. A product without the state takes the rows below it.

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
        """The first of the operand's rows that the product takes."""
        return 0 if product.state else self.units

    def weights(self, cell: Any) -> list[Tensor]:
        """Of each product, from a Keras cell: (gates * units, rows of its operand), zero where the operand is."""
        import tensorflow as tf

        gates = iter(tf.transpose(w) * scale for w, scale in zip(self.rule.pack(cell), self.rule.scales, strict=True))
        weights = [tf.concat([next(gates) for _ in range(product.gates)], 0) for product in self.products]
        sizes = [self.rows - self.first(product) for product in self.products]
        return [tf.pad(w, [[0, 0], [0, size - w.shape[1]]]) for w, size in zip(weights, sizes, strict=True)]

    def transposed(self, weights: Sequence[Tensor], *, inputs: bool) -> list[Tensor]:
        """The weights as `backward` takes them: (rows, gates * units), for the rows whose gradient is asked for."""
        import tensorflow as tf

        last = self.units + (self.inputs if inputs else 0)
        return [tf.transpose(w[:, : last - self.first(p)]) for w, p in zip(weights, self.products, strict=True)]

    def forward(
        self, weights: Sequence[Tensor], values: Tensor, states: Sequence[Tensor], save: Save
    ) -> Sequence[Tensor]:
        """One timestep: values (inputs, width) and states (units, width) -> new states."""
        import tensorflow as tf

        width, inputs = values.shape[1], self.inputs
        zeros = tf.zeros((self.rows - self.units - inputs - 1, width))
        operand = tf.concat([states[0], values, tf.ones((1, width)), zeros], 0)
        save(operand)
        gates: list[Tensor] = []
        for w, product, mask in zip(weights, self.products, self.masks, strict=True):
            # Without the state, the values as they came and the bias by itself: XLA would copy values, one and zeros
            # out of the operand first. The weights' columns are in that order, too.
            factor = operand if product.state else values
            if mask is not None:
                factor *= mask[: factor.shape[0], :width]
            sums = w @ factor if product.state else w[:, :inputs] @ factor + w[:, inputs : inputs + 1]
            gates += tf.split(sums, product.gates)
        return self.rule.forward(gates, states, save)

    def backward(
        self,
        transposed: Sequence[Tensor],
        residuals: Sequence[Residual],
        grad_states: Sequence[Tensor],
        scratch: Sequence[Tensor],
    ) -> tuple[Tensor, Sequence[Tensor], list[Tensor], list[Tensor]]:
        """The gradient of `forward`.

        Args:
            transposed: weights.
            residuals: what `forward` saved, in its order.
            grad_states: gradients of the new states.
            scratch: for each product (gates * units, width), to be written over.

        Returns:
            Gradients of the values (none of them if not asked for), of the old states, of the weights; and the scratch
            for the next timestep.
        """
        import tensorflow as tf

        operand, *others = residuals
        gates, (grad_state, *grad_others) = self.rule.backward(others, lambda: operand(0, self.units), grad_states)
        grad_gates, grad_values = iter(gates), 0.0
        grad_weights, used = [], []
        for w, product, mask, memory in zip(transposed, self.products, self.masks, scratch, strict=True):
            grad_sums = _stacked(memory, [next(grad_gates) for _ in range(product.gates)])
            # sums = w @ (mask * operand), so the operand's gradient is mask * (w' @ grad_sums), and that of w is
            # grad_sums @ (mask * operand)'.
            grad_operand, factor = w @ grad_sums, operand(self.first(product), self.rows)
            if mask is not None:
                grad_operand *= mask[: grad_operand.shape[0], : grad_operand.shape[1]]
                factor *= mask[:, : grad_operand.shape[1]]
            if product.state:
                grad_state += grad_operand[: self.units]
                grad_operand = grad_operand[self.units :]
            grad_values += grad_operand
            grad_weights.append(tf.matmul(grad_sums, factor, transpose_b=True))
            used.append(grad_sums)
        return grad_values, (grad_state, *grad_others), grad_weights, used


def _stacked(scratch: Tensor, blocks: Sequence[Tensor]) -> Tensor:
    """Blocks (units, width), one below the other, each written by itself: XLA does not vectorise a concatenation."""
    import tensorflow as tf
    from tensorflow.compiler.tf2xla.python import xla

    if len(blocks) == 1:
        return blocks[0]
    for place, block in enumerate(blocks):
        scratch = barrier(xla.dynamic_update_slice(scratch, block, tf.constant([place * block.shape[0], 0])))
    return scratch
