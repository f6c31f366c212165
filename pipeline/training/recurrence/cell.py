"""One cell on one batch: the products of a timestep, forward and backward, around its
rule.

An example is an LSTM of 32 units, with 14 values at each timestep and a batch of 100.
Its operand is stacked from the state (32 rows), the inputs (14 rows), a row of ones for
the bias, and zeros up to a multiple of 24 rows. It has one product:

    forward:              weights (128, 48) @ operand (48, 100) = gates (128, 100)
    state and inputs:     weights' (46, 128) @ gates' gradients (128, 100) = (46, 100)
    weights:              gates' gradients (128, 100) @ operand' (100, 48) = (128, 48)

The rule computes the new state (32, 100) from the four gates (32, 100). The last two
lines are the gradients of the loop backward.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf
from tensorflow.compiler.tf2xla.python import xla

from pipeline.data.examples import ceil_div
from pipeline.layers import barrier
from pipeline.training.recurrence.rules import (
    RULES,
    Activation,
    Product,
    Rule,
    Save,
    Tensor,
    Tensors,
)

ALIGNED = 24
"""Operands are padded with zeros to a multiple of so many rows, since matrix products
run in blocks of 8 to 48 rows."""


@dataclass(frozen=True)
class Cell:
    """One cell of a layer, on one batch.

    Its operand (rows, width) is stacked from state (units), inputs, a row of ones for
    the bias, and zeros. A product without the state takes the rows below the state.

    Attributes:
        rule: the rule of its kind.
        units: the width of its state.
        inputs: the number of its input values at a timestep.
        products: those of the rule, or one for each gate if gates differ in their
            dropout masks.
        masks: for each product None, or a dropout mask (rows of its operand, batch).
    """

    rule: Rule
    units: int
    inputs: int
    products: list[Product]
    masks: list[Tensor | None]

    @property
    def rows(self) -> int:
        """The number of rows of the operand."""
        return int(ceil_div(self.units + self.inputs + 1, ALIGNED)) * ALIGNED

    def first(self, product: Product) -> int:
        """Return the number of the first row of the operand that the product takes."""
        return 0 if product.state else self.units

    def weights(self, keras_cell: Any) -> list[Tensor]:
        """Return the weights (gates * units, rows of its operand) of each product.

        They are 0 for the rows that pad the operand.
        """
        packed = zip(self.rule.pack(keras_cell), self.rule.scales, strict=True)
        gates = [tf.transpose(weights) * scale for weights, scale in packed]
        stacked = []
        for product in self.products:
            weights = tf.concat(gates[: product.gates], 0)
            gates = gates[product.gates :]
            rows = self.rows - self.first(product)
            stacked.append(tf.pad(weights, [[0, 0], [0, rows - weights.shape[1]]]))
        return stacked

    def transposed(self, weights: Tensors, *, inputs: bool) -> list[Tensor]:
        """Return the transposed weights (rows, gates * units) of each product.

        The rows are those of the state and, with `inputs`, of the inputs.
        """
        last = self.units + (self.inputs if inputs else 0)
        return [
            tf.transpose(w[:, : last - self.first(product)])
            for w, product in zip(weights, self.products, strict=True)
        ]

    def forward(
        self, weights: Tensors, values: Tensor, states: Tensors, save: Save
    ) -> Tensors:
        """Return the states after one timestep.

        Values are (inputs, width), old and new states (units, width).
        """
        width = values.shape[1]
        ones = tf.ones((1, width))
        zeros = tf.zeros((self.rows - self.units - self.inputs - 1, width))
        operand = tf.concat([states[0], values, ones, zeros], 0)  # (rows, width)
        save(operand)
        gates: list[Tensor] = []
        for w, product, mask in zip(weights, self.products, self.masks, strict=True):
            # A product without the state takes values and bias separately. From the
            # operand XLA would first copy the rows below the state. The columns of the
            # weights have the same order.
            factor = operand if product.state else values
            if mask is not None:
                factor *= mask[: factor.shape[0], :width]
            if product.state:
                sums = w @ factor  # (gates * units, width)
            else:
                bias = w[:, self.inputs : self.inputs + 1]
                sums = w[:, : self.inputs] @ factor + bias
            gates += tf.split(sums, product.gates)
        return self.rule.forward(gates, states, save)

    def backward(
        self,
        transposed: Tensors,
        activations: Sequence[Activation],
        grad_states: Tensors,
        scratch: Tensors,
    ) -> tuple[Tensor, Tensors, list[Tensor], list[Tensor]]:
        """Return the gradients of `forward`.

        Args:
            transposed: the weights, from `transposed`.
            activations: the activations that `forward` saved, in the same order.
            grad_states: gradients of the new states.
            scratch: memory (gates * units, width) for each product, to be overwritten.

        Returns:
            Gradients of the values (without rows if `transposed` has none of inputs),
            of the old states and of the weights; and the scratch for the next timestep.
        """
        operand, *others = activations
        gates, (grad_state, *grad_others) = self.rule.backward(
            others, lambda: operand(0, self.units), grad_states
        )
        grad_gates = list(gates)
        grad_values = 0.0
        grad_weights = []
        used = []
        for w, product, mask, memory in zip(
            transposed, self.products, self.masks, scratch, strict=True
        ):
            grad_sums = _stacked(memory, grad_gates[: product.gates])
            grad_gates = grad_gates[product.gates :]
            # sums = w @ (mask * operand), so the operand's gradient is mask * (w' @
            # grad_sums), and that of w is grad_sums @ (mask * operand)'.
            grad_operand = w @ grad_sums
            factor = operand(self.first(product), self.rows)
            if mask is not None:
                width = grad_operand.shape[1]
                grad_operand *= mask[: grad_operand.shape[0], :width]
                factor *= mask[:, :width]
            if product.state:
                grad_state += grad_operand[: self.units]
                grad_operand = grad_operand[self.units :]
            grad_values += grad_operand
            grad_weights.append(tf.matmul(grad_sums, factor, transpose_b=True))
            used.append(grad_sums)
        return grad_values, (grad_state, *grad_others), grad_weights, used


def _stacked(scratch: Tensor, blocks: Tensors) -> Tensor:
    """Blocks (units, width), stacked in `scratch`."""
    if len(blocks) == 1:
        return blocks[0]
    # one write for each block: XLA does not vectorise a concatenation
    for number, block in enumerate(blocks):
        start = tf.constant([number * block.shape[0], 0])
        scratch = barrier(xla.dynamic_update_slice(scratch, block, start))
    return scratch


def plain(keras_cell: Any) -> Cell:
    """Return the cell of a built Keras cell, without dropout."""
    rule = RULES[type(keras_cell).__name__]
    products = list(rule.products)
    inputs = keras_cell.kernel.shape[0]
    return Cell(rule, keras_cell.units, inputs, products, [None] * len(products))


def masked(
    cell: Cell, keras_cell: Any, batch: int, ordered: Callable[[Tensor], Tensor]
) -> Cell:
    """Return the cell with Keras' dropout masks for one batch, drawn in Keras' order.

    `ordered` puts the rows of the batch into the order of the loop.
    """
    of_inputs = keras_cell.get_dropout_mask(tf.ones((batch, cell.inputs)))
    of_states = keras_cell.get_recurrent_dropout_mask(tf.ones((batch, cell.units)))
    keras_cell.reset_dropout_mask()
    keras_cell.reset_recurrent_dropout_mask()
    if of_inputs is None and of_states is None:
        return cell
    # Keras has one mask for all gates, or a list with one mask for each gate.
    by_gate = isinstance(of_inputs, list) or isinstance(of_states, list)
    products = cell.products
    numbers: Sequence[int] = [0] * len(products)
    if by_gate:
        numbers = cell.rule.masks
        products = [
            replace(product, gates=1)
            for product in cell.products
            for _ in range(product.gates)
        ]

    def mask(drawn: Any, size: int, number: int) -> Tensor:
        """The mask (batch, size) of a gate; ones if nothing is dropped."""
        if drawn is None:
            return tf.ones((batch, size))
        return drawn[number] if isinstance(drawn, list) else drawn

    masks = []
    for number, product in zip(numbers, products, strict=True):
        states = mask(of_states, cell.units, number)
        inputs = mask(of_inputs, cell.inputs, number)
        rest = tf.ones((batch, cell.rows - cell.units - cell.inputs))
        rows = tf.transpose(ordered(tf.concat([states, inputs, rest], 1)))
        masks.append(rows[cell.first(product) :])
    return replace(cell, products=products, masks=masks)
