"""MLflow runs of one training: a parent for the experiment, a child per seed; the same live and replayed."""

import json
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pipeline.fingerprint import brief
from pipeline.tracking import content, figures, store
from pipeline.tracking.content import Outcome, Subject
from pipeline.tracking.store import Store

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
        children: seed -> run id, filled by `child`.
    """

    store: Store
    subject: Subject
    experiment: str
    data: str
    how: How
    parent: str
    children: dict[int, str] = field(default_factory=dict)


def start(opened: Store, subject: Subject, data: str, how: How) -> Runs:
    """Start the parent run of a training; arguments as in `Runs`."""
    experiment = data_set(opened, subject.title, subject.facts)
    tags = {"unroll.level": "experiment", "unroll.dataset_hash": data, "unroll.recorded": how}
    parent = _create(opened, subject, experiment, subject.label, tags)
    return Runs(opened, subject, experiment, data, how, parent)


def data_set(opened: Store, title: str, facts: Mapping[str, Any]) -> str:
    """The id of a data set's MLflow experiment, made if need be.

    Args:
        opened: the store.
        title: of the MLflow experiment.
        facts: at least kind, metric and stand_in, as in dataset.json.
    """
    note = content.STAND_IN if facts["stand_in"] else f"{facts['kind']}, compared by {facts['metric']}"
    # The kind tells MLflow's page that these are models in training, not language model applications.
    tags = {"mlflow.note.content": note, "mlflow.experimentKind": "custom_model_development"}
    return store.experiment(opened, title, tags)


def child(runs: Runs, seed: int) -> str:
    """The run id of a replicate, started if need be."""
    if seed not in runs.children:
        tags = {"unroll.level": "replicate", "unroll.seed": str(seed), "mlflow.parentRunId": runs.parent}
        tags |= {"unroll.dataset_hash": runs.data, "unroll.recorded": runs.how}
        label = f"{runs.subject.label} seed {seed}"
        runs.children[seed] = _create(runs.store, runs.subject, runs.experiment, label, tags)
    return runs.children[seed]


def _create(opened: Store, subject: Subject, experiment: str, label: str, tags: Mapping[str, str]) -> str:
    from mlflow.entities import Dataset, DatasetInput, InputTag, Param

    run = opened.client.create_run(experiment, tags={**subject.tags, **tags}, run_name=label)
    run_id = str(run.info.run_id)
    params = subject.params | ({"seed": tags["unroll.seed"]} if "unroll.seed" in tags else {})
    opened.client.log_batch(run_id, params=[Param(key, value) for key, value in params.items()])
    examples = subject.facts["examples"]
    dataset = Dataset(
        name=subject.title,
        digest=tags["unroll.dataset_hash"][:DIGEST],
        source_type="local",
        source=json.dumps({"uri": f"data/prepared/{subject.dataset}"}),
        profile=json.dumps({"num_rows": sum(examples.values()), "examples": examples}),
    )
    # MLflow looks for the data set before it adds it: two trainings that start at once would both add it.
    with store.locked(opened.lock, store.PATIENCE):
        opened.client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])])
    return run_id


def log(opened: Store, run_id: str, points: Points) -> None:
    """Log metrics by step, in as few calls as may be."""
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    metrics = [Metric(name, value, now, step) for step, values in points for name, value in values.items()]
    for first in range(0, len(metrics), LIMIT):
        opened.client.log_batch(run_id, metrics=metrics[first : first + LIMIT])


def complete(runs: Runs, outcome: Outcome, folder: Path) -> None:
    """Add what a training left on disk, then end its runs: FINISHED with a fingerprint says that all is there.

    Args:
        runs: their metrics by epoch are logged already.
        outcome: what is in the folder.
        folder: run.json, history.csv, predictions.npz and weights.
    """
    client, lines = runs.store.client, outcome.lines
    summaries = content.summary(outcome.run, lines)
    parts = outcome.run["fingerprint"]
    tags = {
        f"unroll.{part}_hash": value for part, value in parts.items() if part != "data"
    }  # it is a tag from the start
    tags |= {"unroll.fingerprint": outcome.fingerprint, "unroll.brief": brief(parts)}
    for seed, values in summaries.items():
        run_id = child(runs, seed)
        log(runs.store, run_id, [(0, values)])
        for path in sorted((folder / "weights").glob(f"seed_{seed}_*")):
            client.log_artifact(run_id, str(path), "weights")
        _tag(runs.store, run_id, tags)
    log(runs.store, runs.parent, [*content.mean_history(lines), (0, content.means(list(summaries.values())))])
    for name in ("run.json", "history.csv"):
        client.log_artifact(runs.parent, str(folder / name))
    with tempfile.TemporaryDirectory() as plots:
        figures.curves(lines, runs.subject.label, Path(plots) / "loss.png")
        client.log_artifacts(runs.parent, plots, "plots")
    _tag(runs.store, runs.parent, tags)
    end(runs, "FINISHED")


def end(runs: Runs, status: str) -> None:
    """End every run; a replayed one took no time."""
    for run_id in [*runs.children.values(), runs.parent]:
        started = runs.store.client.get_run(run_id).info.start_time if runs.how == "replay" else None
        runs.store.client.set_terminated(run_id, status, end_time=started)


def _tag(opened: Store, run_id: str, tags: Mapping[str, str]) -> None:
    from mlflow.entities import RunTag

    opened.client.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()])
