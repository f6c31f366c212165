"""The table of published figures: what a document says, what the rebuild says, and the verdict."""

from pipeline.evaluation.claims import Verdict
from pipeline.report.formatting import DASH, between, measured, published, shape, title
from pipeline.report.results import Results
from pipeline.report.table import Cell, Column, Mark, Table

DOCUMENTS = {
    "000": "Butler: recurrent neural networks, week 12 slides",
    "001": "Abandah: recurrent neural networks, slides",
    "002": "Recurrent Models Overview, an article",
    "003": "Eckel: RNNs part 1, an assignment",
    "004": "Chollet: notebooks 6.2 and 6.3, the source of 001 and 002",
    "005": "Long forecasts of Weather: LTSF-Linear's table, SegRNN's README",
}
"""What the number of a document stands for."""

DOCUMENT = Column("document", "Document", numeric=False)
"""A column that the page has as groups of rows."""

COLUMNS = (
    Column("claim", "What the document says", numeric=False),
    Column("published", "Published"),
    Column("rebuilt", "Rebuilt"),
    Column("verdict", "Verdict", numeric=False),
    Column("note", "What is behind it", numeric=False),
)

CAPTION = (
    "Rebuilt: the mean over seeds, and where one more run would lie (95 %). A figure holds if what its digits "
    "imply meets that; it says little if a baseline could have it too. A comparison holds if the 95 % interval of "
    "the difference lies on that side of zero, on par if its 90 % interval, which then stands here, lies within the "
    "margin. Counts and shapes are equal or not."
)


WORDS = {
    "reached": "epochs to {1} % on validation",
    "gap": "how much worse on validation than on train at the end",
    "best_epoch": "epochs to the best one",
}
"""Metrics of the course of a training."""


def claims_table(results: Results) -> Table:
    """Every published figure, the rebuilt one, and the verdict."""
    rows = tuple(_claim_row(verdict) for verdict in results.verdicts)
    kinds = tuple("stand-in" if v.dataset and v.dataset.stand_in else "" for v in results.verdicts)
    documents = [verdict.claim.document for verdict in results.verdicts]
    groups = tuple(f"{document} {DOCUMENTS.get(document, '')}".strip() for document in documents)
    return Table("claims", "Figures and verdicts", CAPTION, COLUMNS, rows, kinds=kinds, groups=groups)


def _claim_row(verdict: Verdict) -> dict[str, Cell]:
    claim, small, rebuilt = verdict.claim, "", Cell(DASH)
    metric, unit = _metric(verdict)
    if verdict.interval and claim.kind != "count":
        small = f"{'difference ' * (claim.kind == 'comparison')}{between(verdict.interval, metric, unit)}"
    if verdict.shape is not None:
        rebuilt = Cell(shape(verdict.shape), value=verdict.shape)
    elif verdict.rebuilt is not None:
        rebuilt = Cell(measured(verdict.rebuilt, metric, unit), small, value=verdict.rebuilt.model_dump(mode="json"))
    return {
        "document": Cell(claim.document, value=claim.document),
        "claim": Cell(claim.words, f"{claim.experiment}, {describe(claim.metric)}", value=claim.words),
        "published": published_cell(verdict),
        "rebuilt": rebuilt,
        "verdict": Cell(marks=(Mark("", verdict.outcome),), value=verdict.outcome),
        "note": Cell(claim.note),
    }


def published_cell(verdict: Verdict) -> Cell:
    """What is published: the value, or what it is compared with."""
    claim = verdict.claim
    metric, unit = _metric(verdict)
    if isinstance(claim.value, list):
        return Cell(shape(claim.value), value=claim.value)
    if claim.value is not None:
        words = f"{'about ' if claim.about else ''}{published(float(claim.value), metric, unit)}"
        return Cell(words, f"of {claim.of}" if claim.of else "", value=float(claim.value))
    words = f"as {claim.against}" if claim.relation == "par" else f"{claim.relation} {claim.against}"
    small = measured(verdict.other, metric, unit) if verdict.other else ""
    if claim.within:
        small = f"{small}, within {published(claim.within, metric, unit)}".removeprefix(", ")
    return Cell(words, small, value=verdict.other.mean if verdict.other else None)


def _metric(verdict: Verdict) -> tuple[str, str]:
    """The last word of the metric's path, and the unit of the data; a ratio has neither."""
    unit = verdict.dataset.scale.unit if verdict.dataset else ""
    return ("ratio", "") if verdict.claim.of else (verdict.claim.metric.rsplit(".", maxsplit=1)[-1], unit)


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
        case [*words]:
            return WORDS.get(words[0], path).format(*words)
