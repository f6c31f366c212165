"""Logging of committed results: experiments that were trained elsewhere.

The scores are those of results/evaluations, and the parameters those of params.yaml.
"""

import hashlib

from pipeline.config.params import Params
from pipeline.evaluation import answers_file
from pipeline.evaluation.schema import Entry
from pipeline.tracking import store
from pipeline.tracking.runs import PREFIXES, over_seeds, own_first, parameters
from pipeline.tracking.store import Store
from pipeline.workspace import Workspace

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
        UnrollError: an evaluation is damaged.
    """
    shown = 0
    for dataset, evaluation in answers_file.evaluations(workspace, config).items():
        about = evaluation.dataset
        group = opened.experiment(store.title(about))
        current = {
            run.data.tags["experiment"]: run
            for run in opened.search(store.CURRENT, group)
            if "dvc_experiment" not in run.data.tags
        }
        for name, entry in evaluation.experiments.items():
            logged = current.get(name)
            has_run = (workspace.run(dataset, name) / "run.json").exists()
            if has_run or (logged and "committed" not in logged.data.tags):
                continue
            shown += 1
            mark = hashlib.sha256(entry.model_dump_json().encode()).hexdigest()
            if logged and logged.data.tags["fingerprint"] == mark:
                continue
            if logged:
                opened.client.set_tag(logged.info.run_id, "current", "false")
            experiment = config.experiments_of(dataset)[name]
            metrics = _metrics(entry, about.metric)
            note = store.note(experiment, about, metrics)
            tags = {
                "experiment": name,
                "dataset": dataset,
                "committed": "true",
                "current": "true",
                "fingerprint": mark,
                "mlflow.source.name": f"results/evaluations/{dataset}/evaluation.json",
                "mlflow.source.type": "LOCAL",
                store.NOTE: f"Committed results, trained elsewhere. {note}",
            }
            label = f"{name}{store.MARK if about.stand_in else ''}{MARK}"
            run = opened.client.create_run(group, None, tags, label)
            options = parameters(name, experiment)
            opened.log(run.info.run_id, [(0, metrics)], options)
            opened.client.set_terminated(
                run.info.run_id, "FINISHED", run.info.start_time
            )
    return shown


def _metrics(entry: Entry, metric: str) -> dict[str, float]:
    """Return the metrics of a parent run, those of the data set's own metric first."""
    scores = {
        f"{prefix}{measure}": stat.values
        for split, prefix in PREFIXES.items()
        for measure, stat in entry.chosen.get(split, {}).items()
    }
    metrics = over_seeds(own_first(scores, metric))
    metrics["parameters"] = float(entry.parameters)
    if entry.best_epoch:
        metrics["best_epoch"] = entry.best_epoch.mean
    return metrics
