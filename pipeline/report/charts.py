"""Charts that the page draws with its own boxes: a dot and its interval on one axis, a row each."""

import math
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from pipeline.evaluation import answers
from pipeline.evaluation.claims import Verdict
from pipeline.evaluation.schema import Stat
from pipeline.metrics import MEASURES
from pipeline.report.formatting import measured, short, signed, signed_between, spread, title
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
        kind: "network", "recurrent", "baseline" or "floor".
        small: how sure the score is.
        against, interval, outcome: of the difference to the strongest that has no recurrence.
    """

    name: str
    title: str
    kind: str
    mark: Mark
    score: str
    small: str
    value: float
    against: str = ""
    interval: str = ""
    outcome: str = ""
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
        entry, title_, against = one.experiments[name], one.titles.get(name, ""), {}
        if name in compared:
            difference, ends, outcome = compared[name]
            interval = signed_between(ends, metric)
            against = {"against": signed(difference.mean, metric), "interval": interval, "outcome": outcome}
        kind = "baseline" if entry.baseline else "recurrent" if entry.recurrent else "network"
        mark, text, small = axis.mark(stat.mean, _ends(stat)), measured(stat, metric), spread(stat, metric)
        more = {"parameters": short(entry.parameters), "seeds": str(len(entry.seeds)) if entry.varies else ""}
        rows.append(Ranked(name, title_, kind, mark, text, small, stat.mean, **more, **against))
    rows += [
        Ranked(words, "", "floor", axis.mark(value, (value, value)), measured(value, metric), "", value)
        for words, value in one.about.floors.items()
    ]
    rows.sort(key=lambda row: -row.value if higher else row.value)
    label = f"Test {title(metric)}" + (", as selected" if "validation" in one.about.examples else "")
    return Ranking(label, base, axis, metric, rows)


@dataclass(frozen=True)
class Answer:
    """Does a data set need a recurrent network: which ones, yes, no, cannot tell or nothing; who differs, and how."""

    networks: str
    word: str
    who: str
    words: str


def answer(one: Evaluated, found: answers.Answer) -> Answer:
    """What the page says of one of its answers."""
    if found.reason in (answers.NOTHING, answers.NO_PAST):
        return Answer(found.networks, "", "", found.reason)
    who = f"{found.network} against {found.opponent}"
    if found.interval is None:
        return Answer(found.networks, found.outcome, who, found.reason)
    word = {answers.BETTER: "yes", answers.WORSE: "no"}.get(found.outcome, found.outcome)
    metric = one.about.metric
    return Answer(found.networks, word, who, f"{title(metric)} {signed_between(found.interval, metric)}")


@dataclass(frozen=True)
class Figure:
    """A published figure as a row: the rebuilt one and its interval as shares of it, and what its digits imply."""

    words: str
    outcome: str
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
