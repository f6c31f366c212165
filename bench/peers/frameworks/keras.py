"""Keras' own `fit` and `evaluate`, on TensorFlow or JAX.

They take arrays, or a Python generator as in the documents. The networks are plain
Keras layers, so that no code of Unroll is timed here.
"""

import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import keras
import numpy as np

from bench.peers.workloads import Task
from pipeline.data.examples import Array, Examples, Windows

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
        generated = name == "documents" and isinstance(train, Windows)
        given = self.generated if generated else self.arrays
        # Each call of Keras gets a generator of its own, because Keras takes some batches
        # more than it uses.
        self.fitted = partial(given, train, task.rows, "steps_per_epoch")
        held_out = np.arange(len(task.held_out)).reshape(-1, task.batch)
        self.evaluated = partial(given, task.held_out, held_out, "steps")
        self.reset()

    def generated(self, examples: Examples, rows: Array, steps: str) -> dict[str, Any]:
        """Return the arguments of `fit` or `evaluate` for a generator of batches.

        `rows` (steps, batch) are the numbers of the examples, and `steps` is the name
        of the argument with the number of batches.
        """
        return {"x": batches(examples, rows), steps: len(rows)}

    def arrays(self, examples: Examples, rows: Array, _steps: str) -> dict[str, Any]:
        """Return the arguments of `fit` or `evaluate` for examples in arrays."""
        inputs, targets = examples.take(rows.reshape(-1))
        return {"x": inputs, "y": targets, "batch_size": self.task.batch}

    def reset(self) -> None:
        self.model.set_weights(self.task.read_weights())
        for variable, value in zip(self.optimizer.variables, self.fresh, strict=True):
            variable.assign(value)

    def train(self) -> float:
        """See `Framework`. The time is that of the epochs, without the start of `fit`."""
        timer = EpochTimer()
        self.fit(self.task.workload.epochs, timer)
        return timer.seconds

    def learn(self, steps: int) -> float:
        """See `Framework`."""
        means: list[float] = []
        self.fit(
            1,
            keras.callbacks.LambdaCallback(
                on_train_batch_end=lambda _, logs: means.append(logs["loss"])
            ),
        )
        return float(means[steps - 1])

    def fit(self, epochs: int, callback: keras.callbacks.Callback) -> None:
        """Call Keras' `fit` on the rows of the task."""
        self.model.fit(
            **self.fitted(),
            epochs=epochs,
            shuffle=False,
            verbose=0,
            callbacks=[callback],
        )

    def evaluate(self) -> tuple[float, float]:
        """See `Framework`. The time is taken as in `train`."""
        seconds = 0.0
        for _ in range(self.task.workload.evaluations):
            timer = EpochTimer()
            loss = self.model.evaluate(**self.evaluated(), verbose=0, callbacks=[timer])
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


def batches(examples: Any, rows: Array) -> Iterator[tuple[Array, Array]]:
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
