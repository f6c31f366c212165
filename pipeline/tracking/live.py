"""Recording while a stage runs. A store that fails costs one line of warning, never the training."""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from pipeline.config.params import Experiment
from pipeline.errors import UnrollError
from pipeline.evaluation.schema import Evaluation
from pipeline.provenance import fingerprint
from pipeline.tracking import payload, queries, replay, runs, store
from pipeline.tracking.payload import Subject
from pipeline.tracking.runs import Runs
from pipeline.training import run_folder
from pipeline.workspace import Workspace

Warn = Callable[[str], None]

INTERVAL = 1.0
"""Seconds between two writes: a call takes 5-15 ms, an epoch of the smallest network 0.5 ms."""

ALONE = 10.0
"""Seconds to wait for a replay of the same experiment to end."""


def to_stderr(text: str) -> None:
    """Print one line."""
    sys.stderr.write(f"{text}\n")


class Record:
    """The MLflow runs of one training, written as it goes. Made by `recording`."""

    def __init__(self, workspace: Workspace, subject: Subject, warn: Warn) -> None:
        self._workspace, self._warn = workspace, warn
        self._runs: Runs | None = None
        self._finished = False
        self._waiting: dict[int, list[tuple[int, Mapping[str, float]]]] = {}
        self._written = -INTERVAL
        with self._unharmed():
            opened = store.connect(workspace)
            with store.guard(opened.uri):
                data = fingerprint.data(workspace.prepared(subject.data.name))
                group = runs.data_set(opened, subject.title, subject.data)
                queries.end_abandoned(opened, group, subject.name, subject.variant)
                self._runs = runs.start(opened, subject, data, "live")

    def resumed(self, histories: Mapping[int, list[dict[str, float]]]) -> None:
        """Record what an interrupted training had done; see `pipeline.training.job.Watcher`."""
        for seed, history in histories.items():
            for epoch, values in enumerate(history, 1):
                self.epoch(seed, epoch, values)

    def epoch(self, seed: int, epoch: int, values: Mapping[str, float]) -> None:
        """Record one epoch of one replicate.

        Args:
            seed: the replicate.
            epoch: from 1.
            values: a line of history.csv: train_loss, validation_loss, ...
        """
        if self._runs is not None:
            self._waiting.setdefault(seed, []).append((epoch, dict(values)))
            if time.monotonic() - self._written >= INTERVAL:
                with self._unharmed():
                    self._write(self._runs)

    def finish(self, folder: Path) -> None:
        """Record the results and end the runs: the last thing to do in a `recording` block.

        Args:
            folder: run.json, history.csv, predictions.npz and weights, complete.
        """
        if self._runs is not None:
            with self._unharmed(), store.guard(self._runs.store.uri):
                self._write(self._runs)
                made = replay.made(self._workspace, self._runs.subject.data.name, self._runs.subject.name)
                runs.complete(self._runs, run_folder.load(folder), fingerprint.run(folder), folder, made)
                found = queries.parents(self._runs.store, self._runs.experiment, self._runs.subject.name)
                queries.make_current(self._runs.store, found, self._runs.parent)
        self._finished = True

    def close(self, status: str) -> None:
        """End the runs of a training that did not finish."""
        if self._runs is not None and not self._finished:
            with self._unharmed(), store.guard(self._runs.store.uri):
                self._write(self._runs)
                runs.end(self._runs, status)

    def _write(self, recording: Runs) -> None:
        with store.guard(recording.store.uri):
            for seed, points in self._waiting.items():
                runs.log(recording.store, runs.child(recording, seed), points)
        self._waiting.clear()
        self._written = time.monotonic()

    @contextlib.contextmanager
    def _unharmed(self) -> Iterator[None]:
        """From the first failure on nothing more is recorded, so that a dead server is waited for once."""
        try:
            yield
        except UnrollError as error:
            broken, self._runs = self._runs, None
            if broken is not None:  # if the store is away, `unroll track` ends them
                with contextlib.suppress(UnrollError), store.guard(broken.store.uri):
                    runs.end(broken, "FAILED")
            self._warn(_not_recorded(error))


@contextlib.contextmanager
def recording(workspace: Workspace, name: str, experiment: Experiment, *, warn: Warn = to_stderr) -> Iterator[Record]:
    """Record a training while it runs: `record.epoch(...)` as epochs end, `record.finish(folder)` at last.

    A block that ends without `finish` leaves FAILED runs, or KILLED ones if it was interrupted.

    Args:
        workspace: its data set must be prepared.
        name: the experiment.
        experiment: its section of params.yaml.
        warn: told once if MLflow fails; nothing else comes of it.

    Raises:
        UnrollError: the prepared data set is missing or damaged.
    """
    subject = payload.subject(workspace, name, experiment)
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(UnrollError):  # a replay of it that hangs is no reason not to train
            stack.enter_context(store.hold(store.experiment_lock(workspace, name, subject.variant), ALONE))
        record = Record(workspace, subject, warn)
        try:
            yield record
        except BaseException as error:
            record.close("FAILED" if isinstance(error, Exception) else "KILLED")
            raise
        record.close("FAILED")


def scored(workspace: Workspace, dataset: str, evaluated: Evaluation, *, warn: Warn = to_stderr) -> None:
    """Add scores to the MLflow runs of the trainings on disk; those not recorded yet are left to `replay`.

    Args:
        workspace: holds runs/DATASET and evaluations/DATASET.
        dataset: the data set.
        evaluated: its evaluation.
        warn: told once if MLflow fails; nothing else comes of it.
    """
    if not os.environ.get("MLFLOW_TRACKING_URI") and not store.database(workspace).exists():
        return  # nothing is recorded, so there is nothing to add to
    try:
        opened = store.connect(workspace)
        with store.guard(opened.uri):
            title = payload.title(dataset, stand_in=evaluated.dataset.stand_in)
            experiment = runs.data_set(opened, title, evaluated.dataset)
            for name in evaluated.experiments:
                mark = fingerprint.run(workspace.run(dataset, name))
                parent = queries.recorded(queries.parents(opened, experiment, name), mark)
                if parent is not None:
                    queries.score(opened, workspace, parent, evaluated)
    except UnrollError as error:
        warn(_not_recorded(error))


def _not_recorded(error: UnrollError) -> str:
    return f"warning: not recorded in MLflow: {error}. `unroll track` records it later"
