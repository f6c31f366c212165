"""What commands print: tables, data for programs, and the next command."""

import json
import os
import re
import sys
from collections.abc import Collection, Sequence
from typing import Any

BUILD = "UNROLL_BUILD"
"""The environment variable that `unroll repro` sets for the stages. They then print no
next command; `unroll repro` prints one at its end."""

DOCUMENT = re.compile(r"\d{3}")
"""The number of a document, such as 002."""

WRAPS = 17
"""The width beyond which a cell may take several lines."""

GAP = 3
"""Characters between two columns."""

NOTHING = {"", "\N{EN DASH}"}
"""The text of a cell without a value."""

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

    A narrow terminal shows the columns that fit. Of the others, the last one stands
    below its row, and the headings of the rest are listed. A file or a pipe, which has
    no width, gets all columns.

    Args:
        headings: the headings of the columns. The first column is always shown.
        rows: the cells of each row.
        numeric: headings of the columns that are aligned to the right.
        important: headings of the columns that a narrow terminal shows first.
        title: the text above the table.
        caption: the text below the table.
    """
    if sys.stdout.isatty() or os.environ.get("FORCE_COLOR"):
        _show_on_terminal(headings, rows, numeric, important, title, caption)
        return
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    lines = []
    for row in (headings, *rows):
        cells = [
            cell.rjust(width) if heading in numeric else cell.ljust(width)
            for heading, cell, width in zip(headings, row, widths, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    print("\n".join(text for text in (title, *lines, caption) if text))


def _show_on_terminal(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    numeric: Collection[str],
    important: Sequence[str],
    title: str,
    caption: str,
) -> None:
    from rich import box
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    console = Console()
    columns = [*zip(headings, *rows, strict=True)]
    needed = _needed(columns, WRAPS)
    fitting = _fitting(headings, needed, important, console.width)
    vital = {0, *(index for index, name in enumerate(headings) if name in important)}
    narrow = _needed(columns, 0)
    room = console.width - sum(narrow[index] for index in vital)
    if room >= 0 and not vital <= {*fitting}:
        needed = narrow
        fitting = sorted(vital)
    left_out = [name for index, name in enumerate(headings) if index not in fitting]
    below = left_out.pop() if left_out[-1:] == [headings[-1]] else ""
    if left_out:
        caption = (
            f"{caption} A wider terminal also shows {', '.join(left_out)}.".strip()
        )
    widths = _widths(columns, needed, fitting, console.width)

    def show_row(cells: Sequence[str], *, header: bool = False) -> None:
        table = Table(
            box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, show_header=header
        )
        for index in fitting:
            table.add_column(
                Text(headings[index]),
                justify="right" if headings[index] in numeric else "left",
                overflow="fold",
                width=widths[index],
            )
        texts = [Text(cells[index]) for index in fitting] if cells else []
        for text in texts:
            for verdict, style in STYLES.items():
                text.highlight_regex(rf"\b{verdict}(?=$|;)", style=style)
        if texts:
            table.add_row(*texts)
        console.print(table)
        if below and cells and cells[-1] not in NOTHING:
            said = Text(f"{below}: {cells[-1]}", style="dim")
            console.print(Padding(said, (0, 0, 0, 4)))

    if title:
        console.print(Text(title, style="bold"))
    show_row([], header=True)
    for row in rows:
        show_row(row)
    if caption:
        console.print(Text(caption, style="dim"))


def _needed(columns: Sequence[Sequence[str]], wraps: int) -> list[int]:
    """Return the width of each column in which no word is broken, and in which cells up
    to the width `wraps` stand in one line.
    """
    words = [max(map(len, " ".join(column).split()), default=0) for column in columns]
    return [
        max(word, min(wraps, max(map(len, column)))) + GAP
        for word, column in zip(words, columns, strict=True)
    ]


def _widths(
    columns: Sequence[Sequence[str]],
    needed: Sequence[int],
    fitting: Sequence[int],
    width: int,
) -> dict[int, int]:
    """Return index -> width of each column that fits; those that lack least for their
    longest cell get what is left first.
    """
    spare = width - sum(needed[index] for index in fitting)
    lacking = {
        index: max(map(len, columns[index])) + GAP - needed[index] for index in fitting
    }
    widths = {}
    for index in sorted(fitting, key=lacking.__getitem__):
        more = min(spare, lacking[index])
        widths[index] = needed[index] - GAP + more
        spare -= more
    return widths


def _fitting(
    headings: Sequence[str], needed: Sequence[int], important: Sequence[str], width: int
) -> list[int]:
    """Return the indices of the columns that fit without breaking a word.

    The first column is tried first, then the important ones, then the others.
    """
    first, *others = range(len(headings))
    ranked = [headings.index(heading) for heading in important if heading in headings]
    fitting = [first]
    for index in dict.fromkeys([*ranked, *others]):
        if index and sum(needed[i] for i in fitting) + needed[index] <= width:
            fitting.append(index)
    return sorted(fitting)
