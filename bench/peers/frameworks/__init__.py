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
    """What a process drives."""

    def reset(self, seed: int) -> None:
        """Start again from the first weights with a fresh optimizer; `seed` is that of
        Unroll's dropout alone.
        """

    def train(self) -> float:
        """Train one round: seconds."""

    def learn(self, steps: int) -> float:
        """Train, for no more than one epoch: the mean loss of the first `steps` steps."""

    def evaluate(self) -> tuple[float, float]:
        """Evaluate one round: seconds, and the mean loss of the held-out examples."""


def make(name: str) -> Callable[[Task], Framework]:
    """What makes the framework `name`; its libraries are imported here.

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
"""What a process has from one call to the next: its framework's name -> the model of
the current workload."""


def begin(log: Path) -> None:
    """One core, since some libraries start threads whatever they are told; what
    libraries print goes to a file.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with log.open("wb") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)


def start(name: str, root: Path, workload: str) -> dict[str, float]:
    """Build a model and go through a first round: the held-out loss `before`, and the
    seconds of it all (`warm_up`).
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
    """Start again from the first weights: the mean loss of the first steps."""
    models[name].reset(seed)
    return models[name].learn(steps)


def turn(name: str) -> dict[str, float]:
    """One round: the seconds of each phase."""
    models[name].reset(0)
    return {"train": models[name].train(), "evaluate": models[name].evaluate()[0]}
