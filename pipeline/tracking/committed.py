"""Logging of committed results: experiments that were trained elsewhere.

The scores are those of results/evaluations, and the parameters those of params.yaml.
"""

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pipeline.config.params import Params, own_name
from pipeline.evaluation import answers_file
from pipeline.evaluation.schema import PREFIXES, About, Entry
from pipeline.tracking import view
from pipeline.tracking.runs import parameters
from pipeline.tracking.store import Store
from pipeline.workspace import Workspace

if TYPE_CHECKING:
    from mlflow.entities import Run as MlflowRun

MARK = " (committed)"
"""The ending of the name of a run that has committed results."""


def log(opened: Store, workspace: Workspace, config: Params) -> int:
    """Log the committed results of each experiment that has no run here.

    Such a run has no curves, no seeds and no model. It is current until the experiment
    is trained here, or until other results are committed.

    Args:
        opened: the store.
        workspace: the workspace with results/.
        config: params.yaml, as it was when the results were made.

    Returns:
        The number of experiments whose committed results are shown.

    Raises:
        UnrollError: an evaluation is damaged, or claims.yaml is wrong.
    """
    published = answers_file.published(workspace)
    current = _current(opened)
    shown = 0
    for dataset, evaluation in answers_file.evaluations(workspace, config).items():
        about = evaluation.dataset
        group = ""
        for name, entry in evaluation.experiments.items():
            logged = current.get((view.title(about), name))
            has_run = (workspace.run(dataset, name) / "run.json").exists()
            if has_run or (logged and "committed" not in logged.data.tags):
                continue
            shown += 1
            mark = hashlib.sha256(entry.model_dump_json().encode()).hexdigest()
            if logged and logged.data.tags["fingerprint"] == mark:
                continue
            if logged:
                opened.client.set_tag(logged.info.run_id, "current", "false")
            group = group or opened.experiment(view.title(about))
            whole_name = f"{dataset}/{name}"
            documents = view.documents(published, whole_name)
            _log(opened, group, config, whole_name, about, entry, mark, documents)
    return shown


def _current(opened: Store) -> "dict[tuple[str, str], MlflowRun]":
    """Return MLflow experiment and experiment -> its current run.

    Runs of `dvc exp` do not count.
    """
    groups = {
        group.experiment_id: group.name for group in opened.client.search_experiments()
    }
    return {
        (groups[run.info.experiment_id], run.data.tags["experiment"]): run
        for run in opened.search(view.CURRENT)
        if "dvc_experiment" not in run.data.tags
    }


def _log(
    opened: Store,
    group: str,
    config: Params,
    name: str,
    about: About,
    entry: Entry,
    mark: str,
    documents: list[str],
) -> None:
    experiment = config.experiment(name)
    metrics = _metrics(entry, about.metric)
    note = view.note(experiment, about, metrics, documents)
    tags = {
        "experiment": own_name(name),
        "dataset": about.name,
        "committed": "true",
        "current": "true",
        "fingerprint": mark,
        "mlflow.source.name": f"results/evaluations/{about.name}/evaluation.json",
        "mlflow.source.type": "LOCAL",
        view.NOTE: f"Committed results, trained elsewhere. {note}",
    }
    label = f"{own_name(name)}{view.MARK if about.stand_in else ''}{MARK}"
    run = opened.client.create_run(group, None, tags, label)
    opened.log(run.info.run_id, [(0, metrics)], parameters(own_name(name), experiment))
    opened.client.set_terminated(run.info.run_id, "FINISHED", run.info.start_time)


def _metrics(entry: Entry, metric: str) -> Mapping[str, float]:
    """Return name of a metric -> its value, by the names of a run that is trained here.

    The data set's own measure comes first.
    """
    metrics: dict[str, float] = {}
    for split, prefix in PREFIXES.items():
        for measure, stat in entry.chosen.get(split, {}).items():
            metrics[f"{prefix}{measure}"] = stat.mean
            if stat.std is not None:
                metrics[f"{prefix}{measure}_std"] = stat.std
    metrics["parameters"] = float(entry.parameters)
    if entry.best_epoch:
        metrics["best_epoch"] = entry.best_epoch.mean
    own = (metric, f"{metric}_std", f"validation_{metric}", f"validation_{metric}_std")
    return dict(sorted(metrics.items(), key=lambda item: item[0] not in own))
