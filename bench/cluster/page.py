"""What `bench.cluster.measure` found, in print: the Markdown and the plot."""

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OVERHEAD, OVER, SLOTS, PLANNED = 2.0, 1.1, 64, 30.0
"""The goals: seconds a stage; at so many slots times the bound; seconds until the first stage starts."""


def section(result: Mapping[str, Any]) -> str:
    """The Markdown of what `measure` found."""
    overhead, same = result["overhead"], "the same bytes" if result["same_lock"] else "NOT the same bytes"
    lines = ["## On many machines", ""]
    lines += [
        _paragraph(
            f"{result['graph'].capitalize()} of {result['stages']} stages in fresh workspaces, on workers with one "
            "slot each, all on this machine's cores, and a folder as DVC's remote: networks and S3 are not in it. "
            f"`dvc.lock` held {same} after all of these builds."
        ),
        "",
        "| workers | on them, seconds | `unroll repro` with as many jobs | ratio |",
        "| ---: | ---: | ---: | ---: |",
    ]
    for count, one in result["builds"].items():
        lines.append(f"| {count} | {one['cluster']:.1f} | {one['local']:.1f} | {one['ratio']:.2f} |")
    lines += [
        "",
        _paragraph(
            f"A stage takes {overhead['median']:.2f} s longer on a worker than here (median; mean "
            f"{overhead['mean']:.2f}, at most {overhead['max']:.2f}; goal: less than {OVERHEAD:g} s, "
            f"{_reached(overhead['median'] < OVERHEAD)}). The first one of a slot takes {overhead['first']:.1f} s "
            f"longer, since the slot starts then. The head, which does one thing at a time, spends "
            f"{overhead['begin']:.2f} s on starting a stage and {overhead['land']:.2f} s on taking what it made."
        ),
        "",
        *_simulated(result["simulated"]),
    ]
    return "\n".join([*lines, ""])


def _simulated(found: Mapping[str, Any]) -> list[str]:
    graphs = found["graphs"]
    first = graphs[0]["stages"]
    seconds = f"as their last build here took for {found['recorded']} stages, else as params.yaml lets one think"
    if not found["recorded"]:
        seconds = "as estimated from params.yaml, since no build of it was at hand"
    last = graphs[-1]
    reached = _reached(last["read"] + last["planned"] < PLANNED)
    lines = [
        _paragraph(
            f"How larger builds would go, in virtual time: the scheduler's own loop with the real graph ({first} "
            f"stages; seconds {seconds}) and copies of it side by side. Each stage takes the overhead above besides, "
            "and what the loop computes takes its time. No order can beat the bound: the longest chain, and all work "
            f"shared out evenly. Goal: at {SLOTS} slots within {OVER - 1:.0%} of it. Before the first stage starts "
            f"DVC reads all {last['stages']:,} and knows what is due in {last['read']:.2g} s of CPU; "
            f"the order takes {last['planned']:.2g} s (goal: {PLANNED:g} together, {reached})."
        ),
        "",
        "| stages | slots | bound, s | build, s | of the bound | | computed by the loop, s |",
        "| ---: | ---: | ---: | ---: | ---: | --- | ---: |",
    ]
    for one in graphs:
        for slots, bound, took, loop in zip(one["slots"], one["bound"], one["seconds"], one["loop"], strict=True):
            goal = _reached(took <= OVER * bound) if slots == SLOTS else ""
            cells = [f"{one['stages']:,}", slots, f"{bound:,.0f}", f"{took:,.0f}", f"{took / bound:.2f}", goal]
            lines.append(f"| {' | '.join(map(str, cells))} | {loop:.1f} |")
    return lines


def _reached(reached: bool) -> str:
    return "reached" if reached else "**not reached**"


def _paragraph(text: str) -> str:
    return textwrap.fill(text, 118, break_long_words=False, break_on_hyphens=False)


def plot(result: Mapping[str, Any]) -> str:
    """An SVG file: simulated seconds against slots, a line for each graph, its bound dotted."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    from pipeline.report.svg import INK, MAIN, OTHER, standalone, svg

    graphs = result["simulated"]["graphs"]

    def draw(axes: "Axes") -> None:
        for one, colour in zip(graphs, (MAIN, OTHER, INK), strict=False):
            label = f"{one['stages']:,} stages"
            axes.plot(one["slots"], one["seconds"], color=colour, marker="o", markersize=3, label=label)
            axes.plot(one["slots"], one["bound"], color=colour, linewidth=0.9, linestyle=(0, (1, 2)))
        axes.plot([], [], color=INK, linewidth=0.9, linestyle=(0, (1, 2)), label="no order beats")
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xticks(max((one["slots"] for one in graphs), key=len))
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_minor_locator(NullLocator())
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.set_xlabel("slots")
        axes.set_ylabel("seconds, simulated")
        axes.legend(frameon=False)

    title = "Simulated seconds of a build against slots: " + ", ".join(f"{one['stages']:,} stages" for one in graphs)
    return standalone(svg(draw, (4.6, 3.2), title, "bench/cluster"))
