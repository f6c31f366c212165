"""The words of a comparison: of its outcome, of the change in error and its interval, and
of the cautions beside them.

Page, terminal, MLflow and documents say the same of one comparison.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from pipeline.config.params import own_name
from pipeline.evaluation import verdicts
from pipeline.evaluation.schema import Evaluation
from pipeline.evaluation.scores import MIN_SEEDS
from pipeline.evaluation.verdict_rule import Comparison, Word, change_text
from pipeline.evaluation.verdicts import Answer, Networks, Note
from pipeline.report import titles
from pipeline.report.built_results import Evaluated, error_text
from pipeline.report.formatting import capital, in_words, number, title

QUESTION = "Does a recurrent network help?"

SAID = {
    Word.HELPS: "It helps",
    Word.HURTS: "It hurts",
    Word.SAME: "It makes no difference that matters",
    Word.OPEN: "The question is open",
    Word.NOT_ASKED: "The question is not asked",
}
"""The word of an answer -> the answer to "Does a recurrent network help?"."""

COUNTED = {
    Word.HELPS: "helps in {}",
    Word.HURTS: "hurts in {}",
    Word.SAME: "makes no difference that matters in {}",
}
"""The word of several answers -> its words in their sentence."""

REASONS = {
    verdicts.NOTHING: "there is no recurrent network, or nothing to compare it with",
    verdicts.NO_PAST: "one value goes in, so there is no past to use",
    verdicts.FEW_SEEDS: "there are too few seeds",
    verdicts.FEW_WEEKS: (
        "the test rows are fewer than four weeks, or than four horizons if a horizon is "
        "longer"
    ),
}
"""Why nothing is compared -> the same with subject and verb."""

WITHOUT_QUESTION = {Word.HELPS: "less error", Word.HURTS: "more error"}
"""Outcome -> its word in the row of a model without recurrence, and in all rows of a data
set whose question is not asked."""

NOTES: dict[str, str] = {
    Note.UNTUNED: "Nobody searched for options of the network. Its opponent may be "
    "tuned.",
    Note.ONE_SEARCH: "At least one of the two had fewer than five searches for its "
    "options, so another search may give another answer.",
    Note.NOT_TOLD: "Another model is told that each series is a sum of sines and noise. "
    "The answer is about models that are not told.",
    Note.TOO_SHORT: "The test rows span less than 84 days, which are of one season.",
    Note.NOT_CONVERGED: "More epochs may make one of the two better: its search "
    "found so, or the last epoch of an untuned one was the best for "
    "every seed.",
}
"""What stands beside the word of an answer -> its meaning, in sentences."""


def comparison_text(comparison: Comparison, metric: str) -> tuple[str, str]:
    """Return the change in error and its interval as text.

    For example "-4.4 %" and "-7.4 to -1.4 %". If the opponent has no error, the texts
    are the difference of the errors and its interval.
    """
    ends = (comparison.change, comparison.low, comparison.high)
    if comparison.relative:
        return change_text(*ends)
    scale = 100 if metric == "accuracy" else 1
    mean, low, high = [_signed(scale * end) for end in ends]
    return f"{title(metric)} {mean}", f"{low} to {high}"


def direction(comparison: Comparison) -> str:
    """Return "slightly less error" or the like if the interval excludes 0, else "".

    The outcomes *helps* and *hurts* say the direction themselves, so theirs is "".
    """
    if comparison.low <= 0 <= comparison.high:
        return ""
    side = "less" if comparison.high < 0 else "more"
    said = {
        Word.SAME: f"slightly {side} error",
        Word.OPEN: f"{side} error, which may not matter",
    }
    return said.get(comparison.outcome, "")


def remarks(comparison: Comparison | None, notes: Iterable[str]) -> list[str]:
    """Return what stands beside the word of an answer: the direction of the change, if
    it is sure and the word does not say it, and the notes.
    """
    known = direction(comparison) if comparison else ""
    return [words for words in (known, *notes) if words]


def _signed(value: float) -> str:
    return f"{'-' if value < 0 else '+'}{number(abs(value), 3)}"


def band_text(comparison: Comparison) -> str:
    """Return which changes do not matter, as a sentence without its full stop."""
    return f"A change within ±{100 * comparison.band:.2g} % does not matter"


def meanings(notes: Iterable[Note]) -> str:
    """Return what the notes beside answers mean, as sentences."""
    return " ".join(
        f"{capital(note)}: {NOTES[note]}"
        for note in dict.fromkeys(notes)
        if note in NOTES and note != Note.UNTUNED
    )


@dataclass(frozen=True)
class AnswerText:
    """The texts of one answer of a data set."""

    dataset: Evaluated
    answer: Answer

    @property
    def tuned(self) -> bool:
        """True if the question is about tuned networks."""
        return self.answer.networks == Networks.TUNED

    @property
    def change(self) -> tuple[str, str]:
        """The change in error and its interval; empty if nothing is compared."""
        if self.answer.comparison is None:
            return "", ""
        return comparison_text(self.answer.comparison, self.dataset.about.metric)

    @property
    def beside(self) -> list[str]:
        """What stands beside the word (`remarks`)."""
        return remarks(self.answer.comparison, self.answer.notes)

    @property
    def effect(self) -> str:
        """The change with its interval, or the reason why there is none."""
        change, interval = self.change
        if self.answer.relative and change:
            change += " error"
        return f"{change} ({interval})" if interval else change or self.answer.reason

    @property
    def reason(self) -> str:
        """Why nothing is compared, with subject and verb."""
        return REASONS.get(self.answer.reason, self.answer.reason)

    def sentence(self, *, short: bool = False) -> str:
        """Return what was compared and how much error it had, without a full stop.

        With `short` the models have no options.
        """
        if self.answer.outcome == Word.NOT_ASKED:
            return capital(self.reason)
        network, other = [
            titles.with_article(self.dataset.named(name, short=short))
            for name in self.answer.compared
        ]
        if self.answer.comparison is None:
            return capital(
                f"{network} and {other} are not compared, because {self.reason}"
            )
        comma = "," if ", " in network else ""
        change, interval = self.change
        level = f"{100 * self.answer.level:g} % interval"
        ends = f" ({level}: {interval})" if interval else ""
        by = _by(self.answer.comparison, change, other)
        said = f"{network}{comma} had {by}{ends}"
        if self.answer.told:
            told = self.dataset.named(self.answer.told, short=short)
            error = error_text(self.dataset, self.answer.told)
            said += f"; {told}, which is told the formula of the series, had {error}"
        return capital(said)

    @property
    def line(self) -> str:
        """The question and its answer in one line: its word, the remarks and the
        sentence.
        """
        beside = [remark for remark in self.beside if remark != Note.UNTUNED]
        opponent = self.dataset.experiments.get(self.answer.opponent or "")
        one_sided = not self.tuned and opponent is not None and opponent.trials > 0
        against = ", against a tuned opponent" if one_sided else ""
        question = f"Does recurrence help in {self.answer.networks}{against}?"
        said = f"{question} {_with_remarks(SAID[self.answer.outcome], beside)}"
        if self.answer.outcome == Word.NOT_ASKED:
            return f"{said}, because {self.reason}"
        return f"{said}: {self.sentence()}"


def _by(comparison: Comparison, change: str, other: str) -> str:
    """Return how much error a model had, compared with another one.

    Args:
        comparison: of the two.
        change: the change as text, from `comparison_text`.
        other: the title of the other model.
    """
    side = "less" if comparison.change < 0 else "more"
    shown = f"{comparison.change:.3f}" if comparison.relative else comparison.change
    if float(shown) == 0:
        return f"the same error as {other}"
    if comparison.relative:
        return f"{change.replace('+', '').removeprefix('-')} {side} error than {other}"
    measure, size = change.split(" ", 1)
    return f"{side} error than {other}, by {size.lstrip('+-')} in {measure}"


def _with_remarks(said: str, remarks: Iterable[str]) -> str:
    beside = "; ".join(remarks)
    return f"{said} ({beside})" if beside else said


@dataclass(frozen=True)
class Pair:
    """The texts of the comparison of two experiments of one data set.

    Attributes:
        evaluation: the evaluation that holds both.
        experiment: the full name of the first one.
        against: the full name of the one that it is compared with.
    """

    evaluation: Evaluation
    experiment: str
    against: str

    @cached_property
    def comparison(self) -> Comparison | None:
        """The comparison; None if the difference is not known."""
        return verdicts.compare(self.evaluation, *self._own_names)

    @property
    def notes(self) -> list[Note]:
        """The cautions that stand beside the outcome."""
        if self.comparison is None:
            return []
        return verdicts.cautions(self.evaluation, *self._own_names)

    @property
    def words(self) -> str:
        """The outcome and the change in error, or why nothing is known."""
        if self.comparison is None:
            return f"{Word.OPEN}, because {self.unknown}"
        return self._said(self.comparison, self.comparison.outcome)

    @property
    def line(self) -> str:
        """The question that two experiments ask, and the answer."""
        network, other = map(self._named, (self.experiment, self.against))
        asked = f"Does {network} help, compared with {other}?"
        if self.comparison is None:
            return f"{asked} {capital(self.words)}"
        return f"{asked} {self._said(self.comparison, SAID[self.comparison.outcome])}"

    @property
    def unknown(self) -> str:
        """Why the two are not compared, as a clause."""
        if self.evaluation.few_weeks():
            return REASONS[verdicts.FEW_WEEKS]
        entries = {name: self.evaluation.experiments[name] for name in self._own_names}
        few = [
            name
            for name, entry in entries.items()
            if entry.varies and len(entry.seeds) < MIN_SEEDS
        ]
        if few:
            have = "has" if len(few) == 1 else "have"
            return (
                f"{' and '.join(few)} {have} fewer than {MIN_SEEDS} seeds; "
                f"`seeds: {MIN_SEEDS}` in params.yaml gives more"
            )
        if len({entry.repeats or name for name, entry in entries.items()}) == 1:
            return "they are two searches for one model"
        return "the predictions of one of them are not known"

    @property
    def _own_names(self) -> tuple[str, str]:
        return own_name(self.experiment), own_name(self.against)

    def _said(self, comparison: Comparison, word: str) -> str:
        said = _with_remarks(word, remarks(comparison, self.notes))
        return f"{said}: {comparison.amount}"

    def _named(self, name: str) -> str:
        """Return an experiment's name, and that it stands for several searches."""
        count = len(self.evaluation.searches(own_name(name)))
        if count == 1:
            return name
        return f"{name} (the mean of its {in_words(count)} searches)"


def sentence(answers: Sequence[Answer]) -> str:
    """Return a sentence that counts the words of the answers about tuned networks.

    If no networks are tuned, it counts all answers.
    """
    if not answers:
        return "Nothing is built yet"
    asked = [
        one
        for one in answers
        if Note.STAND_IN not in one.notes and one.outcome != Word.NOT_ASKED
    ]
    if not asked:
        return "No figure here is a result"
    tuned = [one for one in asked if one.networks == Networks.TUNED]
    counts = Counter(one.outcome for one in tuned or asked)
    total = counts.total()
    about = " about tuned networks" if tuned else ""
    if total == 1:
        (word,) = counts
        return f"{QUESTION} One question{about} is asked. {SAID[word]}"
    counted = [
        words.format(in_words(counts[word]))
        for word, words in COUNTED.items()
        if counts[word]
    ]
    parts = []
    if counted:
        *first, last = counted
        parts.append(f"it {', '.join(first)} and {last}" if first else f"it {last}")
    undecided = counts[Word.OPEN]
    if undecided:
        is_open = "is open" if undecided == 1 else "are open"
        parts.append(f"{in_words(undecided)} {is_open}")
    return f"{QUESTION} Of {in_words(total)} questions{about}, {'; '.join(parts)}"
