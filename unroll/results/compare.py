"""The commands `compare` and `claims`, and the answers at the end of a build."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pipeline.config import params
from pipeline.config.params import OFFICIAL, TEMPLATES, Params, built_by
from pipeline.errors import UnrollError, UsageError
from pipeline.evaluation import answers
from pipeline.evaluation.answers import FEW_SEEDS
from pipeline.evaluation.claims import Verdict
from pipeline.evaluation.margin import Comparison, Word
from pipeline.files import write_text
from pipeline.provenance.git import git
from pipeline.report.formatting import DASH, direction
from pipeline.report.result_tables import (
    DOCUMENT,
    ResultTable,
    TableCell,
    TableColumn,
    as_data,
    band_text,
    claims_table,
    dataset_tables,
    heading,
    plain,
    published_cell,
)
from pipeline.report.results import AnswerText, Results, error_text, load
from pipeline.validation import one_of
from pipeline.workspace import Workspace
from unroll import terminal

ABOUT = TableColumn("about", "Experiment and measure", numeric=False)
"""The column of claims that names what a claim is rebuilt by."""

PUBLISHED_CAPTION = (
    "Published: `unroll claims` says which epoch and rows each figure belongs to."
)

CHANGE_CAPTION = (
    "The change in error is a geometric mean over seeds, so it may differ from the "
    "change of the mean errors."
)

IMPORTANT = (
    "test_best",
    "against",
    "word",
    "test",
    "claim",
    "published",
    "rebuilt",
    "verdict",
    "interval",
)
"""Keys of the columns that a narrow terminal shows first."""

ANSWER_HEADINGS = (
    "data set",
    "networks",
    "does recurrence help?",
    "change in error",
    "best without",
    "best with",
)
"""The headings of the table of answers."""


def compare(workspace: Workspace, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return the tables of data sets, or of experiments side by side.

    Args:
        workspace: the workspace of the build.
        names: of data sets and experiments. Without names the tables are those of all
            data sets, then that of the claims.

    Returns:
        One mapping for each table: name, title, caption, stand_in, answers, columns
        (key, title, numeric) and rows. A row has a `text` and a `value` for each
        column's key. For two experiments the table has a `comparison`.

    Raises:
        UsageError: a name is neither a data set nor an experiment, or two experiments
            are of two data sets.
        UnrollError: a named data set or experiment is not built, or nothing is.
    """
    every = params.load_all(workspace.params)
    chosen: dict[str, set[str]] = {}
    for name in names:
        valid = [*every.datasets, *every.runs]
        one_of(name, valid, "the name of a data set or experiment")
        dataset, _, experiment = name.partition("/")
        chosen.setdefault(dataset, set()).update({experiment} - {""})
    pair = len(names) == 2 and {*names} <= {*every.runs}
    results = load(workspace, every)
    _require_built(workspace, results, names)
    edited = _edited(workspace, every)
    pages: list[ResultTable] = []
    for evaluated in results.built:
        if names and evaluated.name not in chosen:
            continue
        only = chosen.get(evaluated.name, ())
        note = _lacking(results, evaluated.name)
        scores, *others = dataset_tables(evaluated, only, against=not pair)
        scores = _with_published(scores, results.verdicts, edited)
        pages += [
            replace(table, caption=table.caption + note) for table in (scores, *others)
        ]
    if not names and results.verdicts:
        pages.append(claims_table(results.verdicts))
    shown = [as_data(page) for page in pages]
    if pair:
        comparison = answers.between(workspace, every, *names)
        shown[0] |= {"answers": [], "comparison": _pair(names, comparison)}
        if comparison and comparison.relative:
            shown[0]["caption"] += f" {CHANGE_CAPTION} {band_text(comparison)}."
    return shown


def _edited(workspace: Workspace, now: Params) -> set[str]:
    """Return the full names of the experiments whose options are not those of the last
    commit. There are none if that commit cannot be read, for example outside git.
    """
    try:
        before = committed_params(workspace)
    except (UnrollError, OSError):
        return set()
    return {
        name
        for name, experiment in now.runs.items()
        if experiment != before.runs.get(name)
        or _data(now, name) != _data(before, name)
    }


def committed_params(workspace: Workspace) -> Params:
    """Return what params.yaml and official.yaml were in the last commit.

    Raises:
        UnrollError: git cannot read them, for example outside git.
    """
    names = [workspace.params.name, TEMPLATES, OFFICIAL]
    listed = git(workspace.root, "ls-tree", "--name-only", "HEAD", *names)
    with TemporaryDirectory() as folder:
        for name in listed.split():
            text = git(workspace.root, "show", f"HEAD:./{name}")
            write_text(Path(folder, name), text)
        return params.parse_all(Path(folder, workspace.params.name))


def _data(config: Params, name: str) -> tuple[object, object]:
    """Return the sections of an experiment's data set and of its source, or None."""
    dataset = config.datasets.get(name.partition("/")[0])
    return dataset, dataset and config.sources.get(dataset.source)


def _with_published(
    table: ResultTable, verdicts: Iterable[Verdict], edited: set[str]
) -> ResultTable:
    """Return a table of scores with a column of published figures and their verdicts.

    A figure belongs to the options that it was published for, so experiments in
    `edited` have none.
    """
    figures: dict[str, list[dict[str, str]]] = {}
    for verdict in verdicts:
        claim = verdict.claim
        if claim.kind == "figure" and edited.isdisjoint(claim.experiments):
            text = plain(published_cell(verdict))
            figure = {"published": text, "verdict": str(verdict.outcome)}
            figures.setdefault(claim.experiment, []).append(figure)
    rows = []
    for row in table.rows:
        found = figures.get(f"{table.name}/{row['experiment'].text}", [])
        text = "; ".join(f"{one['published']} {one['verdict']}" for one in found)
        rows.append({**row, "published": TableCell(text, value=found)})
    column = TableColumn("published", "Published", numeric=False)
    caption = table.caption
    if figures:
        caption += f" {PUBLISHED_CAPTION}"
    columns = (*table.columns, column)
    return replace(table, caption=caption, columns=columns, rows=tuple(rows))


def _lacking(results: Results, dataset: str) -> str:
    """Return a sentence with the number of experiments that are not built, or ""."""
    names = [absent.name for absent in results.missing]
    count = sum(name.startswith(f"{dataset}/") for name in names)
    if not count:
        return ""
    return f" {count} of its experiments {'is' if count == 1 else 'are'} not built."


def _pair(names: Sequence[str], comparison: Comparison | None) -> dict[str, Any]:
    """Return the comparison of two experiments as plain data."""
    experiment, against = names
    about: dict[str, Any] = {"experiment": experiment, "against": against}
    if comparison is None:
        words = (
            f"{Word.OPEN}: {FEW_SEEDS}, no predictions, or two searches for the same "
            "model, which count as one"
        )
        return about | {"outcome": Word.OPEN, "words": words}
    known = direction(comparison)
    outcome = f"{comparison.outcome} ({known})" if known else comparison.outcome
    return about | asdict(comparison) | {"words": f"{outcome}: {comparison.amount}"}


def claims(workspace: Workspace, documents: Sequence[str] = ()) -> dict[str, Any]:
    """Return the table of claims of some documents or of all, in the form of `compare`.

    Unless one document is named, rows have a column for the document.

    Raises:
        UsageError: a document has no claims.
        UnrollError: params.yaml or claims.yaml is wrong, or a file is damaged.
    """
    wanted = params.load_all(workspace.params)
    results = load(workspace, wanted)
    known = [verdict.claim.document for verdict in results.verdicts]
    for document in documents:
        if document in wanted.datasets:
            raise UsageError(
                f"{document} is a data set, not a document; "
                f"`unroll compare {document}` shows its figures"
            )
        one_of(document, known, "the document")
    verdicts = [
        verdict
        for verdict in results.verdicts
        if not documents or verdict.claim.document in documents
    ]
    table = claims_table(verdicts)
    rows = tuple({**row, "about": TableCell(row["claim"].small)} for row in table.rows)
    table = replace(table, columns=(*table.columns, ABOUT), rows=rows)
    if documents:
        headings = [heading(document) for document in known if document in documents]
        table = replace(table, title="; ".join(dict.fromkeys(headings)))
    if len(documents) != 1:
        table = replace(table, columns=(DOCUMENT, *table.columns))
    return as_data(table)


def _require_built(
    workspace: Workspace, results: Results, names: Sequence[str]
) -> None:
    if not results.built and not names:
        unroll = workspace.program
        raise UnrollError(
            f"nothing is built yet; `{unroll} repro` builds everything, "
            f"`{unroll} repro evaluate@waves` one data set"
        )
    for name in names:
        dataset = name.partition("/")[0]
        for absent in results.missing:
            if absent.name not in {name, dataset}:
                continue
            if absent.stage:
                raise UnrollError(
                    f"{name} is not built: {absent.stage} failed: {absent.reason}"
                )
            raise UnrollError(
                f"{name} is not built; {built_by(workspace, f'evaluate@{dataset}')}"
            )


def show(shown: Sequence[Mapping[str, Any]]) -> None:
    """Print the tables of `compare`, without columns that are empty in every row."""
    for number, table in enumerate(shown):
        if number:
            print()
        columns = {
            column["key"]: column
            for column in table["columns"]
            if {row[column["key"]]["text"] for row in table["rows"]} - {"", DASH}
            and column["key"] != DOCUMENT.key
        }
        lines = [str(table["title"])]
        if table["stand_in"]:
            lines[0] += "  [STAND-IN: no result]"
        lines += [f"Does a recurrent network help? {line}" for line in table["answers"]]
        pair = table.get("comparison")
        if pair:
            names = f"{pair['experiment']} against {pair['against']}"
            lines.append(f"{names}: {pair['words']}")
        terminal.show_table(
            [column["title"] for column in columns.values()],
            [[_text(row, key) for key in columns] for row in table["rows"]],
            numeric=[
                column["title"] for column in columns.values() if column["numeric"]
            ],
            important=[columns[key]["title"] for key in IMPORTANT if key in columns],
            title="\n".join(lines),
            caption=table["caption"],
        )


def _text(row: Mapping[str, Any], key: str) -> str:
    """Return the text of a cell on the terminal.

    Of a claim it is the document's number and words alone, so that the figures and the
    verdict fit beside them. If there is one document, its number stands in the title.
    """
    if key == "claim" and "document" in row:
        return f"{row['document']['text']} {row[key]['value']}"
    if key == "claim":
        return str(row[key]["value"])
    return str(row[key]["text"])


def evaluation_times(workspace: Workspace) -> dict[str, int]:
    """Return data set -> when its evaluation was written."""
    paths = (workspace.root / "results" / "evaluations").glob("*/evaluation.json")
    return {path.parent.name: path.stat().st_mtime_ns for path in paths}


def show_answers(workspace: Workspace, names: Collection[str]) -> None:
    """Print the answers of these data sets as a table, in the order of params.yaml.

    Raises:
        UnrollError: params.yaml, claims.yaml or an evaluation is damaged.
    """
    every = params.load_all(workspace.params)
    rows = []
    reasons = []
    for evaluated in load(workspace, every).built:
        if evaluated.name not in names:
            continue
        if evaluated.unanswered:
            reasons.append(evaluated.unanswered)
        for answer in evaluated.answers:
            text = AnswerText(evaluated, answer)
            marks = ["tuned", *answer.notes] if text.tuned else answer.notes
            models = [DASH, DASH]
            if answer.outcome != Word.NOT_ASKED:
                models = [
                    f"{evaluated.short[str(name)]} {error_text(evaluated, name)}"
                    for name in (answer.opponent, answer.network)
                ]
            said = [evaluated.name, "; ".join(marks), answer.outcome, text.effect]
            rows.append(said + models)
    if rows:
        terminal.show_table(ANSWER_HEADINGS, rows)
    for reason in dict.fromkeys(reasons):
        print(reason)
