import numpy as np
import pytest
from scipy import stats

from pipeline.evaluation import intervals


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


@pytest.mark.parametrize(("seeds", "weeks", "between_seeds"), [(3, 50, 0.3), (5, 20, 0.1), (3, 50, 0.0), (1, 50, 0.0)])
def test_a_true_difference_lies_in_its_interval_in_19_of_20_cases(seeds, weeks, between_seeds):
    blocks = np.repeat(np.arange(weeks), 5)

    def draw(random, shared, mean):
        of_seed = random.normal(0, between_seeds, (seeds, 1)) if seeds > 1 else 0.0
        return mean + of_seed + shared + random.normal(0, 0.2, (1, weeks)).repeat(5, axis=1)

    def holds(random):
        shared = random.normal(0, 1, weeks).repeat(5)  # hard weeks are hard for both
        losses, others = draw(random, shared, 1.3), draw(random, shared, 1.0)
        low, high = intervals.difference(losses, others, blocks).interval()
        return low < 0.3 < high

    assert 0.93 < rate(holds, 400) < 0.99


def test_without_seeds_and_with_independent_rows_it_is_the_t_test_of_pairs():
    losses, others = np.random.default_rng(0).normal(size=(2, 1, 40))
    difference = intervals.difference(losses, others, np.arange(40))
    expected = stats.ttest_rel(losses[0], others[0])
    assert difference.p_value == pytest.approx(expected.pvalue)
    assert difference.interval() == pytest.approx(tuple(expected.confidence_interval()))


def test_of_seeds_that_have_nothing_in_common_it_is_welchs_t_test():
    losses, others = np.random.default_rng(0).normal(size=5), np.random.default_rng(1).normal(1, 3, size=9)
    difference, expected = intervals.independent(losses, others), stats.ttest_ind(losses, others, equal_var=False)
    assert difference.p_value == pytest.approx(expected.pvalue)
    assert difference.interval() == pytest.approx(tuple(expected.confidence_interval()))
    assert intervals.independent([3.0], [5.0]).interval() == (-2.0, -2.0)


def test_one_block_and_no_seeds_leave_nothing_to_chance():
    difference = intervals.difference(np.ones((1, 4)), np.zeros((1, 4)), np.zeros(4, int))
    assert difference.interval() == (1, 1)
    assert difference.p_value == 0
