"""Is a network better than the strongest opponent without recurrence? By the rule of docs/decisions/verdicts.md."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.evaluation.schema import Difference, Entry, Evaluation
from pipeline.metrics import MEASURES

BETTER, WORSE, UNSURE = "better", "worse", "cannot tell"

LEVEL = 0.05
"""Of the corrected p-values of one table."""


@dataclass(frozen=True)
class Answer:
    """Whether a data set needs a recurrent network.

    Attributes:
        network: the best recurrent network; None where there is none.
        opponent: the strongest of all that has no recurrence; None where there is none.
        difference: of the measure on test, network against opponent; None where it is not known.
        outcome: BETTER, WORSE or UNSURE.
    """

    network: str | None
    opponent: str | None
    difference: Difference | None
    outcome: str


def answer(evaluation: Evaluation) -> Answer:
    """Both are chosen on validation (train, where there is none), and compared on test."""
    network, opponent = strongest(evaluation, lambda entry: entry.recurrent), strongest_opponent(evaluation)
    difference = evaluation.difference("test", network, opponent) if network and opponent else None
    return Answer(network, opponent, difference, _outcome(evaluation, difference, 0.0))


def against(evaluation: Evaluation, opponent: str | None) -> dict[str, tuple[Difference, str]]:
    """Experiment -> its difference to the opponent on test, and the outcome within this table."""
    found = {}
    for name in evaluation.experiments:
        if opponent and name != opponent and (difference := evaluation.difference("test", name, opponent)):
            found[name] = difference
    chances = holm([difference.chance for difference in found.values()])
    return {
        name: (difference, _outcome(evaluation, difference, chance))
        for (name, difference), chance in zip(found.items(), chances, strict=True)
    }


def strongest_opponent(evaluation: Evaluation) -> str | None:
    """The strongest of all that has no recurrence."""
    return strongest(evaluation, lambda entry: not entry.recurrent)


def strongest(evaluation: Evaluation, wanted: Callable[[Entry], bool]) -> str | None:
    """The best of some experiments on validation, or on train where there is none: never on test."""
    metric, found = evaluation.dataset.metric, {}
    for name, entry in evaluation.experiments.items():
        splits = entry.best or entry.final
        scores = splits.get("validation") or splits.get("train")
        if scores and wanted(entry):
            found[name] = scores[metric].mean
    pick = max if MEASURES[metric].higher else min
    return pick(found, key=lambda name: found[name]) if found else None


def _outcome(evaluation: Evaluation, difference: Difference | None, chance: float) -> str:
    """In a word: whether the first is better, by its interval and a p-value that is corrected for its table."""
    if difference is None or chance >= LEVEL or difference.sure[0] <= 0 <= difference.sure[1]:
        return UNSURE
    return BETTER if (difference.mean > 0) == MEASURES[evaluation.dataset.metric].higher else WORSE


def holm(chances: Sequence[float]) -> list[float]:
    """P-values of one table, corrected by Holm's method: one table in twenty has a false one below 0.05."""
    found, least = [0.0] * len(chances), 0.0
    for rank, place in enumerate(sorted(range(len(chances)), key=lambda place: chances[place])):
        least = max(least, min(1.0, chances[place] * (len(chances) - rank)))
        found[place] = least
    return found


def headline(evaluation: Evaluation) -> dict[str, dict[str, float]]:
    """What `dvc metrics` shows of each experiment: the measure on test by the weights chosen on validation, mean over
    the seeds, and the 95 % interval of that mean where it is known.
    """
    found: dict[str, dict[str, float]] = {}
    for name, entry in evaluation.experiments.items():
        stat = (entry.best or entry.final).get("test", {}).get(evaluation.dataset.metric)
        if stat:
            found[name] = {"score": stat.mean}
            if stat.sure:
                found[name] |= dict(zip(("low", "high"), stat.sure, strict=True))
    return found
