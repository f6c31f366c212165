import math

import numpy as np
import pytest

from bench import searches
from bench.searches import TODAY, Model, Plan

MODEL = Model("lstm", 0.0, 0.03, 0.03, 0.01, 0.005, 0.005)

POOL = Plan(1, ((8, 72), (4, 24), (2, 8), (1, 5)), networks=5, seeds=3)


def found(model, plan, draws=4000):
    spread = searches.spread_of(model)
    return searches.draw(model, spread, plan, draws, np.random.default_rng(0))


@pytest.mark.parametrize("seen", [0.03, 0.015])
def test_searches_scatter_on_test_as_the_model_says(seen):
    drawn = found(MODEL._replace(seen=seen), TODAY)
    assert drawn.test.std(axis=0) == pytest.approx([0.03] * 3, rel=0.1)


def test_what_a_search_does_not_see_is_on_test_alone():
    drawn = found(MODEL._replace(seen=0.015), TODAY)
    assert drawn.validation.std() < 0.7 * drawn.test.std()


def test_searches_are_independent_and_networks_of_one_pool_are_not():
    today = found(MODEL, TODAY).test
    pool = found(MODEL, POOL).test
    assert abs(np.corrcoef(today[:, 0], today[:, 1])[0, 1]) < 0.05
    assert np.corrcoef(pool[:, 0], pool[:, 1])[0, 1] > 0.2


def test_the_best_of_a_pool_is_better_than_that_of_a_search():
    assert found(MODEL, POOL).test[:, 0].mean() < found(MODEL, TODAY).test.mean()


def test_networks_of_a_pool_are_sorted_by_validation():
    assert (np.diff(found(MODEL, POOL).validation, axis=1) >= 0).all()


def test_the_estimate_of_the_variance_by_seeds_is_right_on_average():
    drawn = found(MODEL, POOL)
    assert drawn.by_seeds.mean() == pytest.approx(0.01**2 / 3, rel=0.05)
    assert drawn.freedom == 10


def test_a_model_without_searches_is_one_network():
    drawn = searches.draw(MODEL, None, TODAY, 5, np.random.default_rng(0))
    assert drawn.test.shape == (5, 1)
    assert not drawn.by_seeds.any()


def test_a_search_costs_its_epochs_its_starts_and_what_its_networks_train_on():
    plan = Plan(2, ((8, 24), (1, 2)), networks=2)
    assert plan.cost == pytest.approx(2 * (24 / 8 + 2 + 26 * 0.05 + 2 * 1.6))


def test_resampled_variance_is_that_of_the_best_of_drawn_trials():
    errors = np.sort(np.random.default_rng(0).exponential(size=30))
    drawn = np.random.default_rng(1).choice(errors, (20_000, 30)).min(axis=1)
    known = searches.best_of_resampled(errors, 30)
    assert known == pytest.approx(drawn.var(), rel=0.15)


def test_resampled_trials_that_agree_do_not_vary():
    assert searches.best_of_resampled([2.0, 2.0, 2.0], 24) == pytest.approx(0.0)


def test_gaps_of_even_trials_have_the_variance_of_their_best():
    # The fact on which `wrong_words.mean_by_gaps` rests.
    drawn = np.sort(np.random.default_rng(0).exponential(size=(20_000, 72)), axis=1)
    gap = (drawn[:, 4] - drawn[:, 0]).mean() / 4
    assert drawn[:, 0].std() == pytest.approx(gap, rel=0.05)
    assert math.isclose(drawn[:, 0].mean(), 1 / 72, rel_tol=0.05)
