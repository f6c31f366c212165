"""A training job: the input and the result of a training method.

A method whose weights do not depend on the seed returns `fitted`. A method with epochs
calls `epochs.train_replicates`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pipeline.data.dataset import Dataset
from pipeline.data.examples import Array, Examples, compared, of_every_column
from pipeline.files import write_npz
from pipeline.metrics import added, score

Predict = Callable[[Array], Array]
"""Inputs (n, timesteps, features) -> (n,) or (n, values), in model units."""

Save = Callable[[Any, Path], None]
"""A function that writes one set of weights, from weights and a path without suffix."""

CHUNK = 2048
"""Examples at a time outside XLA. It bounds memory and changes no value."""


class Callback(Protocol):
    """An observer of a training."""

    def resumed(self, histories: Mapping[int, list[dict[str, float]]]) -> None:
        """Receive seed -> history, once, if the training resumes from a checkpoint."""

    def epoch(self, seed: int, epoch: int, values: Mapping[str, float]) -> None:
        """Receive the line of the history of an epoch, counted from 1, after the epoch."""


@dataclass(frozen=True)
class Job:
    """One experiment, ready to be trained.

    Attributes:
        experiment: its name.
        dataset: the problem.
        build: makes the model anew, a `keras.Model` (after `keras_models.start`) or a
            `models.baselines.Baseline`.
        seeds: one replicate (a training from the start with this seed) for each.
        callbacks: are told of every epoch.
        checkpoint: where a training method with epochs keeps its state (an
            `epochs.Checkpoint`); None for no checkpoints.
        splits: the names of the splits that are predicted, by methods that can leave
            others out; None for all.
        naive: split -> naive forecasts, whose errors the dataset's targets are; empty
            if the targets are the data set's own.
    """

    experiment: str
    dataset: Dataset
    build: Callable[[], Any]
    seeds: tuple[int, ...]
    callbacks: tuple[Callback, ...] = ()
    checkpoint: Any = None
    splits: tuple[str, ...] | None = None
    naive: Mapping[str, Array] = field(default_factory=dict)

    @property
    def train(self) -> Examples:
        """The train split."""
        return self.dataset.splits["train"]

    @property
    def predicted(self) -> dict[str, Examples]:
        """The splits that are predicted, by name."""
        splits = self.dataset.splits
        chosen = self.splits or splits
        return {name: splits[name] for name in splits if name in chosen}

    def scores(self, loss: str, predict: Callable[[str], Array]) -> dict[str, float]:
        """Return loss and metric of every scored split; `predict` takes a split's name."""
        dataset = self.dataset
        scores = {}
        for split in dataset.scored:
            if split in dataset.splits:
                predictions = predict(split)
                targets = compared(dataset.splits[split])
                scores[f"{split}_loss"] = score(loss, predictions, targets)
                metric = score(dataset.metric, predictions, targets)
                scores[f"{split}_{dataset.metric}"] = metric
        return scores


@dataclass
class Replicate:
    """One training of an experiment. Methods with epochs fill it epoch by epoch.

    Attributes:
        seed: seed of the initial weights, the order of examples and the dropout.
        history: one mapping per epoch: train_loss, train_METRIC where that is another
            measure, then loss and metric of every scored split.
        best_epoch: the epoch (from 1) with the best validation metric; None without
            validation.
        predictions: "final_test" and the like -> (n,) or (n, values), in model units;
            "gradients" -> (timesteps,), if the method was asked for them.
        weights: "final" and, with validation, "best" -> what the method's `save`
            writes.
    """

    seed: int
    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int | None = None
    predictions: dict[str, Array] = field(default_factory=dict)
    weights: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, repr=False)
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

    def __repr__(self) -> str:
        """Return a line for notebooks: the seeds, and the attributes to look at."""
        seeds = ", ".join(str(replicate.seed) for replicate in self.replicates)
        return (
            f"<trained: seeds {seeds}; {self.parameters:,} parameters; each of "
            "`replicates` has history, best_epoch, predictions and weights>"
        )


def chunks(
    examples: Examples, chosen: Array | None = None
) -> Iterator[tuple[Array, Array]]:
    """Yield inputs and targets of all examples, or of the chosen numbers, in order.

    Each chunk has at most `CHUNK` examples.
    """
    numbers = np.arange(len(examples)) if chosen is None else chosen
    for start in range(0, len(numbers), CHUNK):
        yield examples.take(numbers[start : start + CHUNK])


def evenly(count: int, most: int) -> Array:
    """Return the numbers of at most `most` of `count` examples, evenly spaced."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(int))


def predict_split(
    predict: Predict, examples: Examples, *, each_step: bool = False
) -> Array:
    """Return predictions (n,) or (n, values) for a split.

    Args:
        predict: inputs (chunk, ...) -> (chunk,) or (chunk, values). If an example has
            several targets, a single prediction stands for each of them.
        examples: the split.
        each_step: whether each timestep is predicted, from the inputs up to this
            timestep.
    """
    predictions = []
    for inputs, targets in chunks(examples):
        if each_step:
            ends = range(1, inputs.shape[1] + 1)
            values = np.stack([predict(inputs[:, :end]) for end in ends], axis=1)
        else:
            values = predict(inputs)
        if values.ndim < targets.ndim:
            values = np.repeat(values[:, None], targets.shape[1], axis=1)
        if of_every_column(examples):
            values = added(values, targets)
        predictions.append(values)
    return np.concatenate(predictions)


def rollout(predict: Predict, examples: Examples) -> Array:
    """Return free-running predictions (n,).

    The first window is measured. Then every prediction is fed back as an input.

    Args:
        predict: inputs (1, timesteps, 1) -> (1,), one step ahead.
        examples: consecutive windows over a series with one column.
    """
    first_inputs, _ = examples.take(np.array([0]))
    window = first_inputs.astype(np.float64)  # (1, timesteps, 1)
    values = np.empty(len(examples))
    for step in range(len(examples)):
        values[step] = predict(window)[0]
        window = np.concatenate([window[:, 1:], values[step].reshape(1, 1, 1)], axis=1)
    return values


def save_array(weights: Array, path: Path) -> None:
    """Write `PATH.npz`, which `recipe.Recipe.load` reads."""
    write_npz(path.with_name(f"{path.name}.npz"), {"weights": weights})


def saving(learnt: Mapping[str, Array]) -> Save:
    """Return a function that writes weights, and beside them what features have learnt.

    `recipe.Recipe.load` reads both.
    """

    def save(weights: Array, path: Path) -> None:
        save_array(weights, path)
        write_npz(path.with_name(f"{path.name}.learnt.npz"), learnt)

    return save


def fitted(
    job: Job,
    predict: Predict,
    weights: Any,
    parameters: int,
    *,
    loss: str | None = None,
    save: Save = save_array,
) -> Trained:
    """Return the result of a method whose weights do not depend on the seed.

    Args:
        job: the method's job.
        predict: inputs (chunk, ...) -> (chunk,) or (chunk, values) with these weights.
        weights: what `save` writes.
        parameters: how many numbers were fitted.
        loss: the name of the loss that was minimised; None for no loss.
        save: writes the weights.
    """
    dataset = job.dataset
    predictions = {
        f"final_{split}": predict_split(predict, examples, each_step=dataset.each_step)
        for split, examples in job.predicted.items()
    }
    if dataset.rollout:
        predictions["rollout"] = rollout(predict, dataset.splits["test"])
    replicates = [
        Replicate(seed, predictions=predictions, weights={"final": weights})
        for seed in job.seeds
    ]
    return Trained(replicates, parameters, save, loss=loss)
