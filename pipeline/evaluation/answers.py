"""Is a network better than the strongest opponent without recurrence? By the rule of docs/decisions/verdicts.md."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar

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


class Networks(StrEnum):
    """Which recurrent networks a question is about."""

    ALL = "all"
    DOCUMENTS = "the documents' networks"
    TUNED = "tuned networks"


@dataclass(frozen=True)
class Answer:
    """Whether a data set needs a recurrent network.

    Attributes:
        networks: which ones were asked about.
        network: the best of them; None where there is none.
        opponent: the strongest of all that has no recurrence; None where there is none.
        difference: of the measure on test, network against opponent; None where it is not known or says nothing.
        interval: of the difference, at the level that decides.
        outcome: YES or NO where the interval excludes zero, else UNSURE; NOT_ASKED where there is nothing to ask.
        reason: why there is no difference; empty where there is one.
        change: of the error, as a share of the opponent's; None without a difference, or where it is beyond `FAR`.
    """

    networks: Networks
    network: str | None
    opponent: str | None
    difference: Difference | None
    interval: Interval | None
    outcome: Outcome
    reason: str = ""
    change: "Change | None" = None


@dataclass(frozen=True)
class Change:
    """How much more error one model has than another, as a share of the other's: -0.04 is 4 % less.

    The error is the measure; of an accuracy it is the share that is wrong. The other's error is taken as it is.
    """

    mean: float
    interval: Interval


def answer(evaluation: Evaluation, networks: Networks = Networks.ALL) -> Answer:
    """Both are chosen on validation (train, where there is none), and compared on test; one question by itself."""

    def asked(entry: Entry) -> bool:
        return entry.recurrent and (networks == Networks.ALL or bool(entry.trials) == (networks == Networks.TUNED))

    network, opponent = strongest(evaluation, asked), strongest_opponent(evaluation)
    none = Answer(networks, network, opponent, None, None, Outcome.UNSURE)
    if network is None or opponent is None:
        return replace(none, outcome=Outcome.NOT_ASKED, reason=NOTHING)
    if evaluation.dataset.layout == "points":
        return replace(none, outcome=Outcome.NOT_ASKED, reason=NO_PAST)
    difference, weeks = evaluation.difference("test", network, opponent), evaluation.dataset.weeks
    if difference is None:
        ranked = "test" in evaluation.differences or weeks is None or weeks >= SEASON
        few = "too few seeds" if ranked else f"test period too short to rank ({weeks} of {SEASON} weeks)"
        return replace(none, reason=few)
    return _answered(evaluation, none, difference, ALPHA)


def _answered(evaluation: Evaluation, asked: Answer, difference: Difference, alpha: float) -> Answer:
    """What is asked, decided at a level."""
    interval, outcome = _decided(evaluation, difference, alpha)
    word = {Outcome.BETTER: Outcome.YES, Outcome.WORSE: Outcome.NO}.get(outcome, outcome)
    changed = change(evaluation, asked.opponent, difference, interval)
    return replace(asked, difference=difference, interval=interval, outcome=word, change=changed)


def change(evaluation: Evaluation, other: str | None, difference: Difference, interval: Interval) -> Change | None:
    """A difference on test to another experiment and its interval, as shares of the other's error."""
    measure = MEASURES[evaluation.dataset.metric]
    score = evaluation.experiments[other].score(evaluation.dataset.metric) if other else None
    error = 0.0 if score is None else 1 - score.mean if measure.higher else score.mean
    if error <= 0 or max(map(abs, (difference.mean, *interval))) > FAR * error:
        return None
    values = ((-value if measure.higher else value) / error for value in (difference.mean, *interval))
    mean, *ends = (max(-1.0, value) for value in values)  # no error is less than none
    return Change(mean, (min(ends), max(ends)))


def front_page(evaluations: Mapping[str, Evaluation]) -> dict[str, list[Answer]]:
    """Data set -> its answers, of the documents' networks and of tuned ones, corrected for how many there are."""
    every = [
        (name, found)
        for name, evaluation in evaluations.items()
        for networks in (Networks.DOCUMENTS, Networks.TUNED)
        if (found := answer(evaluation, networks)).network or networks == Networks.DOCUMENTS
    ]
    known = [found.difference for _, found in every if found.difference]
    levels = iter(holm([difference.p_value for difference in known]))
    table: dict[str, list[Answer]] = {name: [] for name in evaluations}
    for name, found in every:
        if found.difference:
            found = _answered(evaluations[name], found, found.difference, next(levels))  # noqa: PLW2901
        table[name].append(found)
    return table


def champion(evaluation: Evaluation) -> tuple[str, str] | None:
    """Whose forecasts to use, and why: a recurrent network only where it is better than the strongest without one.

    None where nothing is scored.
    """
    found = answer(evaluation)
    network, opponent = found.network, found.opponent
    if network is None and opponent is None:
        return None
    why = "the strongest without recurrence"
    if network and (opponent is None or found.outcome == Outcome.YES):
        return network, f"better than {opponent}, {why}" if opponent else "the only kind here"
    if network is None:
        return str(opponent), why
    said = f"{network} is worse" if found.outcome == Outcome.NO else f"cannot tell of {network}"
    return str(opponent), f"{why}; no network is better ({said}{f': {found.reason}' if found.reason else ''})"


def against(evaluation: Evaluation, opponent: str | None) -> dict[str, tuple[Difference, Interval, Outcome]]:
    """Experiment -> its difference to the opponent on test, with its interval and outcome, corrected for this table."""
    return decided(evaluation, {name: (name, opponent) for name in evaluation.experiments if opponent})


def decided(
    evaluation: Evaluation, pairs: Mapping[Key, tuple[str, str]]
) -> dict[Key, tuple[Difference, Interval, Outcome]]:
    """The difference on test between the two of each pair, where it is known, with its interval and outcome, corrected
    for how many there are.
    """
    every = ((key, evaluation.difference("test", *pair)) for key, pair in pairs.items())
    known = {key: difference for key, difference in every if difference}
    levels = holm([difference.p_value for difference in known.values()])
    return {
        key: (difference, *_decided(evaluation, difference, level))
        for (key, difference), level in zip(known.items(), levels, strict=True)
    }


def strongest_opponent(evaluation: Evaluation) -> str | None:
    """The strongest of all that has no recurrence."""
    return strongest(evaluation, lambda entry: not entry.recurrent)


def strongest(evaluation: Evaluation, wanted: Callable[[Entry], bool]) -> str | None:
    """The best of some experiments on validation, or on train where there is none: never on test.

    Those that have seen only a share of the train examples are left out.
    """
    metric, chosen = evaluation.dataset.metric, {}
    for name, entry in evaluation.experiments.items():
        scores = entry.chosen.get("validation") or entry.chosen.get("train")
        if scores and wanted(entry) and entry.share == 1:
            chosen[name] = scores[metric].mean
    return (max if MEASURES[metric].higher else min)(chosen, key=chosen.__getitem__, default=None)


def _decided(evaluation: Evaluation, difference: Difference, alpha: float) -> tuple[Interval, Outcome]:
    """The interval at a level, and in a word on which side of zero it lies."""
    low, high = difference.interval(1 - alpha)
    better, worse = Outcome.BETTER, Outcome.WORSE
    if low <= 0 <= high:
        return (low, high), Outcome.UNSURE
    return (low, high), better if (low > 0) == MEASURES[evaluation.dataset.metric].higher else worse


def holm(p_values: Sequence[float]) -> list[float]:
    """The level at which each p-value of one table is decided, by Holm's method: below it there is a difference.

    The least of m has alpha / m, the next alpha / (m - 1), and so on. All that come after the first one that is not
    below its level have that one's level, and so are not below it either.
    """
    levels, level, open_ = [ALPHA] * len(p_values), ALPHA, True
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        if open_:
            level = ALPHA / (len(p_values) - rank)
            open_ = p_values[place] < level
        levels[place] = level
    return levels


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
