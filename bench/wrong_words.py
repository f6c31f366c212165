"""A simulation of how often the rule of the answers gives wrong and right verdicts.

The questions are those about tuned networks (docs/decisions/verdicts.md), with three
searches for network and opponent, whose mean error counts. Simulated
errors vary by rows and seeds as much as in results/evaluations/. The rule estimates
these variances from each simulation, as it does from data.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from pipeline.config import params
from pipeline.evaluation import schema, verdicts
from pipeline.evaluation.intervals import LEVEL, Part, as_errors
from pipeline.evaluation.schema import FREEDOM, Evaluation
from pipeline.evaluation.verdict_rule import BAND
from pipeline.evaluation.verdicts import SEARCHES, Networks
from pipeline.workspace import Workspace
from unroll import terminal

CHANGES = (0.0, 0.03, 0.08)
"""The true changes in error, as fractions of the error above the floor."""

TRIALS = 20_000
"""The number of times that all questions are asked."""


class Question(NamedTuple):
    """A question about tuned networks.

    Attributes:
        band: the band of no difference, as a fraction of the opponent's error.
        rows: the variance of the difference by rows.
        seeds: for network and opponent, the variance of the mean error of one search
            by its seeds.
        scatters: for network and opponent, the standard deviation of a log error
            between searches; None if there was only one search.
    """

    band: float
    rows: Part
    seeds: list[Part]
    scatters: list[float | None]

    def parts(self, scatter: float) -> list[Part]:
        """Return the parts of the variance.

        `scatter` is the standard deviation of a log error between searches, for a model
        that has had one search.
        """
        variances = [(scatter if own is None else own) ** 2 for own in self.scatters]
        return [self.rows] + [
            Part((variance + seeds.variance) / SEARCHES, SEARCHES)
            for variance, seeds in zip(variances, self.seeds, strict=True)
        ]


class Rates(NamedTuple):
    """The verdicts of the simulated questions, as fractions of the trials.

    Attributes:
        wrong: wrong verdicts, as the mean over questions.
        together: trials with any wrong verdict.
        right: right verdicts, as the mean over questions.
    """

    wrong: float
    together: float
    right: float


def questions(workspace: Workspace) -> list[Question]:
    """Return the questions about tuned networks in results/evaluations/."""
    asked = []
    for evaluation in schema.load_all(
        workspace, params.load(workspace.params)
    ).values():
        answer = verdicts.answer(evaluation, Networks.TUNED)
        if answer.network is None or answer.opponent is None:
            continue
        names = (answer.network, answer.opponent)
        difference = evaluation.difference("test", *names)
        if difference is not None:
            seeds = [seeds_of(evaluation, name) for name in names]
            scatters = [scatter_of(evaluation, name) for name in names]
            asked.append(Question(answer.band, difference.rows, seeds, scatters))
    return asked


def scatter_of(evaluation: Evaluation, name: str) -> float | None:
    """Return the standard deviation of a model's log error between its searches.

    It is None if there was only one search.
    """
    if len(evaluation.searches(name)) == 1:
        return None
    return float(np.log(evaluation.errors("test", name)).std(ddof=1))


def known_scatters(asked: Iterable[Question]) -> list[float]:
    """Return the scatters of all models with several searches.

    Their median stands for the scatter of a model with one search.
    """
    return [own for each in asked for own in each.scatters if own is not None]


def seeds_of(evaluation: Evaluation, name: str) -> Part:
    """Return the variance of an experiment's mean log error by its seeds."""
    metric = evaluation.dataset.metric
    scores = np.array(evaluation.experiments[name].chosen["test"][metric].values)
    if len(scores) == 1:
        return Part(0.0, 1)
    errors = np.log(as_errors(metric, scores))
    return Part(float(errors.var(ddof=1)) / len(errors), len(errors))


def simulate(
    asked: Sequence[Question],
    change: float,
    scatter: float,
    trials: int = TRIALS,
) -> Rates:
    """Answer all questions many times.

    Args:
        asked: the questions.
        change: the true change in error, the same for all questions, as a fraction of
            the error above the floor.
        scatter: as in `Question.parts`.
        trials: how often all questions are asked.
    """
    random = np.random.default_rng(0)
    wrong = np.zeros((trials, len(asked)), bool)
    right = np.zeros((trials, len(asked)), bool)
    for index, question in enumerate(asked):
        truth = change / BAND * question.band
        low, high = _intervals(question.parts(scatter), truth, trials, random)
        words = {
            "helps": high < -question.band,
            "same": (low >= -question.band) & (high <= question.band),
            "hurts": low > question.band,
        }
        right[:, index] = words.pop("hurts" if change > BAND else "same")
        wrong[:, index] = np.logical_or.reduce([*words.values()])
    return Rates(
        float(wrong.mean()),
        float(wrong.any(axis=1).mean()),
        float(right.mean()),
    )


def _intervals(
    parts: Sequence[Part],
    truth: float,
    trials: int,
    random: np.random.Generator,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Draw intervals of the change in error, like those of `intervals.Difference`.

    Returns:
        The lower and the upper ends (trials,).
    """
    mean = np.full(trials, math.log1p(truth))
    variance = np.zeros(trials)
    weight = np.zeros(trials)
    for part in parts:
        mean += random.normal(0.0, math.sqrt(part.variance), trials)
        draws = part.draws - 1
        estimate = part.variance * random.chisquare(draws, trials) / draws
        variance += estimate
        weight += estimate**2 / draws
    freedom = np.minimum(FREEDOM, variance**2 / weight)
    reach = special.stdtrit(freedom, (1 + LEVEL) / 2) * np.sqrt(variance)
    return np.expm1(mean - reach), np.expm1(mean + reach)


def show(workspace: Workspace) -> None:
    """Print the rates for some true changes."""
    asked = questions(workspace)
    known = known_scatters(asked)
    scatter = float(np.median(known))
    print(
        f"{len(known)} models have several searches, which scatter by "
        f"{100 * min(known):.2g} to {100 * max(known):.2g} %; the median is "
        f"{100 * scatter:.2g} %"
    )
    rows = []
    for change in CHANGES:
        rates = simulate(asked, change, scatter)
        rows.append([f"{100 * change:g} %", *(f"{100 * rate:.2g} %" for rate in rates)])
    headings = [
        "true change",
        "wrong, mean",
        f"any wrong of {len(asked)}",
        "right, mean",
    ]
    terminal.show_table(headings, rows, numeric=headings)
