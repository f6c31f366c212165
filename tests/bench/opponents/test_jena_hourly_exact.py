"""The opponent of jena_hourly_exact forecasts from the rows of each window alone."""

import numpy as np
import pytest

from bench.opponents import jena_hourly_exact

ROW = 300


@pytest.mark.parametrize("read", ["summary", "recent_rows"])
def test_what_an_opponent_reads_ends_before_its_row(read):
    series = np.random.default_rng(0).normal(size=(400, 18)).astype("float32")
    arrays = {"train_series": series, "train_rows": np.arange(240, 270)}
    rows = np.array([ROW])
    known = getattr(jena_hourly_exact, read)(arrays, rows)
    later = series.copy()
    later[ROW:] = 1e3
    again = getattr(jena_hourly_exact, read)(arrays | {"train_series": later}, rows)
    assert np.array_equal(known, again)
