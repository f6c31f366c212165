import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluation.intervals import Difference, Part
from pipeline.evaluation.outcome import Outcome
from pipeline.evaluation.verdicts import ALPHA, Comparison, Pair, decide, holm

NONE = Part(0.0, 1)


def pair(ratio, scatter, *, seeds=NONE, weeks=50, log=True, **known):
    """The one has `ratio` times the other's error, with this standard error of its
    logarithm by the rows."""
    difference = Difference(
        math.log(ratio) if log else ratio, log, Part(scatter**2, weeks), seeds, NONE
    )
    return Pair(difference, **{"error": 1.0, "days": 7.0 * weeks} | known)


@pytest.mark.parametrize(
    ("known", "outcome"),
    [
        (pair(0.8, 0.05), Outcome.BETTER),
        (pair(1.2, 0.05), Outcome.WORSE),
        (pair(1.01, 0.01), Outcome.SAME),
        (pair(1.04, 0.01), Outcome.WORSE),  # superiority comes first, however small
        (pair(1.02, 0.03), Outcome.UNSURE),
        (pair(1.2, 0.05, weeks=11), Outcome.SHORT),
        (pair(1.2, 0.05, weeks=12), Outcome.WORSE),
        (pair(1.2, 0.05, weeks=11, days=None), Outcome.WORSE),  # rows without days
    ],
)
def test_too_short_then_better_or_worse_then_no_difference_else_cannot_tell(
    known, outcome
):
    (comparison,) = decide([known])
    assert comparison.outcome == outcome
    assert bool(comparison.reason) == (outcome in {Outcome.UNSURE, Outcome.SHORT})


def test_the_interval_excludes_zero_where_one_is_better_and_lies_within_the_margin_where_there_is_no_difference():
    pairs = [
        pair(ratio, error)
        for ratio in (0.9, 0.97, 1.0, 1.02, 1.1)
        for error in (0.002, 0.01, 0.02, 0.04)
    ]
    outcomes = set()
    for comparison in decide(pairs):
        (low, high), (least, most) = comparison.interval, comparison.pair.margin
        outcomes.add(comparison.outcome)
        if comparison.outcome == Outcome.SAME:
            assert least < low < high < most
        else:
            assert (low <= 0 <= high) == (comparison.outcome == Outcome.UNSURE)
    assert outcomes == {Outcome.BETTER, Outcome.WORSE, Outcome.SAME, Outcome.UNSURE}


@pytest.mark.parametrize(
    ("known", "margin"),
    [
        (pair(1.0, 0.1), (-math.log(1.05), math.log(1.05))),
        (pair(1.0, 0.1, naive=999.0), (-math.log(1.05), math.log(1.05))),
        (pair(1.0, 0.1, naive=4000.0), (-math.inf, math.log(5.0))),
        (pair(0.5, 0.1, log=False), (-0.05, 0.05)),
        (pair(0.5, 0.1, log=False, error=0.0, naive=4.0), (-0.004, 0.004)),
    ],
    ids=[
        "5 %",
        "of what is not negligible",
        "a thousandth of the naive error",
        "of errors",
        "of no error",
    ],
)
def test_the_margin_is_a_share_of_the_opponents_error_or_of_the_naive_one(
    known, margin
):
    assert known.margin == pytest.approx(margin)


def test_a_verdict_stands_only_if_the_loser_had_converged_and_no_difference_only_if_both_had():
    for ratio, error, stands in (
        (0.8, 0.05, (True, False)),
        (1.2, 0.05, (False, True)),
        (1.0, 0.01, (False, False)),
    ):
        for unfinished, expected in zip(
            (("a had not", ""), ("", "b had not")), stands, strict=True
        ):
            (comparison,) = decide([pair(ratio, error, unfinished=unfinished)])
            assert (comparison.outcome != Outcome.UNSURE) == expected
            assert comparison.reason == ("" if expected else "".join(unfinished))


@pytest.mark.parametrize(
    ("known", "words"),
    [
        (
            pair(1.02, 0.002, seeds=Part(0.03**2, 3)),
            r"about ()(\d+) seeds \(there are 3\) would decide",
        ),
        (
            pair(1.02, 0.03),
            r"about (\d+) weeks of test rows \(there are 50\)() would decide",
        ),
        (
            pair(1.02, 0.03, days=None),
            r"about (\d+) test examples \(there are 50\)() would decide",
        ),
        (
            pair(1.02, 0.03, seeds=Part(0.03**2, 3)),
            r"about (\d+) weeks .* and (\d+) seeds \(there are 3\) would decide",
        ),
        (
            pair(0.5, 0.3, log=False, error=0.0),
            r"about (\d+) weeks of test rows \(there are 50\)() would decide",
        ),
    ],
    ids=["seeds alone", "weeks alone", "examples", "both", "of no error"],
)
def test_cannot_tell_says_what_would_decide_and_little_less_would_not(known, words):
    (comparison,) = decide([known])
    asked = re.fullmatch(words, comparison.reason)
    assert asked, comparison.reason
    for factor, decided in ((1.1, True), (0.85, False)):
        blocks, seeds = (int(factor * int(count or 0)) for count in asked.groups())
        then = Pair(
            known.difference.with_more(blocks, seeds),
            known.error,
            known.naive,
            known.days,
        )
        assert (decide([then])[0].outcome != Outcome.UNSURE) == decided


@pytest.mark.parametrize(
    ("known", "words"),
    [
        (pair(0.956, 0.015), "worse: -4.4 % error (-7.2 to -1.5 %)"),
        (pair(1.4, 0.1), "worse: +40 % error (+15 to +71 %)"),
        (pair(8.0, 0.5), "worse: +700 % error (+193 % to 22 times)"),
        (pair(41.0, 0.1), "worse: 41 times the error (34 to 50 times)"),
        (pair(500.0, 0.5), "worse: 500 times the error (180 to over 1,000 times)"),
        (pair(0.0002, 0.5), "worse: -99.98 % error (-99.993 to -99.95 %)"),
        (pair(1e26, 0.5, error=1e-30), "worse: over 1,000 times the error"),
        (
            pair(3e-5, 1e-5, log=False, error=0.0),
            "worse: +3e-05 (+9.9e-06 to +5.01e-05)",
        ),
        (pair(-0.9, 0.1, log=False, error=1.0), "worse: -90 % error (-100 to -70 %)"),
    ],
)
def test_a_change_is_a_percentage_then_a_factor_and_of_no_error_the_error_itself(
    known, words
):
    assert str(Comparison(known, Outcome.WORSE)) == words


@given(thousandths=st.lists(st.integers(0, 100), max_size=8))
def test_a_p_value_is_below_its_level_where_holms_adjusted_one_is_below_alpha(
    thousandths,
):
    p_values = np.array(thousandths) / 1000
    order = np.argsort(p_values, kind="stable")
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.maximum.accumulate(
        p_values[order] * np.arange(len(p_values), 0, -1)
    )
    assert (p_values < holm(p_values)).tolist() == (adjusted < ALPHA).tolist()
