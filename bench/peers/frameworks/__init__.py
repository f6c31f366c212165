"""The frameworks that are compared, each behind the same four methods.

A framework is made from a `Task`, and builds its model with the task's first weights. `reset` takes those weights
again, with a fresh optimizer. `train` and `evaluate` give the seconds of one round; `learn` and `evaluate` give losses,
by which is told whether two frameworks do the same.
"""

from collections.abc import Callable
from functools import partial
from typing import Protocol

from bench.peers.workloads import Task


class Framework(Protocol):
    """What the worker drives."""

    def reset(self, seed: int) -> None:
        """Start again from the first weights; `seed` is that of Unroll's dropout, the others' goes on."""

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
