"""Axes, and what is drawn on them: a dot and its interval in a row, lines in a plot.
The page's template draws them.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pipeline.evaluation.claims import Verdict
from pipeline.evaluation.outcome import Outcome
from pipeline.evaluation.schema import Stat
from pipeline.metrics import MEASURES
from pipeline.report import titles
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
        """Per cent of the way; below 0 or above 100 where it is off the axis."""
        low, high, value = (
            math.log(max(end, 1e-300)) if self.log else end
            for end in (self.low, self.high, value)
        )
        return 100 * (value - low) / (high - low)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Where round numbers, or dates, lie, and what they are, without those that are
        too near.
        """
        from matplotlib.ticker import Locator, LogLocator, MaxNLocator

        if self.marked or self.kind == "time":
            return [
                (round(self.place(value), 2), words)
                for value, words in self.marked or self._dates()
            ]
        locator: Locator = MaxNLocator(4, integer=self.kind == "whole")
        if self.log and self.high / self.low >= FAR:
            locator = LogLocator(subs=(1,) if self.high / self.low > 100 else (1, 3))
        values = [
            float(value)
            for value in locator.tick_values(self.low, self.high)
            if self.low <= value <= self.high
        ]
        words = short if self.kind != "share" else lambda value: f"{100 * value:g} %"
        ticks: list[tuple[float, str]] = []
        for value in values:
            if not ticks or self.place(value) - ticks[-1][0] > APART:
                ticks.append((round(self.place(value), 2), words(value)))
        return ticks

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
        """A value and the ends of its interval."""
        dot, low, high = (
            round(min(100.0, max(0.0, self.place(end))), 2) for end in (value, *ends)
        )
        cut = "low " * (min(value, *ends) < self.low) + "high" * (
            max(value, *ends) > self.high
        )
        return IntervalMark(
            dot, low, high, cut.strip(), beyond=not self.low <= value <= self.high
        )


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
        """From point to point."""
        return "M" + between.join(
            f"{self.x.place(x):.1f},{100 - self.y.place(y):.1f}{after}"
            for x, y in points
        )

    def dots(self, line: Line) -> str:
        """Lines without a length, whose round ends are dots whatever the shape of the
        plot.
        """
        return self.path(line.points, "M", "h0")

    def area(self, line: Line) -> str:
        """Along the low ends of the band, and back along the high ones."""
        return self.path(
            [
                *((x, low) for x, low, _ in line.band),
                *((x, high) for x, _, high in line.band[::-1]),
            ]
        )


def ranking(
    dataset: Evaluated, names: Iterable[str], unit: float = 1.0
) -> tuple[Axis, dict[str, IntervalMark]]:
    """Experiment, or what a floor is -> where its score on test lies, by the weights
    that validation chose.

    Those without a score are not in it; `unit` is that of the data, or 1.
    """
    scores = {
        name: stat
        for name in names
        if (stat := dataset.experiments[name].score(dataset.about.metric))
    }
    axis = _axis(dataset, scores, unit)
    marks = {
        name: axis.mark(unit * stat.mean, [unit * end for end in _ends(stat)])
        for name, stat in scores.items()
    }
    return axis, marks | {
        words: axis.mark(unit * floor, [unit * floor] * 2)
        for words, floor in dataset.about.floors.items()
    }


def _ends(stat: Stat) -> tuple[float, float]:
    return stat.mean_ci or (stat.mean, stat.mean)


def _axis(dataset: Evaluated, scores: dict[str, Stat], unit: float) -> Axis:
    """Over all means and their intervals; but what is far better than every network is
    off it.
    """
    about = dataset.about
    metric = dataset.about.metric
    label = f"Test {title(metric)}{f', {about.scale.unit}' if unit != 1 else ''}"
    values = [
        unit * value for stat in scores.values() for value in (stat.mean, *_ends(stat))
    ]
    if MEASURES[metric].higher:
        low = max(0.0, min(values, default=0.0))
        high = min(1.0, max(values, default=1.0))
        margin = 0.04 * (high - low) or 0.02
        return Axis(
            low - margin, high + margin, f"{label}: right is better", kind="share"
        )
    positive = [value for value in values if value > 0] or [1.0]
    networks = [
        unit * stat.mean
        for name, stat in scores.items()
        if not dataset.experiments[name].baseline
    ]
    low = max(min(positive), min(networks, default=0.0) / FAR)
    high = max(positive)
    margin = max((high / low) ** 0.04, 1.005)
    return Axis(low / margin, high * margin, f"{label}, log: left is better", log=True)


def standing(dataset: Evaluated) -> Strips:
    """The picture that says the answer: those that are compared and the best of each
    other family, best first.
    """
    metric = dataset.about.metric
    scale = dataset.about.scale
    unit = scale.std if metric == "mae" and scale.unit else 1.0
    whole = {
        name: stat.mean
        for name in dataset.whole
        if (stat := dataset.experiments[name].score(metric))
    }
    order = sorted(whole, key=lambda name: whole[name], reverse=MEASURES[metric].higher)
    compared = {
        name for answer in dataset.answers for name in (answer.network, answer.opponent)
    }
    best = {dataset.families[name]: name for name in reversed(order)}.values()
    names = sorted(
        (name for name in order if name in compared or name in best),
        key=lambda name: name not in compared,
    )
    axis, marks = ranking(dataset, names[:STANDING], unit)
    short_titles = {
        name: capital(titles.brief(dataset.titles[name])) for name in names[:STANDING]
    }
    short_titles |= {
        name: f"{words}, tuned"
        for name, words in short_titles.items()
        if dataset.experiments[name].trials
    }
    counts = Counter(short_titles.values())
    strips = []
    for name in sorted(names[:STANDING], key=order.index):
        words = (
            short_titles[name]
            if counts[short_titles[name]] == 1
            else capital(dataset.titles[name])
        )
        strip = Strip(
            words,
            measured(unit * whole[name], metric),
            dataset.families[name],
            marks[name],
        )
        strips.append(replace(strip, strong=name in compared))
    opponent = marks.get(dataset.opponent or "")
    return Strips(
        axis, strips, opponent.dot if opponent and not opponent.beyond else None
    )


CHANGES = Axis(0.5, 2.0, "error with recurrence / without", log=True)
"""Of a ratio of two errors: from half to twice."""


def figures(verdicts: Iterable[Verdict]) -> Strips:
    """Every measured figure that is rebuilt, as its fraction of the published one; of
    accuracies that of errors.
    """
    fractions = []
    for verdict in verdicts:
        claim = verdict.claim
        rebuilt = verdict.rebuilt
        if claim.kind != "figure" or rebuilt is None:
            continue
        values = (
            float(str(claim.value)),
            rebuilt.mean,
            *(verdict.interval or [rebuilt.mean] * 2),
            *claim.printed(),
        )
        published, *others = (
            1 - value if claim.metric.endswith("accuracy") else value
            for value in values
        )
        mean, *ends = (value / published for value in others)
        fractions.append((verdict, mean, sorted(ends[:2]), sorted(ends[2:])))
    far = max(
        (max(mean, 1 / max(mean, 1e-9)) for _, mean, _, _ in fractions), default=1.0
    )
    reach = next((reach for reach in REACHES if far <= reach), FAR)
    marked = [(value, short(value)) for value in REACHES[reach]]
    axis = Axis(
        1 / reach,
        reach,
        "rebuilt / published; of accuracies the error rates",
        log=True,
        marked=marked,
    )
    strips = []
    for verdict, mean, ends, band in fractions:
        ours = rebuilt_cell(verdict)
        text = f"{published_cell(verdict).text} → {ours.text} {f'({ours.small})' if ours.small else ''}".rstrip()
        colour = {Outcome.HOLDS: "good", Outcome.FAILS: "bad"}.get(
            verdict.outcome, "warn"
        )
        marks = axis.mark(mean, ends), axis.mark(1.0, band)
        strips.append(
            Strip(capital(verdict.claim.words), text, colour, *marks, verdict.outcome)
        )
    return Strips(axis, strips, round(axis.place(1.0), 2))
