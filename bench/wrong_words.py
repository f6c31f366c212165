"""A simulation of how often rules of the answers give wrong and right words.

The questions are those about tuned networks (docs/decisions/rule.md). Their models
err as in results/evaluations/, by rows, searches and seeds. `bench.searches` simulates
the searches. A rule sees what it would see of real ones: errors on validation, errors on
test, and the scatter between them. It chooses each side's model on validation, so the
luck of the chosen one is in the simulation.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from bench.searches import (
    SHAPE,
    TODAY,
    Floats,
    Found,
    Model,
    Plan,
    best_of_resampled,
    draw,
    spread_of,
)
from pipeline.config import params
from pipeline.evaluation import schema, verdicts
from pipeline.evaluation.intervals import Part, as_errors
from pipeline.evaluation.schema import Evaluation, Split
from pipeline.evaluation.verdict_rule import BAND
from pipeline.evaluation.verdicts import Networks
from pipeline.files import read_table
from pipeline.workspace import Workspace
from unroll import terminal

CHANGES = (0.0, 0.03, 0.04, 0.0499, 0.08, 0.12, 0.2)
"""The true changes in error, as fractions of the error above the floor. Half of the draws
have less error, half have more."""

INSIDE = 0.04
"""Up to this change at most `MOST` of the draws may have a wrong word."""

MOST = 0.05

AT_THE_EDGE = 0.08
"""The same just inside the band, at a change of 4.99 %."""

GAINS = (0.08, 0.12, 0.2)
"""Changes at which right words count."""

DRAWS = 20_000
"""The number of times that all questions are asked."""

GOAL = 0.02
"""The scatter of searches that is hoped for."""

LEVELS = (0.95, 0.96, 0.97, 0.98, 0.985, 0.99, 0.995)
"""The levels of intervals that are tried."""

NEAR = 0.05
"""A model may stand for its side if its log error on validation is within this of the
best."""

CANDIDATES = 3
"""Most models that may stand for a side."""

BESIDE_ROWS = 0.012
"""The standard deviation by rows of the difference between n-grams and a recurrent
network that is given their score: it was +-2.4 % at 95 % for a minGRU on reviews."""


class Question(NamedTuple):
    """A question about tuned networks.

    Attributes:
        name: the data set.
        band: the band of no difference, as a fraction of the opponent's error.
        rows: the variance by rows of the difference between a network and an opponent.
        sides: the models that may stand for the network and for the opponent.
    """

    name: str
    band: float
    rows: Part
    sides: tuple[list[Model], list[Model]]

    def at_most(self, scatter: float) -> "Question":
        """Return the question with searches that scatter by so much at most."""
        network, opponent = (
            [model.at_most(scatter) for model in side] for side in self.sides
        )
        return self._replace(sides=(network, opponent))


class Estimate(NamedTuple):
    """What a rule says of a model in each draw.

    Attributes:
        validation: (draws,) the log error by which a side's model is chosen.
        test: (draws,) the log error that is compared.
        parts: the variances of `test`, each (draws,), with degrees of freedom.
    """

    validation: Floats
    test: Floats
    parts: list[tuple[Floats, float]]


def mean_of_networks(found: Found, plan: Plan) -> Estimate:
    """Return the mean of all networks, as if they were independent."""
    del plan
    count = found.test.shape[1]
    variance = found.test.var(axis=1, ddof=1) / count
    return Estimate(
        found.validation.mean(axis=1),
        found.test.mean(axis=1),
        [(variance, count - 1)],
    )


def best_of_pool(found: Found, plan: Plan, freedom: float) -> Estimate:
    """Return the best network of a pool; resampled trials tell its variance."""
    variance = best_of_resampled(found.validation, plan.trials)
    return Estimate(
        found.validation[:, 0],
        found.test[:, 0],
        [(variance, freedom), (found.by_seeds, found.freedom)],
    )


def mean_by_gaps(found: Found, plan: Plan) -> Estimate:
    """Return the mean of a pool's networks; gaps between neighbours tell its variance.

    Where trials near the best lie evenly, gaps are exponential and independent (Renyi
    1953). The first gap is then in the errors of all networks, the last one in one.
    """
    del plan
    count = found.test.shape[1]
    gap = (found.validation[:, -1] - found.validation[:, 0]) / (count - 1)
    factor = sum((rank / count) ** 2 for rank in range(1, count + 1))
    return Estimate(
        found.validation.mean(axis=1),
        found.test.mean(axis=1),
        [
            (factor * gap**2, 2 * (count - 1)),
            (found.by_seeds / count, found.freedom),
        ],
    )


def by_parts(
    parts: Iterable[tuple[Floats, float | Floats]],
    rows: tuple[Floats, float],
    level: float,
) -> Floats:
    """Return half the width: each part has the t of its own degrees of freedom."""
    squares = [
        _t(freedom, level) ** 2 * variance for variance, freedom in [*parts, rows]
    ]
    return np.asarray(np.sqrt(sum(squares)))


def by_welch(
    parts: list[tuple[Floats, float]],
    rows: tuple[Floats, float],
    level: float,
    most: float = math.inf,
) -> Floats:
    """Return half the width by Welch and Satterthwaite, with so much freedom at most."""
    variance, freedom = _joined([*parts, rows])
    return np.asarray(_t(np.minimum(most, freedom), level) * np.sqrt(variance))


def by_two_parts(
    parts: list[tuple[Floats, float]], rows: tuple[Floats, float], level: float
) -> Floats:
    """Return half the width: one part for both sides, by Welch, and one for the rows."""
    return by_parts([_joined(parts)], rows, level)


def _joined(parts: Iterable[tuple[Floats, float | Floats]]) -> tuple[Floats, Floats]:
    """Return the sum of variances, and its degrees of freedom by Satterthwaite."""
    known = list(parts)
    variance = np.asarray(sum(part for part, _ in known))
    weight = sum(part**2 / freedom for part, freedom in known)
    return variance, variance**2 / np.maximum(weight, 1e-300)


def _t(freedom: float | Floats, level: float) -> Floats:
    return np.asarray(special.stdtrit(freedom, (1 + level) / 2))


class Rule(NamedTuple):
    """A rule of the answers.

    Attributes:
        name: the rule in a few words.
        plan: the searches of each model.
        estimate: what it says of a model's networks.
        reach: from the parts of both sides, that of the rows, and a level to half the
            width of the interval.
        mean_rows: whether the rows' part is that of the difference between the mean
            losses of all networks. Else it is the mean over the pairs of networks.
    """

    name: str
    plan: Plan
    estimate: Callable[[Found, Plan], Estimate] = mean_of_networks
    reach: Callable[
        [list[tuple[Floats, float]], tuple[Floats, float], float], Floats
    ] = by_parts
    mean_rows: bool = False


POOL = Plan(1, ((8, 72), (4, 24), (2, 8), (1, 5)), networks=5, seeds=3)
SHORT_POOL = Plan(1, ((16, 96), (8, 32), (4, 11), (2, 6), (1, 5)), networks=5, seeds=3)
LARGE_POOL = Plan(1, ((16, 216), (8, 72), (4, 24), (2, 8), (1, 5)), networks=5, seeds=3)
SIXTEENTH = Plan(5, ((16, 24), (8, 6), (4, 2), (1, 1)), seeds=3)
QUARTER = Plan(5, ((4, 12), (1, 4)), seeds=3)
WHOLE = Plan(5, ((1, 8),), seeds=3)
MORE_TRIALS = Plan(5, ((1, 12),), seeds=3)
MORE_SEARCHES = Plan(7, ((1, 5),), seeds=2)

NOW = Rule("3 searches of 24, as today", TODAY, reach=partial(by_welch, most=3))
"""The rule of today."""

CHOSEN = Rule("5 searches of 8 in full, t by parts", WHOLE)
"""The rule that was chosen by the tables."""

BY_GAPS = Rule("pool of 72, 5 networks by gaps", POOL, mean_by_gaps)
OF_POOL = Rule("pool of 96 (1/16), 5 networks", SHORT_POOL)
BY_WELCH = Rule("5 searches of 8 in full, Welch", WHOLE, reach=by_welch)

RULES = [
    NOW,
    Rule("3 searches of 24, t by parts", TODAY),
    Rule("3 searches of 24, two parts", TODAY, reach=by_two_parts),
    Rule("pool of 72, its best, normal", POOL, partial(best_of_pool, freedom=math.inf)),
    Rule("pool of 72, its best, t(2)", POOL, partial(best_of_pool, freedom=2)),
    BY_GAPS,
    Rule("pool of 72, 5 networks", POOL),
    OF_POOL,
    Rule("pool of 96 (1/16), 5 by gaps", SHORT_POOL, mean_by_gaps),
    Rule(
        "pool of 216 (1/16), its best, t(2)",
        LARGE_POOL,
        partial(best_of_pool, freedom=2),
    ),
    Rule("pool of 216 (1/16), 5 networks", LARGE_POOL),
    Rule("pool of 216 (1/16), 5 by gaps", LARGE_POOL, mean_by_gaps),
    Rule("5 searches of 24 (1/16), t by parts", SIXTEENTH),
    Rule("5 searches of 12 (1/4), t by parts", QUARTER),
    Rule(
        "5 searches of 8 in full, as today",
        WHOLE,
        reach=partial(by_welch, most=3),
    ),
    BY_WELCH,
    CHOSEN,
    Rule("the same, rows of means", WHOLE, mean_rows=True),
    Rule("5 searches of 12 in full, t by parts", MORE_TRIALS),
    Rule("7 searches of 5 in full, t by parts", MORE_SEARCHES),
]
"""All rules that are compared."""


class Rates(NamedTuple):
    """How often a rule gives a wrong and a right word, as fractions of the draws.

    Attributes:
        wrong: (changes, questions) wrong words.
        by_sign: (2, changes) draws with any wrong word, of more and of less error.
        right: (changes, questions) right words.
    """

    wrong: Floats
    by_sign: Floats
    right: Floats

    @property
    def together(self) -> Floats:
        """Draws with any wrong word (changes,)."""
        return np.asarray(self.by_sign.mean(axis=0))

    @property
    def open(self) -> Floats:
        """The expected number of questions without a word (changes,)."""
        return np.asarray((1 - self.wrong - self.right).sum(axis=1))

    def keeps(self) -> bool:
        """Return whether wrong words are as rare as they must be."""
        inside = self.together[np.array(CHANGES) <= INSIDE]
        edge = self.together[CHANGES.index(0.0499)]
        return bool(inside.max() <= MOST and edge <= AT_THE_EDGE)


def questions(workspace: Workspace) -> list[Question]:
    """Return the questions about tuned networks in results/evaluations/.

    Reviews are there twice. The second one is about a network that is given the n-grams'
    score.
    """
    asked = []
    config = params.load(workspace.params)
    for name, evaluation in schema.load_all(workspace, config).items():
        answer = verdicts.answer(evaluation, Networks.TUNED)
        if answer.network is None or answer.opponent is None:
            continue
        difference = evaluation.difference("test", answer.network, answer.opponent)
        if difference is not None:
            pair = (answer.network, answer.opponent)
            rows = difference.rows
            question = Question(
                name, answer.band, rows, _sides(workspace, evaluation, pair, rows)
            )
            asked.append(question)
            if name == "imdb":
                beside = Part(BESIDE_ROWS**2, rows.draws)
                asked.append(question._replace(name="imdb, beside", rows=beside))
    return asked


def _sides(
    workspace: Workspace, evaluation: Evaluation, best: tuple[str, str], rows: Part
) -> tuple[list[Model], list[Model]]:
    """Return the models that may stand for the network and for the opponent."""
    own = {
        split: [_own_rows(evaluation, split, name) for name in best]
        for split in ("test", "validation")
    }
    blocks = evaluation.blocks
    # Of a model with one search the rows of its network are not known apart.
    share = math.sqrt(rows.variance) / 2
    test_rows = float(np.mean([each for each in own["test"] if each] or [share]))
    longer = math.sqrt(blocks["test"] / blocks["validation"])
    seen = [each for each in own["validation"] if each] or [test_rows * longer]
    usual = (test_rows, float(np.mean(seen)))
    sides = []
    for name in best:
        recurrent = evaluation.experiments[name].recurrent
        errors = _on_validation(evaluation, recurrent=recurrent)
        models = []
        for other in sorted(errors, key=errors.__getitem__)[:CANDIDATES]:
            gap = math.log(errors[other] / errors[name])
            if gap <= NEAR:
                models.append(_model(workspace, evaluation, other, gap, usual))
        sides.append(models)
    return sides[0], sides[1]


def _on_validation(evaluation: Evaluation, *, recurrent: bool) -> dict[str, float]:
    """Return the models of a side and their errors on validation."""
    metric = evaluation.dataset.metric
    errors = {}
    for name, entry in evaluation.experiments.items():
        score = evaluation.mean_score("validation", name, metric)
        asked = not recurrent or Networks.of(entry) == Networks.TUNED
        stands = entry.share == 1 and not entry.repeats and not entry.told
        if entry.recurrent == recurrent and asked and stands and score is not None:
            errors[name] = as_errors(metric, score)
    return errors


def _model(
    workspace: Workspace,
    evaluation: Evaluation,
    name: str,
    gap: float,
    usual: tuple[float, float],
) -> Model:
    metric = evaluation.dataset.metric
    searches = evaluation.searches(name)
    by_seed = [
        np.log(as_errors(metric, np.array(stat.values)))
        for stat in (
            evaluation.experiments[each].chosen["test"][metric] for each in searches
        )
    ]
    variances = [errors.var(ddof=1) for errors in by_seed if len(errors) > 1]
    seed = math.sqrt(np.mean(variances)) if variances else 0.0
    if len(searches) > 1:
        scatter = _scatter(evaluation, "test", name)
        seen = _scatter(evaluation, "validation", name)
    elif evaluation.experiments[name].trials:
        scatter = seen = _scatter_of_trials(workspace, evaluation, name)
    else:
        scatter = seen = 0.0
    test_rows = _own_rows(evaluation, "test", name) or usual[0]
    validation_rows = _own_rows(evaluation, "validation", name) or usual[1]
    return Model(name, gap, scatter, seen, seed, test_rows, validation_rows)


def _scatter(evaluation: Evaluation, split: Split, name: str) -> float:
    """Return the standard deviation of a model's log error between its searches."""
    return float(np.log(evaluation.errors(split, name)).std(ddof=1))


def _scatter_of_trials(
    workspace: Workspace, evaluation: Evaluation, name: str
) -> float:
    """Return the scatter that the trials of a model's only search let expect."""
    file = workspace.trials(evaluation.dataset.name, name)
    table = read_table(
        file, experiment=str, trial=int, seed=str, ended=str, options=str
    )
    metric = evaluation.dataset.metric
    errors = as_errors(metric, table[f"validation_{metric}"])
    best = np.sort(np.log(errors.groupby(table["trial"]).min()))
    return math.sqrt(best_of_resampled(best, len(best)))


def _own_rows(evaluation: Evaluation, split: Split, name: str) -> float | None:
    """Return the standard deviation of a network's log error by the rows that it does
    not share with other networks of its model; None if it has one search.
    """
    searches = evaluation.searches(name)
    known = evaluation.rows.get(split, {})
    variances = [
        known[first][second]
        for first in searches
        for second in searches
        if second in known.get(first, {})
    ]
    # The difference between two networks has the rows of both.
    return math.sqrt(np.mean(variances) / 2) if variances else None


def simulate(
    asked: Sequence[Question],
    rules: Sequence[Rule],
    levels: Sequence[float] = LEVELS,
    *,
    draws: int = DRAWS,
    shape: float = SHAPE,
) -> dict[tuple[str, float], Rates]:
    """Answer all questions many times, by several rules.

    Args:
        asked: the questions.
        rules: the rules. Those of one plan see the same searches.
        levels: the levels of their intervals.
        draws: how often all questions are asked.
        shape: as in `bench.searches.SHAPE`.

    Returns:
        The name of a rule and a level -> its rates.
    """
    counts = (len(CHANGES), len(asked))
    wrong = {
        (rule.name, level): np.zeros((2, len(CHANGES), draws), int)
        for rule in rules
        for level in levels
    }
    rates = {
        key: Rates(np.zeros(counts), np.zeros((2, counts[0])), np.zeros(counts))
        for key in wrong
    }
    plans = list(dict.fromkeys(rule.plan for rule in rules))
    for number, question in enumerate(asked):
        spreads = {
            model: spread_of(model, shape) if model.scatter else None
            for side in question.sides
            for model in side
        }
        for plan in plans:
            random = np.random.default_rng(number)
            drawn = {
                model: draw(model, spread, plan, draws, random)
                for model, spread in spreads.items()
            }
            by_rows = random.normal(0.0, 1.0, draws)
            freedom = question.rows.draws - 1
            scale = random.chisquare(freedom, draws) / freedom
            for rule in rules:
                if rule.plan != plan:
                    continue
                found, own, shown = _compared(question, rule, drawn)
                shared = max(question.rows.variance - own, question.rows.variance / 10)
                mean = found.test + math.sqrt(shared) * by_rows
                rows = shared + shown if rule.mean_rows else question.rows.variance
                for level in levels:
                    key = (rule.name, level)
                    reach = rule.reach(found.parts, (rows * scale, freedom), level)
                    right, missed = _words(mean, reach, question.band)
                    rates[key].right[:, number] = right.mean(axis=(0, 2))
                    rates[key].wrong[:, number] = missed.mean(axis=(0, 2))
                    wrong[key] += missed
    for key, count in wrong.items():
        rates[key].by_sign[:] = (count > 0).mean(axis=2)
    return rates


def _compared(
    question: Question, rule: Rule, drawn: dict[Model, Found]
) -> tuple[Estimate, float, float]:
    """Compare the models that each draw chooses on validation.

    Returns:
        What the rule says of the difference; the variance by rows that the best models'
        networks do not share; and the same for the mean over their networks.
    """
    chosen = []
    own = 0.0
    shown = 0.0
    for side in question.sides:
        estimates = [_estimate(rule, model, drawn[model]) for model in side]
        [freedoms] = {
            tuple(freedom for _, freedom in each.parts)
            for each in estimates
            if each.parts
        }
        best = np.argmin([each.validation for each in estimates], axis=0)
        zeros = [np.zeros(len(best)) for _ in freedoms]
        parts = [
            [part for part, _ in each.parts] if each.parts else zeros
            for each in estimates
        ]
        chosen.append(
            Estimate(
                np.choose(best, [each.validation for each in estimates]),
                np.choose(best, [each.test for each in estimates]),
                [
                    (np.choose(best, [each[index] for each in parts]), freedom)
                    for index, freedom in enumerate(freedoms)
                ],
            )
        )
        of_network = side[0].test_rows ** 2
        own += of_network
        shown += of_network / drawn[side[0]].test.shape[1]
    network, opponent = chosen
    difference = Estimate(
        network.validation - opponent.validation,
        network.test - opponent.test,
        network.parts + opponent.parts,
    )
    return difference, own, shown


def _estimate(rule: Rule, model: Model, found: Found) -> Estimate:
    """Return what a rule says of a model, whose expected log error is its gap."""
    if model.scatter:
        estimate = rule.estimate(found, rule.plan)
    else:
        estimate = Estimate(found.validation[:, 0], found.test[:, 0], [])
    shift = model.gap - estimate.test.mean()
    return estimate._replace(
        validation=estimate.validation + shift, test=estimate.test + shift
    )


def _words(
    mean: Floats, reach: Floats, band: float
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return which draws have the right word, and which a wrong one.

    Both are (2, changes, draws): for more and for less error.
    """
    shape = (2, len(CHANGES), len(mean))
    right = np.zeros(shape, bool)
    wrong = np.zeros(shape, bool)
    least = math.log1p(-band)
    most = math.log1p(band)
    for side, sign in enumerate((1, -1)):
        for index, change in enumerate(CHANGES):
            truth = mean + math.log1p(sign * change / BAND * band)
            low = truth - reach
            high = truth + reach
            words = {
                "same": (low >= least) & (high <= most),
                "hurts": low > most,
                "helps": high < least,
            }
            beyond = "hurts" if sign > 0 else "helps"
            right[side, index] = words.pop("same" if change < BAND else beyond)
            wrong[side, index] = np.logical_or.reduce([*words.values()])
    return right, wrong


def show(workspace: Workspace) -> None:
    """Print the rates of all rules, and of the chosen one for each question."""
    asked = questions(workspace)
    hoped = [question.at_most(GOAL) for question in asked]
    rates = [simulate(each, RULES) for each in (asked, hoped)]
    _show_rules(asked, rates)
    level = _level(CHOSEN, rates)
    for title, known in zip(
        ("today's scatter", "a scatter of 2 %"), rates, strict=True
    ):
        _show_changes(known[CHOSEN.name, level], f"{CHOSEN.name}, {title}")
    _show_questions(asked, hoped, level)
    _show_shapes(asked, hoped)


def _level(rule: Rule, rates: Sequence[dict[tuple[str, float], Rates]]) -> float:
    """Return the least level at which wrong words are rare enough; the greatest one if
    they are too frequent at all levels.
    """
    for level in LEVELS:
        if all(known[rule.name, level].keeps() for known in rates):
            return level
    return LEVELS[-1]


def network_error(asked: Sequence[Question], rule: Rule, draws: int = 2000) -> float:
    """Return how much more error the networks of a rule have than those of today's
    searches: the mean log error over all models with searches.
    """
    differences = []
    for model in {model for each in asked for side in each.sides for model in side}:
        if model.scatter:
            means = []
            for other in (rule, NOW):
                random = np.random.default_rng(0)
                found = draw(model, spread_of(model), other.plan, draws, random)
                means.append(float(other.estimate(found, other.plan).test.mean()))
            differences.append(means[0] - means[1])
    return float(np.mean(differences))


def _show_rules(
    asked: Sequence[Question], rates: Sequence[dict[tuple[str, float], Rates]]
) -> None:
    """Print each rule at 95 %, and at the level that it needs."""
    inside = [CHANGES.index(change) for change in (0.0, 0.03, 0.04, 0.0499)]
    beyond = [CHANGES.index(change) for change in GAINS]
    rows = []
    for rule in RULES:
        needed = _level(rule, rates)
        error = network_error(asked, rule)
        for level in sorted({0.95, needed}):
            of_rule = [known[rule.name, level] for known in rates]
            kept = all(known.keeps() for known in of_rule)
            row = [
                rule.name,
                f"{rule.plan.cost / TODAY.cost:.2f}",
                _percent(level, "g"),
            ]
            for known in of_rule:
                row.append(_percents(known.together[inside], 1))
                row.append(_percents(known.right.mean(axis=1)[beyond], 0))
            right = np.mean([known.right.mean(axis=1)[beyond] for known in of_rule])
            row.append(_percent(right, ".1f"))
            row.append(_percent(error, "+.1f"))
            rows.append([*row, "yes" if kept else "no"])
    headings = [
        "rule",
        "cost",
        "level",
        "any wrong: 0, 3, 4, 4.99 %",
        "right: 8, 12, 20 %",
        "any wrong, scatter 2 %",
        "right, scatter 2 %",
        "right, all",
        "networks' error",
        "rare enough",
    ]
    terminal.show_table(headings, rows, numeric=headings[1:-1])


def _show_changes(rates: Rates, title: str) -> None:
    """Print the rates of one rule for each change."""
    rows = [
        [
            _percent(change, "g"),
            _percent(rates.wrong[index].mean(), ".2g"),
            _percent(rates.together[index], ".2g"),
            *(_percent(rate, ".2g") for rate in rates.by_sign[:, index]),
            _percent(rates.right[index].mean(), ".2g"),
            _percent((rates.right[index] + rates.wrong[index]).mean(), ".2g"),
            f"{rates.open[index]:.1f}",
        ]
        for index, change in enumerate(CHANGES)
    ]
    headings = [
        "true change",
        "wrong, mean",
        "any wrong",
        "of more error",
        "of less error",
        "right, mean",
        "any word",
        "open",
    ]
    terminal.show_table(headings, rows, numeric=headings, title=title)


def without(question: Question, part: str) -> Question:
    """Return a question without one part of the chance: rows, searches or seeds."""
    tiny = 1e-4
    change: Callable[[Model], Model]
    if part == "rows":
        change = partial(Model._replace, test_rows=0.0)
        question = question._replace(rows=Part(tiny**2, question.rows.draws))
    elif part == "searches":
        change = partial(Model._replace, scatter=tiny, seen=tiny)
    else:
        change = partial(Model._replace, seed=0.0)
    network, opponent = (
        [change(model) if model.scatter else model for model in side]
        for side in question.sides
    )
    return question._replace(sides=(network, opponent))


def _show_questions(
    asked: Sequence[Question], hoped: Sequence[Question], level: float
) -> None:
    """Print how often each question gets the right word at a change of 12 %: with less
    chance, with more searches, and with more rows.
    """
    longer = [
        question._replace(
            rows=Part(question.rows.variance / 4, 4 * question.rows.draws)
        )
        for question in hoped
    ]
    more = CHOSEN._replace(plan=CHOSEN.plan._replace(searches=20))
    cases = {
        "today": (asked, CHOSEN),
        "scatter 2 %": (hoped, CHOSEN),
        "without rows": ([without(each, "rows") for each in hoped], CHOSEN),
        "without searches": ([without(each, "searches") for each in hoped], CHOSEN),
        "without seeds": ([without(each, "seeds") for each in hoped], CHOSEN),
        "20 searches": (hoped, more),
        "4 times the rows": (longer, CHOSEN),
        "both": (longer, more),
    }
    rows = [[question.name] for question in asked]
    for case, rule in cases.values():
        known = simulate(case, [rule], [level], draws=DRAWS // 4)[rule.name, level]
        for row, rate in zip(rows, known.right[CHANGES.index(0.12)], strict=True):
            row.append(_percent(rate, ".0f"))
    headings = ["question", *cases]
    terminal.show_table(
        headings, rows, numeric=headings[1:], title="the right word at 12 %"
    )


def _show_shapes(asked: Sequence[Question], hoped: Sequence[Question]) -> None:
    """Print which level the rules need where trials have other distributions."""
    shown = [NOW, BY_GAPS, OF_POOL, BY_WELCH, CHOSEN]
    rows = []
    for shape in (0.9, SHAPE, 2.0):
        rates = [
            simulate(each, shown, draws=DRAWS // 4, shape=shape)
            for each in (asked, hoped)
        ]
        levels = [_percent(_level(rule, rates), "g") for rule in shown]
        rows.append([f"{shape:g}", *levels])
    headings = ["shape", *(rule.name for rule in shown)]
    terminal.show_table(headings, rows, numeric=headings)


def _percent(rate: float, form: str) -> str:
    return f"{100 * rate:{form}} %"


def _percents(rates: Iterable[float], decimals: int) -> str:
    return ", ".join(f"{100 * rate:.{decimals}f}" for rate in rates)
