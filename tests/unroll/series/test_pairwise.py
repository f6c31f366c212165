import numpy as np
import pandas as pd
import pytest

from pipeline.evaluation import intervals
from pipeline.evaluation.intervals import Part
from unroll.series.pairwise import (
    NO_SEEDS,
    WEEK,
    ModelComparison,
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


def test_comparisons_have_the_numbers_that_are_committed(dataframe_regression):
    """With or without seeds, by absolute or squared errors; days and blocks that are
    just enough or too few. A lead is real if it is sure or larger than the band; errors
    of rounding are equal."""
    one = errors(1.0)
    whole = one, errors(0.97, seed=1)
    half = one, errors(0.9, seed=1)
    few = errors(0.9, 4), errors(1.0, 4, seed=1)
    seeds = Part(0.0004, 3), Part(0.0002, 2)
    scattered = errors(0.9, scatter=0.4), errors(1.0, seed=1, scatter=0.4)
    made = {
        "just enough days": compare(*whole, 84),
        "too few days": compare(*whole, 83.9),
        "just enough blocks": compare(*few, 84),
        "with seeds": compare(*half, 91, *seeds),
        "squared errors": compare(*half, 91, objective="mean"),
        "too few blocks": compare(errors(1.0, 3), errors(0.9, 3, seed=1), 91),
        "always less": compare(errors(0.8), one, 91),
        "always more": compare(errors(1.2), one, 91),
        "the same": compare(one, one, 91),
        "sure and small": compare(errors(0.98), one, 91),
        "large and unsure": compare(*scattered, 91),
        "errors of rounding": compare(errors(0.0), errors(1e-9), 91),
        "an exact one": compare(one, errors(0.0), 91),
        "a large error": compare(errors(1e9), errors(0.0), 91),
    }
    found = made.values()
    table = pd.DataFrame([each.model_dump() for each in found], list(made))
    words = [each.word.value for each in found]
    better = [each.better for each in found]
    dataframe_regression.check(table.astype(float).assign(word=words, better=better))


@pytest.mark.parametrize(
    ("change", "low", "high", "better"),
    [
        (-0.01, None, None, True),
        (0.0, None, None, False),
        (-0.02, -0.03, -0.01, True),
        (-0.02, -0.04, 0.0, False),
        (-0.05, -0.2, 0.1, False),
        (-0.06, -0.2, 0.1, True),
        (0.5, 0.4, 0.6, False),
    ],
)
def test_a_model_is_better_if_its_lead_is_sure_or_beyond_the_band(
    change, low, high, better
):
    found = ModelComparison(
        change=change, low=low, high=high, ahead=0, blocks=4, more=None
    )
    assert found.better is better


def test_the_rows_that_would_decide_are_told_in_tenths_up_to_twice():
    one = errors(1.0)
    sizes = np.linspace(0.865, 0.89, 30)
    found = {compare(one, errors(size, seed=1), 91).more for size in sizes}
    assert found == {None, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.8, 2.0}


def test_the_part_of_seeds_is_the_variance_of_their_mean():
    assert seed_part(np.array([1.0])) == NO_SEEDS
    part = seed_part(np.exp([0.0, 0.3, 0.6]))
    assert part.variance == pytest.approx(np.var([0, 0.3, 0.6], ddof=1) / 3, rel=1e-4)


def test_blocks_are_weeks_and_what_is_left_belongs_to_the_last_one():
    assert np.bincount(block_numbers(cutoffs(30), WEEK)).tolist() == [7, 7, 7, 9]
    assert block_numbers(cutoffs(13), WEEK).tolist() == [0] * 13
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
            "y": [0.0, 3.0, 10.0, np.nan],
            "y_hat": [1.0, 1.0, 4.0, 5.0],
        }
    )
    found = scores(rows, {"x": 2.0, "y": 3.0}).loc["m"]
    assert found["mae"] == pytest.approx((0.5 + 1 + 2) / 3)
    assert found["rmse"] == pytest.approx(((0.25 + 1 + 4) / 3) ** 0.5)
    assert found["bias"] == pytest.approx(6 / 13 - 1)
    below = rows.assign(y=-rows["y"])
    assert np.isnan(scores(below, {"x": 2.0, "y": 3.0}).loc["m", "bias"])
