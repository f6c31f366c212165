"""Pictures of an answer, each a file of its own: the forecast, and who was ahead in
which week.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import UsageError
from pipeline.files import atomic_file
from series.rows import Window

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

MAIN = "#1f5fa8"
"""The colour of the forecast, and of the recurrent network."""

OTHER = "#c4702b"
"""The colour of what was measured, and of the opponent."""

MUTED = "#626a73"
"""The colour of lines that only help to read."""

SUFFIXES = (".png", ".svg", ".pdf")
"""How the names of pictures end."""

CYCLES = 7
"""How many times as far back as ahead a picture shows."""


def by_week(
    path: Path, errors: "pd.DataFrame", sides: Mapping[str, str], *, unit: str
) -> None:
    """Draw the error of two models in each week, a dot each; `errors` (weeks, models),
    `sides` name -> title.

    The index of `errors` is named for what it counts: weeks, or stretches that are
    longer.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(8, 2.6), layout="constrained")
    axes = figure.subplots()
    for (name, title), colour in zip(sides.items(), (MAIN, OTHER), strict=False):
        axes.plot(
            errors.index,
            errors[name],
            color=colour,
            marker="o",
            linewidth=1.2,
            label=title,
        )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlabel(str(errors.index.name))
    axes.set_ylabel(f"MAE, {unit}" if unit else "MAE")
    axes.set_ylim(0, 1.1 * errors[[*sides]].max(axis=None) or 1)
    axes.legend(frameon=False, ncols=2, loc="lower left", bbox_to_anchor=(0, 1))
    axes.spines[["top", "right"]].set_visible(False)
    _save(figure, path)


def forecast(
    path: Path, window: Window, rows: "pd.DataFrame", *, level: float, title: str
) -> None:
    """Draw what was measured last of a series, what is forecast after it, and the
    prediction interval.

    Args:
        path: of a .png, .svg or .pdf file.
        window: the last rows of the series.
        rows: ds, y_hat and the ends of the intervals of this level, as
            `Forecaster.after` returns them.
        level: the coverage of the intervals.
        title: of the picture.

    Raises:
        UsageError: the path has another suffix.
    """
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.figure import Figure

    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(
            f"--plot must name a .png, .svg or .pdf file. Received: {path.name!r}"
        )
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    axes = figure.subplots()
    count = max(2, CYCLES * int(window.question.ahead[-1]))  # rows
    # The clock's own hours: matplotlib would draw those of UTC.
    past = np.asarray(
        window.question.on_clock(window.stamps[-count:]).tz_localize(None)
    )
    ahead = np.asarray(rows["ds"].array.tz_localize(None))
    # NaN where nothing was measured; the line goes on to the next value
    measured = window.target[-count:]
    seen = np.isfinite(measured)
    axes.plot(past[seen], measured[seen], color=OTHER, linewidth=1.6, label="measured")
    marker = ""
    edge = 0
    if len(rows) == 1:  # the interval of a single value is a line
        marker = "o"
        edge = 4
    low = rows[f"lo-{100 * level:g}"]
    high = rows[f"hi-{100 * level:g}"]
    if np.isfinite(low).all() and np.isfinite(high).all():
        axes.fill_between(
            ahead, low, high, color=MAIN, alpha=0.2, linewidth=edge, label="interval"
        )
    axes.plot(
        ahead, rows["y_hat"], color=MAIN, linewidth=1.6, marker=marker, label="forecast"
    )
    axes.axvline(past[-1], color=MUTED, linewidth=0.8, linestyle=(0, (1, 2)))
    locator = AutoDateLocator()  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.set_ylabel(_label(window))
    axes.set_title(title, loc="left", fontsize="medium")
    axes.legend(frameon=False, ncols=3, loc="upper left", bbox_to_anchor=(0.5, 1.12))
    axes.spines[["top", "right"]].set_visible(False)
    _save(figure, path)


def _label(window: Window) -> str:
    """Return the quantity and the unit of a series, or the name of its column."""
    scale = window.question.scale
    if scale.quantity == "value":
        return window.question.csv.target
    return ", ".join(filter(None, (scale.quantity, scale.unit)))


def _save(figure: "Figure", path: Path) -> None:
    """With the same bytes each time, since a user may keep pictures in git: no date, no
    random ids.
    """
    import matplotlib as mpl

    kind = path.suffix.removeprefix(".").lower()
    dates = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
    with atomic_file(path) as temporary, mpl.rc_context({"svg.hashsalt": path.stem}):
        figure.savefig(temporary, format=kind, dpi=150, metadata=dates.get(kind))
