"""docs/performance.md and its plots, from results.json alone."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jinja2 import Environment, StrictUndefined

from bench.works import SIDES
from pipeline.files import write_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PEERS = SIDES[1:]

FASTEST, OF_PEAK = 2.0, 0.7
"""The goals: times the fastest peer on Jena and IMDB, or this share of the products' peak in its place."""

OF_DOCUMENTS = {"jena": 4.0, "imdb": 3.0, "sine": 20.0}
"""Times the documents' own way, or OF_PEAK."""

TEMPLATE = Path(__file__).with_name("performance.md.j2")

Row = dict[str, Any]


def write(found: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write performance.md and a plot for each part that has one; returns the paths."""
    from bench import costs, scaling

    plots: dict[str, str] = {}
    if found.get("rows"):
        plots["performance.svg"] = plot(found)
    sections = []
    for name, module in (("scaling", scaling), ("costs", costs)):
        if name in found:
            plots[f"performance-{name}.svg"] = module.plot(found[name])
            sections.append((module.section(found[name]), f"performance-{name}.svg"))
    environment = Environment(trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)  # noqa: S701 - Markdown
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    text = template.render({**EMPTY, **found, **tables(found), "sections": sections, "sides": SIDES})
    for name, svg in plots.items():
        write_text(folder / name, svg)
    write_text(folder / "performance.md", text)
    return [folder / "performance.md", *(folder / name for name in plots)]


EMPTY: dict[str, Any] = {"rows": [], "absent": [], "works": {}, "limit": None}


def tables(found: Mapping[str, Any]) -> dict[str, list[list[str]]]:
    """The cells of every table of the comparison."""
    by_work = grouped(found.get("rows", []))
    return {
        "ratios": [ratio_line(work, phase, by_side) for (work, phase), by_side in by_work.items()],
        "times": [time_line(work, phase, by_side) for (work, phase), by_side in by_work.items()],
        "limits": [limit_line(by_side["unroll"]) for by_side in by_work.values() if by_side["unroll"]["flops"]],
        "starts": [
            [work, *(f"{by_side[side]['warm_up_seconds']:.1f}" if side in by_side else "" for side in SIDES)]
            for (work, phase), by_side in by_work.items()
            if phase == "train"
        ],
        "checks": [check_line(work, facts) for work, facts in found.get("works", {}).items()],
    }


def grouped(rows: Sequence[Row]) -> dict[tuple[str, str], dict[str, Row]]:
    """(work, phase) -> side -> its row."""
    found: dict[tuple[str, str], dict[str, Row]] = {}
    for row in rows:
        found.setdefault((row["work"], row["phase"]), {})[row["side"]] = row
    return found


def fastest(by_side: Mapping[str, Row]) -> str | None:
    """The peer with the lowest median; None if there is none."""
    peers = [side for side in PEERS if side in by_side]
    return min(peers, key=lambda side: float(by_side[side]["ms_per_step"]["median"]), default=None)


def ratio_line(work: str, phase: str, by_side: Mapping[str, Row]) -> list[str]:
    """How many times Unroll's time each peer takes, and whether the goals are met."""
    best = fastest(by_side)
    cells = []
    for side in PEERS:
        text = spread(by_side[side]["ratio"], 3) if side in by_side else ""
        cells.append(f"**{text}**" if side == best else text)
    return [work, phase, *cells, "; ".join(goals(work, by_side)) or "no goal"]


def goals(work: str, by_side: Mapping[str, Row]) -> Iterator[str]:
    """What each goal of a row asks for, and whether it is met."""
    kind, best, unroll = work.split("_", maxsplit=1)[0], fastest(by_side), by_side["unroll"]
    share = unroll.get("share_of_peak", 0.0)
    asked = [(best, FASTEST, "fastest")] if kind in {"jena", "imdb"} and best else []
    asked += [("documents", OF_DOCUMENTS[kind], "documents")] if kind in OF_DOCUMENTS and "documents" in by_side else []
    for side, factor, name in asked:
        ratio = by_side[side]["ratio"]["median"]
        if ratio >= factor:
            yield f"{factor:g}x {name}: met"
        elif share >= OF_PEAK:
            yield f"{factor:g}x {name}: {figure(ratio)}x, met by {share:.0%} of peak"
        else:
            yield f"{factor:g}x {name}: **not met**, {figure(ratio)}x"


def time_line(work: str, phase: str, by_side: Mapping[str, Row]) -> list[str]:
    """Milliseconds per batch of each side."""
    return [work, phase, *(spread(by_side[side]["ms_per_step"], 3) if side in by_side else "" for side in SIDES)]


def limit_line(row: Row) -> list[str]:
    """What a step of Unroll must do and the share of this machine's limits that it reaches."""
    moved = f"{sum(row['traffic'].values()) / 1e6:.1f}" if row["traffic"] else ""
    copied = f"{row['share_of_copy']:.1%}" if "share_of_copy" in row else ""
    share = f"{row['share_of_peak']:.1%}" if "share_of_peak" in row else ""
    return [row["work"], row["phase"], figure(row["flops"] / 1e6), share, moved, copied]


def check_line(work: str, facts: Mapping[str, Any]) -> list[str]:
    """Of each loss of a work the greatest difference of any peer, and what was allowed."""
    cells = []
    for when in ("before", "train", "after"):
        peers = [one[when] for side, one in facts["checks"].items() if side != "unroll"]
        worst = max(peers, key=lambda one: float(one["difference"] / one["tolerance"]), default=None)
        cells.append(f"{worst['difference']:.1e} of {worst['tolerance']:.1e}" if worst else "")
    data = "stand-in" if facts["stand_in"] else "as prepared"
    sizes = [str(facts["batch"]), str(facts["steps"]), f"{facts['evaluated']:,}"]
    return [work, facts["experiment"], data, *sizes, *cells]


def spread(values: Mapping[str, float], digits: int) -> str:
    """Median, and in brackets least and greatest."""
    middle, low, high = (figure(values[key], digits) for key in ("median", "min", "max"))
    return f"{middle} ({low} to {high})"


def figure(value: float, digits: int = 3) -> str:
    """A number with some significant digits, without an exponent."""
    return np.format_float_positional(value, digits, unique=False, fractional=False, trim="-")


HOLLOW = {"keras", "pytorch_compiled", "jax"}
"""Sides whose marks are not filled, so that no two are alike in print."""


def plot(found: Mapping[str, Any]) -> str:
    """An SVG file: for every work and phase the time of each peer over Unroll's, on a logarithmic axis."""
    from matplotlib.ticker import FuncFormatter

    from bench.scaling_page import standalone
    from pipeline.report.svg import INK, MAIN, MUTED, OTHER, svg

    by_work = grouped(found["rows"])
    marks = (("s", OTHER), ("o", MUTED), ("o", INK), ("^", MAIN), ("v", MAIN), ("D", OTHER))

    def draw(axes: "Axes") -> None:
        places = range(len(by_work), 0, -1)
        axes.axvline(1, color=INK, linewidth=1)
        for side, (marker, colour) in zip(PEERS, marks, strict=True):
            lines = [(rows[side], y) for y, rows in zip(places, by_work.values(), strict=True) if side in rows]
            face = "none" if side in HOLLOW else colour
            ratios, heights = [row["ratio"]["median"] for row, _ in lines], [y for _, y in lines]
            axes.plot(ratios, heights, marker, color=colour, markersize=4, markerfacecolor=face, label=side)
        axes.set_xscale("log")
        axes.set_yticks(list(places), [f"{work}, {phase}" for work, phase in by_work])
        axes.set_xlabel("times Unroll's time per batch; right of the line Unroll is faster")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=len(PEERS), handletextpad=0.1)

    rows = "; ".join(
        f"{work}, {phase}: fastest peer {best} {figure(by_side[best]['ratio']['median'])}x"
        for (work, phase), by_side in by_work.items()
        if (best := fastest(by_side))
    )
    size = (7.2, 0.8 + 0.22 * len(by_work))
    return standalone(svg(draw, size, f"Time per batch of each peer over Unroll's. {rows}", "bench/peers"))

