"""Charts that the page draws with its own boxes: a dot and its interval on one axis, a row each."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.evaluation import answers
from pipeline.evaluation.claims import Verdict
from pipeline.evaluation.schema import Difference, Entry, Stat
from pipeline.metrics import MEASURES
from pipeline.report.claims_table import one_value
from pipeline.report.formatting import measured, short, signed, spread, title
from pipeline.report.results import Evaluated

REACH = 10.0
"""How many times better than the best network a score may be on a logarithmic axis before it stands at the edge."""

FAR = 10.0
"""The same for a rebuilt figure beside the published one."""


@dataclass(frozen=True)
class Axis:
    """From `low` to `high`; logarithmic or not."""

    low: float
    high: float
    log: bool

    def place(self, value: float) -> float:
        """Per cent of the way; what lies outside stands at the edge."""
        low, high = self._map(self.low), self._map(self.high)
        return round(100 * min(1.0, max(0.0, (self._map(value) - low) / (high - low))), 2)

    def ticks(self, metric: str = "") -> list[tuple[float, str]]:
        """Where round numbers lie, and what they are."""
        from matplotlib.ticker import LogLocator, MaxNLocator

        wide = self.log and self.high / self.low >= FAR
        locator = LogLocator(subs=(1,) if self.high / self.low > 100 else (1, 3)) if wide else MaxNLocator(4)
        values = [float(value) for value in locator.tick_values(self.low, self.high) if self.low <= value <= self.high]
        every = -(-len(values) // 5)
        words = (f"{100 * value:g} %" if metric == "accuracy" else f"{value:g}" for value in values[::every])
        return list(zip(map(self.place, values[::every]), words, strict=True))

    def _map(self, value: float) -> float:
        return math.log(max(value, 1e-300)) if self.log else value


@dataclass(frozen=True)
class Mark:
    """A dot at `dot`, and a bar from `low` to `high`, in per cent of the axis; `beyond` where the dot is off it."""

    dot: float
    low: float
    high: float
    beyond: bool = False


@dataclass(frozen=True)
class Ranked:
    """A row of a ranking.

    Attributes:
        name: of the experiment; of a floor, what it is.
        title: the experiment in words.
        kind: "network", "recurrent", "baseline" or "floor".
        mark: on the axis.
        score: as text, and `small` how sure it is.
        value: the score.
        against: the difference to the strongest that has no recurrence, and the outcome.
        parameters, seeds: of the experiment.
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
    base = answers.strongest_opponent(one.wanted)
    compared = answers.against(one.wanted, base)
    scored = {name: stat for name, entry in one.experiments.items() if (stat := entry.score(metric))}
    ends = {name: [*_ends(stat), stat.mean] for name, stat in scored.items()}
    axis = _axis(ends, [name for name in ends if not one.experiments[name].baseline], log=not higher)
    rows = [
        Ranked(
            name,
            one.titles.get(name, ""),
            _kind(one.experiments[name]),
            _mark(axis, stat.mean, _ends(stat)),
            measured(stat, metric),
            spread(stat, metric),
            stat.mean,
            parameters=short(one.experiments[name].parameters),
            seeds=str(len(one.experiments[name].seeds)) if one.experiments[name].varies else "",
            **_against(compared.get(name), metric),
        )
        for name, stat in scored.items()
    ]
    rows += [
        Ranked(words, "", "floor", _mark(axis, value, (value, value)), one_value(value, metric, ""), "", value)
        for words, value in one.about.floors.items()
    ]
    rows.sort(key=lambda row: -row.value if higher else row.value)
    label = f"Test {title(metric)}" + (", as selected" if "validation" in one.about.examples else "")
    return Ranking(label, base, axis, metric, rows)


@dataclass(frozen=True)
class Answer:
    """Does a data set need a recurrent network: yes, no or cannot tell (or nothing), who is compared, and by how much
    they differ.
    """

    word: str
    who: str
    words: str


def answer(one: Evaluated) -> Answer:
    """What the page says of `pipeline.evaluation.answers.answer`."""
    found = answers.answer(one.wanted)
    if found.reason in (answers.NOTHING, answers.NO_PAST):
        return Answer("", "", found.reason)
    who = f"{found.network} against {found.opponent}"
    if found.difference is None:
        return Answer(found.outcome, who, found.reason)
    word = {answers.BETTER: "yes", answers.WORSE: "no"}.get(found.outcome, found.outcome)
    return Answer(word, who, f"{title(one.about.metric)} {_signed(found.difference.sure, one.about.metric)}")


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
    shares: list[tuple[Verdict, float, tuple[float, float], tuple[float, float]]] = []
    for verdict in verdicts:
        claim = verdict.claim
        if claim.kind != "figure" or verdict.rebuilt is None:
            continue
        right = claim.metric.endswith("accuracy")
        published = _error(float(str(claim.value)), right)
        interval = verdict.interval or (verdict.rebuilt.mean, verdict.rebuilt.mean)
        ends = sorted(_error(end, right) / published for end in interval)
        band = sorted(_error(end, right) / published for end in claim.printed())
        mean = _error(verdict.rebuilt.mean, right) / published
        shares.append((verdict, mean, (ends[0], ends[1]), (band[0], band[1])))
    every = [value for _, mean, ends, band in shares for value in (mean, *ends, *band) if value > 0]
    axis = Axis(max(min(every, default=0.5), 1 / FAR) / 1.1, min(max(every, default=2.0), FAR) * 1.1, log=True)
    rows = [
        Figure(
            verdict.claim.words,
            verdict.outcome,
            _mark(axis, mean, ends),
            _mark(axis, 1.0, band),
            f"rebuilt is {mean:.3g} times the published, one more run {ends[0]:.3g} to {ends[1]:.3g}",
        )
        for verdict, mean, ends, band in shares
    ]
    return axis, rows


def _error(value: float, right: bool) -> float:
    return 1 - value if right else value


def _kind(entry: Entry) -> str:
    return "baseline" if entry.baseline else "recurrent" if entry.recurrent else "network"


def _ends(stat: Stat) -> tuple[float, float]:
    return stat.sure or (stat.mean, stat.mean)


def _axis(ends: Mapping[str, Sequence[float]], networks: Sequence[str], *, log: bool) -> Axis:
    """Over all ends and means; but what is far better than every network is off it."""
    every = [value for values in ends.values() for value in values]
    if log:
        known = [value for value in every if value > 0] or [1.0]
        best = min((ends[name][-1] for name in networks), default=0.0)
        return Axis(max(min(known), best / REACH) / 1.1, max(known) * 1.1, log=True)
    low, high = max(0.0, min(every, default=0.0)), min(1.0, max(every, default=1.0))
    margin = 0.04 * (high - low) or 0.02
    return Axis(low - margin, high + margin, log=False)


def _mark(axis: Axis, value: float, ends: tuple[float, float]) -> Mark:
    return Mark(axis.place(value), axis.place(ends[0]), axis.place(ends[1]), not axis.low <= value <= axis.high)


def _against(compared: tuple[Difference, str] | None, metric: str) -> dict[str, str]:
    if compared is None:
        return {}
    difference, outcome = compared
    against, interval = signed(difference.mean, metric), _signed(difference.sure, metric)
    return {"against": against, "interval": interval, "outcome": outcome}


def _signed(interval: tuple[float, float], metric: str) -> str:
    if metric == "accuracy":
        return " to ".join(f"{100 * end:+.2f}" for end in interval) + " points"
    return " to ".join(f"{end:+.3g}" for end in interval)
