"""Unroll: an epoch, or an evaluation, as XLA programs; by hand in NumPy. Importing it starts TensorFlow."""

import time
from functools import partial

import numpy as np

from bench.peers.frameworks import Framework
from bench.peers.workloads import Task
from pipeline.data.examples import Array
from pipeline.data.problem import problem
from pipeline.metrics import score
from pipeline.training import keras_models
from pipeline.training.methods import by_hand
from pipeline.training.program import Program
from pipeline.training.recipe import recipe

keras_models.start()


def make(task: Task) -> Framework:
    """Unroll's way for a task; writes the weights that every framework starts from."""
    return ByHand(task) if task.by_hand else Compiled(task)


class Compiled:
    """The training method `gradient_descent`."""

    def __init__(self, task: Task) -> None:
        found = recipe(task.name, task.experiment)
        options = found.method.options
        self.task, self.loss = task, options["loss"]
        self.build = partial(found.build, problem(task.data))
        self.model = keras_models.seeded(self.build, 0)
        task.write_weights(self.model.get_weights())
        self.numbers: dict[int, list[Array]] = {0: keras_models.values(self.model)}
        train = task.data.splits["train"]
        self.program = Program(self.model, train, options["optimizer"], options["learning_rate"], [self.loss])

    def reset(self, seed: int) -> None:
        """See `Framework`."""
        if seed not in self.numbers:
            self.numbers[seed] = keras_models.values(keras_models.seeded(self.build, seed))
        self.program.reset(self.numbers[seed])
        self.model.set_weights(self.task.read_weights())

    def train(self) -> float:
        """See `Framework`."""
        start = time.perf_counter()
        for _ in range(self.task.workload.epochs):
            self.program.epoch(self.task.rows)
        return time.perf_counter() - start

    def learn(self, steps: int) -> float:
        """See `Framework`."""
        return float(self.program.epoch(self.task.rows)[:steps].mean())

    def evaluate(self) -> tuple[float, float]:
        """See `Framework`."""
        start = time.perf_counter()
        for _ in range(self.task.workload.evaluations):
            loss = score(self.loss, self.program.predict(self.task.held_out), self.task.held_out.targets)
        return time.perf_counter() - start, loss


class ByHand:
    """The training method `by_hand`."""

    def __init__(self, task: Task) -> None:
        found = recipe(task.name, task.experiment)
        model = keras_models.seeded(partial(found.build, problem(task.data)), 0)
        task.write_weights(model.get_weights())
        self.task, self.rate = task, found.method.options["learning_rate"]
        self.one_epoch, self.forward = by_hand.rules(task.name, model)
        self.inputs, self.targets = task.doubles()
        self.reset(0)

    def reset(self, seed: int) -> None:
        """See `Framework`; nothing is drawn."""
        del seed
        self.weights = [weight.astype("float64") for weight in self.task.read_weights()]

    def train(self) -> float:
        """See `Framework`."""
        start = time.perf_counter()
        self.one_epoch(self.weights, self.inputs, self.targets, self.rate)
        return time.perf_counter() - start

    def learn(self, steps: int) -> float:
        """See `Framework`."""
        del steps
        self.train()
        return score("mse", self.forward(self.weights, self.inputs), self.targets)

    def evaluate(self) -> tuple[float, float]:
        """See `Framework`."""
        inputs, targets = self.task.held_out.take(np.arange(len(self.task.held_out)))
        start = time.perf_counter()
        loss = score("mse", self.forward(self.weights, inputs), targets)
        return time.perf_counter() - start, loss
