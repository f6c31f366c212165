import numpy as np
import pytest
from scipy import stats

from pipeline.evaluation import intervals, verdict_rule
from pipeline.evaluation.verdict_rule import Word


def rate(holds, trials):
    """How often, over generators with seeds of their own."""
    return np.mean([holds(np.random.default_rng(seed)) for seed in range(trials)])


@pytest.mark.parametrize(("seeds", "rows"), [(3, 0.0), (5, 0.0), (20, 0.0), (5, 0.5)])
def test_the_next_run_lies_in_its_interval_in_19_of_20_cases(seeds, rows):
    def holds(random):
        values = random.normal(2, 1, seeds + 1)
        low, high = intervals.next_run(values[:-1], rows)
        return low < values[-1] + random.normal(0, np.sqrt(rows)) < high

    assert rate(holds, 1000) == pytest.approx(0.95, abs=0.02)


def test_a_known_variance_of_the_rows_adds_degrees_of_freedom():
    of_seeds = np.var([1.0, 2.0, 4.0], ddof=1) * 4 / 3
    freedom = 2 * ((of_seeds + 0.5) / of_seeds) ** 2
    expected = stats.t(freedom, 7 / 3, np.sqrt(of_seeds + 0.5)).interval(0.95)
    assert intervals.next_run([1.0, 2.0, 4.0], 0.5) == pytest.approx(expected)


def two(random, ratio, seeds, weeks, between_seeds, own):
    """The difference of networks whose errors have this ratio: skewed errors, of which
    those of a week go together."""

    # Hard rows, and hard weeks, are hard for both; some weeks are twice as hard as
    # others.
    hard = random.exponential(size=5 * weeks) * random.gamma(8, 1 / 8, weeks).repeat(5)

    def draw(error):
        of_week = random.gamma(1 / own**2, own**2, weeks).repeat(5)
        return (
            error * np.exp(random.normal(0, between_seeds, (seeds, 1))) * of_week * hard
        )

    return intervals.difference(draw(ratio), draw(1.0), np.arange(weeks).repeat(5))


@pytest.mark.parametrize(
    ("seeds", "weeks", "between_seeds"),
    [(3, 50, 0.3), (5, 20, 0.1), (3, 50, 0.0), (1, 50, 0.0)],
)
def test_a_true_ratio_of_skewed_errors_lies_in_its_interval_in_19_of_20_cases(
    seeds, weeks, between_seeds
):
    def holds(random):
        low, high = two(random, 1.5, seeds, weeks, between_seeds, own=0.3).interval()
        return low < np.log(1.5) < high

    assert 0.92 < rate(holds, 600) < 0.98


@pytest.mark.parametrize(
    ("ratio", "own", "least", "most"), [(1, 0.07, 0.9, 1), (1.05, 0.14, 0.01, 0.05)]
)
def test_a_real_difference_of_the_band_is_called_none_in_one_of_20_cases_at_most(
    ratio, own, least, most
):
    def same(random):
        difference = two(random, ratio, 3, 200, 0.003, own)
        return verdict_rule.compare(difference, 1.0).outcome == Word.SAME

    assert least <= rate(same, 400) <= most


def test_without_seeds_and_with_independent_rows_it_is_the_t_test_of_pairs_of_shares():
    losses, others = np.random.default_rng(0).exponential(size=(2, 1, 40))
    difference = intervals.difference(losses, others, np.arange(40))
    shares = [of_rows[0] / of_rows.mean() for of_rows in (losses, others)]
    assert difference.mean == pytest.approx(np.log(losses.mean() / others.mean()))
    assert difference.error == pytest.approx(stats.sem(shares[0] - shares[1]))
    assert difference.freedom == pytest.approx(39)


def test_where_an_error_is_none_the_errors_themselves_are_compared():
    losses = np.random.default_rng(0).exponential(size=(1, 40))
    difference = intervals.difference(losses, np.zeros((1, 40)), np.arange(40))
    expected = stats.ttest_1samp(losses[0], 0)
    assert not difference.log
    assert difference.interval() == pytest.approx(tuple(expected.confidence_interval()))


def test_of_seeds_that_have_nothing_in_common_it_is_welchs_t_test():
    losses = np.random.default_rng(0).normal(size=5)
    others = np.random.default_rng(1).normal(1, 3, size=9)
    difference = intervals.independent(losses, others)
    expected = stats.ttest_ind(losses, others, equal_var=False)
    assert difference.interval() == pytest.approx(tuple(expected.confidence_interval()))
    assert intervals.independent([3.0], [5.0]).interval() == (-2.0, -2.0)


def test_one_block_and_no_seeds_leave_nothing_to_chance():
    difference = intervals.difference(
        np.full((1, 4), 2.0), np.ones((1, 4)), np.zeros(4, int)
    )
    assert difference.interval() == pytest.approx((np.log(2), np.log(2)))
