"""What MLflow is told: parameters, tags and metrics, worked out from the files on disk,
without MLflow.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.config.params import Experiment
from pipeline.data.dataset import Description
from pipeline.metrics import MEASURES
from pipeline.provenance.record import Environment
from pipeline.training.recipe import recipe
from pipeline.training.run_folder import Summary

Points = Sequence[tuple[int, Mapping[str, float]]]
"""Steps, or epochs (from 1), and their metrics, in order."""

MARK = " (stand-in)"
"""Behind the name of whatever comes from a stand-in."""

STAND_IN = (
    "Stand-in data, generated in place of the real ones: no figure here is a result."
)

CURRENT = "tags.`current` = 'true'"
"""MLflow's search for the experiments that are on disk."""

VIEW = "scores"
"""The key of the view of MLflow's page that a data set's address opens."""

EPOCH = "epoch/"
"""Before the name of what is measured once an epoch."""


def title(data: Description) -> str:
    """The name of the MLflow experiment of a data set; stand-ins have one apart, so
    that they never mix.
    """
    return data.name + MARK if data.stand_in else data.name


def address(group: str) -> str:
    """Where MLflow's page shows the MLflow experiment with this id by score, behind the
    server's address.
    """
    return f"#/experiments/{group}/runs?viewStateShareKey={VIEW}&workflowType=machine_learning"


def experiment_tags(
    group: str, data: Description, answered: Sequence[str] = ()
) -> dict[str, str]:
    """The description of a data set's MLflow experiment, with its answers, and its
    table of runs.

    The table, which its address shows, is in the form in which MLflow's page shares a
    view: experiments by score, and charts of the score and, logarithmically, of the
    losses.
    """
    metric = data.metric
    columns = [
        metric,
        f"{metric}_std",
        f"validation_{metric}",
        f"validation_{metric}_std",
    ]
    charts: list[dict[str, Any]] = [{"type": "BAR", "metricKey": metric}]
    for name in (f"{EPOCH}train_loss", f"{EPOCH}validation_loss"):
        line = {
            "type": "LINE",
            "metricKey": name,
            "selectedMetricKeys": [name],
            "scaleType": "log",
        }
        charts.append(line)
    common = {
        "metricSectionId": VIEW,
        "runsCountToCompare": 10,
        "deleted": False,
        "isGenerated": False,
    }
    section = {
        "uuid": VIEW,
        "name": "Scores and losses",
        "display": True,
        "isReordered": True,
    }
    view = {
        "searchFilter": CURRENT,
        "orderByKey": f"metrics.`{metric}`",
        "orderByAsc": not MEASURES[metric].higher,
        "selectedColumns": [f"metrics.`{name}`" for name in columns],
        "compareRunCharts": [
            chart | common | {"uuid": chart["metricKey"]} for chart in charts
        ],
        "compareRunSections": [section],
        "isAccordionReordered": True,  # else what MLflow adds by itself comes first
    }
    what = (
        STAND_IN
        if data.stand_in
        else f"A data set to {data.kind}, compared by {metric}."
    )
    # Of more than one line the page shows the first.
    note = " ".join(
        [*(f"{line}." for line in answered), what, f"[By score]({address(group)})"]
    )
    return {
        "mlflow.note.content": note,
        f"mlflow.sharedViewState.{VIEW}": json.dumps(view),
    }


def tags(name: str, experiment: Experiment, data: Description) -> dict[str, str]:
    """Tags of every run of an experiment."""
    source = f"unroll train {experiment.dataset} {name}"
    known = {
        "experiment": name,
        "dataset": experiment.dataset,
        "mlflow.source.name": source,
        "mlflow.source.type": "LOCAL",
    }
    return known | {"mlflow.note.content": STAND_IN} if data.stand_in else known


def origin(environment: Environment) -> dict[str, str]:
    """Tags for where a run was made."""
    made_in = {"python": environment.python, "cpu": environment.cpu}
    if environment.commit:
        made_in["mlflow.source.git.commit"] = environment.commit
        made_in["git_dirty"] = str(environment.dirty).lower()
    return made_in


def options(name: str, experiment: Experiment) -> dict[str, str]:
    """Every option of an experiment by its place in params.yaml, defaults included.
    Raises UsageError.
    """
    chosen = recipe(name, experiment)
    own = ("dataset", "seeds", "calendar", "standardise", "in_unit")
    flat = {key: getattr(experiment, key) for key in own}
    flat |= {
        f"features.{key}": value for key, value in (experiment.features or {}).items()
    }
    flat |= {
        "model.family": experiment.model.family,
        "model.name": experiment.model.name,
    }
    flat |= {f"model.{key}": value for key, value in chosen.build.keywords.items()}
    flat |= {"training.method": experiment.training.method}
    flat |= {f"training.{key}": value for key, value in chosen.method.keywords.items()}
    return {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in flat.items()
    }


def summary(facts: Summary) -> dict[int, dict[str, int]]:
    """Seed -> what its training comes to: parameters, epochs and the best of them."""
    by_seed = {}
    for index, seed in enumerate(facts.seeds):
        by_seed[seed] = {"parameters": facts.parameters, "epochs": facts.last[index]}
        if facts.best_epochs:
            by_seed[seed]["best_epoch"] = facts.best_epochs[index]
    return by_seed


def per_epoch(values: Mapping[str, float]) -> dict[str, float]:
    """A line of history.csv by the names that MLflow has for it."""
    return {f"{EPOCH}{name}": value for name, value in values.items()}
