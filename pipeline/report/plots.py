"""The plots of one data set: how its models learn, and what the compared ones say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING

from pipeline.evaluation import answers
from pipeline.report import published_curves
from pipeline.report.panels import by_epoch, dates, logarithmic, stretch
from pipeline.report.results import Evaluated
from pipeline.report.svg import APART, DASHED, MAIN, OTHER, svg

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

WIDE, LARGE = (3.3, 1.8), (4.6, 2.3)
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
    panels: Mapping[str, str] = field(default_factory=dict)
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
    every = (
        _predictions(one, compared),
        _free_runs(one, compared),
        _backtest(one),
        _published(one),
        *_by_epoch(one, ranked),
        _input_gradients(one, ranked),
    )
    return [group for group in every if group and (group.panels or group.overlay)]


def _predictions(one: Evaluated, compared: Sequence[str]) -> Plots | None:
    if one.about.kind == "classify" or not compared:
        return None
    if (one.folder / "tables" / "weeks.csv").exists():
        return _by_week(one, compared)
    scatter = one.about.layout == "examples"
    caption = "Thick line: true values. Thin line: predictions; what leaves the panel is far off."
    if scatter:
        caption = "Each dot is a test example; on the dotted line the prediction is exact."
    weights = "weights of the best epoch" if "validation" in one.about.examples else "final weights"
    caption += f" The best recurrent network and the strongest that has no recurrence, first seed, {weights}."
    excerpt = one.numbers("predictions", "index", "truth", *compared)
    panels = {name: stretch(one.about, excerpt, name) for name in compared}
    return Plots("Predictions on test", caption, panels, wide=not scatter)


def _by_week(one: Evaluated, compared: Sequence[str]) -> Plots:
    table = one.numbers("weeks", "week", *compared)

    def draw(axes: "Axes") -> None:
        for name, colour in zip(compared, (MAIN, OTHER), strict=False):
            axes.plot(table["week"], table[name], color=colour, marker="o", markersize=2.5)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("week of test")

    caption = (
        f"{one.about.metric.upper()} by the week of test in which a window lies, mean over seeds. Blue: {compared[0]}."
    )
    words = " and ".join(compared)
    panel = svg(draw, WIDE, f"{one.name}: error by week of {words}", f"{one.name}/weeks")
    return Plots("Error by week", caption, {words: panel})


def _free_runs(one: Evaluated, compared: Sequence[str]) -> Plots | None:
    names = [name for name in compared if one.experiments[name].rollout]
    if not names:
        return None
    free = one.numbers("rollout", "step", "truth", *names)
    caption = "Thick line: true values. Thin line: one true window, then its own predictions. First seed, last epoch."
    return Plots("Free run", caption, {name: stretch(one.about, free, name, "free run") for name in names})


def _backtest(one: Evaluated) -> Plots | None:
    stretches, ahead = one.table("backtest"), one.table("ahead")
    if stretches is None or ahead is None or ahead.empty:
        return None

    def from_origins(axes: "Axes") -> None:
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
    unit = f", {one.about.scale.unit}" if one.about.scale.unit else ""
    words = f"error by step; 90 % intervals held {held.mean():.1f} % ({held.min():.1f} to {held.max():.1f} %)"
    caption = (
        f"On test{unit}, by {name} with the weights of train; rolling origins (`unroll backtest`) say whose forecasts "
        "the command predict takes, fitted on all rows, where params.yaml has `forecasts`. Left what came (thick) and "
        "what was forecast, with 90 % intervals, from origins that share no step; right the error by step (solid) and "
        "half the interval (dashed)."
    )
    panels = {
        each: svg(draw, WIDE, f"{one.name}, backtest: {each}", f"{one.name}/backtest/{each}")
        for each, draw in {name: from_origins, words: by_step}.items()
    }
    return Plots("Forecasts from many origins", caption, panels)


def _published(one: Evaluated) -> Plots | None:
    found = published_curves.bands(one)
    if not found:
        return None
    what = "accuracy" if one.about.kind == "classify" else "loss"
    caption = (
        f"Dots: the {what} on validation that the source of documents 001 and 002 logged, one run. Shaded: where one "
        "more run of ours would lie at that epoch (95 %)."
    )
    return Plots("Published curves", caption, dict(published_curves.panel(one, band) for band in found))


def _by_epoch(one: Evaluated, ranked: Sequence[str]) -> list[Plots]:
    """The loss and, of classes, the accuracy."""
    split, groups = "validation" if "validation" in one.about.examples else "train", []
    for what in ("loss", "accuracy") if one.about.kind == "classify" else ("loss",):
        title, medians = f"{what.title()} by epoch", {}
        for name in ranked:
            epochs, values = median(one.history, name, f"{split}_{what}")
            if len(epochs) > 1:
                medians[name] = epochs, values
        caption = f"On {split}: the median over the seeds that are still being trained."
        groups.append(Plots(title, caption, overlay=_overlay(medians, title, f"{one.name}/{what}")))
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


def _thin(count: int, *, log: bool = False) -> list[int]:
    """The places of at most `POINTS` of so many points, from the first to the last."""
    import numpy as np

    spaced = np.geomspace(1, count, POINTS) - 1 if log else np.linspace(0, count - 1, POINTS)
    return sorted({round(place) for place in spaced.tolist()})


def _input_gradients(one: Evaluated, ranked: Sequence[str]) -> Plots | None:
    table = one.table("slopes")
    if table is None:
        return None
    curves, shown = {}, table[(table["slope"] > 0) & (table["point"] != "start")]
    for name in ranked:
        if len(rows := shown[shown["experiment"] == name]):
            kept = rows.iloc[_thin(len(rows), log=True)]
            curves[name] = (kept["distance"] + 1).tolist(), kept["slope"].tolist()
    caption = (
        "How much the loss changes with the input so many steps before the last one: the mean norm of its gradient on "
        "validation at the best epoch, both axes logarithmic."
    )
    title = "What is felt of the past"
    return Plots(title, caption, overlay=_overlay(curves, title, f"{one.name}/gradients", log=True))


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

    return Overlay(svg(draw, LARGE, f"{title}: {', '.join(curves)}", salt), looks)
