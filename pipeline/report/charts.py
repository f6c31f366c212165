"""Charts that the page draws with its own boxes, a dot and its interval on one axis; and answers as text."""

import math
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from pipeline.evaluation.answers import Answer, Networks
from pipeline.evaluation.claims import Verdict
from pipeline.evaluation.outcome import Outcome
from pipeline.evaluation.schema import Stat
from pipeline.metrics import MEASURES
from pipeline.report.formatting import capital, comparison_text, number, title
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

    def position(self, value: float) -> float:
        """Per cent of the way; what lies outside stands at the edge."""
        low, high, value = (math.log(max(end, 1e-300)) if self.log else end for end in (self.low, self.high, value))
        return round(100 * min(1.0, max(0.0, (value - low) / (high - low))), 2)

    def ticks(self, metric: str = "") -> list[tuple[float, str]]:
        """Where round numbers lie, and what they are."""
        from matplotlib.ticker import LogLocator, MaxNLocator

        wide = self.log and self.high / self.low >= FAR
        locator = LogLocator(subs=(1,) if self.high / self.low > 100 else (1, 3)) if wide else MaxNLocator(4)
        values = [float(value) for value in locator.tick_values(self.low, self.high) if self.low <= value <= self.high]
        words = "{:g}".format if metric != "accuracy" else lambda value: f"{100 * value:g} %"
        return [(self.position(value), words(value)) for value in values[:: -(-len(values) // 5)]]

    def mark(self, value: float, ends: Sequence[float]) -> "IntervalMark":
        """A value and the ends of its interval."""
        low, high = map(self.position, ends)
        return IntervalMark(self.position(value), low, high, not self.low <= value <= self.high)


@dataclass(frozen=True)
class IntervalMark:
    """A dot at `dot`, and a bar from `low` to `high`, in per cent of the axis; `beyond` where the dot is off it."""

    dot: float
    low: float
    high: float
    beyond: bool


@dataclass(frozen=True)
class Ranking:
    """Where the scores of a data set's table lie: on test by the weights that validation chose, where it does.

    Attributes:
        label: what the score is.
        column: the key of its column in the table.
        marks: experiment, or what a floor is -> where its score lies; without those that have none.
    """

    label: str
    column: str
    axis: Axis
    marks: dict[str, IntervalMark]


def ranking(dataset: Evaluated) -> Ranking:
    """Every experiment that has a score on test, and every floor."""
    metric, validated = dataset.about.metric, "validation" in dataset.about.examples
    scores = {name: stat for name, entry in dataset.experiments.items() if (stat := entry.score(metric))}
    networks = {name for name in scores if not dataset.experiments[name].baseline}
    axis = _axis(scores, networks, log=not MEASURES[metric].higher)
    marks = {name: axis.mark(stat.mean, _ends(stat)) for name, stat in scores.items()}
    marks |= {words: axis.mark(value, (value, value)) for words, value in dataset.about.floors.items()}
    label = f"Test {title(metric)}{', as selected' if validated else ''}"
    return Ranking(label, "test_best" if validated else "test", axis, marks)


def _ends(stat: Stat) -> tuple[float, float]:
    return stat.mean_ci or (stat.mean, stat.mean)


def _axis(scores: Mapping[str, Stat], networks: AbstractSet[str], *, log: bool) -> Axis:
    """Over all means and their intervals; but what is far better than every network is off it."""
    values = [value for stat in scores.values() for value in (stat.mean, *_ends(stat))]
    if log:
        positive = [value for value in values if value > 0] or [1.0]
        best = min((scores[name].mean for name in networks), default=0.0)
        return Axis(max(min(positive), best / FAR) / 1.1, max(positive) * 1.1, log=True)
    low, high = max(0.0, min(values, default=0.0)), min(1.0, max(values, default=1.0))
    margin = 0.04 * (high - low) or 0.02
    return Axis(low - margin, high + margin, log=False)


CHANGES = Axis(-1.0, 0.5, log=False)
"""Of a change of the error, none of which is less than -100 %."""


@dataclass(frozen=True)
class Contender:
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
class AnswerText:
    """An answer as text: the question, whether a recurrent network helps, the two models and the change between them.

    Attributes:
        networks: which networks the question is about, where that has to be said.
        change, interval: of the error; without a change the difference itself.
        reason: why there is no answer, and what would give one.
        mark: of the change on `CHANGES`; None where there is none.
        sceptic: whether a search from outside overturned it; empty where there was none.
    """

    question: str
    networks: str
    outcome: Outcome
    without: Contender | None
    best: Contender | None
    change: str = ""
    interval: str = ""
    reason: str = ""
    mark: IntervalMark | None = None
    sceptic: str = ""

    @property
    def tuned(self) -> bool:
        """Whether the question is about tuned networks."""
        return self.networks == Networks.TUNED

    @property
    def sentence(self) -> str:
        """The two models, the change, and what a sceptic's search came to, in a line."""
        if self.without is None or self.best is None:
            return capital(self.reason)
        models = capital(f"{self.best.title} against {self.without.title}")
        return "; ".join(filter(None, (f"{models}: {self.told}", self.sceptic)))

    @property
    def told(self) -> str:
        """The change with its interval, and what is lacking."""
        error = f" {'the ' * self.change.endswith('times')}error" if self.mark else ""
        change = f"{self.change}{error}{f' ({self.interval})' if self.interval else ''}"
        return "; ".join(filter(None, (change, self.reason)))

    @property
    def line(self) -> str:
        """The answer, and after it the sentence."""
        return f"{self.outcome}{f' ({self.networks})' if self.networks else ''}: {self.sentence}"


def answer_text(dataset: Evaluated, answer: Answer) -> AnswerText:
    """One of a data set's answers as text."""
    networks, comparison = str(answer.networks) if len(dataset.answers) > 1 else "", answer.comparison
    text = AnswerText(capital(dataset.question), networks, answer.outcome, None, None, reason=answer.reason)
    if answer.outcome == Outcome.NOT_ASKED:
        return text
    text = replace(text, without=_contender(dataset, answer.opponent), best=_contender(dataset, answer.network))
    text = replace(text, sceptic=dataset.sceptic.beside(answer, dataset.evaluation) if dataset.sceptic else "")
    if comparison is None:
        return text
    metric = dataset.about.metric
    change, interval = comparison_text(comparison, metric)
    if comparison.change is None:
        return replace(text, change=f"{title(metric)} {change}", interval=interval)
    mark = CHANGES.mark(comparison.change.mean, comparison.change.interval)
    return replace(text, change=change, interval=interval, mark=mark)


def _contender(dataset: Evaluated, name: str | None) -> Contender | None:
    """A model by its title, but for how it was trained, and its error: in the data's unit where they have one."""
    metric = dataset.about.metric
    stat = dataset.experiments[name].score(metric) if name else None
    if name is None or stat is None:
        return None
    scores, words = dataset.experiments[name].chosen["test"], dataset.titles[name]
    if MEASURES[metric].higher:
        return Contender(words, f"{100 * (1 - stat.mean):.2f} % wrong")
    if metric == "mae" and "mae_unit" in scores:
        return Contender(words, f"{number(scores['mae_unit'].mean, 3)} {dataset.about.scale.unit}")
    return Contender(words, f"{title(metric)} {number(stat.mean, 3)}")


@dataclass(frozen=True)
class FigureRow:
    """A published figure: the rebuilt one and its interval as fractions of it, and what its digits imply."""

    words: str
    outcome: Outcome
    mark: IntervalMark
    band: IntervalMark
    text: str


def figures(verdicts: Sequence[Verdict]) -> tuple[Axis, list[FigureRow]]:
    """Every measured figure that is rebuilt, as its fraction of the published one; of accuracies that of errors."""
    fractions = []
    for verdict in verdicts:
        claim, rebuilt = verdict.claim, verdict.rebuilt
        if claim.kind != "figure" or rebuilt is None:
            continue
        values = (float(str(claim.value)), rebuilt.mean, *(verdict.interval or [rebuilt.mean] * 2), *claim.printed())
        published, *others = (1 - value if claim.metric.endswith("accuracy") else value for value in values)
        mean, *ends = (value / published for value in others)
        fractions.append((verdict, mean, sorted(ends[:2]), sorted(ends[2:])))
    positive = [value for _, mean, ends, band in fractions for value in (mean, *ends, *band) if value > 0]
    axis = Axis(max(min(positive, default=0.5), 1 / FAR) / 1.1, min(max(positive, default=2.0), FAR) * 1.1, log=True)
    rows = []
    for verdict, mean, ends, band in fractions:
        text = f"rebuilt is {mean:.3g} times the published, one more run {ends[0]:.3g} to {ends[1]:.3g}"
        marks = axis.mark(mean, ends), axis.mark(1.0, band)
        rows.append(FigureRow(verdict.claim.words, verdict.outcome, *marks, text))
    return axis, rows
