"""Logging of experiments in MLflow, once, from their run folders.

An experiment is a parent run, and each seed is a child run. An experiment that was
trained elsewhere has its committed results, if there are any.
"""

import contextlib
import getpass
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.config.params import Experiment, Params, own_name
from pipeline.data import dataset
from pipeline.data.dataset import Dataset, Description
from pipeline.data.examples import compared
from pipeline.errors import UnrollError
from pipeline.evaluation import schema
from pipeline.evaluation.schema import About, Entry, Split
from pipeline.evaluation.scores import measures, statistics
from pipeline.provenance import fingerprint
from pipeline.provenance import record as records
from pipeline.tracking import models, store
from pipeline.tracking.store import Points, Store, StoreError
from pipeline.training import run_folder, tasks
from pipeline.training.recipe import recipe
from pipeline.training.run_folder import Run
from pipeline.workspace import Workspace, dvc_experiment

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.entities import Run as MlflowRun


PREFIXES: dict[Split, str] = {"test": "", "validation": "validation_"}
"""Split -> what stands before the name of a measure of it."""

DIGEST = 8
"""The length of a data set's digest, as MLflow's own."""

SECTIONS = ("features", "rows", "model", "training")
"""Sections of an experiment whose options are parameters, such as `model.units`."""

COMMITTED = " (committed)"
"""The ending of the name of a run that has committed results."""


@dataclass(frozen=True)
class RunOnDisk:
    """A run to log, as it was read.

    Attributes:
        name: the full name of its experiment, such as waves/gru.
        experiment: the experiment's section of params.yaml.
        folder: the run's folder.
        record: the file of the run's record, which need not exist.
        run: what the folder holds.
        data: the data set.
    """

    name: str
    experiment: Experiment
    folder: Path
    record: Path
    run: Run
    data: Dataset


def on_disk(workspace: Workspace, name: str, experiment: Experiment) -> RunOnDisk:
    """Read the run of an experiment in runs/.

    Raises:
        UnrollError: a file is missing or damaged.
    """
    where = (experiment.dataset, own_name(name))
    return RunOnDisk(
        name,
        experiment,
        workspace.run(*where),
        workspace.record(*where),
        run_folder.load(workspace.run(*where)),
        dataset.load(
            workspace.prepared(experiment.dataset), calendar=experiment.calendar
        ),
    )


def trained(workspace: Workspace, finished: RunOnDisk) -> bool:
    """Log the run that a training has left, and return whether the store can be used.

    If logging fails, print a warning; the training goes on.
    """
    try:
        with store.opened(workspace) as opened:
            log(opened, finished)
    except UnrollError as error:
        sys.stderr.write(
            f"warning: not recorded in MLflow: {error}. "
            "`unroll track` records it later\n"
        )
        return not isinstance(error, StoreError)
    return True


def track(
    workspace: Workspace, experiments: Mapping[str, Experiment]
) -> Iterator[tuple[str, str]]:
    """Log the runs on disk that are not logged yet.

    Args:
        workspace: the workspace of the runs.
        experiments: full name, such as waves/gru -> experiment.

    Yields:
        Each name, and "recorded", "present", "not built", or "skipped: REASON".

    Raises:
        StoreError: the store cannot be used.
    """
    known: set[str] | None = None
    for name, experiment in experiments.items():
        folder = workspace.run(experiment.dataset, own_name(name))
        if not (folder / "run.json").exists():
            yield name, "not built"
            continue
        try:
            # Opened for each run, so that a training that ends now need not wait.
            with store.opened(workspace) as opened:
                if known is None:
                    known = {
                        run.data.tags["fingerprint"]
                        for run in opened.search(store.CURRENT)
                    }
                action = "present"
                if fingerprint.folder(folder) not in known:
                    log(opened, on_disk(workspace, name, experiment))
                    action = "recorded"
        except StoreError:
            raise
        except UnrollError as error:
            action = f"skipped: {error}"
        yield name, action


def log(opened: Store, found: RunOnDisk) -> "MlflowRun":
    """Log a run, unless it was logged before.

    Returns:
        The MLflow run. Only this run of the experiment is tagged as `current`; runs of
        `dvc exp` keep a tag of their own.

    Raises:
        UnrollError: params.yaml has changed since the training.
    """
    client = opened.client
    mark = fingerprint.folder(found.folder)
    group = opened.experiment(opened.title(found.data))
    same = f"tags.experiment = '{own_name(found.name)}'"
    for left in opened.search(f"{same} and attributes.status = 'RUNNING'", group):
        client.set_terminated(left.info.run_id, "KILLED")  # with its process
    logged = opened.search(
        f"tags.fingerprint = '{mark}' and attributes.status = 'FINISHED'", group
    )
    run_id = logged[0].info.run_id if logged else _log(opened, group, found, mark)
    variant = client.get_run(run_id).data.tags.get("dvc_experiment")
    for other in opened.search(f"{same} and {store.CURRENT}", group):
        if other.data.tags.get("dvc_experiment") == variant:
            client.set_tag(other.info.run_id, "current", "false")
    client.set_tag(run_id, "current", "true")
    return client.get_run(run_id)


def _log(opened: Store, group: str, found: RunOnDisk, mark: str) -> str:
    """Log a run and return the id of the parent run.

    MLflow compares runs by the metric that was logged first, so scores come first.
    """
    run = found.run
    if run.summary.fingerprint["params"] != fingerprint.params(found.experiment):
        raise UnrollError(
            f"params.yaml says otherwise of {found.name} by now; "
            "`unroll repro` trains it anew"
        )
    scores = _scores(found.data, run)
    facts = _facts(run)
    times, made_in = _origin(found.record, mark)
    metrics = over_seeds(scores)
    metrics |= {fact: fmean(values) for fact, values in facts.items()}
    if times:
        metrics["seconds"] = (times[1] - times[0]) / 1000
    tags = _tags(found.name, found.data) | made_in
    label = own_name(found.name) + (store.MARK if found.data.stand_in else "")
    if "dvc_experiment" in tags:
        label += f" [{tags['dvc_experiment']}]"
    sizes = {split: len(examples) for split, examples in found.data.splits.items()}
    options = parameters(own_name(found.name), found.experiment)
    options |= _of_data(sizes, found.data.input_shape)
    note = store.note(found.experiment, found.data, metrics)
    own_tags = {**tags, "fingerprint": mark, store.NOTE: note}
    with _run(opened, group, label, own_tags, times) as parent:
        opened.log(parent, [(0, metrics), *_curves(run.history)], options)
        _log_data(opened, parent, found)
        to = models.Place(group, parent, own_name(found.name), options)
        model = _log_files(opened, to, found)
        for index, seed in enumerate(run.summary.seeds):
            of_child = {**tags, "seed": str(seed), "mlflow.parentRunId": parent}
            with _run(opened, group, f"{label} seed {seed}", of_child, times) as child:
                history = run.history[run.history["seed"] == seed]
                of_seed = {  # or one value for all seeds
                    metric: values[min(index, len(values) - 1)]
                    for metric, values in (scores | facts).items()
                }
                opened.log(
                    child,
                    [(0, of_seed)],
                    {**options, "seed": str(seed)},
                    None if index else model,  # it is that of the first seed
                )
                opened.log(child, _curves(history))
    return parent


def _log_files(opened: Store, to: models.Place, found: RunOnDisk) -> str | None:
    """Log the files and the model of a run, and return the model's id, if it has one."""
    for file in ("run.json", "history.csv"):
        opened.client.log_artifact(to.run_id, str(found.folder / file))
    if found.record.exists():
        record = found.record.read_text(encoding="utf-8")
        opened.client.log_text(to.run_id, record, tasks.RECORD)
    weights = found.folder / "weights"
    if any(weights.iterdir()):
        opened.client.log_artifacts(to.run_id, str(weights), "weights")
    return models.log_experiment(
        opened, to, found.experiment, found.data, found.run, weights
    )


def _log_data(opened: Store, run_id: str, found: RunOnDisk) -> None:
    """Log a run's data set as its input: its shapes, sizes and digest.

    MLflow's own `NumpyDataset` would need every window at once, and its `MetaDataset`
    has no sizes.
    """
    from mlflow.data.schema import TensorDatasetSchema
    from mlflow.entities import Dataset as LoggedDataset
    from mlflow.entities import DatasetInput, InputTag

    data = found.data
    example = data.splits["train"].take(np.arange(1))
    schemas = TensorDatasetSchema(*map(models.schema, example))
    sizes = {split: len(examples) for split, examples in data.splits.items()}
    logged = LoggedDataset(
        name=data.name,
        digest=found.run.summary.fingerprint["data"][:DIGEST],
        source_type="local",
        source=json.dumps({"uri": f"data/prepared/{data.name}"}),
        schema=json.dumps(schemas.to_dict()),
        profile=json.dumps(sizes),
    )
    tags = [InputTag("mlflow.data.context", "training")]
    opened.client.log_inputs(run_id, [DatasetInput(logged, tags)])


def over_seeds(scores: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return name of a metric -> its mean over seeds, and its standard deviation."""
    metrics = {}
    for metric, values in scores.items():
        stat = statistics(values)
        metrics[metric] = stat.mean
        if stat.std is not None:
            metrics[f"{metric}_std"] = stat.std
    return metrics


@contextlib.contextmanager
def _run(
    opened: Store,
    group: str,
    label: str,
    tags: Mapping[str, str],
    times: tuple[int, int] | None = None,
) -> Iterator[str]:
    """Yield the id of a new MLflow run. The run ends as FAILED if the block raises."""
    start, end = times or (None, None)
    run = opened.client.create_run(group, start, dict(tags), label)
    run_id = str(run.info.run_id)
    try:
        yield run_id
    except BaseException:
        with contextlib.suppress(Exception):
            opened.client.set_terminated(run_id, "FAILED")
        raise
    opened.client.set_terminated(run_id, "FINISHED", end or run.info.start_time)


def _scores(data: Dataset, run: Run) -> dict[str, list[float]]:
    """Return name of a metric -> a value for each seed, with the chosen weights.

    The data set's own metric comes first.
    """
    by_name: dict[str, list[float]] = {}
    for split, prefix in PREFIXES.items():
        predictions = run.predictions.get(f"{run.points[-1]}_{split}")
        if predictions is None:
            continue
        targets = compared(data.splits[split])
        for of_seed in predictions:
            for measure, value in measures(data, of_seed, targets).items():
                by_name.setdefault(f"{prefix}{measure}", []).append(value)
    return _own_first(by_name, data.metric)


def _own_first(
    scores: Mapping[str, list[float]], metric: str
) -> dict[str, list[float]]:
    """Return scores with those of the data set's own metric first."""
    first = (metric, f"validation_{metric}")
    return dict(sorted(scores.items(), key=lambda item: item[0] not in first))


def _facts(run: Run) -> dict[str, list[float]]:
    """Return name of a fact about the training -> a value for each seed."""
    summary = run.summary
    facts: dict[str, list[float]] = {
        "parameters": [summary.parameters] * len(summary.seeds),
        "epochs": [*summary.last],
    }
    if summary.best_epochs:
        facts["best_epoch"] = [*summary.best_epochs]
    return facts


def _curves(history: "pd.DataFrame") -> Points:
    """Return the mean over seeds of a history's columns, by epoch."""
    means = history.drop(columns="seed").groupby("epoch").mean()
    points = means.add_prefix(store.EPOCH).to_dict("records")
    return [*zip(map(int, means.index), points, strict=True)]


def _tags(name: str, data: Dataset) -> dict[str, str]:
    """Return the tags of every run of an experiment."""
    tags = {
        "experiment": own_name(name),
        "dataset": data.name,
        "mlflow.source.name": f"unroll train {data.name} {own_name(name)}",
        "mlflow.source.type": "LOCAL",
        "mlflow.user": getpass.getuser(),
    }
    if data.stand_in:
        tags[store.NOTE] = store.STAND_IN
    variant = dvc_experiment()
    if variant:
        tags["dvc_experiment"] = variant
    return tags


def _origin(file: Path, mark: str) -> tuple[tuple[int, int] | None, dict[str, str]]:
    """Return the start and end of a run in milliseconds, and tags for where it was
    made. Return None and no tags if there is no record of the run in the file.

    `mark` is the hash of the run's files (`fingerprint.folder`).
    """
    try:
        record = records.read(file, mark)
    except UnrollError:
        return None, {}
    start = int(datetime.fromisoformat(record.started).timestamp() * 1000)
    end = int(datetime.fromisoformat(record.ended).timestamp() * 1000)
    tags = {"python": record.python, "cpu": record.cpu}
    if record.commit:
        tags["mlflow.source.git.commit"] = record.commit
        tags["git_dirty"] = str(record.dirty).lower()
    return (start, end), tags


def _of_data(sizes: Mapping[str, int], input_shape: Sequence[int]) -> dict[str, str]:
    """Return the parameters of a data set: how many examples it has, and how far back
    they look.

    Args:
        sizes: split -> the number of its examples.
        input_shape: the shape of an input.
    """
    options = {f"data.{split}": str(size) for split, size in sizes.items()}
    return options | {"data.lookback": str(input_shape[0])}


def parameters(name: str, experiment: Experiment) -> dict[str, str]:
    """Return place in params.yaml -> option of an experiment, defaults included."""
    chosen = recipe(name, experiment)
    options = experiment.model_dump()
    options["model"] |= chosen.build.keywords
    options["training"] |= chosen.method.keywords
    flat: dict[str, Any] = {}
    for key, value in options.items():
        if key in SECTIONS:
            flat |= {f"{key}.{inner}": one for inner, one in (value or {}).items()}
        else:
            flat[key] = value
    return {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in flat.items()
    }


def describe(
    opened: Store, workspace: Workspace, answers: Mapping[str, list[str]]
) -> dict[str, str]:
    """Describe the MLflow experiment of each data set.

    Args:
        opened: the store.
        workspace: the workspace of the data sets.
        answers: data set -> a line for each answer.

    Returns:
        Name of an MLflow experiment -> the address of its runs on MLflow's page, sorted
        by score.
    """
    addresses = {}
    for data in _datasets(workspace):
        group = opened.client.get_experiment_by_name(opened.title(data))
        if group is None:
            continue
        number = group.experiment_id
        lines = [] if data.stand_in else answers.get(data.name, [])
        about = store.description(number, data.kind, data.metric, data.stand_in, lines)
        for key, value in about.items():
            opened.client.set_experiment_tag(number, key, value)
        addresses[group.name] = store.address(number)
    return addresses


def _datasets(workspace: Workspace) -> list[Description | About]:
    """Return the data sets that are prepared here, and those that were evaluated."""
    evaluated: dict[str, Description | About] = {
        path.parent.name: schema.load(path.parent).dataset
        for path in workspace.evaluation("").glob("*/evaluation.json")
    }
    prepared: dict[str, Description | About] = {
        path.parent.name: dataset.describe(path.parent)
        for path in workspace.prepared("").glob("*/dataset.json")
    }
    return [data for _, data in sorted((evaluated | prepared).items())]


def log_committed(opened: Store, workspace: Workspace, config: Params) -> list[str]:
    """Log the committed results of each experiment that has no run here.

    Such a run has no curves, no seeds and no model. It is current until the experiment
    is trained here, or until other results are committed.

    Args:
        opened: the store.
        workspace: the workspace with results/.
        config: params.yaml, as it was when the results were made.

    Returns:
        The experiments whose committed results are shown, such as waves/gru.

    Raises:
        UnrollError: an evaluation is damaged.
    """
    shown = []
    for data_set, evaluation in schema.load_all(workspace, config).items():
        about = evaluation.dataset
        group = opened.experiment(opened.title(about))
        current = {
            run.data.tags["experiment"]: run
            for run in opened.search(store.CURRENT, group)
            if "dvc_experiment" not in run.data.tags
        }
        experiments = config.experiments_of(data_set)
        for name, entry in evaluation.experiments.items():
            logged = current.get(name)
            has_run = (workspace.run(data_set, name) / "run.json").exists()
            if has_run or (logged and "committed" not in logged.data.tags):
                continue
            shown.append(f"{data_set}/{name}")
            mark = hashlib.sha256(entry.model_dump_json().encode()).hexdigest()
            if logged and logged.data.tags["fingerprint"] == mark:
                continue
            if logged:
                opened.client.set_tag(logged.info.run_id, "current", "false")
            _log_entry(opened, group, about, name, experiments[name], entry, mark)
    return shown


def _log_entry(
    opened: Store,
    group: str,
    about: About,
    name: str,
    experiment: Experiment,
    entry: Entry,
    mark: str,
) -> None:
    """Log the committed results of one experiment, with their hash as the fingerprint."""
    metrics = _committed_metrics(entry, about.metric)
    note = store.note(experiment, about, metrics)
    tags = {
        "experiment": name,
        "dataset": about.name,
        "committed": "true",
        "current": "true",
        "fingerprint": mark,
        "mlflow.source.name": f"results/evaluations/{about.name}/evaluation.json",
        "mlflow.source.type": "LOCAL",
        store.NOTE: f"Committed results, trained elsewhere. {note}",
    }
    label = f"{name}{store.MARK if about.stand_in else ''}{COMMITTED}"
    options = parameters(name, experiment) | _of_data(about.examples, about.input_shape)
    with _run(opened, group, label, tags) as run:
        opened.log(run, [(0, metrics)], options)


def _committed_metrics(entry: Entry, metric: str) -> dict[str, float]:
    """Return the metrics of a parent run, those of the data set's own metric first."""
    scores = {
        f"{prefix}{measure}": list(stat.values)
        for split, prefix in PREFIXES.items()
        for measure, stat in entry.chosen.get(split, {}).items()
    }
    metrics = over_seeds(_own_first(scores, metric))
    metrics["parameters"] = float(entry.parameters)
    if entry.best_epoch:
        metrics["best_epoch"] = entry.best_epoch.mean
    return metrics
