"""Is a network better than the strongest opponent without recurrence? By the rule of docs/decisions/verdicts.md."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar

from pipeline.data.examples import Array
from pipeline.evaluation import intervals
from pipeline.evaluation.outcome import Outcome
from pipeline.evaluation.schema import SEASON, Difference, Entry, Evaluation, Interval
from pipeline.metrics import MEASURES

Key = TypeVar("Key")

NOTHING = "no recurrent network, or nothing to compare it with"
NO_PAST = "one value in, so there is no past to use"

FAR = 10.0
"""Times the error of the best without recurrence beyond which a change is no number that anybody can picture."""

ALPHA = 0.05
"""How often a table with nothing in it may show a difference."""


@dataclass(frozen=True)
class Change:
    """How much more error one model has than another, as a fraction of the other's: -0.04 is 4 % less.

    The error is the measure; of an accuracy it is the fraction that is wrong. The other's error is taken as it is.
    """

    mean: float
    interval: Interval


@dataclass(frozen=True)
class Comparison:
    """One model against another on the same examples.

    Attributes:
        difference: of the measure, the model's less the other's.
        interval: of the difference, at the level that decides.
        outcome: BETTER or WORSE where the interval excludes zero, else UNSURE.
        change: of the error; None where the other has no error, or the change is beyond `FAR`.
    """

    difference: Difference
    interval: Interval
    outcome: Outcome
    change: Change | None

    def __str__(self) -> str:
        mean, (low, high) = self.difference.mean, self.interval
        words = f"{mean:+.3g} ({low:+.3g} to {high:+.3g})"
        if self.change:
            low, high = self.change.interval
            words = f"{self.change.mean:+.0%} of the error ({low:+.0%} to {high:+.0%}), {words}"
        return f"{self.outcome}: {words}"


def compare(metric: str, losses: Array, others: Array, blocks: Array, alpha: float = ALPHA) -> Comparison:
    """One model against another: what two experiments of a data set get, for predictions of any origin.

    Args:
        metric: the data set's measure.
        losses: what each example adds to it (seeds, n), as `metrics.losses` gives it; one row of a model without seeds.
        others: of the other model (seeds, n).
        blocks: the number of the block (n,) that each example belongs to, as `scores.blocks` gives it.
        alpha: how often a difference may be seen where there is none; of several comparisons as `holm` gives it.
    """
    difference = Difference.of(intervals.difference(losses, others, blocks))
    return decide(metric, difference, float(others.mean()), alpha)


def decide(metric: str, difference: Difference, other: float | None, alpha: float = ALPHA) -> Comparison:
    """What a difference says at a level; `other` is the other model's score, None where that is not known."""
    higher, (low, high) = MEASURES[metric].higher, difference.interval(1 - alpha)
    outcome = Outcome.UNSURE
    if not low <= 0 <= high:
        outcome = Outcome.BETTER if (low > 0) == higher else Outcome.WORSE
    changed, error = None, 0.0 if other is None else 1 - other if higher else other
    if error > 0 and max(map(abs, (difference.mean, low, high))) <= FAR * error:
        fractions = ((-value if higher else value) / error for value in (difference.mean, low, high))
        mean, *ends = (max(-1.0, fraction) for fraction in fractions)  # no error is less than none
        changed = Change(mean, (min(ends), max(ends)))
    return Comparison(difference, (low, high), outcome, changed)


def holm(p_values: Sequence[float]) -> list[float]:
    """The level at which each p-value of one table is decided, by Holm's method: below it there is a difference.

    The least of m has alpha / m, the next alpha / (m - 1), and so on. All that come after the first one that is not
    below its level have that one's level, and so are not below it either.
    """
    levels, level, rejecting = [ALPHA] * len(p_values), ALPHA, True
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda index: p_values[index])):
        if rejecting:
            level = ALPHA / (len(p_values) - rank)
            rejecting = p_values[index] < level
        levels[index] = level
    return levels


def between(evaluation: Evaluation, name: str, other: str, alpha: float = ALPHA) -> Comparison | None:
    """Two experiments on test; None where their difference is not known."""
    difference = evaluation.difference("test", name, other)
    return decide(evaluation.dataset.metric, difference, _score(evaluation, other), alpha) if difference else None


def table(evaluation: Evaluation, pairs: Mapping[Key, tuple[str, str]]) -> dict[Key, Comparison]:
    """The two of each pair on test, where their difference is known, corrected for how many pairs there are."""
    known = {key: difference for key, pair in pairs.items() if (difference := evaluation.difference("test", *pair))}
    levels = holm([difference.p_value for difference in known.values()])
    return {
        key: decide(evaluation.dataset.metric, difference, _score(evaluation, pairs[key][1]), level)
        for (key, difference), level in zip(known.items(), levels, strict=True)
    }


def _score(evaluation: Evaluation, name: str) -> float | None:
    stat = evaluation.experiments[name].score(evaluation.dataset.metric)
    return stat.mean if stat else None


def against(evaluation: Evaluation, opponent: str | None) -> dict[str, Comparison]:
    """Each experiment against the opponent, as one `table`."""
    return table(evaluation, {name: (name, opponent) for name in evaluation.experiments if opponent})


def strongest_opponent(evaluation: Evaluation) -> str | None:
    """The strongest of all that has no recurrence."""
    return strongest(evaluation, lambda entry: not entry.recurrent)


def strongest(evaluation: Evaluation, eligible: Callable[[Entry], bool]) -> str | None:
    """The best of some experiments on validation, or on train where there is none: never on test.

    Those that have seen only a fraction of the train examples are left out.
    """
    metric, scores = evaluation.dataset.metric, {}
    for name, entry in evaluation.experiments.items():
        chosen_on = entry.chosen.get("validation") or entry.chosen.get("train")
        if chosen_on and eligible(entry) and entry.share == 1:
            scores[name] = chosen_on[metric].mean
    return (max if MEASURES[metric].higher else min)(scores, key=scores.__getitem__, default=None)


class Networks(StrEnum):
    """Which recurrent networks a question is about."""

    ALL = "all"
    DOCUMENTS = "the documents' networks"
    TUNED = "tuned networks"


@dataclass(frozen=True)
class Answer:
    """Whether a data set needs a recurrent network.

    Attributes:
        networks: which ones the question is about.
        network: the best of them; None where there is none.
        opponent: the strongest of all that has no recurrence; None where there is none.
        outcome: YES or NO where one of the two is better, else UNSURE; NOT_ASKED where there is nothing to ask.
        comparison: of the two on test; None where it is not known or says nothing.
        reason: why there is no comparison; empty where there is one.
    """

    networks: Networks
    network: str | None
    opponent: str | None
    outcome: Outcome = Outcome.UNSURE
    comparison: Comparison | None = None
    reason: str = ""


def answer(evaluation: Evaluation, networks: Networks = Networks.ALL) -> Answer:
    """Both are chosen on validation (train, where there is none), and compared on test; one question by itself."""

    def eligible(entry: Entry) -> bool:
        return entry.recurrent and (networks == Networks.ALL or bool(entry.trials) == (networks == Networks.TUNED))

    network, opponent = strongest(evaluation, eligible), strongest_opponent(evaluation)
    undecided = Answer(networks, network, opponent)
    if network is None or opponent is None:
        return replace(undecided, outcome=Outcome.NOT_ASKED, reason=NOTHING)
    if evaluation.dataset.layout == "points":
        return replace(undecided, outcome=Outcome.NOT_ASKED, reason=NO_PAST)
    decided, weeks = _at_level(evaluation, undecided, ALPHA), evaluation.dataset.weeks
    if decided.comparison is None:
        ranked = "test" in evaluation.differences or weeks is None or weeks >= SEASON
        few = "too few seeds" if ranked else f"test period too short to rank ({weeks} of {SEASON} weeks)"
        return replace(undecided, reason=few)
    return decided


def _at_level(evaluation: Evaluation, undecided: Answer, alpha: float) -> Answer:
    comparison = between(evaluation, str(undecided.network), str(undecided.opponent), alpha)
    outcome = comparison.outcome if comparison else Outcome.UNSURE
    yes_or_no = {Outcome.BETTER: Outcome.YES, Outcome.WORSE: Outcome.NO}
    return replace(undecided, comparison=comparison, outcome=yes_or_no.get(outcome, outcome))


def front_page(evaluations: Mapping[str, Evaluation]) -> dict[str, list[Answer]]:
    """Data set -> its answers, of the documents' networks and of tuned ones, corrected for how many there are."""
    answers = {name: [answer(evaluation, Networks.DOCUMENTS)] for name, evaluation in evaluations.items()}
    for name, evaluation in evaluations.items():
        if (tuned := answer(evaluation, Networks.TUNED)).network:
            answers[name].append(tuned)
    compared = [each.comparison for of_dataset in answers.values() for each in of_dataset if each.comparison]
    levels = iter(holm([comparison.difference.p_value for comparison in compared]))
    return {
        name: [_at_level(evaluations[name], each, next(levels)) if each.comparison else each for each in of_dataset]
        for name, of_dataset in answers.items()
    }


def champion(evaluation: Evaluation) -> tuple[str, str] | None:
    """Whose forecasts to use, and why: a recurrent network only where it is better than the strongest without one.

    None where nothing is scored.
    """
    best = answer(evaluation)
    network, opponent = best.network, best.opponent
    if network is None and opponent is None:
        return None
    why = "the strongest without recurrence"
    if network and (opponent is None or best.outcome == Outcome.YES):
        return network, f"better than {opponent}, {why}" if opponent else "the only kind here"
    if network is None:
        return str(opponent), why
    verdict = f"{network} is worse" if best.outcome == Outcome.NO else f"cannot tell of {network}"
    return str(opponent), f"{why}; no network is better ({verdict}{f': {best.reason}' if best.reason else ''})"


def headline(evaluation: Evaluation) -> dict[str, dict[str, float]]:
    """What `dvc metrics` shows of each experiment: the measure on test by the weights chosen on validation, mean over
    the seeds, and the 95 % interval of that mean where it is known.
    """
    stats = {name: entry.score(evaluation.dataset.metric) for name, entry in evaluation.experiments.items()}
    return {
        name: {"score": stat.mean} | dict(zip(("low", "high"), stat.mean_ci or (), strict=False))
        for name, stat in stats.items()
        if stat
    }
