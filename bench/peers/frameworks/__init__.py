"""The frameworks that are compared, each behind the same four methods.

A framework is made from a `Task`, and builds its model with the task's first weights. `reset` takes those weights
again, with a fresh optimizer. `train` and `evaluate` give the seconds of one round; `learn` and `evaluate` give losses,
by which is told whether two frameworks do the same.
"""

from collections.abc import Callable
from typing import Protocol

from bench.peers.workloads import Task

SUMMED = "keras_summed"
"""Keras on TensorFlow with each word's gradient summed before it is squared, as do Unroll, Keras on JAX, and PyTorch.

Keras 3 on TensorFlow gives an embedding's gradient to the optimizer word by word as they occur, and the optimizer adds
up the squares of those: another number, for RMSprop as for Adam, compiled by XLA or not.
"""


class Framework(Protocol):
    """What the worker drives."""

    def reset(self, seed: int) -> None:
        """Start again from the first weights; `seed` is that of dropout."""

    def train(self) -> float:
        """Train one round: seconds."""

    def learn(self, steps: int) -> float:
        """Train, for no more than one epoch: the mean loss of the first `steps` steps; by hand the loss after all."""

    def evaluate(self) -> tuple[float, float]:
        """Evaluate one round: seconds, and the mean loss of the held-out examples."""


def make(name: str) -> Callable[[Task], Framework]:
    """What makes the framework `name`, or SUMMED; its libraries are imported here.

    Raises:
        ImportError: its library is not installed.
    """
    if name == "unroll":
        from bench.peers.frameworks import unroll

        return unroll.make
    if name.startswith("pytorch"):
        from bench.peers.frameworks import pytorch

        return lambda task: pytorch.PyTorch(task, compiled=name == "pytorch_compiled")
    if name == "documents":
        from bench.peers.frameworks import documents

        return documents.make
    from bench.peers.frameworks import keras

    return lambda task: keras.Keras(task, name)
