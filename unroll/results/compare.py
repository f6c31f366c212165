"""The command `compare`: the page's tables on screen."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pipeline.config import params
from pipeline.errors import UnrollError
from pipeline.report.formatting import DASH
from pipeline.report.result_tables import DOCUMENT, as_data, claims_table, dataset_tables
from pipeline.report.results import Results, load
from pipeline.validation import one_of
from pipeline.workspace import Workspace
from unroll import tables
from unroll.tables import Column

RANKS = {key: rank for rank, key in enumerate(("test_best", "against", "test", "verdict", "published", "interval"))}
"""Which columns a narrow terminal shows first."""


def compare(workspace: Workspace, names: Sequence[str]) -> list[dict[str, Any]]:
    """The tables of data sets, or of experiments side by side; no names: every data set, then the published figures.

    Returns:
        One mapping per table: name, title, caption, stand_in, answers, columns (key, title, numeric) and rows, where
        a row has for each column's key a `text` and the `value` behind it.

    Raises:
        UsageError: a name is neither a data set nor an experiment.
        UnrollError: something that was asked for by name has no evaluation, or nothing has one.
    """
    wanted = params.load(workspace.params)
    chosen: dict[str, set[str]] = {}
    for name in names:
        one_of(name, [*wanted.datasets, *wanted.experiments], "the name of a data set or experiment")
        of_dataset = name in wanted.datasets
        dataset = name if of_dataset else wanted.experiments[name].dataset
        chosen.setdefault(dataset, set()).update(wanted.experiments_of(name) if of_dataset else {name})
    documents, own = load(workspace, wanted), load(workspace, wanted, own=True)
    results = replace(documents, built=[*documents.built, *own.built], missing=[*documents.missing, *own.missing])
    _must_be_built(results, chosen, names)
    shown = [one for one in results.built if one.name in chosen] if names else documents.built
    absent = {one.name for one in results.missing}
    tables = []
    for one in shown:
        lacking = len(absent & set(wanted.experiments_of(one.name)))
        note = f" {lacking} of its experiments {'is' if lacking == 1 else 'are'} not built." if lacking else ""
        made = dataset_tables(results, one, chosen.get(one.name, ()))
        tables += [replace(table, caption=table.caption + note) for table in made]
    if not names and results.verdicts:
        tables.append(claims_table(results))
    return [as_data(table) for table in tables]


def claims(workspace: Workspace) -> dict[str, Any]:
    """The table of claims, as `compare` gives it, each row with its document.

    Raises:
        UnrollError: params.yaml or claims.yaml is wrong, or a file is damaged.
    """
    table = claims_table(load(workspace, params.load(workspace.params)))
    return as_data(replace(table, columns=(DOCUMENT, *table.columns)))


def _must_be_built(results: Results, chosen: Mapping[str, Iterable[str]], names: Sequence[str]) -> None:
    missing = {experiment: one for one in results.missing for experiment in [one.name, *one.experiments]}
    for name in names:
        if name in missing:
            one = missing[name]
            if one.stage:
                raise UnrollError(f"{name} is not built: {one.stage} failed: {one.reason}")
            dataset = next(of for of, experiments in chosen.items() if name in {of, *experiments})
            raise UnrollError(f"{name} is not built; `unroll repro evaluate@{dataset}` builds it")
    if not results.built:
        raise UnrollError(
            "nothing is built yet; `unroll repro` builds everything, `unroll repro evaluate@waves` one data set"
        )


def show(found: Sequence[Mapping[str, Any]]) -> None:
    """Print what `compare` gave, without columns that say nothing of any row."""
    for place, table in enumerate(found):
        if place:
            print()
        shown = [
            column for column in table["columns"] if {row[column["key"]]["text"] for row in table["rows"]} - {"", DASH}
        ]
        columns = [
            Column(column["title"], column["numeric"], RANKS.get(column["key"], len(RANKS) + place))
            for place, column in enumerate(shown)
        ]
        rows = [[row[column["key"]]["text"] for column in shown] for row in table["rows"]]
        title = f"{table['title']}  [STAND-IN: no result]" if table["stand_in"] else str(table["title"])
        answered = [f"Does a recurrent network help? {line}" for line in table["answers"]]
        tables.show(columns, rows, title="\n".join([title, *answered]), caption=table["caption"])
