"""Is a network better than the strongest opponent without recurrence? By the rule of docs/decisions/verdicts.md."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.evaluation.schema import SEASON, Difference, Entry, Evaluation
from pipeline.metrics import MEASURES

BETTER, WORSE, UNSURE = "better", "worse", "cannot tell"

NOTHING = "no recurrent network, or nothing to compare it with"
NO_PAST = "one value in, so a recurrent layer has no past to use: it is one more feed-forward network"

LEVEL = 0.05
"""Of the corrected p-values of one table."""


@dataclass(frozen=True)
class Answer:
    """Whether a data set needs a recurrent network.

    Attributes:
        network: the best recurrent network; None where there is none.
        opponent: the strongest of all that has no recurrence; None where there is none.
        difference: of the measure on test, network against opponent; None where it is not known or says nothing.
        outcome: BETTER, WORSE or UNSURE.
        reason: why there is no difference; empty where there is one.
    """

    network: str | None
    opponent: str | None
    difference: Difference | None
    outcome: str
    reason: str = ""


def answer(evaluation: Evaluation) -> Answer:
    """Both are chosen on validation (train, where there is none), and compared on test."""
    network, opponent = strongest(evaluation, lambda entry: entry.recurrent), strongest_opponent(evaluation)
    if network is None or opponent is None:
        return Answer(network, opponent, None, UNSURE, NOTHING)
    if evaluation.dataset.layout == "points":
        return Answer(network, opponent, None, UNSURE, NO_PAST)
    difference, weeks = evaluation.difference("test", network, opponent), evaluation.dataset.weeks
    if difference is None:
        few = "too few seeds" if weeks is None or weeks >= SEASON else f"{weeks} weeks of test rows rank nothing"
        return Answer(network, opponent, None, UNSURE, few)
    return Answer(network, opponent, difference, _outcome(evaluation, difference, 0.0))


def champion(evaluation: Evaluation) -> tuple[str, str] | None:
    """Whose forecasts to use, and why: a recurrent network only where it is better than the strongest without one.

    None where nothing is scored.
    """
    found = answer(evaluation)
    network, opponent = found.network, found.opponent
    if network is None and opponent is None:
        return None
    why = "the strongest without recurrence"
    if network and (opponent is None or found.outcome == BETTER):
        return network, f"better than {opponent}, {why}" if opponent else "the only kind here"
    if network is None:
        return str(opponent), why
    said = f"{network} is {found.outcome}" if found.outcome != UNSURE else f"cannot tell of {network}"
    return str(opponent), f"{why}; no network is better ({said}{f': {found.reason}' if found.reason else ''})"


def against(evaluation: Evaluation, opponent: str | None) -> dict[str, tuple[Difference, str]]:
    """Experiment -> its difference to the opponent on test, and the outcome within this table."""
    each = {name: evaluation.difference("test", name, opponent) for name in evaluation.experiments if opponent}
    known = {name: difference for name, difference in each.items() if difference}
    p_values = holm([difference.p_value for difference in known.values()])
    return {
        name: (difference, _outcome(evaluation, difference, p_value))
        for (name, difference), p_value in zip(known.items(), p_values, strict=True)
    }


def strongest_opponent(evaluation: Evaluation) -> str | None:
    """The strongest of all that has no recurrence."""
    return strongest(evaluation, lambda entry: not entry.recurrent)


def strongest(evaluation: Evaluation, wanted: Callable[[Entry], bool]) -> str | None:
    """The best of some experiments on validation, or on train where there is none: never on test."""
    metric, chosen = evaluation.dataset.metric, {}
    for name, entry in evaluation.experiments.items():
        scores = entry.chosen.get("validation") or entry.chosen.get("train")
        if scores and wanted(entry):
            chosen[name] = scores[metric].mean
    return (max if MEASURES[metric].higher else min)(chosen, key=chosen.__getitem__, default=None)


def _outcome(evaluation: Evaluation, difference: Difference, p_value: float) -> str:
    """In a word: whether the first is better, by its interval and a p-value that is corrected for its table."""
    if p_value >= LEVEL or difference.mean_ci[0] <= 0 <= difference.mean_ci[1]:
        return UNSURE
    return BETTER if (difference.mean > 0) == MEASURES[evaluation.dataset.metric].higher else WORSE


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values of one table, corrected by Holm's method: one table in twenty has a false one below 0.05."""
    found, least = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        least = max(least, min(1.0, p_values[place] * (len(p_values) - rank)))
        found[place] = least
    return found


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
