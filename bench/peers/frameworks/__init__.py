"""The frameworks that are compared, each in a process of its own.

A framework is made from a `Task`, and builds its model with the task's first weights.
Losses tell whether two frameworks do the same work.
"""

import gc
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Protocol

from bench.peers import workloads
from bench.peers.workloads import Task


class Framework(Protocol):
    """The interface of a framework."""

    def reset(self) -> None:
        """Set the first weights and a fresh optimizer."""

    def train(self) -> float:
        """Train one round; return the seconds."""

    def learn(self, steps: int) -> float:
        """Train at most one epoch; return the mean loss of the first `steps` steps."""

    def evaluate(self) -> tuple[float, float]:
        """Evaluate one round; return the seconds, and the mean loss."""


def make(name: str) -> Callable[[Task], Framework]:
    """Return the function that makes a framework; import its libraries.

    Raises:
        ImportError: a library is not installed.
    """
    if name == "unroll":
        from bench.peers.frameworks import unroll

        return unroll.Compiled
    if name == "pytorch":
        from bench.peers.frameworks import pytorch

        return pytorch.PyTorch
    from bench.peers.frameworks import keras

    return partial(keras.Keras, name=name)


CALLS = 5000
"""The number of calls that `empty_call` times."""

models: dict[str, Framework] = {}
"""The state of a process between calls: framework -> model of the current workload."""


def begin(log: Path) -> None:
    """Keep this process on one core, and redirect its output to a file.

    Some libraries start several threads even if they are told not to.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with log.open("wb") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)


def start(name: str, root: Path, workload: str) -> dict[str, float]:
    """Build a model and run a first round.

    Returns:
        `before`, the loss of the held-out rows, and `warm_up`, the seconds of it all.
    """
    models.pop(name, None)  # frees the memory of the last workload
    gc.collect()
    task = workloads.load(root, workload)
    framework = make(name)
    began = time.perf_counter()
    models[name] = framework(task)
    before = models[name].evaluate()[1]
    models[name].train()
    return {"before": before, "warm_up": time.perf_counter() - began}


def learn(name: str, steps: int) -> float:
    """Train from the first weights; return the mean loss of the first steps."""
    models[name].reset()
    return models[name].learn(steps)


def turn(name: str) -> dict[str, float]:
    """Run one round; return the seconds of each phase."""
    models[name].reset()
    return {"train": models[name].train(), "evaluate": models[name].evaluate()[0]}


def empty_call(_name: str) -> float:
    """Return the seconds of a call that computes almost nothing: a function, compiled by
    TensorFlow as Unroll's are, that adds 1 to eight numbers. It is the median of many.
    """
    import tensorflow as tf

    compiled = tf.function(lambda values: values + 1, jit_compile=True)
    numbers = tf.zeros(8)
    call = compiled.get_concrete_function(numbers)
    seconds = []
    for _ in range(CALLS):
        began = time.perf_counter()
        call(numbers).numpy()
        seconds.append(time.perf_counter() - began)
    return median(seconds)
