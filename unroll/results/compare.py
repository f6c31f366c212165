"""The commands `compare` and `claims`: the page's tables on screen; and the answers
that a build ends with.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pipeline.config import params
from pipeline.errors import UnrollError, UsageError
from pipeline.evaluation import answers, schema
from pipeline.evaluation.outcome import Outcome
from pipeline.evaluation.verdicts import Comparison
from pipeline.report.formatting import DASH, comparison_text, title
from pipeline.report.result_tables import (
    DOCUMENT,
    as_data,
    claims_table,
    dataset_tables,
)
from pipeline.report.results import Results, load
from pipeline.report.sentences import answer_text
from pipeline.validation import one_of
from pipeline.workspace import Workspace
from unroll import tables
from unroll.hints import built_by

IMPORTANT = (
    "test_best",
    "against",
    "test",
    "claim",
    "verdict",
    "rebuilt",
    "published",
    "interval",
)
"""Keys of the columns that a narrow terminal shows first."""

ANSWER = (
    "data set",
    "does recurrence help?",
    "change in error",
    "best without",
    "best with",
)


def compare(workspace: Workspace, names: Sequence[str]) -> list[dict[str, Any]]:
    """The tables of data sets, or of experiments side by side; no names: every data
    set, then the published figures.

    Returns:
        One mapping per table: name, title, caption, stand_in, answers, columns (key,
        title, numeric) and rows, where a row has for each column's key a `text` and the
        `value` behind it. Two experiments have a `comparison`.

    Raises:
        UsageError: a name is neither a data set nor an experiment, or two experiments
            are of two data sets.
        UnrollError: something that was asked for by name has no evaluation, or nothing
            has one.
    """
    every = params.load(workspace.params)
    chosen: dict[str, set[str]] = {}
    for name in names:
        one_of(
            name, [*every.datasets, *every.runs], "the name of a data set or experiment"
        )
        dataset, _, experiment = name.partition("/")
        chosen.setdefault(dataset, set()).update({experiment} - {""})
    pair = len(names) == 2 and {*names} <= {*every.runs}
    results = load(workspace, every)
    _require_built(results, names)
    missing = {absent.name for absent in results.missing}
    pages = []
    for evaluated in results.built:
        if names and evaluated.name not in chosen:
            continue
        lacking = len(
            missing
            & {
                f"{evaluated.name}/{name}"
                for name in every.experiments_of(evaluated.name)
            }
        )
        note = (
            f" {lacking} of its experiments {'is' if lacking == 1 else 'are'} not built."
            if lacking
            else ""
        )
        scores = dataset_tables(
            results, evaluated, chosen.get(evaluated.name, ()), against=not pair
        )
        pages += [replace(table, caption=table.caption + note) for table in scores]
    if not names and results.verdicts:
        pages.append(claims_table(results))
    shown = [as_data(page) for page in pages]
    if pair:
        comparison = between(workspace, *names)
        label = next(
            (
                evaluated.label
                for evaluated in results.built
                if evaluated.name in chosen
            ),
            None,
        )
        metric = schema.load(workspace.evaluation(*chosen)).dataset.metric
        shown[0] |= {
            "answers": [],
            "comparison": _pair(names, comparison, metric, label),
        }
    return shown


def between(workspace: Workspace, experiment: str, other: str) -> Comparison | None:
    """Two experiments of one data set on test, by themselves; None with too few seeds,
    or without predictions.

    Raises:
        UsageError: there is no such experiment, or they are of two data sets.
        UnrollError: one of them is not built, or a file is damaged.
    """
    every = params.load(workspace.params)
    dataset = every.experiment(experiment).dataset
    if every.experiment(other).dataset != dataset:
        raise UsageError(
            f"{experiment} and {other} are of two data sets, so nothing compares them"
        )
    folder = workspace.evaluation(dataset)
    evaluation = schema.load(folder) if (folder / "evaluation.json").is_file() else None
    pair = (params.own_name(experiment), params.own_name(other))
    for name in pair:
        if evaluation is None or name not in evaluation.experiments:
            raise UnrollError(
                f"{dataset}/{name} is not built; {built_by(f'evaluate@{dataset}')}"
            )
    return answers.table(evaluation, {"": pair}).get("") if evaluation else None


def _pair(
    names: Sequence[str],
    comparison: Comparison | None,
    metric: str,
    label: Outcome | None,
) -> dict[str, Any]:
    """Two experiments compared, as plain data."""
    about: dict[str, Any] = dict(zip(("experiment", "against"), names, strict=True))
    if comparison is None:
        return about | {
            "outcome": label or Outcome.UNSURE,
            "words": "too few seeds, or no predictions",
        }
    change = comparison.change
    difference = comparison.difference
    mean, interval = comparison_text(comparison, metric)
    words = str(change) if change else f"{title(metric)} {mean} ({interval})"
    return about | {
        "outcome": label or comparison.outcome,
        "words": f"{words}{f'; {comparison.reason}' if comparison.reason else ''}",
        "change": change and change.mean,
        "interval": change and change.interval,
        "level": comparison.level,
        "p_value": difference.p_value,
        "reason": comparison.reason,
    }


def claims(workspace: Workspace, documents: Sequence[str] = ()) -> dict[str, Any]:
    """The table of claims, as `compare` gives it, of some documents or of all, each row
    with its document.

    Raises:
        UsageError: no claim is of that document.
        UnrollError: params.yaml or claims.yaml is wrong, or a file is damaged.
    """
    results = load(workspace, params.load(workspace.params))
    for document in documents:
        one_of(
            document,
            [verdict.claim.document for verdict in results.verdicts],
            "the document",
        )
    verdicts = [
        verdict
        for verdict in results.verdicts
        if not documents or verdict.claim.document in documents
    ]
    table = claims_table(replace(results, verdicts=verdicts))
    heading = "; ".join(dict.fromkeys(table.groups)) if documents else table.title
    columns = table.columns if len(documents) == 1 else (DOCUMENT, *table.columns)
    return as_data(replace(table, title=heading, columns=columns))


def _require_built(results: Results, names: Sequence[str]) -> None:
    missing = {absent.name: absent for absent in results.missing}
    for absent in results.missing:
        missing |= {
            f"{absent.name}/{name}": absent
            for name in absent.experiments
            if "/" not in absent.name
        }
    for name in names:
        if name not in missing:
            continue
        if missing[name].stage:
            raise UnrollError(
                f"{name} is not built: {missing[name].stage} failed: {missing[name].reason}"
            )
        raise UnrollError(
            f"{name} is not built; {built_by('evaluate@' + name.partition('/')[0])}"
        )
    if not results.built:
        raise UnrollError(
            "nothing is built yet; `unroll repro` builds everything, `unroll repro evaluate@waves` one data set"
        )


def show(shown: Sequence[Mapping[str, Any]]) -> None:
    """Print what `compare` gave, without columns that say nothing of any row."""
    for number, table in enumerate(shown):
        if number:
            print()
        columns = {
            column["key"]: column
            for column in table["columns"]
            if {row[column["key"]]["text"] for row in table["rows"]} - {"", DASH}
        }
        heading = (
            f"{table['title']}  [STAND-IN: no result]"
            if table["stand_in"]
            else str(table["title"])
        )
        lines = [f"Does a recurrent network help? {line}" for line in table["answers"]]
        if pair := table.get("comparison"):
            lines.append(
                f"{pair['experiment']} against {pair['against']}: {pair['outcome']}, {pair['words']}"
            )
        tables.show(
            [column["title"] for column in columns.values()],
            [[row[key]["text"] for key in columns] for row in table["rows"]],
            numeric=[
                column["title"] for column in columns.values() if column["numeric"]
            ],
            important=[columns[key]["title"] for key in IMPORTANT if key in columns],
            title="\n".join([heading, *lines]),
            caption=table["caption"],
        )


def evaluation_times(workspace: Workspace) -> dict[str, int]:
    """Data set -> when its evaluation was written."""
    paths = (workspace.root / "results" / "evaluations").glob("*/evaluation.json")
    return {path.parent.name: path.stat().st_mtime_ns for path in paths}


def show_answers(workspace: Workspace, names: Collection[str]) -> None:
    """Print whether these data sets need a recurrent network, a line for each answer,
    in the order of params.yaml.

    As the page has them, corrected for how many answers there are.

    Raises:
        UnrollError: params.yaml, claims.yaml or an evaluation is damaged.
    """
    every = params.load(workspace.params)
    rows = []
    chosen = [
        evaluated
        for evaluated in load(workspace, every).built
        if evaluated.name in names
    ]
    for evaluated in chosen:
        for verdict in evaluated.answers:
            words = answer_text(evaluated, verdict)
            marks = ["stand-in"] * evaluated.about.stand_in + ["tuned"] * words.tuned
            change = (
                f"{words.change}{f' ({words.interval})' if words.interval else ''}"
                or words.reason
            )
            name = evaluated.name + (f" ({', '.join(marks)})" if marks else "")
            rows.append(
                [
                    name,
                    verdict.outcome,
                    change,
                    str(words.without or DASH),
                    str(words.best or DASH),
                ]
            )
    if rows:
        tables.show(ANSWER, rows)
    for reason in dict.fromkeys(
        evaluated.unanswered for evaluated in chosen if evaluated.unanswered
    ):
        print(reason)
