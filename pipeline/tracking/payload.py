"""What MLflow is told: parameters, tags and metrics, worked out from the files on disk, without MLflow."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psutil

from pipeline.config.params import Experiment
from pipeline.data import dataset
from pipeline.data.dataset import Description
from pipeline.evaluation import answers
from pipeline.evaluation.schema import About, Difference, Entry, Evaluation, Stat
from pipeline.metrics import MEASURES
from pipeline.provenance import environment
from pipeline.provenance.environment import Environment
from pipeline.report import titles
from pipeline.report.formatting import capital, comparison, measured, spread
from pipeline.report.formatting import title as metric_title
from pipeline.tracking.store import dvc_experiment
from pipeline.training.recipe import recipe
from pipeline.training.run_folder import Summary
from pipeline.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

Points = list[tuple[int, Mapping[str, float]]]
"""Steps, or epochs (from 1), and their metrics, in order."""

MARK = " (stand-in)"
"""Behind the name of whatever comes from a stand-in."""

IN_UNIT = {"mae": "mae_unit", "mse": "rmse_unit"}
"""A measure -> the one that says the same in the data's own unit, where they have one."""

STAND_IN = "Stand-in data, generated in place of the real ones: no figure here is a result."

CURRENT = "tags.`current` = 'true'"
"""MLflow's search for the experiments that are on disk."""


VIEW = "scores"
"""The key of the view of MLflow's page that a data set's address opens."""

COLUMNS = ("score", "score_low", "score_high", "change_in_error_percent", "parameters")
"""Metrics in the table of that view."""


@dataclass(frozen=True)
class Subject:
    """What is known of an experiment before it is trained.

    Attributes:
        label: what runs are called: the name, marked for stand-ins, and the experiment of DVC.
        params: flat, as in params.yaml, defaults included.
        tags: of every run of it.
        data: its data set.
        alone: whether it has a single seed, so that its replicate needs no run beside the experiment's.
    """

    label: str
    params: dict[str, str]
    tags: dict[str, str]
    data: Description
    alone: bool


def title(data: Description | About) -> str:
    """What the MLflow experiment of a data set is called; stand-ins have one apart, so that the two never mix."""
    return data.name + MARK * data.stand_in


def address(group: str) -> str:
    """Where MLflow's page shows the MLflow experiment with this id by score, behind the server's own address."""
    return f"#/experiments/{group}/runs?viewStateShareKey={VIEW}&workflowType=machine_learning"


def view(metric: str) -> str:
    """What the address shows, in the form in which MLflow's page shares a view: experiments by score, the columns that
    say most, and charts of the change in error and, on a logarithmic axis, of the loss.
    """
    columns = ["tags.`verdict`", *(f"metrics.`{name}`" for name in COLUMNS)]
    charts: list[dict[str, Any]] = [{"type": "BAR", "metricKey": "change_in_error_percent"}]
    losses = [f"{split}_loss" for split in ("train", "validation")]
    charts += [{"type": "LINE", "metricKey": name, "selectedMetricKeys": [name], "scaleType": "log"} for name in losses]
    common = {"metricSectionId": VIEW, "runsCountToCompare": 10, "deleted": False, "isGenerated": False}
    state = {
        "searchFilter": CURRENT,
        "orderByKey": "metrics.`score`",
        "orderByAsc": not MEASURES[metric].higher,
        "selectedColumns": columns,
        "compareRunCharts": [chart | common | {"uuid": chart["metricKey"]} for chart in charts],
        "compareRunSections": [{"uuid": VIEW, "name": "Scores and losses", "display": True, "isReordered": True}],
        "isAccordionReordered": True,  # else what MLflow adds by itself comes first
    }
    return json.dumps(state)


def subject(workspace: Workspace, name: str, experiment: Experiment, made: Mapping[str, str] | None = None) -> Subject:
    """Read what is known of an experiment; `made` has tags for where its runs were made (`origin`), None: here and now.

    Raises:
        UnrollError: the data set is not prepared, or an option is wrong.
    """
    data = dataset.describe(workspace.prepared(experiment.dataset))
    tags = {
        "experiment": name,
        "dataset": experiment.dataset,
        "stage": "train",
        "stand_in": str(data.stand_in).lower(),
        "mlflow.source.name": f"unroll train {name}",
        "mlflow.source.type": "LOCAL",
    }
    tags |= {"protocol": str(data.facts["protocol"])} if "protocol" in data.facts else {}
    tags |= {"mlflow.note.content": described(titles.experiment(experiment), data)}
    tags |= origin(environment.here(workspace)) if made is None else made
    if made is None and "UNROLL_WORKER" in os.environ:  # of a cluster, whose head ends the runs of workers that died
        tags["worker"] = os.environ["UNROLL_WORKER"]
    label = name + MARK * data.stand_in
    if variant := dvc_experiment():
        tags["dvc_experiment"] = variant
        label += f" [{variant}]"
    return Subject(label, options(name, experiment), tags, data, len(experiment.seeds) == 1)


def options(name: str, experiment: Experiment) -> dict[str, str]:
    """Every option of an experiment by its place in params.yaml, defaults included. Raises UsageError."""
    chosen = recipe(name, experiment)
    flat: dict[str, Any] = {"dataset": experiment.dataset, "seeds": experiment.seeds, "calendar": experiment.calendar}
    flat |= {"model.family": experiment.model.family, "model.name": experiment.model.name}
    flat |= {f"model.{key}": value for key, value in chosen.build.keywords.items()}
    flat |= {"training.method": experiment.training.method}
    flat |= {f"training.{key}": value for key, value in chosen.method.keywords.items()}
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in flat.items()}


def origin(made: Environment) -> dict[str, str]:
    """Tags for where a run was made."""
    git = {"mlflow.source.git.commit": made.commit, "git_dirty": str(made.dirty).lower()} if made.commit else {}
    return {"python": made.python, "cpu": made.cpu, **git}


def used(process: psutil.Process) -> dict[str, float]:
    """What a training takes of the machine, by names that MLflow shows apart."""
    memory = process.memory_info().rss / 2**20
    return {"system/cpu_utilization_percentage": process.cpu_percent(), "system/process_memory_megabytes": memory}


def points(curves: "pd.DataFrame") -> Points:
    """The columns of a history by epoch, the mean where an epoch occurs more than once."""
    means = curves.drop(columns="seed").groupby("epoch").mean()
    return [*zip(map(int, means.index), means.to_dict("records"), strict=True)]


def summary(facts: Summary) -> dict[int, dict[str, int]]:
    """Seed -> what its training comes to: parameters, epochs and the best of them."""
    found = {
        seed: {"parameters": facts.parameters, "epochs": last}
        for seed, last in zip(facts.seeds, facts.last, strict=True)
    }
    for seed, epoch in zip(facts.seeds, facts.best_epochs or (), strict=False):
        found[seed]["best_epoch"] = epoch
    return found


def described(title: str, data: Description | About, score: str = "") -> str:
    """A run's description: the model, then that its data are a stand-in, then its score."""
    return "\n\n".join(part for part in (capital(title), STAND_IN if data.stand_in else "", score) if part)


def verdict(evaluation: Evaluation, name: str) -> tuple[str, dict[str, str]]:
    """An experiment's score in words, and as a tag whether it is better than the best without recurrence."""
    metric, base = evaluation.dataset.metric, answers.strongest_opponent(evaluation)
    if (stat := evaluation.experiments[name].score(metric)) is None:
        return "", {}
    said = f"{metric_title(metric)} on test {measured(stat, metric)} {spread(stat, metric)}".rstrip()
    if not (compared := answers.against(evaluation, base).get(name)):
        return f"{said}.", {}
    change, interval = comparison(compared, metric)
    words = f"{change} error ({interval})" if compared.change else change
    return f"{said}: {words} against {base}, the best without recurrence: {compared.outcome}.", {
        "verdict": compared.outcome
    }


def scores(evaluation: Evaluation, name: str) -> tuple[dict[str, float], dict[int, dict[str, float]]]:
    """The metrics of one experiment's evaluation, each number once.

    Returns:
        Over the seeds: what docs/mlflow.md lists, then every other measure ("test/rmse"), the score by the weights of
        the last epoch ("at_end/test/mae"), parts of the test set and the free run. And seed -> its values.
    """
    entry, metric = evaluation.experiments[name], evaluation.dataset.metric
    score = entry.score(metric)
    overall: dict[str, float] = {}
    each: dict[int, dict[str, float]] = {}
    for key, stat in _named(entry, metric).items():
        overall[key] = stat.mean
        for seed, value in zip(entry.seeds, stat.values, strict=False):
            each.setdefault(seed, {})[key] = value
    if score is None:
        return overall, each
    if score.std is not None:
        overall["score_std"] = score.std
    if score.mean_ci:
        overall["score_low"], overall["score_high"] = score.mean_ci
    opponent = answers.strongest_opponent(evaluation)
    known = evaluation.experiments[opponent].score(metric) if opponent else None
    if known is not None:
        overall["against_best_baseline"] = score.mean - known.mean
        difference = Difference(mean=score.mean - known.mean, error=0.0, freedom=None, p_value=1.0)
        if change := answers.decide(metric, difference, known.mean).change:
            overall["change_in_error_percent"] = round(100 * change.mean, 1)
    return overall, each


def _named(entry: Entry, metric: str) -> dict[str, Stat]:
    """What MLflow calls each figure."""
    found = {
        f"{split}/{measure}": stat for split, measures in entry.chosen.items() for measure, stat in measures.items()
    }
    for measure, called in ((metric, "score"), (IN_UNIT.get(metric, ""), "score_in_unit")):
        if f"test/{measure}" in found:
            found[called] = found.pop(f"test/{measure}")
    if entry.best and metric in entry.final.get("test", {}):
        found[f"at_end/test/{metric}"] = entry.final["test"][metric]
    for group, measures in entry.groups.items():
        found |= {f"groups/{group}/{metric}": stat for measure, stat in measures.items() if measure == metric}
    found |= {f"rollout/{measure}": stat for measure, stat in (entry.rollout or {}).items()}
    # What MLflow takes in a name.
    return {re.sub(r"[^\w.: /-]", "_", key): stat for key, stat in found.items()}
