"""The charts of one data set, as data: models in a row, forecasts, errors by week and by
the number of train rows. The page's template draws them.

Curves by epoch are shown by MLflow and by `dvc plots`.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipeline.evaluation import verdicts
from pipeline.evaluation.plot_data import PARTS
from pipeline.evaluation.schema import Entry
from pipeline.metrics import MEASURES
from pipeline.report.built_results import Evaluated
from pipeline.report.formatting import capital, short, title

if TYPE_CHECKING:
    import pandas as pd

FAR_BETTER = 10.0
"""A score that is more than so many times better than the best network lies off the
axis."""

POWERS_FROM = 10.0
"""Least ratio of a logarithmic axis's ends with which ticks are at powers of ten."""

STANDING = 6
"""Most models in the picture of a data set's answer."""

APART = 24.0
"""Least distance between two numbers of an axis, in per cent of the axis."""

BEFORE = 8
"""Number of values that are shown before a forecast of a single value."""

DASHES = ("solid", "dashed")
"""Kinds of lines of the two experiments that are compared."""

LOG_ABOVE = 4.0
"""Ratio of the greatest to the least value above which an axis is logarithmic."""

SMALLEST = 1e-12
"""Least gradient that is drawn, as a share of a network's largest one."""

X_LABELS = {
    "x": "x",
    "time": "",
    "index": "step",
    "step": "steps after the last true value",
}
"""Column for the x axis -> its label. The first column that a table has is used; the
label of times is their range."""

Estimate = tuple[float, float, float]
"""A value, and the low and the high end of its interval."""


@dataclass(frozen=True)
class Axis:
    """An axis from `low` to `high`.

    Attributes:
        low, high: the ends.
        label: the name of the axis, with its unit.
        log: whether the axis is logarithmic.
        kind: "number", "whole" or "share" (shown in per cent).
        marked: values and the text at each, in place of round numbers.
    """

    low: float
    high: float
    label: str = ""
    log: bool = False
    kind: str = "number"
    marked: Sequence[tuple[float, str]] = ()

    def place(self, value: float) -> float:
        """Return the place of a value in per cent of the axis.

        It is below 0 or above 100 if the value is off the axis.
        """
        values = [self.low, self.high, value]
        if self.log:
            values = [math.log(max(each, 1e-300)) for each in values]
        low, high, at = values
        return 100 * (at - low) / (high - low)

    def inside(self, value: float) -> float:
        """Return the place of a value, or the end that it lies beyond."""
        return round(min(100.0, max(0.0, self.place(value))), 2)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """The ticks: place in per cent, and text. Numbers that are too near are left
        out.
        """
        ticks = [(round(self.place(at), 2), words) for at, words in self.marked]
        for value in () if ticks else self._round_numbers():
            if not ticks or self.place(value) - ticks[-1][0] > APART:
                words = f"{100 * value:g} %" if self.kind == "share" else short(value)
                ticks.append((round(self.place(value), 2), words))
        return ticks

    def _round_numbers(self) -> list[float]:
        from matplotlib.ticker import Locator, LogLocator, MaxNLocator

        locator: Locator = MaxNLocator(4, integer=self.kind == "whole")
        if self.log and self.high / self.low >= POWERS_FROM:
            locator = LogLocator(subs=(1,) if self.high / self.low > 100 else (1, 3))
        values = map(float, locator.tick_values(self.low, self.high))
        return [value for value in values if self.low <= value <= self.high]


def dates(low: float, high: float) -> list[tuple[float, str]]:
    """Return round times between two times, in seconds since 1970, and their text."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    ends = (datetime.fromtimestamp(end, UTC) for end in (low, high))
    # With fewer ticks, Matplotlib finds no interval for some ranges (60 to 72 hours)
    # and warns.
    locator = AutoDateLocator(minticks=3, maxticks=7)  # type: ignore[no-untyped-call]
    values = map(float, locator.tick_values(*ends))  # type: ignore[no-untyped-call]
    days = [day for day in values if low <= 86_400 * day <= high]
    words = ConciseDateFormatter(locator).format_ticks(days)  # type: ignore[no-untyped-call]
    return [(86_400 * day, text) for day, text in zip(days, words, strict=True)]


@dataclass(frozen=True)
class Line:
    """A line of a plot.

    Attributes:
        words: the name in the legend.
        colour: a colour of the style sheet.
        points: x and y of each point.
        style: the kind of line: "wide", "solid", "dashed", or "dots" without a line.
        dotted: whether the points of a line have dots, too.
        band: the corners of a filled area.
    """

    words: str
    colour: str
    points: list[tuple[float, float]]
    style: str = "solid"
    dotted: bool = False
    band: list[tuple[float, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Plot:
    """Lines over two axes."""

    title: str
    x: Axis
    y: Axis
    lines: Sequence[Line]


@dataclass(frozen=True)
class Plots:
    """Plots side by side.

    Attributes:
        title: the title of the group.
        caption: how to read the plots.
        plots: the plots; all have the same lines.
    """

    title: str
    caption: str
    plots: Sequence[Plot]


def ranking(
    dataset: Evaluated, names: Iterable[str], unit: float = 1.0
) -> tuple[Axis, dict[str, Estimate]]:
    """Return the scores of experiments and floors on test, and an axis for them.

    Scores are with the weights that validation chose.

    Args:
        dataset: the data set.
        names: the names of the experiments; experiments without a score are left out.
        unit: the factor from scores to the unit of the data, or 1.

    Returns:
        The axis, and experiment or floor -> its score and the interval of the mean.
    """
    scores: dict[str, Estimate] = {}
    for name in names:
        stat = dataset.experiments[name].score(dataset.about.metric)
        if stat:
            low, high = stat.ends
            scores[name] = (unit * stat.mean, unit * low, unit * high)
    floors = {
        words: (unit * floor, unit * floor, unit * floor)
        for words, floor in dataset.floors.items()
    }
    return _axis(dataset, scores, unit), scores | floors


def _axis(dataset: Evaluated, scores: Mapping[str, Estimate], unit: float) -> Axis:
    """Return an axis over all means and intervals.

    Models that are far better than each network are off the axis.
    """
    about = dataset.about
    label = f"Test {title(about.metric)}"
    if unit != 1:
        label += f", {about.scale.unit}"
    values = [value for score in scores.values() for value in score]
    if MEASURES[about.metric].higher:
        low = max(0.0, min(values, default=0.0))
        high = min(1.0, max(values, default=1.0))
        margin = 0.04 * (high - low) or 0.02
        label += ": right is better"
        return Axis(low - margin, high + margin, label, kind="share")
    positive = [value for value in values if value > 0] or [1.0]
    networks = [
        mean
        for name, (mean, *_) in scores.items()
        if dataset.experiments[name].kind in ("recurrent", "network")
    ]
    low = max(min(positive), min(networks, default=0.0) / FAR_BETTER)
    high = max(positive)
    margin = max((high / low) ** 0.04, 1.005)
    return Axis(low / margin, high * margin, f"{label}, log: left is better", log=True)


def standing(dataset: Evaluated, order: Sequence[str]) -> list[str]:
    """Return the models that are compared and the best model of each other family, the
    best first.

    `order` are the experiments of a ranking, the best first.
    """
    best = {dataset.colors[name]: name for name in reversed(order)}.values()
    compared = [name for name in order if name in dataset.compared]
    others = [name for name in order if name in best and name not in compared]
    return sorted((compared + others)[:STANDING], key=order.index)


CHANGES = Axis(0.8, 1.25, "error with recurrence / without", log=True)
"""The axis of the ratio of two errors."""


def plots(dataset: Evaluated) -> list[Plots]:
    """Return all plots for which a data set has the data."""
    compared = verdicts.answer(dataset.evaluation).compared
    groups = (
        _forecasts(dataset, compared),
        _free_runs(dataset, compared),
        _by_week(dataset, compared),
        data_size(dataset),
        _forgetting(dataset),
    )
    return [group for group in groups if group]


def _forecasts(dataset: Evaluated, compared: Sequence[str]) -> Plots | None:
    classes = dataset.about.kind == "classify"
    if classes or not compared or not dataset.has("predictions"):
        return None
    table = dataset.numbers("predictions", "part", "index", "truth")
    if not {*compared} <= {*table}:  # of an earlier params.yaml
        return None
    caption = (
        "The plots show the best network with recurrence and the best model without, "
        f"each with its first {'search and its ' if dataset.searches else ''}seed."
    )
    names_of_parts = ["First rows of test"]
    if (table["part"] > 0).any():
        noun = "week" if dataset.about.layout == "windows" else "example"
        names_of_parts = [f"{capital(part)} {noun}" for part in PARTS]
        caption += (
            f" The best, the median and the worst {noun} of test are those by the error "
            "of both together."
        )
    drawn = [
        _stretch(dataset, rows, compared, names_of_parts[int(part)])
        for part, rows in table.groupby("part", sort=False)
    ]
    return Plots("Forecasts beside the truth", caption, drawn)


def _free_runs(dataset: Evaluated, compared: Sequence[str]) -> Plots | None:
    names = [name for name in compared if dataset.experiments[name].rollout]
    if not names:
        return None
    table = dataset.numbers("rollout", "step", "truth", *names)
    caption = (
        "From one true window on, each model is fed its own predictions. The weights are "
        "those of the first seed and the last epoch."
    )
    drawn = _stretch(dataset, table, names, "From one true window on")
    return Plots("Left alone: predictions fed back", caption, [drawn])


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
    x_axis = _x_axis(rows, names, column, single=single)
    truth = rows["truth"]
    drawn = rows[["truth", *names]]
    low = drawn.min(axis=None)
    high = drawn.max(axis=None)
    margin = 0.1 * (high - low) or 1.0
    y_axis = Axis(low - margin, high + margin, dataset.quantity)
    lines = [Line("the truth", "ink", _points(x, truth), "wide")]
    for index, name in enumerate(names):
        beside = 0.3 * (index + 1) if single else 0
        style = "dots" if single else DASHES[index % 2]
        points = _points(x + beside, rows[name])
        lines.append(Line(dataset.titles[name], dataset.colors[name], points, style))
    return Plot(title, x_axis, y_axis, lines)


def _x_axis(
    rows: "pd.DataFrame", names: Sequence[str], column: str, *, single: bool
) -> Axis:
    """Return the x axis of `_stretch`.

    Args:
        rows: the rows that are drawn.
        names: the columns of the experiments.
        column: the column of the axis, of `X_LABELS`.
        single: whether values stand side by side, which takes one step more.
    """
    first, last = rows[column].iloc[[0, -1]]
    label = X_LABELS[column]
    marked = []
    if column == "time":
        days = [datetime.fromtimestamp(end, UTC) for end in (first, last)]
        label = "time, {:%Y-%m-%d} to {:%Y-%m-%d}".format(*days)
        marked = dates(first, last)
    elif rows[names].isna().any(axis=None):
        label += "; up to 0 it is given"
    kind = "number" if column == "x" else "whole"
    return Axis(first, last + single, label, kind=kind, marked=marked)


def _points(x: "pd.Series", y: "pd.Series") -> list[tuple[float, float]]:
    """Return the points whose y is known."""
    known = y.notna()
    return [*zip(x[known], y[known], strict=True)]


def _by_week(dataset: Evaluated, compared: Sequence[str]) -> Plots | None:
    if not compared or not dataset.has("weeks"):
        return None
    table = dataset.numbers("weeks", "week", *compared)
    week = table["week"]
    x = Axis(week.min(), week.max(), "week of test", kind="whole")
    highest = 1.05 * table[[*compared]].max(axis=None)
    y = Axis(0.0, highest, f"Test {title(dataset.about.metric)}")
    lines = [
        Line(
            dataset.titles[name],
            dataset.colors[name],
            _points(week, table[name]),
            dotted=True,
        )
        for name in compared
    ]
    drawn = Plot("Each week of test", x, y, lines)
    return Plots("Error by week of test", "Each line is the mean over seeds.", [drawn])


def _forgetting(dataset: Evaluated) -> Plots | None:
    """Return the size of the gradient by timesteps back of the networks that keep it."""
    if not dataset.has("gradients"):
        return None
    table = dataset.numbers("gradients", "back")
    names = [name for name in dataset.titles if name in table]
    shares = table[names] / table[names].max()
    caption = (
        "How much does the answer change if one input changes a little? That is the "
        "gradient of the answer with respect to this input. Each line shows it as a share "
        "of the network's largest gradient, and the last input is on the left. The "
        "gradient of an input one timestep earlier has passed the weights of a SimpleRNN "
        "once more. Here it shrinks each time, so it vanishes. Then "
        "training cannot learn what an early input is good for: the network forgets it. "
        "The gates of an LSTM and of a GRU can keep a value as it is, and its gradient then "
        "passes unchanged. A line that ends flat has shares too small to draw."
    )
    x = Axis(0, table["back"].max(), "timesteps before the last input", kind="whole")
    y = Axis(max(SMALLEST, shares.min(axis=None)), 1, "gradient, log scale", log=True)
    lines = [
        Line(dataset.titles[name], dataset.colors[name], _points(table["back"], share))
        for name, share in shares.clip(lower=SMALLEST).items()
    ]
    drawn = Plot("Gradient by timesteps back", x, y, lines)
    return Plots("Why networks forget", caption, [drawn])


def data_size(dataset: Evaluated) -> Plots | None:
    """Return the scores of a network and its opponent by the number of train rows.

    The plot shows how many rows recurrence needs.
    """
    curves = by_fraction(dataset)
    if len(curves) != 2:
        return None
    metric = dataset.about.metric
    rows = dataset.about.examples["train"]
    lines = [_curve(dataset, curve) for curve in curves]
    ends = [value for line in lines for _, value in line.band]
    network, opponent = curves
    marked = _outcomes(dataset, network, opponent)
    x = Axis(
        min(network) * rows / 1.2,
        rows * 1.2,
        "train examples, log scale",
        log=True,
        marked=marked,
    )
    y = _padded(ends, f"Test {title(metric)}", share=metric == "accuracy")
    caption = (
        "Both models learn from the last eighth, quarter, half and all of the train rows, "
        "with the same options. A line is the mean on test over seeds, with its 95 % "
        "interval. The words beneath say what the network does, compared with the other, "
        "which need not be the opponent of the answer."
    )
    plots = [Plot("Score by train examples", x, y, lines)]
    return Plots("How many rows recurrence needs", caption, plots)


def _curve(dataset: Evaluated, curve: Mapping[float, str]) -> Line:
    """Return a model's scores on test by the number of train rows, with the intervals
    of the means as the band.

    `curve` is fraction of the rows -> experiment, ascending.
    """
    metric = dataset.about.metric
    rows = dataset.about.examples["train"]
    points = []
    band = list[tuple[float, float]]()
    for share, name in curve.items():
        stat = dataset.experiments[name].chosen["test"][metric]
        low, high = stat.ends
        points.append((share * rows, stat.mean))
        band.append((share * rows, low))
        band.insert(0, (share * rows, high))
    whole = curve[1.0]
    return Line(
        dataset.titles[whole], dataset.colors[whole], points, dotted=True, band=band
    )


def _outcomes(
    dataset: Evaluated, network: Mapping[float, str], opponent: Mapping[float, str]
) -> list[tuple[float, str]]:
    """Return numbers of train rows, and the text at each: the outcome of the comparison.

    `network` and `opponent` are fraction of the rows -> experiment.
    """
    rows = dataset.about.examples["train"]
    marked = []
    for share in sorted(network.keys() & opponent.keys()):
        pair = verdicts.compare(dataset.evaluation, network[share], opponent[share])
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
    entries = {
        name: entry
        for name, entry in dataset.experiments.items()
        if entry.score(dataset.about.metric)
    }
    curves = []
    for whole, entry in entries.items():
        fractions = {
            other.share: name
            for name, other in entries.items()
            if other.share < 1 and _options(other) == _options(entry)
        }
        if entry.share == 1 and not entry.repeats and fractions:
            curves.append(dict(sorted(fractions.items())) | {1.0: whole})
    return sorted(curves, key=lambda curve: not entries[curve[1.0]].recurrent)


def _options(entry: Entry) -> tuple[Any, ...]:
    """Return what is known of an experiment's options besides the share of the rows."""
    return entry.model, entry.method, entry.layers, entry.trials
