"""Simulated searches: which networks they find, and what is seen of them.

A drawn trial has a true log error: that of the best options, plus a Weibull number times
the model's spread. A search sees true errors through noise, and drops most trials after
each round. So a lucky trial may win, as in a real search.
"""

import math
from collections.abc import Sequence
from functools import cache, partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

SHAPE = 1.3
"""The shape of the Weibull distribution. In results/trials/ the best and the second best
trial lie .12 to .23 times as far apart as the best and one of rank 5 to 9. Shapes of .9 to
2 give such gaps."""

ROUND_NOISE = {16: 1.2, 8: 1.0, 4: 0.7, 2: 0.4, 1: 0.0}
"""Part of the epochs, such as 8 for an eighth -> the standard deviation of what a
training with these epochs says about the error with all epochs, as a fraction of the
spread. From 24 trials of sequence to vector that were trained in full, too: 1.2 after a
sixteenth and 0.7 after a quarter for a GRU with a dense layer, 0.9 and 0.9 for eight
dense networks. An eighth and a half lie between."""

STARTING = 0.05
"""What the start of a training costs, as a fraction of a whole training."""

LONGER = 1.6
"""What training on with more epochs costs for each network that a search ends with, in
whole trainings: the mean of the searches of 24 trials in results/trials/."""

FIRST_SEEDS = 5
"""Seeds by which a model's searches in results/evaluations/ were judged."""


class Model(NamedTuple):
    """A model that stands for its side if it is the best on validation.

    Attributes:
        name: the name of the experiment.
        gap: its mean log error above that of its side's best model.
        scatter: the standard deviation between searches of 24 trials of the log error on
            test; 0 for a model without searches and seeds.
        seen: the same on validation. What test has beyond is not seen by a search.
        seed: the standard deviation of a log error between seeds.
        test_rows: the standard deviation of a network's log error by the rows of test
            that it does not share with other networks of the model.
        validation_rows: the same for the rows of validation.
    """

    name: str
    gap: float
    scatter: float
    seen: float
    seed: float
    test_rows: float
    validation_rows: float

    def at_most(self, scatter: float) -> "Model":
        """Return the same model with searches that scatter by so much at most."""
        return self._replace(
            scatter=min(self.scatter, scatter), seen=min(self.seen, scatter)
        )


class Plan(NamedTuple):
    """The searches for one model.

    Attributes:
        searches: the number of independent searches.
        rounds: for each round the part of the epochs and the number of trials:
            ((8, 24), (4, 8)) trains 24 trials with an eighth of the epochs, and the best
            eight with a quarter.
        networks: how many networks of each search are trained with all seeds.
        seeds: the seeds of each network.
    """

    searches: int
    rounds: tuple[tuple[int, int], ...]
    networks: int = 1
    seeds: int = 5

    @property
    def trials(self) -> int:
        """The number of trials of each search."""
        return self.rounds[0][1]

    @property
    def cost(self) -> float:
        """What all searches cost, in whole trainings with all epochs."""
        rounds = sum(count * (1 / part + STARTING) for part, count in self.rounds)
        return self.searches * (rounds + self.networks * LONGER)


TODAY = Plan(3, ((8, 24), (4, 8), (2, 3), (1, 1)))
"""Three searches of 24 trials, as before 29 November 2026 (docs/decisions/search.md)."""


class Found(NamedTuple):
    """The networks of a model's searches, in many draws.

    Errors are logarithms, from the error of the model's best options.

    Attributes:
        validation: (draws, networks) errors on validation, as means over seeds. The
            networks of one pooled search are sorted by them.
        test: (draws, networks) errors of the same networks on test.
        by_seeds: (draws,) the estimate of the variance of one network's mean by seeds.
        freedom: the degrees of freedom of this estimate.
    """

    validation: Floats
    test: Floats
    by_seeds: Floats
    freedom: int


class Spread(NamedTuple):
    """How much the trials of a model differ.

    Attributes:
        trials: the number that multiplies the Weibull numbers.
        unseen: the standard deviation of a network's log error on test that neither
            validation nor seeds nor its own rows account for.
        shape: the shape of the Weibull distribution.
    """

    trials: float
    unseen: float
    shape: float


@cache
def spread_of(model: Model, shape: float = SHAPE) -> Spread:
    """Return the spread with which searches of 24 trials scatter as the model says."""
    known = model.seed**2 / FIRST_SEEDS + model.test_rows**2
    least = (0.3 * model.scatter) ** 2
    wanted = max(min(model.scatter, model.seen) ** 2 - known, least)
    unseen = math.sqrt(max(model.scatter**2 - known - wanted, 0.0))
    random = np.random.default_rng(1)
    trials = 10 * math.sqrt(wanted)
    # The chosen trial scatters nearly in proportion to all trials.
    for _ in range(6):
        spread = Spread(trials, unseen, shape)
        true, _ = _search(model, spread, TODAY, 4000, random)
        trials *= (math.sqrt(wanted) / float(true.std())) ** 0.8
    return Spread(trials, unseen, shape)


def draw(
    model: Model,
    spread: Spread | None,
    plan: Plan,
    draws: int,
    random: np.random.Generator,
) -> Found:
    """Draw a model's searches many times.

    A model without searches (`spread` is None) is one network, and has no seeds.
    """
    if spread is None:
        size = (draws, 1)
        validation = random.normal(0.0, model.validation_rows, size)
        test = random.normal(0.0, model.test_rows, size)
        return Found(validation, test, np.zeros(draws), 1)
    found = [_search(model, spread, plan, draws, random) for _ in range(plan.searches)]
    true = np.hstack([errors for errors, _ in found])
    noise = np.hstack([errors for _, errors in found])
    normal = partial(random.normal, 0.0)
    by_seeds = model.seed**2 / plan.seeds
    trained = true + normal(math.sqrt(by_seeds), true.shape)
    validation = trained + noise
    test = trained + normal(math.hypot(model.test_rows, spread.unseen), true.shape)
    if plan.searches == 1:
        order = validation.argsort(axis=1)
        validation = np.take_along_axis(validation, order, axis=1)
        test = np.take_along_axis(test, order, axis=1)
    freedom = true.shape[1] * (plan.seeds - 1)
    estimate = by_seeds * random.chisquare(freedom, draws) / freedom
    return Found(validation, test, estimate, freedom)


def _search(
    model: Model,
    spread: Spread,
    plan: Plan,
    draws: int,
    random: np.random.Generator,
) -> tuple[Floats, Floats]:
    """Draw one search many times.

    Returns:
        The true log errors of the networks that it ends with (draws, networks), and
        their noise by the rows of validation.
    """
    size = (draws, plan.trials)
    # A power of an exponential number is a Weibull number. Single precision is twice as
    # fast.
    true: npt.NDArray[np.float32] = random.standard_exponential(size, dtype=np.float32)
    np.power(true, 1 / spread.shape, out=true)
    np.multiply(true, spread.trials, out=true)
    noise = random.standard_normal(size, dtype=np.float32)
    np.multiply(noise, model.validation_rows, out=noise)
    kept = [count for _, count in plan.rounds[1:]] + [plan.networks]
    for (part, _), count in zip(plan.rounds, kept, strict=True):
        deviation = math.hypot(model.seed, ROUND_NOISE[part] * spread.trials)
        unlucky = random.standard_normal(true.shape, dtype=np.float32)
        seen = true + noise + deviation * unlucky
        if count < true.shape[1]:
            best = seen.argpartition(count - 1, axis=1)[:, :count]
            true = np.take_along_axis(true, best, axis=1)
            noise = np.take_along_axis(noise, best, axis=1)
    return true.astype(float), noise.astype(float)


def best_of_resampled(errors: Sequence[float] | Floats, trials: int) -> Floats:
    """Return the variance of the best of resampled trials (Dodge and others 2019, "Show
    Your Work", EMNLP-IJCNLP).

    As many trials are drawn, with replacement, as there are. The best of them is the
    j-th best of all with a known probability.

    Args:
        errors: (..., n) the errors of the n best trials, from the best on. Worse ones
            are hardly ever the best.
        trials: the number of trials.

    Returns:
        The variances (...).
    """
    known = np.asarray(errors, float)
    ranks = np.arange(known.shape[-1])
    above = (1 - ranks / trials) ** trials
    chances = above - (1 - (ranks + 1) / trials) ** trials
    chances /= chances.sum()
    mean = (known * chances).sum(axis=-1)
    return np.asarray((known**2 * chances).sum(axis=-1) - mean**2)
