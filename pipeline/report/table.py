"""A table as data: the page, the terminal and `--json` show the same one."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.evaluation.outcome import Outcome

SIGNS: dict[str, str] = {Outcome.HOLDS: "✓", Outcome.FAILS: "✗"}


@dataclass(frozen=True)
class Mark:
    """A verdict: `text` is shown, then the outcome, whose colour is that of `tone`."""

    text: str
    tone: str


@dataclass(frozen=True)
class Cell:
    """One cell: what is shown, a smaller second line, one for the page alone, verdicts, and the value behind it."""

    text: str = ""
    small: str = ""
    detail: str = ""
    marks: tuple[Mark, ...] = ()
    value: Any = None


@dataclass(frozen=True)
class Column:
    """One column; `numeric` ones are aligned to the right."""

    key: str
    title: str
    numeric: bool = True


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        name: of the data set, or "claims".
        columns: the first one names the row.
        rows: of each the columns' keys -> cells.
        stand_in: whether its figures come from generated stand-in data.
        kinds: of each row: "baseline", "floor", "stand-in" or "".
        groups: of each row: the heading that it stands under; empty where there are none.
        answers: whether a recurrent network helps here, a line for each answer.
    """

    name: str
    title: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Mapping[str, Cell], ...]
    stand_in: bool = False
    kinds: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()


def as_data(table: Table) -> dict[str, Any]:
    """The table as plain data: every cell with its text and the value behind it."""
    rows = [
        {column.key: {"text": plain(row[column.key]), "value": row[column.key].value} for column in table.columns}
        for row in table.rows
    ]
    about = {"name": table.name, "title": table.title, "caption": table.caption, "stand_in": table.stand_in}
    columns = [asdict(column) for column in table.columns]
    return about | {"answers": list(table.answers), "columns": columns, "rows": rows}


def plain(cell: Cell) -> str:
    """A cell on one line, its second line in brackets, its verdicts after it; without its detail."""
    small = cell.small if cell.small.startswith("±") or not cell.small else f"({cell.small})"
    text = f"{cell.text} {small}".strip()
    marks = "; ".join(f"{mark.text} {SIGNS.get(mark.tone, '')} {mark.tone}".strip() for mark in cell.marks)
    return "; ".join(part for part in (text, marks) if part)
