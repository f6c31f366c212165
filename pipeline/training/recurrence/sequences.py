"""What the loop reads at each timestep: which examples of the batch, and in which order."""

from typing import Any

import numpy as np

from pipeline.data.examples import Array, Arrays, Examples
from pipeline.training.recurrence.tape import Tensor


def by_padding(examples: Examples) -> Array:
    """The order (n,) in which predicting takes least time: texts of like length together; that of values is kept."""
    if isinstance(examples, Arrays) and examples.inputs.ndim == 2 and examples.inputs.dtype.kind in "iu":
        words = examples.inputs != 0
        padding = np.where(words.any(axis=1), words.argmax(axis=1), words.shape[1])
        return np.argsort(padding, kind="stable").astype(np.int32)
    return np.arange(len(examples), dtype=np.int32)


class Values:
    """Sequences of values (batch, timesteps, values), all of one length."""

    def __init__(self, inputs: Tensor) -> None:
        import tensorflow as tf

        self.widths = [inputs.shape[0]]
        self.timesteps = inputs.shape[1]
        self.steps = tf.transpose(inputs, (1, 0, 2))

    def stages(self) -> list[tuple[int, Tensor, Tensor]]:
        """Width, first timestep and end of each run of timesteps."""
        import tensorflow as tf

        return [(self.widths[0], tf.constant(0), tf.constant(self.timesteps))]

    def at(self, _source: Tensor, time: Tensor, _width: int) -> Tensor:
        """The inputs (values, batch) at a timestep."""
        import tensorflow as tf

        return tf.transpose(self.steps[time])

    def backward(self, grad_source: Tensor, _grad_values: Tensor, _time: Tensor, _width: int) -> Tensor:
        """Nothing in front of the loop is trained."""
        return grad_source

    def sorted(self, rows: Tensor) -> Tensor:
        """Rows of the batch as the loop wants them."""
        return rows

    def in_order(self, rows: Tensor) -> Tensor:
        """Rows of the loop as the batch has them."""
        return rows


class Words:
    """Word numbers (batch, timesteps), padded with zeros in front.

    Rows are sorted: the one with most padding first, since it goes through the padding for all; then by padding,
    the least first.
    """

    def __init__(self, inputs: Tensor, widths: list[int]) -> None:
        import tensorflow as tf

        batch, self.timesteps, self.widths = inputs.shape[0], inputs.shape[1], widths
        padding = tf.argmax(inputs != 0, axis=1, output_type=tf.int32)  # the first word's place
        padding = tf.where(tf.reduce_any(inputs != 0, axis=1), padding, self.timesteps)
        order = tf.argsort(padding, stable=True)
        self.order = tf.concat([order[-1:], order[:-1]], 0)
        # The inverse: where in this order each row of the batch is.
        self.places = tf.scatter_nd(self.order[:, None], tf.range(batch), (batch,))
        self.steps = tf.transpose(tf.gather(inputs, self.order))
        self.padding = tf.gather(padding, self.order)

    def stages(self) -> list[tuple[int, Tensor, Tensor]]:
        """Width, first timestep and end of each run of timesteps; a run may be empty."""
        import tensorflow as tf

        # With widths 2, 4, 8, rows 2 and 3 join when row 2, of these the one with less padding, has its first word.
        bounds = [tf.constant(0), *(self.padding[width] for width in self.widths[:-1]), tf.constant(self.timesteps)]
        return list(zip(self.widths, bounds, bounds[1:], strict=False))

    def at(self, source: Tensor, time: Tensor, width: int) -> Tensor:
        """The inputs (values, width) at a timestep."""
        import tensorflow as tf

        return tf.transpose(tf.gather(source, self.steps[time][:width]))

    def backward(self, grad_source: Tensor, grad_values: Tensor, time: Tensor, width: int) -> Tensor:
        """The gradient of the vectors (words, values) with that of one timestep's inputs (values, width) added."""
        import tensorflow as tf

        return tf.tensor_scatter_nd_add(grad_source, self.steps[time][:width, None], tf.transpose(grad_values))

    def sorted(self, rows: Tensor) -> Tensor:
        """Rows of the batch as the loop wants them."""
        import tensorflow as tf

        return tf.gather(rows, self.order)

    def in_order(self, rows: Tensor) -> Tensor:
        """Rows of the loop as the batch has them."""
        import tensorflow as tf

        return tf.gather(rows, self.places)


def joined(states: Any, width: int) -> Any:
    """Widen states (units, n) to `width` columns; the new ones copy the first, which has read the same padding."""
    import tensorflow as tf

    def join(state: Tensor) -> Tensor:
        new = width - state.shape[1]
        return tf.concat([state, tf.tile(state[:, :1], (1, new))], 1) if new else state

    return tf.nest.map_structure(join, states)


def parted(gradients: Any, width: int) -> Any:
    """The gradient of `joined`."""
    import tensorflow as tf

    def part(gradient: Tensor) -> Tensor:
        if gradient.shape[1] == width:
            return gradient
        copies = tf.reduce_sum(gradient[:, width:], axis=1, keepdims=True)
        return tf.concat([gradient[:, :1] + copies, gradient[:, 1:width]], 1)

    return tf.nest.map_structure(part, gradients)
