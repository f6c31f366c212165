"""The table of published figures: what a document says, what the rebuild says, and the verdict."""

from pipeline.evaluation.claims import Verdict
from pipeline.evaluation.scores import statistics
from pipeline.report.formatting import DASH, measured, published, spread, title
from pipeline.report.results import Results
from pipeline.report.table import Cell, Column, Mark, Table

DOCUMENTS = {
    "000": "Butler: recurrent neural networks, week 12 slides",
    "001": "Abandah: recurrent neural networks, slides",
    "002": "Recurrent Models Overview, an article",
    "003": "Eckel: RNNs part 1, an assignment",
}
"""What the number of a document stands for."""


def claims_table(results: Results) -> Table:
    """Every published figure, the rebuilt one, and the verdict."""
    columns = (
        Column("claim", "What the document says", numeric=False),
        Column("published", "Published"),
        Column("rebuilt", "Rebuilt"),
        Column("verdict", "Verdict", numeric=False),
        Column("note", "What is behind it", numeric=False),
    )
    caption = (
        "Means over seeds ± sample standard deviation. A figure holds if the rebuilt mean lies within the precision "
        "that the document's words imply, or the published value between the least and the greatest seed."
    )
    rows = tuple(_claim_row(verdict) for verdict in results.verdicts)
    kinds = tuple("stand-in" if v.dataset and v.dataset.stand_in else "" for v in results.verdicts)
    documents = [verdict.claim.document for verdict in results.verdicts]
    groups = tuple(f"{document} {DOCUMENTS.get(document, '')}".strip() for document in documents)
    return Table("claims", "Figures and verdicts", caption, columns, rows, kinds=kinds, groups=groups)


def _claim_row(verdict: Verdict) -> dict[str, Cell]:
    claim, rebuilt = verdict.claim, Cell(DASH)
    metric = claim.metric.rsplit(".", maxsplit=1)[-1]
    unit = verdict.dataset.scale.unit if verdict.dataset else ""
    if verdict.rebuilt is not None:
        seeds = len(verdict.rebuilt.values)
        small = f"{spread(verdict.rebuilt, metric)}, {seeds} seeds" if seeds > 1 else ""
        rebuilt = Cell(measured(verdict.rebuilt, metric, unit), small, value=verdict.rebuilt.model_dump())
    elif verdict.shape is not None:
        rebuilt = Cell(_shape(verdict.shape), value=verdict.shape)
    return {
        "claim": Cell(claim.words, f"{claim.experiment}, {describe(claim.metric)}", value=claim.words),
        "published": published_cell(verdict, metric, unit),
        "rebuilt": rebuilt,
        "verdict": Cell(marks=(Mark("", verdict.outcome),), value=verdict.outcome),
        "note": Cell(claim.note),
    }


def published_cell(verdict: Verdict, metric: str, unit: str) -> Cell:
    """What is published: the value or what it is compared with, and the tolerance in the second line."""
    claim = verdict.claim
    if isinstance(claim.value, list):
        return Cell(_shape(claim.value), value=claim.value)
    within = published(claim.tolerance, metric, unit) if claim.tolerance else ""
    if claim.value is not None:
        words = "" if claim.relation == "about" else f"{claim.relation} "
        return Cell(f"{words}{published(claim.value, metric, unit)}", within and f"within {within}", value=claim.value)
    words = "as" if claim.relation == "about" else claim.relation
    small = "" if verdict.reference is None else one_value(verdict.reference, metric, unit)
    if within:
        joined = f"within {within}" if claim.relation == "about" else f"by {within} at least"
        small = f"{small}, {joined}" if small else joined
    return Cell(f"{words} {claim.against}", small, value=verdict.reference)


def one_value(value: float, metric: str, unit: str) -> str:
    """One value of a metric as text, in the form of its means over seeds."""
    return measured(statistics([value]), metric, unit)


def _shape(shape: list[int | None]) -> str:
    return f"({', '.join(str(length) for length in shape)})"


def describe(path: str) -> str:
    """A metric's path in words: best.validation.accuracy -> accuracy on validation at the best epoch."""
    match path.split("."):
        case [("final" | "best") as point, split, metric]:
            when = "at the best epoch" if point == "best" else "at the end"
            unit = ", in its unit" if metric.endswith("_unit") else ""
            return f"{title(metric)} on {split} {when}{unit}"
        case ["groups", group, metric]:
            return f"{title(metric)} on test, {group}"
        case ["rollout", metric]:
            return f"{title(metric)} of the free run"
        case ["layers", layer, what]:
            return f"{layer}, {what}" if what == "parameters" else f"{layer}, {what} shape"
        case ["dataset", *rest]:
            return " ".join(word for word in rest if word != "facts")
        case _:
            return path
