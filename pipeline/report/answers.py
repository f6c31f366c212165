"""Is a network better than the strongest opponent without recurrence? By the rule of docs/decisions/verdicts.md."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pipeline.evaluation.scores import Difference, Entry, Stat
from pipeline.metrics import MEASURES
from pipeline.report.results import Evaluated

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


def answer(one: Evaluated) -> Answer:
    """Both are chosen on validation (train, where there is none), and compared on test."""
    network = strongest(one, [name for name, family in one.families.items() if family == "recurrent"])
    opponent = strongest(one, [name for name, family in one.families.items() if family != "recurrent"])
    difference = one.evaluation.difference("test", network, opponent) if network and opponent else None
    return Answer(network, opponent, difference, outcome(one, difference, difference.chance if difference else 1.0))


def outcome(one: Evaluated, difference: Difference | None, chance: float) -> str:
    """In a word: whether the first is better, by a p-value that is corrected for its table."""
    if difference is None or chance >= LEVEL or difference.sure[0] <= 0 <= difference.sure[1]:
        return UNSURE
    return BETTER if (difference.mean > 0) == MEASURES[one.about.metric].higher else WORSE


def strongest(one: Evaluated, names: Collection[str]) -> str | None:
    """The best of some experiments on validation, or on train where there is none: never on test."""
    found: dict[str, float] = {}
    for name in names:
        if score := chosen(one, one.experiments.get(name)):
            found[name] = score.mean
    pick = max if MEASURES[one.about.metric].higher else min
    return pick(found, key=lambda name: found[name]) if found else None


def chosen(one: Evaluated, entry: Entry | None) -> Stat | None:
    """The score by which an experiment may be chosen."""
    if entry is None:
        return None
    splits = entry.best or entry.final
    scores = splits.get("validation") or splits.get("train") or {}
    return scores.get(one.about.metric)


def against(one: Evaluated, opponent: str, names: Collection[str]) -> dict[str, tuple[Difference, str]]:
    """Experiment -> its difference to the opponent on test, and the outcome within this table."""
    found = {name: one.evaluation.difference("test", name, opponent) for name in names if name != opponent}
    known = {name: difference for name, difference in found.items() if difference}
    chances = holm([difference.chance for difference in known.values()])
    pairs = zip(known.items(), chances, strict=True)
    return {name: (difference, outcome(one, difference, chance)) for (name, difference), chance in pairs}


def holm(chances: Sequence[float]) -> list[float]:
    """P-values of one table, corrected by Holm's method: one table in twenty has a false one below 0.05."""
    found, least = [0.0] * len(chances), 0.0
    for rank, place in enumerate(sorted(range(len(chances)), key=lambda place: chances[place])):
        least = max(least, min(1.0, chances[place] * (len(chances) - rank)))
        found[place] = least
    return found
