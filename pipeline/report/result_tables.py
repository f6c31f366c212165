"""The tables of a data set and of the published figures, as data.

Page, terminal and `--json` show the same tables.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pipeline.config.params import own_name
from pipeline.evaluation.claims import Outcome, Verdict
from pipeline.evaluation.intervals import SEARCHED
from pipeline.evaluation.schema import About, Entry, Scores, added_measures
from pipeline.evaluation.verdict_rule import BAND, Comparison, Word
from pipeline.metrics import MEASURES
from pipeline.report import titles
from pipeline.report.built_results import Evaluated, Results
from pipeline.report.formatting import (
    DASH,
    between,
    measured,
    published,
    shape,
    short,
    spread,
    title,
)
from pipeline.report.wording import (
    WITHOUT_QUESTION,
    AnswerText,
    band_text,
    comparison_text,
    meanings,
)

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
"""Number of a document -> its title."""

CLAIMS_CAPTION = (
    "A rebuilt figure is the mean over seeds, with the interval in which one more run "
    "would lie, at 95 %. A comparison has the interval of the difference: of 95 %, or of "
    "90 % if the claim is that two models are the same."
)

HEADLINES_CAPTION = (
    "A rebuilt figure is the mean over seeds; below it stands the 95 % interval of one "
    "more run, which is a training from other first weights. A figure holds if it meets "
    'this interval, up to its rounding (twice the rounding after "about"), and says '
    "little if a simple baseline lies in the interval, too."
)

PLACES = {
    "final": "at the end",
    "best": "at the best epoch",
    "rollout": "{1} of the free run",
    "reached": "epochs to {1} % on validation",
    "gap": "how much worse on validation than on train at the end",
    "best_epoch": "epochs to the best one",
}
"""First word of a metric's path -> its words on the page."""


@dataclass(frozen=True)
class TableCell:
    """One cell.

    Attributes:
        text: the text that is shown.
        small: a smaller second line.
        outcome: the outcome of a claim.
        value: the value behind the text, for `--json`.
    """

    text: str = ""
    small: str = ""
    outcome: Outcome | None = None
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
        name: the name of the data set, or "claims".
        title: the title.
        caption: how to read the table.
        columns: the columns; the first one names the row.
        rows: the rows: key of a column -> cell.
        stand_in: whether its figures come from generated stand-in data.
        answers: a line for each answer of the data set.
        searches: the models of several searches that the answers name, in sentences.
    """

    name: str
    title: str
    caption: str
    columns: tuple[TableColumn, ...]
    rows: tuple[Mapping[str, TableCell], ...]
    stand_in: bool = False
    answers: tuple[str, ...] = ()
    searches: str = ""


FIGURES = (
    TableColumn("published", "Published"),
    TableColumn("rebuilt", "Rebuilt"),
    TableColumn("verdict", "Verdict", numeric=False),
)
"""The columns of a published figure and of what became of it."""

DOCUMENT = TableColumn("document", "Document", numeric=False)
"""The column of a claim's document, which the page shows as groups of rows."""


def heading(document: str) -> str:
    """Return the number and the title of a document."""
    return f"{document} {DOCUMENTS.get(document, '')}".strip()


def as_data(table: ResultTable) -> dict[str, Any]:
    """Return a table as plain data: each cell has its text and the value behind it."""
    keys = [column.key for column in table.columns]
    rows = [
        {key: {"text": plain(row[key]), "value": row[key].value} for key in keys}
        for row in table.rows
    ]
    return asdict(table) | {
        "answers": [*table.answers],
        "columns": [asdict(column) for column in table.columns],
        "rows": rows,
    }


def plain(cell: TableCell) -> str:
    """Return a cell as one line, with its second line in brackets."""
    if cell.outcome:
        return f"{SIGNS.get(cell.outcome, '')} {cell.outcome}".strip()
    small = cell.small
    if small and not small.startswith("±"):
        small = f"({small})"
    return f"{cell.text} {small}".strip()


def dataset_tables(
    dataset: Evaluated,
    only: Collection[str] = (),
    *,
    against: bool = True,
) -> list[ResultTable]:
    """Return the table of a data set's scores, and a table of groups and free runs if
    there are any.

    Args:
        dataset: the data set.
        only: names of the experiments to show; all if empty.
        against: whether experiments are compared with the best one without recurrence.
    """
    shown = {
        name: entry
        for name, entry in dataset.experiments.items()
        if not only or name in only
    }
    tables = [
        scores_table(dataset, shown, dataset.opponent if against else None),
        groups_table(dataset, shown),
    ]
    return [table for table in tables if table.rows]


def scores_table(
    dataset: Evaluated,
    shown: Mapping[str, Entry],
    opponent: str | None,
) -> ResultTable:
    """Return the scores of some experiments, the best on test first, and the floors."""
    about = dataset.about
    label = title(about.metric)
    validated = "validation" in about.examples
    measures = dict.fromkeys(
        name
        for entry in shown.values()
        for name in added_measures(entry.chosen.get("test", {}))
    )
    # Key, title, and whether the column is shown.
    known = (
        ("experiment", "Experiment", True),
        ("parameters", "Parameters", True),
        ("epochs", "Best epoch" if validated else "Epochs", True),
        ("validation", f"Validation {label}, best epoch", validated),
        ("validation_final", f"Validation {label}, final", validated),
        ("test_best", f"Test {label}, selected", validated),
        ("test", f"Test {label}, final", True),
        ("unit", "Test MAE in its unit", about.scale.unit),
        ("mase", "Test MASE", about.naive),
        *(
            (f"added_{name}", f"Test {title(name)}", name != about.metric)
            for name in measures
        ),
        ("against", "Change", opponent),
        ("interval", "Interval", opponent),
        ("word", "Verdict", opponent),
    )
    columns = [
        TableColumn(key, text, numeric=key not in {"experiment", "word"})
        for key, text, holds in known
        if holds
    ]
    answers = [AnswerText(dataset, answer).line for answer in dataset.answers]
    searches = (
        opponent and dataset.behind,
        (
            f"{'. '.join(dataset.behind)}. They are compared by the mean of their "
            "searches, which has a row of its own."
        ),
    )
    return ResultTable(
        dataset.name,
        f"{dataset.name}: {dataset.question}",
        _caption(dataset, opponent),
        tuple(columns),
        tuple(_score_rows(dataset, shown, [key for key, *_ in known])),
        about.stand_in,
        tuple(answers),
        _sentences(searches),
    )


def _score_rows(
    dataset: Evaluated,
    shown: Mapping[str, Entry],
    columns: Collection[str],
) -> list[Mapping[str, TableCell]]:
    """Return the rows of experiments and floors, the best on test first."""
    metric = dataset.about.metric
    worst = -math.inf if MEASURES[metric].higher else math.inf
    rows: list[tuple[float, Mapping[str, TableCell]]] = []
    for name, entry in shown.items():
        score = entry.score(metric)
        rows.append((score.mean if score else worst, _experiment_row(dataset, name)))
        if dataset.several(name):
            row = dict.fromkeys(columns, TableCell()) | _mean_row(dataset, name)
            known = row["test_best"].value
            rows.append((worst if known is None else known, row))
    for words, value in dataset.floors.items():
        cell = TableCell(measured(value, metric), value=value)
        row = {"experiment": TableCell(words, "floor"), "test": cell, "test_best": cell}
        rows.append((value, dict.fromkeys(columns, TableCell()) | row))
    rows.sort(key=lambda placed: placed[0], reverse=MEASURES[metric].higher)
    return [row for _, row in rows]


def _mean_row(dataset: Evaluated, name: str) -> dict[str, TableCell]:
    """Return the row of a model over all of its searches, by which it is compared."""
    metric = dataset.about.metric
    cells = {"experiment": TableCell(dataset.named(name), name)}
    means = {
        "validation": dataset.evaluation.mean_score("validation", name, metric),
        "test_best": dataset.evaluation.mean_score("test", name, metric),
    }
    for key, mean in means.items():
        if mean is not None:
            cells[key] = TableCell(measured(mean, metric), value=mean)
    compared = dataset.comparisons.get(name)
    entry = dataset.experiments[name]
    return cells | _against(dataset, compared, recurrent=entry.recurrent)


def _caption(dataset: Evaluated, opponent: str | None) -> str:
    about = dataset.about
    better = "higher" if MEASURES[about.metric].higher else "lower"
    return _sentences(
        (dataset.stale, "These scores are of an earlier build."),
        (
            True,
            (
                f"A {better} {title(about.metric)} is better. Each score is the mean "
                "over seeds, ± their standard deviation."
            ),
        ),
        (
            "validation" in about.examples,
            "The selected weights are those of the epoch that is best on validation.",
        ),
        (
            about.naive,
            f"MASE is the MAE as a share of {_naive(about)}'s on train.",
        ),
        (opponent, change_sentence(dataset, opponent)),
        (opponent, band_sentence(dataset)),
        (opponent, meanings(note for one in dataset.answers for note in one.notes)),
    )


def _naive(about: About) -> str:
    """Return the forecast that MASE divides by (`scores.seasonal_naive`)."""
    # A day is a cycle of rows that divide it.
    seconds = about.facts.get("seconds between rows", 1)
    if seconds >= titles.DAY or titles.DAY % seconds:
        return "the last value"
    return "the seasonal naive forecast"


def change_sentence(dataset: Evaluated, opponent: str | None) -> str:
    """Return what the change in error of a table is; "" if nothing is compared."""
    if opponent is None or not dataset.comparisons:
        return ""
    against = (
        f"The change in error is against {dataset.named(opponent)}, chosen before the "
        "test as the best without recurrence"
    )
    if not any(each.relative for each in dataset.comparisons.values()):
        return (
            f"{against}: the difference of the two errors, since one of them is 0, with "
            "its 95 % interval."
        )
    draws = "seeds, with its 95 % interval"
    if dataset.searches:
        level = f"{100 * SEARCHED:g} %"
        draws += (
            f", or over searches where there are several, with its {level} interval"
        )
    return f"{against}. It is a geometric mean over {draws}."


def _sentences(*sentences: tuple[object, str]) -> str:
    """Return as one text the sentences whose condition holds."""
    return " ".join(text for holds, text in sentences if holds and text)


def band_sentence(dataset: Evaluated) -> str:
    """Return a sentence about the changes that do not matter, if changes are relative."""
    relative = [each for each in dataset.comparisons.values() if each.relative]
    if not relative:
        return ""
    sentence = band_text(relative[0])  # all have the same opponent
    floor = dataset.about.floor
    if floor:
        sentence += (
            f". These are {100 * BAND:g} % of what lies above {floor:.2g}, the error of a "
            "formula"
        )
    return f"{sentence}."


def _experiment_row(dataset: Evaluated, name: str) -> dict[str, TableCell]:
    about = dataset.about
    metric = about.metric
    entry = dataset.experiments[name]
    test = entry.chosen.get("test", {})
    # of several searches the mean is compared
    is_compared = not dataset.several(entry.repeats or name)
    compared = dataset.comparisons.get(name) if is_compared else None
    mase = NO_VALUE
    if about.naive and "mae" in test:
        value = test["mae"].mean / about.naive
        mase = TableCell(f"{value:.3f}", value=value)
    return {
        "experiment": TableCell(name, value=name),
        "parameters": TableCell(short(entry.parameters), value=entry.parameters),
        "epochs": _epochs(entry),
        "validation": _stat(entry.chosen.get("validation"), metric),
        "validation_final": _stat(entry.final.get("validation"), metric),
        "test_best": _stat(test, metric),
        "test": _stat(entry.final.get("test"), metric),
        "unit": _stat(test, "mae_unit", about.scale.unit),
        "mase": mase,
        **{f"added_{name}": _stat(test, name) for name in MEASURES},
        **_against(dataset, compared, recurrent=entry.recurrent),
    }


def _against(
    dataset: Evaluated, comparison: Comparison | None, *, recurrent: bool
) -> dict[str, TableCell]:
    """Return the cells of the change in error, its interval and the outcome.

    Recurrence neither helps nor hurts in the row of a model without it, and where the
    question is not asked. A model then has less or more error.
    """
    if comparison is None:
        return dict.fromkeys(("against", "interval", "word"), NO_VALUE)
    change, interval = comparison_text(comparison, dataset.about.metric)
    word: str = comparison.outcome
    outcomes = {answer.outcome for answer in dataset.answers}
    if outcomes == {Word.NOT_ASKED} or not recurrent:
        word = WITHOUT_QUESTION.get(comparison.outcome, word)
    return {
        "against": TableCell(change, value=comparison.change),
        "interval": TableCell(interval, value=[comparison.low, comparison.high]),
        "word": TableCell(word, value=comparison.outcome),
    }


def _stat(scores: Scores | None, metric: str, unit: str = "") -> TableCell:
    if not scores or metric not in scores:
        return NO_VALUE
    stat = scores[metric]
    return TableCell(
        measured(stat, metric, unit),
        spread(stat, metric),
        value=stat.model_dump(mode="json"),
    )


def _epochs(entry: Entry) -> TableCell:
    stat = entry.best_epoch
    epochs = entry.epochs
    if stat is None:
        return TableCell(short(epochs) if epochs else DASH, value=epochs)
    text = "-".join(map(str, sorted({int(stat.min), int(stat.max)})))
    return TableCell(text, f"of {epochs}", value=stat.model_dump(mode="json"))


def groups_table(dataset: Evaluated, shown: Mapping[str, Entry]) -> ResultTable:
    """Return the scores on groups of the test set, and of free runs.

    The table has no rows if there are neither.
    """
    metric = dataset.about.metric
    groups = dict.fromkeys(group for entry in shown.values() for group in entry.groups)
    free = any(entry.rollout for entry in shown.values())
    columns = [TableColumn("experiment", "Experiment", numeric=False)]
    columns += [
        TableColumn(f"group_{group}", f"Test {title(metric)}, {group}")
        for group in groups
    ]
    if free:
        columns.append(TableColumn("rollout", "Free run, MSE"))
        columns.append(TableColumn("horizon", "Free run, steps in phase (median)"))
    rows = []
    for name, entry in shown.items() if groups or free else ():
        row = {"experiment": TableCell(name, value=name)}
        for group in groups:
            row[f"group_{group}"] = _stat(entry.groups.get(group), metric)
        row["rollout"] = _stat(entry.rollout, "mse")
        row["horizon"] = _horizon(dataset, entry.rollout)
        rows.append(row)
    weights = "selected" if "validation" in dataset.about.examples else "final"
    contents = _sentences(
        (groups, "parts of the test set"),
        (groups and free, "and"),
        (free, "own predictions fed back"),
    )
    caption = _sentences(
        (True, f"These are the scores of the {weights} weights."),
        (
            "outside" in groups,
            "The parts lie inside and outside the range of x that was trained on.",
        ),
        (
            free,
            (
                "In the free run every prediction is fed back as an input; the phase is "
                "lost when the MSE over one period of the sine (13 steps) exceeds 0.5, what "
                "a constant 0 scores."
            ),
        ),
    )
    return ResultTable(
        dataset.name,
        f"{dataset.name}: {contents}",
        caption,
        tuple(columns),
        tuple(rows),
        dataset.about.stand_in,
    )


def _horizon(dataset: Evaluated, rollout: Scores | None) -> TableCell:
    """Return the median, the least and the greatest horizon over seeds.

    The median is shown, not the mean, since the length of the test bounds a horizon.
    """
    if not rollout or "horizon" not in rollout or dataset.about.horizons is None:
        return NO_VALUE
    stat = rollout["horizon"]
    small = f"seeds: {stat.min:g} to {stat.max:g}, of {dataset.about.horizons[1]}"
    return TableCell(f"{stat.median:g}", small, value=stat.model_dump(mode="json"))


def claims_table(verdicts: Sequence[Verdict], *, stand_in: bool = False) -> ResultTable:
    """Return the table of published figures, rebuilt figures and verdicts.

    `stand_in` says whether the rebuilt figures come from generated stand-in data.
    """
    return ResultTable(
        "claims",
        "Figures and verdicts",
        CLAIMS_CAPTION,
        (
            TableColumn("claim", "What the document says", numeric=False),
            *FIGURES,
            TableColumn("note", "Why", numeric=False),
        ),
        tuple(_claim_row(verdict) for verdict in verdicts),
        stand_in,
    )


def _claim_row(verdict: Verdict) -> dict[str, TableCell]:
    claim = verdict.claim
    about = f"{claim.experiment}, {describe(claim.metric)}"
    row = {
        "document": TableCell(claim.document, value=claim.document),
        "claim": TableCell(claim.words, about, value=claim.words),
        "published": published_cell(verdict),
        "rebuilt": rebuilt_cell(verdict),
        "verdict": TableCell(outcome=verdict.outcome, value=verdict.outcome),
        "note": TableCell(claim.note),
    }
    if claim.headline:
        row["figure"] = TableCell(claim.headline.figure, claim.experiment)
        row["reason"] = TableCell(claim.headline.reason)
    return row


def headlines_table(results: Results) -> ResultTable:
    """Return the table of the documents' best known figures beside the rebuilt ones.

    Each row also has a cell `document`, by which the page groups the rows.
    """
    rows = [
        _claim_row(verdict) for verdict in results.verdicts if verdict.claim.headline
    ]
    return ResultTable(
        "headlines",
        "Published and rebuilt",
        HEADLINES_CAPTION,
        (
            TableColumn("figure", "Figure", numeric=False),
            *FIGURES,
            TableColumn("reason", "Why", numeric=False),
        ),
        tuple(rows),
    )


def rebuilt_cell(verdict: Verdict) -> TableCell:
    """Return the cell of a rebuilt value, with the interval of one more run."""
    if verdict.shape is not None:
        return TableCell(shape(verdict.shape), value=verdict.shape)
    if verdict.rebuilt is None:
        return NO_VALUE
    metric, unit = _metric(verdict)
    text = measured(verdict.rebuilt, metric, unit)
    small = _interval(verdict, metric, unit)
    return TableCell(text, small, value=verdict.rebuilt.model_dump(mode="json"))


def _interval(verdict: Verdict, metric: str, unit: str) -> str:
    """Return the interval of a verdict in words; "" if it has none."""
    if verdict.interval is None:
        return ""
    low, high = (between([end], metric, unit) for end in verdict.interval)
    text = low if low == high else between(verdict.interval, metric, unit)
    if verdict.claim.kind == "comparison":
        return f"difference {text}"
    if low == high:
        return "the same in every run"
    return text if verdict.claim.rows == "same" else f"{text} on another test set"


def published_cell(verdict: Verdict) -> TableCell:
    """Return the cell of a published value, or of the experiment it is compared with."""
    claim = verdict.claim
    metric, unit = _metric(verdict)
    if isinstance(claim.value, list):
        return TableCell(shape(claim.value), value=claim.value)
    if claim.value is not None:
        value = float(claim.value)
        about = "about " if claim.about else ""
        remarks = [f"times that of {own_name(claim.of)}"] if claim.of else []
        if verdict.interval and np.ptp(verdict.interval) < np.ptp(claim.printed()):
            low, high = (published(end, metric, unit) for end in claim.printed())
            remarks.append(f"rounded: {low.partition(' ')[0]} to {high}")
        text = about + published(value, metric, unit)
        return TableCell(text, ", ".join(remarks), value=value)
    words = "close to" if claim.relation == "par" else str(claim.relation)
    small = f"that of {own_name(str(claim.against))}"
    if claim.within:
        small += f", within {published(claim.within, metric, unit)}"
    if verdict.other is None:
        return TableCell(words, small)
    words += f" {measured(verdict.other, metric, unit)}"
    return TableCell(words, small, value=verdict.other.mean)


def _metric(verdict: Verdict) -> tuple[str, str]:
    """Return the last name of the metric's path, and the unit of the data.

    For a ratio they are "ratio" and "".
    """
    if verdict.claim.of:
        return "ratio", ""
    unit = verdict.dataset.scale.unit if verdict.dataset else ""
    return verdict.claim.metric.rsplit(".", maxsplit=1)[-1], unit


def describe(path: str) -> str:
    """Return a metric's path in words.

    For example, best.validation.accuracy is "accuracy on validation at the best epoch".
    """
    words = path.split(".")
    match words:
        case ["final" | "best", split, metric]:
            unit = ", in its unit" if metric.endswith("_unit") else ""
            return f"{title(metric)} on {split} {PLACES[words[0]]}{unit}"
        case ["groups", group, metric]:
            return f"{title(metric)} on test, {group}"
        case ["layers", layer, what]:
            return f"{layer}, {what}{'' if what == 'parameters' else ' shape'}"
        case ["dataset", *rest]:
            return " ".join(rest).removeprefix("facts ")
    return PLACES.get(words[0], path).format(*map(title, words))
