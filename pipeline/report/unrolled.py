"""A drawing of a recurrent network, unrolled in time, as SVG."""

from collections.abc import Iterator
from itertools import pairwise

WIDTH = 720
HEIGHT = 230
SIDE = 64
"""The width and the height of a cell."""

TOP = 80
"""The y of the upper edge of the cells."""

LOOP = 80
"""The x of the centre of the cell with its loop."""

STEPS = {270: "1", 400: "2", 530: "3", 660: "t"}
"""The x of the centre of an unrolled cell -> its timestep."""

STYLE = """
  .unrolled { font: 15px system-ui, sans-serif; max-width: 720px; }
  .unrolled .cell { fill: #dbe7f6; stroke: #2b5d9b; stroke-width: 2; }
  .unrolled .arrow { fill: none; stroke: #444; stroke-width: 2; }
  .unrolled .head, .unrolled text { fill: #222; }
  @media (prefers-color-scheme: dark) {
    .unrolled .cell { fill: #23405f; stroke: #8ab4e8; }
    .unrolled .arrow { stroke: #bbb; }
    .unrolled .head, .unrolled text { fill: #eee; }
  }
"""
"""The page holds the drawing, so its rules name it."""


def svg() -> str:
    """Return the drawing: a cell with a loop, and the same cell at each timestep.

    Colours follow the reader's light or dark mode.
    """
    title = "A recurrent network, unrolled in time"
    shape = f'viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}"'
    lines = [f'<svg class="unrolled" xmlns="http://www.w3.org/2000/svg" {shape}>']
    lines.append(f"<style>{STYLE}</style>")
    lines += [*_cell(LOOP, ""), *_loop(), _text(196, TOP + SIDE / 2 + 5, "=")]
    for place, after in pairwise(STEPS):
        lines += _state(place, after, STEPS[place])
    for place, timestep in STEPS.items():
        lines += _cell(place, timestep)
    lines.append("</svg>\n")
    return "\n".join(lines)


def _cell(centre: int, timestep: str) -> Iterator[str]:
    """Yield a cell with its input below and its output above."""
    bottom = TOP + SIDE
    yield (
        f'<rect class="cell" x="{centre - SIDE / 2:g}" y="{TOP}" width="{SIDE}" '
        f'height="{SIDE}" rx="8"/>'
    )
    yield _text(centre, TOP + SIDE / 2 + 5, "cell")
    yield f'<path class="arrow" d="M{centre} {bottom + 40}V{bottom + 8}"/>'
    yield _head(centre, bottom, "h10l-5-9z", -5, 9)
    yield f'<path class="arrow" d="M{centre} {TOP}V{TOP - 30}"/>'
    yield _head(centre, TOP - 38, "h10l-5-9z", -5, 9)
    yield _text(centre, bottom + 58, "x", timestep)
    yield _text(centre, TOP - 46, "y", timestep)


def _loop() -> Iterator[str]:
    """Yield the arrow by which the first cell gets its own state back."""
    right = LOOP + SIDE / 2
    yield f'<path class="arrow" d="M{right:g} {TOP + 16}h28v32h-20"/>'
    yield _head(right, TOP + 48, "v10l-9-5z", 9, -5)
    yield _text(right + 40, TOP + 38, "h")


def _state(centre: int, after: int, timestep: str) -> Iterator[str]:
    """Yield the arrow of the state from one timestep to a later one."""
    middle = TOP + SIDE / 2
    dashed = ' stroke-dasharray="4 5"' if STEPS[after] == "t" else ""
    yield (
        f'<path class="arrow"{dashed} d="M{centre + SIDE / 2:g} {middle:g}'
        f'H{after - SIDE / 2 - 8:g}"/>'
    )
    yield _head(after - SIDE / 2, middle, "v10l9-5z", -9, -5)
    yield _text((centre + after) / 2, middle - 8, "h", timestep)


def _head(x: float, y: float, edges: str, right: int, down: int) -> str:
    """Return the head of an arrow that ends at a point.

    `edges` are its edges, drawn from a corner that lies `right` and `down` of the point.
    """
    return f'<path class="head" d="M{x + right:g} {y + down:g}{edges}"/>'


def _text(x: float, y: float, text: str, index: str = "") -> str:
    """Return a centred text with an index below its line."""
    below = f'<tspan font-size="10" dy="4">{index}</tspan>' if index else ""
    return f'<text x="{x:g}" y="{y:g}" text-anchor="middle">{text}{below}</text>'
