"""Pictures of an answer: the forecast, and the errors of two models in each week."""

import io
from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from pipeline.files import atomic_file
from unroll.series.rows import Window
from unroll.series.text_tables import LONG

MAIN = "#1f5fa8"
"""The colour of the forecast, and of the recurrent network."""

OTHER = "#c4702b"
"""The colour of measured values, and of the opponent."""

MUTED = "#626a73"
"""The colour of lines that only help to read."""

SUFFIXES = (".png", ".svg", ".pdf")
"""Suffixes of pictures."""

MOST_TICKS = 10
"""The most numbers on an axis."""

CYCLES = 7
"""The past that a picture shows, in horizons."""


def by_week(errors: pd.DataFrame, sides: Mapping[str, str], *, unit: str) -> Figure:
    """Draw the error of two models in each week, a dot each.

    Args:
        errors: (weeks, models), as `leaderboard.mae_by_block` returns them.
        sides: name of a model -> its title.
        unit: the unit of the errors; "" if they have none.
    """
    figure = Figure(figsize=(8, 2.6), layout="constrained")
    axes = figure.subplots()
    for (name, title), colour in zip(sides.items(), (MAIN, OTHER), strict=False):
        [line] = axes.plot(errors.index, errors[name], color=colour, label=title)
        line.set(marker="o", linewidth=1.2)
    _date(axes)
    axes.set_xlabel(f"{errors.index.name}, by their first day")
    axes.set_ylabel(f"MAE, {unit}" if unit else "MAE", parse_math=False)
    axes.set_ylim(0, 1.1 * errors[[*sides]].max(axis=None) or 1)
    axes.legend(frameon=False, ncols=2, loc="lower left", bbox_to_anchor=(0, 1))
    return figure


def forecast(
    window: Window,
    rows: pd.DataFrame,
    *,
    level: float,
    title: str,
    height: float = 3.6,
) -> Figure:
    """Draw the last measured values of a series, its forecast and prediction interval.

    Args:
        window: the last rows of the series.
        rows: ds, y_hat and the ends of the intervals of this level, as
            `Forecaster.after` returns them.
        level: the coverage of the intervals.
        title: the title of the picture.
        height: inches.
    """
    figure = Figure(figsize=(8, height), layout="constrained")
    axes = figure.subplots()
    count = max(2, CYCLES * int(window.fitted.windows.ahead[-1]))  # rows
    # The clock's own hours: matplotlib would draw those of UTC.
    clock = window.on_clock(window.stamps[-count:])
    past = np.asarray(clock.tz_localize(None))
    ahead = np.asarray(rows["ds"].array.tz_localize(None))
    # NaN where nothing was measured; the line goes on to the next value
    measured = window.target[-count:]
    seen = np.isfinite(measured)
    axes.plot(past[seen], measured[seen], color=OTHER, linewidth=1.6, label="measured")
    alone = len(rows) == 1  # the interval of a single value is a line
    low = rows[f"lo-{100 * level:g}"]
    high = rows[f"hi-{100 * level:g}"]
    if np.isfinite(low).all() and np.isfinite(high).all():
        band = axes.fill_between(ahead, low, high, color=MAIN, alpha=0.2)
        band.set(linewidth=4 if alone else 0, label="interval")
    [line] = axes.plot(ahead, rows["y_hat"], color=MAIN, label="forecast")
    line.set(linewidth=1.6, marker="o" if alone else "")
    axes.axvline(past[-1], color=MUTED, linewidth=0.8, linestyle=(0, (1, 2)))
    _date(axes)
    scale = window.scale
    label = ", ".join(filter(None, (scale.quantity, scale.unit)))
    if scale.quantity == "value":
        label = window.fitted.csv.target
    axes.set_ylabel(label, parse_math=False)
    axes.set_title(title, loc="left", fontsize="medium", parse_math=False)
    axes.legend(frameon=False, ncols=3, loc="upper left", bbox_to_anchor=(0.5, 1.12))
    return figure


def why(rows: pd.DataFrame, *, title: str) -> Figure:
    """Draw the contributions to a forecast as lines, each a departure from the level.

    Args:
        rows: the table of `Answer.why` of one series.
        title: the title of the picture.
    """
    figure = Figure(figsize=(8, 2.9), layout="constrained")
    axes = figure.subplots()
    ahead = np.asarray(rows["ds"].array.tz_localize(None))
    usual = rows["level"].mean()
    shown = rows.iloc[:, 2:].rename(columns={"y_hat": "forecast"})
    shown[["level", "forecast"]] -= usual
    labels = [name.replace("_", " ") for name in shown]
    *_, total = axes.plot(ahead, shown, linewidth=1.2, marker=".", label=labels)
    total.set(color="black", linewidth=1.6)
    _date(axes)
    axes.set_ylabel(f"above or below {usual:.4g}")
    axes.set_title(title, loc="left", fontsize="medium", parse_math=False)
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _date(axes: Axes) -> None:
    """Write dates below a picture, as short as they can be."""
    locator = AutoDateLocator()  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def save(figure: Figure, path: Path) -> None:
    """Write a picture, whose suffix is one of `SUFFIXES`."""
    with atomic_file(path) as temporary:
        _write(figure, temporary, path.suffix.removeprefix(".").lower(), path.stem)


def svg(figure: Figure, name: str) -> str:
    """Return a picture as SVG; the name makes its ids differ from those of others."""
    file = io.BytesIO()
    _write(figure, file, "svg", name)
    return file.getvalue().decode()


def _write(figure: Figure, file: Path | io.BytesIO, kind: str, name: str) -> None:
    """Write a picture, without dates and random ids.

    So it has the same bytes each time, and a user may keep it in git.
    """
    axes = figure.axes[0]
    axes.spines[["top", "right"]].set_visible(False)
    low, high = axes.get_ylim()
    if high >= LONG and high - low >= MOST_TICKS:  # not as a multiple of 1e6
        axes.yaxis.set_major_formatter("{x:,.0f}")
    dates = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
    with mpl.rc_context({"svg.hashsalt": name}):
        figure.savefig(file, format=kind, dpi=150, metadata=dates.get(kind))
