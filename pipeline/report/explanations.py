"""Plots of why: where errors lie, what a network still feels of the past, how sure it is and how right."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.evaluation import answers
from pipeline.plots.panels import dates, logarithmic
from pipeline.plots.svg import INK, MAIN, MUTED, OTHER, svg
from pipeline.report.plots import Overlay
from pipeline.report.results import Evaluated

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

SMALL, WIDE = (2.0, 1.5), (3.3, 1.8)
"""Inches."""


@dataclass(frozen=True)
class Plots:
    """Panels that belong together: a heading, how to read them, what each is of -> SVG, and curves in one plot."""

    title: str
    caption: str
    panels: dict[str, str]
    wide: bool = False
    overlay: Overlay | None = None


def explanations(one: Evaluated) -> list[Plots]:
    """What there are tables for (`pipeline.evaluation.plot_data.tables`)."""
    unit = one.about.scale.unit
    return [
        Plots(
            f"The {one.about.scale.quantity} itself",
            f"In {unit or 'its unit'}. Left the whole series, mean, least and greatest of each of its parts; right its "
            "first days.",
            _series(one),
            wide=True,
        ),
        Plots(
            "Error by hour and month",
            f"MAE on test{f', {unit}' if unit else ''}, by the hour and the month of the target: the best recurrent "
            "network (solid), the strongest that has no recurrence (dashed).",
            _errors(one),
            wide=True,
        ),
        Plots(
            "Forecasts from many origins",
            f"On test{f', {unit}' if unit else ''}, by {_champion(one)}, which the command predict takes. Left "
            "what came (thick) and what was forecast, with 90 % intervals, from origins that share no step; "
            "right the error by step ahead (solid) and half the interval (dashed).",
            _backtest(one),
            wide=True,
        ),
        Plots(
            "What is felt of the past",
            "How much the loss changes with the input so many steps before the last one: the mean norm of its gradient "
            "on validation, both axes logarithmic. Dotted: before training; solid: at the best epoch.",
            _slopes(one),
        ),
        Plots(
            "How sure, and how right",
            "Predicted probability of a good review against the share that is good, in ten bins, all seeds together; "
            "larger dots stand for more reviews. On the dotted line both agree.",
            _reliability(one),
        ),
    ]


def _series(one: Evaluated) -> dict[str, str]:
    table = one.table("series")
    if table is None:
        return {}
    found = {}
    for part, words in (("whole", "the whole series"), ("beginning", "its first days")):
        rows = table[table["part"] == part]

        def draw(axes: "Axes", rows: "pd.DataFrame" = rows) -> None:
            times = dates(axes, rows["time"].tolist())
            axes.fill_between(times, rows["low"], rows["high"], color=OTHER, alpha=0.3, linewidth=0)
            axes.plot(times, rows["mean"], color=MAIN, linewidth=0.9)

        title = f"{one.about.scale.quantity} of {one.name}: {words}"
        found[words] = svg(draw, WIDE, title, f"{one.name}/series/{part}")
    return found


def _errors(one: Evaluated) -> dict[str, str]:
    table = one.table("errors")
    found = answers.answer(one.wanted)
    lines = [name for name in (found.network, found.opponent) if name and table is not None and name in table]
    if table is None or not lines:
        return {}
    plots = {}
    for by in ("hour", "month"):
        rows = table[table["by"] == by]

        def draw(axes: "Axes", rows: "pd.DataFrame" = rows, by: str = by) -> None:
            for name, style, colour in zip(lines, ("-", (0, (3, 2))), (MAIN, OTHER), strict=False):
                axes.plot(rows["at"], rows[name], linestyle=style, color=colour, marker=".", markersize=3)
            axes.set_ylim(bottom=0)
            axes.set_xlabel(by)

        plots[f"by {by}"] = svg(draw, WIDE, f"Error of {' and '.join(lines)} by {by}", f"{one.name}/errors/{by}")
    return plots


def _champion(one: Evaluated) -> str:
    table = one.table("ahead")
    return "" if table is None or table.empty else str(table["experiment"][0])


def _backtest(one: Evaluated) -> dict[str, str]:
    stretch, ahead = one.table("backtest"), one.table("ahead")
    if stretch is None or ahead is None or ahead.empty:
        return {}

    def draw(axes: "Axes") -> None:
        for _, rows in stretch.groupby("origin"):
            times = dates(axes, rows["time"].tolist())
            axes.fill_between(times, rows["low"], rows["high"], color=MAIN, alpha=0.2, linewidth=0)
            axes.plot(times, rows["truth"], color=OTHER, linewidth=2.2, alpha=0.5)
            axes.plot(times, rows["forecast"], color=MAIN, linewidth=1)

    def by_step(axes: "Axes") -> None:
        axes.plot(ahead["step"], ahead["mae"], color=MAIN)
        axes.plot(ahead["step"], ahead["half_width"], color=OTHER, linestyle=(0, (3, 2)))
        axes.set_ylim(bottom=0)
        axes.set_xlabel("steps ahead")

    name, held = _champion(one), 100 * ahead["coverage"]
    words = f"error by step; 90 % intervals held {held.mean():.1f} % ({held.min():.1f} to {held.max():.1f} %)"
    return {
        name: svg(draw, WIDE, f"Forecasts of {name} from many origins, and what came", f"{one.name}/backtest"),
        words: svg(by_step, WIDE, f"{name}: {words}", f"{one.name}/ahead"),
    }


def _slopes(one: Evaluated) -> dict[str, str]:
    table = one.table("slopes")
    if table is None:
        return {}
    shown = table[table["slope"] > 0]
    limits = shown["slope"].min() / 2, shown["slope"].max() * 2
    plots = {}
    for name, rows in shown.groupby("experiment", sort=False):

        def draw(axes: "Axes", rows: "pd.DataFrame" = rows) -> None:
            for point, style, colour in (("start", (0, (1, 2)), MUTED), ("best", "-", MAIN), ("final", "-", MAIN)):
                one_point = rows[rows["point"] == point]
                axes.plot(one_point["distance"] + 1, one_point["slope"], linestyle=style, color=colour, linewidth=1)
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.minorticks_off()
            axes.set_ylim(limits)
            logarithmic(axes.yaxis, limits[1] / limits[0])
            logarithmic(axes.xaxis, 1e3)
            axes.set_xlabel("steps back, from 1")

        title = f"Gradient of the loss of {name} by the distance of the input"
        plots[str(name)] = svg(draw, SMALL, title, f"{one.name}/{name}/slopes")
    return plots


def _reliability(one: Evaluated) -> dict[str, str]:
    table = one.table("reliability")
    if table is None:
        return {}
    plots = {}
    for name, rows in table.groupby("experiment", sort=False):
        if len(rows) < 2:
            continue

        def draw(axes: "Axes", rows: "pd.DataFrame" = rows) -> None:
            axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.9, linestyle=(0, (1, 2)))
            axes.plot(rows["probability"], rows["share"], color=MAIN, linewidth=1)
            sizes = 4 + 40 * rows["predictions"] / rows["predictions"].sum()
            axes.scatter(rows["probability"], rows["share"], s=sizes, color=MAIN, edgecolor=INK, linewidth=0.3)
            axes.set_xlim(0, 1)
            axes.set_ylim(0, 1)
            axes.set_xlabel("probability of good")

        score = one.experiments[str(name)].chosen["test"]["brier"].mean
        title = f"Reliability of {name}; Brier score {score:.4f}"
        plots[f"{name}, Brier score {score:.3f}"] = svg(draw, SMALL, title, f"{one.name}/{name}/reliability")
    return plots
