"""docs/performance.md and its plots, from results.json alone."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jinja2 import Environment, StrictUndefined

from bench.cluster import page as cluster
from bench.costs import page as costs
from bench.newcomer import page as newcomer
from bench.own_series import page as own_series
from bench.peers import goals
from bench.peers.compare import CHECKED, OWN
from bench.peers.workloads import FRAMEWORKS
from bench.scaling import page as scaling
from pipeline.files import write_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PEERS = FRAMEWORKS[1:]

TEMPLATE = Path(__file__).with_name("performance.md.j2")

Row = dict[str, Any]
Rows = Mapping[str, Row]
"""Framework -> its row, of one workload and phase."""

Groups = Mapping[tuple[str, str], Rows]
"""(workload, phase) -> its rows."""


def write(found: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write performance.md and a plot for each part that has one; returns the paths."""
    plots = {"performance.svg": plot(grouped(found["rows"]))} if found.get("rows") else {}
    sections = []
    for name, module in (("scaling", scaling), ("costs", costs), ("cluster", cluster)):
        if name in found:
            plots[f"performance-{name}.svg"] = module.plot(found[name])
            sections.append((module.section(found[name]), f"performance-{name}.svg"))
    plain = {"newcomer": newcomer, "series": own_series}
    waits = [module.section(found[name]) for name, module in plain.items() if name in found]
    environment = Environment(trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)  # noqa: S701 - Markdown
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    empty: dict[str, Any] = {"rows": [], "absent": [], "roofline": None}
    known = {"sections": sections, "waits": waits, "frameworks": FRAMEWORKS, "checked": CHECKED, "settings": settings()}
    text = template.render({**empty, **found, **tables(found), **known})
    files = {"performance.md": text, **plots}
    for name, content in files.items():
        write_text(folder / name, content)
    return [folder / name for name in files]


def settings() -> str:
    """What Unroll sets for its processes, as a shell has it."""
    return " ".join(f'{name}="{value}"' if " " in value else f"{name}={value}" for name, value in OWN.items())


def tables(found: Mapping[str, Any]) -> dict[str, Any]:
    """The cells of every table of the comparison, and the sentences that are made of its figures."""
    groups, own = grouped(found.get("rows", [])), grouped(found.get("rows", []), own_settings=True)
    peaks, bests = found.get("roofline"), {key: fastest(rows) for key, rows in groups.items()}
    pairs = {key: (groups[key]["unroll"], groups[key][best]) for key, best in bests.items() if best}
    return {
        "goals": [goal_line(key, rows, own.get(key, {})) for key, rows in groups.items()],
        "missed": [goals.consists(key, *pair, peaks) for key, pair in pairs.items() if missed(key, pair[1])],
        "budget": goals.budget(pairs, peaks) if peaks else {},
        "ratios": [ratio_line(*key, rows) for key, rows in groups.items()],
        "own_ratios": [ratio_line(*key, rows) for key, rows in own.items() if fastest(rows)],
        "times": [[*key, *(spread(rows, name, "ms_per_step") for name in FRAMEWORKS)] for key, rows in groups.items()],
        "shares": [share_line(rows["unroll"]) for rows in groups.values() if rows["unroll"]["flops"]],
        "starts": [
            [workload, *(f"{rows[name]['warm_up_seconds']:.1f}" if name in rows else "" for name in FRAMEWORKS)]
            for (workload, phase), rows in groups.items()
            if phase == "train"
        ],
        "checks": [check_line(workload, facts) for workload, facts in found.get("works", {}).items()],
    }


def grouped(rows: Sequence[Row], *, own_settings: bool = False) -> Groups:
    """(workload, phase) -> Unroll's row, and those of its peers with Unroll's settings, or as they come."""
    found: dict[tuple[str, str], dict[str, Row]] = {}
    for row in rows:
        if row["side"] == "unroll" or row.get("own_settings", False) == own_settings:
            found.setdefault((row["work"], row["phase"]), {})[row["side"]] = row
    return {**found}


def fastest(rows: Rows) -> str | None:
    """The peer with the lowest median; None if there is none."""
    peers = [name for name in PEERS if name in rows]
    return min(peers, key=lambda name: float(rows[name]["ms_per_step"]["median"]), default=None)


def missed(key: tuple[str, str], best: Row) -> bool:
    """Whether the fastest peer is nearer than the goal says."""
    return float(best["ratio"]["median"]) < goals.GOALS.get(key, 0.0)


def goal_line(key: tuple[str, str], rows: Rows, own: Rows) -> list[str]:
    """The fastest peer as it comes and with Unroll's settings, the goal, and whether it is reached."""
    both = [(some, fastest(some)) for some in (own, rows)]
    cells = [f"{figure(some[best]['ratio']['median'])} ({best})" if best else "" for some, best in both]
    goal, best = goals.GOALS.get(key), fastest(rows)
    if goal is None or best is None:
        return [*key, *cells, "", "no goal" if goal is None else "no peer"]
    return [*key, *cells, figure(goal), "**under it**" if missed(key, rows[best]) else "reached"]


def ratio_line(workload: str, phase: str, rows: Rows) -> list[str]:
    """How many times Unroll's time each peer takes."""
    best = fastest(rows)
    cells = [f"**{spread(rows, name, 'ratio')}**" if name == best else spread(rows, name, "ratio") for name in PEERS]
    return [workload, phase, *cells]


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


def plot(groups: Groups) -> str:
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
