"""The plots of one data set: learning curves, forecasts of the compared models, and
published learning curves.

The published curves are from F. Chollet's notebooks 6.2 and 6.3 (Deep Learning with
Python, first edition; MIT), which hold the logs of all epochs. Jena's curves are of
ten-minute rows, while the band beneath is of hourly rows. The dots are from
tessy1234/data_science, notebooks 05 and 07, which ran two of these listings again.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
"""Number of curves, of the best experiments, that are visible until a reader chooses
others."""

CURVES = 6
"""Most curves in a plot, those of the best experiments. More are hard to read and make
the page large."""

POINTS = 36
"""Most points of a curve, so that the page stays small."""

BEFORE = 8
"""Number of values that are shown before a forecast of a single value."""

DASHES = ("solid", "dashed", "dotted")
"""Kinds of lines, for experiments of the same family, which have the same colour."""

LOG_ABOVE = 4.0
"""Ratio of the greatest to the least value above which an axis is logarithmic."""

X_LABELS = {
    "x": "x",
    "time": "",
    "index": "step",
    "step": "steps after the last true value",
}
"""Column for the x axis -> its label. The first column that a table has is used; the
label of times is their range."""

PUBLISHED_CURVES = Path(__file__).with_name("published_curves.csv")
"""The file of published curves: experiment, measure, epoch, the notebook's figure, then
the figures of other publications."""

COLUMNS = {"validation_accuracy": "accuracy", "validation_loss": "mae"}
"""Column of history.csv -> its measure for `intervals.prediction`."""


@dataclass(frozen=True)
class Plots:
    """Plots side by side.

    Attributes:
        title: the title of the group.
        caption: how to read the plots.
        plots: the plots.
        key: the legend, if all plots have the same lines.
        chosen: whether a reader can choose curves by the legend.
    """

    title: str
    caption: str
    plots: Sequence[Plot] = ()
    key: Sequence[Line] = ()
    chosen: bool = False


def plots(dataset: Evaluated, ranked: Sequence[str]) -> list[Plots]:
    """Return all plots for which a data set has the data.

    `ranked` are its experiments, the best first.
    """
    compared = answers.answer(dataset.evaluation).compared
    groups = (
        _forecasts(dataset, compared),
        _free_runs(dataset, compared),
        _by_week(dataset, compared),
        published_curves(dataset),
        data_size(dataset),
        _by_epoch(dataset, ranked, "loss"),
        _by_epoch(dataset, ranked, "accuracy"),
    )
    return [group for group in groups if group]


def _forecasts(dataset: Evaluated, compared: Sequence[str]) -> Plots | None:
    classes = dataset.about.kind == "classify"
    if classes or not compared or not dataset.has("predictions"):
        return None
    table = dataset.numbers("predictions", "part", "index", "truth")
    title = "Forecasts beside the truth"
    lacking = [name for name in compared if name not in table]
    if lacking:
        names = " and ".join(lacking)
        cure = f"unroll repro evaluate@{dataset.name} draws them"
        return Plots(title, f"There are none of {names} yet: {cure}.")
    caption = (
        "The network and the model without recurrence that are compared, chosen before "
        "the test; first seed."
    )
    names_of_parts = ["First rows of test"]
    if (table["part"] > 0).any():
        noun = "week" if dataset.about.layout == "windows" else "example"
        names_of_parts = [f"{capital(part)} {noun}" for part in PARTS]
        caption += (
            f" Best, median and worst {noun} of test: by the error of the two together."
        )
    drawn = [
        _stretch(dataset, rows, compared, names_of_parts[int(part)])
        for part, rows in table.groupby("part", sort=False)
    ]
    return Plots(title, caption, drawn, drawn[0].lines)


def _free_runs(dataset: Evaluated, compared: Sequence[str]) -> Plots | None:
    names = [name for name in compared if dataset.experiments[name].rollout]
    if not names:
        return None
    table = dataset.numbers("rollout", "step", "truth", *names)
    drawn = _stretch(dataset, table, names, "From one true window on")
    caption = (
        "From one true window on, each model is fed its own predictions. First seed, "
        "last epoch."
    )
    return Plots("Left alone: predictions fed back", caption, [drawn], drawn.lines)


def _stretch(
    dataset: Evaluated, rows: "pd.DataFrame", names: Sequence[str], title: str
) -> Plot:
    """Return a plot of the truth and some experiments' predictions.

    `rows` are of predictions.csv or rollout.csv. Columns of the experiments `names` are
    NaN where there is no prediction. If each experiment predicts one value, the values
    stand side by side, so that none hides another.
    """
    single = rows[names].notna().sum().max() == 1
    if single:
        rows = rows.tail(BEFORE + 1)
    column = next(column for column in X_LABELS if column in rows)
    x = rows[column]
    truth = rows["truth"]
    label = X_LABELS[column]
    if column == "time":
        first = datetime.fromtimestamp(x.iloc[0], UTC)
        last = datetime.fromtimestamp(x.iloc[-1], UTC)
        label = f"time, {first:%Y-%m-%d} to {last:%Y-%m-%d}"
    elif rows[names].isna().any(axis=None):
        label += "; up to 0 it is given"
    margin = 0.35 * (truth.max() - truth.min()) or 1.0
    kind = {"time": "time", "x": "number"}.get(column, "whole")
    x_axis = Axis(x.iloc[0], x.iloc[-1] + single, label, kind=kind)
    y_axis = Axis(truth.min() - margin, truth.max() + margin, dataset.quantity)
    lines = [Line("the truth", "ink", [*zip(x, truth, strict=True)], "wide")]
    for index, name in enumerate(names):
        beside = 0.3 * (index + 1) if single else 0
        points = [
            (at + beside, value)
            for at, value in zip(x, rows[name], strict=True)
            if not np.isnan(value)
        ]
        how = {"dash": DASHES[index % 2], "dotted": single, "joined": not single}
        lines.append(_line(dataset, name, points, **how))
    return Plot(title, x_axis, y_axis, lines)


def _line(
    dataset: Evaluated, name: str, points: Iterable[tuple[float, float]], **how: Any
) -> Line:
    return Line(dataset.titles[name], dataset.families[name], [*points], **how)


def _by_week(dataset: Evaluated, compared: Sequence[str]) -> Plots | None:
    if not compared or not dataset.has("weeks"):
        return None
    table = dataset.numbers("weeks", "week", *compared)
    week = table["week"]
    x = Axis(week.min(), week.max(), "week of test", kind="whole")
    highest = 1.05 * table[[*compared]].max(axis=None)
    y = Axis(0.0, highest, f"Test {measure_title(dataset.about.metric)}")
    lines = [
        _line(dataset, name, zip(week, table[name], strict=True), dotted=True)
        for name in compared
    ]
    drawn = Plot("Each week of test", x, y, lines)
    return Plots("Error by week of test", "Mean over seeds.", [drawn], lines)


def data_size(dataset: Evaluated) -> Plots | None:
    """Return the scores of a network and its opponent by the number of train rows.

    The plot shows how many rows recurrence needs.
    """
    curves = by_fraction(dataset)
    if len(curves) != 2:
        return None
    network, opponent = curves
    metric = dataset.about.metric
    rows = dataset.about.examples["train"]
    lines = []
    ends = list[float]()
    for curve in curves:
        band = []
        points = []
        for share, name in curve.items():
            stat = dataset.experiments[name].score(metric)
            if stat:
                low, high = stat.mean_ci or (stat.mean, stat.mean)
                points.append((share * rows, stat.mean))
                band.append((share * rows, low, high))
                ends += [low, high]
        lines.append(_line(dataset, curve[1.0], points, band=band, dotted=True))
    x = Axis(
        min(network) * rows / 1.2,
        rows * 1.2,
        "train examples, log scale",
        log=True,
        marked=_words_by_rows(dataset, network, opponent),
    )
    y = _padded(ends, f"Test {measure_title(metric)}", share=metric == "accuracy")
    caption = (
        "With the last eighth, quarter, half and all of the train rows, and the same "
        "options: the mean on test over seeds, and its 95 % interval. Beneath: what the "
        "network does against the other."
    )
    drawn = Plot("Error by train examples", x, y, lines)
    return Plots("How many rows recurrence needs", caption, [drawn], lines)


def _words_by_rows(
    dataset: Evaluated, network: Mapping[float, str], opponent: Mapping[float, str]
) -> list[tuple[float, str]]:
    """Return numbers of rows, each with the outcome of comparing the two models there."""
    rows = dataset.about.examples["train"]
    marked = []
    for share in sorted(network.keys() & opponent.keys()):
        pair = answers.compare(dataset.evaluation, network[share], opponent[share])
        if pair:
            marked.append((share * rows, f"{share * rows:,.0f}\n{pair.outcome}"))
    return marked


def _padded(values: Sequence[float], label: str, *, share: bool) -> Axis:
    """Return an axis with room for all values, logarithmic above `LOG_ABOVE`."""
    low = min(values, default=0.0)
    high = max(values, default=1.0)
    kind = "share" if share else "number"
    if low > 0 and high / low > LOG_ABOVE:
        return Axis(low / 1.2, high * 1.2, f"{label}, log scale", log=True, kind=kind)
    margin = 0.06 * (high - low) or 0.5
    return Axis(low - margin, high + margin, label, kind=kind)


def by_fraction(dataset: Evaluated) -> list[dict[float, str]]:
    """Return fraction of the rows -> experiment, for each model that was trained on
    fractions. Recurrent models come first.
    """
    curves = []
    for whole, entry in dataset.experiments.items():
        fractions = {
            other.share: name
            for name, other in dataset.experiments.items()
            if other.share < 1
            and (other.layers, other.trials) == (entry.layers, entry.trials)
        }
        if entry.share == 1 and fractions:
            curves.append(dict(sorted(fractions.items())) | {1.0: whole})
    return sorted(
        curves, key=lambda curve: not dataset.experiments[curve[1.0]].recurrent
    )


def _by_epoch(dataset: Evaluated, ranked: Sequence[str], measure: str) -> Plots | None:
    """Return learning curves of the loss or, for classification, of the accuracy."""
    if measure == "accuracy" and dataset.about.kind != "classify":
        return None
    split = "validation" if "validation" in dataset.about.examples else "train"
    column = f"{split}_{measure}"
    known = with_curve(dataset.history, ranked, column)
    if not known:
        return None
    shown = known[:CURVES]
    label = f"{measure} on {split}"
    losses = {dataset.experiments[name].loss for name in shown}
    if measure == "loss" and len(losses) == 1:
        label = f"{measure_title(str(losses.pop()))} on {split}"
    if measure == "loss" and dataset.about.scale.unit:
        label += ", standardised"
    caption = (
        f"Mean over all seeds on {split}; the band reaches from the lowest seed to the "
        "highest. A seed that stopped early keeps its last value."
    )
    if len(known) > CURVES:
        caption += f" The best {CURVES} of {len(known)}."
    lines: list[Line] = []
    values = list[float]()
    counts = Counter[str]()
    curves = {name: curve(dataset.history, name, column) for name in shown}
    for name, table in curves.items():
        family = dataset.families[name]
        dash = DASHES[counts[family] % len(DASHES)]
        counts[family] += 1
        band = []
        if not table["min"].equals(table["max"]):
            band = [*table[["min", "max"]].itertuples(name=None)]
        # Only the second half of a hidden curve counts for the axis: its start may be
        # far off and would flatten the visible curves.
        first = 0 if len(lines) < VISIBLE else len(table) // 2
        values += table["mean"].tolist()[first:]
        lines.append(_line(dataset, name, table["mean"].items(), dash=dash, band=band))
    last = max(table.index[-1] for table in curves.values())
    x = Axis(1, last, "epoch", kind="whole")
    y = _padded(values, label, share=measure == "accuracy")
    title = f"{measure.title()} by epoch"
    return Plots(title, caption, [Plot(title, x, y, lines)], lines, chosen=True)


def with_curve(history: "pd.DataFrame", names: Sequence[str], column: str) -> list[str]:
    """Return the experiments with at least two epochs in a column of history.csv."""
    if column not in history:
        return []
    epochs = history.dropna(subset=column).groupby("experiment")["epoch"].nunique()
    return [name for name in names if epochs.get(name, 0) > 1]


def curve(history: "pd.DataFrame", name: str, column: str) -> "pd.DataFrame":
    """Return mean, min and max over the seeds of a column of history.csv, by epoch.

    history.csv lacks some epochs of some seeds. Missing values are interpolated, and
    the last value is kept to the end. So each mean is over the same seeds.
    """
    rows = history[history["experiment"] == name]
    seeds = rows.pivot_table(index="epoch", columns="seed", values=column)
    shown = np.unique(np.linspace(0, len(seeds) - 1, POINTS).round().astype(int))
    filled = seeds.interpolate("index", limit_area="inside").ffill()
    return filled.iloc[shown].agg(["mean", "min", "max"], axis=1)


def published_curves(dataset: Evaluated) -> Plots | None:
    """Return published learning curves over a band: the interval of one more run of
    ours.
    """
    drawn = [
        _published_curve(dataset, name, band) for name, band in bands(dataset).items()
    ]
    if not drawn:
        return None
    measure = "accuracy" if dataset.about.kind == "classify" else "loss"
    caption = (
        f"Line: the {measure} on validation that the source of documents 001 and 002 "
        "logged, one run; dots: somebody else's run of the same listing. Band: where "
        "one more run of ours would lie at that epoch (95 %)."
    )
    return Plots("Published curves", caption, drawn)


def bands(dataset: Evaluated) -> "dict[str, pd.DataFrame]":
    """Return experiment -> table by epoch.

    `low` and `high` are the ends of the 95 % prediction interval. Each publication has
    a column. Only epochs with enough seeds are in the table.
    """
    table = tables.read(PUBLISHED_CURVES, experiment=str, measure=str, epoch=int)
    by_experiment = {}
    for (whole_name, measure), rows in table.groupby(
        ["experiment", "measure"], sort=False
    ):
        about, _, name = whole_name.partition("/")
        history = dataset.history
        if about != dataset.name or name not in dataset.experiments:
            continue
        if measure not in history:
            continue
        published = rows.set_index("epoch").drop(columns=["experiment", "measure"])
        published = published.dropna(axis="columns")
        ends = {}
        own = history[history["experiment"] == name]
        for epoch, values in own.groupby("epoch")[measure]:
            seeds = values.dropna().tolist()
            if epoch in published.index and len(seeds) >= MIN_SEEDS:
                ends[epoch] = prediction(seeds, COLUMNS[measure])
        known = {epoch: interval for epoch, interval in ends.items() if interval}
        if known:
            low, high = zip(*known.values(), strict=True)
            by_experiment[name] = published.loc[[*known]].assign(low=low, high=high)
    return by_experiment


def _published_curve(dataset: Evaluated, name: str, band: "pd.DataFrame") -> Plot:
    published = band.drop(columns=["low", "high"])
    share = dataset.about.kind == "classify"
    label = f"{'accuracy' if share else 'standardised MAE'} on validation"
    y = _padded([*band.to_numpy().flat], label, share=share)
    ends = [*band[["low", "high"]].itertuples(name=None)]
    lines = [_line(dataset, name, (), band=ends)]
    small = []
    for index, source in enumerate(published):
        points = [*published[source].items()]
        others = index > 0
        lines.append(Line(source, "ink", points, dotted=others, joined=not others))
        inside = published[source].between(band["low"], band["high"]).sum()
        small.append(f"{source}: {inside} of {len(band)} epochs inside")
    x = Axis(1, band.index[-1], "epoch", kind="whole")
    return Plot(dataset.titles[name], x, y, lines, "; ".join(small))
