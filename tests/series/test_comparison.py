import numpy as np
import pandas as pd
import pytest

from pipeline.evaluation import intervals
from pipeline.evaluation.intervals import Part
from pipeline.evaluation.margin import Word
from series.comparison import (
    NO_SEEDS,
    WEEK,
    block_numbers,
    compare,
    errors_by_block,
    middle,
    scores,
    seed_part,
    span,
)

FIRST = np.datetime64("2024-01-01T00:00:00")


def cutoffs(count, days=1):
    return FIRST + np.arange(count) * np.timedelta64(days, "D")


def by_block(errors):
    """`errors_by_block` of a model with these errors (origins, steps), an origin a
    day."""
    origins, steps = errors.shape
    rows = pd.DataFrame(
        {
            "unique_id": "x",
            "cutoff": np.repeat(cutoffs(origins), steps),
            "model": "m",
            "y": np.where(np.isnan(errors), np.nan, 0.0).ravel(),
            "y_hat": 2 * errors.ravel(),
        }
    )
    return errors_by_block(rows, {"x": 2.0}, WEEK).loc["m"]


def errors(size, blocks=13, *, seed=0, scatter=0.1):
    """Of seven origins a block, three steps."""
    rng = np.random.default_rng(seed)
    sizes = size * (1 + scatter * rng.normal(size=blocks))
    return by_block(np.repeat(sizes, 21).reshape(-1, 3))


def test_the_change_and_its_interval_are_those_of_all_losses():
    """By hand: `intervals.difference` of every single loss, with its block."""
    rng = np.random.default_rng(1)
    of_model = np.abs(rng.normal(size=(91, 3)))
    of_other = np.abs(rng.normal(size=(91, 3)))
    of_model[5, 1] = of_other[5, 1] = np.nan
    blocks = np.arange(91) // 7
    found = compare(by_block(of_model), by_block(of_other), 91)
    measured = np.isfinite(of_model)
    each = np.repeat(blocks, 3).reshape(-1, 3)[measured]
    expected = intervals.difference(
        of_model[measured][None], of_other[measured][None], each
    )
    assert found.change == pytest.approx(np.expm1(expected.mean), rel=1e-4)
    assert (found.low, found.high) == pytest.approx(
        np.expm1(expected.interval()), rel=1e-4
    )
    weeks = [
        np.nanmean(of_model[blocks == block]) < np.nanmean(of_other[blocks == block])
        for block in range(13)
    ]
    assert (found.ahead, found.blocks) == (sum(weeks), 13)


@pytest.mark.parametrize(
    ("size", "word"),
    [(0.8, Word.HELPS), (1.2, Word.HURTS), (1.0, Word.SAME)],
)
def test_models_that_differ_always_alike_are_decided(size, word):
    assert compare(errors(size), errors(1.0), 91).word == word


def test_comparisons_have_the_numbers_that_are_committed(dataframe_regression):
    """With or without seeds, by absolute or squared errors; days and blocks that are
    just enough or too few."""
    whole, half = ((errors(1.0), errors(size, seed=1)) for size in (0.97, 0.9))
    few = (errors(0.9, 4), errors(1.0, 4, seed=1))
    seeds = (Part(0.0004, 3), Part(0.0002, 2))
    made = [
        compare(*whole, 84),
        compare(*whole, 83.9),
        compare(*few, 84),
        compare(*half, 91, *seeds),
        compare(*half, 91, objective="mean"),
        compare(errors(1.0, 3), errors(0.9, 3, seed=1), 91),
    ]
    table = pd.DataFrame([one.model_dump() for one in made]).astype(float)
    dataframe_regression.check(table)


def test_the_part_of_seeds_is_the_variance_of_their_mean():
    assert seed_part(np.array([1.0])) == NO_SEEDS
    part = seed_part(np.exp([0.0, 0.3, 0.6]))
    assert part.variance == pytest.approx(np.var([0, 0.3, 0.6], ddof=1) / 3, rel=1e-4)


def test_a_lead_is_real_if_it_is_sure_or_larger_than_the_band():
    sure = compare(errors(0.98), errors(1.0), 91)
    assert sure.high < 0
    assert sure.better
    large = compare(errors(0.9, scatter=0.4), errors(1.0, seed=1, scatter=0.4), 91)
    assert large.high > 0
    assert large.change < -0.05
    assert large.better
    assert not compare(errors(1.0), errors(1.0), 91).better


def test_errors_of_rounding_are_equal():
    none = compare(errors(0.0), errors(1e-9), 91)
    assert none.word == Word.SAME
    assert none.change == pytest.approx(0, abs=0.01)
    assert compare(errors(1.0), errors(0.0), 91).word == Word.HURTS
    assert np.isfinite(compare(errors(1e9), errors(0.0), 91).high)


def test_blocks_are_weeks_and_what_is_left_belongs_to_the_last_one():
    numbers = block_numbers(cutoffs(30), WEEK)
    assert np.bincount(numbers).tolist() == [7, 7, 7, 9]
    assert block_numbers(cutoffs(5), WEEK).tolist() == [0] * 5
    assert np.bincount(block_numbers(cutoffs(12, days=3), WEEK)).tolist() == [
        3,
        2,
        2,
        3,
        2,
    ]
    assert block_numbers(cutoffs(4, days=30), WEEK).tolist() == [0, 4, 8, 12]
    assert span(cutoffs(12, days=3)) == np.timedelta64(36, "D")
    assert middle(cutoffs(5)) == FIRST + np.timedelta64(2, "D")


def test_scores_are_in_deviations_and_the_bias_is_that_of_the_sum():
    rows = pd.DataFrame(
        {
            "unique_id": ["x", "x", "y", "y"],
            "model": "m",
            "y": [1.0, 3.0, 10.0, np.nan],
            "y_hat": [1.0, 1.0, 4.0, 5.0],
        }
    )
    found = scores(rows, {"x": 2.0, "y": 3.0}).loc["m"]
    assert found["mae"] == pytest.approx((0 + 1 + 2) / 3)
    assert found["rmse"] == pytest.approx(((0 + 1 + 4) / 3) ** 0.5)
    assert found["bias"] == pytest.approx(6 / 14 - 1)
    below = rows.assign(y=-rows["y"])
    assert np.isnan(scores(below, {"x": 2.0, "y": 3.0}).loc["m", "bias"])
