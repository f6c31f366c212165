"""Charts that the page draws with its own boxes: a dot and its interval on one axis, a row each."""

import math
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any

from pipeline.evaluation import answers
from pipeline.evaluation.answers import Networks
from pipeline.evaluation.claims import Verdict
from pipeline.evaluation.outcome import Outcome
from pipeline.evaluation.schema import Stat
from pipeline.metrics import MEASURES
from pipeline.report.formatting import changed, measured, number, short, signed, spread, title
from pipeline.report.results import Evaluated

FAR = 10.0
"""Times that a score may be better than the best network, and a rebuilt figure off the published one, before it stands
at the edge of a logarithmic axis.
"""


@dataclass(frozen=True)
class Axis:
    """From `low` to `high`; logarithmic or not."""

    low: float
    high: float
    log: bool

    def place(self, value: float) -> float:
        """Per cent of the way; what lies outside stands at the edge."""
        low, high, value = (math.log(max(one, 1e-300)) if self.log else one for one in (self.low, self.high, value))
        return round(100 * min(1.0, max(0.0, (value - low) / (high - low))), 2)

    def ticks(self, metric: str = "") -> list[tuple[float, str]]:
        """Where round numbers lie, and what they are."""
        from matplotlib.ticker import LogLocator, MaxNLocator

        wide = self.log and self.high / self.low >= FAR
        locator = LogLocator(subs=(1,) if self.high / self.low > 100 else (1, 3)) if wide else MaxNLocator(4)
        values = [float(value) for value in locator.tick_values(self.low, self.high) if self.low <= value <= self.high]
        words = "{:g}".format if metric != "accuracy" else lambda value: f"{100 * value:g} %"
        return [(self.place(value), words(value)) for value in values[:: -(-len(values) // 5)]]

    def mark(self, value: float, ends: Sequence[float]) -> "Mark":
        """A value and the ends of its interval."""
        return Mark(self.place(value), self.place(ends[0]), self.place(ends[1]), not self.low <= value <= self.high)


@dataclass(frozen=True)
class Mark:
    """A dot at `dot`, and a bar from `low` to `high`, in per cent of the axis; `beyond` where the dot is off it."""

    dot: float
    low: float
    high: float
    beyond: bool


@dataclass(frozen=True)
class Ranked:
    """A row of a ranking, as text but for `value`, the score; an experiment, or a floor and what it is.

    Attributes:
        family: whose colour it has; "floor" of a floor.
        small: how sure the score is.
        change, interval, outcome: of its error against that of the best without recurrence.
    """

    name: str
    title: str
    family: str
    mark: Mark
    score: str
    small: str
    value: float
    change: str = ""
    interval: str = ""
    outcome: Outcome | None = None
    parameters: str = ""
    seeds: str = ""


@dataclass(frozen=True)
class Ranking:
    """Every experiment of a data set by its score on test, the best first."""

    label: str
    base: str | None
    axis: Axis
    metric: str
    rows: list[Ranked]


def ranking(one: Evaluated) -> Ranking:
    """Test scores by the weights that validation chose, where it chooses, else by the last ones."""
    metric, higher = one.about.metric, MEASURES[one.about.metric].higher
    base = answers.strongest_opponent(one.evaluation)
    compared = answers.against(one.evaluation, base)
    scored = {name: stat for name, entry in one.experiments.items() if (stat := entry.score(metric))}
    axis = _axis(scored, {name for name in scored if not one.experiments[name].baseline}, log=not higher)
    rows = []
    for name, stat in scored.items():
        entry, against = one.experiments[name], dict[str, Any]()
        if name in compared:
            difference, ends, outcome = compared[name]
            against = {"outcome": outcome, "change": signed(difference.mean, metric)}
            if change := answers.change(one.evaluation, base, difference, ends):
                against["change"], against["interval"] = changed(change)
        mark, text, small = axis.mark(stat.mean, _ends(stat)), measured(stat, metric), spread(stat, metric)
        against |= {"parameters": short(entry.parameters), "seeds": str(len(entry.seeds)) if entry.varies else ""}
        rows.append(Ranked(name, one.titles[name], one.families[name], mark, text, small, stat.mean, **against))
    rows += [
        Ranked("", words, "floor", axis.mark(value, (value, value)), measured(value, metric), "", value)
        for words, value in one.about.floors.items()
    ]
    rows.sort(key=lambda row: -row.value if higher else row.value)
    label = f"Test {title(metric)}" + (", as selected" if "validation" in one.about.examples else "")
    return Ranking(label, one.titles[base] if base else None, axis, metric, rows)


CHANGES = Axis(-1.0, 0.5, log=False)
"""Of a change of the error, none of which is less than -100 %."""


@dataclass(frozen=True)
class Side:
    """One of the two that an answer compares: the model, and its error on test."""

    title: str
    score: str

    @property
    def brief(self) -> str:
        """Its title without how it was trained and what it sees."""
        return self.title.split(", ")[0].split(" on ")[0]

    def __str__(self) -> str:
        return f"{self.brief} {self.score}"


@dataclass(frozen=True)
class Answer:
    """An answer as text: what is asked, whether a recurrent network helps, the two models and the change between them.

    Attributes:
        networks: which networks are asked about, where that has to be said.
        change, interval: of the error; without a change the difference itself, or why there is none.
        mark: of the change on `CHANGES`; None where there is none.
    """

    question: str
    networks: str
    outcome: Outcome
    without: Side | None
    best: Side | None
    change: str
    interval: str = ""
    mark: Mark | None = None

    @property
    def tuned(self) -> bool:
        """Whether the networks asked about are tuned ones."""
        return self.networks == Networks.TUNED

    @property
    def sentence(self) -> str:
        """The two models and the change, in a line."""
        if self.without is None or self.best is None:
            return capital(self.change)
        change = f"{self.change} error" if self.mark else self.change
        sides = capital(f"{self.best.title} against {self.without.title}")
        return f"{sides}: {change}{f' ({self.interval})' if self.interval else ''}"

    @property
    def line(self) -> str:
        """The answer, and after it the sentence."""
        return f"{self.outcome}{f' ({self.networks})' if self.networks else ''}: {self.sentence}"


def answer(one: Evaluated, found: answers.Answer) -> Answer:
    """What is said of one of a data set's answers."""
    networks = str(found.networks) if len(one.answers) > 1 else ""
    without, best = _side(one, found.opponent), _side(one, found.network)
    known = Answer(capital(one.question), networks, found.outcome, without, best, "")
    if found.outcome == Outcome.NOT_ASKED:
        return replace(known, without=None, best=None, change=found.reason)
    if found.difference is None or found.interval is None:
        return replace(known, change=found.reason)
    if found.change:
        change, interval = changed(found.change)
        mark = CHANGES.mark(found.change.mean, found.change.interval)
        return replace(known, change=change, interval=interval, mark=mark)
    metric = one.about.metric
    mean, *ends = (signed(value, metric) for value in (found.difference.mean, *found.interval))
    return replace(known, change=f"{title(metric)} {mean}", interval=" to ".join(ends))


def _side(one: Evaluated, name: str | None) -> Side | None:
    """A model by its title, but for how it was trained, and its error: in the data's unit where they have one."""
    if name is None or one.experiments[name].score(one.about.metric) is None:
        return None
    scores = one.experiments[name].chosen["test"]
    words, stat = one.titles[name], scores[one.about.metric]
    if MEASURES[one.about.metric].higher:
        return Side(words, f"{100 * (1 - stat.mean):.2f} % wrong")
    if one.about.metric == "mae" and "mae_unit" in scores:
        return Side(words, f"{number(scores['mae_unit'].mean, 3)} {one.about.scale.unit}")
    return Side(words, f"{title(one.about.metric)} {number(stat.mean, 3)}")


def capital(text: str) -> str:
    """The first letter in upper case."""
    return text[:1].upper() + text[1:]


@dataclass(frozen=True)
class Figure:
    """A published figure as a row: the rebuilt one and its interval as shares of it, and what its digits imply."""

    words: str
    outcome: Outcome
    mark: Mark
    band: Mark
    text: str


def figures(verdicts: Sequence[Verdict]) -> tuple[Axis, list[Figure]]:
    """Every measured figure that is rebuilt, as its share of the published one; of accuracies the share of errors."""
    shares = []
    for verdict in verdicts:
        claim, rebuilt = verdict.claim, verdict.rebuilt
        if claim.kind != "figure" or rebuilt is None:
            continue
        values = (float(str(claim.value)), rebuilt.mean, *(verdict.interval or [rebuilt.mean] * 2), *claim.printed())
        published, *others = (1 - value if claim.metric.endswith("accuracy") else value for value in values)
        mean, *ends = (value / published for value in others)
        shares.append((verdict, mean, sorted(ends[:2]), sorted(ends[2:])))
    every = [value for _, mean, ends, band in shares for value in (mean, *ends, *band) if value > 0]
    axis = Axis(max(min(every, default=0.5), 1 / FAR) / 1.1, min(max(every, default=2.0), FAR) * 1.1, log=True)
    rows = [
        Figure(
            verdict.claim.words,
            verdict.outcome,
            axis.mark(mean, ends),
            axis.mark(1.0, band),
            f"rebuilt is {mean:.3g} times the published, one more run {ends[0]:.3g} to {ends[1]:.3g}",
        )
        for verdict, mean, ends, band in shares
    ]
    return axis, rows


def _ends(stat: Stat) -> tuple[float, float]:
    return stat.mean_ci or (stat.mean, stat.mean)


def _axis(scored: Mapping[str, Stat], networks: AbstractSet[str], *, log: bool) -> Axis:
    """Over all means and their intervals; but what is far better than every network is off it."""
    every = [value for stat in scored.values() for value in (stat.mean, *_ends(stat))]
    if log:
        known = [value for value in every if value > 0] or [1.0]
        best = min((scored[name].mean for name in networks), default=0.0)
        return Axis(max(min(known), best / FAR) / 1.1, max(known) * 1.1, log=True)
    low, high = max(0.0, min(every, default=0.0)), min(1.0, max(every, default=1.0))
    margin = 0.04 * (high - low) or 0.02
    return Axis(low - margin, high + margin, log=False)
