"""What a training method is given, what it gives back, and what it leaves on disk."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.checkpoint import Checkpoint
from pipeline.dataset import Dataset
from pipeline.metrics import BETTER
from pipeline.storage import write_csv, write_json, write_npz
from pipeline.windows import Array, Examples

OnEpoch = Callable[[int, int, Mapping[str, float]], None]
"""Called after each epoch with seed, epoch (from 1) and that line of the history."""

OnResume = Callable[[Mapping[int, list[dict[str, float]]]], None]
"""Called with seed -> its history so far."""

Save = Callable[[Any, Path], None]
"""Writes one set of weights to a path without its suffix."""

CHUNK = 2048
"""Examples at a time outside XLA; bounds memory, changes no value."""


@dataclass(frozen=True)
class Job:
    """One experiment, ready to be trained.

    Attributes:
        experiment: its name.
        dataset: the problem.
        build: makes the model anew, a `keras.Model` (after `networks.start`) or a `models.baselines.Baseline`.
        seeds: one replicate for each.
        on_epoch: told of every epoch.
        on_resume: told once of what an interrupted training had done, if this one goes on with it.
        checkpoint: where a training method with epochs keeps how far it has come; None: nowhere.
    """

    experiment: str
    dataset: Dataset
    build: Callable[[], Any]
    seeds: tuple[int, ...]
    on_epoch: OnEpoch = lambda _seed, _epoch, _values: None
    on_resume: OnResume = lambda _histories: None
    checkpoint: Checkpoint | None = None


@dataclass(frozen=True)
class Replicate:
    """One training of an experiment.

    Attributes:
        seed: of its weights, its order of examples and its dropout.
        history: one mapping per epoch: train_loss, then loss and metric of every scored split.
        best_epoch: the epoch (from 1) with the best validation metric; None without validation.
        predictions: "final_test" and the like -> (n,) in model units; see `predict_all`.
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
        layers: name, type, output shape and parameters of each layer, in order.
        save: writes one set of weights.
        loss: the name of the loss, None where there is none.
    """

    replicates: list[Replicate]
    parameters: int
    save: Save
    layers: list[dict[str, Any]] = field(default_factory=list)
    loss: str | None = None


def best(history: list[dict[str, float]], metric: str, before: int | None = None) -> int | None:
    """The epoch (from 1) with the best `validation_METRIC`, the first of equals; None without validation.

    Args:
        history: one line per epoch.
        metric: of the data set.
        before: what this function said one epoch ago, so that only the last line is looked at; None: all are.
    """
    key = f"validation_{metric}"
    if not history or key not in history[-1]:
        return None
    chosen = before or 1
    for epoch in range(len(history) if before else 2, len(history) + 1):
        if BETTER[metric](history[epoch - 1][key], history[chosen - 1][key]):
            chosen = epoch
    return chosen


def fitted(job: Job, predict: Callable[[Array], Array], weights: Array, loss: str | None = None) -> Trained:
    """What a method gives back whose weights do not depend on the seed.

    Args:
        job: what the method was given.
        predict: inputs (chunk, ...) -> (chunk,) with these weights.
        weights: (parameters,).
        loss: what they minimise; None where they minimise nothing.
    """
    dataset = job.dataset
    predictions = {f"final_{split}": predict_split(predict, examples) for split, examples in dataset.splits.items()}
    if dataset.rollout:
        predictions["rollout"] = rollout(predict, dataset.splits["test"])
    replicates = [Replicate(seed, [], None, predictions, {"final": weights}) for seed in job.seeds]

    def save_weights(numbers: Array, path: Path) -> None:
        write_npz(path.with_name(f"{path.name}.npz"), {"weights": numbers})

    return Trained(replicates, len(weights), save_weights, loss=loss)


def chunks(examples: Examples) -> Iterator[tuple[Array, Array]]:
    """All inputs and targets in order, `CHUNK` examples at a time."""
    for start in range(0, len(examples), CHUNK):
        yield examples.take(np.arange(start, min(start + CHUNK, len(examples))))


def predict_split(predict: Callable[[Array], Array], examples: Examples) -> Array:
    """Predictions (n,) for a split, from a function of inputs (chunk, ...) -> (chunk,)."""
    return np.concatenate([predict(inputs) for inputs, _ in chunks(examples)])


def rollout(predict: Callable[[Array], Array], examples: Examples) -> Array:
    """Free-running predictions (n,): the first true window, then every prediction is fed back as an input.

    Args:
        predict: inputs (1, timesteps, 1) -> (1,), one step ahead.
        examples: consecutive windows over a series with one column.
    """
    window = examples.take(np.array([0]))[0].astype(np.float64)
    values = np.empty(len(examples))
    for step in range(len(examples)):
        values[step] = predict(window)[0]
        window = np.concatenate([window[:, 1:], values[step].reshape(1, 1, 1)], axis=1)
    return values


def save(trained: Trained, job: Job, folder: Path, facts: Mapping[str, Any]) -> None:
    """Write run.json, history.csv, predictions.npz and weights/ into an empty folder.

    Args:
        trained: what the method gave back.
        job: what it was given.
        folder: becomes runs/DATASET/EXPERIMENT.
        facts: further entries of run.json, plain data (fingerprints).
    """
    replicates = trained.replicates
    best_epochs = [r.best_epoch for r in replicates]
    validated = bool(replicates) and all(epoch is not None for epoch in best_epochs)
    scored = [f"{split}_{what}" for split in job.dataset.scored for what in ("loss", job.dataset.metric)]
    rows = [
        {"seed": r.seed, "epoch": epoch, **values} for r in replicates for epoch, values in enumerate(r.history, 1)
    ]
    columns = ["seed", "epoch", "train_loss", *dict.fromkeys(scored)]
    write_csv(folder / "history.csv", rows, [c for c in columns if not rows or c in rows[0]])
    points = list(replicates[0].predictions) if replicates else []
    stacked = {point: np.stack([r.predictions[point] for r in replicates]) for point in points}
    write_npz(folder / "predictions.npz", {"seeds": np.array(job.seeds), **stacked})
    (folder / "weights").mkdir()
    for replicate in replicates:
        for point, weights in replicate.weights.items():
            trained.save(weights, folder / "weights" / f"seed_{replicate.seed}_{point}")
    write_json(
        folder / "run.json",
        {
            "experiment": job.experiment,
            "dataset": job.dataset.name,
            "parameters": trained.parameters,
            "layers": trained.layers,
            "trained": any(r.history for r in replicates),
            "seeds": list(job.seeds),
            "epochs": max((len(r.history) for r in replicates), default=0),
            "best_epochs": best_epochs if validated else None,
            "loss": trained.loss,
            **facts,
        },
    )
