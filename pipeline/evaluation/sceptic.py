"""results/sceptic/DATASET.json: what a search with scikit-learn alone did to a data
set's answers.

`python -m bench sceptic` writes it (docs/decisions/opponents.md).
"""

from pathlib import Path
from typing import Annotated

import pydantic

from pipeline.evaluation.answers import Answer
from pipeline.evaluation.outcome import Outcome
from pipeline.evaluation.schema import Evaluation
from pipeline.files import read_checked
from pipeline.validation import Strict

FAVOURS = {Outcome.YES: 2, Outcome.SAME: 1, Outcome.UNSURE: 1, Outcome.NO: 0}
"""How much an outcome says for recurrence."""


class Search(Strict):
    """What was tried, and what it came to.

    Attributes:
        data: twelve characters of the hash of the prepared arrays that it was searched
            on.
        seed: of all that was drawn.
        cpu_seconds: of one core, in all.
        models: how many were tried.
        best: of them on validation, in words.
        seeds: whose mean the best is.
        validation, test: its error, which is the data set's measure; of an accuracy the
            fraction that is wrong.
        kinds: each kind that was tried -> its least error on validation.
    """

    data: str
    seed: int
    cpu_seconds: Annotated[int, pydantic.Field(ge=0)]
    models: Annotated[int, pydantic.Field(ge=1)]
    best: str
    seeds: Annotated[int, pydantic.Field(ge=1)]
    validation: float
    test: float
    kinds: dict[str, float]


class Challenge(Strict):
    """An answer whose opponent is replaced by the best model of the search.

    Attributes:
        networks: which ones the question is about, one of `answers.Networks`.
        fingerprints: of the runs of the network and of its opponent that it was
            compared with.
        outcome: the answer's word.
        challenged: the word that it would have with this opponent.
        network, opponent: how much more error each of the two has than the search's
            best, in words.
        overturned: whether the search's best would have been chosen on validation, and
            says less for recurrence.
    """

    networks: str
    fingerprints: dict[str, str]
    outcome: str
    challenged: str
    network: str
    opponent: str
    overturned: bool


class Sceptic(Strict):
    """What the file holds: the search, and a challenge for each answer that compares
    two models.
    """

    search: Search
    challenges: list[Challenge]

    def beside(self, answer: Answer, evaluation: Evaluation) -> str:
        """What is shown with an answer, empty where nothing was compared.

        Such as "not overturned in 1,800 CPU s: against the best found -5.6 % error (-11
        to -0.1 %)".
        """
        challenge = {
            challenge.networks: challenge for challenge in self.challenges
        }.get(answer.networks)
        if challenge is None or answer.interval is None:
            return ""
        if challenge.fingerprints != fingerprints(answer, evaluation):
            return "a sceptic searched against an earlier build"
        effort = f"overturned in {self.search.cpu_seconds:,} CPU s"
        model = self.search.best.partition(",")[0]
        if challenge.overturned:
            return f"{effort} by a {model}: {challenge.challenged}"
        return f"not {effort}: against the best found {challenge.network}"


def fingerprints(answer: Answer, evaluation: Evaluation) -> dict[str, str]:
    """Of the runs of the two models that an answer compares."""
    return {
        name: evaluation.experiments[name].fingerprint
        for name in (answer.network, answer.opponent)
        if name
    }


def load(path: Path) -> Sceptic | None:
    """The file of a data set; None where there is none. Raises UnrollError if it is
    damaged.
    """
    return read_checked(path, Sceptic) if path.is_file() else None
