"""Unroll: an epoch, or an evaluation, as XLA programs. Importing it starts TensorFlow.

Its weights are written down as those that every framework starts from.
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
    """The training method `gradient_descent`."""

    def __init__(self, task: Task) -> None:
        from pipeline.training.program import Program

        chosen = recipe(task.name, task.experiment)
        options = chosen.method.keywords
        self.task = task
        self.loss = options["loss"]
        self.build = partial(chosen.build, problem(task.data))
        self.model = keras_models.seeded(self.build, 0)
        task.write_weights(self.model.get_weights())
        self.numbers: dict[int, list[Array]] = {0: keras_models.values(self.model)}
        train = task.data.splits["train"]
        self.program = Program(
            self.model,
            train,
            options["optimizer"],
            options["learning_rate"],
            [self.loss],
        )

    def reset(self, seed: int) -> None:
        if seed not in self.numbers:
            self.numbers[seed] = keras_models.values(
                keras_models.seeded(self.build, seed)
            )
        self.program.reset(self.numbers[seed])
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
            loss = score(
                self.loss,
                self.program.predict(self.task.held_out),
                self.task.held_out.targets,
            )
        return time.perf_counter() - start, loss
