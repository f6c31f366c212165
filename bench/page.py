"""docs/performance.md and its plot, from results.json alone."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bench.peers.compare import CHECKED, OWN
from bench.peers.workloads import FRAMEWORKS, WORKLOADS
from pipeline.files import write_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PEERS = FRAMEWORKS[1:]

Row = dict[str, Any]
Rows = Mapping[str, Row]
"""Framework -> its row, of one workload and phase."""

Groups = Mapping[tuple[str, str], Rows]
"""(workload, phase) -> its rows."""


def write(found: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write performance.md and the plot of the peers; returns the paths."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - Markdown
    )
    environment.filters |= {"figure": figure, "spread": spread, "fastest": fastest}
    rows = found.get("peers", {}).get("rows", [])
    groups = grouped(rows)
    settings = " ".join(f'{name}="{value}"' if " " in value else f"{name}={value}" for name, value in OWN.items())
    text = environment.get_template("performance.md.j2").render(
        found=found,
        groups=groups,
        own=grouped(rows, own_settings=True),
        goals={name: dict(zip(("train", "evaluate"), one.goals, strict=True)) for name, one in WORKLOADS.items()},
        frameworks=FRAMEWORKS,
        checked=CHECKED,
        settings=settings,
    )
    files = {"performance.md": text} | ({"performance.svg": plot(groups)} if groups else {})
    for name, content in files.items():
        write_text(folder / name, content)
    return [folder / name for name in files]


def grouped(rows: Sequence[Row], *, own_settings: bool = False) -> Groups:
    """(workload, phase) -> Unroll's row, and those of its peers with Unroll's settings, or as they come."""
    found: dict[tuple[str, str], dict[str, Row]] = {}
    for row in rows:
        if row["side"] == "unroll" or row["own_settings"] == own_settings:
            found.setdefault((row["work"], row["phase"]), {})[row["side"]] = row
    return {**found}


def fastest(rows: Rows) -> Row:
    """The peer with the lowest median."""
    return min((rows[name] for name in PEERS if name in rows), key=lambda row: float(row["ms"]["median"]))


def figure(value: float) -> str:
    """A number with three significant digits, without an exponent."""
    return np.format_float_positional(value, 3, unique=False, fractional=False, trim="-")


def spread(one: Mapping[str, float]) -> str:
    """Median, and in brackets least and greatest."""
    return f"{figure(one['median'])} ({figure(one['min'])} to {figure(one['max'])})"


HOLLOW = {"keras", "pytorch_compiled", "jax"}
"""Frameworks whose marks are not filled, so that no two are alike in print."""


def plot(groups: Groups) -> str:
    """An SVG file: for every workload and phase the time of each peer over Unroll's, on a logarithmic axis."""
    from matplotlib.ticker import FuncFormatter

    from pipeline.plots.svg import INK, MAIN, MUTED, OTHER, standalone, svg

    marks = (("s", OTHER), ("o", MUTED), ("o", INK), ("^", MAIN), ("v", MAIN), ("D", OTHER))

    def draw(axes: "Axes") -> None:
        places = range(len(groups), 0, -1)
        axes.axvline(1, color=INK, linewidth=1)
        for name, (marker, colour) in zip(PEERS, marks, strict=True):
            points = [(rows[name], y) for y, rows in zip(places, groups.values(), strict=True) if name in rows]
            face = "none" if name in HOLLOW else colour
            ratios, heights = [row["ratio"]["median"] for row, _ in points], [y for _, y in points]
            axes.plot(ratios, heights, marker, color=colour, markersize=4, markerfacecolor=face, label=name)
        axes.set_xscale("log")
        axes.set_yticks(list(places), [f"{workload}, {phase}" for workload, phase in groups])
        axes.set_xlabel("times Unroll's time per batch; right of the line Unroll is faster")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=len(PEERS), handletextpad=0.1)

    bests = {key: fastest(rows) for key, rows in groups.items()}
    said = "; ".join(
        f"{workload}, {phase}: fastest peer {best['side']} {figure(best['ratio']['median'])}x"
        for (workload, phase), best in bests.items()
    )
    size = (7.2, 0.8 + 0.22 * len(groups))
    return standalone(svg(draw, size, f"Time per batch of each peer over Unroll's. {said}", "bench/peers"))
