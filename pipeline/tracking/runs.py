"""MLflow runs of one training: a parent for the experiment, a child per seed; the same live and replayed."""

import json
import tempfile
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

from pipeline.data.dataset import Description
from pipeline.evaluation.schema import About
from pipeline.provenance.fingerprint import brief
from pipeline.provenance.record import Record
from pipeline.tracking import figures, payload, store, views
from pipeline.tracking.payload import Subject
from pipeline.tracking.store import Store
from pipeline.training.run_folder import Run

How = Literal["live", "replay"]

LIMIT = 1000
"""Metrics in one call, at most."""

DIGEST = 12
"""Characters of a data set's digest: MLflow takes 36 and shows it in a column; all 64 are in a tag."""

Points = Iterable[tuple[int, Mapping[str, float]]]
"""Steps and their metrics."""


@dataclass(frozen=True)
class Runs:
    """The runs of one training.

    Attributes:
        store: where they are.
        subject: what is trained.
        experiment: the id of the MLflow experiment.
        data: the hash of the data set.
        how: whether the training is running or was found on disk.
        parent: a run id.
        began: when the training did, where it was found on disk and that is known.
        children: seed -> run id, filled by `child`.
    """

    store: Store
    subject: Subject
    experiment: str
    data: str
    how: How
    parent: str
    began: datetime | None = None
    children: dict[int, str] = field(default_factory=dict)


def start(opened: Store, subject: Subject, data: str, how: How, began: datetime | None = None) -> Runs:
    """Start the parent run of a training; arguments as in `Runs`."""
    experiment = data_set(opened, subject.title, subject.data)
    tags = {"unroll.level": "experiment", "unroll.dataset_hash": data, "unroll.recorded": how}
    parent = _create(opened, subject, experiment, subject.label, tags, began)
    return Runs(opened, subject, experiment, data, how, parent, began)


def data_set(opened: Store, title: str, data: Description | About) -> str:
    """The id of a data set's MLflow experiment, made if need be.

    Args:
        opened: the store.
        title: of the MLflow experiment.
        data: the data set.
    """
    # The kind tells MLflow's page that these are models in training, not language model applications.
    tags = {"mlflow.experimentKind": "custom_model_development"}
    tags |= views.tags(data.metric, validation="validation" in data.examples)
    note = payload.STAND_IN if data.stand_in else f"{data.kind}, compared by {data.metric}."
    return store.experiment(opened, title, tags, lambda place: f"{note} {views.links(place)}")


def child(runs: Runs, seed: int) -> str:
    """The run id of a replicate, started if need be."""
    if seed not in runs.children:
        tags = {"unroll.level": "replicate", "unroll.seed": str(seed), "mlflow.parentRunId": runs.parent}
        tags |= {"unroll.dataset_hash": runs.data, "unroll.recorded": runs.how}
        label = f"{runs.subject.label} seed {seed}"
        runs.children[seed] = _create(runs.store, runs.subject, runs.experiment, label, tags, runs.began)
    return runs.children[seed]


def _create(
    opened: Store, subject: Subject, experiment: str, label: str, tags: Mapping[str, str], began: datetime | None
) -> str:
    from mlflow.entities import Param

    tags = {**subject.tags, **tags, "unroll.place": opened.place}
    run = opened.client.create_run(experiment, start_time=_milliseconds(began), tags=tags, run_name=label)
    run_id = str(run.info.run_id)
    params = subject.params | ({"seed": tags["unroll.seed"]} if "unroll.seed" in tags else {})
    try:
        opened.client.log_batch(run_id, params=[Param(key, value) for key, value in params.items()])
        if tags["unroll.level"] == "experiment":
            _input(opened, subject, run_id, tags["unroll.dataset_hash"])
    except Exception:  # nobody knows its id yet, who could end it
        with suppress(Exception):
            opened.client.set_terminated(run_id, "FAILED")
        raise
    return run_id


def _input(opened: Store, subject: Subject, run_id: str, data: str) -> None:
    """Say what a run was trained on."""
    from mlflow.entities import Dataset, DatasetInput, InputTag
    from mlflow.exceptions import MlflowException

    examples = subject.data.examples
    dataset = Dataset(
        name=subject.title,
        digest=data[:DIGEST],
        source_type="local",
        source=json.dumps({"uri": f"data/prepared/{subject.data.name}"}),
        profile=json.dumps({"num_rows": sum(examples.values()), "examples": examples}),
    )
    inputs = [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])]
    try:
        opened.client.log_inputs(run_id, inputs)
    except MlflowException:
        # MLflow looks for the data set, then adds it: of two first trainings at once one fails, and now finds it.
        opened.client.log_inputs(run_id, inputs)


def log(opened: Store, run_id: str, points: Points) -> None:
    """Log metrics by step, in as few calls as may be."""
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    metrics = [Metric(name, value, now, step) for step, values in points for name, value in values.items()]
    for first in range(0, len(metrics), LIMIT):
        opened.client.log_batch(run_id, metrics=metrics[first : first + LIMIT])


def complete(runs: Runs, run: Run, mark: str, folder: Path, made: Record | None) -> None:
    """Add what a training left on disk, then end its runs: FINISHED with a fingerprint says that all is there.

    Args:
        runs: their metrics by epoch are logged already.
        run: what is in the folder.
        mark: its fingerprint.
        folder: run.json, history.csv, predictions.npz and weights.
        made: where and when it was made; None where that is not known.
    """
    client = runs.store.client
    summaries, parts = payload.summary(run), run.summary.fingerprint
    # The data set's hash is a tag from the start.
    tags = {f"unroll.{part}_hash": value for part, value in parts.items() if part != "data"}
    tags |= {"unroll.fingerprint": mark, "unroll.brief": brief(parts)}
    for seed, values in summaries.items():
        run_id = child(runs, seed)
        log(runs.store, run_id, [(0, values)])
        _tag(runs.store, run_id, tags)
    overall, ended = payload.means(list(summaries.values())), None
    if made is not None:
        began, ended = payload.times(made)
        overall["seconds"] = (ended - began).total_seconds()
    log(runs.store, runs.parent, [*payload.mean_points(run.history), (0, overall)])
    for name in ("run.json", "history.csv"):
        client.log_artifact(runs.parent, str(folder / name))
    if any((folder / "weights").iterdir()):
        client.log_artifacts(runs.parent, str(folder / "weights"), "weights")
    with tempfile.TemporaryDirectory() as plots:
        figures.curves(run.history, f"Loss of {runs.subject.label}", Path(plots) / "loss.svg")
        client.log_artifacts(runs.parent, plots, "plots")
    _tag(runs.store, runs.parent, tags)
    end(runs, "FINISHED", ended)


def end(runs: Runs, status: str, ended: datetime | None = None) -> None:
    """End every run; a replayed one took no time, unless it is known when it was made."""
    for run_id in [*runs.children.values(), runs.parent]:
        known = _milliseconds(ended) if runs.began else None
        if known is None and runs.how == "replay":
            known = runs.store.client.get_run(run_id).info.start_time
        runs.store.client.set_terminated(run_id, status, end_time=known)


def _milliseconds(moment: datetime | None) -> int | None:
    return int(moment.timestamp() * 1000) if moment else None


def _tag(opened: Store, run_id: str, tags: Mapping[str, str]) -> None:
    from mlflow.entities import RunTag

    opened.client.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()])
