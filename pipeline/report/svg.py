"""Small plots as SVG text: the same numbers give the same bytes, and colours come from the page's style sheet."""

import io
import re
import warnings
from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from zlib import crc32

from pipeline.errors import printable
from pipeline.report.titles import FAMILIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, MUTED, GRID = "#010101", "#020202", "#030303"
FAMILY = {name: f"#{place:02x}{place:02x}{place:02x}" for place, name in enumerate((*FAMILIES, "simple"), 0x11)}
"""The colour of each family of models, in every plot."""

COLOURS = {INK: "ink", MUTED: "muted", GRID: "grid"} | {colour: name for name, colour in FAMILY.items()}
"""Colours that stand for a variable of the style sheet, so that one plot serves light and dark."""

DASHED = (0, (3, 2))

SETTINGS: dict[str, Any] = {
    "svg.fonttype": "none",
    "font.family": ["DejaVu Sans"],
    "font.size": 8,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "text.parse_math": False,  # a unit with $ in it is no formula
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "path.simplify": False,
}


def svg(draw: Callable[["Axes"], None], inches: tuple[float, float], title: str, name: str) -> str:
    """One pair of axes as an inline SVG element.

    Args:
        draw: draws on the axes, with the colours of this module.
        inches: width and height; a panel's text is 8 points.
        title: what a reader who can't see the plot is told.
        name: distinct for every plot on a page, so that no two share an id.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # From matplotlib's own defaults, not from a user's matplotlibrc, which would change the page.
    settings: dict[Any, Any] = {key: value for key, value in mpl.rcParamsDefault.items() if "backend" not in key}
    settings |= SETTINGS
    with mpl.rc_context(settings), warnings.catch_warnings():
        # Text stays text, and a reader's browser has the letters that the font here lacks.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure = Figure(figsize=inches, layout="constrained")
        axes = figure.add_subplot()
        figure.patch.set_visible(False)
        axes.patch.set_visible(False)
        axes.grid(visible=True, axis="y")
        axes.set_axisbelow(True)
        axes.locator_params(axis="x", nbins=4)
        axes.locator_params(axis="y", nbins=4)
        draw(axes)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
        return printable(_inline(text.getvalue(), title, name))  # a control character is no XML


NUMBER = re.compile(r"(?<!: )(?<![\d.])-?\d+\.\d{2,}")
"""A coordinate with more decimals than can be seen; what follows a colon is part of a style."""

SHORTER = {
    r"\s*\n\s*": "",  # between elements, and in a path
    r"font-family: 'DejaVu Sans'; ": "",  # the page has its own
    r' transform="rotate\(-0 [^"]*"': "",
    r'<g id="(curve|band)-(\d+)"><path': r'<g><path data-\1="\2"',
    "xlink:href": "href",
    rf'(<use [^>]*) style="fill: {MUTED}; stroke: {MUTED}; stroke-width: 0.6"': r"\1",  # a tick: its path says it, too
}


def _inline(text: str, title: str, name: str) -> str:
    """One of matplotlib's SVG files as an element of a page: with a title, colours of the style sheet, and half of the
    bytes; without its own style, which would be the whole page's.
    """
    from markupsafe import escape

    box = re.search(r'viewBox="[^"]*"', text)
    head = f'<svg {box and box[0]} role="img" style="stroke-linejoin:round"><title>{escape(title)}</title>'
    body = text.partition("</defs>")[2]
    for pattern, new in SHORTER.items():
        body = re.sub(pattern, new, body)
    body = re.sub(r"<[^>]*>", lambda tag: NUMBER.sub(lambda number: f"{float(number[0]):.1f}", tag[0]), body)
    body = re.sub(r' d="M ([-\d. L]+)(z?)"', _relative, body)
    for colour, variable in COLOURS.items():
        body = body.replace(colour, f"var(--{variable})")
    # Matplotlib's ids are new each time: those that are referred to are counted, the others left out.
    own = f"p{crc32(name.encode()):x}"
    for place, old in enumerate(dict.fromkeys(re.findall(r'(?:href="|url\()#(\w+)', body))):
        body = body.replace(old, f"{own}-{place}")
    body = re.sub(rf' id="(?!{own}-)[^"]*"', "", body)
    found = 1
    while found:  # groups that say nothing, the innermost first
        body, found = re.subn(r"<g>((?:(?!</?g\b).)*)</g>", r"\1", body)
    return head + body.strip()


def _relative(path: re.Match[str]) -> str:
    """A path whose points are told by how far each is from the one before, in tenths: fewer bytes."""
    points = [[round(10 * float(value)) for value in point.split()] for point in path[1].split("L")]
    steps = [(x - a, y - b) for (a, b), (x, y) in pairwise(points)]
    told = " ".join(f"{x / 10:g} {y / 10:g}" for x, y in steps)
    return f' d="M{points[0][0] / 10:g} {points[0][1] / 10:g}{"l" if steps else ""}{told}{path[2]}"'
