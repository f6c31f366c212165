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
        """Train, for no more than one epoch: the mean loss of the first `steps` steps; by hand the loss after all."""

    def evaluate(self) -> tuple[float, float]:
        """Evaluate one round: seconds, and the mean loss of the held-out examples."""


def make(name: str, *, by_hand: bool) -> Callable[[Task], Framework]:
    """What makes the framework `name`, or its way by hand; its libraries are imported here.

    Raises:
        ImportError: its library is not installed.
    """
    if name == "unroll":
        from bench.peers.frameworks import unroll

        return unroll.ByHand if by_hand else unroll.Compiled
    if name.startswith("pytorch"):
        from bench.peers.frameworks import pytorch

        return partial(pytorch.PyTorch, compiled=name == "pytorch_compiled")
    if by_hand:
        from bench.peers.frameworks.by_hand import Documents

        return Documents
    from bench.peers.frameworks import keras

    return partial(keras.Keras, name=name)
