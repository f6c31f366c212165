"""MLflow runs of one training: a parent for the experiment, a child per seed."""

import json
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Literal

from pipeline.data.dataset import Description
from pipeline.evaluation.schema import About
from pipeline.provenance.fingerprint import brief
from pipeline.provenance.record import Record
from pipeline.tracking import payload, store
from pipeline.tracking.payload import Points, Subject
from pipeline.tracking.store import Store
from pipeline.training.run_folder import Run

if TYPE_CHECKING:
    from mlflow.entities import Experiment

LIMIT = 1000
"""Metrics in one call, at most."""


def data_set(opened: Store, data: Description | About) -> str:
    """The id of a data set's MLflow experiment; made, or brought back from the bin, if need be.

    Raises StoreError if the workspace was copied or moved.
    """
    title = payload.title(data)
    location = (opened.artifacts / title.replace(" ", "_")).as_uri() if opened.artifacts else None
    with store.guard(opened.uri):
        found = opened.client.get_experiment_by_name(title) or _create(opened, data, location)
        if location and opened.place == store.OWN and found.artifact_location != location:
            raise store.StoreError(
                f"mlflow.db was made in another folder (its files lie in {found.artifact_location}); "
                "delete mlflow.db and mlartifacts here, then run `unroll track`"
            )
        if found.lifecycle_stage == "deleted":
            opened.client.restore_experiment(found.experiment_id)
        return str(found.experiment_id)


def _create(opened: Store, data: Description | About, location: str | None) -> "Experiment":
    from mlflow.exceptions import MlflowException

    title = payload.title(data)
    try:
        made = opened.client.create_experiment(title, artifact_location=location)
    except MlflowException:  # another process may have been first
        if found := opened.client.get_experiment_by_name(title):
            return found
        raise
    what = payload.STAND_IN if data.stand_in else f"{data.kind}, compared by {data.metric}."
    opened.client.set_experiment_tag(made, "mlflow.note.content", f"{what} [By score]({payload.address(made)})")
    opened.client.set_experiment_tag(made, f"mlflow.sharedViewState.{payload.VIEW}", payload.view(data.metric))
    return opened.client.get_experiment(made)


def log(
    opened: Store,
    run_id: str,
    points: Points,
    tags: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
) -> None:
    """Log metrics by step, tags and parameters in as few calls as may be: each is a transaction."""
    from mlflow.entities import Metric, Param, RunTag

    now = int(time.time() * 1000)
    metrics = [Metric(name, value, now, step) for step, values in points for name, value in values.items()]
    # With the last of the metrics, so that what has a fingerprint has them all.
    said = [Param(*each) for each in (params or {}).items()]
    marks = [RunTag(*each) for each in (tags or {}).items()]
    whole = max(0, len(metrics) - LIMIT + len(said) + len(marks))
    for first in range(0, whole, LIMIT):
        opened.client.log_batch(run_id, metrics=metrics[first : min(first + LIMIT, whole)])
    if metrics[whole:] or said or marks:
        opened.client.log_batch(run_id, metrics=metrics[whole:], params=said, tags=marks)


class Runs:
    """The runs of one training, each made when it is first asked for.

    The training is running, or was found on disk (`replay`): then `began` says when it did, if that is known.
    """

    def __init__(
        self, opened: Store, subject: Subject, how: Literal["live", "replay"], began: datetime | None = None
    ) -> None:
        self.store, self.subject, self.how, self.began = opened, subject, how, began
        self.group = data_set(opened, subject.data)
        self._ids: dict[int | None, str] = {}
        self._sent: dict[int, int] = {}  # seed -> the last epoch that is logged
        self._ended = False

    def run(self, seed: int | None = None) -> str:
        """The id of a replicate's run, or of the parent; one that has no other is its own parent."""
        if self.subject.alone:
            seed = None
        if seed in self._ids:
            return self._ids[seed]
        tags = self.subject.tags | {"recorded": self.how, "place": self.store.place}
        tags["level"] = "experiment" if seed is None else "replicate"
        label, params = self.subject.label, dict(self.subject.params)
        if seed is not None:
            tags |= {"seed": str(seed), "mlflow.parentRunId": self.run()}
            label, params = f"{label} seed {seed}", params | {"seed": str(seed)}
        client, began = self.store.client, _milliseconds(self.began)
        # Known before it is complete, so that whatever fails from here on, somebody can end it.
        made = client.create_run(self.group, start_time=began, tags=tags, run_name=label)
        self._ids[seed] = str(made.info.run_id)
        log(self.store, self._ids[seed], [], params=params)
        return self._ids[seed]

    def epochs(self, seed: int, points: Points) -> None:
        """Log those epochs of a replicate that are not logged yet."""
        if new := [(epoch, values) for epoch, values in points if epoch > self._sent.get(seed, 0)]:
            log(self.store, self.run(seed), new)
            self._sent[seed] = new[-1][0]

    def used(self, seconds: int, values: Mapping[str, float]) -> None:
        """Log what the training takes of the machine, so many seconds after its start."""
        log(self.store, self.run(), [(seconds, values)])

    def complete(self, run: Run, mark: str, folder: Path, made: Record | None) -> None:
        """Add what a training left in its folder, then end the runs: FINISHED with a fingerprint, all is there.

        `mark` is the folder's fingerprint.
        """
        parts, summaries = run.summary.fingerprint, payload.summary(run.summary)
        tags = {f"{'dataset' if part == 'data' else part}_hash": value for part, value in parts.items()}
        tags |= {"fingerprint": mark, "brief": brief(parts)}
        for seed, values in summaries.items() if not self.subject.alone else ():
            curves, sent = run.history[run.history["seed"] == seed], self._sent.get(seed, 0)
            log(self.store, self.run(seed), [*payload.points(curves[curves["epoch"] > sent]), (0, values)], tags)
        overall = {key: fmean(one[key] for one in summaries.values()) for key in summaries[run.summary.seeds[0]]}
        if made is not None:
            seconds = datetime.fromisoformat(made.ended) - datetime.fromisoformat(made.started)
            overall["seconds"] = seconds.total_seconds()
        self._input(parts["data"])
        for name in ("run.json", "history.csv"):
            self.store.client.log_artifact(self.run(), str(folder / name))
        if any((folder / "weights").iterdir()):
            self.store.client.log_artifacts(self.run(), str(folder / "weights"), "weights")
        sent = max(self._sent.values(), default=0) if self.subject.alone else 0
        points = payload.points(run.history[run.history["epoch"] > sent])
        log(self.store, self.run(), [*points, (0, overall)], tags | {"current": "true"})
        self.end("FINISHED", datetime.fromisoformat(made.ended) if made else None)

    def end(self, status: str, ended: datetime | None = None) -> None:
        """End every run that has not ended; a replayed one took no time, unless it is known when it was made."""
        client = self.store.client
        for run_id in [] if self._ended else [*self._ids.values()][::-1]:
            known = _milliseconds(ended) if self.began else None
            if known is None and self.how == "replay":
                known = client.get_run(run_id).info.start_time
            client.set_terminated(run_id, status, end_time=known)
        self._ended = True

    def _input(self, digest: str) -> None:
        """Say what was trained on, of the parent alone."""
        from mlflow.entities import Dataset, DatasetInput, InputTag
        from mlflow.exceptions import MlflowException

        examples = self.subject.data.examples
        data = Dataset(
            name=payload.title(self.subject.data),
            digest=digest[:12],  # MLflow takes 36 and shows it in a column; all 64 are in a tag
            source_type="local",
            source=json.dumps({"uri": f"data/prepared/{self.subject.data.name}"}),
            profile=json.dumps({"num_rows": sum(examples.values()), "examples": examples}),
        )
        inputs = [DatasetInput(data, [InputTag("mlflow.data.context", "training")])]
        try:
            self.store.client.log_inputs(self.run(), inputs)
        except MlflowException:
            # MLflow looks for the data set, then adds it: of two trainings at once one fails, and now finds it.
            self.store.client.log_inputs(self.run(), inputs)


def _milliseconds(moment: datetime | None) -> int | None:
    return int(moment.timestamp() * 1000) if moment else None
