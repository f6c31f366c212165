"""What a training method is given, and what it gives back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pipeline.data.dataset import Dataset
from pipeline.data.examples import Array, Examples
from pipeline.training.checkpoint import Checkpoint

Save = Callable[[Any, Path], None]
"""Writes one set of weights to a path without its suffix."""


class Callback(Protocol):
    """Is told how a training goes."""

    def resumed(self, histories: Mapping[int, list[dict[str, float]]]) -> None:
        """Told once, if the training goes on from a checkpoint: seed -> its history so far."""

    def epoch(self, seed: int, epoch: int, values: Mapping[str, float]) -> None:
        """Told after each epoch (from 1), with its line of the history."""


@dataclass(frozen=True)
class Job:
    """One experiment, ready to be trained.

    Attributes:
        experiment: its name.
        dataset: the problem.
        build: makes the model anew, a `keras.Model` (after `keras_models.start`) or a `models.baselines.Baseline`.
        seeds: one replicate (a training from the start with this seed) for each.
        callbacks: told of every epoch.
        checkpoint: where a training method with epochs keeps how far it has come; None: nowhere.
        asked: splits that predictions are made of, by methods that can leave others out; None for all.
    """

    experiment: str
    dataset: Dataset
    build: Callable[[], Any]
    seeds: tuple[int, ...]
    callbacks: tuple[Callback, ...] = ()
    checkpoint: Checkpoint | None = None
    asked: tuple[str, ...] | None = None

    @property
    def predicted(self) -> dict[str, Examples]:
        """The splits that predictions are made of."""
        return {name: s for name, s in self.dataset.splits.items() if self.asked is None or name in self.asked}


@dataclass(frozen=True)
class Replicate:
    """One training of an experiment.

    Attributes:
        seed: of its weights, its order of examples and its dropout.
        history: one mapping per epoch: train_loss, train_METRIC where that is another measure, then loss and metric of
            every scored split.
        best_epoch: the epoch (from 1) with the best validation metric; None without validation.
        predictions: "final_test" and the like -> (n,) or (n, values), in model units.
        weights: "final" and, with validation, "best" -> whatever the method's `save` writes.
    """

    seed: int
    history: list[dict[str, float]]
    best_epoch: int | None
    predictions: dict[str, Array]
    weights: dict[str, Any]


@dataclass(frozen=True)
class Trained:
    """Every replicate of an experiment.

    Attributes:
        replicates: one per seed, in order.
        parameters: how many numbers are fitted.
        save: writes one set of weights.
        layers: name, type, output shape and parameters of each layer, in order.
        loss: the name of the loss, None where there is none.
    """

    replicates: list[Replicate]
    parameters: int
    save: Save
    layers: list[dict[str, Any]] = field(default_factory=list)
    loss: str | None = None
