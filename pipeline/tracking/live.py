"""What MLflow is told while an experiment trains. A store that fails costs one line of
warning, never the training.
"""

import contextlib
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Self

from pipeline.config.params import Experiment, Params
from pipeline.errors import UnrollError
from pipeline.tracking import runs, store
from pipeline.tracking.runs import Writer
from pipeline.workspace import Workspace

INTERVAL = 1.0
"""Seconds between two writes of a training: a call takes 5-15 ms, an epoch of the
smallest network 0.5 ms."""

NOT_RECORDED = "not recorded in MLflow"
"""The words by which the log of a training says that its run is not in MLflow."""

PATIENCE = 10.0
"""Seconds that a training waits for a replay of the same experiment to end."""


class Recording:
    """A training in MLflow while it runs: `epoch` sends its curves, `finish` records
    the run folder.

    A `with` block that ends without `finish` leaves FAILED runs, or KILLED ones if it
    was interrupted.
    """

    def __init__(self, workspace: Workspace, name: str, experiment: Experiment) -> None:
        self._workspace = workspace
        self._name = name
        self._experiment = experiment
        self._writer: Writer | None = None
        self._failed = False
        self._written = -INTERVAL
        self._waiting: dict[int, list[tuple[int, Mapping[str, float]]]] = {}
        self._lock = contextlib.ExitStack()
        # A worker without a server's address leaves it to the machine that builds, which
        # has the run when it has ended.
        self._elsewhere = "UNROLL_WORKER" in os.environ and not os.environ.get(
            "MLFLOW_TRACKING_URI"
        )

    def __enter__(self) -> Self:
        if self._elsewhere:
            return self
        with self._unharmed():
            opened = store.connect(self._workspace)
            runs.end_abandoned(opened, self._workspace)
        # a replay of it that hangs is no reason not to train
        with contextlib.suppress(UnrollError):
            lock = store.experiment_lock(
                self._workspace, f"{self._experiment.dataset}/{self._name}"
            )
            self._lock.enter_context(store.hold(lock, PATIENCE))
        if not self._failed:
            with self._unharmed():
                self._writer = Writer(
                    opened, self._workspace, self._name, self._experiment, live=True
                )
                self._writer.run()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._lock:
            self._write()
            # if the store is away, `unroll track` ends them
            if self._writer is not None:
                with (
                    contextlib.suppress(UnrollError),
                    store.guard(self._writer.store.uri),
                ):
                    self._writer.end(
                        "KILLED"
                        if kind and not issubclass(kind, Exception)
                        else "FAILED"
                    )

    def resumed(self, histories: Mapping[int, list[dict[str, float]]]) -> None:
        """Record what an interrupted training had done; see
        `pipeline.training.job.Callback`.
        """
        for seed, history in histories.items():
            for epoch, values in enumerate(history, 1):
                self.epoch(seed, epoch, values)

    def epoch(self, seed: int, epoch: int, values: Mapping[str, float]) -> None:
        """Record an epoch (from 1) of a replicate; `values` is its line of history.csv."""
        self._waiting.setdefault(seed, []).append((epoch, dict(values)))
        if time.monotonic() - self._written >= INTERVAL:
            self._write()

    def finish(self) -> None:
        """Record the run folder, which is in place, and end the runs.

        If the store failed on the way, it may be back by now: what it lacks is
        recorded, too.
        """
        if self._elsewhere:
            return
        self._write()
        writer = self._writer
        self._writer = None
        with _warning():
            opened = store.connect(self._workspace)
            runs.record(
                opened, self._workspace, self._name, self._experiment, writer=writer
            )

    def _write(self) -> None:
        if self._writer is not None and not self._failed:
            with self._unharmed():
                for seed, points in self._waiting.items():
                    self._writer.epochs(seed, points)
        self._waiting.clear()
        self._written = time.monotonic()

    @contextlib.contextmanager
    def _unharmed(self) -> Iterator[None]:
        """From the first failure on nothing is written until the end, so that a dead
        server is not waited for.
        """
        try:
            with store.guard(""):
                yield
        except UnrollError:
            self._failed = True


def landed(workspace: Workspace, name: str, experiment: Experiment) -> None:
    """Record a run that a worker has trained, unless that worker did."""
    with _warning():
        list(runs.replay(workspace, {name: experiment}))


def scored(workspace: Workspace, config: Params, datasets: Sequence[str]) -> None:
    """Add evaluations to the MLflow runs of their trainings; those not recorded yet are
    left to `replay`.
    """
    if (
        not os.environ.get("MLFLOW_TRACKING_URI")
        and not store.database(workspace).exists()
    ):
        return  # nothing is recorded, so there is nothing to add to
    with _warning():
        experiments = {
            name: experiment
            for name, experiment in config.runs.items()
            if experiment.dataset in datasets
        }
        list(runs.replay(workspace, experiments, new=False))


@contextlib.contextmanager
def _warning() -> Iterator[None]:
    """An error of the store is a line on stderr."""
    try:
        yield
    except UnrollError as error:
        sys.stderr.write(
            f"warning: {NOT_RECORDED}: {error}. `unroll track` records it later\n"
        )
