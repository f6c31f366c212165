"""The plots of one data set: learning curves, forecasts of the compared models, and published learning curves.

The published ones are from F. Chollet's notebooks 6.2 and 6.3 (Deep Learning with Python, first edition; MIT), which
hold the logs of all epochs. Jena's are of ten-minute rows, while the band beneath is of hourly rows. The dots are from
tessy1234/data_science, notebooks 05 and 07, which ran two of these listings again.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline import tables
from pipeline.evaluation import answers
from pipeline.evaluation.intervals import prediction
from pipeline.evaluation.plot_data import PARTS
from pipeline.evaluation.scores import MIN_SEEDS
from pipeline.report.charts import Axis, Line, Plot
from pipeline.report.formatting import capital
from pipeline.report.formatting import title as measure_title
from pipeline.report.results import Evaluated

if TYPE_CHECKING:
    import pandas as pd

VISIBLE = 5
"""Curves in a plot that are visible until a reader chooses others: those of the best experiments."""

CURVES = 6
"""Curves in a plot, of the best experiments. More are hard to read, and make the page large."""

POINTS = 36
"""Points of a curve, at most, which keeps the page small."""

BEFORE = 8
"""Values that are shown before a single one that is forecast."""

DASHES = ("solid", "dashed", "dotted")
"""These distinguish experiments of the same family, which have the same colour."""

LOG_ABOVE = 4.0
"""If the greatest value is more than this many times the least, the axis of a learning curve is logarithmic."""

X_LABELS = {"x": "x", "time": "", "index": "step", "step": "steps after the last true value"}
"""Columns for the x axis, of which the first that a table has is used -> what they are; of times it is their range."""

PUBLISHED_CURVES = Path(__file__).with_name("published_curves.csv")
"""Experiment, measure, epoch -> the notebook's figure, then those of others."""

COLUMNS = {"validation_accuracy": "accuracy", "validation_loss": "mae"}
"""Column of history.csv -> its measure, by which `intervals.prediction` transforms it."""


@dataclass(frozen=True)
class Plots:
    """A group of plots.

    Attributes:
        title: the heading.
        caption: how to read the plots.
        plots: side by side.
        key: the legend, where all plots have the same; it is empty where each line is explained by the caption.
        chosen: whether a reader shows or hides the curves of the one plot.
    """

    title: str
    caption: str
    plots: Sequence[Plot] = ()
    key: Sequence[Line] = ()
    chosen: bool = False


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
    drawn = [
        _stretch(dataset, rows, compared, capital(f"{PARTS[int(part)]} {noun}") if several else "First rows of test")
        for part, rows in table.groupby("part", sort=False)
    ]
    return Plots(title, caption, drawn, drawn[0].lines)


def _free_runs(dataset: Evaluated, compared: Sequence[str]) -> Plots | None:
    names = [name for name in compared if dataset.experiments[name].rollout]
    if not names:
        return None
    drawn = _stretch(dataset, dataset.numbers("rollout", "step", "truth", *names), names, "From one true window on")
    caption = "From one true window on, each model is fed its own predictions. First seed, last epoch."
    return Plots("Left alone: predictions fed back", caption, [drawn], drawn.lines)


def _stretch(dataset: Evaluated, rows: "pd.DataFrame", names: Sequence[str], title: str) -> Plot:
    """The truth and some experiments' predictions over rows of predictions.csv or rollout.csv.

    `names` are the experiments, whose columns are NaN where they predict nothing. Where each predicts one value, these
    stand beside one another, so that none hides another.
    """
    single = rows[names].notna().sum().max() == 1
    rows = rows.tail(BEFORE + 1) if single else rows
    column = next(column for column in X_LABELS if column in rows)
    x, truth = rows[column], rows["truth"]
    label = X_LABELS[column]
    if column == "time":
        days = [f"{datetime.fromtimestamp(end, UTC):%Y-%m-%d}" for end in (x.iloc[0], x.iloc[-1])]
        label = f"time, {days[0]} to {days[1]}"
    elif rows[names].isna().any(axis=None):
        label += "; up to 0 it is given"
    margin = 0.35 * (truth.max() - truth.min()) or 1.0
    x_axis = Axis(x.iloc[0], x.iloc[-1] + single, label, kind={"time": "time", "x": "number"}.get(column, "whole"))
    y_axis = Axis(truth.min() - margin, truth.max() + margin, dataset.quantity)
    lines = [Line("the truth", "ink", "wide", x_axis.path(y_axis, zip(x, truth, strict=True)))]
    for index, name in enumerate(names):
        points = [(at, value) for at, value in zip(x, rows[name], strict=True) if not np.isnan(value)]
        line = Line(dataset.titles[name], dataset.families[name], DASHES[index % 2], x_axis.path(y_axis, points))
        if len(points) == 1:
            beside = [(at + 0.3 * (index + 1), value) for at, value in points]
            line = replace(line, path="", dash="solid", dots=_dots(x_axis, y_axis, beside))
        lines.append(line)
    if single:
        lines[0] = replace(lines[0], dots=_dots(x_axis, y_axis, [(x.iloc[-1], truth.iloc[-1])]))
    return Plot(title, x_axis, y_axis, lines)


def _dots(x: Axis, y: Axis, points: Iterable[tuple[float, float]]) -> str:
    """A path of lines without a length, whose round ends are dots whatever the shape of the plot."""
    return x.path(y, points, between="M", after="h0")


def _by_week(dataset: Evaluated, compared: Sequence[str]) -> Plots | None:
    if not compared or not dataset.has("weeks"):
        return None
    table = dataset.numbers("weeks", "week", *compared)
    x = Axis(table["week"].min(), table["week"].max(), "week of test", kind="whole")
    y = Axis(0.0, 1.05 * table[[*compared]].max(axis=None), f"Test {measure_title(dataset.about.metric)}")
    lines = []
    for name in compared:
        points = [*zip(table["week"], table[name], strict=True)]
        marks = x.path(y, points), _dots(x, y, points)
        lines.append(Line(dataset.titles[name], dataset.families[name], "solid", *marks))
    return Plots("Error by week of test", "Mean over seeds.", [Plot("Each week of test", x, y, lines)], lines)


def data_size(dataset: Evaluated) -> Plots | None:
    """The scores of a network and its opponent by the number of train rows: from how many on does recurrence pay?"""
    curves = by_fraction(dataset)
    if len(curves) != 2:
        return None
    network, opponent = curves
    metric, rows = dataset.about.metric, dataset.about.examples["train"]
    compared = answers.table(
        dataset.evaluation,
        {share: (name, opponent[share]) for share, name in network.items() if share in opponent},
    )
    stats = [
        {share * rows: stat for share, name in curve.items() if (stat := dataset.experiments[name].score(metric))}
        for curve in curves
    ]
    bands = [{count: stat.mean_ci or (stat.mean, stat.mean) for count, stat in each.items()} for each in stats]
    ends = [end for band in bands for interval in band.values() for end in interval]
    counts = [count for each in stats for count in each]
    # The verdict on each pair stands under their number of rows.
    marked = [(share * rows, f"{share * rows:,.0f}\n{found.outcome}") for share, found in compared.items()]
    x = Axis(min(counts) / 1.2, max(counts) * 1.2, "train examples, log scale", log=True, marked=marked)
    y = _padded(ends, f"Test {measure_title(metric)}", kind="share" if metric == "accuracy" else "number")
    lines = []
    for curve, each, band in zip(curves, stats, bands, strict=True):
        points = [(count, stat.mean) for count, stat in each.items()]
        drawn = x.path(y, points), _dots(x, y, points), _band(x, y, band)
        lines.append(Line(dataset.titles[curve[1.0]], dataset.families[curve[1.0]], "solid", *drawn))
    caption = (
        "With the last eighth, quarter, half and all of the train rows, and the same options: the mean on test over "
        "seeds, and its 95 % interval. Beneath: the network against the other, corrected for how many are asked."
    )
    return Plots("How many rows recurrence needs", caption, [Plot("Error by train examples", x, y, lines)], lines)


def _band(x: Axis, y: Axis, ends: Mapping[float, tuple[float, float]]) -> str:
    """What lies between the ends at each x, as an SVG path."""
    lows, highs = ([(at, pair[side]) for at, pair in ends.items()] for side in (0, 1))
    return x.path(y, [*lows, *highs[::-1]])


def _padded(values: Sequence[float], label: str, kind: str = "number") -> Axis:
    """An axis with room for these values, logarithmic above `LOG_ABOVE`."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    if low > 0 and high / low > LOG_ABOVE:
        return Axis(low / 1.2, high * 1.2, f"{label}, log scale", log=True, kind=kind)
    margin = 0.06 * (high - low) or 0.5
    return Axis(low - margin, high + margin, label, kind=kind)


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
    for measure in ("loss", "accuracy") if dataset.about.kind == "classify" else ("loss",):
        curves = {name: curve(dataset.history, name, f"{split}_{measure}") for name in ranked}
        available = {name: line for name, line in curves.items() if line is not None}
        if not available:
            continue
        shown = dict(islice(available.items(), CURVES))
        losses = {dataset.experiments[name].loss for name in shown} if measure == "loss" else {measure}
        label = measure_title(str(losses.pop())) if len(losses) == 1 else measure
        label += f" on {split}{', standardised' if dataset.about.scale.unit and measure == 'loss' else ''}"
        caption = (
            f"Mean over all seeds on {split}; the band reaches from the lowest seed to the highest. A seed that "
            "stopped early keeps its last value."
        ) + (f" The best {CURVES} of {len(available)}." if len(available) > CURVES else "")
        drawn = _curves(dataset, shown, f"{measure.title()} by epoch", label)
        groups.append(Plots(drawn.title, caption, [drawn], drawn.lines, chosen=True))
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


def _curves(dataset: Evaluated, curves: "Mapping[str, pd.DataFrame]", title: str, label: str) -> Plot:
    """The curves of experiments in one plot."""
    # A hidden curve that starts far off would flatten the visible ones: only its second half counts.
    values = [
        value
        for index, line in enumerate(curves.values())
        for value in line["mean"].tolist()[0 if index < VISIBLE else len(line) // 2 :]
    ]
    x = Axis(1, max(2, *(line.index[-1] for line in curves.values())), "epoch", kind="whole")
    y = _padded(values, label, kind="share" if label.startswith("accuracy") else "number")
    lines, counts = [], Counter[str]()
    for name, line in curves.items():
        family = dataset.families[name]
        dash = DASHES[counts[family] % len(DASHES)]
        counts[family] += 1
        ends = dict(zip(line.index, zip(line["min"], line["max"], strict=True), strict=True))
        band = "" if line["min"].equals(line["max"]) else _band(x, y, ends)
        lines.append(Line(dataset.titles[name], family, dash, x.path(y, line["mean"].items()), band=band))
    return Plot(title, x, y, lines)


def published_curves(dataset: Evaluated) -> Plots | None:
    """Published learning curves, over the band where one more run of ours would lie."""
    drawn = [_published_curve(dataset, name, band) for name, band in bands(dataset).items()]
    measure = "accuracy" if dataset.about.kind == "classify" else "loss"
    caption = (
        f"Line: the {measure} on validation that the source of documents 001 and 002 logged, one run; dots: somebody "
        "else's run of the same listing. Band: where one more run of ours would lie at that epoch (95 %)."
    )
    return Plots("Published curves", caption, drawn) if drawn else None


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


def _published_curve(dataset: Evaluated, name: str, band: "pd.DataFrame") -> Plot:
    """One experiment's, with how many epochs lie inside the band."""
    low, high, published = band["low"], band["high"], band.drop(columns=["low", "high"])
    classify = dataset.about.kind == "classify"
    x = Axis(1, band.index[-1], "epoch", kind="whole")
    label = "accuracy on validation" if classify else "MAE on validation, standardised"
    y = _padded(band.to_numpy().ravel().tolist(), label, kind="share" if classify else "number")
    ends = dict(zip(band.index, zip(low, high, strict=True), strict=True))
    lines = [Line("where one more run would lie", dataset.families[name], band=_band(x, y, ends))]
    for index, source in enumerate(published):
        points = published[source].items()
        lines.append(Line(source, "ink", dots=_dots(x, y, points)) if index else Line(source, "ink", path=x.path(y, points)))
    inside = {source: published[source].between(low, high).sum() for source in published}
    small = "; ".join(f"{source}: {count} of {len(band)} epochs inside" for source, count in inside.items())
    return Plot(dataset.titles[name], x, y, lines, small)
