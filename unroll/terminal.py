"""What commands print: tables, data for programs, and the next command."""

import json
import os
import re
import sys
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from rich.text import Text

BUILD = "UNROLL_BUILD"
"""The environment variable that `unroll repro` sets for the stages. They then print no
next command; `unroll repro` prints one at its end."""

DOCUMENT = re.compile(r"\d{3}")
"""The number of a document, such as 002."""

NOTHING = {"", "\N{EN DASH}"}
"""The text of a cell without a value."""

WRAPS = 17
"""The width beyond which a cell may take several lines."""

GAP = 3
"""Characters between two columns of a terminal."""

MOST_LINES = 60
"""The most lines of a forecast that are printed. Files have all lines."""

STYLES = {
    "helps": "green",
    "hurts": "red",
    "no difference that matters": "cyan",
    "open": "yellow",
    "holds": "green",
    "does not hold": "red",
    "cannot tell": "yellow",
    "says little": "yellow",
    "yes": "green",
    "no": "red",
}
"""Verdict -> its colour. The verdicts are those of `margin.Word` and `claims.Outcome`,
which are not imported because their modules import NumPy."""


def print_json(data: Any) -> None:
    """Print data for programs on standard output."""
    print(json.dumps(data, indent=1, ensure_ascii=False))


def show_table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    numeric: Collection[str] = (),
    important: Sequence[str] = (),
    title: str = "",
    caption: str = "",
) -> None:
    """Print a table on standard output.

    A terminal that is too narrow leaves out columns, the least important ones first. The
    text of the table's last column then stands below the table, and the headings of the
    others are listed. A file or a pipe, which has no width, gets all columns.

    Args:
        headings: the headings of the columns.
        rows: the cells of each row.
        numeric: headings of the columns that are aligned to the right.
        important: headings of the columns that a narrow terminal leaves out last; by
            default it leaves out none. It always shows the first column.
        title: the text above the table.
        caption: the text below the table.
    """
    columns = dict(zip(headings, zip(headings, *rows, strict=True), strict=True))
    if sys.stdout.isatty() or os.environ.get("FORCE_COLOR"):
        _show_on_terminal(columns, numeric, important, title, caption)
        return
    padded = []
    for heading, cells in columns.items():
        width = max(map(len, cells))
        pad = str.rjust if heading in numeric else str.ljust
        padded.append([pad(cell, width) for cell in cells])
    lines = ["  ".join(cells).rstrip() for cells in zip(*padded, strict=True)]
    print("\n".join(text for text in (title, *lines, caption) if text))


def _show_on_terminal(
    columns: dict[str, tuple[str, ...]],
    numeric: Collection[str],
    important: Sequence[str],
    title: str,
    caption: str,
) -> None:
    """Print a table; `columns` are heading -> the heading and the cells below it."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    headings, *rows = zip(*columns.values(), strict=True)
    ranked = [heading for heading in important if heading in headings[1:]]
    if important:
        ranked += [heading for heading in headings[1:] if heading not in important]
    while ranked:
        needed = _needed(columns, 0 if ranked[-1] in important else WRAPS)
        if sum(needed.values()) <= console.width:
            break
        del columns[ranked.pop()]
    left_out = [heading for heading in headings if heading not in columns]
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for heading, width in _widths(columns, console.width).items():
        justify: Literal["left", "right"] = "right" if heading in numeric else "left"
        table.add_column(
            Text(heading), justify=justify, width=width - GAP, overflow="fold"
        )
    _, *shown = zip(*columns.values(), strict=True)
    for cells in shown:
        table.add_row(*map(_colored, cells))
    notes = []
    if headings[-1] in left_out:
        notes.append(f"{left_out.pop()}:")
        notes += [f"{row[0]}: {row[-1]}" for row in rows if row[-1] not in NOTHING]
    if left_out:
        notes.append(f"A wider terminal also shows {', '.join(left_out)}.")
    if title:
        console.print(Text(title, style="bold"))
    console.print(table)
    for text in filter(None, [*notes, caption]):
        console.print(Text(text, style="dim"))


def _needed(columns: Mapping[str, Sequence[str]], wraps: int) -> dict[str, int]:
    """Return the widths of columns, with a gap, in which no word is broken, and in which
    cells up to the width `wraps` stand in one line.
    """
    return {
        heading: GAP
        + max(
            min(wraps, max(map(len, cells))),
            *map(len, " ".join(cells).split()),
        )
        for heading, cells in columns.items()
    }


def _widths(columns: Mapping[str, Sequence[str]], room: int) -> dict[str, int]:
    """Return the widths of columns, with a gap, in which no word is broken.

    Cells up to the width `WRAPS` stand in one line, if there is room for them.
    What is left of the room goes to the columns that lack least for their longest cell.
    """
    widths = _needed(columns, WRAPS)
    if sum(widths.values()) > room:
        widths = _needed(columns, 0)
    lacking = {
        heading: max(map(len, cells)) + GAP - widths[heading]
        for heading, cells in columns.items()
    }
    for heading in sorted(lacking, key=lacking.__getitem__):
        left = max(0, room - sum(widths.values()))
        widths[heading] += min(left, lacking[heading])
    return widths


def _colored(cell: str) -> "Text":
    """Return the text of a cell, with the colours of verdicts."""
    from rich.text import Text

    text = Text(cell)
    for verdict, style in STYLES.items():
        text.highlight_regex(rf"\b{verdict}(?=$|;)", style=style)
    return text
