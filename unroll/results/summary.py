"""One line for each data set: does it need a recurrent network? What the demo and `unroll repro` end with."""

from collections.abc import Collection, Mapping
from typing import Any

from pipeline.config import params
from pipeline.evaluation.answers import Answer, Networks
from pipeline.evaluation.schema import Evaluation
from pipeline.report.formatting import DASH, measured, title
from pipeline.report.results import load
from pipeline.workspace import Workspace
from unroll import tables
from unroll.tables import Column

COLUMNS = (
    Column("data set"),
    Column("measure on test", rank=3),
    Column("best without", rank=4),
    Column("score without", number=True, rank=1),
    Column("best recurrent", rank=5),
    Column("score recurrent", number=True, rank=0),
    Column("recurrent is", rank=2),
)


def built(workspace: Workspace) -> dict[str, int]:
    """Data set -> when its evaluation was written."""
    found = (workspace.root / "results" / "evaluations").glob("*/evaluation.json")
    return {path.parent.name: path.stat().st_mtime_ns for path in found}


def since(workspace: Workspace, before: Mapping[str, int]) -> list[str]:
    """The data sets that were evaluated since `built` gave `before`."""
    return [name for name, when in built(workspace).items() if before.get(name) != when]


def summary(workspace: Workspace, names: Collection[str]) -> list[list[str]]:
    """A row for each answer on these data sets, in the order of params.yaml, as `COLUMNS`.

    As the page has them: corrected for how many answers there are.

    Raises:
        UnrollError: params.yaml, claims.yaml or an evaluation is damaged.
    """
    found = load(workspace, params.load(workspace.params)).built
    return [_row(one.name, one.evaluation, answer) for one in found if one.name in names for answer in one.answers]


def _row(name: str, evaluation: Evaluation, answer: Answer) -> list[str]:
    metric = evaluation.dataset.metric
    sides: list[str] = []
    for experiment in (answer.opponent, answer.network):
        score = evaluation.experiments[experiment].score(metric) if experiment else None
        sides += [experiment or DASH, measured(score, metric) if score else DASH]
    marks = ["stand-in"] * evaluation.dataset.stand_in + ["tuned"] * (answer.networks == Networks.TUNED)
    mark = f" ({', '.join(marks)})" if marks else ""
    return [name + mark, title(metric), *sides, answer.outcome]


def show(rows: list[list[str]], **words: Any) -> None:
    """Print what `summary` gave; keywords as those of `tables.show`."""
    tables.show(COLUMNS, rows, **words)
