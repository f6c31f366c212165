"""What MLflow is told: parameters, tags and metrics, worked out from the files on disk, without MLflow."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.config.params import Experiment
from pipeline.data.dataset import Description
from pipeline.evaluation import answers
from pipeline.evaluation.schema import About, Evaluation
from pipeline.evaluation.verdicts import FAR
from pipeline.metrics import MEASURES
from pipeline.provenance.record import Environment
from pipeline.report import titles
from pipeline.report.formatting import capital, measured, spread
from pipeline.report.formatting import title as metric_title
from pipeline.training.recipe import recipe
from pipeline.training.run_folder import Summary

Points = Sequence[tuple[int, Mapping[str, float]]]
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

COLUMNS = ("score", "score_low", "score_high", "change_pct")
"""Metrics in the table of that view: what is named longer is cut, and with more the verdict is out of sight."""


def title(data: Description | About) -> str:
    """What the MLflow experiment of a data set is called; stand-ins have one apart, so that the two never mix."""
    return data.name + MARK * data.stand_in


def address(group: str) -> str:
    """Where MLflow's page shows the MLflow experiment with this id by score, behind the server's own address."""
    return f"#/experiments/{group}/runs?viewStateShareKey={VIEW}&workflowType=machine_learning"


def experiment_tags(group: str, data: Description | About, answered: Sequence[str] = ()) -> dict[str, str]:
    """The description of a data set's MLflow experiment, with its answers as the page has them, and its table.

    The table, which its address shows, is in the form in which MLflow's page shares a view: experiments by score, the
    columns that say most, charts of the change in error and, logarithmically, of the losses.
    """
    charts: list[dict[str, Any]] = [{"type": "BAR", "metricKey": "change_pct"}]
    losses = [f"{split}_loss" for split in ("train", "validation")]
    charts += [{"type": "LINE", "metricKey": name, "selectedMetricKeys": [name], "scaleType": "log"} for name in losses]
    common = {"metricSectionId": VIEW, "runsCountToCompare": 10, "deleted": False, "isGenerated": False}
    view = {
        "searchFilter": CURRENT,
        "orderByKey": "metrics.`score`",
        "orderByAsc": not MEASURES[data.metric].higher,
        "selectedColumns": ["tags.`verdict`", *(f"metrics.`{name}`" for name in COLUMNS)],
        "compareRunCharts": [chart | common | {"uuid": chart["metricKey"]} for chart in charts],
        "compareRunSections": [{"uuid": VIEW, "name": "Scores and losses", "display": True, "isReordered": True}],
        "isAccordionReordered": True,  # else what MLflow adds by itself comes first
    }
    what = STAND_IN if data.stand_in else f"{capital(data.kind)}, compared by {data.metric}."
    # Of more than one line the page shows the first.
    note = " ".join([*(f"{capital(line)}." for line in answered), what, f"[By score]({address(group)})"])
    return {"mlflow.note.content": note, f"mlflow.sharedViewState.{VIEW}": json.dumps(view)}


def tags(name: str, experiment: Experiment, data: Description) -> dict[str, str]:
    """Tags of every run of an experiment."""
    return {
        "experiment": name,
        "dataset": experiment.dataset,
        "mlflow.source.name": f"unroll train {experiment.dataset} {name}",
        "mlflow.source.type": "LOCAL",
        "mlflow.note.content": described(titles.experiment(experiment), data),
    }


def origin(environment: Environment) -> dict[str, str]:
    """Tags for where a run was made."""
    commit, dirty = environment.commit, str(environment.dirty).lower()
    git = {"mlflow.source.git.commit": commit, "git_dirty": dirty} if commit else {}
    return {"python": environment.python, "cpu": environment.cpu, **git}


def options(name: str, experiment: Experiment) -> dict[str, str]:
    """Every option of an experiment by its place in params.yaml, defaults included. Raises UsageError."""
    chosen = recipe(name, experiment)
    flat = {key: getattr(experiment, key) for key in ("dataset", "seeds", "calendar", "standardise", "in_unit")}
    flat |= {f"features.{key}": value for key, value in (experiment.features or {}).items()}
    flat |= {"model.family": experiment.model.family, "model.name": experiment.model.name}
    flat |= {f"model.{key}": value for key, value in chosen.build.keywords.items()}
    flat |= {"training.method": experiment.training.method}
    flat |= {f"training.{key}": value for key, value in chosen.method.keywords.items()}
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in flat.items()}


def summary(facts: Summary) -> dict[int, dict[str, int]]:
    """Seed -> what its training comes to: parameters, epochs and the best of them."""
    best = [{"best_epoch": epoch} for epoch in facts.best_epochs or ()] or [{}] * len(facts.seeds)
    by_seed = zip(facts.seeds, facts.last, best, strict=True)
    return {seed: {"parameters": facts.parameters, "epochs": last, **chosen} for seed, last, chosen in by_seed}


def described(model: str, data: Description | About, score: str = "") -> str:
    """A run's description: the model, then that its data are a stand-in, then its score."""
    return "\n\n".join(filter(None, (capital(model), STAND_IN if data.stand_in else "", score)))


def verdict(evaluation: Evaluation, name: str) -> tuple[str, dict[str, str]]:
    """An experiment's score in words, and as a tag whether it is better than the best without recurrence."""
    metric, best = evaluation.dataset.metric, answers.strongest_opponent(evaluation)
    if (stat := evaluation.experiments[name].score(metric)) is None:
        return "", {}
    score = f"{metric_title(metric)} on test {measured(stat, metric)} {spread(stat, metric)}".rstrip()
    if not (compared := answers.against(evaluation, best).get(name)):
        return f"{score}.", {}
    return f"{score}. Against {best}, the best without recurrence: {compared}.", {"verdict": compared.outcome}


def scores(evaluation: Evaluation, name: str) -> tuple[dict[str, float], dict[int, dict[str, float]]]:
    """The metrics of one experiment's evaluation, each number once and with four digits: MLflow shows all there are.

    Returns:
        Over the seeds: what docs/mlflow.md lists, then every other measure ("test/rmse"). And seed -> its values.
    """
    entry, metric = evaluation.experiments[name], evaluation.dataset.metric
    stats = {
        f"{split}/{measure}": stat for split, measures in entry.chosen.items() for measure, stat in measures.items()
    }
    for measure, key in ((metric, "score"), (IN_UNIT.get(metric, ""), "score_in_unit")):
        if f"test/{measure}" in stats:
            stats[key] = stats.pop(f"test/{measure}")
    overall = {key: stat.mean for key, stat in stats.items()}
    if "score" in stats:
        overall |= dict(zip(("score_low", "score_high"), stats["score"].mean_ci or (), strict=False))
        opponent = answers.strongest_opponent(evaluation)
        change = answers.change(evaluation, name, opponent)[0] if opponent else None
        if change is not None and change < FAR:
            overall["change_pct"] = 100 * change
    by_seed = {
        seed: _four_digits({key: stat.values[index] for key, stat in stats.items() if index < len(stat.values)})
        for index, seed in enumerate(entry.seeds)
    }
    return _four_digits(overall), by_seed


def _four_digits(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: float(f"{value:.4g}") for name, value in metrics.items()}
