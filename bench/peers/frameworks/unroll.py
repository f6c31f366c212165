"""Unroll: an epoch and an evaluation as XLA programs.

Its weights are written to the file that every framework starts from. Importing this
module starts TensorFlow.
"""

import time
from functools import partial

from bench.peers.workloads import Task
from pipeline.data.examples import Array
from pipeline.data.problem import problem
from pipeline.metrics import score
from pipeline.training import keras_models
from pipeline.training.recipe import recipe

keras_models.start()


class Compiled:
    """The training method `keras`."""

    def __init__(self, task: Task) -> None:
        from pipeline.training.program import Program

        chosen = recipe(task.name, task.experiment)
        options = chosen.method.keywords
        self.task = task
        self.loss = options["loss"]
        build = partial(chosen.build, problem(task.data))
        self.model = keras_models.seeded(build, 0)
        task.write_weights(self.model.get_weights())
        self.numbers: list[Array] = keras_models.values(self.model)
        self.program = Program(
            self.model,
            task.data.splits["train"],
            options["optimizer"],
            options["learning_rate"],
            [self.loss],
        )

    def reset(self) -> None:
        self.program.reset(self.numbers)
        self.model.set_weights(self.task.read_weights())

    def train(self) -> float:
        start = time.perf_counter()
        for _ in range(self.task.workload.epochs):
            self.program.epoch(self.task.rows)
        return time.perf_counter() - start

    def learn(self, steps: int) -> float:
        return float(self.program.epoch(self.task.rows)[:steps].mean())

    def evaluate(self) -> tuple[float, float]:
        start = time.perf_counter()
        for _ in range(self.task.workload.evaluations):
            predictions = self.program.predict(self.task.held_out)
            loss = score(self.loss, predictions, self.task.held_out.targets)
        return time.perf_counter() - start, loss
