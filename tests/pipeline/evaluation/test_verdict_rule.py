import math

import pytest

from pipeline.evaluation.intervals import Difference, Part
from pipeline.evaluation.verdict_rule import (
    BAND,
    Word,
    band_above_floor,
    change_text,
    compare,
    decide,
)


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (-0.2, -0.06, Word.HELPS),
        (0.06, 3.0, Word.HURTS),
        (-0.05, 0.05, Word.SAME),
        (-0.04, -0.01, Word.SAME),
        (0.0, 0.0, Word.SAME),
        (-0.2, -0.05, Word.OPEN),
        (-0.06, 0.01, Word.OPEN),
        (0.01, 0.06, Word.OPEN),
        (-0.5, 9.0, Word.OPEN),
        (None, None, Word.OPEN),
        (math.nan, math.nan, Word.OPEN),
        (-math.inf, math.inf, Word.OPEN),
    ],
)
def test_an_interval_decides_by_where_it_lies_to_the_band(low, high, word):
    assert decide(low, high) == word


@pytest.mark.parametrize(
    ("low", "high", "band", "word"),
    [
        (-0.08, 0.08, 0.1, Word.SAME),
        (-0.04, -0.02, 0.01, Word.HELPS),
        # Of 10 % that can be learnt, 3 % is much.
        (-0.04, -0.03, band_above_floor(1.0, 0.9), Word.HELPS),
    ],
)
def test_the_band_can_be_wider_or_narrower(low, high, band, word):
    assert decide(low, high, band) == word


@pytest.mark.parametrize(
    ("error", "floor", "band"),
    [(2.0, 0.0, BAND), (2.0, 1.0, BAND / 2), (1.0, 1.0, 0), (0.0, 0.0, 0)],
)
def test_above_a_floor_only_what_can_be_learnt_counts(error, floor, band):
    assert band_above_floor(error, floor) == pytest.approx(band)


NONE = Part(0.0, 1)


@pytest.mark.parametrize(
    ("ratio", "error", "words"),
    [
        (0.956, 0.015, "open: -4.4 % error (-7.2 to -1.5 %)"),
        (1.4, 0.1, "hurts: +40 % error (+15 to +70 %)"),
        (8.0, 0.5, "hurts: +700 % error (+200 to +2,032 %)"),
        (1.01, 0.01, "no difference that matters: +1.0 % error (-1.0 to +3.0 %)"),
        (1e26, 0.5, "hurts: over +100,000 % error"),
    ],
)
def test_a_comparison_says_its_word_the_change_and_its_interval(ratio, error, words):
    difference = Difference(math.log(ratio), True, Part(error**2, 10**6), NONE, NONE)
    assert str(compare(difference, 1.0)) == words


def test_where_the_opponent_has_no_error_the_difference_itself_is_compared():
    difference = Difference(3e-5, False, Part(1e-10, 10**6), NONE, NONE)
    comparison = compare(difference, 0.0)
    assert (comparison.outcome, comparison.relative) == (Word.HURTS, False)
    assert str(comparison) == "hurts: +3e-05 error (+1.04e-05 to +4.96e-05)"
    nothing = compare(Difference(0.0, False, NONE, NONE, NONE), 0.0)
    assert nothing.outcome == Word.SAME
    error = compare(Difference(-1.1, False, Part(1e-4, 10**6), NONE, NONE), 1.0)
    least = (error.low, error.change, error.high)
    assert least == (-1, -1, -1), "no error is less than none"
    assert change_text(-0.9, -1.0, -0.7) == ("-90 %", "-100 to -70 %")
    assert change_text(-0.9996, -0.9999, -0.99) == ("-99.96 %", "-99.99 to -99 %")
