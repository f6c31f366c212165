"""Matplotlib's plots as parts of a page: the same bytes each time, in colours that the page's style sheet gives."""

import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from pipeline.errors import printable
from pipeline.report.results import Evaluated
from pipeline.report.titles import FAMILIES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

INK, MUTED, GRID = "#010101", "#020202", "#030303"
FAMILY = {name: f"#{code:02x}{code:02x}{code:02x}" for code, name in enumerate((*FAMILIES, "simple"), 0x11)}
"""The colour of each family of models, in every plot."""

DASHED = (0, (3, 2))

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
}

THEME = {
    "font-size: 8px; font-family: 'DejaVu Sans'; ": "",
    "font-family: 'DejaVu Sans'; ": "",
    f' style="fill: {MUTED}; stroke: {MUTED}; stroke-width: 0.6"': "",  # a tick's, which its path has, too
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    GRID: "var(--grid)",
    **{colour: f"var(--{name})" for name, colour in FAMILY.items()},
}
"""What stands in Matplotlib's SVG -> what the page has there: its style sheet says how text and colours look."""

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
        overlay: SVG of curves in one plot, of which a reader chooses by `key`: each has the class `curve-0`, `curve-1`,
            and so on, and its band `band-0`.
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
        inches: width and height; a panel's text is 8 points.
        title: what a reader who can't see the plot is told.
        name: distinct for every plot on a page, so that no two share an id.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # From matplotlib's own defaults, not from a user's matplotlibrc, which would change the page.
    settings: dict[Any, Any] = {key: value for key, value in mpl.rcParamsDefault.items() if "backend" not in key}
    with mpl.rc_context(settings | SETTINGS | {"svg.hashsalt": name}), warnings.catch_warnings():
        # Text stays text, and a reader's browser has the letters that the font here lacks.
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
    return _inline(printable(text.getvalue(), kept="\n"), printable(title))


def _inline(text: str, title: str) -> str:
    """One of Matplotlib's SVG files as an element of a page, in a third of the bytes: a page holds a hundred."""
    for pattern, themed in THEME.items():
        text = text.replace(pattern, themed)
    root = ET.fromstring(text)  # noqa: S314 -- made above
    for element in reversed([*root.iter()]):  # the innermost first
        attributes = {key.rpartition("}")[2]: value for key, value in element.items()}
        element.tag, element.text, element.tail = element.tag.rpartition("}")[2], (element.text or "").strip(), None
        if element.tag == "g":  # Matplotlib numbers groups in each plot alike; a name of our own has a dash
            gid = attributes.pop("id", "")
            attributes |= {"class": gid} if "-" in gid else {}
        if attributes.get("transform", "").startswith("rotate(-0 "):
            del attributes["transform"]
        attributes |= {key: _tenths(attributes[key]) for key in ("d", "x", "y") if key in attributes}
        element.attrib = attributes
        element[:] = [
            inner for child in element for inner in (child if child.tag == "g" and not child.attrib else [child])
        ]
    root.attrib = {"viewBox": root.attrib["viewBox"], "role": "img", "style": "stroke-linejoin: round"}
    root[0] = ET.Element("title")  # in place of a style, which would be the whole page's
    root[0].text = title
    return ET.tostring(root, encoding="unicode")


def _tenths(coordinates: str) -> str:
    """With no more decimals than can be seen, but for a marker's curves; a line needs no letter between its points."""
    words = coordinates.split()
    if "C" not in words:
        words = [f"{round(float(word), 1):g}" if "." in word else word for word in words if word != "L"]
    return " ".join(words)


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


def stretch(dataset: Evaluated, rows: "pd.DataFrame", names: Sequence[str], title: str, name: str) -> str:
    """SVG of a stretch of a test set: the truth, and each experiment's predictions where it has some.

    `rows` are of predictions.csv or rollout.csv, `names` columns of these; title and name are as `svg` takes them.
    """
    scale = dataset.about.scale

    def draw(axes: "Axes") -> None:
        column = next(column for column in AXES if column in rows)
        x = dates(axes, rows[column].tolist()) if column == "time" else rows[column].tolist()
        table = rows.set_axis(x)
        axes.plot(table["truth"], color=INK, linewidth=1.1)
        for model in names:
            predicted = table[model].dropna()
            marker = "o" if len(predicted) == 1 else ""
            axes.plot(predicted, color=colour(dataset, model), marker=marker, markersize=4)
        low, high = table["truth"].min(), table["truth"].max()
        reach = 0.35 * (high - low) or 1.0
        axes.set_ylim(low - reach, high + reach)
        if x[0] < x[-1]:
            axes.set_xlim(x[0], x[-1] + (x[-1] - x[0]) * (0.02 if rows[names].isna().any(axis=None) else 0))
        axes.set_xlabel(AXES[column])
        axes.set_ylabel(f"{scale.quantity}, {scale.unit}" if scale.unit else "value")

    return svg(draw, (3.3, 1.9), title, name)


def colour(dataset: Evaluated, name: str) -> str:
    """Of an experiment: that of its family, in every plot."""
    return FAMILY[dataset.families[name]]


def key(dataset: Evaluated, names: Sequence[str]) -> list[tuple[str, str, str]]:
    """Of the lines of experiments, for `Plots`."""
    return [(dataset.titles[name], dataset.families[name], "solid") for name in names]
