"""Small pictures for MLflow's artifact pane. The page has its own, better ones."""

import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.storage import read_csv
from pipeline.tracking.content import Lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def curves(lines: Lines, title: str, path: Path) -> None:
    """Write a PNG with every seed's losses by epoch; nothing where there are no epochs.

    Args:
        lines: a history.
        title: above the picture.
        path: of the PNG.
    """
    if not lines:
        return
    from matplotlib.ticker import MaxNLocator

    figure, axes = _figure(title)
    first = next(iter(lines.values()))[0][1]
    for place, column in enumerate(name for name in first if name.endswith("_loss")):
        for number, replicate in enumerate(lines.values()):
            points = [(epoch, values[column]) for epoch, values in replicate if column in values]
            label = column.replace("_", " ") if number == 0 else None
            marker = "o" if len(points) == 1 else None
            axes.plot(*zip(*points, strict=True), color=f"C{place}", alpha=0.8, lw=1.2, marker=marker, label=label)
    positive = all(value > 0 for replicate in lines.values() for _, values in replicate for value in values.values())
    axes.set(xlabel="epoch", ylabel="loss", yscale="log" if positive else "linear")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _save(figure, axes, path)


def predictions(table: Path, about: Mapping[str, Any], experiment: str, title: str, path: Path) -> None:
    """Write a PNG with a stretch of the test set; nothing for classes or where the stretch lacks the experiment.

    Args:
        table: an evaluation's predictions.csv: index (and x, where examples are points), truth, one column per
            experiment.
        about: "dataset" of the evaluation.
        experiment: the column.
        title: above the picture.
        path: of the PNG.
    """
    rows = [row for row in read_csv(table) if row.get(experiment)] if table.exists() else []
    if not rows or about["kind"] == "classify":
        return
    figure, axes = _figure(title)
    truth, predicted = ([float(row[column]) for row in rows] for column in ("truth", experiment))
    unit = f" ({about['unit']})" if about["unit"] else ""
    if about["layout"] == "examples":  # no order that a line could follow
        ends = min(truth), max(truth)
        axes.plot(ends, ends, color="0.35", lw=0.8, label="truth")
        axes.plot(truth, predicted, ".", color="C0", ms=3, label="predicted")
        axes.set(xlabel=f"truth{unit}", ylabel=f"predicted{unit}")
    else:
        across = "x" if about["layout"] == "points" else "index"
        places = [float(row[across]) for row in rows]
        axes.plot(places, truth, ".-", color="0.35", lw=0.8, ms=3, label="truth")
        axes.plot(places, predicted, ".-", color="C0", lw=0.8, ms=3, label="predicted")
        axes.set(xlabel="x" if across == "x" else "test example", ylabel=about["quantity"] + unit)
    _save(figure, axes, path)


def _figure(title: str) -> tuple["Figure", "Axes"]:
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # its first use on a machine says that it builds a cache
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.6), dpi=110)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.15, 0.14, 0.82, 0.7))  # fixed: a layout engine doubles the time
    axes.set_title(title, loc="left", fontsize=10, pad=20)  # room for the legend below it
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_parse_math(False)  # a unit with $ in it is no formula
    return figure, axes


def _save(figure: "Figure", axes: "Axes", path: Path) -> None:
    axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=3, borderpad=0, fontsize=9)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.savefig(path)
