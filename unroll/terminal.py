"""What commands print: tables, data for programs, and the next command."""

import json
import os
import re
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

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

NO_LIMIT = 10**6
"""The width of a file or a pipe."""

MOST_LINES = 60
"""The most lines of a forecast or of experiments that are printed. Files have all lines."""

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
"""Verdict -> its colour. The verdicts are those of `verdict_rule.Word` and `claims.Outcome`,
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

    A terminal that is too narrow shows the important columns alone, and of these as many
    as their words need. If the last column is left out, its text stands below the table,
    and the headings of the others are listed. A file or a pipe, which has no width, gets
    all columns, unless COLUMNS names one.

    Args:
        headings: the headings of the columns.
        rows: the cells of each row.
        numeric: headings of the columns that are aligned to the right.
        important: headings of the columns that a narrow terminal shows beside the first
            one, the most important first; by default all.
        title: the text above the table.
        caption: the text below the table.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = NO_LIMIT
    columns = dict(zip(headings, zip(headings, *rows, strict=True), strict=True))
    widths = _fitting_widths(columns, important, console.width)
    shown = [heading for heading in headings if heading in widths]
    box = SIMPLE_HEAD if console.is_terminal else None
    table = Table(box=box, pad_edge=False, show_edge=False)
    for heading in shown:
        table.add_column(
            Text(heading),
            justify="right" if heading in numeric else "left",
            width=widths[heading] - GAP,
            overflow="fold",
        )
    for cells in zip(*(columns[heading][1:] for heading in shown), strict=True):
        table.add_row(*map(_colored, cells))
    notes = _notes_on_left_out(headings, rows, widths)
    below = [Text(note, style="dim") for note in [*notes, caption]]
    with console.capture() as captured:
        for part in filter(None, [Text(title, style="bold"), table, *below]):
            console.print(part)
    print(re.sub(" +$", "", captured.get(), flags=re.MULTILINE), end="")


def _fitting_widths(
    columns: Mapping[str, Sequence[str]], important: Sequence[str], available: int
) -> dict[str, int]:
    """Return the widths, with a gap, of the columns that fit into the available width.

    `columns` are heading -> the heading and the cells below it.
    """
    # All columns, whose longer cells may take several lines.
    widths = _least_widths(columns, WRAPS)
    # Too wide: the first column and the important ones.
    if important and sum(widths.values()) > available:
        first = next(iter(columns))
        kept = [first, *(each for each in important if each in columns)]
        widths = _least_widths({heading: columns[heading] for heading in kept}, WRAPS)
    # Still too wide: every cell may take several lines.
    if sum(widths.values()) > available:
        widths = _least_widths({heading: columns[heading] for heading in widths}, 0)
    # Still too wide: the last columns are left out.
    while len(widths) > 1 and sum(widths.values()) > available:
        widths.popitem()
    # What is left goes first to the columns that lack least.
    longest = _least_widths(columns, NO_LIMIT)
    for heading in sorted(widths, key=lambda each: longest[each] - widths[each]):
        left = max(0, available - sum(widths.values()))
        widths[heading] = min(widths[heading] + left, longest[heading])
    return widths


def _notes_on_left_out(
    headings: Sequence[str], rows: Sequence[Sequence[str]], shown: Collection[str]
) -> list[str]:
    """Return lines with the text of the last column, if it is not shown, and with the
    headings of the other columns that are not.
    """
    notes = []
    left_out = [heading for heading in headings if heading not in shown]
    if headings[-1] in left_out:
        notes.append(f"{left_out.pop()}:")
        notes += [f"{row[0]}: {row[-1]}" for row in rows if row[-1] not in NOTHING]
    if left_out:
        notes.append(f"A wider terminal also shows {', '.join(left_out)}.")
    return notes


def _least_widths(columns: Mapping[str, Sequence[str]], wraps: int) -> dict[str, int]:
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


def _colored(cell: str) -> "Text":
    """Return the text of a cell, with the colours of verdicts."""
    from rich.text import Text

    text = Text(cell)
    for verdict, style in STYLES.items():
        text.highlight_regex(rf"\b{verdict}(?=$|;)", style=style)
    return text
