import numpy as np
import pytest

from series import intervals
from series.combination import known_after
from series.intervals import FEWEST, adaptive


def held(known, *, rounds=60, draw=None):
    """(origins, steps) the share of many series of errors that intervals of 90 % held."""
    random = np.random.default_rng(0)
    return np.mean([adaptive(np.abs(draw(random)), 0.9, known)[1] for _ in range(rounds)], axis=0)


@pytest.mark.parametrize("kind", ["normal", "laplace", "uniform"])
@pytest.mark.parametrize("known", [known_after(4, 1, 4), known_after(4, 1, 1)], ids=["a day apart", "a row apart"])
def test_of_errors_of_one_distribution_the_level_is_held(known, kind):
    share = held(known, draw=lambda random: getattr(random, kind)(-1, 1, (50, 4)))
    assert 0.89 < share[10:].mean() < 0.95, "not more than what few origins ask for"


def test_after_a_shift_in_level_most_is_held_again_soon_which_scores_as_they_are_do_not_do(monkeypatch):
    def draw(random):
        return random.normal(size=(60, 4)) * np.repeat([1.0, 2.0], [40, 20])[:, None]

    share = held(known_after(4, 1, 4), draw=draw)
    assert 0.89 < share[5:35].mean() < 0.95
    assert share[35].mean() < 0.7, "nothing has been learnt yet"
    assert share[40:].mean() > 0.82
    monkeypatch.setattr(intervals, "PRIOR_ORIGINS", 1e9)
    assert held(known_after(4, 1, 4), draw=draw)[40:].mean() < 0.78


def test_an_error_of_the_first_step_counts_before_those_of_later_ones():
    assert known_after(4, 1, 1).tolist() == [1, 2, 3, 4]
    assert known_after(24, 6, 144).tolist() == [1] * 24
    errors = np.ones((20, 4))
    large = errors.copy()
    large[-1, 0] = 9.0
    known = known_after(4, 1, 1)
    assert adaptive(large, 0.9, known)[0][-1].mean() > adaptive(errors, 0.9, known)[0][-1].mean()
    large[-1] = [1, 9, 9, 9]
    np.testing.assert_array_equal(adaptive(large, 0.9, known)[0][-1], adaptive(errors, 0.9, known)[0][-1])


def test_what_is_asked_of_late_origins_alone_is_the_same():
    errors, known = np.abs(np.random.default_rng(0).normal(size=(30, 4))), known_after(4, 1, 1)
    (widths, held), (late, some) = (adaptive(errors, 0.9, known, since) for since in (0, 25))
    np.testing.assert_array_equal(late[25:], widths[25:])
    np.testing.assert_array_equal(some, held[-5:])


def test_too_few_errors_are_no_interval_and_none_is_no_division():
    widths, counted = adaptive(np.zeros((7, 3)), 0.9, known_after(3, 1, 1))
    assert np.isinf(widths[: FEWEST + 2]).all()
    assert counted.shape == (0, 3)
    assert widths[-1].tolist() == [0, 0, 0]


def test_a_step_that_was_never_measured_has_no_interval_and_the_others_have():
    errors = np.abs(np.random.default_rng(0).normal(size=(30, 6)))
    errors[:, 3:] = np.nan
    widths, counted = adaptive(errors, 0.9, known_after(6, 1, 6))
    assert np.isfinite(widths[-1, :4]).all()
    assert np.isinf(widths[-1, 5])
    assert np.nanmean(counted[:, :3]) > 0.8
    assert np.isnan(counted[:, 3:]).all()
