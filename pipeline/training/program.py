"""A network with its two XLA programs: one epoch of training, and prediction. Importing
it starts TensorFlow.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pipeline.data.examples import Array, Arrays, Examples, Windows, of_every_column
from pipeline.metrics import MEASURES
from pipeline.training import keras_models
from pipeline.training.recurrence.network import LoopedModel

EVALUATION_BATCH = 512


class Program:
    """A model with its compiled epoch and its compiled prediction.

    Args:
        model: a network with as many outputs per example as that has targets; axes of
            length 1 do not count.
        examples: the train split.
        optimizer, learning_rate, weight_decay: as for `train`.
        measures: an epoch's, of each batch; the first one is the loss that is trained
            on.
    """

    def __init__(
        self,
        model: keras.Model,
        examples: Examples,
        optimizer: str,
        learning_rate: float,
        measures: list[str],
        weight_decay: float = 0.0,
    ) -> None:
        self.model = model
        self.measures = measures
        self.optimizer = keras_models.optimizer(optimizer, learning_rate, weight_decay)
        self.optimizer.build(model.trainable_variables)
        self.fresh = [variable.numpy() for variable in self.optimizer.variables]
        self._examples = examples
        self._splits = dict[int, tuple[Examples, Callable[[], Array]]]()
        self._data, gather = _on_device(examples)
        formulas = [MEASURES[measure].formula for measure in measures]
        shape = [-1, *examples.take(np.arange(1))[1].shape[1:]]
        network = LoopedModel(model)
        train = tf.autograph.experimental.do_not_convert(network.train)
        predict = tf.autograph.experimental.do_not_convert(network.predict)

        def epoch(data: Any, rows: Any) -> Any:
            measured = tf.TensorArray(
                tf.float32, tf.shape(rows)[0], element_shape=(len(formulas),)
            )
            # Handed from batch to batch: XLA would fill new ones with zeros for each.
            buffers = network.buffers(rows.shape[1], *examples.input_shape)
            for step in tf.range(tf.shape(rows)[0]):
                present = tf.cast(rows[step] >= 0, tf.float32)
                # -1 stands for no example: example 0 is computed in its place, and has
                # no weight in the loss.
                inputs, targets = gather(data, tf.maximum(rows[step], 0))
                with tf.GradientTape() as tape:
                    outputs, buffers = train(inputs, buffers)
                    values = [
                        formula(tf.reshape(outputs, shape), targets, TensorOps(present))
                        for formula in formulas
                    ]
                gradients = tape.gradient(values[0], model.trainable_variables)
                # Dense: Keras' optimizers square a repeated word's parts before they
                # add them up where they are sparse.
                self.optimizer.apply(
                    [tf.convert_to_tensor(gradient) for gradient in gradients]
                )
                measured = measured.write(step, tf.stack(values))
            return measured.stack()

        self._epoch = tf.function(epoch, jit_compile=True, reduce_retracing=False)

        def forward(series: Any, batch: Any) -> Any:
            outputs = tf.reshape(predict(_inputs(examples, series, batch)), shape)
            if not of_every_column(examples):
                return outputs
            errors = outputs - _all_columns(examples, series, batch)
            return tf.stack(
                [
                    tf.reduce_mean(errors * errors, axis=1),
                    tf.reduce_mean(tf.abs(errors), axis=1),
                ],
                axis=1,
            )

        self._forward = tf.function(
            forward, jit_compile=True, autograph=False, reduce_retracing=False
        )
        self._outputs = tf.function(
            lambda inputs: tf.reshape(predict(inputs), shape),
            jit_compile=True,
            autograph=False,
        )

    def reset(self, numbers: list[Array]) -> None:
        """Start a replicate: its own weights, a fresh optimizer."""
        keras_models.assign(self.model, numbers)
        for variable, number in zip(self.optimizer.variables, self.fresh, strict=True):
            variable.assign(number)

    def state(self) -> list[Array]:
        """All numbers that the next epoch depends on: the model's and the optimizer's."""
        return keras_models.values(self.model) + [
            np.asarray(variable.numpy()) for variable in self.optimizer.variables
        ]

    def restore(self, numbers: list[Array]) -> None:
        """Set what `state` read."""
        for variable, number in zip(
            [*self.model.variables, *self.optimizer.variables], numbers, strict=True
        ):
            variable.assign(number)

    def epoch(self, rows: Array) -> Array:
        """Train on batches of example numbers (steps, batch), -1 for none; each one's
        measures (steps, measures).
        """
        return np.asarray(self._epoch(self._data, tf.constant(rows)))

    def predict(self, examples: Examples) -> Array:
        """Outputs (n,) or (n, values) for a split, in its order; where a run keeps
        none, what `metrics.added` says.
        """
        # A call costs more than a small network's work: there is one for a batch, and
        # all about it is prepared before.
        # the split is held, so that its id stays its own
        if id(examples) not in self._splits:
            self._splits[id(examples)] = examples, self._prepared(examples)
        return self._splits[id(examples)][1]()

    def _prepared(self, examples: Examples) -> Callable[[], Array]:
        # A power of two: splits of like size share one program, and less than half of
        # it is filling.
        size = min(EVALUATION_BATCH, 1 << (len(examples) - 1).bit_length())
        order = by_padding(examples)
        padded = np.pad(order, (0, -len(order) % size), mode="edge")
        if isinstance(examples, Windows):
            same = (
                isinstance(self._examples, Windows)
                and examples.series is self._examples.series
            )
            series = self._data[0] if same else tf.constant(examples.series, tf.float32)
            inputs = examples.rows[padded].astype(np.int32)
        else:
            series = self._data[0]
            inputs = model_inputs(examples.inputs[padded])
        batches = [
            tf.constant(batch) for batch in inputs.reshape(-1, size, *inputs.shape[1:])
        ]
        call = self._forward.get_concrete_function(series, batches[0])

        def predict() -> Array:
            outputs = np.concatenate(
                [np.asarray(call(series, batch)) for batch in batches]
            )
            in_order = np.empty((len(examples), *outputs.shape[1:]), np.float32)
            in_order[order] = outputs[: len(examples)]
            return in_order

        return predict

    def predict_one(self, inputs: Array) -> Array:
        """Outputs (1,) or (1, values) for inputs (1, ...), for a rollout."""
        return np.asarray(self._outputs(tf.constant(inputs, tf.float32)))


def _inputs(examples: Examples, series: Any, batch: Any) -> Any:
    """Inputs (n, ...) for a batch: of windows (n,) row numbers, else the inputs
    themselves.
    """
    if not isinstance(examples, Windows):
        return batch
    return tf.gather(series, batch[:, None] + tf.constant(examples.offsets, tf.int32))


def _all_columns(examples: Windows, series: Any, batch: Any) -> Any:
    """Targets (n, outputs * columns) for a batch of row numbers (n,)."""
    values = tf.gather(series, batch[:, None] + tf.constant(examples.ahead, tf.int32))
    return tf.reshape(values, (-1, values.shape[1] * values.shape[2]))


def model_inputs(inputs: Array) -> Array:
    """Inputs as programs take them."""
    return inputs.astype(np.int32 if inputs.dtype.kind in "iu" else np.float32)


def by_padding(examples: Examples) -> Array:
    """The order (n,) in which predicting takes least time: texts of like length
    together; that of values is kept.
    """
    if (
        isinstance(examples, Arrays)
        and examples.inputs.ndim == 2
        and examples.inputs.dtype.kind in "iu"
    ):
        words = examples.inputs != 0
        padding = np.where(words.any(axis=1), words.argmax(axis=1), words.shape[1])
        return np.argsort(padding, kind="stable").astype(np.int32)
    return np.arange(len(examples), dtype=np.int32)


def _on_device(examples: Examples) -> tuple[Any, Callable[..., Any]]:
    """The split as tensors, and a function (tensors, example numbers (n,)) -> inputs
    (n, ...), targets (n, ...).
    """
    targets = (
        tf.zeros(())
        if of_every_column(examples)
        else tf.constant(examples.targets, tf.float32)
    )
    if isinstance(examples, Windows):
        series = tf.constant(examples.series, tf.float32)
        rows = tf.constant(examples.rows, tf.int32)
    else:
        series = tf.zeros(())
        rows = tf.constant(model_inputs(examples.inputs))

    def gather(data: Any, numbers: Any) -> Any:
        series, rows, targets = data
        if of_every_column(examples):
            batch = tf.gather(rows, numbers)
            return _inputs(examples, series, batch), _all_columns(
                examples, series, batch
            )
        return _inputs(examples, series, tf.gather(rows, numbers)), tf.gather(
            targets, numbers
        )

    return (series, rows, targets), gather


class TensorOps:
    """What a loss may use (`pipeline.metrics.Ops`), over those examples of a batch that
    are present.
    """

    def __init__(self, present: Any) -> None:
        self._present = present

    def mean(self, values: Any) -> Any:
        values = tf.cast(values, tf.float32)  # an accuracy's are true and false
        per_example = (
            values if len(values.shape) == 1 else tf.reduce_mean(values, axis=1)
        )
        return tf.reduce_sum(per_example * self._present) / tf.reduce_sum(self._present)

    def log(self, values: Any) -> Any:
        return tf.math.log(values)

    def clip(self, values: Any, low: float, high: float) -> Any:
        return tf.clip_by_value(values, low, high)
