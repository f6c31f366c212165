"""Recording what a stage left on disk while nobody recorded it: taken from DVC's cache, or MLflow was away."""

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pipeline import fingerprint, provenance
from pipeline import params as parameters
from pipeline.errors import UnrollError
from pipeline.params import Params
from pipeline.storage import Workspace, read_json
from pipeline.tracking import archive, content, runs, store
from pipeline.tracking.content import Outcome, Subject
from pipeline.tracking.store import Store

Progress = Callable[[str, int, int], None]
"""Told of the experiment, how many came before it, and how many there are."""


def replay(workspace: Workspace, progress: Progress | None = None) -> list[tuple[str, str]]:
    """Record every run on disk in MLflow, once: what is there with its fingerprint is left as it is.

    Runs of trainings that were killed are ended.

    Args:
        workspace: experiments that its params.yaml does not name are ignored.
        progress: told before each experiment.

    Returns:
        (experiment, action), in the order of params.yaml. The action is "recorded", "updated" (newly the current
        run, or its evaluation has changed), "present", "not built", or "skipped: " and the reason.

    Raises:
        UnrollError: params.yaml is wrong, or the store cannot be used.
    """
    params = parameters.load(workspace.params)
    built = {name for name, e in params.experiments.items() if (workspace.run(e.dataset, name) / "run.json").exists()}
    opened = store.connect(workspace) if built or store.database(workspace).exists() else None
    if opened is not None and opened.own:
        _end_abandoned(opened, workspace)
    evaluated: dict[str, Mapping[str, Any]] = {}
    actions = []
    for place, (name, experiment) in enumerate(params.experiments.items()):
        if progress is not None:
            progress(name, place, len(params.experiments))
        if opened is None or name not in built:
            actions.append((name, "not built"))
            continue
        if experiment.dataset not in evaluated:
            evaluated[experiment.dataset] = _evaluation(workspace, experiment.dataset)
        actions.append((name, _action(opened, workspace, params, name, evaluated[experiment.dataset])))
    return actions


def _end_abandoned(opened: Store, workspace: Workspace) -> None:
    """A training that is at work holds its experiment's lock."""
    with store.guard(opened.uri):
        for group, name in archive.running(opened):
            with contextlib.suppress(UnrollError), store.locked(store.experiment_lock(workspace, name), 0):
                archive.end_abandoned(opened, group, name)


def _evaluation(workspace: Workspace, dataset: str) -> Mapping[str, Any]:
    path = workspace.evaluation(dataset) / "evaluation.json"
    evaluated: Mapping[str, Any] = read_json(path) if path.exists() else {"experiments": {}}
    return evaluated


def _action(opened: Store, workspace: Workspace, params: Params, name: str, evaluated: Mapping[str, Any]) -> str:
    experiment = params.experiments[name]
    folder = workspace.run(experiment.dataset, name)
    with contextlib.ExitStack() as stack:
        try:
            made = _made(workspace, experiment.dataset, name)
            subject, outcome = content.subject(workspace, params, name, made=made), content.outcome(folder)
            stack.enter_context(store.locked(store.experiment_lock(workspace, name), 0))
        except UnrollError as error:
            return f"skipped: {error}"
        stack.enter_context(store.guard(opened.uri))
        group = runs.data_set(opened, subject.title, subject.facts)
        found = archive.recorded(archive.parents(opened, group, name), outcome.fingerprint)
        if found is None and outcome.run["fingerprint"]["params"] != fingerprint.params(experiment.model_dump()):
            return "skipped: params.yaml says otherwise by now; `unroll repro` trains it anew"
        action = "present" if found else "recorded"
        run_id = found.info.run_id if found else _record(opened, subject, outcome, folder)
        parents = archive.parents(opened, group, name)
        changed = archive.make_current(opened, parents, run_id)
        parent = archive.recorded(parents, outcome.fingerprint)
        if parent is not None:
            changed |= archive.score(opened, workspace, parent, evaluated)
        return "updated" if found and changed else action


def _made(workspace: Workspace, dataset: str, name: str) -> dict[str, str]:
    """Tags for where a run was made, as far as its record says; this process may run on another machine."""
    with contextlib.suppress(UnrollError):
        return content.origin(provenance.read(workspace, dataset, name))
    return {}


def _record(opened: Store, subject: Subject, outcome: Outcome, folder: Path) -> str:
    recording = runs.start(opened, subject, outcome.run["fingerprint"]["data"], "replay")
    for seed, points in outcome.lines.items():
        runs.log(opened, runs.child(recording, seed), points)
    runs.complete(recording, outcome, folder)
    return recording.parent
