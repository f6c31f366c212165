"""How often the rule of the answers says a wrong word, and how often the right one: a
simulation of the questions about tuned networks (docs/decisions/verdicts.md).

Each simulated error scatters by rows and seeds as in results/evaluations/, and the rule
estimates these scatters again, as it does from data.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from pipeline.config import params
from pipeline.evaluation import answers, answers_file
from pipeline.evaluation.answers import Networks
from pipeline.evaluation.intervals import LEVEL, Part
from pipeline.evaluation.margin import BAND
from pipeline.workspace import Workspace
from unroll import tables

CHANGES = (0.0, 0.03, 0.08)
"""The true changes in error, as fractions of the error above the floor."""

SEARCH = 0.012
"""The standard deviation of the logarithm of a network's error between searches for its
options: that with which the interval of sequence to sequence becomes -5.4 to +1.4 %."""

SEARCHES = {
    0: "these two networks",
    1: "one search each",
    3: "three searches each, in the interval",
}
"""Searches for the options of each model -> what is asked then."""

TRIALS = 20_000


class Question(NamedTuple):
    """A question about tuned networks.

    Attributes:
        band: as a fraction of the opponent's error.
        parts: of the variance: by rows, by the seeds of the one, of the other.
    """

    band: float
    parts: tuple[Part, Part, Part]


class Rates(NamedTuple):
    """What became of the simulated questions, as fractions of the trials.

    Attributes:
        wrong: a wrong word, mean over the questions.
        worst: a wrong word, of the question with the most.
        together: any wrong word among all questions.
        right: the right word, mean over the questions.
    """

    wrong: float
    worst: float
    together: float
    right: float


def questions(workspace: Workspace) -> list[Question]:
    """Read the questions about tuned networks from results/evaluations/."""
    asked = []
    config = params.load(workspace.params)
    for evaluation in answers_file.evaluations(workspace, config).values():
        answer = answers.answer(evaluation, Networks.TUNED)
        if answer.network is None or answer.opponent is None:
            continue
        difference = evaluation.difference("test", answer.network, answer.opponent)
        if difference is not None:
            parts = (difference.rows, difference.seeds, difference.other_seeds)
            asked.append(Question(answer.band, parts))
    return asked


def simulate(
    asked: Sequence[Question],
    change: float,
    searches: int = 0,
    trials: int = TRIALS,
) -> Rates:
    """Answer all questions many times.

    Args:
        asked: the questions.
        change: the true change in error, the same for all questions, as a fraction of
            the error above the floor.
        searches: for the options of each model, whose mean error counts. The interval
            does not know the scatter of 1, and knows that of several. With 0 the
            question is about the two models as they are.
        trials: how often all questions are asked.
    """
    random = np.random.default_rng(0)
    of_searches = []
    if searches:
        of_searches = 2 * [Part(SEARCH**2 / searches, searches)]
    wrong = np.zeros((trials, len(asked)), bool)
    right = np.zeros((trials, len(asked)), bool)
    for index, question in enumerate(asked):
        truth = change / BAND * question.band
        parts = [*question.parts, *of_searches]
        low, high = _intervals(parts, truth, trials, random)
        helps = high < -question.band
        hurts = low > question.band
        same = (low >= -question.band) & (high <= question.band)
        if change > BAND:
            right[:, index] = hurts
            wrong[:, index] = helps | same
        else:
            right[:, index] = same
            wrong[:, index] = helps | hurts
    return Rates(
        float(wrong.mean()),
        float(wrong.mean(axis=0).max()),
        float(wrong.any(axis=1).mean()),
        float(right.mean()),
    )


def _intervals(
    parts: Sequence[Part],
    truth: float,
    trials: int,
    random: np.random.Generator,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Draw the interval of the change in error (trials,) as `intervals.Difference`
    would estimate it.
    """
    mean = np.full(trials, math.log1p(truth))
    variance = np.zeros(trials)
    weight = np.zeros(trials)
    for part in parts:
        mean += random.normal(0.0, math.sqrt(part.variance), trials)
        if part.draws > 1:
            freedom = part.draws - 1
            estimate = part.variance * random.chisquare(freedom, trials) / freedom
            variance += estimate
            weight += estimate**2 / freedom
    reach = special.stdtrit(variance**2 / weight, (1 + LEVEL) / 2) * np.sqrt(variance)
    return np.expm1(mean - reach), np.expm1(mean + reach)


def show(workspace: Workspace) -> None:
    """Print the rates for some true changes and numbers of searches."""
    asked = questions(workspace)
    rows = []
    for searches, words in SEARCHES.items():
        for change in CHANGES:
            rates = simulate(asked, change, searches)
            cells = [f"{100 * rate:.2g} %" for rate in rates]
            rows.append([words, f"{100 * change:g} %", *cells])
    headings = [
        "asked about",
        "true change",
        "wrong, mean",
        "wrong, worst question",
        f"any wrong of {len(asked)}",
        "right, mean",
    ]
    tables.show(headings, rows, numeric=headings[1:])
