"""The plots of one data set: learning curves, forecasts of the compared models, and published learning curves.

The published ones are from F. Chollet's notebooks 6.2 and 6.3 (Deep Learning with Python, first edition; MIT), which
hold the logs of all epochs. Jena's are of ten-minute rows, while the band beneath is of hourly rows. The dots are from
tessy1234/data_science, notebooks 05 and 07, which ran two of these listings again.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline import tables
from pipeline.evaluation import answers
from pipeline.evaluation.intervals import prediction
from pipeline.evaluation.plot_data import PARTS
from pipeline.evaluation.scores import MIN_SEEDS
from pipeline.report.drawing import INK, Plots, by_epoch, colour, key, stretch, svg
from pipeline.report.formatting import title as measure_title
from pipeline.report.results import Evaluated

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

WIDE, LARGE = (3.3, 1.9), (4.6, 2.3)
"""Inches."""

VISIBLE = 5
"""Curves in a plot that are visible until a reader chooses others: those of the best experiments."""

CURVES = 6
"""Curves in a plot, of the best experiments. More are hard to read, and make the page large."""

POINTS = 36
"""Points of a curve, at most, which keeps the page small."""

DASHES = ("solid", "dashed", "dotted")
"""These distinguish experiments of the same family, which have the same colour."""

TRUTH = ("truth", "ink", "solid")

PUBLISHED_CURVES = Path(__file__).with_name("published_curves.csv")
"""Experiment, measure, epoch -> the notebook's figure, then those of others."""

COLUMNS = {"validation_accuracy": "accuracy", "validation_loss": "mae"}
"""Column of history.csv -> its measure, by which `intervals.prediction` transforms it."""


def plots(dataset: Evaluated, ranked: Sequence[str]) -> list[Plots]:
    """All plots for which a data set has the data; `ranked` are its experiments, the best first."""
    answer = answers.answer(dataset.evaluation)
    compared = [name for name in (answer.network, answer.opponent) if name]
    groups = (
        _forecasts(dataset, compared),
        _free_runs(dataset, compared),
        _by_week(dataset, compared),
        published_curves(dataset),
        data_size(dataset),
        *_by_epoch(dataset, ranked),
    )
    return [group for group in groups if group]


def _forecasts(dataset: Evaluated, compared: Sequence[str]) -> Plots | None:
    if dataset.about.kind == "classify" or not compared or not dataset.has("predictions"):
        return None
    table, title = dataset.numbers("predictions", "part", "index", "truth"), "Forecasts beside the truth"
    if lacking := [name for name in compared if name not in table]:
        names = " and ".join(lacking)
        return Plots(title, f"There are none of {names} yet: unroll repro evaluate@{dataset.name} draws them.")
    caption = "The best recurrent network and the best model without recurrence, first seed."
    noun, several = "week" if dataset.about.layout == "windows" else "example", (table["part"] > 0).any()
    if several:
        caption += f" Best, median and worst {noun} of test: by the error of the two together."
    panels = {}
    for number, rows in table.groupby("part", sort=False):
        part = PARTS[int(number)]
        heading, words = f"{part} {noun}" if several else "", f"{dataset.question}: {part}"
        panels[heading] = stretch(dataset, rows, compared, words, f"{dataset.name} forecasts {number:g}")
    return Plots(title, caption, panels, [TRUTH, *key(dataset, compared)])


def _free_runs(dataset: Evaluated, compared: Sequence[str]) -> Plots | None:
    names = [name for name in compared if dataset.experiments[name].rollout]
    if not names:
        return None
    rows = dataset.numbers("rollout", "step", "truth", *names)
    caption = "From one true window on, each model is fed its own predictions. First seed, last epoch."
    drawn = stretch(dataset, rows, names, f"{dataset.question}: free run", f"{dataset.name} free")
    return Plots("Left alone: predictions fed back", caption, {"": drawn}, [TRUTH, *key(dataset, names)])


def _by_week(dataset: Evaluated, compared: Sequence[str]) -> Plots | None:
    if not compared or not dataset.has("weeks"):
        return None
    table = dataset.numbers("weeks", "week", *compared)

    def draw(axes: "Axes") -> None:
        for name in compared:
            axes.plot(table["week"], table[name], color=colour(dataset, name), marker="o", markersize=2.5)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("week of test")
        axes.set_ylabel(measure_title(dataset.about.metric))

    drawn = {"": svg(draw, WIDE, f"{dataset.question}: error by week", f"{dataset.name} weeks")}
    return Plots("Error by week of test", "Mean over seeds.", drawn, key(dataset, compared))


def data_size(dataset: Evaluated) -> Plots | None:
    """The scores of a network and its opponent by the number of train rows: from how many on does recurrence pay?"""
    curves = by_fraction(dataset)
    if len(curves) != 2:
        return None
    network, opponent = curves
    metric, rows = dataset.about.metric, dataset.about.examples["train"]

    def draw(axes: "Axes") -> None:
        for curve in curves:
            scores = {fraction * rows: dataset.experiments[name].score(metric) for fraction, name in curve.items()}
            stats = {count: stat for count, stat in scores.items() if stat}
            low, high = zip(*(stat.mean_ci or (stat.mean, stat.mean) for stat in stats.values()), strict=True)
            means, hue = [stat.mean for stat in stats.values()], colour(dataset, curve[1.0])
            axes.fill_between([*stats], low, high, color=hue, alpha=0.2, linewidth=0)
            axes.plot([*stats], means, color=hue, marker="o", markersize=2.5)
        axes.set_xscale("log")
        axes.set_xticks([fraction * rows for fraction in network], [f"{fraction * rows:,.0f}" for fraction in network])
        axes.minorticks_off()
        axes.set_xlabel("train examples")
        axes.set_ylabel(metric.upper())

    fractions = sorted(network.keys() & opponent.keys())
    compared = answers.table(
        dataset.evaluation, {fraction: (network[fraction], opponent[fraction]) for fraction in fractions}
    )
    verdicts = ", ".join(f"{fraction * rows:,.0f}: {comparison.outcome}" for fraction, comparison in compared.items())
    names = [curve[1.0] for curve in curves]
    words = f"{' against '.join(dataset.titles[name] for name in names)}, by train examples: {verdicts}"
    drawn = svg(draw, LARGE, f"{dataset.name}: {words}", f"{dataset.name}/data-size")
    caption = (
        "With the last eighth, quarter, half and all of the train rows, and the same options: the mean on test over "
        "seeds, and its 95 % interval. Corrected for how many are asked."
    )
    return Plots("How many rows recurrence needs", caption, {words: drawn}, key(dataset, names))


def by_fraction(dataset: Evaluated) -> list[dict[float, str]]:
    """For each model that was trained on fractions of the rows, fraction -> experiment; the recurrent models first."""
    curves = []
    for whole, entry in dataset.experiments.items():
        fractions = {
            other.share: name
            for name, other in dataset.experiments.items()
            if other.share < 1 and (other.layers, other.trials) == (entry.layers, entry.trials)
        }
        if entry.share == 1 and fractions:
            curves.append(dict(sorted(fractions.items())) | {1.0: whole})
    return sorted(curves, key=lambda curve: not dataset.experiments[curve[1.0]].recurrent)


def _by_epoch(dataset: Evaluated, ranked: Sequence[str]) -> list[Plots]:
    """Learning curves of the loss and, for classification, of the accuracy."""
    split, groups = "validation" if "validation" in dataset.about.examples else "train", []
    whole = [name for name in ranked if dataset.experiments[name].share == 1]
    for measure in ("loss", "accuracy") if dataset.about.kind == "classify" else ("loss",):
        lines = {name: curve(dataset.history, name, f"{split}_{measure}") for name in whole}
        available = {name: line for name, line in lines.items() if line is not None}
        if not available:
            continue
        curves = dict(islice(available.items(), CURVES))
        losses = {dataset.experiments[name].loss for name in curves} if measure == "loss" else {measure}
        label = measure_title(str(losses.pop())) if len(losses) == 1 else measure
        label += f" on {split}{', standardised' if dataset.about.scale.unit and measure == 'loss' else ''}"
        caption = (
            f"Mean over all seeds on {split}; the band reaches from the lowest seed to the highest. A seed that "
            "stopped early keeps its last value."
        ) + (f" The best {CURVES} of {len(available)}." if len(available) > CURVES else "")
        groups.append(_overlay(dataset, curves, f"{measure.title()} by epoch", caption, label))
    return groups


def curve(history: "pd.DataFrame", name: str, column: str) -> "pd.DataFrame | None":
    """Mean, min and max over the seeds of a column of history.csv, by epoch; None if there are fewer than two epochs.

    history.csv has not every epoch of each seed: values between are interpolated, and the last one is kept to the end,
    so that every mean is over the same seeds.
    """
    rows = history[history["experiment"] == name]
    if column not in rows:
        return None
    seeds = rows.pivot_table(index="epoch", columns="seed", values=column)
    if len(seeds) < 2:
        return None
    shown = np.unique(np.linspace(0, len(seeds) - 1, POINTS).round().astype(int))
    return seeds.interpolate("index", limit_area="inside").ffill().iloc[shown].agg(["mean", "min", "max"], axis=1)


def _overlay(dataset: Evaluated, curves: "Mapping[str, pd.DataFrame]", title: str, caption: str, label: str) -> Plots:
    """The curves of experiments in one plot."""
    legend, counts = [], Counter[str]()
    for name in curves:
        family = dataset.families[name]
        legend.append((dataset.titles[name], family, DASHES[counts[family] % len(DASHES)]))
        counts[family] += 1

    def draw(axes: "Axes") -> None:
        values: list[float] = []
        for index, ((name, line), (_, _, dash)) in enumerate(zip(curves.items(), legend, strict=True)):
            hue = colour(dataset, name)
            if not line["min"].equals(line["max"]):
                ends = [*line["min"], *line["max"][::-1]]
                axes.fill(
                    [*line.index, *line.index[::-1]], ends, color=hue, alpha=0.15, linewidth=0, gid=f"band-{index}"
                )
            axes.plot(line["mean"], color=hue, linestyle=dash, gid=f"curve-{index}")
            # A hidden curve that starts far off would flatten the visible ones: only its second half counts.
            values += line["mean"].tolist()[0 if index < VISIBLE else len(line) // 2 :]
        axes.set_ylabel(label)
        by_epoch(axes, values, max(line.index[-1] for line in curves.values()))

    drawn = svg(draw, LARGE, f"{dataset.question}: {title}", f"{dataset.name} {title}")
    return Plots(title, caption, key=legend, overlay=drawn)


def published_curves(dataset: Evaluated) -> Plots | None:
    """Published learning curves, over the band where one more run of ours would lie."""
    panels = dict(_published_curve(dataset, name, band) for name, band in bands(dataset).items())
    measure = "accuracy" if dataset.about.kind == "classify" else "loss"
    caption = (
        f"Line: the {measure} on validation that the source of documents 001 and 002 logged, one run; dots: somebody "
        "else's run of the same listing. Band: where one more run of ours would lie at that epoch (95 %)."
    )
    return Plots("Published curves", caption, panels) if panels else None


def bands(dataset: Evaluated) -> "dict[str, pd.DataFrame]":
    """Experiment -> table by epoch: the 95 % prediction interval, `low` to `high`, and a column for each publication.

    Only epochs with enough seeds are in it.
    """
    table = tables.read(PUBLISHED_CURVES, experiment=str, measure=str, epoch=int)
    by_experiment = {}
    for (name, measure), rows in table.groupby(["experiment", "measure"], sort=False):
        history = dataset.history[dataset.history["experiment"] == name]
        if name not in dataset.experiments or measure not in history:
            continue
        published = rows.set_index("epoch").drop(columns=["experiment", "measure"]).dropna(axis="columns")
        seeds = {epoch: values.dropna().tolist() for epoch, values in history.groupby("epoch")[measure]}
        ends = {
            epoch: interval
            for epoch in published.index
            if len(values := seeds.get(epoch, [])) >= MIN_SEEDS and (interval := prediction(values, COLUMNS[measure]))
        }
        if ends:
            low, high = zip(*ends.values(), strict=True)
            by_experiment[name] = published.loc[[*ends]].assign(low=low, high=high)
    return by_experiment


def _published_curve(dataset: Evaluated, name: str, band: "pd.DataFrame") -> tuple[str, str]:
    """The title of a panel, with how many epochs lie inside the band, and its SVG."""
    low, high, published = band["low"], band["high"], band.drop(columns=["low", "high"])

    def draw(axes: "Axes") -> None:
        axes.fill_between(band.index, low, high, color=colour(dataset, name), alpha=0.2, linewidth=0)
        first, *others = published
        axes.plot(published[first], color=INK, linewidth=1.2)
        for source in others:
            axes.plot(published[source], ".", color=INK, markersize=3)
        by_epoch(axes, band.to_numpy().ravel().tolist(), band.index[-1])
        axes.set_ylabel("accuracy" if dataset.about.kind == "classify" else "MAE, standardised")

    inside = {source: published[source].between(low, high).sum() for source in published}
    words = ", ".join(f"{count} of {len(band)} of {source}'s epochs inside" for source, count in inside.items())
    words = f"{dataset.titles[name]}: {words}"
    drawn = svg(draw, (3.3, 1.8), f"{dataset.name}, published curve of {words}", f"{dataset.name}/published/{name}")
    return words, drawn
