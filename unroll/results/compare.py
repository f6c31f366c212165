"""The commands `compare` and `claims`, and the answers at the end of a build."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pipeline.config import params, plain_yaml
from pipeline.config.params import OFFICIAL, TEMPLATES, Params, built_by
from pipeline.errors import UnrollError, UsageError
from pipeline.evaluation import verdicts
from pipeline.evaluation.claims import Verdict
from pipeline.evaluation.verdict_rule import Word
from pipeline.files import write_text
from pipeline.provenance.git import git
from pipeline.report.built_results import Results, error_text
from pipeline.report.formatting import DASH
from pipeline.report.result_tables import (
    DOCUMENT,
    ResultTable,
    TableCell,
    TableColumn,
    as_data,
    claims_table,
    dataset_tables,
    heading,
    plain,
    published_cell,
)
from pipeline.report.wording import AnswerText, Pair, band_text, meanings
from pipeline.validation import one_of
from pipeline.workspace import Workspace
from unroll import terminal
from unroll.dvc_lock import LOCK, locked
from unroll.project import Project

ABOUT = TableColumn("about", "Experiment and measure", numeric=False)
"""The column of claims that names what a claim is rebuilt by."""

PUBLISHED_CAPTION = (
    "`unroll claims` says which epoch and rows each published figure belongs to."
)

CHANGE_CAPTION = (
    "The change in error is a geometric mean over the seeds, or over several searches, so "
    "it may differ from the change of the errors shown."
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


@dataclass(frozen=True)
class Tables:
    """What `compare` shows.

    Attributes:
        tables: of data sets, or of experiments side by side.
        pair: the two experiments of the only table, if two were asked for.
    """

    tables: Sequence[ResultTable]
    pair: Pair | None = None

    def as_data(self) -> list[dict[str, Any]]:
        """Return a mapping for each table.

        It has name, title, caption, stand_in, answers, searches, columns (key, title,
        numeric) and rows. A row has a `text` and a `value` for each column's key. The table of
        two experiments has a `comparison`.
        """
        data = [as_data(table) for table in self.tables]
        if self.pair:
            comparison = self.pair.comparison
            numbers = asdict(comparison) if comparison else {"outcome": Word.OPEN}
            data[0]["comparison"] = {
                "experiment": self.pair.experiment,
                "against": self.pair.against,
                **numbers,
                "words": self.pair.words,
                "notes": [*self.pair.notes],
            }
        return data


def compare(project: Project, names: Sequence[str]) -> Tables:
    """Return the tables of data sets, or of experiments side by side.

    Args:
        project: the project of the build.
        names: of data sets and experiments. Without names the tables are those of all
            data sets, then that of the claims.

    Raises:
        UsageError: a name is neither a data set nor an experiment, or two experiments
            are of two data sets.
        UnrollError: a named data set or experiment is not built, or nothing is.
    """
    workspace = project.workspace
    results = project.results
    every = results.params
    chosen = _by_dataset(every, names)
    _require_built(workspace, results, names)
    pair = None
    if len(names) == 2 and {*names} <= {*every.runs}:
        pair = Pair(verdicts.evaluation_of(workspace, every, *names), *names)
    edited = _changed_since_commit(workspace, every)
    tables: list[ResultTable] = []
    for evaluated in results.built:
        if names and evaluated.name not in chosen:
            continue
        only = chosen.get(evaluated.name, ())
        # Of named experiments it says nothing on the others.
        note = "" if only else _lacking(results, evaluated.name)
        if names:
            note += _note_of_change_since_training(
                workspace, every, evaluated.name, only
            )
        scores, *others = dataset_tables(evaluated, only, against=pair is None)
        scores = _with_published(scores, results.verdicts, edited)
        tables += [
            replace(table, caption=table.caption + note) for table in (scores, *others)
        ]
    if not names and results.verdicts:
        tables.append(claims_table(results.verdicts))
    if pair:
        tables[0] = _of_pair(tables[0], pair)
    return Tables(tables, pair)


def _by_dataset(every: Params, names: Sequence[str]) -> dict[str, set[str]]:
    """Return data set -> those of its experiments that are named; empty for all.

    Raises:
        UsageError: a name is neither a data set nor an experiment, or stands alone
            twice.
    """
    chosen: dict[str, set[str]] = {}
    for name in names:
        one_of(
            name,
            [*every.datasets, *every.runs],
            "the name of a data set or experiment",
        )
        dataset, _, experiment = name.partition("/")
        chosen.setdefault(dataset, set()).add(experiment)
    for dataset in {*names} & {*every.datasets}:
        chosen[dataset] = set()
    if len(names) == 2 and len({*names}) == 1:
        raise UsageError(f"{names[0]} is named twice; name two experiments")
    return chosen


def _of_pair(table: ResultTable, pair: Pair) -> ResultTable:
    """Return the table of two experiments with what their comparison needs to be read."""
    caption = table.caption
    if pair.comparison and pair.comparison.relative:
        caption += f" {CHANGE_CAPTION} {band_text(pair.comparison)}."
    caption = " ".join([caption, meanings(pair.notes)]).rstrip()
    return replace(table, caption=caption, answers=())


def _changed_since_commit(workspace: Workspace, now: Params) -> set[str]:
    """Return the full names of the experiments whose options are not those of the last
    commit. There are none if that commit cannot be read, for example outside git.
    """
    try:
        before = committed_params(workspace)
    except (UnrollError, OSError):
        return set()
    return _differing(before, now)


def _differing(before: Params, now: Params) -> set[str]:
    """Return the full names of the experiments that had other options before, or whose
    data set had.
    """
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
    listed = git(
        workspace.root,
        *("ls-tree", "--name-only", "HEAD"),
        *(workspace.params.name, TEMPLATES, OFFICIAL),
    )
    with TemporaryDirectory() as folder:
        for name in listed.split():
            write_text(
                Path(folder, name), git(workspace.root, "show", f"HEAD:./{name}")
            )
        return params.parse_all(Path(folder, workspace.params.name))


def _data(config: Params, name: str) -> tuple[object, object]:
    """Return the preparation of an experiment's data set, and its source, or None."""
    dataset = config.datasets.get(name.partition("/")[0])
    if dataset is None:
        return None, None
    return dataset.preparation, config.sources.get(dataset.source)


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
            figures.setdefault(claim.experiment, []).append(
                {"published": text, "verdict": str(verdict.outcome)}
            )
    rows = []
    for row in table.rows:
        found = figures.get(f"{table.name}/{row['experiment'].text}", [])
        text = "; ".join(f"{one['published']} {one['verdict']}" for one in found)
        rows.append({**row, "published": TableCell(text, value=found)})
    column = TableColumn("published", "Published", numeric=False)
    caption = table.caption
    if figures:
        caption += f" {PUBLISHED_CAPTION}"
    return replace(
        table, caption=caption, columns=(*table.columns, column), rows=tuple(rows)
    )


def _lacking(results: Results, dataset: str) -> str:
    """Return a sentence with the number of experiments that are not built, or ""."""
    count = sum(absent.name.startswith(f"{dataset}/") for absent in results.missing)
    if not count:
        return ""
    return f" {count} of its experiments {'is' if count == 1 else 'are'} not built."


def _note_of_change_since_training(
    workspace: Workspace, now: Params, dataset: str, only: Collection[str]
) -> str:
    """Return a sentence that names the experiments whose options in params.yaml are not
    those that were trained last, or "".

    Args:
        workspace: with params.yaml and dvc.lock.
        now: params.yaml.
        dataset: the data set.
        only: the experiments that count; empty for all.
    """
    sections = _trained(workspace, dataset)
    if sections is None:
        return ""
    entries = sections["experiments"][dataset]
    try:
        then = params.parse(sections, params.templates(workspace.params))
        changed = _differing(then, now)
    except UnrollError:  # options of an older Unroll
        changed = {f"{dataset}/{name}" for name in entries}
    names = [
        name
        for name in entries
        if f"{dataset}/{name}" in changed
        and name in now.experiments_of(dataset)
        and (not only or name in only)
    ]
    if not names:
        return ""
    said = "all experiments" if len(names) == len(entries) else ", ".join(names)
    return (
        f" The options of {said} in params.yaml have changed since these "
        f"were trained; {built_by(workspace, f'evaluate@{dataset}')}."
    )


def _trained(workspace: Workspace, dataset: str) -> dict[str, Any] | None:
    """Return params.yaml with the sections with which a data set was trained last.

    It is None if nobody knows them: dvc.lock is damaged or does not have them.
    """
    lock = workspace.root / LOCK
    stage = locked(lock).get(f"train@{dataset}") if lock.is_file() else None
    values = stage.params.get(workspace.params.name, {}) if stage else {}
    sections: dict[str, Any] = plain_yaml.read(workspace.params)
    for part in ("datasets", "experiments"):
        if f"{part}.{dataset}" not in values:
            return None
        sections[part][dataset] = values[f"{part}.{dataset}"]
    return sections


def claims(project: Project, documents: Sequence[str] = ()) -> ResultTable:
    """Return the table of claims of some documents or of all.

    Unless one document is named, rows have a column for the document.

    Raises:
        UsageError: a document has no claims.
        UnrollError: params.yaml or claims.yaml is wrong, or a file is damaged.
    """
    results = project.results
    known = [verdict.claim.document for verdict in results.verdicts]
    for document in documents:
        if document in results.params.datasets:
            raise UsageError(
                f"{document} is a data set, not a document; "
                f"`unroll compare {document}` shows its figures"
            )
        one_of(document, {*known}, "the document")
    table = claims_table(
        [
            verdict
            for verdict in results.verdicts
            if not documents or verdict.claim.document in documents
        ]
    )
    rows = tuple({**row, "about": TableCell(row["claim"].small)} for row in table.rows)
    *columns, why = table.columns
    table = replace(table, columns=(*columns, ABOUT, why), rows=rows)
    if documents:
        headings = [heading(document) for document in known if document in documents]
        table = replace(table, title="; ".join(dict.fromkeys(headings)))
    if len(documents) != 1:
        table = replace(table, columns=(DOCUMENT, *table.columns))
    return table


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


def show(shown: Tables) -> None:
    """Print the tables of `compare`, without columns that are empty in every row, and
    of a data set's experiments the best `terminal.MOST_LINES`.
    """
    for number, table in enumerate(shown.tables):
        if number:
            print()
        rows = table.rows
        caption = table.caption
        if table.columns[0].key == "experiment" and len(rows) > terminal.MOST_LINES:
            rows = rows[: terminal.MOST_LINES]
            more = len(table.rows) - len(rows)
            caption = f"{more:,} rows more are not shown; --json has them. {caption}"
        columns = [
            column
            for column in table.columns
            if column != DOCUMENT
            and (not rows or {plain(row[column.key]) for row in rows} - {"", DASH})
        ]
        titles = {column.key: column.title for column in columns}
        lines = [table.title]
        if table.stand_in:
            lines[0] += "  [STAND-IN: no result]"
        lines += table.answers
        lines += [table.searches] if table.searches else []
        if shown.pair and not number:
            lines.append(shown.pair.line)
        terminal.show_table(
            [*titles.values()],
            [[_text(table, row, key) for key in titles] for row in rows],
            numeric=[column.title for column in columns if column.numeric],
            important=[
                titles[key]
                for key in IMPORTANT
                if key in titles and (key != "test" or "test_best" not in titles)
            ],
            title="\n".join(lines),
            caption=caption,
        )


def _text(table: ResultTable, row: Mapping[str, TableCell], key: str) -> str:
    """Return the text of a cell on the terminal.

    Of a claim it is the document's number and words alone, so that the figures and the
    verdict fit beside them. If there is one document, its number stands in the title.
    """
    if key != "claim":
        return plain(row[key])
    words = str(row[key].value)
    return f"{row['document'].text} {words}" if DOCUMENT in table.columns else words


def evaluation_times(workspace: Workspace) -> dict[str, int]:
    """Return data set -> when its evaluation was written."""
    paths = (workspace.root / "results" / "evaluations").glob("*/evaluation.json")
    return {path.parent.name: path.stat().st_mtime_ns for path in paths}


def show_answers(workspace: Workspace, names: Collection[str]) -> None:
    """Print the answers of these data sets as a table, in the order of params.yaml.

    Raises:
        UnrollError: params.yaml, claims.yaml or an evaluation is damaged.
    """
    rows = []
    for evaluated in Project(workspace.root).results.built:
        if evaluated.name not in names:
            continue
        for answer in evaluated.answers:
            text = AnswerText(evaluated, answer)
            marks = ["tuned", *answer.notes] if text.tuned else answer.notes
            models = [DASH, DASH]
            if answer.outcome != Word.NOT_ASKED:
                models = [
                    f"{evaluated.named(str(name), short=True)} {error_text(evaluated, name)}"
                    for name in (answer.opponent, answer.network)
                ]
            rows.append(
                [
                    evaluated.name,
                    "; ".join(marks),
                    answer.outcome,
                    text.effect,
                    *models,
                ]
            )
    if rows:
        terminal.show_table(ANSWER_HEADINGS, rows)
