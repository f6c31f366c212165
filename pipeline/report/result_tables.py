"""The tables of a data set and of the published figures, as data: page, terminal and
`--json` show the same ones.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.evaluation.claims import Verdict
from pipeline.evaluation.outcome import Outcome
from pipeline.evaluation.schema import Entry, Scores
from pipeline.metrics import MEASURES
from pipeline.report.formatting import (
    DASH,
    between,
    comparison_text,
    measured,
    published,
    shape,
    short,
    spread,
    title,
)
from pipeline.report.results import Evaluated, Results
from pipeline.report.sentences import answer_text

SIGNS: dict[str, str] = {Outcome.HOLDS: "✓", Outcome.FAILS: "✗"}

DOCUMENTS = {
    "000": "Butler: recurrent neural networks, week 12 slides",
    "001": "Abandah: recurrent neural networks, slides",
    "002": "Recurrent Models Overview, an article",
    "003": "Eckel: RNNs part 1, an assignment",
    "004": "Chollet: notebooks 6.2 and 6.3, the source of 001 and 002",
    "005": "Long forecasts of Weather: LTSF-Linear's table, SegRNN's README",
    "006": "Chollet: Deep Learning with Python, third edition, chapter 13",
}
"""What the number of a document stands for."""

CLAIMS_CAPTION = (
    "Rebuilt: the mean over seeds, and where one more run would lie (95 %). A figure holds if what its digits "
    "imply meets that; it says little if a baseline could have it too. A comparison holds if the 95 % interval of "
    "the difference lies on that side of zero, on par if its 90 % interval, which then stands here, lies within the "
    "margin. Counts and shapes are equal or not."
)

COURSE = {
    "reached": "epochs to {1} % on validation",
    "gap": "how much worse on validation than on train at the end",
    "best_epoch": "epochs to the best one",
}
"""Metrics of the course of a training, in words."""


@dataclass(frozen=True)
class Badge:
    """A verdict: `text` is shown, then the outcome, whose colour is that of `tone`."""

    text: str
    tone: str


@dataclass(frozen=True)
class TableCell:
    """One cell: what is shown, a smaller second line, one for the page alone, verdicts,
    and the value behind it.
    """

    text: str = ""
    small: str = ""
    detail: str = ""
    marks: tuple[Badge, ...] = ()
    value: Any = None


NO_VALUE = TableCell(DASH)


@dataclass(frozen=True)
class TableColumn:
    """One column; `numeric` ones are aligned to the right."""

    key: str
    title: str
    numeric: bool = True


@dataclass(frozen=True)
class ResultTable:
    """A table.

    Attributes:
        name: of the data set, or "claims".
        columns: the first one names the row.
        rows: of each the columns' keys -> cells; the page has more of an experiment:
            `change`, with its verdict.
        stand_in: whether its figures come from generated stand-in data.
        kinds: of each row: "baseline", "floor", "stand-in" or "".
        groups: of each row: the heading that it stands under; empty where there are
            none.
        answers: whether a recurrent network helps here, a line for each answer.
    """

    name: str
    title: str
    caption: str
    columns: tuple[TableColumn, ...]
    rows: tuple[Mapping[str, TableCell], ...]
    stand_in: bool = False
    kinds: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()


DOCUMENT = TableColumn("document", "Document", numeric=False)
"""A column that the page has as groups of rows."""


def as_data(table: ResultTable) -> dict[str, Any]:
    """The table as plain data: every cell with its text and the value behind it."""
    rows = [
        {
            column.key: {"text": plain(row[column.key]), "value": row[column.key].value}
            for column in table.columns
        }
        for row in table.rows
    ]
    about = {
        "name": table.name,
        "title": table.title,
        "caption": table.caption,
        "stand_in": table.stand_in,
    }
    columns = [asdict(column) for column in table.columns]
    return about | {"answers": list(table.answers), "columns": columns, "rows": rows}


def plain(cell: TableCell) -> str:
    """A cell on one line, its second line in brackets, its verdicts after it; without
    its detail.
    """
    small = (
        cell.small
        if cell.small.startswith("±") or not cell.small
        else f"({cell.small})"
    )
    text = f"{cell.text} {small}".strip()
    marks = "; ".join(
        f"{mark.text} {SIGNS.get(mark.tone, '')} {mark.tone}".strip()
        for mark in cell.marks
    )
    return "; ".join(part for part in (text, marks) if part)


def dataset_tables(
    results: Results,
    dataset: Evaluated,
    only: Collection[str] = (),
    *,
    against: bool = True,
) -> list[ResultTable]:
    """The table of a data set and, where its test set is scored in groups or fed back,
    a second one.

    `only` names the experiments to show, all if empty; `against` compares each with the
    best without recurrence.
    """
    shown = {
        name: entry
        for name, entry in dataset.experiments.items()
        if not only or name in only
    }
    opponent = dataset.opponent if against else None
    tables = (
        _scores_table(results, dataset, shown, opponent),
        _groups_table(dataset, shown),
    )
    return [table for table in tables if table.rows]


def _scores_table(
    results: Results,
    dataset: Evaluated,
    shown: Mapping[str, Entry],
    opponent: str | None,
) -> ResultTable:
    about = dataset.about
    metric = dataset.about.metric
    label = title(metric)
    unit = about.scale.unit
    validated = "validation" in about.examples
    columns = {
        "experiment": "Experiment",
        "parameters": "Parameters",
        "epochs": "Best epoch" if validated else "Epochs",
        "validation": f"Validation {label}, best epoch" if validated else "",
        "validation_final": f"Validation {label}, final" if validated else "",
        "test_best": f"Test {label}, selected" if validated else "",
        "test": f"Test {label}, final",
        "unit": f"Test MAE in {unit}" if unit else "",
        "mase": "Test MASE" if about.naive else "",
        "against": "vs best without" if opponent else "",
        "interval": "95 % interval" if opponent else "",
        "published": "Published",
    }
    sign, better = (-1, "higher") if MEASURES[metric].higher else (1, "lower")
    rows = []
    for name, entry in shown.items():
        score = entry.score(metric)
        kind = "baseline" if entry.baseline else ""
        rows.append(
            (
                sign * score.mean if score else math.inf,
                kind,
                _experiment_row(results, dataset, name),
            )
        )
    for words, value in about.floors.items():
        floor = dict.fromkeys(
            ("test_best", "test"), TableCell(measured(value, metric), value=value)
        )
        floor["experiment"] = TableCell(words, "floor")
        rows.append(
            (sign * value, "floor", dict.fromkeys(columns, TableCell()) | floor)
        )
    rows.sort(key=lambda row: row[0])
    caption = "Of an earlier build. " if dataset.stale else ""
    caption += (
        f"{label}, {better} is better; mean over seeds ± sample standard deviation."
    )
    if validated:
        caption += " Selected: by the epoch that is best on validation, never on test."
    if about.naive:
        caption += (
            " MASE is the MAE as a share of the seasonal naive forecast's on train."
        )
    if opponent:
        caption += (
            f" The best without recurrence is {opponent}, chosen before the test. Against it (vs): the change in "
            "error, a geometric mean over seeds, and its interval, 95 % for the whole table (Holm); of no difference "
            "90 %, within ±5 %."
        )
    numeric = {key: key not in {"experiment", "published"} for key in columns}
    answers = [answer_text(dataset, answer).line for answer in dataset.answers] or [
        dataset.unanswered
    ]
    return ResultTable(
        dataset.name,
        f"{dataset.name}: {dataset.question}",
        caption,
        tuple(
            TableColumn(key, words, numeric[key])
            for key, words in columns.items()
            if words
        ),
        tuple(row for _, _, row in rows),
        about.stand_in,
        tuple(kind for _, kind, _ in rows),
        answers=tuple(answers),
    )


def _experiment_row(
    results: Results, dataset: Evaluated, name: str
) -> dict[str, TableCell]:
    about = dataset.about
    metric = dataset.about.metric
    entry = dataset.experiments[name]
    test = entry.chosen.get("test")
    seeds = len(entry.seeds)
    mase = (
        test["mae"].mean / about.naive
        if about.naive and test and "mae" in test
        else None
    )
    detail = f"{dataset.titles[name]} · {entry.fingerprint} · {seeds} seed{'s' if seeds > 1 else ''}"
    row = {
        "experiment": TableCell(name, detail=detail, value=name),
        "parameters": TableCell(short(entry.parameters), value=entry.parameters),
        "epochs": _epochs(entry),
        "validation": _stat(entry.chosen.get("validation"), metric),
        "validation_final": _stat(entry.final.get("validation"), metric),
        "test_best": _stat(test, metric),
        "test": _stat(entry.final.get("test"), metric),
        "unit": _stat(test, "mae_unit", about.scale.unit),
        "mase": NO_VALUE if mase is None else TableCell(f"{mase:.3f}", value=mase),
        "against": NO_VALUE,
        "interval": NO_VALUE,
        "published": _published_figures(results, f"{dataset.name}/{name}"),
    }
    if comparison := dataset.comparisons.get(name):
        mean, interval = comparison_text(comparison, metric)
        difference = comparison.difference
        value = {
            "mean": difference.mean,
            "p_value": difference.p_value,
            "outcome": comparison.outcome,
        }
        row["change"] = TableCell(
            mean, interval if comparison.change else "", value=comparison.outcome
        )
        row["against"] = TableCell(
            f"{mean} {comparison.outcome}", value=value | {"reason": comparison.reason}
        )
        row["interval"] = TableCell(interval, value=list(comparison.interval))
    return row


def _stat(scores: Scores | None, metric: str, unit: str = "") -> TableCell:
    if not scores or metric not in scores:
        return NO_VALUE
    stat = scores[metric]
    return TableCell(
        measured(stat, metric, unit),
        spread(stat, metric),
        value=stat.model_dump(mode="json"),
    )


def _horizon(dataset: Evaluated, rollout: Scores | None) -> TableCell:
    """The median over seeds, as both ends are bounds of what can be seen, and the least
    and greatest.
    """
    if not rollout or "horizon" not in rollout or dataset.about.horizons is None:
        return NO_VALUE
    stat, (least, most) = rollout["horizon"], dataset.about.horizons
    small = f"{stat.min:g} to {stat.max:g}; {least} to {most} can be seen"
    return TableCell(f"{stat.median:g}", small, value=stat.model_dump(mode="json"))


def _epochs(entry: Entry) -> TableCell:
    stat = entry.best_epoch
    epochs = entry.epochs
    if stat is None:
        return TableCell(short(epochs) if epochs else DASH, value=epochs)
    ends = sorted({int(stat.min), int(stat.max)})
    return TableCell(
        "-".join(map(str, ends)), f"of {epochs}", value=stat.model_dump(mode="json")
    )


def _published_figures(results: Results, name: str) -> TableCell:
    """The published results of one experiment, by its whole name, with their verdicts.

    Counts and shapes are in the claims' table alone.
    """
    measured_on = {"final", "best", "groups", "rollout"}
    own = (verdict for verdict in results.verdicts if verdict.claim.experiment == name)
    figures = (
        verdict for verdict in own if verdict.claim.metric.split(".")[0] in measured_on
    )
    badges = tuple(
        Badge(published_cell(verdict).text, verdict.outcome) for verdict in figures
    )
    return TableCell(
        marks=badges,
        value=[{"published": badge.text, "verdict": badge.tone} for badge in badges],
    )


def _groups_table(dataset: Evaluated, shown: Mapping[str, Entry]) -> ResultTable:
    metric = dataset.about.metric
    groups = list(
        dict.fromkeys(group for entry in shown.values() for group in entry.groups)
    )
    columns = [TableColumn("experiment", "Experiment", numeric=False)]
    columns += [
        TableColumn(f"group_{group}", f"Test {title(metric)}, {group}")
        for group in groups
    ]
    contents = []
    caption = "Final weights."
    if groups:
        contents.append("parts of the test set")
        caption += " Inside and outside the range of x that was trained on." * (
            "outside" in groups
        )
    if any(entry.rollout for entry in shown.values()):
        columns += [
            TableColumn("rollout", "Free run, MSE"),
            TableColumn("horizon", "Free run, steps in phase (median)"),
        ]
        contents.append("own predictions fed back")
        caption += (
            " In the free run every prediction is fed back as an input; the phase is lost when the MSE over one period "
            "of the sine (13 steps) exceeds 0.5, what a constant 0 scores."
        )
    rows = []
    for name, entry in shown.items() if contents else ():
        row = {"experiment": TableCell(name, value=name)}
        row |= {
            f"group_{group}": _stat(entry.groups.get(group), metric) for group in groups
        }
        rows.append(
            row
            | {
                "rollout": _stat(entry.rollout, "mse"),
                "horizon": _horizon(dataset, entry.rollout),
            }
        )
    heading = f"{dataset.name}: {' and '.join(contents)}"
    kinds = tuple("baseline" if entry.baseline else "" for entry in shown.values())
    return ResultTable(
        dataset.name,
        heading,
        caption,
        (*columns,),
        (*rows,),
        dataset.about.stand_in,
        kinds,
    )


def claims_table(results: Results) -> ResultTable:
    """Every published figure, the rebuilt one, and the verdict."""
    columns = (
        TableColumn("claim", "What the document says", numeric=False),
        TableColumn("published", "Published"),
        TableColumn("rebuilt", "Rebuilt"),
        TableColumn("verdict", "Verdict", numeric=False),
        TableColumn("note", "What is behind it", numeric=False),
    )
    documents = [verdict.claim.document for verdict in results.verdicts]
    return ResultTable(
        "claims",
        "Figures and verdicts",
        CLAIMS_CAPTION,
        columns,
        tuple(_claim_row(verdict) for verdict in results.verdicts),
        kinds=tuple(
            "stand-in" if v.dataset and v.dataset.stand_in else ""
            for v in results.verdicts
        ),
        groups=tuple(
            f"{document} {DOCUMENTS.get(document, '')}".strip()
            for document in documents
        ),
    )


def _claim_row(verdict: Verdict) -> dict[str, TableCell]:
    claim = verdict.claim
    return {
        "document": TableCell(claim.document, value=claim.document),
        "claim": TableCell(
            claim.words,
            f"{claim.experiment}, {describe(claim.metric)}",
            value=claim.words,
        ),
        "published": published_cell(verdict),
        "rebuilt": rebuilt_cell(verdict),
        "verdict": TableCell(
            marks=(Badge("", verdict.outcome),), value=verdict.outcome
        ),
        "note": TableCell(claim.note),
    }


def rebuilt_cell(verdict: Verdict) -> TableCell:
    """What is rebuilt, and where one more run would lie."""
    if verdict.shape is not None:
        return TableCell(shape(verdict.shape), value=verdict.shape)
    if verdict.rebuilt is None:
        return NO_VALUE
    (metric, unit), kind, small = _metric(verdict), verdict.claim.kind, ""
    if verdict.interval and kind != "count":
        small = f"{'difference ' * (kind == 'comparison')}{between(verdict.interval, metric, unit)}"
    return TableCell(
        measured(verdict.rebuilt, metric, unit),
        small,
        value=verdict.rebuilt.model_dump(mode="json"),
    )


def published_cell(verdict: Verdict) -> TableCell:
    """What is published: the value, or what it is compared with."""
    claim = verdict.claim
    metric, unit = _metric(verdict)
    if isinstance(claim.value, list):
        return TableCell(shape(claim.value), value=claim.value)
    if claim.value is not None:
        words = f"{'about ' if claim.about else ''}{published(float(claim.value), metric, unit)}"
        return TableCell(
            words, f"of {claim.of}" if claim.of else "", value=float(claim.value)
        )
    words = (
        f"as {claim.against}"
        if claim.relation == "par"
        else f"{claim.relation} {claim.against}"
    )
    small = measured(verdict.other, metric, unit) if verdict.other else ""
    if claim.within:
        small = f"{small}, within {published(claim.within, metric, unit)}".removeprefix(
            ", "
        )
    return TableCell(words, small, value=verdict.other.mean if verdict.other else None)


def _metric(verdict: Verdict) -> tuple[str, str]:
    """The last word of the metric's path, and the unit of the data; a ratio has
    neither.
    """
    unit = verdict.dataset.scale.unit if verdict.dataset else ""
    return (
        ("ratio", "")
        if verdict.claim.of
        else (verdict.claim.metric.rsplit(".", maxsplit=1)[-1], unit)
    )


def describe(path: str) -> str:
    """A metric's path in words: best.validation.accuracy -> accuracy on validation at
    the best epoch.
    """
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
            return (
                f"{layer}, {what}" if what == "parameters" else f"{layer}, {what} shape"
            )
        case ["dataset", *rest]:
            return " ".join(word for word in rest if word != "facts")
        case [*words]:
            return COURSE.get(words[0], path).format(*words)
