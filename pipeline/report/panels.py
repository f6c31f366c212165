"""What plots are made of: axes by epoch, by date and logarithmic, and the picture of a stretch of a test set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.report.results import Evaluated
from pipeline.report.svg import FAMILY, INK, svg

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

AXES = {"x": "x", "time": "", "index": "step", "step": "step"}
"""The column of a table that is its x, the first of these that it has, and what it is called."""

LOG_ABOVE = 4.0
"""Where the greatest value is this many times the least, the axis is logarithmic."""


@dataclass(frozen=True)
class Plots:
    """Plots that belong together.

    Attributes:
        title: a heading.
        caption: how to read them.
        panels: what each is of -> SVG.
        key: what the lines are: words, the name of a colour, a dash.
        overlay: SVG of curves in one plot, of which a reader chooses by `key`: each has its place there as
            `data-curve`, and its band has it as `data-band`.
    """

    title: str
    caption: str
    panels: Mapping[str, str] = field(default_factory=dict)
    key: Sequence[tuple[str, str, str]] = ()
    overlay: str = ""


def by_epoch(axes: "Axes", values: Sequence[float], last: float) -> None:
    """Give the axes epochs as x, and room for `values` as y, on a logarithmic axis where they span much."""
    from matplotlib.ticker import LogLocator, MaxNLocator

    low, high = min(values, default=0.0), max(values, default=1.0)
    if low > 0 and high / low > LOG_ABOVE:
        axes.set_yscale("log")
        axes.minorticks_off()
        # Labels at 1, 2 and 5 where it spans less than two decades, else at powers of ten.
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 100 else (1,), numticks=5))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.set_ylim(low / 1.2, high * 1.2)
    else:
        margin = 0.06 * (high - low) or 0.5
        axes.set_ylim(low - margin, high + margin)
    axes.set_xlim(left=1, right=max(2, last))
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.set_xlabel("epoch")


def dates(axes: "Axes", seconds: Sequence[float]) -> list[float]:
    """Seconds since 1970 as an axis of dates: what to draw at."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    # With fewer, some ranges (60 to 72 hours, 30 to 36 months) have no interval that fits, and it warns.
    locator = AutoDateLocator(minticks=3, maxticks=7)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    return [second / 86_400 for second in seconds]


def stretch(one: Evaluated, rows: "pd.DataFrame", names: Sequence[str], title: str, name: str) -> str:
    """SVG of a stretch of a test set: the truth, and what each experiment said where it said something.

    `rows` are of predictions.csv or rollout.csv, `names` columns of these; title and name are as `svg` takes them.
    """
    scale = one.about.scale

    def draw(axes: "Axes") -> None:
        key = next(key for key in AXES if key in rows)
        x = dates(axes, rows[key].tolist()) if key == "time" else rows[key].tolist()
        truth = rows["truth"].tolist()
        axes.plot(x, truth, color=INK, linewidth=1.1)
        for each in names:
            said = [(place, value) for place, value in zip(x, rows[each].tolist(), strict=True) if value == value]  # noqa: PLR0124 -- no NaN
            axes.plot(
                *zip(*said, strict=True), color=colour(one, each), marker="o" if len(said) == 1 else "", markersize=4
            )
        reach = 0.35 * (max(truth) - min(truth)) or 1.0
        axes.set_ylim(min(truth) - reach, max(truth) + reach)
        if x[0] < x[-1]:
            axes.set_xlim(x[0], x[-1] + (x[-1] - x[0]) * (0.02 if rows[names].isna().any(axis=None) else 0))
        axes.set_xlabel(AXES[key])
        axes.set_ylabel(f"{scale.quantity}, {scale.unit}" if scale.unit else "value")

    return svg(draw, (3.3, 1.9), title, name)


def colour(one: Evaluated, name: str) -> str:
    """Of an experiment: that of its family, in every plot."""
    return FAMILY[one.families[name]]


def key(one: Evaluated, names: Sequence[str]) -> list[tuple[str, str, str]]:
    """Of the lines of experiments, for `Plots`."""
    return [(one.titles[name], one.families[name], "solid") for name in names]
