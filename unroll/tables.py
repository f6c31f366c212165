"""Tables on the terminal."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

WRAPS = 30
"""Characters from which on a cell may take several lines."""

GAP = 3
"""Between two columns."""


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        heading: above it.
        number: whether it holds numbers.
        rank: on a narrow terminal columns with the lowest stay; the first one always does.
    """

    heading: str
    number: bool = False
    rank: int = 0


def show(
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    *,
    title: str = "",
    caption: str = "",
    styles: Mapping[str, str] | None = None,
) -> None:
    """Print a table on standard output; on a terminal as many columns as there is room for, and which are left out.

    Args:
        columns: of each row.
        rows: the texts.
        title: above it.
        caption: below it.
        styles: words -> the rich style that they are shown in.
    """
    if not (sys.stdout.isatty() or os.environ.get("FORCE_COLOR")):
        print("\n".join(_plain(columns, rows, title, caption)))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    kept = _fitting(columns, rows, console.width)
    if len(kept) < len(columns):
        left_out = ", ".join(column.heading for place, column in enumerate(columns) if place not in kept)
        caption = f"{caption} Wider terminals show: {left_out}.".strip()
        columns, rows = [columns[place] for place in kept], [[row[place] for place in kept] for row in rows]
    table = Table(
        title=Text(title, style="bold") if title else None,
        caption=Text(caption, style="dim") if caption else None,
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
    )
    for column, least in zip(columns, _least(columns, rows), strict=True):
        justify: Literal["left", "right"] = "right" if column.number else "left"
        table.add_column(Text(column.heading), justify=justify, overflow="fold", min_width=least)
    for row in rows:
        cells = [Text(text) for text in row]
        for cell in cells:
            for words, style in (styles or {}).items():
                cell.highlight_words([words], style=style)
        table.add_row(*cells)
    with console.capture() as text:
        console.print(table)
    print("\n".join(line.rstrip() for line in text.get().splitlines()))


def _fitting(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> list[int]:
    """The places of the columns to show: by rank, as many as fit with no word broken."""
    widest = [max(map(len, cells)) for cells in zip([column.heading for column in columns], *rows, strict=True)]
    needed = [max(pair) + GAP for pair in zip(_least(columns, rows), [min(WRAPS, one) for one in widest], strict=True)]
    kept, used = [0], needed[0]
    for place in sorted(range(1, len(columns)), key=lambda place: columns[place].rank):
        if used + needed[place] <= width:
            kept.append(place)
            used += needed[place]
    return sorted(kept)


def _least(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[int]:
    """The longest word of each column."""
    table = zip([column.heading for column in columns], *rows, strict=True)
    return [max((len(word) for cell in cells for word in cell.split()), default=0) for cells in table]


def _plain(columns: Sequence[Column], rows: Sequence[Sequence[str]], title: str, caption: str) -> Iterator[str]:
    """The lines for an output that is no terminal: whoever reads it has no right-hand edge."""
    table = [[column.heading for column in columns], *rows]
    widths = [max(map(len, cells)) for cells in zip(*table, strict=True)]
    if title:
        yield title
    for cells in table:
        fitted = zip(columns, cells, widths, strict=True)
        yield "  ".join(f"{text:{'>' if column.number else '<'}{width}}" for column, text, width in fitted).rstrip()
    if caption:
        yield caption
