"""The commands `compare` and `claims`: the page's tables on screen; and the answers that a build ends with."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pipeline.config import params
from pipeline.errors import UnrollError
from pipeline.report.charts import answer_text
from pipeline.report.formatting import DASH
from pipeline.report.result_tables import DOCUMENT, as_data, claims_table, dataset_tables
from pipeline.report.results import Results, load
from pipeline.validation import one_of
from pipeline.workspace import Workspace
from unroll import tables
from unroll.results import answer

IMPORTANT = ("test_best", "against", "test", "verdict", "published", "interval")
"""Keys of the columns that a narrow terminal shows first."""

ANSWER = ("data set", "does recurrence help?", "change in error", "best without", "best with")


def compare(workspace: Workspace, names: Sequence[str]) -> list[dict[str, Any]]:
    """The tables of data sets, or of experiments side by side; no names: every data set, then the published figures.

    Returns:
        One mapping per table: name, title, caption, stand_in, answers, columns (key, title, numeric) and rows, where
        a row has for each column's key a `text` and the `value` behind it.

    Raises:
        UsageError: a name is neither a data set nor an experiment.
        UnrollError: something that was asked for by name has no evaluation, or nothing has one.
    """
    every = params.load(workspace.params)
    chosen: dict[str, set[str]] = {}
    for name in names:
        one_of(name, [*every.datasets, *every.experiments], "the name of a data set or experiment")
        dataset = name if name in every.datasets else every.experiments[name].dataset
        chosen.setdefault(dataset, set()).update({name} - {dataset})
    results = load(workspace, every)
    own = [name for name in chosen or every.forecasts if name in every.forecasts]
    own = own if names else [name for name in own if answer.is_built(workspace, name)]
    if not own or any(name not in own for name in chosen):
        _require_built(results, chosen, names)
    missing = {absent.name for absent in results.missing}
    found = []
    for evaluated in results.built:
        if names and evaluated.name not in chosen:
            continue
        lacking = len(missing & set(every.experiments_of(evaluated.name)))
        note = f" {lacking} of its experiments {'is' if lacking == 1 else 'are'} not built." if lacking else ""
        pages = dataset_tables(results, evaluated, chosen.get(evaluated.name, ()))
        found += [replace(table, caption=table.caption + note) for table in pages]
    if not names and results.verdicts:
        found.append(claims_table(results))
    series = (answer.table(answer.answer(workspace, name), chosen.get(name, ())) for name in own)
    return [*map(as_data, found), *series]


def claims(workspace: Workspace) -> dict[str, Any]:
    """The table of claims, as `compare` gives it, each row with its document.

    Raises:
        UnrollError: params.yaml or claims.yaml is wrong, or a file is damaged.
    """
    table = claims_table(load(workspace, params.load(workspace.params)))
    return as_data(replace(table, columns=(DOCUMENT, *table.columns)))


def _require_built(results: Results, chosen: Mapping[str, Iterable[str]], names: Sequence[str]) -> None:
    missing = {name: absent for absent in results.missing for name in (absent.name, *absent.experiments)}
    for name in names:
        if name not in missing:
            continue
        if missing[name].stage:
            raise UnrollError(f"{name} is not built: {missing[name].stage} failed: {missing[name].reason}")
        dataset = next(of for of, experiments in chosen.items() if name in {of, *experiments})
        raise UnrollError(f"{name} is not built; `unroll repro evaluate@{dataset}` builds it")
    if not results.built:
        raise UnrollError(
            "nothing is built yet; `unroll repro` builds everything, `unroll repro evaluate@waves` one data set"
        )


def show(found: Sequence[Mapping[str, Any]]) -> None:
    """Print what `compare` gave, without columns that say nothing of any row."""
    for number, table in enumerate(found):
        if number:
            print()
        columns = {
            column["key"]: column
            for column in table["columns"]
            if {row[column["key"]]["text"] for row in table["rows"]} - {"", DASH}
        }
        title = f"{table['title']}  [STAND-IN: no result]" if table["stand_in"] else str(table["title"])
        answers = [f"Does a recurrent network help? {line}" for line in table["answers"]]
        tables.show(
            [column["title"] for column in columns.values()],
            [[row[key]["text"] for key in columns] for row in table["rows"]],
            numeric=[column["title"] for column in columns.values() if column["numeric"]],
            important=[columns[key]["title"] for key in IMPORTANT if key in columns],
            title="\n".join([title, *answers]),
            caption=table["caption"],
        )


def evaluation_times(workspace: Workspace) -> dict[str, int]:
    """Data set -> when its evaluation was written."""
    paths = (workspace.root / "results" / "evaluations").glob("*/evaluation.json")
    return {path.parent.name: path.stat().st_mtime_ns for path in paths}


def show_answers(workspace: Workspace, names: Collection[str]) -> None:
    """Print whether these data sets need a recurrent network, a line for each answer, in the order of params.yaml.

    As the page has them: corrected for how many answers there are.

    Raises:
        UnrollError: params.yaml, claims.yaml or an evaluation is damaged.
    """
    every = params.load(workspace.params)
    rows = []
    for evaluated in (*load(workspace, every).built, *load(workspace, every, own=True).built):
        for found in evaluated.answers if evaluated.name in names else ():
            words = answer_text(evaluated, found)
            marks = ["stand-in"] * evaluated.about.stand_in + ["tuned"] * words.tuned
            change = f"{words.change} ({words.interval})" if words.interval else words.change
            name = evaluated.name + (f" ({', '.join(marks)})" if marks else "")
            rows.append([name, found.outcome, change, str(words.without or DASH), str(words.best or DASH)])
    tables.show(ANSWER, rows)
