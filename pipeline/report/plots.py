"""The plots of one data set: forecasts of the compared models, their errors by week,
and by the number of train rows.

Curves by epoch are shown by MLflow and by `dvc plots`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.evaluation import answers
from pipeline.evaluation.plot_data import PARTS
from pipeline.report.charts import Axis, Line, Plot
from pipeline.report.formatting import capital
from pipeline.report.formatting import title as measure_title
from pipeline.report.results import Evaluated

if TYPE_CHECKING:
    import pandas as pd

BEFORE = 8
"""Number of values that are shown before a forecast of a single value."""

DASHES = ("solid", "dashed")
"""Kinds of lines of the two experiments that are compared."""

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


@dataclass(frozen=True)
class Plots:
    """Plots side by side.

    Attributes:
        title: the title of the group.
        caption: how to read the plots.
        plots: the plots.
        key: the legend, if all plots have the same lines.
    """

    title: str
    caption: str
    plots: Sequence[Plot] = ()
    key: Sequence[Line] = ()


def plots(dataset: Evaluated) -> list[Plots]:
    """Return all plots for which a data set has the data."""
    compared = answers.answer(dataset.evaluation).compared
    groups = (
        _forecasts(dataset, compared),
        _free_runs(dataset, compared),
        _by_week(dataset, compared),
        data_size(dataset),
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
    return Line(dataset.titles[name], dataset.colors[name], [*points], **how)


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
