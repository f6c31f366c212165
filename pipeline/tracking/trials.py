"""A tuning in MLflow: a parent run, and a child for each trial, recorded once it has ended."""

import contextlib
import sys
from collections.abc import Iterator, Mapping

from pipeline.config.params import Experiment
from pipeline.errors import UnrollError
from pipeline.tracking import payload, runs, store
from pipeline.workspace import Workspace


class Record:
    """The runs of one tuning.

    Args:
        workspace: its data set must be prepared.
        name: the experiment.
        experiment: as in params.yaml.
        parent: the id of the run, if this tuning has one; None, or one that is gone: a new one is made.

    Attributes:
        parent: the id of the run; None where MLflow failed.
    """

    def __init__(self, workspace: Workspace, name: str, experiment: Experiment, parent: str | None) -> None:
        self._name = name
        self._subject = payload.subject(workspace, name, experiment)
        self.parent: str | None = None
        with self._unharmed():
            self._store = store.connect(workspace)
            with store.guard(self._store.uri):
                self._group = runs.data_set(self._store, self._subject.data)
                # Ended from the start: a tuning that is killed leaves no run that seems to go on.
                self.parent = self._known(parent) or self._run("tuning", {"level": "tuning"}, {}, "FINISHED")

    def add(
        self, number: int, experiment: Experiment, epochs: Mapping[int, float], score: float | None, best: float | None
    ) -> None:
        """Record a trial that has ended.

        Args:
            number: from 1.
            experiment: what was trained.
            epochs: epoch -> the measure on validation.
            score: what the trial came to; None for one that was given up.
            best: the best score of all trials; None where there is none.
        """
        if self.parent is None:
            return
        measure = f"validation_{self._subject.data.metric}"
        tags = {"level": "trial", "mlflow.parentRunId": self.parent}
        points: payload.Points = [(epoch, {measure: value}) for epoch, value in epochs.items()]
        with self._unharmed(), store.guard(self._store.uri):
            params = payload.options(self._name, experiment)
            child = self._run(f"trial {number}", tags, params, "KILLED" if score is None else "FINISHED")
            runs.log(self._store, child, points + ([(0, {"tuned": score})] if score is not None else []))
            runs.log(self._store, self.parent, [(number, {"tuned": best})] if best is not None else [])

    def _known(self, parent: str | None) -> str | None:
        from mlflow.exceptions import MlflowException

        with contextlib.suppress(MlflowException):
            if parent and self._store.client.get_run(parent).info.lifecycle_stage == "active":
                return parent
        return None

    def _run(self, what: str, tags: Mapping[str, str], params: Mapping[str, str], status: str) -> str:
        client = self._store.client
        tags = {**self._subject.tags, "mlflow.source.name": f"unroll tune {self._name}", "stage": "tune", **tags}
        run = client.create_run(self._group, tags=tags, run_name=f"{self._subject.label} {what}")
        runs.log(self._store, run.info.run_id, [], params=params)
        client.set_terminated(run.info.run_id, status)
        return str(run.info.run_id)

    @contextlib.contextmanager
    def _unharmed(self) -> Iterator[None]:
        """From the first failure on nothing more is recorded, so that a dead server is waited for once."""
        try:
            yield
        except UnrollError as error:
            self.parent = None
            sys.stderr.write(f"warning: not recorded in MLflow: {error}. The trials themselves are kept\n")
