"""The plots of one data set: how its models learn, and what the compared ones say."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from pipeline.evaluation import answers
from pipeline.evaluation.plot_data import PARTS
from pipeline.report import published
from pipeline.report.formatting import title as measure_title
from pipeline.report.panels import Plots, by_epoch, colour, key, stretch
from pipeline.report.results import Evaluated
from pipeline.report.svg import svg

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

WIDE, LARGE = (3.3, 1.9), (4.6, 2.3)
"""Inches."""

CHOSEN = 5
"""Experiments whose curves are in one plot before a reader chooses: the best ones."""

CURVES = 6
"""Experiments whose curves are in one plot at all: the best ones. Thirty make a page heavy that nobody can read."""

POINTS = 36
"""Of a curve, at most."""

DASHES = ("solid", "dashed", "dotted")
"""How the experiments of one family, which have one colour, are told apart."""

TRUTH = ("truth", "ink", "solid")


def plots(one: Evaluated, ranked: Sequence[str]) -> list[Plots]:
    """What there is something to draw of; `ranked` are its experiments, the best first."""
    answer = answers.answer(one.evaluation)
    compared = [name for name in (answer.network, answer.opponent) if name]
    every = (
        _forecasts(one, compared),
        _free_runs(one, compared),
        _by_week(one, compared),
        published.curves(one),
        published.scores(one),
        _data_size(one),
        *_by_epoch(one, ranked),
    )
    return [group for group in every if group]


def _forecasts(one: Evaluated, compared: Sequence[str]) -> Plots | None:
    if one.about.kind == "classify" or not compared or not (one.folder / "tables" / "predictions.csv").exists():
        return None
    table, title = one.numbers("predictions", "part", "index", "truth"), "Forecasts beside the truth"
    if lacking := [name for name in compared if name not in table]:
        names = " and ".join(lacking)
        return Plots(title, f"There are none of {names} yet: unroll repro evaluate@{one.name} draws them.")
    caption = "The best recurrent network and the best model without recurrence, first seed."
    count = table["part"].nunique()
    what = "week" if one.about.layout == "windows" else "example"
    if count > 1:
        caption += f" Best, median and worst {what} of test: by the error of the two together."
    panels = {
        f"{PARTS[int(part)]} {what}" if count > 1 else "": stretch(
            one, rows, compared, f"{one.question}: {PARTS[int(part)]}", f"{one.name} forecasts {part:g}"
        )
        for part, rows in table.groupby("part", sort=False)
    }
    return Plots(title, caption, panels, [TRUTH, *key(one, compared)])


def _free_runs(one: Evaluated, compared: Sequence[str]) -> Plots | None:
    names = [name for name in compared if one.experiments[name].rollout]
    if not names:
        return None
    free = one.numbers("rollout", "step", "truth", *names)
    caption = "From one true window on, each model is fed its own predictions. First seed, last epoch."
    drawn = stretch(one, free, names, f"{one.question}: free run", f"{one.name} free")
    return Plots("Left alone: predictions fed back", caption, {"": drawn}, [TRUTH, *key(one, names)])


def _by_week(one: Evaluated, compared: Sequence[str]) -> Plots | None:
    if not compared or not (one.folder / "tables" / "weeks.csv").exists():
        return None
    table, label = one.numbers("weeks", "week", *compared), measure_title(one.about.metric)

    def draw(axes: "Axes") -> None:
        for name in compared:
            axes.plot(table["week"], table[name], color=colour(one, name), marker="o", markersize=2.5)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("week of test")
        axes.set_ylabel(label)

    drawn = {"": svg(draw, WIDE, f"{one.question}: error by week", f"{one.name} weeks")}
    return Plots("Error by week of test", "Mean over seeds.", drawn, key(one, compared))


def _data_size(one: Evaluated) -> Plots | None:
    """From how many rows on does recurrence pay? A network and its opponent, each on shares of the train rows."""
    if len(both := by_share(one)) != 2:
        return None
    network, opponent = both
    metric, rows = one.about.metric, one.about.examples["train"]

    def draw(axes: "Axes") -> None:
        for curve in both:
            own = colour(one, curve[1.0])
            stats = {
                share * rows: stat for share, name in curve.items() if (stat := one.experiments[name].score(metric))
            }
            low, high = zip(*(stat.mean_ci or (stat.mean, stat.mean) for stat in stats.values()), strict=True)
            axes.fill_between([*stats], low, high, color=own, alpha=0.2, linewidth=0)
            axes.plot([*stats], [stat.mean for stat in stats.values()], color=own, marker="o", markersize=2.5)
        axes.set_xscale("log")
        axes.set_xticks([share * rows for share in network], [f"{share * rows:,.0f}" for share in network])
        axes.minorticks_off()
        axes.set_xlabel("train examples")
        axes.set_ylabel(metric.upper())

    shares = sorted(network.keys() & opponent.keys())
    outcomes = answers.decided(one.evaluation, {share: (network[share], opponent[share]) for share in shares})
    said = ", ".join(f"{share * rows:,.0f}: {outcome}" for share, (_, _, outcome) in outcomes.items())
    names = [curve[1.0] for curve in both]
    words = f"{' against '.join(one.titles[name] for name in names)}, by train examples: {said}"
    drawn = svg(draw, LARGE, f"{one.name}: {words}", f"{one.name}/data-size")
    caption = (
        "With the last eighth, quarter, half and all of the train rows, and the same options: the mean on test over "
        "seeds, and its 95 % interval. Corrected for how many are asked."
    )
    return Plots("How many rows recurrence needs", caption, {words: drawn}, key(one, names))


def by_share(one: Evaluated) -> list[dict[float, str]]:
    """Share of the rows -> experiment, of each model that was trained on shares; the recurrent ones first."""
    found = []
    for whole, entry in one.experiments.items():
        shares = {
            other.share: name
            for name, other in one.experiments.items()
            if other.share < 1 and (other.layers, other.trials) == (entry.layers, entry.trials)
        }
        if entry.share == 1 and shares:
            found.append(dict(sorted(shares.items())) | {1.0: whole})
    return sorted(found, key=lambda curve: not one.experiments[curve[1.0]].recurrent)


def _by_epoch(one: Evaluated, ranked: Sequence[str]) -> list[Plots]:
    """The loss and, of classes, the accuracy."""
    split, groups = "validation" if "validation" in one.about.examples else "train", []
    for what in ("loss", "accuracy") if one.about.kind == "classify" else ("loss",):
        found = {name: curve(one.history, name, f"{split}_{what}") for name in ranked}
        every = {name: line for name, line in found.items() if line is not None and one.experiments[name].share == 1}
        if not every:
            continue
        curves = dict(islice(every.items(), CURVES))
        losses = {one.experiments[name].loss for name in curves} if what == "loss" else {what}
        label = measure_title(str(losses.pop())) if len(losses) == 1 else what
        label += f" on {split}{', standardised' if one.about.scale.unit and what == 'loss' else ''}"
        caption = (
            f"Mean over all seeds on {split}; the band reaches from the lowest seed to the highest. A seed that "
            "stopped early keeps its last value."
        ) + (f" The best {CURVES} of {len(every)}." if len(every) > CURVES else "")
        title = f"{what.title()} by epoch"
        looks, drawn = _overlay(one, curves, title, label)
        groups.append(Plots(title, caption, key=looks, overlay=drawn))
    return groups


def curve(history: "pd.DataFrame", name: str, column: str) -> "pd.DataFrame | None":
    """By epoch the mean, min and max over the seeds of a column of history.csv, to the longest seed's last epoch.

    Not every epoch of each seed is there. A seed has a value between two of its epochs, and keeps its last one, so that
    the mean is over the same seeds all along. None with less than two epochs.
    """
    rows = history[history["experiment"] == name]
    if column not in rows:
        return None
    seeds = rows.pivot_table(index="epoch", columns="seed", values=column)
    if len(seeds) < 2:
        return None
    shown = np.unique(np.linspace(0, len(seeds) - 1, POINTS).round().astype(int))
    return seeds.interpolate("index", limit_area="inside").ffill().iloc[shown].agg(["mean", "min", "max"], axis=1)


def _overlay(
    one: Evaluated, curves: "Mapping[str, pd.DataFrame]", title: str, label: str
) -> tuple[list[tuple[str, str, str]], str]:
    """The curves of experiments as one plot over epochs: its key, and its SVG."""
    looks, seen = [], Counter[str]()
    for name in curves:
        family = one.families[name]
        looks.append((one.titles[name], family, DASHES[seen[family] % len(DASHES)]))
        seen[family] += 1

    def draw(axes: "Axes") -> None:
        for place, ((name, found), (_, _, dash)) in enumerate(zip(curves.items(), looks, strict=True)):
            if not found["min"].equals(found["max"]):
                ends = [*found["min"], *found["max"][::-1]]
                band = [*found.index, *found.index[::-1]]
                axes.fill(band, ends, color=colour(one, name), alpha=0.15, linewidth=0, gid=f"band-{place}")
            axes.plot(found["mean"], color=colour(one, name), linestyle=dash, gid=f"curve-{place}")
        # One that starts far off would press those that are shown into a line: of the others the second half has room.
        every = [found["mean"].tolist() for found in curves.values()]
        values = [value for place, y in enumerate(every) for value in (y if place < CHOSEN else y[len(y) // 2 :])]
        axes.set_ylabel(label)
        by_epoch(axes, values, max(found.index[-1] for found in curves.values()))

    return looks, svg(draw, LARGE, f"{one.question}: {title}", f"{one.name} {title}")
