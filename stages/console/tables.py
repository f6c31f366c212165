"""Tables on the terminal."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """A column: its heading, and whether it holds numbers."""

    heading: str
    number: bool = False


def show(
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    *,
    title: str = "",
    caption: str = "",
    styles: Mapping[str, str] | None = None,
) -> None:
    """Print a table on standard output.

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
    table = Table(
        title=Text(title, style="bold") if title else None,
        caption=Text(caption, style="dim") if caption else None,
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
    )
    for column in columns:
        justify = "right" if column.number else "left"
        table.add_column(Text(column.heading), justify=justify, overflow="fold")  # type: ignore[arg-type]
    for row in rows:
        cells = [Text(text) for text in row]
        for cell in cells:
            for words, style in (styles or {}).items():
                cell.highlight_words([words], style=style)
        table.add_row(*cells)
    with console.capture() as text:
        console.print(table)
    print("\n".join(line.rstrip() for line in text.get().splitlines()))


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
