"""Keras' own `fit` and `evaluate`: on a Python generator as in the documents, or on
arrays; on TensorFlow or JAX.

The networks are plain Keras layers, so that nothing of Unroll's is timed here.
"""

import time
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from bench.peers.workloads import Task
from pipeline.data.examples import Array, Windows

JIT: dict[str, bool | str] = {
    "documents": "auto",
    "keras": False,
    "keras_jit": True,
    "jax": "auto",
}
"""Framework -> `jit_compile`; "auto" is what `compile` does when it is not told."""


class Keras:
    """A plain Keras model under `fit`."""

    def __init__(self, task: Task, name: str) -> None:
        keras.backend.clear_session()
        keras.utils.set_random_seed(0)
        self.task = task
        self.model = network(task)
        optimizer = task.training["optimizer"]
        rate = task.training.get("learning_rate", 0.001)
        self.optimizer = keras.optimizers.get(
            {"class_name": optimizer, "config": {"learning_rate": rate}}
        )
        self.model.compile(self.optimizer, task.training["loss"], jit_compile=JIT[name])
        self.optimizer.build(self.model.trainable_variables)
        self.fresh = [
            keras.ops.convert_to_numpy(variable)
            for variable in self.optimizer.variables
        ]
        train = task.data.splits["train"]
        held_out = task.held_out
        self.generated = name == "documents" and isinstance(train, Windows)
        self.windows = [
            examples for examples in (train, held_out) if isinstance(examples, Windows)
        ]
        if not self.generated:
            self.inputs, self.targets = train.take(task.rows.reshape(-1))
            self.held_out = held_out.take(np.arange(len(held_out)))
        self.reset(0)

    def reset(self, seed: int) -> None:
        del seed
        self.model.set_weights(self.task.read_weights())
        for variable, value in zip(self.optimizer.variables, self.fresh, strict=True):
            variable.assign(value)

    def train(self) -> float:
        """See `Framework`; timed from the first epoch's begin to the last one's end, so
        without `fit`'s own start.
        """
        timer = EpochTimer()
        self.fit(self.task.workload.steps, self.task.workload.epochs, [timer])
        return timer.seconds

    def learn(self, steps: int) -> float:
        """See `Framework`; with each word's gradient summed before it is used, as all
        others do.

        Keras 3 on TensorFlow gives an embedding's gradient to the optimizer word by
        word as they occur, and the optimizer adds up the squares of those: another
        number, for RMSprop as for Adam, compiled by XLA or not.
        """
        if not self.task.data.vocabulary or keras.backend.backend() != "tensorflow":
            return self.loss(steps)
        import tensorflow as tf

        def summed(gradients: list[Any], variables: Any = None) -> Any:
            return apply(
                [tf.convert_to_tensor(gradient) for gradient in gradients], variables
            )

        apply = self.optimizer.apply
        self.optimizer.apply = summed
        self.model.make_train_function(force=True)
        loss = self.loss(steps)
        self.optimizer.apply = apply
        self.model.make_train_function(force=True)
        self.train()  # compiles anew
        return loss

    def loss(self, steps: int) -> float:
        """The mean loss of so many steps."""
        return float(self.fit(steps, 1, []).history["loss"][0])

    def fit(
        self, steps: int, epochs: int, callbacks: list[keras.callbacks.Callback]
    ) -> keras.callbacks.History:
        """Keras' own, on the first `steps` batches."""
        if self.generated:
            data = {
                "x": batches(self.windows[0], self.task.rows),
                "steps_per_epoch": steps,
            }
        else:
            batch = self.task.batch
            data = {
                "x": self.inputs[: steps * batch],
                "y": self.targets[: steps * batch],
                "batch_size": batch,
            }
        return self.model.fit(
            **data, epochs=epochs, shuffle=False, verbose=0, callbacks=callbacks
        )

    def evaluate(self) -> tuple[float, float]:
        """See `Framework`; timed as `train`."""
        workload = self.task.workload
        seconds = 0.0
        for _ in range(workload.evaluations):
            timer = EpochTimer()
            if self.generated:
                rows = np.arange(len(self.task.held_out)).reshape(
                    workload.evaluated, -1
                )
                data = {
                    "x": batches(self.windows[1], rows),
                    "steps": workload.evaluated,
                }
            else:
                data = {
                    "x": self.held_out[0],
                    "y": self.held_out[1],
                    "batch_size": self.task.batch,
                }
            loss = self.model.evaluate(**data, verbose=0, callbacks=[timer])
            seconds += timer.seconds
        return seconds, float(loss)


class EpochTimer(keras.callbacks.Callback):
    """The seconds of the loop over batches, from the first begin to the last end."""

    start = 0.0
    seconds = 0.0

    def on_epoch_begin(self, *_: Any) -> None:
        """Start at the first call."""
        self.start = self.start or time.perf_counter()

    def on_epoch_end(self, *_: Any) -> None:
        """Stop; the last call counts."""
        self.seconds = time.perf_counter() - self.start

    on_test_begin = on_epoch_begin
    on_test_end = on_epoch_end


def network(task: Task) -> keras.Model:
    """The experiment's network of plain layers."""
    options = task.experiment.model.options
    layers = keras.layers
    output = options.get(
        "output", "sigmoid" if task.data.kind == "classify" else "linear"
    )
    if task.experiment.model.family == "dense":
        hidden = [
            layers.Dense(width, options.get("activation", "relu"))
            for width in options["hidden"]
        ]
        return keras.Sequential(
            [keras.Input(task.data.input_shape), *hidden, layers.Dense(1, output)]
        )
    kind = {"simple_rnn": layers.SimpleRNN, "lstm": layers.LSTM, "gru": layers.GRU}[
        task.experiment.model.name
    ]
    rates = {key: options.get(key, 0.0) for key in ("dropout", "recurrent_dropout")}
    front = [keras.Input(task.data.input_shape)]
    if task.data.vocabulary:
        front = [
            keras.Input((None,)),
            layers.Embedding(task.data.vocabulary, options["embedding"]),
        ]
    return keras.Sequential(
        [*front, kind(options.get("units", 32), **rates), layers.Dense(1, output)]
    )


def batches(examples: Windows, rows: Array) -> Iterator[tuple[Array, Array]]:
    """Without end the batches of example numbers `rows` (steps, batch), cut window by
    window in Python.
    """
    steps, columns = examples.input_shape
    while True:
        for numbers in rows:
            inputs = np.zeros((len(numbers), steps, columns))
            targets = np.zeros(len(numbers))
            for index, row in enumerate(examples.rows[numbers]):
                inputs[index] = examples.series[
                    range(row - examples.lookback, row, examples.step)
                ]
                targets[index] = examples.series[row + examples.delay][examples.target]
            yield inputs, targets
