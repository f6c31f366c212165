"""docs/performance.md and its plots, from results.json alone."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jinja2 import Environment, StrictUndefined

from bench.costs import page as costs
from bench.peers.compare import CHECKED
from bench.peers.workloads import FRAMEWORKS
from bench.scaling import page as scaling
from pipeline.files import write_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PEERS = FRAMEWORKS[1:]

FASTEST, OF_PEAK = 2.0, 0.7
"""The goals on Jena and IMDB: so many times as fast as the fastest peer, or this share of the peak of products."""

OF_DOCUMENTS = {"jena": 4.0, "imdb": 3.0, "sine": 20.0}
"""The goals by data: so many times as fast as the documents' own way, or OF_PEAK."""

TEMPLATE = Path(__file__).with_name("performance.md.j2")

Row = dict[str, Any]
Rows = Mapping[str, Row]
"""Framework -> its row, of one workload and phase."""


def write(found: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write performance.md and a plot for each part that has one; returns the paths."""
    plots = {"performance.svg": plot(grouped(found["rows"]))} if found.get("rows") else {}
    sections = []
    for name, module in (("scaling", scaling), ("costs", costs)):
        if name in found:
            plots[f"performance-{name}.svg"] = module.plot(found[name])
            sections.append((module.section(found[name]), f"performance-{name}.svg"))
    environment = Environment(trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)  # noqa: S701 - Markdown
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    empty: dict[str, Any] = {"rows": [], "absent": [], "roofline": None}
    text = template.render(
        {**empty, **found, **tables(found), "sections": sections, "frameworks": FRAMEWORKS, "checked": CHECKED}
    )
    files = {"performance.md": text, **plots}
    for name, content in files.items():
        write_text(folder / name, content)
    return [folder / name for name in files]


def tables(found: Mapping[str, Any]) -> dict[str, list[list[str]]]:
    """The cells of every table of the comparison."""
    groups = grouped(found.get("rows", []))
    return {
        "ratios": [ratio_line(*key, rows) for key, rows in groups.items()],
        "times": [[*key, *(spread(rows, name, "ms_per_step") for name in FRAMEWORKS)] for key, rows in groups.items()],
        "shares": [share_line(rows["unroll"]) for rows in groups.values() if rows["unroll"]["flops"]],
        "starts": [
            [workload, *(f"{rows[name]['warm_up_seconds']:.1f}" if name in rows else "" for name in FRAMEWORKS)]
            for (workload, phase), rows in groups.items()
            if phase == "train"
        ],
        "checks": [check_line(workload, facts) for workload, facts in found.get("works", {}).items()],
    }


def grouped(rows: Sequence[Row]) -> dict[tuple[str, str], Rows]:
    """(workload, phase) -> its rows."""
    found: dict[tuple[str, str], dict[str, Row]] = {}
    for row in rows:
        found.setdefault((row["work"], row["phase"]), {})[row["side"]] = row
    return {**found}


def fastest(rows: Rows) -> str | None:
    """The peer with the lowest median; None if there is none."""
    peers = [name for name in PEERS if name in rows]
    return min(peers, key=lambda name: float(rows[name]["ms_per_step"]["median"]), default=None)


def ratio_line(workload: str, phase: str, rows: Rows) -> list[str]:
    """How many times Unroll's time each peer takes, and which goals are met."""
    best = fastest(rows)
    cells = [f"**{spread(rows, name, 'ratio')}**" if name == best else spread(rows, name, "ratio") for name in PEERS]
    return [workload, phase, *cells, "; ".join(goals(workload, rows)) or "no goal"]


def goals(workload: str, rows: Rows) -> Iterator[str]:
    """What each goal of a workload asks for, and whether it is met."""
    data, best = workload.partition("_")[0], fastest(rows)
    share = rows["unroll"].get("share_of_peak", 0.0)
    asked = [(best, FASTEST, "fastest")] if data in {"jena", "imdb"} and best else []
    asked += [("documents", OF_DOCUMENTS[data], "documents")] if data in OF_DOCUMENTS and "documents" in rows else []
    for name, factor, title in asked:
        ratio = rows[name]["ratio"]["median"]
        if ratio >= factor:
            yield f"{factor:g}x {title}: met"
        elif share >= OF_PEAK:
            yield f"{factor:g}x {title}: {figure(ratio)}x, met by {share:.0%} of peak"
        else:
            yield f"{factor:g}x {title}: **not met**, {figure(ratio)}x"


def share_line(row: Row) -> list[str]:
    """What a step of Unroll computes and moves, and as what shares of this core's peaks."""
    moved = f"{sum(row['traffic'].values()) / 1e6:.1f}" if row["traffic"] else ""
    copied = f"{row['share_of_copy']:.1%}" if "share_of_copy" in row else ""
    share = f"{row['share_of_peak']:.1%}" if "share_of_peak" in row else ""
    return [row["work"], row["phase"], figure(row["flops"] / 1e6), share, moved, copied]


def check_line(workload: str, facts: Mapping[str, Any]) -> list[str]:
    """For each loss of a workload the greatest difference of any peer, and what is allowed."""
    cells = []
    for when in ("before", "train"):
        peers = [one[when] for name, one in facts["checks"].items() if name != "unroll"]
        worst = max(peers, key=lambda one: float(one["difference"] / one["tolerance"]), default=None)
        cells.append(f"{worst['difference']:.1e} of {worst['tolerance']:.1e}" if worst else "")
    data = "stand-in" if facts["stand_in"] else "as prepared"
    sizes = [str(facts["batch"]), str(facts["steps"]), f"{facts['evaluated']:,}"]
    return [workload, facts["experiment"], data, *sizes, *cells]


def spread(rows: Rows, name: str, what: str) -> str:
    """Median, and in brackets least and greatest; nothing where the framework is absent."""
    if name not in rows:
        return ""
    middle, low, high = (figure(rows[name][what][key]) for key in ("median", "min", "max"))
    return f"{middle} ({low} to {high})"


def figure(value: float) -> str:
    """A number with three significant digits, without an exponent."""
    return np.format_float_positional(value, 3, unique=False, fractional=False, trim="-")


HOLLOW = {"keras", "pytorch_compiled", "jax"}
"""Frameworks whose marks are not filled, so that no two are alike in print."""


def plot(groups: Mapping[tuple[str, str], Rows]) -> str:
    """An SVG file: for every workload and phase the time of each peer over Unroll's, on a logarithmic axis."""
    from matplotlib.ticker import FuncFormatter

    from pipeline.report.svg import INK, MAIN, MUTED, OTHER, standalone, svg

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

    said = "; ".join(
        f"{workload}, {phase}: fastest peer {best} {figure(rows[best]['ratio']['median'])}x"
        for (workload, phase), rows in groups.items()
        if (best := fastest(rows))
    )
    size = (7.2, 0.8 + 0.22 * len(groups))
    return standalone(svg(draw, size, f"Time per batch of each peer over Unroll's. {said}", "bench/peers"))
