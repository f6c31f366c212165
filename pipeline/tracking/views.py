"""Saved views of MLflow's page: a table sorted by score, and charts that compare, each by an address of its own.

MLflow keeps a view that is shared as a tag of the experiment, JSON in the form of its page (3.17): what is searched and
in which order, the columns, the charts. The address names the tag.
"""

import json
from typing import Any

from pipeline.metrics import MEASURES

TAG = "mlflow.sharedViewState."
"""Before the key of a view, in the name of its tag."""

FIRST = ("score", "score_low", "score_high", "score_in_unit", "against_best_baseline", "parameters", "seconds")
"""Metrics that every experiment is compared by, in the order of the columns."""

PARAMS = ("model.name", "model.units", "training.method", "training.epochs", "seeds")
"""Options that most experiments have."""

TITLES = {
    "score": "Score on test, {better} is better: {title}",
    "against_best_baseline": "Score less that of the strongest without recurrence",
    "parameters": "Parameters",
    "seconds": "Seconds of training",
}
"""The charts of bars."""


def tags(metric: str, *, validation: bool) -> dict[str, str]:
    """The views `table` and `charts`, as tags of an MLflow experiment.

    Args:
        metric: the measure of its data set.
        validation: whether curves on validation are recorded.
    """
    higher = MEASURES[metric].higher
    searched = {
        "searchFilter": "tags.`unroll.level` = 'experiment' AND tags.`unroll.current` = 'true'",
        "orderByKey": "metrics.`score`",
        "orderByAsc": not higher,
    }
    columns = [f"metrics.`{name}`" for name in FIRST] + [f"params.`{name}`" for name in PARAMS]
    table = searched | {"selectedColumns": columns, "columnWidths": {"runDateAndNestInfo": 330}}
    words = {"better": "higher" if higher else "lower", "title": MEASURES[metric].title}
    cards = [_card("BAR", name, title.format(**words)) for name, title in TITLES.items()]
    cards.append(
        _card("SCATTER", "score", "Parameters and score")
        | {"xaxis": {"key": "parameters", "type": "METRIC"}, "yaxis": {"key": "score", "type": "METRIC"}}
    )
    curve = f"{'validation' if validation else 'train'}_{metric}"
    cards.append(
        _card("LINE", curve, f"By epoch: {curve}")
        | {"selectedMetricKeys": [curve], "xAxisKey": "step", "lineSmoothness": 0, "scaleType": "linear"}
    )
    section = {"uuid": "unroll", "name": "Compared", "display": True, "isReordered": True}
    charts = table | {"compareRunCharts": cards, "compareRunSections": [section], "runsHiddenMode": "SHOW_ALL"}
    return {f"{TAG}{key}": json.dumps(view) for key, view in (("table", table), ("charts", charts))}


def _card(kind: str, metric: str, title: str) -> dict[str, Any]:
    return {
        "type": kind,
        "uuid": f"{kind.lower()}-{metric}",
        "metricSectionId": "unroll",
        "metricKey": metric,
        "displayName": title,
        "runsCountToCompare": 100,
        "deleted": False,
        "isGenerated": False,
    }


def address(experiment: str, view: str) -> str:
    """Where MLflow's page shows a view, behind the server's own address.

    Args:
        experiment: the id of the MLflow experiment.
        view: "table" or "charts".
    """
    mode = {"table": "TABLE", "charts": "CHART"}[view]
    return f"/#/experiments/{experiment}/runs?viewStateShareKey={view}&compareRunsMode={mode}"
