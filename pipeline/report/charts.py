"""Axes, and what is drawn on them: a dot and its interval in a row, lines in a plot.
The page's template draws them.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pipeline.evaluation.claims import Outcome, Verdict
from pipeline.evaluation.schema import Stat
from pipeline.metrics import MEASURES
from pipeline.report.formatting import capital, measured, short, title
from pipeline.report.result_tables import published_cell, rebuilt_cell
from pipeline.report.results import Evaluated

FAR = 10.0
"""Times that a score may be better than the best network before it lies off a
logarithmic axis; and how many times the high end of such an axis has to be the low one
for ticks at powers of ten.
"""

STANDING = 6
"""Models in the picture that says a data set's answer, at most."""

REACHES = {
    1.25: (0.8, 0.9, 1, 1.1, 1.25),
    2.0: (0.5, 0.7, 1, 1.4, 2),
    FAR: (0.1, 0.3, 1, 3, 10),
}
"""How far from 1 an axis of ratios may reach -> what stands at it: the first that holds
every mean, else the last."""

APART = 24.0
"""Per cent of an axis between two of its numbers, at least."""


@dataclass(frozen=True)
class Axis:
    """From `low` to `high`, with a name and a unit.

    Attributes:
        kind: "number", "whole", "share" (shown in per cent), or "time" (seconds since
            1970).
        marked: values and what stands at each, in place of round numbers.
    """

    low: float
    high: float
    label: str = ""
    log: bool = False
    kind: str = "number"
    marked: Sequence[tuple[float, str]] = ()

    def place(self, value: float) -> float:
        """Return the per cent of the way; below 0 or above 100 where it is off the
        axis.
        """
        low = self.low
        high = self.high
        if self.log:
            low, high, value = (
                math.log(max(end, 1e-300)) for end in (low, high, value)
            )
        return 100 * (value - low) / (high - low)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Where round numbers, or dates, lie, and what they are, without those that are
        too near.
        """
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
        # With fewer ticks no interval fits some ranges (60 to 72 hours, 30 to 36
        # months), and Matplotlib warns.
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
    """A dot, which is `beyond` if it is off the axis and stands at its end, and a bar,
    in per cent of the axis.

    `cut` names the ends of the axis that dot or bar go beyond: "low", "high" or both.
    """

    dot: float
    low: float
    high: float
    cut: str
    beyond: bool


@dataclass(frozen=True)
class Strip:
    """A row of `Strips`: words, figures, a colour of the style sheet, a mark before a
    grey band, a verdict.

    It is `strong` if it is one of those that the picture is about.
    """

    words: str
    text: str
    colour: str
    mark: IntervalMark
    band: IntervalMark | None = None
    outcome: Outcome | None = None
    strong: bool = False


@dataclass(frozen=True)
class Strips:
    """Dots with their intervals on one axis, a row each; `line` is where a line stands
    through all of them.
    """

    axis: Axis
    strips: list[Strip]
    line: float | None = None


@dataclass(frozen=True)
class Line:
    """A line of a plot, or dots where it is not `joined`; `band` has the ends of an
    interval at each x.
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
    """Lines over two axes; `small` is a second line of the title. The paths are SVG's,
    in a square of 100.
    """

    title: str
    x: Axis
    y: Axis
    lines: Sequence[Line]
    small: str = ""

    def path(
        self, points: Iterable[tuple[float, float]], between: str = " ", after: str = ""
    ) -> str:
        """Return the path from point to point."""
        return "M" + between.join(
            f"{self.x.place(x):.1f},{100 - self.y.place(y):.1f}{after}"
            for x, y in points
        )

    def dots(self, line: Line) -> str:
        """Return lines without a length, whose round ends are dots whatever the shape
        of the plot.
        """
        return self.path(line.points, "M", "h0")

    def area(self, line: Line) -> str:
        """Return the path along the low ends of the band, and back along the high ones."""
        low = [(x, end) for x, end, _ in line.band]
        high = [(x, end) for x, _, end in line.band]
        return self.path(low + high[::-1])


def ranking(
    dataset: Evaluated, names: Iterable[str], unit: float = 1.0
) -> tuple[Axis, dict[str, IntervalMark]]:
    """Return where each experiment, and each floor, lies by its score on test, by the
    weights that validation chose.

    Args:
        dataset: with the scores.
        names: of the experiments; those without a score are left out.
        unit: that of the data, or 1.

    Returns:
        The axis, and experiment or floor -> its mark.
    """
    metric = dataset.about.metric
    stats = {name: dataset.experiments[name].score(metric) for name in names}
    # of each the mean and the ends of its interval
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
    """Return an axis over all means and intervals; what is far better than every
    network is off it.
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
        if not dataset.experiments[name].baseline
    ]
    low = max(min(positive), min(networks, default=0.0) / FAR)
    high = max(positive)
    margin = max((high / low) ** 0.04, 1.005)
    return Axis(low / margin, high * margin, f"{label}, log: left is better", log=True)


def standing(dataset: Evaluated) -> Strips:
    """Return the picture that says the answer: those that are compared and the best of
    each other family, best first.
    """
    metric = dataset.about.metric
    scale = dataset.about.scale
    unit = scale.std if metric == "mae" and scale.unit else 1.0
    stats = {name: dataset.experiments[name].score(metric) for name in dataset.whole}
    means = {name: stat.mean for name, stat in stats.items() if stat}
    order = sorted(means, key=means.__getitem__, reverse=MEASURES[metric].higher)
    best = {dataset.families[name]: name for name in reversed(order)}.values()
    compared = [name for name in order if name in dataset.compared]
    others = [name for name in order if name in best and name not in compared]
    names = sorted((compared + others)[:STANDING], key=order.index)
    axis, marks = ranking(dataset, names, unit)
    words = {}
    for name in names:
        tuned = ", tuned" if dataset.experiments[name].trials else ""
        words[name] = capital(dataset.short[name]) + tuned
    counts = Counter(words.values())
    strips = []
    for name in names:
        alone = counts[words[name]] == 1
        strip = Strip(
            words[name] if alone else capital(dataset.titles[name]),
            measured(unit * means[name], metric),
            dataset.families[name],
            marks[name],
            strong=name in compared,
        )
        strips.append(strip)
    opponent = marks.get(dataset.opponent or "")
    line = opponent.dot if opponent and not opponent.beyond else None
    return Strips(axis, strips, line)


CHANGES = Axis(0.8, 1.25, "error with recurrence / without", log=True)
"""A ratio of two errors."""

COLOURS = {Outcome.HOLDS: "good", Outcome.FAILS: "bad"}
"""A verdict -> the colour of its strip; of others it is "warn"."""


def figures(verdicts: Iterable[Verdict]) -> Strips:
    """Return every measured figure that is rebuilt, as its fraction of the published
    one; of accuracies that of errors.
    """
    fractions = []
    for verdict in verdicts:
        claim = verdict.claim
        if claim.kind != "figure" or verdict.rebuilt is None:
            continue
        mean = verdict.rebuilt.mean
        values = [float(str(claim.value)), mean]
        values += [*(verdict.interval or (mean, mean)), *claim.printed()]
        if claim.metric.endswith("accuracy"):
            values = [1 - value for value in values]
        published, *others = values
        fractions.append((verdict, [value / published for value in others]))
    far = [max(mean, 1 / max(mean, 1e-9)) for _, (mean, *_) in fractions]
    reach = next((reach for reach in REACHES if max(far, default=1.0) <= reach), FAR)
    marked = [(value, short(value)) for value in REACHES[reach]]
    label = "rebuilt / published; of accuracies the error rates"
    axis = Axis(1 / reach, reach, label, log=True, marked=marked)
    strips = []
    for verdict, (mean, low, high, *printed) in fractions:
        ours = rebuilt_cell(verdict)
        small = f" ({ours.small})" if ours.small else ""
        strip = Strip(
            capital(verdict.claim.words),
            f"{published_cell(verdict).text} → {ours.text}{small}",
            COLOURS.get(verdict.outcome, "warn"),
            axis.mark(mean, sorted((low, high))),
            axis.mark(1.0, sorted(printed)),
            verdict.outcome,
        )
        strips.append(strip)
    return Strips(axis, strips, round(axis.place(1.0), 2))
