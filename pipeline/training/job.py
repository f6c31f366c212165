"""A job of training: what a method is given and gives back, its checkpoint, and the
loop over seeds and epochs.
"""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Protocol

import numpy as np
from pydantic import Field

from pipeline.data.dataset import Dataset
from pipeline.data.examples import Array, Examples, compared
from pipeline.errors import UnrollError
from pipeline.files import read_npz, write_npz
from pipeline.metrics import MEASURES, score

Save = Callable[[Any, Path], None]
"""Writes one set of weights to a path without its suffix."""

Patience = Annotated[int | None, Field(ge=1, le=100_000)]
"""Epochs in a row without a better validation score after which a replicate ends; None:
it never ends early."""

FIRST_CHECKPOINT = 1.0
"""Seconds of training before the first checkpoint: shorter trainings are cheaper to
repeat than to restore."""

PAUSE = 20.0
"""Between two checkpoints, as a multiple of what the last one took: they cost a
training at most 5 %."""

ARRAY = "name of the array"
"""The one key of what stands in an array's place in a checkpoint's JSON."""


class Checkpoint:
    """The state of one training on disk, plain data with arrays in it: after a crash it
    goes on from there.

    Args:
        path: the file, outside every DVC output, since DVC deletes those before it runs
            a stage.
        made_of: what the training depends on (`fingerprint.brief`). A file that was
            made of anything else is no checkpoint of this training.
    """

    def __init__(self, path: Path, made_of: str) -> None:
        self._path = path
        self._made_of = made_of
        self._due = time.monotonic() + FIRST_CHECKPOINT

    def read(self) -> Any:
        """The last checkpoint; None if there is none, or it is damaged or belongs to
        another training.
        """
        try:
            arrays = read_npz(self._path)

            def filled(data: dict[str, Any]) -> Any:
                return arrays[data[ARRAY]] if data.keys() == {ARRAY} else data

            rest = json.loads(arrays["rest"].tobytes(), object_hook=filled)
            return rest["state"] if rest["made_of"] == self._made_of else None
        except (UnrollError, OSError, KeyError, TypeError, ValueError):
            return None

    def write(self, state: Callable[[], Any]) -> None:
        """Write what `state` returns, if it is time for it. A full disk costs the
        checkpoint, not the training.
        """
        started = time.monotonic()
        if started < self._due:
            return
        arrays: dict[str, Array] = {}

        def emptied(array: Array) -> dict[str, str]:
            arrays[name := f"array_{len(arrays)}"] = array
            return {ARRAY: name}

        text = json.dumps({"made_of": self._made_of, "state": state()}, default=emptied)
        with suppress(OSError):
            write_npz(
                self._path, {"rest": np.frombuffer(text.encode(), np.uint8), **arrays}
            )
        ended = time.monotonic()
        self._due = ended + PAUSE * (ended - started)

    def remove(self) -> None:
        """Delete the checkpoint: the training is done."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


class Callback(Protocol):
    """Is told how a training goes."""

    def resumed(self, histories: Mapping[int, list[dict[str, float]]]) -> None:
        """Told once, if the training goes on from a checkpoint: seed -> its history so
        far.
        """

    def epoch(self, seed: int, epoch: int, values: Mapping[str, float]) -> None:
        """Told after each epoch (from 1), with its line of the history."""


@dataclass(frozen=True)
class Job:
    """One experiment, ready to be trained.

    Attributes:
        experiment: its name.
        dataset: the problem.
        build: makes the model anew, a `keras.Model` (after `keras_models.start`) or a
            `models.baselines.Baseline`.
        seeds: one replicate (a training from the start with this seed) for each.
        callbacks: told of every epoch.
        checkpoint: where a training method with epochs keeps its state; None: nowhere.
        splits: those that predictions are made of, by methods that can leave others
            out; None for all.
    """

    experiment: str
    dataset: Dataset
    build: Callable[[], Any]
    seeds: tuple[int, ...]
    callbacks: tuple[Callback, ...] = ()
    checkpoint: Checkpoint | None = None
    splits: tuple[str, ...] | None = None

    @property
    def predicted(self) -> dict[str, Examples]:
        """The splits that predictions are made of."""
        return {
            name: s
            for name, s in self.dataset.splits.items()
            if self.splits is None or name in self.splits
        }

    def scores(self, loss: str, predict: Callable[[str], Array]) -> dict[str, float]:
        """An epoch's loss and metric of every scored split, of what `predict` gives for
        the split's name.
        """
        scores = {}
        for split in self.dataset.scored:
            if split in self.dataset.splits:
                predictions = predict(split)
                targets = compared(self.dataset.splits[split])
                scores[f"{split}_loss"] = score(loss, predictions, targets)
                scores[f"{split}_{self.dataset.metric}"] = score(
                    self.dataset.metric, predictions, targets
                )
        return scores


@dataclass(frozen=True)
class Replicate:
    """One training of an experiment.

    Attributes:
        seed: of its weights, its order of examples and its dropout.
        history: one mapping per epoch: train_loss, train_METRIC where that is another
            measure, then loss and metric of every scored split.
        best_epoch: the epoch (from 1) with the best validation metric; None without
            validation.
        predictions: "final_test" and the like -> (n,) or (n, values), in model units.
        weights: "final" and, with validation, "best" -> whatever the method's `save`
            writes.
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


class Learner(Protocol):
    """What a training method with epochs does for one replicate after the other."""

    def begin(self, seed: int, done: int = 0, state: list[Array] | None = None) -> None:
        """Start the replicate of `seed`, or go on with it after `done` epochs from what
        `state()` returned then.
        """

    def epoch(self, number: int) -> dict[str, float]:
        """Train for one epoch, counted from 1; its line of the history. Raises
        DivergedError.
        """

    def state(self) -> list[Array]:
        """All that the following epochs depend on, but for what comes from the seed."""

    def weights(self) -> Any:
        """A copy of what predictions are made with; arrays, or lists and dicts of them."""

    def predictions(self, point: str, weights: Any) -> dict[str, Array]:
        """Predictions with `weights`, "POINT_SPLIT" -> (n,) or (n, values)."""


def train_replicates(
    job: Job, epochs: int, learner: Learner, patience: int | None = None
) -> list[Replicate]:
    """Train every replicate; after a crash from the job's checkpoint on, with the same
    results.

    Args:
        job: its seeds, callbacks and checkpoint.
        epochs: of each replicate, at most.
        learner: trains.
        patience: see `Patience`. Replicates may differ in how many epochs they have.

    Raises:
        DivergedError: a loss is not finite.
        UnrollError: `patience` without validation.
    """
    if patience and "validation" not in job.dataset.scored:
        raise UnrollError(
            f"{job.experiment}: patience needs a data set whose validation split is scored"
        )
    resumed = job.checkpoint.read() if job.checkpoint else None
    trained = (
        [Replicate(**replicate) for replicate in resumed["trained"]] if resumed else []
    )
    if resumed:
        for callback in job.callbacks:
            callback.resumed(
                {r.seed: r.history for r in trained}
                | {resumed["seed"]: resumed["history"]}
            )
    for seed in job.seeds[len(trained) :]:
        start = resumed or {
            "seed": seed,
            "history": [],
            "best": None,
            "best_weights": {},
            "state": None,
        }
        trained.append(_replicate(job, epochs, learner, patience, trained, start))
        resumed = None
    return trained


def _replicate(
    job: Job,
    epochs: int,
    learner: Learner,
    patience: int | None,
    trained: list[Replicate],
    start: dict[str, Any],
) -> Replicate:
    """Train one replicate from `start`, a checkpoint's state without `trained`, which
    are the replicates before.
    """
    seed, history, best, best_weights = (
        start[name] for name in ("seed", "history", "best", "best_weights")
    )
    metric = job.dataset.metric
    column = f"validation_{job.dataset.metric}"
    learner.begin(seed, len(history), start["state"])

    def state() -> dict[str, Any]:
        return {
            "trained": [asdict(replicate) for replicate in trained],
            "seed": seed,
            "history": history,
            "best": best,
            "best_weights": best_weights,
            "state": learner.state(),
        }

    for epoch in range(len(history) + 1, epochs + 1):
        if patience and best and epoch - best > patience:
            break
        line = learner.epoch(epoch)
        history.append(line)
        # Of equals the first.
        if column in line and (
            best is None
            or MEASURES[metric].better(line[column], history[best - 1][column])
        ):
            best = epoch
            best_weights = {"best": learner.weights()}
        for callback in job.callbacks:
            callback.epoch(seed, epoch, line)
        if job.checkpoint:
            # After the callbacks: a crash in between tells them of this epoch twice,
            # and not never.
            job.checkpoint.write(state)
    weights = {"final": learner.weights()} | best_weights
    predictions = {
        name: p
        for point in weights
        for name, p in learner.predictions(point, weights[point]).items()
    }
    return Replicate(seed, history, best, predictions, weights)
