"""The frameworks that are compared, each in a process of its own behind the same four
methods.

A framework is made from a `Task`, and builds its model with the first weights of that.
Losses tell whether two of them do the same work.
"""

import gc
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol

from bench.peers import workloads
from bench.peers.workloads import Task


class Framework(Protocol):
    """The interface of a framework."""

    def reset(self, seed: int) -> None:
        """Start again from the first weights with a fresh optimizer; `seed` is that of
        Unroll's dropout alone.
        """

    def train(self) -> float:
        """Train one round: seconds."""

    def learn(self, steps: int) -> float:
        """Train at most one epoch: the mean loss of the first `steps` steps."""

    def evaluate(self) -> tuple[float, float]:
        """Evaluate one round: seconds, and the mean loss of the held-out examples."""


def make(name: str) -> Callable[[Task], Framework]:
    """Return what makes the framework `name`; its libraries are imported here.

    Raises:
        ImportError: its library is not installed.
    """
    if name == "unroll":
        from bench.peers.frameworks import unroll

        return unroll.Compiled
    if name.startswith("pytorch"):
        from bench.peers.frameworks import pytorch

        return partial(pytorch.PyTorch, compiled=name == "pytorch_compiled")
    from bench.peers.frameworks import keras

    return partial(keras.Keras, name=name)


models: dict[str, Framework] = {}
"""The state of a process between calls: framework -> model of the current workload."""


def begin(log: Path) -> None:
    """Stay on one core, and let what libraries print go to a file.

    Some libraries start threads whatever they are told.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with log.open("wb") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)


def start(name: str, root: Path, workload: str) -> dict[str, float]:
    """Build a model and go through a first round.

    Returns the loss of the held-out rows `before`, and the seconds of all, `warm_up`.
    """
    models.pop(name, None)  # the memory of the last workload
    gc.collect()
    task = workloads.load(root, workload)
    framework = make(name)
    began = time.perf_counter()
    models[name] = framework(task)
    before = models[name].evaluate()[1]
    models[name].train()
    return {"before": before, "warm_up": time.perf_counter() - began}


def learn(name: str, seed: int, steps: int) -> float:
    """Start again from the first weights; return the mean loss of the first steps."""
    models[name].reset(seed)
    return models[name].learn(steps)


def turn(name: str) -> dict[str, float]:
    """Go through one round; return the seconds of each phase."""
    models[name].reset(0)
    return {"train": models[name].train(), "evaluate": models[name].evaluate()[0]}
