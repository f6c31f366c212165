"""Tables on the terminal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDE = 10_000
"""Columns of an output that is no terminal: whoever reads it has no right-hand edge."""


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
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not console.is_terminal:
        console.width = WIDE
    table = Table(
        title=Text(title, style="bold") if title else None,
        caption=Text(caption, style="dim") if caption else None,
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD if console.is_terminal else None,
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
