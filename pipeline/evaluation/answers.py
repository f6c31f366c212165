"""Is a network better than the strongest opponent without recurrence? By the rule of docs/decisions/verdicts.md."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar

from pipeline.data.examples import Array
from pipeline.evaluation import intervals
from pipeline.evaluation.intervals import Interval, as_errors
from pipeline.evaluation.outcome import Outcome
from pipeline.evaluation.schema import Entry, Evaluation
from pipeline.evaluation.verdicts import Comparison, Pair, decide, too_short
from pipeline.metrics import MEASURES

Key = TypeVar("Key")

NOTHING = "no recurrent network, or nothing to compare it with"
NO_PAST = "one value in, so there is no past to use"


def pair(
    metric: str, losses: Array, others: Array, blocks: Array, naive: float | None = None, days: float | None = None
) -> Pair:
    """Two models of any origin on the same examples, for `decide`, alone or beside others of a table.

    Args:
        metric: the data set's measure.
        losses: what each example adds to it (seeds, n), as `metrics.losses` gives it; one row of a model without seeds.
        others: of the other model (seeds, n).
        blocks: the number of the block (n,) that each example belongs to, as `scores.blocks` gives it.
        naive: the error of the best naive model (`naive_error`), where it is known.
        days: that the test rows span (`scores.days`); None where they have none.
    """
    losses, others = as_errors(metric, losses), as_errors(metric, others)
    return Pair(intervals.difference(losses, others, blocks), float(others.mean()), naive, days)


def table(evaluation: Evaluation, pairs: Mapping[Key, tuple[str, str]]) -> dict[Key, Comparison]:
    """The two of each pair on test, where their difference is known, corrected for how many pairs there are."""
    both = {key: _pair(evaluation, *names) for key, names in pairs.items()}
    comparable = {key: of_two for key, of_two in both.items() if of_two}
    return dict(zip(comparable, decide([*comparable.values()]), strict=True))


def _pair(evaluation: Evaluation, name: str, other: str) -> Pair | None:
    difference, error = evaluation.difference("test", name, other), _error(evaluation, other)
    if difference is None or error is None:
        return None
    unfinished = _unfinished(evaluation, name), _unfinished(evaluation, other)
    return Pair(difference, error, naive_error(evaluation), evaluation.dataset.days, unfinished)


def _unfinished(evaluation: Evaluation, name: str) -> str:
    entry = evaluation.experiments[name]
    return "" if entry.converged else f"{name} had not converged after {entry.epochs} epochs"


def _error(evaluation: Evaluation, name: str) -> float | None:
    metric = evaluation.dataset.metric
    score = evaluation.experiments[name].score(metric)
    return as_errors(metric, score.mean) if score else None


def change(evaluation: Evaluation, name: str, other: str) -> tuple[float | None, Interval | None]:
    """How much more error one has, as a fraction of the other's, and its 95 % interval, where they are known."""
    comparable, error, reference = _pair(evaluation, name, other), _error(evaluation, name), _error(evaluation, other)
    if comparable and (compared := Comparison(comparable, Outcome.UNSURE).change):
        return compared.mean, compared.interval
    return (error / reference - 1 if error is not None and reference else None), None


def naive_error(evaluation: Evaluation) -> float | None:
    """The error on test of the best model that needs no fit, chosen before the test; None where there is none."""
    name = strongest(evaluation, lambda entry: entry.method == "none")
    return _error(evaluation, name) if name else None


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
    UNTUNED = "untuned networks"
    SEGMENTS = "networks on segments"
    TUNED = "tuned networks"

    @classmethod
    def of(cls, entry: Entry) -> "Networks":
        """Segments are what the field uses for long forecasts: neither they nor the others stand for both."""
        return cls.TUNED if entry.trials else cls.SEGMENTS if entry.model == "segments" else cls.UNTUNED


@dataclass(frozen=True)
class Answer:
    """Whether a data set needs a recurrent network.

    Attributes:
        networks: which ones the question is about.
        network: the best of them; None where there is none.
        opponent: the strongest of all that has no recurrence; None where there is none.
        outcome: YES or NO where one of the two is better, else the comparison's; NOT_ASKED where nothing is to ask.
        comparison: of the two on test; None where it is not known or says nothing.
        reason: why there is no answer, and what would give one; empty where there is one.
    """

    networks: Networks
    network: str | None
    opponent: str | None
    outcome: Outcome = Outcome.UNSURE
    comparison: Comparison | None = None
    reason: str = ""

    def decided(self, comparison: Comparison) -> "Answer":
        """By the comparison of the two."""
        yes_or_no = {Outcome.BETTER: Outcome.YES, Outcome.WORSE: Outcome.NO}
        outcome = yes_or_no.get(comparison.outcome, comparison.outcome)
        return replace(self, comparison=comparison, outcome=outcome, reason=comparison.reason)


def answer(evaluation: Evaluation) -> Answer:
    """Both are chosen on validation (train, where there is none), and compared on test; one question by itself."""
    unanswered, comparable = _question(evaluation, Networks.ALL)
    return unanswered.decided(*decide([comparable])) if comparable else unanswered


def _question(evaluation: Evaluation, networks: Networks) -> tuple[Answer, Pair | None]:
    """An answer before it is decided, and the pair to decide it by; None where there is none."""
    network = strongest(evaluation, lambda entry: entry.recurrent and networks in {Networks.ALL, Networks.of(entry)})
    unanswered = Answer(networks, network, strongest_opponent(evaluation), reason="too few seeds")
    if unanswered.network is None or unanswered.opponent is None:
        return replace(unanswered, outcome=Outcome.NOT_ASKED, reason=NOTHING), None
    if evaluation.dataset.layout == "points":
        return replace(unanswered, outcome=Outcome.NOT_ASKED, reason=NO_PAST), None
    comparable = _pair(evaluation, unanswered.network, unanswered.opponent)
    if comparable is None and (why := too_short(evaluation.dataset.days)):
        unanswered = replace(unanswered, outcome=Outcome.SHORT, reason=why)
    return unanswered, comparable


def front_page(evaluations: Mapping[str, Evaluation]) -> dict[str, list[Answer]]:
    """Data set -> its answers, of untuned networks and of others, corrected for how many there are."""
    questions = [
        (name, *question)
        for name, evaluation in evaluations.items()
        for networks in (Networks.UNTUNED, Networks.SEGMENTS, Networks.TUNED)
        if (question := _question(evaluation, networks))[0].network or networks == Networks.UNTUNED
    ]
    decided = iter(decide([comparable for _, _, comparable in questions if comparable]))
    answers: dict[str, list[Answer]] = {name: [] for name in evaluations}
    for name, unanswered, comparable in questions:
        answers[name].append(unanswered.decided(next(decided)) if comparable else unanswered)
    return answers


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
    verdict = "is worse" if best.outcome == Outcome.NO else ", ".join(filter(None, (best.outcome, best.reason)))
    return str(opponent), f"{why}; no network is better (of {network}: {verdict})"


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
