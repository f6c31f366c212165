"""Axes and marks: dots with their intervals in a row, and lines in a plot.

The page's template draws them.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pipeline.evaluation.schema import Stat
from pipeline.metrics import MEASURES
from pipeline.report.formatting import short, title
from pipeline.report.results import Evaluated

FAR = 10.0
"""A ratio that counts as far on a logarithmic axis.

A score that is so many times better than the best network lies off the axis. An axis
whose high end is so many times its low end has ticks at powers of ten.
"""

STANDING = 6
"""Most models in the picture of a data set's answer."""

APART = 24.0
"""Least distance between two numbers of an axis, in per cent of the axis."""


@dataclass(frozen=True)
class Axis:
    """An axis from `low` to `high`.

    Attributes:
        low, high: the ends.
        label: the name of the axis, with its unit.
        log: whether the axis is logarithmic.
        kind: "number", "whole", "share" (shown in per cent), or "time" (seconds since
            1970).
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
        low = self.low
        high = self.high
        if self.log:
            low = math.log(max(low, 1e-300))
            high = math.log(max(high, 1e-300))
            value = math.log(max(value, 1e-300))
        return 100 * (value - low) / (high - low)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """The ticks: place in per cent, and text. Ticks that are too near are left out."""
        if self.marked:
            return [(round(self.place(at), 2), words) for at, words in self.marked]
        if self.kind == "time":
            return [(round(self.place(at), 2), words) for at, words in self._dates()]
        ticks: list[tuple[float, str]] = []
        for value in self._round_numbers():
            if not ticks or self.place(value) - ticks[-1][0] > APART:
                words = f"{100 * value:g} %" if self.kind == "share" else short(value)
                ticks.append((round(self.place(value), 2), words))
        return ticks

    @property
    def ends(self) -> list[tuple[float, str]]:
        """The first and the last tick, for a narrow axis; the first alone if the two
        are less than half of the axis apart.
        """
        first, *others = self.ticks or [(0.0, "")]
        far = [tick for tick in others[-1:] if tick[0] - first[0] > 50]
        return [first, *far]

    def _round_numbers(self) -> list[float]:
        from matplotlib.ticker import Locator, LogLocator, MaxNLocator

        locator: Locator = MaxNLocator(4, integer=self.kind == "whole")
        if self.log and self.high / self.low >= FAR:
            locator = LogLocator(subs=(1,) if self.high / self.low > 100 else (1, 3))
        values = map(float, locator.tick_values(self.low, self.high))
        return [value for value in values if self.low <= value <= self.high]

    def _dates(self) -> list[tuple[float, str]]:
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

        ends = (datetime.fromtimestamp(end, UTC) for end in (self.low, self.high))
        # With fewer ticks, Matplotlib finds no interval for some ranges (60 to 72 hours)
        # and warns.
        locator = AutoDateLocator(minticks=3, maxticks=7)  # type: ignore[no-untyped-call]
        values = map(float, locator.tick_values(*ends))  # type: ignore[no-untyped-call]
        days = [day for day in values if self.low <= 86_400 * day <= self.high]
        words = ConciseDateFormatter(locator).format_ticks(days)  # type: ignore[no-untyped-call]
        return [(86_400 * day, text) for day, text in zip(days, words, strict=True)]

    def mark(self, value: float, ends: Sequence[float]) -> "IntervalMark":
        """Return the mark of a value and the ends of its interval."""
        places = [self.place(end) for end in (value, *ends)]
        dot, low, high = (round(min(100.0, max(0.0, place)), 2) for place in places)
        cut = []
        if min(value, *ends) < self.low:
            cut.append("low")
        if max(value, *ends) > self.high:
            cut.append("high")
        beyond = not self.low <= value <= self.high
        return IntervalMark(dot, low, high, " ".join(cut), beyond)


@dataclass(frozen=True)
class IntervalMark:
    """A dot and a bar, in per cent of an axis.

    Attributes:
        dot: the place of the dot.
        low, high: the ends of the bar.
        cut: the ends of the axis that dot or bar go beyond: "low", "high" or both.
        beyond: whether the dot itself is off the axis; it stands at the end.
    """

    dot: float
    low: float
    high: float
    cut: str
    beyond: bool


@dataclass(frozen=True)
class Line:
    """A line of a plot.

    Attributes:
        words: the name in the legend.
        colour: a colour of the style sheet.
        points: x and y of each point.
        dash: the kind of line.
        band: x, and the low and high end of an interval there.
        dotted: whether each point has a dot.
        joined: whether a line joins the points.
    """

    words: str
    colour: str
    points: Sequence[tuple[float, float]] = ()
    dash: str = "solid"
    band: Sequence[tuple[float, float, float]] = ()
    dotted: bool = False
    joined: bool = True


@dataclass(frozen=True)
class Plot:
    """Lines over two axes.

    Its methods return paths of SVG in a square of 100 by 100.
    """

    title: str
    x: Axis
    y: Axis
    lines: Sequence[Line]

    def path(
        self, points: Iterable[tuple[float, float]], between: str = " ", after: str = ""
    ) -> str:
        """Return the path from point to point."""
        return "M" + between.join(
            f"{self.x.place(x):.1f},{100 - self.y.place(y):.1f}{after}"
            for x, y in points
        )

    def dots(self, line: Line) -> str:
        """Return a path of lines without length.

        Their round ends look like dots, whatever the shape of the plot.
        """
        return self.path(line.points, "M", "h0")

    def area(self, line: Line) -> str:
        """Return the path along the low ends of the band, and back along its high ends."""
        low = [(x, end) for x, end, _ in line.band]
        high = [(x, end) for x, _, end in line.band]
        return self.path(low + high[::-1])


def ranking(
    dataset: Evaluated, names: Iterable[str], unit: float = 1.0
) -> tuple[Axis, dict[str, IntervalMark]]:
    """Return the marks of experiments and floors on an axis of scores on test.

    Scores are with the weights that validation chose.

    Args:
        dataset: the data set.
        names: the names of the experiments; experiments without a score are left out.
        unit: the factor from scores to the unit of the data, or 1.

    Returns:
        The axis, and experiment or floor -> its mark.
    """
    metric = dataset.about.metric
    stats = {name: dataset.experiments[name].score(metric) for name in names}
    # Experiment -> the mean and the ends of its interval.
    scores = {
        name: [unit * value for value in (stat.mean, *_ends(stat))]
        for name, stat in stats.items()
        if stat
    }
    axis = _axis(dataset, scores, unit)
    marks = {name: axis.mark(mean, ends) for name, (mean, *ends) in scores.items()}
    for words, floor in dataset.about.floors.items():
        marks[words] = axis.mark(unit * floor, (unit * floor, unit * floor))
    return axis, marks


def _ends(stat: Stat) -> tuple[float, float]:
    return stat.mean_ci or (stat.mean, stat.mean)


def _axis(dataset: Evaluated, scores: Mapping[str, list[float]], unit: float) -> Axis:
    """Return an axis over all means and intervals.

    Models that are far better than each network are off the axis.
    """
    about = dataset.about
    label = f"Test {title(about.metric)}"
    if unit != 1:
        label += f", {about.scale.unit}"
    values = [value for ends in scores.values() for value in ends]
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
    low = max(min(positive), min(networks, default=0.0) / FAR)
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
