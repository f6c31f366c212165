"""What `bench.scaling.measure` found, in print: the Markdown and the plot."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PROPORTIONAL = 0.1
"""An exponent that is nearer to 1 than this, and whose interval holds 1, is said to be 1."""

NAMES = {
    "rows": ("rows", "An epoch has as many more batches, and a batch costs what it costs."),
    "lookback": ("timesteps", "The loop over time is what an epoch consists of."),
    "units": (
        "units",
        "The products grow with the square of the units; of few units, what a timestep costs besides is the most.",
    ),
    "replicates": ("replicates", "All seeds of an experiment share one start, one compiled program and its data."),
    "preparation": ("rows prepared", "A part is the start of the interpreter, the same for any file."),
}
"""What is doubled -> its name in print, and where its cost comes from."""


def section(result: Mapping[str, Any]) -> str:
    """The Markdown of what `measure` found: what each doubling means, then every measurement."""
    lines = [
        "## Cost against size",
        "",
        "Each size is doubled while the others stay. The exponent is the slope of the medians, both axes logarithmic:",
        "1 is in proportion. Its interval (95 %, Student's t) is wide where no single power fits.",
        "",
        "| doubled | from | to | exponent | interval | first doubling | last doubling |",
        "| --- | ---: | ---: | ---: | --- | ---: | ---: |",
    ]
    rows = [
        (NAMES[what][0], one, [cost["median"] for cost in one["seconds"]], one["exponent"])
        for what, one in result.items()
    ]
    prepared = result["preparation"]
    rows.append(
        ("rows prepared: memory", prepared, [cost["median"] for cost in prepared["peak"]], prepared["peak_exponent"])
    )
    lines += [_line(*row) for row in rows]
    lines += ["", *(f"- {_meaning(what, one)}" for what, one in result.items()), ""]
    lines += ["| doubled | value | seconds: least | median | greatest | peak, MiB |"]
    lines += ["| --- | ---: | ---: | ---: | ---: | ---: |"]
    for what, one in result.items():
        peaks = [f"{peak['median']:.0f}" for peak in one.get("peak", [])] or [""] * len(one["values"])
        for value, cost, peak in zip(one["values"], one["seconds"], peaks, strict=True):
            seconds = " | ".join(f"{cost[key]:.3g}" for key in ("min", "median", "max"))
            lines.append(f"| {NAMES[what][0]} | {value:,} | {seconds} | {peak} |")
    return "\n".join([*lines, "", *(f"- {NAMES[what][0]}: {one['work']}." for what, one in result.items()), ""])


def _line(name: str, one: Mapping[str, Any], costs: Sequence[float], power: Mapping[str, float]) -> str:
    values = one["values"]
    interval = f"{power['low']:.2f} to {power['high']:.2f}"
    doublings = f"{costs[1] / costs[0]:.2f}x | {costs[-1] / costs[-2]:.2f}x"
    return f"| {name} | {values[0]:,} | {values[-1]:,} | {power['estimate']:.2f} | {interval} | {doublings} |"


def _meaning(what: str, one: Mapping[str, Any]) -> str:
    """A sentence for a user."""
    (name, reason), power = NAMES[what], one["exponent"]
    if power["low"] <= 1 <= power["high"] and abs(power["estimate"] - 1) < PROPORTIONAL:
        said = "in proportion, twice as many take twice as long"
    else:
        than = "more" if power["estimate"] > 1 else "less"
        said = f"{than} than in proportion, a doubling costs {2 ** power['estimate']:.2f}x on average"
    return f"{name}: {said}. {reason}"


def plot(result: Mapping[str, Any]) -> str:
    """An SVG file: how many times the cost of the smallest size each size costs; the exponents in the legend."""
    from pipeline.report.svg import INK, MAIN, MUTED, OTHER, standalone, svg

    styles = zip(result, (MAIN, OTHER, INK, MUTED, MAIN), ("-", "-", "--", "-", ":"), strict=True)

    def draw(axes: "Axes") -> None:
        widest = max(one["values"][-1] / one["values"][0] for one in result.values())
        axes.plot([1, widest], [1, widest], color=MUTED, linewidth=0.8, linestyle=(0, (1, 3)), label="in proportion: 1")
        for what, colour, style in styles:
            one = result[what]
            sizes = [value / one["values"][0] for value in one["values"]]
            costs = [cost["median"] / one["seconds"][0]["median"] for cost in one["seconds"]]
            label = f"{NAMES[what][0]}: {one['exponent']['estimate']:.2f}"
            axes.plot(sizes, costs, color=colour, linestyle=style, marker="o", markersize=2.5, label=label)
        axes.set_xscale("log", base=2)
        axes.set_yscale("log", base=2)
        for axis, name in ((axes.xaxis, "size"), (axes.yaxis, "seconds")):
            _doublings(axis)
            axis.set_label_text(f"{name}, times the smallest")
        axes.legend(frameon=False, title="exponent", alignment="left", loc="upper left", handlelength=2.6)

    title = "Seconds against size, both in doublings, for " + ", ".join(NAMES[what][0] for what in result)
    return standalone(svg(draw, (4.2, 3.2), title, "bench/scaling"))


def _doublings(axis: Any) -> None:
    """Label each doubling of a logarithmic axis."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axis.set_major_locator(LogLocator(base=2, numticks=12))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
