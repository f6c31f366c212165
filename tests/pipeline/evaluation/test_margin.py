import math

import pytest

from pipeline.evaluation.margin import BAND, Word, band_above_floor, decide


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


def test_the_band_can_be_wider_or_narrower():
    assert decide(-0.08, 0.08, band=0.1) == Word.SAME
    assert decide(-0.04, -0.02, band=0.01) == Word.HELPS


def test_above_a_floor_only_what_can_be_learnt_counts():
    assert band_above_floor(2.0, 0.0) == BAND
    assert band_above_floor(2.0, 1.0) == pytest.approx(BAND / 2)
    assert band_above_floor(1.0, 1.0) == 0
    assert band_above_floor(0.0, 0.0) == 0
    assert decide(-0.04, -0.03, band_above_floor(1.0, 0.9)) == Word.HELPS, (
        "of 10 % that can be learnt, 3 % is much"
    )
