"""Is a network better than the strongest opponent without recurrence? By the rule of
docs/decisions/verdicts.md.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Annotated, Any, TypeVar

import pydantic

from pipeline.data.examples import Array
from pipeline.evaluation import intervals
from pipeline.evaluation.intervals import Interval, as_errors
from pipeline.evaluation.outcome import Outcome
from pipeline.evaluation.schema import Entry, Evaluation
from pipeline.evaluation.verdicts import Change, Comparison, Pair, decide, too_short
from pipeline.metrics import MEASURES
from pipeline.validation import Strict

Key = TypeVar("Key")

NOTHING = "no recurrent network, or nothing to compare it with"
NO_PAST = "one value in, so there is no past to use"


def pair(
    metric: str,
    losses: Array,
    others: Array,
    blocks: Array,
    naive: float | None = None,
    days: float | None = None,
) -> Pair:
    """Two models of any origin on the same examples, for `decide`, alone or beside
    others of a table.

    Args:
        metric: the data set's measure.
        losses: what each example adds to it (seeds, n), as `metrics.losses` gives it;
            one row of a model without seeds.
        others: of the other model (seeds, n).
        blocks: the number of the block (n,) that each example belongs to, as
            `scores.blocks` gives it.
        naive: the error of the best naive model (`naive_error`), where it is known.
        days: that the test rows span (`scores.days`); None where they have none.
    """
    losses = as_errors(metric, losses)
    others = as_errors(metric, others)
    return Pair(
        intervals.difference(losses, others, blocks), float(others.mean()), naive, days
    )


def table(
    evaluation: Evaluation, pairs: Mapping[Key, tuple[str, str]]
) -> dict[Key, Comparison]:
    """The two of each pair on test, where their difference is known, corrected for how
    many pairs there are.
    """
    both = {key: _pair(evaluation, *names) for key, names in pairs.items()}
    comparable = {key: of_two for key, of_two in both.items() if of_two}
    return dict(zip(comparable, decide([*comparable.values()]), strict=True))


def _pair(evaluation: Evaluation, name: str, other: str) -> Pair | None:
    difference = evaluation.difference("test", name, other)
    error = _error(evaluation, other)
    if difference is None or error is None:
        return None
    unfinished = _unfinished(evaluation, name), _unfinished(evaluation, other)
    return Pair(
        difference, error, naive_error(evaluation), evaluation.dataset.days, unfinished
    )


def _unfinished(evaluation: Evaluation, name: str) -> str:
    entry = evaluation.experiments[name]
    return (
        ""
        if entry.converged
        else f"{name} had not converged after {entry.epochs} epochs"
    )


def _error(evaluation: Evaluation, name: str) -> float | None:
    metric = evaluation.dataset.metric
    score = evaluation.experiments[name].score(metric)
    return as_errors(metric, score.mean) if score else None


def change(
    evaluation: Evaluation, name: str, other: str
) -> tuple[float | None, Interval | None]:
    """How much more error one has, as a fraction of the other's, and its 95 % interval,
    where they are known.
    """
    comparable = _pair(evaluation, name, other)
    error = _error(evaluation, name)
    reference = _error(evaluation, other)
    if comparable and (compared := Comparison(comparable, Outcome.UNSURE).change):
        return compared.mean, compared.interval
    return (error / reference - 1 if error is not None and reference else None), None


def naive_error(evaluation: Evaluation) -> float | None:
    """The error on test of the best model that needs no fit, chosen before the test;
    None where there is none.
    """
    name = strongest(evaluation, lambda entry: entry.method == "none")
    return _error(evaluation, name) if name else None


def against(evaluation: Evaluation, opponent: str | None) -> dict[str, Comparison]:
    """Each experiment against the opponent, as one `table`."""
    return table(
        evaluation,
        {name: (name, opponent) for name in evaluation.experiments if opponent},
    )


def strongest_opponent(evaluation: Evaluation) -> str | None:
    """The strongest of all that has no recurrence."""
    return strongest(evaluation, lambda entry: not entry.recurrent)


def strongest(evaluation: Evaluation, eligible: Callable[[Entry], bool]) -> str | None:
    """The best of some experiments on validation, or on train where there is none:
    never on test.

    Those that have seen only a fraction of the train examples are left out.
    """
    metric = evaluation.dataset.metric
    scores = {}
    for name, entry in evaluation.experiments.items():
        chosen_on = entry.chosen.get("validation") or entry.chosen.get("train")
        if chosen_on and eligible(entry) and entry.share == 1:
            scores[name] = chosen_on[metric].mean
    return (max if MEASURES[metric].higher else min)(
        scores, key=scores.__getitem__, default=None
    )


class Networks(StrEnum):
    """Which recurrent networks a question is about."""

    ALL = "all"
    UNTUNED = "untuned networks"
    SEGMENTS = "networks on segments"
    TUNED = "tuned networks"

    @classmethod
    def of(cls, entry: Entry) -> "Networks":
        """Segments are what the field uses for long forecasts: neither they nor the
        others stand for both.
        """
        return (
            cls.TUNED
            if entry.trials
            else cls.SEGMENTS
            if entry.model == "segments"
            else cls.UNTUNED
        )


class Answer(Strict):
    """Whether a data set needs a recurrent network, as results/answers.json has it.

    Attributes:
        networks: which ones the question is about.
        outcome: YES or NO where one of the two is better, else the comparison's;
            NOT_ASKED where nothing is to ask; STAND_IN where the data are no result.
        network: the best of them; None where there is none.
        opponent: the strongest of all that has no recurrence; None where there is none.
        change: how much more error the network has on test, as a fraction of the
            opponent's; None where the two are not compared, or the opponent errs
            nowhere.
        difference: of the errors, where the opponent errs nowhere; else None.
        low, high: the interval of the change, or of the difference; None where the two
            are not compared.
        level: of the interval.
        reason: why there is no answer, and what would give one; empty where there is
            one.
    """

    networks: Annotated[Networks, pydantic.Field(strict=False)]
    outcome: Annotated[Outcome, pydantic.Field(strict=False)]
    network: str | None = None
    opponent: str | None = None
    change: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    level: float | None = None
    reason: str = ""

    @property
    def key(self) -> str:
        """What it is called in results/answers.json: untuned, tuned or segments."""
        return self.networks.name.lower()

    @property
    def interval(self) -> Interval | None:
        """Of the change, or of the difference; None where the two are not compared."""
        if self.low is None or self.high is None:
            return None
        return self.low, self.high

    @property
    def amount(self) -> Change | None:
        """The change with its interval; None where there is no change."""
        if self.change is None or self.interval is None:
            return None
        return Change(self.change, self.interval)

    @property
    def line(self) -> str:
        """The answer by the names of params.yaml, such as "untuned networks: no, gru
        against linear: +6 % error".
        """
        start = f"{self.networks}: {self.outcome}"
        if self.outcome == Outcome.NOT_ASKED:
            return f"{start}, {self.reason}"
        ends = [str(part) for part in (self.amount, self.reason) if part]
        return f"{start}, {self.network} against {self.opponent}{': ' if ends else ''}{'; '.join(ends)}"

    def updated(self, **changes: Any) -> "Answer":
        """The same answer with other values."""
        return self.model_copy(update=changes)

    def decided(self, comparison: Comparison) -> "Answer":
        """By the comparison of the two; numbers have four digits, so that a file of
        answers differs where they do.
        """
        yes_or_no = {Outcome.BETTER: Outcome.YES, Outcome.WORSE: Outcome.NO}
        outcome = yes_or_no.get(comparison.outcome, comparison.outcome)
        change = comparison.change
        if change is None:
            numbers = {"difference": comparison.difference.mean}
            low, high = comparison.interval
        else:
            numbers = {"change": change.mean}
            low, high = change.interval
        numbers |= {"low": low, "high": high, "level": comparison.level}
        rounded = {name: float(f"{value:.4g}") for name, value in numbers.items()}
        return self.updated(outcome=outcome, reason=comparison.reason, **rounded)


def answer(evaluation: Evaluation) -> Answer:
    """Both are chosen on validation (train, where there is none), and compared on test;
    one question by itself.
    """
    unanswered, comparable = _question(evaluation, Networks.ALL)
    return unanswered.decided(*decide([comparable])) if comparable else unanswered


def _question(evaluation: Evaluation, networks: Networks) -> tuple[Answer, Pair | None]:
    """An answer before it is decided, and the pair to decide it by; None where there is
    none.
    """
    network = strongest(
        evaluation,
        lambda entry: (
            entry.recurrent and networks in {Networks.ALL, Networks.of(entry)}
        ),
    )
    opponent = strongest_opponent(evaluation)
    unanswered = Answer(
        networks=networks,
        outcome=Outcome.UNSURE,
        network=network,
        opponent=opponent,
        reason="too few seeds",
    )
    if network is None or opponent is None:
        return unanswered.updated(outcome=Outcome.NOT_ASKED, reason=NOTHING), None
    if evaluation.dataset.layout == "points":
        return unanswered.updated(outcome=Outcome.NOT_ASKED, reason=NO_PAST), None
    comparable = _pair(evaluation, network, opponent)
    why = too_short(evaluation.dataset.days)
    if comparable is None and why:
        unanswered = unanswered.updated(outcome=Outcome.SHORT, reason=why)
    return unanswered, comparable


def decided(
    evaluations: Mapping[str, Evaluation],
) -> list[tuple[str, Answer, Comparison | None]]:
    """Data set, answer and the comparison behind it, of each question, corrected for
    how many there are.
    """
    questions = []
    for name, evaluation in evaluations.items():
        for networks in (Networks.UNTUNED, Networks.SEGMENTS, Networks.TUNED):
            unanswered, comparable = _question(evaluation, networks)
            if unanswered.network or networks == Networks.UNTUNED:
                questions.append((name, unanswered, comparable))
    comparisons = iter(
        decide([comparable for _, _, comparable in questions if comparable])
    )
    answered: list[tuple[str, Answer, Comparison | None]] = []
    for name, unanswered, comparable in questions:
        if comparable is None:
            answered.append((name, unanswered, None))
        else:
            comparison = next(comparisons)
            answered.append((name, unanswered.decided(comparison), comparison))
    return answered


def front_page(evaluations: Mapping[str, Evaluation]) -> dict[str, list[Answer]]:
    """Data set -> its answers, of untuned networks and of others, corrected for how
    many there are.
    """
    answers: dict[str, list[Answer]] = {name: [] for name in evaluations}
    for name, answered, _ in decided(evaluations):
        labelled = answered
        if evaluations[name].dataset.stand_in and answered.outcome != Outcome.NOT_ASKED:
            labelled = answered.updated(outcome=Outcome.STAND_IN)
        answers[name].append(labelled)
    return answers


def champion(evaluation: Evaluation) -> tuple[str, str] | None:
    """Whose forecasts to use, and why: a recurrent network only where it is better than
    the strongest without one.

    None where nothing is scored.
    """
    best = answer(evaluation)
    network = best.network
    opponent = best.opponent
    if network is None and opponent is None:
        return None
    why = "the strongest without recurrence"
    if network and (opponent is None or best.outcome == Outcome.YES):
        return (
            network,
            f"better than {opponent}, {why}" if opponent else "the only kind here",
        )
    if network is None:
        return str(opponent), why
    verdict = (
        "is worse"
        if best.outcome == Outcome.NO
        else ", ".join(filter(None, (best.outcome, best.reason)))
    )
    return str(opponent), f"{why}; no network is better (of {network}: {verdict})"
