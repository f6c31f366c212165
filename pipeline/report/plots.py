"""The plots of one data set: its series, how its models learn, what the compared ones say and where they err."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from pipeline.evaluation import answers
from pipeline.plots.panels import by_epoch, dates, lines, logarithmic, stretch, value_label
from pipeline.plots.svg import APART, DASHED, DOTTED, INK, MAIN, MUTED, OTHER, svg
from pipeline.report.results import Evaluated

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

SMALL, WIDE, LARGE = (2.0, 1.5), (3.3, 1.8), (4.6, 2.3)
"""Inches."""

CHOSEN = 5
"""Experiments whose curves are in one plot before a reader chooses: the best ones."""

POINTS = 60
"""Of a curve, at most."""

LOOKS = [(colour, dash) for dash, colour in product(("solid", "dashed", "dotted"), range(len(APART)))]
"""How the lines of one plot are told apart: the number of a colour, and a dash."""


@dataclass(frozen=True)
class Overlay:
    """Curves of many experiments in one plot, of which a reader chooses.

    Attributes:
        svg: the curves, each with its number from 0 as `data-curve`.
        looks: experiment, by that number -> how its line is drawn: the number of its colour and the dash.
        chosen: how many, from the first, are shown until the reader chooses.
    """

    svg: str
    looks: dict[str, tuple[int, str]]
    chosen: int = CHOSEN


@dataclass(frozen=True)
class Plots:
    """Plots that belong together: a heading, how to read them, what each is of -> SVG, and curves in one plot."""

    title: str
    caption: str
    panels: Mapping[str, str] | None = None
    wide: bool = True
    overlay: Overlay | None = None


def plots(one: Evaluated, ranked: Sequence[str]) -> list[Plots]:
    """What there is something to draw of.

    Args:
        one: the data set.
        ranked: its experiments, the best first.
    """
    answer = answers.answer(one.evaluation)
    compared = [name for name in (answer.network, answer.opponent) if name]
    every = [
        Plots(
            f"The {one.about.scale.quantity} itself",
            f"In {one.about.scale.unit or 'its unit'}. Left the whole series, mean, least and greatest of each of its "
            "parts; right its first days.",
            _series(one),
        ),
        *_predictions(one, compared),
        Plots(
            "Free run",
            "Thick line: true values. Thin line: one true window, then its own predictions. First seed, last epoch.",
            _rollouts(one, compared),
        ),
        *_backtest(one),
        Plots(
            "Error by hour and month",
            f"MAE on test{_in_unit(one)}, by the hour and the month of the target: the best recurrent network (solid), "
            "the strongest that has no recurrence (dashed).",
            _errors(one, compared),
        ),
        *_by_epoch(one, ranked),
        Plots(
            "What is felt of the past",
            "How much the loss changes with the input so many steps before the last one: the mean norm of its gradient "
            "on validation at the best epoch, both axes logarithmic.",
            overlay=_input_gradients(one, ranked),
        ),
        Plots(
            "How sure, and how right",
            "Predicted probability of a good review against the share that is good, in ten bins, all seeds together; "
            "larger dots stand for more reviews. On the dotted line both agree.",
            _reliability(one, compared),
            wide=False,
        ),
    ]
    return [group for group in every if group.panels or group.overlay]


def _in_unit(one: Evaluated) -> str:
    return f", {one.about.scale.unit}" if one.about.scale.unit else ""


def _overlay(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]], title: str, salt: str, *, log: bool = False
) -> Overlay | None:
    """Experiment -> x and y as one plot, over epochs or on two logarithmic axes; None where there are none."""
    if not curves:
        return None
    looks = {name: LOOKS[place % len(LOOKS)] for place, name in enumerate(curves)}

    def draw(axes: "Axes") -> None:
        for place, ((x, y), (colour, dash)) in enumerate(zip(curves.values(), looks.values(), strict=True)):
            axes.plot(x, y, color=APART[colour], linestyle=dash, gid=f"curve-{place}")
        # One that starts far off would press those that are shown into a line: of the others the second half has room.
        shown = [y if place < CHOSEN else y[len(y) // 2 :] for place, (_, y) in enumerate(curves.values())]
        values = [value for each in shown for value in each]
        if not log:
            by_epoch(axes, values, max(x[-1] for x, _ in curves.values()))
            return
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.minorticks_off()
        axes.set_ylim(min(values) / 2, max(values) * 2)
        logarithmic(axes.yaxis, max(values) / min(values))
        logarithmic(axes.xaxis, 1e3)
        axes.set_xlabel("steps back, from 1")

    return Overlay(svg(draw, LARGE, f"{title} of {', '.join(curves)}", salt), looks)


def _thin(count: int, *, log: bool = False) -> list[int]:
    """The places of at most `POINTS` of so many points, from the first to the last."""
    import numpy as np

    spaced = np.geomspace(1, count, POINTS) - 1 if log else np.linspace(0, count - 1, POINTS)
    return sorted({round(place) for place in spaced.tolist()})


def _by_epoch(one: Evaluated, ranked: Sequence[str]) -> list[Plots]:
    """The loss and, of classes, the accuracy."""
    split, groups = "validation" if "validation" in one.about.examples else "train", []
    for what in ("loss", "accuracy") if one.about.kind == "classify" else ("loss",):
        medians = {name: median(one.history, name, f"{split}_{what}") for name in ranked}
        curves = {name: (x, y) for name, (x, y) in medians.items() if len(x) > 1}
        overlay = _overlay(curves, f"{what.title()} by epoch", f"{one.name}/{what}")
        caption = f"On {split}: the median over the seeds that are still being trained."
        groups.append(Plots(f"{what.title()} by epoch", caption, overlay=overlay))
    return groups


def median(history: "pd.DataFrame", name: str, column: str) -> tuple[list[float], list[float]]:
    """Epochs, and the median over the seeds there of a column of history.csv, which has not every epoch of each."""
    rows = history[history["experiment"] == name]
    if column not in rows:
        return [], []
    # A seed has a value between two of its epochs, and none after its last one.
    seeds = rows.pivot_table(index="epoch", columns="seed", values=column).interpolate("index", limit_area="inside")
    medians = seeds.median(axis=1)
    kept = medians.iloc[_thin(len(medians))] if len(medians) else medians
    return kept.index.tolist(), kept.tolist()


def _input_gradients(one: Evaluated, ranked: Sequence[str]) -> Overlay | None:
    table = one.table("slopes")
    if table is None:
        return None
    shown = table[(table["slope"] > 0) & (table["point"] != "start")]
    curves = {}
    for name in ranked:
        if len(rows := shown[shown["experiment"] == name]):
            kept = rows.iloc[_thin(len(rows), log=True)]
            curves[name] = (kept["distance"] + 1).tolist(), kept["slope"].tolist()
    return _overlay(curves, "Gradient of the loss by the distance of the input", f"{one.name}/slopes", log=True)


def _predictions(one: Evaluated, compared: Sequence[str]) -> list[Plots]:
    if one.about.kind == "classify" or not compared:
        return []
    caption, scatter = "Each dot is a test example; on the dotted line the prediction is exact.", True
    if one.about.layout != "examples":
        caption, scatter = "Thick line: true values. Thin line: predictions; what leaves the panel is far off.", False
    weights = "weights of the best epoch" if "validation" in one.about.examples else "final weights"
    caption += f" The best recurrent network and the strongest that has no recurrence, first seed, {weights}."
    excerpt = one.numbers("predictions", "index", "truth", *compared)
    panels = {name: stretch(one.about, excerpt, name) for name in compared}
    return [Plots("Predictions on test", caption, panels, wide=not scatter)]


def _rollouts(one: Evaluated, compared: Sequence[str]) -> dict[str, str]:
    fed_back = [name for name in compared if one.experiments[name].rollout]
    if not fed_back:
        return {}
    free = one.numbers("rollout", "step", "truth", *fed_back)
    return {
        name: lines(
            ("step", free["step"]),
            free["truth"],
            free[name],
            f"Free run of {name}: the truth and its own predictions, fed back",
            f"{one.name}/{name}/rollout",
            value_label(one.about),
        )
        for name in fed_back
    }


def _series(one: Evaluated) -> dict[str, str]:
    table = one.table("series")
    if table is None:
        return {}
    panels = {}
    for part, words in (("whole", "the whole series"), ("beginning", "its first days")):
        rows = table[table["part"] == part]

        def draw(axes: "Axes", rows: "pd.DataFrame" = rows) -> None:
            times = dates(axes, rows["time"].tolist())
            axes.fill_between(times, rows["low"], rows["high"], color=OTHER, alpha=0.3, linewidth=0)
            axes.plot(times, rows["mean"], color=MAIN, linewidth=0.9)

        title = f"{one.about.scale.quantity} of {one.name}: {words}"
        panels[words] = svg(draw, WIDE, title, f"{one.name}/series/{part}")
    return panels


def _errors(one: Evaluated, compared: Sequence[str]) -> dict[str, str]:
    table = one.table("errors")
    names = [name for name in compared if table is not None and name in table]
    if table is None or not names:
        return {}
    panels = {}
    for by in ("hour", "month"):
        rows = table[table["by"] == by]

        def draw(axes: "Axes", rows: "pd.DataFrame" = rows, by: str = by) -> None:
            for name, style, colour in zip(names, ("-", DASHED), (MAIN, OTHER), strict=False):
                axes.plot(rows["at"], rows[name], linestyle=style, color=colour, marker=".", markersize=3)
            axes.set_ylim(bottom=0)
            axes.set_xlabel(by)

        panels[f"by {by}"] = svg(draw, WIDE, f"Error of {' and '.join(names)} by {by}", f"{one.name}/errors/{by}")
    return panels


def _backtest(one: Evaluated) -> list[Plots]:
    stretches, ahead = one.table("backtest"), one.table("ahead")
    if stretches is None or ahead is None or ahead.empty:
        return []

    def draw(axes: "Axes") -> None:
        for _, rows in stretches.groupby("origin"):
            times = dates(axes, rows["time"].tolist())
            axes.fill_between(times, rows["low"], rows["high"], color=MAIN, alpha=0.2, linewidth=0)
            axes.plot(times, rows["truth"], color=OTHER, linewidth=2.2, alpha=0.5)
            axes.plot(times, rows["forecast"], color=MAIN, linewidth=1)

    def by_step(axes: "Axes") -> None:
        axes.plot(ahead["step"], ahead["mae"], color=MAIN)
        axes.plot(ahead["step"], ahead["half_width"], color=OTHER, linestyle=DASHED)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("steps ahead")

    name, held = str(ahead["experiment"].iloc[0]), 100 * ahead["coverage"]
    words = f"error by step; 90 % intervals held {held.mean():.1f} % ({held.min():.1f} to {held.max():.1f} %)"
    panels = {
        name: svg(draw, WIDE, f"Forecasts of {name} from many origins, and what came", f"{one.name}/backtest"),
        words: svg(by_step, WIDE, f"{name}: {words}", f"{one.name}/ahead"),
    }
    caption = (
        f"On test{_in_unit(one)}, by {name}, which the command predict takes. Left what came (thick) and what was "
        "forecast, with 90 % intervals, from origins that share no step; right the error by step ahead (solid) and "
        "half the interval (dashed)."
    )
    return [Plots("Forecasts from many origins", caption, panels)]


def _reliability(one: Evaluated, compared: Sequence[str]) -> dict[str, str]:
    table = one.table("reliability")
    if table is None:
        return {}
    panels = {}
    for name in compared:
        rows = table[table["experiment"] == name]
        if len(rows) < 2:
            continue

        def draw(axes: "Axes", rows: "pd.DataFrame" = rows) -> None:
            axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.9, linestyle=DOTTED)
            axes.plot(rows["probability"], rows["share"], color=MAIN, linewidth=1)
            sizes = 4 + 40 * rows["predictions"] / rows["predictions"].sum()
            axes.scatter(rows["probability"], rows["share"], s=sizes, color=MAIN, edgecolor=INK, linewidth=0.3)
            axes.set_xlim(0, 1)
            axes.set_ylim(0, 1)
            axes.set_xlabel("probability of good")

        score = one.experiments[name].chosen["test"]["brier"].mean
        title = f"Reliability of {name}; Brier score {score:.4f}"
        panels[f"{name}, Brier score {score:.3f}"] = svg(draw, SMALL, title, f"{one.name}/{name}/reliability")
    return panels
