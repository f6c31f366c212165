"""A network with its two XLA programs: one epoch of training, and prediction.

Importing this module starts TensorFlow.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pipeline.data.examples import Array, Arrays, Examples, Windows, of_every_column
from pipeline.metrics import MEASURES
from pipeline.training import keras_models
from pipeline.training.job import evenly
from pipeline.training.recurrence.network import LoopedModel

EVALUATION_BATCH = 512
"""Examples of a batch in prediction, at most."""


class Program:
    """A model with its compiled epoch and its compiled prediction.

    Args:
        model: a network with one output for each target of an example; axes of length 1
            do not count.
        examples: the train split.
        optimizer, learning_rate, weight_decay: as for `keras_method.train`.
        measures: the names of the measures of each batch. The first one is the loss
            that is minimised.
        every_step: whether the model answers at each timestep of inputs (timesteps, 1),
            and also learns the next input there. Measures and predictions are those of
            the last timestep.
        extra_targets: whether the targets are (n, values) and only the last one counts
            in measures and predictions. The model also learns the others.

    Attributes:
        weight_before: with `every_step`, the weight of the timesteps before the last
            one in the loss; with `extra_targets` that of the targets before it.
    """

    def __init__(
        self,
        model: keras.Model,
        examples: Examples,
        optimizer: str,
        learning_rate: float,
        measures: list[str],
        weight_decay: float = 0.0,
        *,
        every_step: bool = False,
        extra_targets: bool = False,
    ) -> None:
        self.model = model
        self.measures = measures
        self.weight_before = tf.Variable(0.0)
        self._every_step = every_step
        self._extra_targets = extra_targets
        self.optimizer = keras_models.optimizer(optimizer, learning_rate, weight_decay)
        self.optimizer.build(model.trainable_variables)
        self._variables = [*model.variables, *self.optimizer.variables]
        self._fresh = [variable.numpy() for variable in self.optimizer.variables]
        self._examples = examples
        self._data = _on_device(examples)
        self._network = LoopedModel(model)
        _, targets = examples.take(np.arange(1))
        self._shape = [-1] if extra_targets else [-1, *targets.shape[1:]]
        self._splits = dict[int, tuple[Examples, Callable[[], Array]]]()
        self._epoch = tf.function(
            self._train_on, jit_compile=True, reduce_retracing=False
        )
        self._forward = tf.function(
            self._answer, jit_compile=True, autograph=False, reduce_retracing=False
        )
        self._outputs = tf.function(self._outputs_of, jit_compile=True, autograph=False)

    def _train_on(self, data: Any, rows: Any) -> Any:
        """Train on batches of example numbers `rows` (steps, batch).

        Returns:
            The measures (steps, measures) of the batches.
        """
        train = tf.autograph.experimental.do_not_convert(self._network.train)
        formulas = [MEASURES[measure].formula for measure in self.measures]
        steps = tf.shape(rows)[0]
        measured = tf.TensorArray(tf.float32, steps, element_shape=(len(formulas),))
        # Handed from batch to batch: XLA would fill new buffers with zeros each time.
        buffers = self._network.buffers(rows.shape[1], *self._examples.input_shape)
        for step in tf.range(steps):
            present = tf.cast(rows[step] >= 0, tf.float32)
            # -1 stands for no example. Example 0 is computed in its place, with no
            # weight in the loss.
            numbers = tf.maximum(rows[step], 0)
            inputs, targets = _batch(self._examples, data, numbers)
            with tf.GradientTape() as tape:
                outputs, buffers = train(inputs, buffers)
                shaped = self._shaped(outputs)
                ops = TensorOps(present)
                own = targets[:, -1] if self._extra_targets else targets
                values = [formula(shaped, own, ops) for formula in formulas]
                loss = values[0]
                if self._every_step:
                    before = formulas[0](outputs[:, :-1, 0], inputs[:, 1:, 0], ops)
                    loss += self.weight_before * before
                if self._extra_targets:
                    loss += self.weight_before * formulas[0](
                        outputs[:, :-1], targets[:, :-1], ops
                    )
            gradients = tape.gradient(loss, self.model.trainable_variables)
            # Sparse gradients are made dense: of a word that occurs twice, Keras'
            # optimizers would square the two parts before they add them up.
            self.optimizer.apply(
                [tf.convert_to_tensor(gradient) for gradient in gradients]
            )
            measured = measured.write(step, tf.stack(values))
        return measured.stack()

    def _answer(self, series: Any, batch: Any) -> Any:
        """Outputs for a batch; if every column is forecast, its errors (`metrics.added`)."""
        examples = self._examples
        outputs = self._outputs_of(_inputs(examples, series, batch))
        if not of_every_column(examples):
            return outputs
        errors = outputs - _all_columns(examples, series, batch)
        squared = tf.reduce_mean(errors * errors, axis=1)
        absolute = tf.reduce_mean(tf.abs(errors), axis=1)
        return tf.stack([squared, absolute], axis=1)

    def _outputs_of(self, inputs: Any) -> Any:
        return self._shaped(self._network.predict(inputs))

    def _shaped(self, outputs: Any) -> Any:
        """A model's outputs in the shape of targets; only the last timestep's or value.

        All values count where a target has several without extra ones.
        """
        if self._every_step or self._extra_targets:
            outputs = outputs[:, -1]
        return tf.reshape(outputs, self._shape)

    def reset(self, numbers: list[Array]) -> None:
        """Start a replicate with these weights and a fresh optimizer."""
        self.restore([*numbers, *self._fresh])

    def state(self) -> list[Array]:
        """Return the model's and the optimizer's numbers."""
        return [np.asarray(variable.numpy()) for variable in self._variables]

    def restore(self, numbers: list[Array]) -> None:
        """Set the numbers that `state` returned."""
        for variable, number in zip(self._variables, numbers, strict=True):
            variable.assign(number)

    def epoch(self, rows: Array) -> Array:
        """Train on batches of example numbers (steps, batch), -1 for no example.

        Returns:
            The measures (steps, measures) of the batches.
        """
        return np.asarray(self._epoch(self._data, tf.constant(rows)))

    def predict(self, examples: Examples) -> Array:
        """Return outputs (n,) or (n, values) for a split, in the order of its examples.

        If every column is forecast, return the errors that `metrics.added` takes.
        """
        # A call costs more time than a small network's work. So each batch is one call,
        # and its arguments are prepared once.
        # The split is kept, so that no other object gets its id.
        if id(examples) not in self._splits:
            self._splits[id(examples)] = examples, self._prepared(examples)
        return self._splits[id(examples)][1]()

    def _prepared(self, examples: Examples) -> Callable[[], Array]:
        # A power of two: splits of similar size share one program, and less than half
        # of a batch is padding.
        size = min(EVALUATION_BATCH, 1 << (len(examples) - 1).bit_length())
        order = by_padding(examples)
        padded = np.pad(order, (0, -len(order) % size), mode="edge")
        series = self._data[0]
        if isinstance(examples, Windows):
            ours = self._examples
            if not isinstance(ours, Windows) or examples.series is not ours.series:
                series = tf.constant(examples.series, tf.float32)
            inputs = examples.rows[padded].astype(np.int32)
        else:
            inputs = model_inputs(examples.inputs[padded])
        in_batches = inputs.reshape(-1, size, *inputs.shape[1:])
        batches = [tf.constant(batch) for batch in in_batches]
        call = self._forward.get_concrete_function(series, batches[0])

        def predict() -> Array:
            outputs = np.concatenate(
                [np.asarray(call(series, batch)) for batch in batches]
            )
            in_order = np.empty((len(examples), *outputs.shape[1:]), np.float32)
            in_order[order] = outputs[: len(examples)]
            return in_order

        return predict

    def gradients(self, examples: Examples) -> Array:
        """Return how much the output depends on each timestep of an input.

        For an input (timesteps, values) and a timestep it is the Euclidean norm of the
        gradient of the output, in model units, by the values of the timestep.

        Returns:
            (timesteps,) the mean over 256 evenly spaced examples, with three digits:
            further ones depend on the processor.
        """
        values = tf.constant(examples.take(evenly(len(examples), 256))[0], tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(values)
            outputs = self._shaped(self.model(values, training=False))
        # Squares of the smallest gradients need float64.
        gradient = np.asarray(tape.gradient(outputs, values), np.float64)
        norms = np.linalg.norm(gradient, axis=2)
        return np.array([float(f"{mean:.3g}") for mean in norms.mean(axis=0)])

    def predict_one(self, inputs: Array) -> Array:
        """Return outputs (1,) or (1, values) for inputs (1, ...), for a rollout."""
        return np.asarray(self._outputs(tf.constant(inputs, tf.float32)))


def _on_device(examples: Examples) -> tuple[Any, Any, Any]:
    """A split as three tensors.

    For windows they are the series, the row numbers and the targets; for arrays an
    empty tensor, the inputs and the targets.
    """
    targets = tf.zeros(())
    if not of_every_column(examples):
        targets = tf.constant(examples.targets, tf.float32)
    if isinstance(examples, Windows):
        series = tf.constant(examples.series, tf.float32)
        return series, tf.constant(examples.rows, tf.int32), targets
    return tf.zeros(()), tf.constant(model_inputs(examples.inputs)), targets


def _batch(examples: Examples, data: Any, numbers: Any) -> tuple[Any, Any]:
    """Inputs (n, ...) and targets (n, ...) of the examples with these numbers (n,)."""
    series, rows, targets = data
    batch = tf.gather(rows, numbers)
    inputs = _inputs(examples, series, batch)
    if of_every_column(examples):
        return inputs, _all_columns(examples, series, batch)
    return inputs, tf.gather(targets, numbers)


def _inputs(examples: Examples, series: Any, batch: Any) -> Any:
    """Inputs (n, ...) for a batch: row numbers (n,) of windows, or inputs."""
    if not isinstance(examples, Windows):
        return batch
    return tf.gather(series, batch[:, None] + tf.constant(examples.offsets, tf.int32))


def _all_columns(examples: Windows, series: Any, batch: Any) -> Any:
    """Targets (n, outputs * columns) for a batch of row numbers (n,)."""
    values = tf.gather(series, batch[:, None] + tf.constant(examples.ahead, tf.int32))
    return tf.reshape(values, (-1, values.shape[1] * values.shape[2]))


def model_inputs(inputs: Array) -> Array:
    """Return inputs in the type that programs take: int32 or float32."""
    return inputs.astype(np.int32 if inputs.dtype.kind in "iu" else np.float32)


def by_padding(examples: Examples) -> Array:
    """Return the order (n,) in which predictions take least time.

    Texts of similar length come together. Examples of values keep their order.
    """
    order = np.arange(len(examples), dtype=np.int32)
    if not isinstance(examples, Arrays):
        return order
    inputs = examples.inputs
    if inputs.ndim != 2 or inputs.dtype.kind not in "iu":
        return order
    words = inputs != 0
    padding = np.where(words.any(axis=1), words.argmax(axis=1), words.shape[1])
    return np.argsort(padding, kind="stable").astype(np.int32)


class TensorOps:
    """The operations of a loss (`pipeline.metrics.Ops`) in TensorFlow.

    `present` (batch,) is 1 for an example and 0 for padding, which has no weight in a
    mean.
    """

    def __init__(self, present: Any) -> None:
        self._present = present

    def mean(self, values: Any) -> Any:
        values = tf.cast(values, tf.float32)  # an accuracy has true and false
        if len(values.shape) > 1:
            values = tf.reduce_mean(values, axis=1)
        return tf.reduce_sum(values * self._present) / tf.reduce_sum(self._present)

    def log(self, values: Any) -> Any:
        return tf.math.log(values)

    def clip(self, values: Any, low: float, high: float) -> Any:
        return tf.clip_by_value(values, low, high)
