"""A network with its two XLA programs: one epoch of training, and prediction."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.data.examples import Array, Examples, Windows
from pipeline.metrics import MEASURES
from pipeline.training import keras_models
from pipeline.training.recurrence.network import Network
from pipeline.training.recurrence.sequences import by_padding

if TYPE_CHECKING:
    import keras

EVALUATION_BATCH = 512


class Program:
    """A model with its compiled epoch and its compiled prediction.

    Args:
        model: a network with one output per example; (batch, 1, 1) counts as such.
        examples: the train split.
        optimizer, learning_rate, loss: as for `train`.
    """

    def __init__(
        self, model: "keras.Model", examples: Examples, optimizer: str, learning_rate: float, loss: str
    ) -> None:
        import keras
        import tensorflow as tf

        self.model = model
        self.optimizer = keras.optimizers.get({"class_name": optimizer, "config": {"learning_rate": learning_rate}})
        self.optimizer.build(model.trainable_variables)
        self.fresh = [variable.numpy() for variable in self.optimizer.variables]
        self.data, gather = on_device(examples)
        self.on_devices: dict[int, tuple[Any, Callable[..., Any]]] = {}
        formula = MEASURES[loss].formula
        network = Network(model)
        train = tf.autograph.experimental.do_not_convert(network.train)
        predict = tf.autograph.experimental.do_not_convert(network.predict)

        def epoch(data: Any, rows: Any) -> Any:
            losses = tf.TensorArray(tf.float32, tf.shape(rows)[0], element_shape=())
            buffers = network.buffers(rows.shape[1], examples.input_shape[0])
            for step in tf.range(tf.shape(rows)[0]):
                present = tf.cast(rows[step] >= 0, tf.float32)
                inputs, targets = gather(data, tf.maximum(rows[step], 0))
                with tf.GradientTape() as tape:
                    outputs, buffers = train(inputs, buffers)
                    value = formula(tf.reshape(outputs, [-1]), targets, _Tensors(present))
                gradients = tape.gradient(value, model.trainable_variables)
                # Dense: Keras' optimizers square a repeated word's parts before they add them up where they are sparse.
                self.optimizer.apply([tf.convert_to_tensor(gradient) for gradient in gradients])
                losses = losses.write(step, value)
            return losses.stack()

        self._epoch = tf.function(epoch, jit_compile=True, reduce_retracing=False)
        self._forward = tf.function(
            lambda inputs: tf.reshape(predict(inputs), [-1]), jit_compile=True, reduce_retracing=False
        )

    def reset(self, numbers: list[Array]) -> None:
        """Start a replicate: its own weights, a fresh optimizer."""
        keras_models.assign(self.model, numbers)
        for variable, number in zip(self.optimizer.variables, self.fresh, strict=True):
            variable.assign(number)

    def state(self) -> list[Array]:
        """All numbers that the next epoch depends on: the model's and the optimizer's."""
        return keras_models.values(self.model) + [np.asarray(variable.numpy()) for variable in self.optimizer.variables]

    def restore(self, numbers: list[Array]) -> None:
        """Set what `state` read."""
        for variable, number in zip([*self.model.variables, *self.optimizer.variables], numbers, strict=True):
            variable.assign(number)

    def epoch(self, rows: Array) -> Array:
        """Train on batches of example numbers (steps, batch), -1 for none; the loss (steps,) of each."""
        import tensorflow as tf

        return np.asarray(self._epoch(self.data, tf.constant(rows)))

    def predict(self, examples: Examples) -> Array:
        """Outputs (n,) for a split, in its order."""
        import tensorflow as tf

        size = min(EVALUATION_BATCH, len(examples))
        key = id(examples)
        if key not in self.on_devices:
            data, gather = on_device(examples)
            self.on_devices[key] = data, tf.function(lambda data, rows: gather(data, rows)[0], reduce_retracing=False)
        data, gather_inputs = self.on_devices[key]
        order = by_padding(examples)
        batches = np.pad(order, (0, -len(order) % size), mode="edge").reshape(-1, size)
        outputs = [self._forward(gather_inputs(data, tf.constant(batch))) for batch in batches]
        in_order = np.empty(len(order), np.float32)
        in_order[order] = np.concatenate([np.asarray(output) for output in outputs])[: len(order)]
        return in_order

    def predict_one(self, inputs: Array) -> Array:
        """Outputs (1,) for inputs (1, ...), for a rollout."""
        import tensorflow as tf

        return np.asarray(self._forward(tf.constant(inputs, tf.float32)))


def on_device(examples: Examples) -> tuple[Any, Callable[..., Any]]:
    """The split as tensors, and a function (tensors, example numbers (n,)) -> inputs (n, ...), targets (n,)."""
    import tensorflow as tf

    targets = tf.constant(examples.targets, tf.float32)
    if isinstance(examples, Windows):
        offsets = tf.constant(examples.offsets, tf.int32)
        series, rows = tf.constant(examples.series, tf.float32), tf.constant(examples.rows, tf.int32)

        def cut(data: Any, numbers: Any) -> Any:
            inputs = tf.gather(data[0], tf.gather(data[1], numbers)[:, None] + offsets)
            return inputs, tf.gather(data[2], numbers)

        return (series, rows, targets), cut
    inputs = tf.constant(examples.inputs, tf.int32 if examples.inputs.dtype.kind in "iu" else tf.float32)
    return (inputs, targets), lambda data, numbers: (tf.gather(data[0], numbers), tf.gather(data[1], numbers))


class _Tensors:
    """What a loss may use (`pipeline.metrics.Ops`), over those examples of a batch that are present."""

    def __init__(self, present: Any) -> None:
        self._present = present

    def mean(self, values: Any) -> Any:
        import tensorflow as tf

        weights = self._present
        if len(values.shape) > 1:  # pairs of examples
            weights = weights[:, None] * weights[None, :]
        return tf.reduce_sum(values * weights) / tf.reduce_sum(weights)

    def log(self, values: Any) -> Any:
        import tensorflow as tf

        return tf.math.log(values)

    def clip(self, values: Any, low: float, high: float) -> Any:
        import tensorflow as tf

        return tf.clip_by_value(values, low, high)
