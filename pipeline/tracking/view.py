"""The descriptions of data sets and runs, and the table of runs, on MLflow's page."""

import json
from collections.abc import Iterable, Mapping, Sequence

from pipeline.config.params import Experiment
from pipeline.data.dataset import Dataset, Description
from pipeline.evaluation.claims import Claim
from pipeline.evaluation.schema import About
from pipeline.metrics import MEASURES
from pipeline.report import titles

MARK = " (stand-in)"
"""The ending of each name that belongs to stand-in data."""

STAND_IN = (
    "Stand-in data, generated in place of the real ones: no figure here is a result."
)

NOTE = "mlflow.note.content"
"""The tag of a description."""

CURRENT = "tags.`current` = 'true'"
"""MLflow's query for the runs that are tagged as current: those on disk,
and the committed results of other experiments."""

EPOCH = "epoch/"
"""The prefix of metrics that are logged for each epoch."""

VIEW = "scores"
"""The key of the shared view that a data set's address opens."""

WIDTH = 210
"""The width of a metric's column, in pixels. In the default width MLflow's page cuts off
the exponent of 2.265074057684218e-31."""


def title(data: Dataset | Description | About) -> str:
    """Return the name of the MLflow experiment of a data set.

    Stand-in data have an MLflow experiment of their own, so that they never mix with
    real data.
    """
    return f"{data.name}{MARK}" if data.stand_in else data.name


def address(group: str) -> str:
    """Return the address of an MLflow experiment, sorted by score, on MLflow's page.

    `group` is the id of the MLflow experiment. The address follows the server's.
    """
    shared = f"viewStateShareKey={VIEW}&workflowType=machine_learning"
    return f"#/experiments/{group}/runs?{shared}"


def documents(published: Iterable[Claim], name: str) -> list[str]:
    """Return the documents that publish figures of an experiment, such as waves/gru."""
    return sorted({claim.document for claim in published if claim.experiment == name})


def note(
    experiment: Experiment,
    data: Dataset | About,
    metrics: Mapping[str, float],
    documents: Sequence[str],
) -> str:
    """Return the description of a run: its model, its training and its error.

    Args:
        experiment: its section of params.yaml.
        data: its data set.
        metrics: the metrics of the run; without the data set's own, it has no error.
        documents: the documents that publish figures of it.
    """
    seeds = len(experiment.seeds)
    how = f"trained on {data.name} by {experiment.training.method}"
    text = f"{titles.experiment(experiment)}, {how}, {seeds} seed{'s' if seeds > 1 else ''}."
    if data.metric in metrics:
        title = MEASURES[data.metric].title
        text += f" {title} on test: {metrics[data.metric]:.4g}"
        if "mae_unit" in metrics:
            text += f", and MAE {metrics['mae_unit']:.4g} {data.scale.unit}"
        text += "."
    if documents:
        text += f" Of document {', '.join(documents)}."
    return f"{STAND_IN} {text}" if data.stand_in else text


def description(
    group: str, kind: str, metric: str, stand_in: bool, answers: Sequence[str]
) -> dict[str, str]:
    """Return the tags of a data set's MLflow experiment: its description, with a line
    for each answer, and its table of runs.

    The table is in the form in which MLflow's page shares a view: experiments by score.
    """
    what = f"A data set to {kind}, compared by {metric}."
    if stand_in:
        what = STAND_IN
    # The page shows only the first line, so everything is in one line.
    note = " ".join([*answers, what, f"[By score]({address(group)})"])
    columns = []
    for name in (metric, f"validation_{metric}"):
        columns += [f"metrics.`{name}`", f"metrics.`{name}_std`"]
    view = {
        "searchFilter": CURRENT,
        "orderByKey": f"metrics.`{metric}`",
        "orderByAsc": not MEASURES[metric].higher,
        "selectedColumns": columns,
        "columnOrder": columns,
        "columnWidths": dict.fromkeys(columns, WIDTH),
    }
    return {
        NOTE: note,
        f"mlflow.sharedViewState.{VIEW}": json.dumps(view),
    }
