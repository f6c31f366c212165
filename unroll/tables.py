"""Tables on the terminal."""

import os
import sys
from collections.abc import Collection, Sequence

WRAPS = 22
"""The width from which on a cell may take several lines."""

GAP = 3
"""Characters between two columns."""

MOST_LINES = 60
"""The most lines of a forecast that are printed; files have them all."""

STYLES = {
    "helps": "green",
    "hurts": "red",
    "no difference that matters": "cyan",
    "open": "yellow",
    "holds": "green",
    "does not hold": "red",
    "cannot tell": "yellow",
    "says little": "yellow",
}
"""Verdict at the end of a cell -> its colour. The words are those of `margin.Word` and
`claims.Outcome`, whose modules import NumPy."""


def show(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    numeric: Collection[str] = (),
    important: Sequence[str] = (),
    title: str = "",
    caption: str = "",
) -> None:
    """Print a table on standard output.

    A terminal shows the columns that it has room for, and names the others.

    Args:
        headings: of the columns; the first one is always shown.
        rows: the cells.
        numeric: headings of the columns that are aligned to the right.
        important: headings of those that a narrow terminal shows before the others.
        title: above the table.
        caption: below it.
    """
    columns = [*zip(headings, *rows, strict=True)]
    widths = [max(map(len, column)) for column in columns]
    # whoever reads it has no right-hand edge
    if not (sys.stdout.isatty() or os.environ.get("FORCE_COLOR")):
        lines = []
        for row in (headings, *rows):
            cells = [
                cell.rjust(width) if heading in numeric else cell.ljust(width)
                for heading, cell, width in zip(headings, row, widths, strict=True)
            ]
            lines.append("  ".join(cells).rstrip())
        print("\n".join(text for text in (title, *lines, caption) if text))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    longest_words = [
        max(map(len, " ".join(column).split()), default=0) for column in columns
    ]
    needed = [
        max(word, min(WRAPS, width)) + GAP
        for word, width in zip(longest_words, widths, strict=True)
    ]
    fitting = _fitting(headings, needed, important, console.width)
    left_out = [
        heading for index, heading in enumerate(headings) if index not in fitting
    ]
    if left_out:
        caption = f"{caption} Wider terminals show: {', '.join(left_out)}.".strip()
    table = Table(
        title=Text(title, style="bold") if title else None,
        caption=Text(caption, style="dim") if caption else None,
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
    )
    for index in fitting:
        table.add_column(
            Text(headings[index]),
            justify="right" if headings[index] in numeric else "left",
            overflow="fold",
            min_width=longest_words[index],
        )
    for row in rows:
        texts = [Text(row[index]) for index in fitting]
        for text in texts:
            for word, style in STYLES.items():
                text.highlight_regex(rf"\b{word}(?=$|;)", style=style)
        table.add_row(*texts)
    console.print(table)


def _fitting(
    headings: Sequence[str], needed: Sequence[int], important: Sequence[str], width: int
) -> list[int]:
    """Return the indices of the columns to show: as many as fit with no word broken.

    The first column comes first, then the important ones, then the others.
    """
    first, *others = range(len(headings))
    ranked = [headings.index(heading) for heading in important if heading in headings]
    fitting = [first]
    for index in dict.fromkeys([*ranked, *others]):
        if index and sum(needed[i] for i in fitting) + needed[index] <= width:
            fitting.append(index)
    return sorted(fitting)
