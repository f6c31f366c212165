"""Runs that MLflow has already: found, marked as current, ended if abandoned, given their scores."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import tables
from pipeline.evaluation.schema import Evaluation
from pipeline.tracking import figures, payload, views
from pipeline.tracking.runs import log
from pipeline.tracking.store import Store
from pipeline.workspace import Workspace

if TYPE_CHECKING:
    from mlflow.entities import Run


def search(opened: Store, group: str, **tags: str) -> list["Run"]:
    """The runs of the MLflow experiment with this id that have these `unroll` tags, newest first."""
    query = " and ".join(f"tags.`unroll.{name}` = '{value}'" for name, value in tags.items())
    found: list[Run] = []
    token: str | None = None
    while True:
        page = opened.client.search_runs([group], query, page_token=token)
        found += page
        token = page.token
        if not token:
            return found


def parents(opened: Store, group: str, name: str) -> list["Run"]:
    """The parent runs of an experiment's trainings, newest first."""
    return search(opened, group, level="experiment", experiment=name)


def recorded(found: list["Run"], fingerprint: str) -> "Run | None":
    """The parent that holds all of the run with this fingerprint."""
    for run in found:
        if run.info.status == "FINISHED" and run.data.tags.get("unroll.fingerprint") == fingerprint:
            return run
    return None


def make_current(opened: Store, found: list["Run"], run_id: str) -> bool:
    """Tag one parent as the run that is on disk, and no other of its kind; says whether anything changed.

    An experiment of DVC is a kind of its own: it stands beside the run that it started from, and replaces none.
    """
    changed, kinds = False, {run.info.run_id: _variant(run) for run in found}
    for run in [run for run in found if kinds[run.info.run_id] == kinds.get(run_id)]:
        current = str(run.info.run_id == run_id).lower()
        if run.data.tags.get("unroll.current", "false") != current:
            opened.client.set_tag(run.info.run_id, "unroll.current", current)
            changed = True
    return changed


def _variant(run: "Run") -> str:
    """The experiment of DVC that a run belongs to; empty for an ordinary build."""
    return str(run.data.tags.get("unroll.dvc_experiment", ""))


def running(opened: Store) -> set[tuple[str, str, str]]:
    """MLflow experiment (its id), experiment and experiment of DVC of each run of this place that has no end yet."""
    groups = [group.experiment_id for group in opened.client.search_experiments()]
    found = [run for run in opened.client.search_runs(groups, "attributes.status = 'RUNNING'") if _ours(opened, run)]
    names = {(run.info.experiment_id, run.data.tags.get("unroll.experiment", ""), _variant(run)) for run in found}
    return {(group, name, variant) for group, name, variant in names if name}


def addresses(opened: Store) -> dict[str, str]:
    """What each data set's MLflow experiment is called -> where MLflow's page shows its experiments by score."""
    found = sorted(opened.client.search_experiments(), key=lambda group: int(group.experiment_id))
    return {group.name: views.address(group.experiment_id) for group in found if views.TAG in group.tags}


def end_abandoned(opened: Store, group: str, name: str, variant: str) -> None:
    """End what a process left running that was killed, or that the store was not there for when it ended.

    The caller holds the experiment's lock, so nobody is at work on it.
    """
    for run in search(opened, group, experiment=name):
        if run.info.status == "RUNNING" and _variant(run) == variant and _ours(opened, run):
            opened.client.set_terminated(run.info.run_id, "KILLED")


def _ours(opened: Store, run: "Run") -> bool:
    """Whether a run was made here: in a shared store, its process may live on another machine."""
    return opened.own or run.data.tags.get("unroll.place") == opened.place


def end_worker(opened: Store, worker: str) -> int:
    """End what a worker of a cluster left running; how many runs. In `worker`, % stands for any text."""
    groups = [group.experiment_id for group in opened.client.search_experiments()]
    query = f"attributes.status = 'RUNNING' and tags.`unroll.worker` LIKE '{worker}'"
    found = opened.client.search_runs(groups, query) if groups else []
    for run in found:
        opened.client.set_terminated(run.info.run_id, "KILLED")
    return len(found)


def score(opened: Store, workspace: Workspace, parent: "Run", evaluated: Evaluation) -> bool:
    """Bring the metrics of a parent and its children to an evaluation; says whether anything changed.

    Args:
        opened: the store.
        workspace: holds the evaluation's predictions.csv.
        parent: the run that is on disk.
        evaluated: the evaluation of its data set.
    """
    name, run_id = parent.data.tags["unroll.experiment"], parent.info.run_id
    entry = evaluated.experiments.get(name)
    if entry is None or entry.fingerprint != parent.data.tags["unroll.brief"]:  # not evaluated since it was trained
        return False
    overall, each = payload.scores(evaluated, name)
    if not _update(opened, parent, overall):
        return False
    for child in search(opened, parent.info.experiment_id, level="replicate", experiment=name):
        if child.data.tags["mlflow.parentRunId"] == run_id:
            _update(opened, child, each.get(int(child.data.tags["unroll.seed"]), {}))
    table = tables.read(workspace.evaluation(evaluated.dataset.name) / "tables" / "predictions.csv")
    with tempfile.TemporaryDirectory() as plots:
        figures.predictions(table, evaluated.dataset, name, Path(plots) / "predictions.svg")
        opened.client.log_artifacts(run_id, plots, "plots")
    return True


def _update(opened: Store, run: "Run", values: Mapping[str, float]) -> bool:
    new = {name: value for name, value in values.items() if run.data.metrics.get(name) != value}
    log(opened, run.info.run_id, [(0, new)])
    return bool(new)
