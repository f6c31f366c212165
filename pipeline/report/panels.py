"""Axes by epoch, by date and logarithmic, and the panel of a stretch of a test set."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.evaluation.schema import About
from pipeline.report.svg import DOTTED, MAIN, MUTED, OTHER, svg

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

SHOWN = 160
"""Examples in a panel at most, but for a series, whose whole excerpt is shown."""

AXES = {"x": "x", "time": "", "index": "step of the test set", "step": "step"}
"""The column of a table that is its x, the first of these that it has, and what it is called."""

LOG_ABOVE = 4.0
"""Where the greatest value is this many times the least, the axis is logarithmic."""


def by_epoch(axes: "Axes", values: Sequence[float], last: float) -> None:
    """Give the axes epochs as x, and room for `values` as y, on a logarithmic axis where they span much."""
    from matplotlib.ticker import MaxNLocator

    low, high = min(values, default=0.0), max(values, default=1.0)
    if low > 0 and high / low > LOG_ABOVE:
        axes.set_yscale("log")
        axes.minorticks_off()
        logarithmic(axes.yaxis, high / low)
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


def logarithmic(axis: "Axis", ratio: float) -> None:
    """Label a logarithmic axis: at 1, 2 and 5 where it spans less than two decades, else at powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if ratio < 100 else (1,), numticks=5))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def stretch(about: About, table: "pd.DataFrame", name: str, what: str = "predictions") -> str:
    """SVG of a stretch of a test set: the truth and what an experiment said.

    Args:
        about: the data set.
        table: predictions.csv or rollout.csv.
        name: the experiment, a column of it.
        what: the experiment said.
    """
    title, salt = f"Test set of {about.name}: the truth and the {what} of {name}", f"{about.name}/{name}/{what}"
    if about.layout == "examples":
        return _scatter(table["truth"][:SHOWN], table[name][:SHOWN], title, salt, about.scale.unit)

    def draw(axes: "Axes") -> None:
        key = next(key for key in AXES if key in table)
        x, truth = dates(axes, table[key]) if key == "time" else table[key].tolist(), table["truth"]
        axes.plot(x, truth, color=OTHER, linewidth=2.2, alpha=0.5)
        axes.plot(x, table[name], color=MAIN, linewidth=1.2)
        low, high = min(truth), max(truth)
        reach = 0.35 * (high - low) or 1.0
        axes.set_ylim(low - reach, high + reach)
        if x[0] < x[-1]:
            axes.set_xlim(x[0], x[-1])
        axes.set_xlabel(AXES[key])
        axes.set_ylabel(f"{about.scale.quantity}, {about.scale.unit}" if about.scale.unit else "")

    return svg(draw, (3.3, 1.8), title, salt)


def _scatter(truth: "pd.Series[float]", predicted: "pd.Series[float]", title: str, salt: str, unit: str) -> str:
    def draw(axes: "Axes") -> None:
        import numpy as np

        low, high = min(truth), max(truth)
        axes.plot([low, high], [low, high], color=MUTED, linewidth=0.9, linestyle=DOTTED)
        # Lines without length are dots, in a tenth of the bytes of as many markers.
        x, y = (np.c_[each, each, np.full(len(each), np.nan)].ravel() for each in (truth, predicted))
        axes.plot(x, y, color=MAIN, linewidth=2.2, alpha=0.6, solid_capstyle="round")
        reach = 0.1 * (high - low) or 1.0
        axes.set_xlim(low - reach, high + reach)
        axes.set_ylim(low - reach, high + reach)
        axes.set_xlabel(f"truth {unit}".strip())
        axes.set_ylabel("prediction")

    return svg(draw, (2.0, 1.8), title, salt)
