"""Tables on the terminal."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline.evaluation.outcome import Outcome

WRAPS = 30
"""Characters from which on a cell may take several lines."""

GAP = 3
"""Between two columns."""

GREEN, RED = (Outcome.YES, Outcome.BETTER, Outcome.HOLDS), (Outcome.NO, Outcome.WORSE, Outcome.FAILS)
STYLES = dict.fromkeys(GREEN, "green") | dict.fromkeys(RED, "red")
STYLES |= dict.fromkeys((Outcome.UNSURE, Outcome.LITTLE), "yellow")
"""A verdict at the end of a cell -> how it is shown."""


@dataclass(frozen=True)
class Column:
    """A column. On a narrow terminal those with the lowest rank stay; the first one always does."""

    heading: str
    number: bool = False
    rank: int = 0


def show(columns: Sequence[Column], rows: Sequence[Sequence[str]], *, title: str = "", caption: str = "") -> None:
    """Print a table on standard output; on a terminal as many columns as there is room for, and which are left out."""
    cells = [[column.heading, *(row[place] for row in rows)] for place, column in enumerate(columns)]
    widest = [max(map(len, each)) for each in cells]
    if not (sys.stdout.isatty() or os.environ.get("FORCE_COLOR")):  # whoever reads it has no right-hand edge
        forms = [f"{{:{'>' if column.number else '<'}{width}}}" for column, width in zip(columns, widest, strict=True)]
        lines = ("  ".join(forms).format(*row).rstrip() for row in zip(*cells, strict=True))
        print("\n".join(text for text in (title, *lines, caption) if text))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    least = [max((len(word) for cell in each for word in cell.split()), default=0) for each in cells]
    needed = [max(word, min(WRAPS, wide)) + GAP for word, wide in zip(least, widest, strict=True)]
    kept = _fitting(columns, needed, console.width)
    if left_out := [column.heading for place, column in enumerate(columns) if place not in kept]:
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
    for place in kept:
        justify: Literal["left", "right"] = "right" if columns[place].number else "left"
        table.add_column(Text(columns[place].heading), justify=justify, overflow="fold", min_width=least[place])
    for row in rows:
        texts = [Text(row[place]) for place in kept]
        for text in texts:
            for word, style in STYLES.items():
                text.highlight_regex(rf"\b{word}(?=$|;)", style=style)
        table.add_row(*texts)
    console.print(table)


def _fitting(columns: Sequence[Column], needed: Sequence[int], width: int) -> list[int]:
    """The places of the columns to show: by rank, as many as fit with no word broken."""
    kept, used = [0], needed[0]
    for place in sorted(range(1, len(columns)), key=lambda place: columns[place].rank):
        if used + needed[place] <= width:
            kept.append(place)
            used += needed[place]
    return sorted(kept)
