"""One line for each data set: does it need a recurrent network? What the demo and `unroll repro` end with."""

from collections.abc import Collection, Mapping

from pipeline.config import params
from pipeline.evaluation.answers import Answer
from pipeline.report.charts import answer_text
from pipeline.report.formatting import DASH
from pipeline.report.results import Evaluated, load
from pipeline.workspace import Workspace
from unroll import tables
from unroll.tables import Column

HEADINGS = ("data set", "does recurrence help?", "change in error", "best without", "best with")


def built(workspace: Workspace) -> dict[str, int]:
    """Data set -> when its evaluation was written."""
    found = (workspace.root / "results" / "evaluations").glob("*/evaluation.json")
    return {path.parent.name: path.stat().st_mtime_ns for path in found}


def since(workspace: Workspace, before: Mapping[str, int]) -> list[str]:
    """The data sets that were evaluated since `built` gave `before`."""
    return [name for name, when in built(workspace).items() if before.get(name) != when]


def _row(one: Evaluated, found: Answer) -> list[str]:
    said = answer_text(one, found)
    change = f"{said.change} ({said.interval})" if said.interval else said.change
    sides = [str(side) if side else DASH for side in (said.without, said.best)]
    marks = ["stand-in"] * one.about.stand_in + ["tuned"] * said.tuned
    return [one.name + (f" ({', '.join(marks)})" if marks else ""), found.outcome, change, *sides]


def show(workspace: Workspace, names: Collection[str]) -> None:
    """Print a row for each answer on these data sets, in the order of params.yaml.

    As the page has them: corrected for how many answers there are.

    Raises:
        UnrollError: params.yaml, claims.yaml or an evaluation is damaged.
    """
    wanted = params.load(workspace.params)
    found = [*load(workspace, wanted).built, *load(workspace, wanted, own=True).built]
    rows = [_row(one, answer) for one in found if one.name in names for answer in one.answers]
    tables.show([*map(Column, HEADINGS)], rows)
