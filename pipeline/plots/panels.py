"""The panels that page and MLflow share: curves by epoch, and a stretch of a test set."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.evaluation.schema import About
from pipeline.plots.svg import MAIN, MUTED, OTHER, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

Columns = dict[str, list[float]]
"""A table of numbers, by column."""

POINTS = 120
"""Epochs that the curves of a panel show at most, but for 15 of each seed."""

SHOWN = 160
"""Examples in a panel at most, but for a series, whose whole excerpt is shown."""

LOG_ABOVE = 4.0
"""Where the greatest value is this many times the least, the axis is logarithmic."""


def axis_limits(values: Sequence[float], *, log: bool = True) -> tuple[float, float, bool]:
    """Least, greatest, and whether the axis is logarithmic."""
    if not values:
        return 0.0, 1.0, False
    low, high = min(values), max(values)
    if log and low > 0 and high / low > LOG_ABOVE:
        return low / 1.2, high * 1.2, True
    margin = 0.06 * (high - low) or 0.5
    return low - margin, high + margin, False


def epoch_curves(
    seeds: Sequence[Columns], limits: tuple[float, float, bool], level: float | None, title: str, salt: str
) -> str:
    """SVG of curves by epoch: of each seed `train` dashed and `validation` solid, a level dotted.

    Args:
        seeds: of each one `epoch`, and a list of as many values for each line.
        limits: as `axis_limits` gives them.
        level: of a baseline, None for none.
        title: what a reader who can't see the plot is told.
        salt: distinct for every plot on a page.
    """

    def draw(axes: "Axes") -> None:
        import numpy as np

        points = max(15, POINTS // len(seeds))
        width, alpha = (0.7, 0.6) if len(seeds) > 1 else (None, None)
        for key, style, colour in (("train", (0, (3, 2)), OTHER), ("validation", "-", MAIN)):
            for curve in seeds:
                epochs, values = curve["epoch"], curve.get(key)
                if values:
                    kept = np.unique(np.linspace(0, len(epochs) - 1, min(points, len(epochs))).round().astype(int))
                    marker = "." if len(values) == 1 else ""
                    x, y = [epochs[i] for i in kept], [values[i] for i in kept]
                    axes.plot(x, y, linestyle=style, color=colour, marker=marker, linewidth=width, alpha=alpha)
        if level is not None and limits[0] <= level <= limits[1]:
            axes.axhline(level, color=MUTED, linewidth=0.9, linestyle=(0, (1, 2)))
        by_epoch(axes, limits, max(curve["epoch"][-1] for curve in seeds), seeds[0]["epoch"][0])

    return svg(draw, (2.0, 1.4), title, salt)


def by_epoch(axes: "Axes", limits: tuple[float, float, bool], last: float, first: float = 1) -> None:
    """Give the axes epochs as x, and limits as `axis_limits` gives them as y."""
    from matplotlib.ticker import MaxNLocator

    if limits[2]:
        axes.set_yscale("log")
        axes.minorticks_off()
        logarithmic(axes.yaxis, limits[1] / limits[0])
    axes.set_ylim(limits[0], limits[1])
    axes.set_xlim(left=min(1, first), right=max(2, last))
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.set_xlabel("epoch")


def dates(axes: "Axes", seconds: list[float]) -> list[float]:
    """Seconds since 1970 as an axis of dates: what to draw at."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    # With fewer, some ranges (60 to 72 hours, 30 to 36 months) have no interval that fits, and it warns.
    locator = AutoDateLocator(minticks=3, maxticks=7)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    return [second / 86_400 for second in seconds]


def logarithmic(axis: "Axis", ratio: float) -> None:
    """Label a logarithmic axis: at 1, 2 and 5 where it spans less than two decades, else at powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if ratio < 100 else (1,), numticks=5))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def stretch(about: About, excerpt: Columns, name: str) -> str:
    """SVG of a stretch of a test set: the truth and what an experiment predicted.

    Args:
        about: the data set.
        excerpt: predictions.csv.
        name: the experiment, a column of it.
    """
    title = f"Test set of {about.name}: the truth and the predictions of {name}"
    salt = f"{about.name}/{name}/predictions"
    if about.layout == "examples":
        return _scatter(excerpt["truth"][:SHOWN], excerpt[name][:SHOWN], title, salt, about.scale.unit)
    return lines(_axis(excerpt), excerpt["truth"], excerpt[name], title, salt, value_label(about))


def value_label(about: About) -> str:
    """What the values of a data set are, with their unit; empty where they have none."""
    return f"{about.scale.quantity}, {about.scale.unit}" if about.scale.unit else ""


def _axis(excerpt: Columns) -> tuple[str, list[float]]:
    if "x" in excerpt:
        return "x", excerpt["x"]
    if "time" in excerpt:
        return "", excerpt["time"]
    return "step of the test set", excerpt["index"]


def lines(
    axis: tuple[str, list[float]], truth: list[float], predicted: list[float], title: str, salt: str, label: str
) -> str:
    """SVG of the truth and what was predicted, over an axis (its words, or none for seconds since 1970, and its x)."""

    def draw(axes: "Axes") -> None:
        words, x = axis
        if not words:
            x = dates(axes, x)
        axes.plot(x, truth, color=OTHER, linewidth=2.2, alpha=0.5)
        axes.plot(x, predicted, color=MAIN, linewidth=1.2)
        low, high = min(truth), max(truth)
        reach = 0.35 * (high - low) or 1.0
        axes.set_ylim(low - reach, high + reach)
        if x[0] < x[-1]:
            axes.set_xlim(x[0], x[-1])
        axes.set_xlabel(words)
        axes.set_ylabel(label)

    return svg(draw, (3.3, 1.8), title, salt)


def _scatter(truth: list[float], predicted: list[float], title: str, salt: str, unit: str) -> str:
    def draw(axes: "Axes") -> None:
        from matplotlib.patches import PathPatch
        from matplotlib.path import Path

        low, high = min(truth), max(truth)
        axes.plot([low, high], [low, high], color=MUTED, linewidth=0.9, linestyle=(0, (1, 2)))
        # One path of dots is a tenth of the size of as many markers.
        vertices = [vertex for x, y in zip(truth, predicted, strict=True) for vertex in ((x, y), (x, y))]
        path = Path(vertices, [Path.MOVETO, Path.LINETO] * len(truth))
        axes.add_patch(PathPatch(path, edgecolor=MAIN, linewidth=2.2, capstyle="round", alpha=0.6, fill=False))
        reach = 0.1 * (high - low) or 1.0
        axes.set_xlim(low - reach, high + reach)
        axes.set_ylim(low - reach, high + reach)
        axes.set_xlabel(f"truth {unit}".strip())
        axes.set_ylabel("prediction")

    return svg(draw, (2.0, 1.8), title, salt)
