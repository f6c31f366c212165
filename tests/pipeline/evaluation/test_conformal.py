import numpy as np
from pipeline.evaluation.conformal import LEVELS, coverage, half_widths


def test_as_many_intervals_hold_what_comes_as_the_level_says_whatever_the_errors_are_like():
    random = np.random.default_rng(0)
    for level in (0.5, 0.8, 0.9):
        held = []
        for _ in range(400):
            known, come = np.abs(random.standard_cauchy((2, 60, 2)))
            held.append(coverage(come, half_widths(known, level)))
        # Between level and level + 1 / (n + 1), by the theorem; some 4 standard errors to each side.
        mean = np.mean(held)
        assert level - 0.012 < mean < level + 1 / 61 + 0.012


def test_the_half_width_is_the_error_of_the_rank_that_the_theorem_names():
    errors = np.arange(1.0, 20.0)[:, None]
    assert half_widths(errors, 0.9).tolist() == [18.0]
    assert half_widths(errors, 0.95).tolist() == [19.0]
    assert half_widths(errors, LEVELS[-1]).tolist() == [np.inf], "nineteen errors cannot vouch for 99 %"
    assert coverage(errors, np.array([18.0])).tolist() == [18 / 19]
