"""Recording what a stage left on disk while nobody recorded it: taken from DVC's cache, or MLflow was away."""

import contextlib
from collections.abc import Callable
from pathlib import Path

from pipeline.config.params import Experiment, Params
from pipeline.errors import UnrollError
from pipeline.evaluation import schema
from pipeline.evaluation.schema import Evaluation
from pipeline.provenance import fingerprint, record
from pipeline.provenance.record import Record
from pipeline.tracking import payload, queries, runs, store
from pipeline.tracking.payload import Subject
from pipeline.tracking.store import Store
from pipeline.training import run_folder
from pipeline.training.run_folder import Run
from pipeline.workspace import Workspace

Progress = Callable[[str, int, int], None]
"""Told of the experiment, how many came before it, and how many there are."""


def replay(workspace: Workspace, params: Params, progress: Progress | None = None) -> list[tuple[str, str]]:
    """Record every run on disk in MLflow, once: what is there with its fingerprint is left as it is.

    Runs of trainings that were killed are ended.

    Args:
        workspace: where the runs are.
        params: params.yaml; experiments that it does not name are ignored.
        progress: told before each experiment.

    Returns:
        (experiment, action), in the order of params.yaml. The action is "recorded", "updated" (newly the current
        run, or its evaluation has changed), "present", "not built", or "skipped: " and the reason.

    Raises:
        UnrollError: the store cannot be used.
    """
    built = {name for name, e in params.experiments.items() if (workspace.run(e.dataset, name) / "run.json").exists()}
    opened = store.connect(workspace) if built or store.database(workspace).exists() else None
    if opened is not None:
        _end_abandoned(opened, workspace)
    evaluated: dict[str, Evaluation | None] = {}
    actions = []
    for place, (name, experiment) in enumerate(params.experiments.items()):
        if progress is not None:
            progress(name, place, len(params.experiments))
        if opened is None or name not in built:
            actions.append((name, "not built"))
            continue
        if experiment.dataset not in evaluated:
            evaluated[experiment.dataset] = _evaluation(workspace, experiment.dataset)
        actions.append((name, _action(opened, workspace, name, experiment, evaluated[experiment.dataset])))
    return actions


def _end_abandoned(opened: Store, workspace: Workspace) -> None:
    """A training that is at work holds its experiment's lock."""
    with store.guard(opened.uri):
        for group, name, variant in queries.running(opened):
            with contextlib.suppress(UnrollError), store.hold(store.experiment_lock(workspace, name, variant), 0):
                queries.end_abandoned(opened, group, name, variant)


def _evaluation(workspace: Workspace, dataset: str) -> Evaluation | None:
    folder = workspace.evaluation(dataset)
    return schema.load(folder) if (folder / "evaluation.json").exists() else None


def _action(
    opened: Store, workspace: Workspace, name: str, experiment: Experiment, evaluated: Evaluation | None
) -> str:
    folder = workspace.run(experiment.dataset, name)
    with contextlib.ExitStack() as stack:
        try:
            found_record = made(workspace, experiment.dataset, name)
            origin = payload.origin(found_record) if found_record else {}
            subject, run = payload.subject(workspace, name, experiment, origin), run_folder.load(folder)
            mark = fingerprint.run(folder)
            stack.enter_context(store.hold(store.experiment_lock(workspace, name), 0))
        except UnrollError as error:
            return f"skipped: {error}"
        stack.enter_context(store.guard(opened.uri))
        group = runs.data_set(opened, subject.title, subject.data)
        found = queries.recorded(queries.parents(opened, group, name), mark)
        if found is None and run.summary.fingerprint["params"] != fingerprint.params(experiment):
            return "skipped: params.yaml says otherwise by now; `unroll repro` trains it anew"
        run_id = found.info.run_id if found else _record(opened, subject, run, mark, folder, found_record)
        parents = queries.parents(opened, group, name)
        changed = queries.make_current(opened, parents, run_id)
        parent = queries.recorded(parents, mark)
        if parent is not None and evaluated is not None:
            changed |= queries.score(opened, workspace, parent, evaluated)
        if found is None:
            return "recorded"
        return "updated" if changed else "present"


def made(workspace: Workspace, dataset: str, name: str) -> Record | None:
    """Where and when a run was made, if its record is here; this process may run on another machine."""
    with contextlib.suppress(UnrollError):
        return record.read(workspace, dataset, name)
    return None


def _record(opened: Store, subject: Subject, run: Run, mark: str, folder: Path, where: Record | None) -> str:
    began = payload.times(where)[0] if where else None
    recording = runs.start(opened, subject, run.summary.fingerprint["data"], "replay", began)
    for seed, points in payload.points(run.history).items():
        runs.log(opened, runs.child(recording, seed), points)
    runs.complete(recording, run, mark, folder, where)
    return recording.parent
