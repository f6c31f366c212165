"""The loop over seeds and epochs, and the checkpoint from which it resumes after a crash."""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Protocol

import numpy as np
from pydantic import Field

from pipeline.data.examples import Array
from pipeline.errors import UnrollError
from pipeline.files import read_npz, write_npz
from pipeline.metrics import MEASURES
from pipeline.training.job import Job, Replicate

Epochs = Annotated[int, Field(ge=1, le=100_000)]
"""Passes over the train split, at most."""

Patience = Annotated[int | None, Field(ge=1, le=100_000)]
"""After so many epochs without a better validation score a replicate ends; None: never
early."""

FIRST_CHECKPOINT = 1.0
"""Seconds of training before the first checkpoint: shorter trainings are cheaper to
repeat than to restore."""

PAUSE = 20.0
"""The time between two checkpoints, as a multiple of the time that the last one took.
Checkpoints cost a training at most 5 % of its time."""

ARRAY = "name of the array"
"""The only key of the JSON object that stands for an array in a checkpoint."""


class Checkpoint:
    """The state of one training on disk: plain data with arrays in it.

    After a crash the training goes on from the checkpoint.

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
        """Return the last checkpoint; None if there is none, or it is damaged or
        belongs to another training.
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
            name = f"array_{len(arrays)}"
            arrays[name] = array
            return {ARRAY: name}

        text = json.dumps({"made_of": self._made_of, "state": state()}, default=emptied)
        arrays["rest"] = np.frombuffer(text.encode(), np.uint8)
        with suppress(OSError):
            write_npz(self._path, arrays)
        ended = time.monotonic()
        self._due = ended + PAUSE * (ended - started)

    def remove(self) -> None:
        """Delete the checkpoint: the training is done."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


class Learner(Protocol):
    """The part of a training method with epochs that trains one replicate at a time."""

    def begin(self, seed: int, done: int = 0, state: list[Array] | None = None) -> None:
        """Start the replicate of `seed`, or resume it after `done` epochs.

        `state` is what `state()` returned after these epochs.
        """

    def epoch(self, number: int) -> dict[str, float]:
        """Train for one epoch, counted from 1, and return its line of the history.

        Raises:
            DivergedError: a loss or a weight is not finite.
        """

    def state(self) -> list[Array]:
        """Return what the following epochs depend on, except what the seed gives."""

    def weights(self) -> list[Array]:
        """Return a copy of what predictions are made with."""

    def predictions(self, point: str, weights: list[Array]) -> dict[str, Array]:
        """Return predictions with `weights`: "POINT_SPLIT" -> (n,) or (n, values)."""


def train_replicates(
    job: Job, epochs: int, learner: Learner, patience: int | None = None
) -> list[Replicate]:
    """Train every replicate.

    After a crash the training resumes from the job's checkpoint, with the same results.

    Args:
        job: gives the seeds, the callbacks and the checkpoint.
        epochs: the most epochs of a replicate.
        learner: trains one replicate after the other.
        patience: see `Patience`. Replicates may differ in their number of epochs.

    Raises:
        DivergedError: a loss is not finite.
        UnrollError: `patience` without validation.
    """
    if patience and "validation" not in job.dataset.scored:
        raise UnrollError(
            f"{job.experiment}: patience needs a data set whose validation split is "
            "scored"
        )
    replicates: list[Replicate] = []  # after a crash the last one is unfinished
    state = None
    resumed = job.checkpoint.read() if job.checkpoint else None
    if resumed:
        replicates = [Replicate(**fields) for fields in resumed["replicates"]]
        state = resumed["state"]
        for callback in job.callbacks:
            callback.resumed({each.seed: each.history for each in replicates})
    for number, seed in enumerate(job.seeds, 1):
        if number < len(replicates):
            continue
        if number > len(replicates):
            replicates.append(Replicate(seed))
        replicate = replicates[-1]
        learner.begin(seed, len(replicate.history), state)
        state = None
        _train(job, epochs, learner, patience, replicates)
        replicate.weights = {"final": learner.weights(), **replicate.weights}
        for point, weights in replicate.weights.items():
            replicate.predictions |= learner.predictions(point, weights)
    return replicates


def _train(
    job: Job,
    epochs: int,
    learner: Learner,
    patience: int | None,
    replicates: list[Replicate],
) -> None:
    """Train the last replicate of the list to its end."""
    replicate = replicates[-1]
    history = replicate.history
    metric = job.dataset.metric
    column = f"validation_{metric}"

    def state() -> dict[str, Any]:
        every = [asdict(each) for each in replicates]
        return {"replicates": every, "state": learner.state()}

    for epoch in range(len(history) + 1, epochs + 1):
        best = replicate.best_epoch
        if patience and best and epoch - best > patience:
            break
        line = learner.epoch(epoch)
        history.append(line)
        if column in line:
            # of several equal epochs the first counts
            better = MEASURES[metric].better
            if best is None or better(line[column], history[best - 1][column]):
                replicate.best_epoch = epoch
                replicate.weights = {"best": learner.weights()}
        for callback in job.callbacks:
            callback.epoch(replicate.seed, epoch, line)
        if job.checkpoint:
            # Written after the callbacks: after a crash in between they are told of
            # this epoch twice. Otherwise they might never be told.
            job.checkpoint.write(state)
