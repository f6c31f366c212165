"""Runs that MLflow has already: found, marked as current, ended if abandoned, given their scores."""

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pipeline.data import dataset
from pipeline.errors import UnrollError
from pipeline.evaluation.schema import Evaluation
from pipeline.tracking import payload, store
from pipeline.tracking.runs import log
from pipeline.tracking.store import Store
from pipeline.workspace import Workspace

if TYPE_CHECKING:
    from mlflow.entities import Run


MANY = 50_000
"""As many runs as MLflow gives at once."""


def search(opened: Store, group: str, **tags: str) -> list["Run"]:
    """The runs of the MLflow experiment with this id that have these `unroll` tags, newest first."""
    query = " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())
    return list(opened.client.search_runs([group], query, max_results=MANY))


def parents(opened: Store, group: str, name: str) -> list["Run"]:
    """The parent runs of an experiment's trainings, newest first."""
    return search(opened, group, level="experiment", experiment=name)


def recorded(found: list["Run"], fingerprint: str) -> "Run | None":
    """The parent that holds all of the run with this fingerprint."""
    complete = (run for run in found if run.info.status == "FINISHED")
    return next((run for run in complete if run.data.tags.get("fingerprint") == fingerprint), None)


def make_current(opened: Store, found: list["Run"], chosen: "Run") -> bool:
    """Tag one parent as the run that is on disk, and no other of its kind; says whether anything changed.

    An experiment of DVC is a kind of its own: it stands beside the run that it started from, and replaces none.
    """
    changed = False
    for run in found:
        current = str(run.info.run_id == chosen.info.run_id).lower()
        if _variant(run) == _variant(chosen) and run.data.tags.get("current", "false") != current:
            opened.client.set_tag(run.info.run_id, "current", current)
            changed = True
    return changed


def _variant(run: "Run") -> str:
    """The experiment of DVC that a run belongs to; empty for an ordinary build."""
    return str(run.data.tags.get("dvc_experiment", ""))


def addresses(opened: Store, workspace: Workspace) -> dict[str, str]:
    """What the MLflow experiment of each data set here is called -> where MLflow's page shows its runs by score."""
    found = {}
    for path in sorted(workspace.prepared("").glob("*/dataset.json")):
        data = dataset.describe(path.parent)
        if group := opened.client.get_experiment_by_name(payload.title(data)):
            found[group.name] = payload.address(group.experiment_id)
    return found


def end_abandoned(opened: Store, workspace: Workspace) -> None:
    """End what processes of this workspace left running: they were killed, or the store was away when they ended."""
    for run in _running(opened, f"tags.`place` = '{opened.place}'"):
        lock = store.experiment_lock(workspace, run.data.tags["experiment"], _variant(run))
        with contextlib.suppress(UnrollError), store.hold(lock, 0):  # a training that is at work holds it
            opened.client.set_terminated(run.info.run_id, "KILLED")


def end_worker(opened: Store, worker: str) -> None:
    """End what a worker of a cluster left running. In `worker`, % stands for any text."""
    for run in _running(opened, f"tags.`worker` LIKE '{worker}'"):
        opened.client.set_terminated(run.info.run_id, "KILLED")


def _running(opened: Store, query: str) -> list["Run"]:
    groups = [group.experiment_id for group in opened.client.search_experiments()]
    query = f"attributes.status = 'RUNNING' and {query}"
    return list(opened.client.search_runs(groups, query, max_results=MANY)) if groups else []


def score(opened: Store, parent: "Run", evaluated: Evaluation) -> bool:
    """Bring the metrics of the parent that is on disk, and of its children, to the evaluation of its data set.

    Says whether anything changed.
    """
    name = parent.data.tags["experiment"]
    entry = evaluated.experiments.get(name)
    if entry is None or entry.fingerprint != parent.data.tags["brief"]:  # not evaluated since it was trained
        return False
    overall, each = payload.scores(evaluated, name)
    said, tags = payload.verdict(evaluated, name)
    model = parent.data.tags.get("mlflow.note.content", "").partition("\n")[0]
    if not _update(
        opened, parent, overall, tags | {"mlflow.note.content": payload.described(model, evaluated.dataset, said)}
    ):
        return False
    alone = len(entry.seeds) == 1
    for child in () if alone else search(opened, parent.info.experiment_id, level="replicate", experiment=name):
        if child.data.tags["mlflow.parentRunId"] == parent.info.run_id:
            _update(opened, child, each.get(int(child.data.tags["seed"]), {}))
    return True


def _update(opened: Store, run: "Run", values: Mapping[str, float], tags: Mapping[str, str] | None = None) -> bool:
    new = {name: value for name, value in values.items() if run.data.metrics.get(name) != value}
    said = {name: value for name, value in (tags or {}).items() if run.data.tags.get(name) != value}
    log(opened, run.info.run_id, [(0, new)], said)
    return bool(new or said)
