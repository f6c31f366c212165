import numpy as np
import pytest
from pipeline.evaluation.scaled_error import seasonal_naive

from pipeline.data.dataset import Dataset
from pipeline.data.examples import Windows


def windows(values, *, gap=None, period=4, **options):
    series = np.asarray(values, np.float32)[:, None]
    stamps = np.datetime64("2020-01-01") + np.arange(len(series)).astype("timedelta64[h]")
    if gap:
        stamps[gap:] += np.timedelta64(1, "h")
    splits = {split: Windows(series, np.arange(3, 14), 2, 1, target=0, **options) for split in ("train", "test")}
    return Dataset("series", "forecast", "mae", splits, period=period, stamps=stamps)


def test_it_is_the_error_of_the_season_before_as_late_as_it_was_known():
    values = np.arange(20.0) ** 2
    rows = np.arange(3, 14)
    one = [abs(values[row] - values[row - 4]) for row in rows if row >= 4]
    assert seasonal_naive(windows(values, delay=0)) == pytest.approx(np.mean(one), rel=1e-6)
    further = [abs(values[row + 4] - values[row - 4]) for row in rows if row + 4 >= 8]
    assert seasonal_naive(windows(values, delay=4)) == pytest.approx(np.mean(further), rel=1e-6), (
        "five ahead: two seasons"
    )
    two = [abs(values[row + 1] - values[row - 3]) for row in rows]
    assert seasonal_naive(windows(values, delay=0, outputs=2)) == pytest.approx(np.mean(one + two), rel=1e-6)


def test_without_days_it_is_the_last_value_and_no_season_spans_a_gap():
    values = np.arange(20.0) ** 2
    rows = [row for row in range(3, 14) if row != 9]
    expected = np.mean([abs(values[row] - values[row - 1]) for row in rows])
    assert seasonal_naive(windows(values, delay=0, period=0, gap=9)) == pytest.approx(expected, rel=1e-6)
    assert seasonal_naive(windows(np.ones(20), delay=0)) is None, "a season that never errs scales nothing"
