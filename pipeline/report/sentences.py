"""Answers in sentences, for the page, the README, the terminal and the demo."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.evaluation.answers import Answer, Networks, Note
from pipeline.evaluation.margin import Word
from pipeline.metrics import MEASURES
from pipeline.report.formatting import capital, comparison_text, number, title
from pipeline.report.results import Evaluated


@dataclass(frozen=True)
class Contender:
    """One of the two models that an answer compares.

    Attributes:
        title: with its options, in words.
        short: the model alone, in words.
        score: its error on test.
    """

    title: str
    short: str
    score: str

    def __str__(self) -> str:
        return f"{self.short} {self.score}"


@dataclass(frozen=True)
class AnswerText:
    """An answer as text.

    Attributes:
        answer: the answer.
        question: what is asked, in words.
        without: the model without recurrence; None where there is none.
        best: the recurrent network; None where there is none.
        change: of the error; empty where the two are not compared.
        interval: of the change.
    """

    answer: Answer
    question: str = ""
    without: Contender | None = None
    best: Contender | None = None
    change: str = ""
    interval: str = ""

    @property
    def tuned(self) -> bool:
        """Whether the question is about tuned networks."""
        return self.answer.networks == Networks.TUNED

    @property
    def leaning(self) -> str:
        """The sign of a difference that does not matter: "slightly less error"."""
        low = self.answer.low
        high = self.answer.high
        if self.answer.outcome != Word.SAME or low is None or high is None:
            return ""
        if high < 0:
            return "slightly less error"
        return "slightly more error" if low > 0 else ""

    @property
    def effect(self) -> str:
        """The change with its interval, or why there is none."""
        if not self.change:
            return self.answer.reason
        error = " error" if self.answer.relative else ""
        interval = f" ({self.interval})" if self.interval else ""
        return f"{self.change}{error}{interval}"

    @property
    def sentence(self) -> str:
        """The two models and the change."""
        if self.without is None or self.best is None:
            return capital(self.answer.reason)
        models = f"{self.best.title} against {self.without.title}"
        return f"{capital(models)}: {self.effect}"

    @property
    def line(self) -> str:
        """The answer: its word, its notes, and the sentence."""
        beside = "; ".join(filter(None, (self.leaning, *self.answer.notes)))
        notes = f" ({beside})" if beside else ""
        return f"{self.answer.outcome}{notes}: {self.sentence}"


def answer_text(dataset: Evaluated, answer: Answer) -> AnswerText:
    """Return one of a data set's answers as text."""
    question = capital(dataset.question)
    if answer.outcome == Word.NOT_ASKED:
        return AnswerText(answer, question)
    change = interval = ""
    if answer.comparison:
        change, interval = comparison_text(answer.comparison, dataset.about.metric)
    return AnswerText(
        answer,
        question,
        _contender(dataset, answer.opponent),
        _contender(dataset, answer.network),
        change,
        interval,
    )


def _contender(dataset: Evaluated, name: str | None) -> Contender | None:
    """Return a model with its error: in the data's unit where they have one."""
    metric = dataset.about.metric
    stat = dataset.experiments[name].score(metric) if name else None
    if name is None or stat is None:
        return None
    in_unit = dataset.experiments[name].score("mae_unit")
    if MEASURES[metric].higher:
        score = f"{100 * (1 - stat.mean):.2f} % wrong"
    elif metric == "mae" and in_unit:
        score = f"{number(in_unit.mean, 3)} {dataset.about.scale.unit}"
    else:
        score = f"{title(metric)} {number(stat.mean, 3)}"
    return Contender(dataset.titles[name], dataset.short[name], score)


def sentence(answers: Sequence[Answer]) -> str:
    """Return the answers of tuned networks in one sentence, each word counted; all
    answers where nothing is tuned.
    """
    if not answers:
        return "Nothing is built yet"
    results = [one for one in answers if Note.STAND_IN not in one.notes]
    asked = [one for one in results if one.outcome != Word.NOT_ASKED]
    if not asked:
        return "No figure here is a result"
    tuned = [one for one in asked if one.networks == Networks.TUNED]
    counts = Counter(one.outcome for one in tuned or asked)
    listed = ", ".join(f"{counts[word]} {word}" for word in Word if counts[word])
    kind = "tuned question" if tuned else "question"
    many = "s" if counts.total() > 1 else ""
    return f"Does a recurrent network help? {counts.total()} {kind}{many}: {listed}"
