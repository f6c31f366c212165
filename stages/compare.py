"""The command `compare`: the page's tables on screen."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pipeline import params
from pipeline.claims import FAILS, HOLDS
from pipeline.errors import UnrollError
from pipeline.registry import one_of
from pipeline.report.claims_table import claims_table
from pipeline.report.results import Results, load
from pipeline.report.table import as_data
from pipeline.report.tables import dataset_tables
from pipeline.storage import Workspace

if TYPE_CHECKING:
    from rich.console import Console

STYLES = {HOLDS: "green", FAILS: "red"}


def compare(workspace: Workspace, names: Sequence[str]) -> list[dict[str, Any]]:
    """The tables of the page, as plain data.

    Args:
        workspace: where params.yaml, claims.yaml and the evaluations are.
        names: data sets, or experiments to show side by side; none: every data set, then the published figures.

    Returns:
        One mapping per table: name, title, caption, stand_in, columns (key, title, numeric) and rows, where
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
    results = load(workspace)
    _must_be_built(results, chosen, names)
    shown = [one for one in results.built if not names or one.name in chosen]
    tables = [table for one in shown for table in dataset_tables(results, one, chosen.get(one.name, ()))]
    if not names and results.verdicts:
        tables.append(claims_table(results))
    return [as_data(table) for table in tables]


def _must_be_built(results: Results, chosen: Mapping[str, Iterable[str]], names: Sequence[str]) -> None:
    missing = {experiment: one for one in results.missing for experiment in [one.name, *one.experiments]}
    for name in [*names, *(experiment for experiments in chosen.values() for experiment in sorted(experiments))]:
        if name in missing:
            one = missing[name]
            reason = f"{one.stage} failed: {one.reason}" if one.stage else one.reason
            raise UnrollError(f"{name} is not built: {reason}")
    if not results.built:
        raise UnrollError("nothing is built yet; `unroll repro` builds everything")


def print_tables(tables: Sequence[Mapping[str, Any]], console: "Console | None" = None) -> None:
    """Print what `compare` gave: with rich on a terminal, as aligned plain text anywhere else.

    Args:
        tables: from `compare`.
        console: where to print; standard output if None.
    """
    from rich.console import Console

    console = console or Console()
    for place, table in enumerate(tables):
        if place:
            console.print()
        title = f"{table['title']}  [STAND-IN: no result]" if table["stand_in"] else str(table["title"])
        if console.is_terminal:
            _print_rich(console, table, title)
        else:
            console.file.write(f"{title}\n{_plain(table)}\n{table['caption']}\n")


def _plain(table: Mapping[str, Any]) -> str:
    columns = table["columns"]
    lines = [[column["title"] for column in columns]]
    lines += [[row[column["key"]]["text"] for column in columns] for row in table["rows"]]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    return "\n".join(
        "  ".join(
            text.rjust(width) if column["numeric"] else text.ljust(width)
            for text, width, column in zip(line, widths, columns, strict=True)
        ).rstrip()
        for line in lines
    )


def _print_rich(console: "Console", table: Mapping[str, Any], title: str) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shown = Table(
        title=Text(title, style="bold yellow" if table["stand_in"] else "bold"),
        caption=Text(table["caption"], style="dim"),
        box=box.SIMPLE_HEAD,
        title_justify="left",
        caption_justify="left",
    )
    for column in table["columns"]:
        justify = "right" if column["numeric"] else "left"
        shown.add_column(Text(column["title"]), justify=justify, vertical="top", overflow="fold")  # type: ignore[arg-type]
    for row in table["rows"]:
        cells = [Text(row[column["key"]]["text"]) for column in table["columns"]]
        for cell in cells:
            for words, style in STYLES.items():
                cell.highlight_words([words], style=style)
        shown.add_row(*cells)
    console.print(shown)
