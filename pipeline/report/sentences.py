"""Answers in sentences, for the page, the README, the terminal and the demo."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipeline.evaluation.answers import Answer, Networks
from pipeline.evaluation.outcome import Outcome
from pipeline.metrics import MEASURES
from pipeline.report import titles
from pipeline.report.formatting import answer_change, capital, number, title
from pipeline.report.results import Evaluated


@dataclass(frozen=True)
class Contender:
    """One of the two that an answer compares: the model, and its error on test."""

    title: str
    score: str

    @property
    def brief(self) -> str:
        """Its title without how it was trained and what it sees."""
        return titles.brief(self.title)

    def __str__(self) -> str:
        return f"{self.brief} {self.score}"


@dataclass(frozen=True)
class AnswerText:
    """An answer as text: the question, whether a recurrent network helps, the two
    models and the change between them.

    Attributes:
        networks: which networks the question is about, where that has to be said.
        change, interval: of the error; without a change the difference itself.
        reason: why there is no answer, and what would give one.
        ratio: of the two errors, with the ends of its interval; None where there is
            none.
        sceptic: whether a search from outside overturned it; empty where there was
            none.
    """

    question: str
    networks: str
    outcome: Outcome
    without: Contender | None
    best: Contender | None
    change: str = ""
    interval: str = ""
    reason: str = ""
    ratio: tuple[float, float, float] | None = None
    sceptic: str = ""

    @property
    def tuned(self) -> bool:
        """Whether the question is about tuned networks."""
        return self.networks == Networks.TUNED

    @property
    def lacking(self) -> str:
        """What would decide, where the interval is too wide."""
        return self.reason if self.ratio and self.outcome == Outcome.UNSURE else ""

    @property
    def note(self) -> str:
        """What would decide, and what a sceptic's search came to: a row below an answer
        on the page.
        """
        searched = (
            f"a sceptic's search: {self.sceptic}" if self.sceptic and self.ratio else ""
        )
        return "; ".join(filter(None, (self.lacking, searched)))

    @property
    def sentence(self) -> str:
        """The two models, the change, and what a sceptic's search came to, in a line."""
        if self.without is None or self.best is None:
            return capital(self.reason)
        models = capital(f"{self.best.title} against {self.without.title}")
        return "; ".join(filter(None, (f"{models}: {self.effect}", self.sceptic)))

    @property
    def effect(self) -> str:
        """The change with its interval, and what is lacking."""
        error = f" {'the ' * self.change.endswith('times')}error" if self.ratio else ""
        change = f"{self.change}{error}{f' ({self.interval})' if self.interval else ''}"
        return "; ".join(filter(None, (change, self.reason)))

    @property
    def line(self) -> str:
        """The answer, and after it the sentence."""
        return f"{self.outcome}{f' ({self.networks})' if self.networks else ''}: {self.sentence}"


def answer_text(dataset: Evaluated, answer: Answer) -> AnswerText:
    """One of a data set's answers as text."""
    networks = str(answer.networks) if len(dataset.answers) > 1 else ""
    text = AnswerText(
        capital(dataset.question),
        networks,
        answer.outcome,
        None,
        None,
        reason=answer.reason,
    )
    if answer.outcome == Outcome.NOT_ASKED:
        return text
    text = replace(
        text,
        without=_contender(dataset, answer.opponent),
        best=_contender(dataset, answer.network),
    )
    text = replace(
        text,
        sceptic=dataset.sceptic.beside(answer, dataset.evaluation)
        if dataset.sceptic
        else "",
    )
    if answer.interval is None:
        return text
    metric = dataset.about.metric
    change, interval = answer_change(answer, metric)
    if answer.change is None:
        return replace(text, change=f"{title(metric)} {change}", interval=interval)
    low, high = answer.interval
    ratio = (1 + answer.change, 1 + low, 1 + high)
    return replace(text, change=change, interval=interval, ratio=ratio)


def _contender(dataset: Evaluated, name: str | None) -> Contender | None:
    """A model by its title, but for how it was trained, and its error: in the data's
    unit where they have one.
    """
    metric = dataset.about.metric
    stat = dataset.experiments[name].score(metric) if name else None
    if name is None or stat is None:
        return None
    scores = dataset.experiments[name].chosen["test"]
    words = dataset.titles[name]
    if MEASURES[metric].higher:
        return Contender(words, f"{100 * (1 - stat.mean):.2f} % wrong")
    if metric == "mae" and "mae_unit" in scores:
        return Contender(
            words, f"{number(scores['mae_unit'].mean, 3)} {dataset.about.scale.unit}"
        )
    return Contender(words, f"{title(metric)} {number(stat.mean, 3)}")


def sentence(answers: Sequence[AnswerText]) -> str:
    """All answers in one sentence, each counted once."""
    if not answers:
        return "Nothing is built yet"
    if {answer.outcome for answer in answers} <= {Outcome.STAND_IN, Outcome.NOT_ASKED}:
        return "No figure here is a result"
    counts = Counter(answer.outcome for answer in answers)
    listed = ", ".join(
        f"{counts[outcome]} {outcome}" for outcome in Outcome if counts[outcome]
    )
    return f"Does a recurrent network help? {len(answers)} answer{'s' * (len(answers) > 1)}: {listed}"
