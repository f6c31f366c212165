"""Matplotlib plots as inline SVG: the same bytes each time, with colours and fonts from the page's style sheet."""

import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET
from zlib import crc32

from pipeline.errors import printable
from pipeline.report.results import Evaluated
from pipeline.report.titles import FAMILIES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

INK, MUTED, GRID = "#010101", "#020202", "#030303"
FAMILY = {name: f"#{code:02x}{code:02x}{code:02x}" for code, name in enumerate((*FAMILIES, "simple"), 0x11)}
"""Placeholder colours, one for each family of models; `THEME` replaces them by the style sheet's."""

SETTINGS: dict[str, Any] = {
    "svg.fonttype": "none",
    "font.family": ["DejaVu Sans"],
    "font.size": 8,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "text.parse_math": False,  # a unit with $ in it is no formula
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "path.simplify": False,
}

THEME = {
    "font-size: 8px; font-family: 'DejaVu Sans'; ": "",
    "font-family: 'DejaVu Sans'; ": "",
    f' style="fill: {MUTED}; stroke: {MUTED}; stroke-width: 0.6"': "",  # of a tick; its path has the same style
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    GRID: "var(--grid)",
    **{colour: f"var(--{name})" for name, colour in FAMILY.items()},
}
"""Text in Matplotlib's SVG -> its replacement, so that the page's style sheet decides on fonts and colours."""

COORDINATES = ("d", "x", "y", "width", "height", "transform")
"""SVG attributes that hold coordinates."""

X_COLUMNS = {"x": "x", "time": "", "index": "step", "step": "step"}
"""Columns for the x axis, of which the first that a table has is used -> the label of the axis."""

LOG_ABOVE = 4.0
"""If the greatest value is more than this many times the least, the axis is logarithmic."""


@dataclass(frozen=True)
class Plots:
    """A group of plots with one legend.

    Attributes:
        title: the heading.
        caption: how to read the plots.
        panels: title -> SVG of each plot.
        key: the legend: words, name of a colour and dash of each line.
        overlay: SVG of one plot whose curves a reader shows or hides by `key`; they have the classes `curve-0`,
            `curve-1` and so on, and their bands `band-0` and so on.
    """

    title: str
    caption: str
    panels: Mapping[str, str] = field(default_factory=dict)
    key: Sequence[tuple[str, str, str]] = ()
    overlay: str = ""


def svg(draw: Callable[["Axes"], None], inches: tuple[float, float], title: str, name: str) -> str:
    """One pair of axes as an inline SVG element.

    Args:
        draw: draws on the axes, with the colours of this module; an artist's `gid` becomes a class of the element.
        inches: width and height; text is 8 points.
        title: the text for screen readers.
        name: unique among the plots of a page, since ids of elements are made from it.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # Matplotlib's own defaults: a user's matplotlibrc would change the page.
    settings: dict[Any, Any] = {key: value for key, value in mpl.rcParamsDefault.items() if "backend" not in key}
    with mpl.rc_context(settings | SETTINGS), warnings.catch_warnings():
        # Text stays text in the SVG, so the browser chooses the font.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure = Figure(figsize=inches, layout="constrained")
        axes = figure.add_subplot()
        figure.patch.set_visible(False)
        axes.patch.set_visible(False)
        axes.grid(visible=True, axis="y")
        axes.set_axisbelow(True)
        axes.locator_params(axis="x", nbins=4)
        axes.locator_params(axis="y", nbins=4)
        draw(axes)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return _inline(printable(text.getvalue(), kept="\n"), printable(title), name)


def _inline(text: str, title: str, name: str) -> str:
    """Matplotlib's SVG file as an element of a page, in a third of the bytes, since a page has a hundred plots."""
    for pattern, replacement in THEME.items():
        text = text.replace(pattern, replacement)
    root = ET.fromstring(text)  # noqa: S314 -- made above
    root.attrib = {"viewBox": root.attrib["viewBox"], "role": "img", "style": "stroke-linejoin: round"}
    for element in reversed([*root.iter()]):  # the innermost first
        attributes = {key.rpartition("}")[2]: value for key, value in element.items()}
        element.tag, element.text, element.tail = element.tag.rpartition("}")[2], (element.text or "").strip(), None
        if element.tag == "g":  # only our own `gid`s have a dash; Matplotlib's ids would repeat on the page
            gid = attributes.pop("id", "")
            attributes |= {"class": gid} if "-" in gid else {}
        if attributes.get("transform", "").startswith("rotate(-0 "):
            del attributes["transform"]
        attributes |= {key: _tenths(attributes[key]) for key in COORDINATES if key in attributes}
        element.attrib = attributes
        element[:] = [
            inner for child in element for inner in (child if child.tag == "g" and not child.attrib else [child])
        ]
    root[0] = ET.Element("title")  # instead of <style>, which would apply to the whole page
    root[0].text = title
    inline = ET.tostring(root, encoding="unicode")
    # The ids that are left, of clip paths and markers, are random.
    for number, random_id in enumerate([element.attrib["id"] for element in root.iter() if "id" in element.attrib]):
        inline = inline.replace(random_id, f"p{crc32(name.encode()):x}-{number}")
    return inline


def _tenths(coordinates: str) -> str:
    """Rounded to tenths of a point, and without the L of a polyline, which SVG implies; small Bézier curves stay."""
    parts = coordinates.replace(")", " )").split()
    if "C" not in parts:
        parts = [f"{round(float(part), 1):g}" if "." in part else part for part in parts if part != "L"]
    return " ".join(parts)


def by_epoch(axes: "Axes", values: Sequence[float], last: float) -> None:
    """Make x an axis of epochs, and y one that has room for `values`, logarithmic above `LOG_ABOVE`."""
    from matplotlib.ticker import LogLocator, MaxNLocator

    low, high = min(values, default=0.0), max(values, default=1.0)
    if low > 0 and high / low > LOG_ABOVE:
        axes.set_yscale("log")
        axes.minorticks_off()
        # Ticks at 1, 2 and 5 if it spans less than two decades, else at powers of ten.
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
    """Make x an axis of dates, and return the x coordinates of these seconds since 1970."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    # With fewer ticks no interval fits some ranges (60 to 72 hours, 30 to 36 months), and Matplotlib warns.
    locator = AutoDateLocator(minticks=3, maxticks=7)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    return [second / 86_400 for second in seconds]


def stretch(dataset: Evaluated, rows: "pd.DataFrame", names: Sequence[str], title: str, name: str) -> str:
    """SVG of the truth and some experiments' predictions over rows of predictions.csv or rollout.csv.

    `names` are the experiments, whose columns are NaN where they predict nothing; title and name are as in `svg`.
    """
    scale = dataset.about.scale

    def draw(axes: "Axes") -> None:
        column = next(column for column in X_COLUMNS if column in rows)
        x = dates(axes, rows[column].tolist()) if column == "time" else rows[column].tolist()
        table = rows.set_axis(x)
        axes.plot(table["truth"], color=INK, linewidth=1.1)
        for model in names:
            predicted = table[model].dropna()
            marker = "o" if len(predicted) == 1 else ""
            axes.plot(predicted, color=colour(dataset, model), marker=marker, markersize=4)
        low, high = table["truth"].min(), table["truth"].max()
        margin = 0.35 * (high - low) or 1.0  # a prediction that is farther off leaves the plot
        axes.set_ylim(low - margin, high + margin)
        if x[0] < x[-1]:
            axes.set_xlim(x[0], x[-1] + (x[-1] - x[0]) * (0.02 if rows[names].isna().any(axis=None) else 0))
        axes.set_xlabel(X_COLUMNS[column])
        axes.set_ylabel(f"{scale.quantity}, {scale.unit}" if scale.unit else "value")

    return svg(draw, (3.3, 1.9), title, name)


def colour(dataset: Evaluated, name: str) -> str:
    """The colour of an experiment, which is that of its family."""
    return FAMILY[dataset.families[name]]


def key(dataset: Evaluated, names: Sequence[str]) -> list[tuple[str, str, str]]:
    """The legend of `Plots` for experiments with solid lines."""
    return [(dataset.titles[name], dataset.families[name], "solid") for name in names]
