"""Recording what is on disk: at the end of a training, or later, if nobody recorded it or DVC had it in its cache."""

import contextlib
from collections.abc import Iterator
from datetime import datetime

from pipeline.config import params
from pipeline.config.params import Experiment, Params
from pipeline.data import dataset
from pipeline.errors import UnrollError
from pipeline.evaluation import schema
from pipeline.evaluation.schema import Evaluation
from pipeline.provenance import fingerprint
from pipeline.provenance import record as records
from pipeline.tracking import network, payload, queries, store
from pipeline.tracking.runs import Runs, data_set
from pipeline.tracking.store import Store, StoreError
from pipeline.training import run_folder
from pipeline.workspace import Workspace


def replay(workspace: Workspace, wanted: Params, *, new: bool = True) -> Iterator[tuple[str, str]]:
    """Record every run on disk in MLflow, once, and end the runs of trainings that were killed.

    Yields each experiment of params.yaml with what was done: as `record` says, "not built", or "skipped: " and the
    reason. Without `new`, what is not there is left to later. Raises UnrollError if the store cannot be used, or an
    evaluation is damaged.
    """
    built = {name for name, e in wanted.experiments.items() if (workspace.run(e.dataset, name) / "run.json").exists()}
    evaluations = {name: evaluation(workspace, name) for name in {wanted.experiments[name].dataset for name in built}}
    opened = store.connect(workspace) if built or store.database(workspace).exists() else None
    if opened is not None:
        with store.guard(opened.uri):
            queries.end_abandoned(opened, workspace)
    for name, experiment in wanted.experiments.items():
        action = "not built"
        if opened is not None and name in built:
            evaluated = evaluations[experiment.dataset]
            try:
                with store.hold(store.experiment_lock(workspace, name), 0):
                    action = record(opened, workspace, name, experiment, evaluated, new=new)
            except StoreError:
                raise
            except UnrollError as error:
                action = f"skipped: {error}"
        yield name, action


def evaluation(workspace: Workspace, name: str) -> Evaluation | None:
    """A data set's evaluation, if it is there. Raises UnrollError if it is damaged."""
    folder = workspace.evaluation(name)
    return schema.load(folder) if (folder / "evaluation.json").exists() else None


def record(
    opened: Store,
    workspace: Workspace,
    name: str,
    experiment: Experiment,
    evaluated: Evaluation | None = None,
    *,
    live: Runs | None = None,
    new: bool = True,
) -> str:
    """Bring MLflow to what is on disk of one experiment, whose lock is held, and to the evaluation of its data set.

    The runs are those that were started while it trained, with all its epochs (`live`), or those that have the
    fingerprint of what is on disk, or new ones. Says "recorded", "updated" (newly the current run, or its evaluation
    has changed), "present" or "not there". Raises StoreError if the store cannot be used, another UnrollError if the
    run is damaged or params.yaml describes another one by now.
    """
    mark = fingerprint.folder(workspace.run(experiment.dataset, name))
    with store.guard(opened.uri):
        group = data_set(opened, dataset.describe(workspace.prepared(experiment.dataset)))
        found = queries.parents(opened, group, name)
        parent = None if live else queries.recorded(found, mark)
        there = parent is not None
        if parent is None:
            if not new:
                return "not there"
            parent = opened.client.get_run(_complete(opened, workspace, name, experiment, mark, live))
            found = [parent, *(run for run in found if run.info.run_id != parent.info.run_id)]
        changed = queries.make_current(opened, found, parent)
        if evaluated is not None:
            changed |= queries.score(opened, parent, evaluated)
    return ("updated" if changed else "present") if there else "recorded"


def _complete(
    opened: Store, workspace: Workspace, name: str, experiment: Experiment, mark: str, live: Runs | None
) -> str:
    """The id of the parent."""
    folder, made = workspace.run(experiment.dataset, name), None
    run = run_folder.load(folder)
    settings = params.load(workspace.params).forecasts.get(experiment.dataset)
    if run.summary.fingerprint["params"] != fingerprint.params(experiment, settings):
        raise UnrollError(f"params.yaml says otherwise of {name} by now; `unroll repro` trains it anew")
    with contextlib.suppress(UnrollError):  # without a record nobody knows where and when it was made
        made = records.read(workspace, experiment.dataset, name)
    if live is None:
        origin = payload.origin(made) if made else {}
        began = datetime.fromisoformat(made.started) if made else None
        live = Runs(opened, payload.subject(workspace, name, experiment, origin), "replay", began)
    try:
        network.log(live, name, experiment, workspace.prepared(experiment.dataset), run, folder)
        live.complete(run, mark, folder, made)
    except BaseException:
        with contextlib.suppress(Exception):  # else it would be said to be running for good
            live.end("FAILED")
        raise
    return live.run()
