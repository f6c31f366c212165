"""A saved view of MLflow's page: a table sorted by score, and charts that compare, by an address of its own.

MLflow keeps a view that is shared as a tag of the experiment, JSON in the form of its page (3.17): what is searched and
in which order, the columns, the charts. The address names the tag.
"""

import json
from typing import Any

from pipeline.metrics import MEASURES

KEY = "scores"
"""Names the view in its address."""

TAG = f"mlflow.sharedViewState.{KEY}"

COLUMNS = (
    *(f"metrics.`{name}`" for name in ("score", "score_low", "score_high", "score_in_unit", "against_best_baseline")),
    *("metrics.`parameters`", "metrics.`seconds`"),
    *("params.`model.name`", "params.`model.units`", "params.`training.method`", "params.`training.epochs`"),
)

SECTION = "compared"

BARS = ("score", "against_best_baseline", "score_in_unit", "parameters", "seconds")


def tags(metric: str, *, validation: bool) -> dict[str, str]:
    """The view, as a tag of an MLflow experiment.

    Args:
        metric: the measure of its data set.
        validation: whether curves on validation are recorded.
    """
    curve = f"{'validation' if validation else 'train'}_{metric}"
    cards = [_card("BAR", name) for name in BARS]
    cards.append(_card("SCATTER", "score") | {"xaxis": _axis("parameters"), "yaxis": _axis("score")})
    cards.append(_card("LINE", curve) | {"selectedMetricKeys": [curve], "xAxisKey": "step", "scaleType": "linear"})
    view = {
        "searchFilter": "tags.`unroll.level` = 'experiment' AND tags.`unroll.current` = 'true'",
        "orderByKey": "metrics.`score`",
        "orderByAsc": not MEASURES[metric].higher,
        "selectedColumns": COLUMNS,
        "columnOrder": ("attributes.`Run Name`", "runDateAndNestInfo", *COLUMNS),
        "columnWidths": {"attributes.`Run Name`": 280, "runDateAndNestInfo": 120} | dict.fromkeys(COLUMNS, 92),
        "compareRunCharts": cards,
        "compareRunSections": [{"uuid": SECTION, "name": "Compared", "display": True, "isReordered": True}],
        "isAccordionReordered": True,
        "runsHiddenMode": "SHOW_ALL",
    }
    return {TAG: json.dumps(view)}


def _card(kind: str, metric: str) -> dict[str, Any]:
    place = {"uuid": f"{kind}-{metric}", "metricSectionId": SECTION, "deleted": False, "isGenerated": False}
    return {"type": kind, "metricKey": metric, "runsCountToCompare": 100, **place}


def _axis(metric: str) -> dict[str, str]:
    return {"key": metric, "type": "METRIC"}


def links(experiment: str) -> str:
    """Markdown that leads to the view, for the description above the runs."""
    return f"[Table by score]({address(experiment)}), [charts]({address(experiment, 'CHART')})"


def address(experiment: str, mode: str = "TABLE") -> str:
    """Where MLflow's page shows the view, behind the server's own address.

    Args:
        experiment: the id of the MLflow experiment.
        mode: TABLE or CHART.
    """
    view = f"viewStateShareKey={KEY}&compareRunsMode={mode}&workflowType=machine_learning"
    return f"#/experiments/{experiment}/runs?{view}"
