"""A forecast as a picture in a file of its own."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.data.examples import Array
from pipeline.errors import UsageError
from pipeline.files import atomic_file

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

MAIN, OTHER, MUTED = "#1f5fa8", "#c4702b", "#626a73"
"""The page's colours, in daylight."""


def by_week(path: Path, errors: "pd.DataFrame", sides: Mapping[str, str], *, unit: str) -> None:
    """Draw the error of two models in each week, a dot each; `errors` (weeks, models), `sides` name -> title.

    The index of `errors` is named for what it counts: weeks, or stretches that are longer.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(8, 2.6), layout="constrained")
    axes = figure.subplots()
    for (name, title), colour in zip(sides.items(), (MAIN, OTHER), strict=False):
        axes.plot(errors.index, errors[name], color=colour, marker="o", linewidth=1.2, label=title)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlabel(str(errors.index.name))
    axes.set_ylabel(f"MAE, {unit}" if unit else "MAE")
    axes.set_ylim(0, 1.1 * errors[[*sides]].max(axis=None) or 1)
    axes.legend(frameon=False, ncols=2, loc="lower left", bbox_to_anchor=(0, 1))
    axes.spines[["top", "right"]].set_visible(False)
    _save(figure, path)


def write(path: Path, times: Any, measured: Array, forecast: "pd.DataFrame", *, label: str, title: str) -> None:
    """Draw what was measured, what is forecast after it, and the interval.

    Args:
        path: of a .png, .svg or .pdf file.
        times: (rows,) a DatetimeIndex, of what was measured.
        measured: (rows,), NaN where nothing was; the line goes on to the next value.
        forecast: stamp, forecast, low and high of each step.
        label: of the values.
        title: of the picture.

    Raises:
        UsageError: the path has another suffix.
    """
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.figure import Figure

    if path.suffix.lower() not in {".png", ".svg", ".pdf"}:
        raise UsageError(f"--plot must name a .png, .svg or .pdf file. Received: {path.name!r}")
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    axes = figure.subplots()
    # The clock's own hours: matplotlib would draw those of UTC.
    past, ahead = (np.asarray(clock.tz_localize(None)) for clock in (times, forecast["stamp"].array))
    seen = np.isfinite(measured)
    axes.plot(past[seen], measured[seen], color=OTHER, linewidth=1.6, label="measured")
    single = len(forecast) == 1
    if np.isfinite(forecast["low"]).all():
        wide = 4 * single  # the interval of a single value is a line
        low, high = forecast["low"], forecast["high"]
        axes.fill_between(ahead, low, high, color=MAIN, alpha=0.2, linewidth=wide, label="interval")
    axes.plot(ahead, forecast["forecast"], color=MAIN, linewidth=1.6, marker="o" if single else "", label="forecast")
    axes.axvline(past[-1], color=MUTED, linewidth=0.8, linestyle=(0, (1, 2)))
    locator = AutoDateLocator()  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.set_ylabel(label)
    axes.set_title(title, loc="left", fontsize="medium")
    axes.legend(frameon=False, ncols=3, loc="upper left", bbox_to_anchor=(0.5, 1.12))
    axes.spines[["top", "right"]].set_visible(False)
    _save(figure, path)


def _save(figure: "Figure", path: Path) -> None:
    """With the same bytes each time, since a user may keep pictures in git: no date, no random ids."""
    import matplotlib as mpl

    kind = path.suffix.removeprefix(".").lower()
    dates = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
    with atomic_file(path) as temporary, mpl.rc_context({"svg.hashsalt": path.stem}):
        figure.savefig(temporary, format=kind, dpi=150, metadata=dates.get(kind))
