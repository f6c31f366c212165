"""Keras' own `fit` and `evaluate`, on TensorFlow or JAX.

They take arrays, or a Python generator as in the documents. The networks are plain
Keras layers, so that no code of Unroll is timed here.
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
"""Framework -> `jit_compile`; "auto" is the default of `compile`."""


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
        """See `Framework`. The time is that of the epochs, without the start of `fit`."""
        timer = EpochTimer()
        self.fit(self.task.workload.steps, self.task.workload.epochs, [timer])
        return timer.seconds

    def learn(self, steps: int) -> float:
        """See `Framework`. Each word's gradient is summed first, as by the others.

        Keras 3 on TensorFlow gives the optimizer one gradient for each occurrence of a
        word, and the optimizer adds up their squares. So RMSprop and Adam take other
        steps, with XLA or without.
        """
        if not self.task.data.vocabulary or keras.backend.backend() != "tensorflow":
            return self.loss(steps)
        import tensorflow as tf

        def summed(gradients: list[Any], variables: Any = None) -> Any:
            dense = [tf.convert_to_tensor(gradient) for gradient in gradients]
            return apply(dense, variables)

        apply = self.optimizer.apply
        self.optimizer.apply = summed
        self.model.make_train_function(force=True)
        loss = self.loss(steps)
        self.optimizer.apply = apply
        self.model.make_train_function(force=True)
        self.train()  # compiles anew
        return loss

    def loss(self, steps: int) -> float:
        """Train `steps` steps; return their mean loss."""
        return float(self.fit(steps, 1, []).history["loss"][0])

    def fit(
        self, steps: int, epochs: int, callbacks: list[keras.callbacks.Callback]
    ) -> keras.callbacks.History:
        """Call Keras' `fit` on the first `steps` batches."""
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
        """See `Framework`. The time is taken as in `train`."""
        workload = self.task.workload
        seconds = 0.0
        for _ in range(workload.evaluations):
            timer = EpochTimer()
            if self.generated:
                numbers = np.arange(len(self.task.held_out))
                rows = numbers.reshape(workload.evaluated, -1)
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
    """A callback that measures the seconds from the first begin to the last end."""

    start = 0.0
    seconds = 0.0

    def on_epoch_begin(self, *_: Any) -> None:
        """Note the time of the first call."""
        self.start = self.start or time.perf_counter()

    def on_epoch_end(self, *_: Any) -> None:
        """Note the seconds until now; the last call counts."""
        self.seconds = time.perf_counter() - self.start

    on_test_begin = on_epoch_begin
    on_test_end = on_epoch_end


def network(task: Task) -> keras.Model:
    """Return the experiment's network, made of plain layers."""
    options = task.experiment.model.options
    layers = keras.layers
    usual = "sigmoid" if task.data.kind == "classify" else "linear"
    output = options.get("output", usual)
    if task.experiment.model.family == "dense":
        activation = options.get("activation", "relu")
        hidden = [layers.Dense(width, activation) for width in options["hidden"]]
        return keras.Sequential(
            [keras.Input(task.data.input_shape), *hidden, layers.Dense(1, output)]
        )
    kinds = {"simple_rnn": layers.SimpleRNN, "lstm": layers.LSTM, "gru": layers.GRU}
    kind = kinds[task.experiment.model.name]
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
    """Yield the batches of example numbers `rows` (steps, batch), without end.

    Windows are cut out one by one in Python.
    """
    steps, columns = examples.input_shape
    while True:
        for numbers in rows:
            inputs = np.zeros((len(numbers), steps, columns))
            targets = np.zeros(len(numbers))
            for index, row in enumerate(examples.rows[numbers]):
                seen = range(row - examples.lookback, row, examples.step)
                inputs[index] = examples.series[seen]
                targets[index] = examples.series[row + examples.delay][examples.target]
            yield inputs, targets
