"""The plots of one data set: how its models learn, what the compared ones predict, and what others published.

Others' scores are from iTransformer's paper, as SegRNN's README prints it, 96 timesteps back. Their curves are those of
F. Chollet's notebooks 6.2 and 6.3 (Deep Learning with Python, first edition; MIT), which keep every epoch's log. Jena's
are of ten-minute rows, and the band beneath is of every sixth row. Two of these listings were run again by somebody
else, who kept the logs, too (tessy1234/data_science, notebooks 05 and 07): the dots.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations, islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline import tables
from pipeline.evaluation import answers
from pipeline.evaluation.intervals import prediction
from pipeline.evaluation.outcome import Outcome
from pipeline.evaluation.plot_data import PARTS
from pipeline.evaluation.schema import Stat
from pipeline.evaluation.scores import MIN_SEEDS
from pipeline.report.drawing import DASHED, INK, MUTED, Plots, by_epoch, colour, key, stretch, svg
from pipeline.report.formatting import title as measure_title
from pipeline.report.results import Evaluated

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
"""How the experiments of one family, which have one colour, are told from one another."""

TRUTH = ("truth", "ink", "solid")

PUBLISHED_SCORES, PUBLISHED_CURVES = (
    Path(__file__).with_name(f"published_{what}.csv") for what in ("scores", "curves")
)
"""Model, data set and measure -> a figure; experiment, measure and epoch -> that of each who ran it, the notebook's own
first.
"""

COLUMNS = {"validation_accuracy": "accuracy", "validation_loss": "mae"}
"""Column of history.csv -> what it holds of the published curves."""


def plots(dataset: Evaluated, ranked: Sequence[str]) -> list[Plots]:
    """What there is something to draw of; `ranked` are its experiments, the best first."""
    answer = answers.answer(dataset.evaluation)
    compared = [name for name in (answer.network, answer.opponent) if name]
    groups = (
        _forecasts(dataset, compared),
        _free_runs(dataset, compared),
        _by_week(dataset, compared),
        published_curves(dataset),
        published_scores(dataset),
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
    what, several = "week" if dataset.about.layout == "windows" else "example", (table["part"] > 0).any()
    if several:
        caption += f" Best, median and worst {what} of test: by the error of the two together."
    panels = {}
    for number, rows in table.groupby("part", sort=False):
        part = PARTS[int(number)]
        heading, words = f"{part} {what}" if several else "", f"{dataset.question}: {part}"
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
    """From how many rows on does recurrence pay? A network and its opponent, each on fractions of the train rows."""
    curves = by_fraction(dataset)
    if len(curves) != 2:
        return None
    network, opponent = curves
    metric, rows = dataset.about.metric, dataset.about.examples["train"]

    def draw(axes: "Axes") -> None:
        for curve in curves:
            stats = {fraction * rows: stat for fraction, name in curve.items() if (stat := _score(dataset, name))}
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
    compared = answers.table(dataset.evaluation, {each: (network[each], opponent[each]) for each in fractions})
    verdicts = ", ".join(f"{fraction * rows:,.0f}: {found.outcome}" for fraction, found in compared.items())
    names = [curve[1.0] for curve in curves]
    words = f"{' against '.join(dataset.titles[name] for name in names)}, by train examples: {verdicts}"
    drawn = svg(draw, LARGE, f"{dataset.name}: {words}", f"{dataset.name}/data-size")
    caption = (
        "With the last eighth, quarter, half and all of the train rows, and the same options: the mean on test over "
        "seeds, and its 95 % interval. Corrected for how many are asked."
    )
    return Plots("How many rows recurrence needs", caption, {words: drawn}, key(dataset, names))


def by_fraction(dataset: Evaluated) -> list[dict[float, str]]:
    """Fraction of the rows -> experiment, of each model that was trained on fractions; the recurrent ones first."""
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
    """The loss and, of classes, the accuracy."""
    split, groups = "validation" if "validation" in dataset.about.examples else "train", []
    whole = [name for name in ranked if dataset.experiments[name].share == 1]
    for what in ("loss", "accuracy") if dataset.about.kind == "classify" else ("loss",):
        found = {name: curve(dataset.history, name, f"{split}_{what}") for name in whole}
        every = {name: line for name, line in found.items() if line is not None}
        if not every:
            continue
        curves = dict(islice(every.items(), CURVES))
        losses = {dataset.experiments[name].loss for name in curves} if what == "loss" else {what}
        label = measure_title(str(losses.pop())) if len(losses) == 1 else what
        label += f" on {split}{', standardised' if dataset.about.scale.unit and what == 'loss' else ''}"
        caption = (
            f"Mean over all seeds on {split}; the band reaches from the lowest seed to the highest. A seed that "
            "stopped early keeps its last value."
        ) + (f" The best {CURVES} of {len(every)}." if len(every) > CURVES else "")
        groups.append(_overlay(dataset, curves, f"{what.title()} by epoch", caption, label))
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


def _overlay(dataset: Evaluated, curves: "Mapping[str, pd.DataFrame]", title: str, caption: str, label: str) -> Plots:
    """The curves of experiments as one plot over epochs."""
    looks, seen = [], Counter[str]()
    for name in curves:
        family = dataset.families[name]
        looks.append((dataset.titles[name], family, DASHES[seen[family] % len(DASHES)]))
        seen[family] += 1

    def draw(axes: "Axes") -> None:
        values: list[float] = []
        for index, ((name, line), (_, _, dash)) in enumerate(zip(curves.items(), looks, strict=True)):
            hue = colour(dataset, name)
            if not line["min"].equals(line["max"]):
                ends = [*line["min"], *line["max"][::-1]]
                axes.fill(
                    [*line.index, *line.index[::-1]], ends, color=hue, alpha=0.15, linewidth=0, gid=f"band-{index}"
                )
            axes.plot(line["mean"], color=hue, linestyle=dash, gid=f"curve-{index}")
            # One that starts far off would press those that are shown into a line: the second half of it has room.
            values += line["mean"].tolist()[0 if index < CHOSEN else len(line) // 2 :]
        axes.set_ylabel(label)
        by_epoch(axes, values, max(line.index[-1] for line in curves.values()))

    drawn = svg(draw, LARGE, f"{dataset.question}: {title}", f"{dataset.name} {title}")
    return Plots(title, caption, key=looks, overlay=drawn)


def published_scores(dataset: Evaluated) -> Plots | None:
    """How many pairs of rebuilt models differ, in words; and all of them drawn, with lines for those of others."""
    published = scores_of_others(dataset)
    if not published:
        return None
    stats = {name: stat for name in dataset.experiments if (stat := _score(dataset, name))}
    ranked = sorted(stats, key=lambda name: -stats[name].mean)

    def draw(axes: "Axes") -> None:
        for row, name in enumerate(ranked):
            stat, hue = stats[name], colour(dataset, name)
            if ends := stat.prediction_interval_new_rows:
                axes.plot(ends, [row, row], color=hue, alpha=0.4, linewidth=3)
            axes.plot([stat.mean], [row], "o", color=hue, markersize=3.5)
        for row, (model, value) in enumerate(sorted(published.items(), key=lambda item: item[1])):
            axes.axvline(value, color=MUTED, linestyle=DASHED, linewidth=0.8)
            axes.annotate(f"{model} ", (value, len(ranked) - 0.4 + 0.8 * row), ha="right", color=MUTED, fontsize=7)
        axes.set_yticks(range(len(ranked)), [dataset.titles[name] for name in ranked])
        axes.set_ylim(-0.6, len(ranked) + 0.8 * len(published))
        axes.set_xlabel(dataset.about.metric.upper())

    compared = answers.table(dataset.evaluation, {pair: pair for pair in combinations(ranked[::-1], 2)})
    unsure = [pair for pair, found in compared.items() if found.outcome == Outcome.UNSURE]
    sure = len(compared) - len(unsure)
    words = f"{sure} of {len(compared)} differences exceed the scatter of seeds and weeks"
    if unsure:
        words += f"; not: {', '.join(' and '.join(dataset.titles[name] for name in pair) for pair in unsure)}"
    drawn = svg(draw, (4.6, 2.6), f"{dataset.name}, beside published models: {words}", f"{dataset.name}/benchmark")
    caption = (
        "Dots: our mean over seeds, by the corrected protocol; bars: where one more run on other weeks would lie. "
        "Dashed: published figures of models that are not rebuilt here, one run each, from 96 timesteps (ours see 336)."
    )
    return Plots("Beside the field", caption, {words: drawn})


def scores_of_others(dataset: Evaluated) -> dict[str, float]:
    """Model that is not rebuilt -> its published figure of the data set's measure; empty for what is no benchmark."""
    table = tables.read(PUBLISHED_SCORES, model=str, dataset=str, measure=str, value=float)
    rows = table[(table["dataset"] == dataset.name) & (table["measure"] == dataset.about.metric)]
    return dict(zip(rows["model"], rows["value"].tolist(), strict=True))


def _score(dataset: Evaluated, name: str) -> Stat | None:
    return dataset.experiments[name].score(dataset.about.metric)


def published_curves(dataset: Evaluated) -> Plots | None:
    """Does each epoch's figure lie where one more run of ours would?"""
    panels = dict(_published_curve(dataset, name, band) for name, band in bands(dataset).items())
    what = "accuracy" if dataset.about.kind == "classify" else "loss"
    caption = (
        f"Line: the {what} on validation that the source of documents 001 and 002 logged, one run; dots: somebody "
        "else's run of the same listing. Band: where one more run of ours would lie at that epoch (95 %)."
    )
    return Plots("Published curves", caption, panels) if panels else None


def bands(dataset: Evaluated) -> "dict[str, pd.DataFrame]":
    """Experiment of the data set -> by epoch, where one more run would lie (95 %), `low` and `high`, and a column for
    each who published a figure; of the epochs with enough seeds.
    """
    table = tables.read(PUBLISHED_CURVES, experiment=str, measure=str, epoch=int)
    of_experiments = {}
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
            of_experiments[name] = published.loc[[*ends]].assign(low=low, high=high)
    return of_experiments


def _published_curve(dataset: Evaluated, name: str, band: "pd.DataFrame") -> tuple[str, str]:
    """What a panel shows, in words with how many epochs lie inside; and its SVG."""
    low, high, published = band["low"], band["high"], band.drop(columns=["low", "high"])

    def draw(axes: "Axes") -> None:
        axes.fill_between(band.index, low, high, color=colour(dataset, name), alpha=0.2, linewidth=0)
        first, *others = published
        axes.plot(published[first], color=INK, linewidth=1.2)
        for who in others:
            axes.plot(published[who], ".", color=INK, markersize=3)
        by_epoch(axes, band.to_numpy().ravel().tolist(), band.index[-1])
        axes.set_ylabel("accuracy" if dataset.about.kind == "classify" else "MAE, standardised")

    inside = {who: published[who].between(low, high).sum() for who in published}
    words = ", ".join(f"{count} of {len(band)} of {who}'s epochs inside" for who, count in inside.items())
    words = f"{dataset.titles[name]}: {words}"
    drawn = svg(draw, (3.3, 1.8), f"{dataset.name}, published curve of {words}", f"{dataset.name}/published/{name}")
    return words, drawn
