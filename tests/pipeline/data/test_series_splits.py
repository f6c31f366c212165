import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.series_splits import Series, borders, clean, corrected_rows, fill, published_rows
from pipeline.errors import UnrollError


def stamps(*seconds):
    return np.array(seconds, dtype="datetime64[s]").astype("datetime64[ms]")


def test_the_documents_numbers_on_the_official_file():
    rows = published_rows(420_551, 200_000, 300_000, lookback=1440, delay=144, batch_size=128)
    assert len(rows["train"]) == 198_560
    assert (rows["train"][0], rows["train"][-1]) == (1440, 199_999)
    assert len(rows["validation"]) == 769 * 128 == 98_432
    assert rows["validation"][0] == 201_441  # never 200,000: the documents start one row late
    assert len(rows["test"]) == 929 * 128
    assert rows["test"][0] == 301_441
    assert (420_551 - 144 - 1) - (rows["test"][-1] + 1) == 53  # rows that are dropped


@pytest.mark.parametrize(
    ("candidates", "scored"), [(1, 1), (7, 7), (8, 8), (9, 8), (16, 8), (17, 16), (24, 16), (25, 24)]
)
def test_a_batch_that_would_touch_the_end_is_not_given(candidates, scored):
    rows = published_rows(100, 20, 20 + 1 + 5 + candidates, lookback=5, delay=3, batch_size=8)
    assert rows["validation"].tolist() == list(range(26, 26 + scored))


@given(rows=st.integers(3, 1000), train=st.integers(1, 998), validation=st.integers(1, 998), shares=st.booleans())
def test_borders_take_rows_and_shares(rows, train, validation, shares):
    parts = (train / rows, validation / rows) if shares else (train, validation)
    if shares and (train >= rows or validation >= rows):
        return  # a share of 1 is one row
    if train + validation >= rows:
        with pytest.raises(UnrollError, match=f"{rows} rows are too few"):
            borders(rows, *parts)
    else:
        assert borders(rows, *parts) == (train, train + validation)


def test_clean_sorts_drops_repeated_stamps_and_looks_back_only():
    values = np.array([[1, 10], [3, -9], [-9, 30], [99, 99], [-9, -9], [6, 60]], dtype=float)
    before = values.copy()
    series = clean(stamps(0, 20, 10, 20, 30, 40), values, sentinel=-9.0)
    np.testing.assert_array_equal(series.stamps, stamps(0, 10, 20, 30, 40))
    np.testing.assert_array_equal(series.values, [[1, 10], [1, 30], [3, 30], [3, 30], [6, 60]])
    np.testing.assert_array_equal(
        series.unknown, [[False, False], [True, False], [False, True], [True, True], [False, False]]
    )
    np.testing.assert_array_equal(values, before)  # what was read is not touched
    starts = [clean(stamps(0, 10, 20, 30, 40, 50), values, sentinel).start for sentinel in (None, -9.0, 1.0)]
    assert (starts, clean(stamps(0, 1), np.full((2, 1), -9.0), sentinel=-9.0).start) == ([0, 0, 1], 2)


def test_short_gaps_are_filled_from_the_past_and_longer_ones_are_late():
    seconds = 60 * np.array([0, 1, 4, 5, 9, 10, 11, 12])  # two rows lack, then three
    values = np.array([[0.0], [1], [4], [5], [9], [10], [11], [12]])
    unknown = np.zeros((8, 1), bool)
    series, counts = fill(Series(stamps(*seconds), values, unknown), 60, limit=2)
    assert series.values[:, 0].tolist() == [0, 1, 1, 1, 4, 5, 9, 10, 11, 12]
    assert series.unknown[:, 0].tolist() == [False, False, True, True, *[False] * 6]
    np.testing.assert_array_equal(series.stamps[:6], stamps(*(60 * np.arange(6))))
    assert counts == {"rows put in": 2, "values filled": 2, "rows missing for longer": 0}
    rows, _ = corrected_rows(series, 10, 10, lookback=2, delay=0, spacing=60, target=0)
    assert rows["train"].tolist() == [4, 5, 8, 9]  # 2 and 3 were not measured; 6 and 7 reach over the long gap

    unknown = np.zeros((8, 1), bool)
    unknown[2:6] = True
    series, _ = fill(Series(stamps(*range(8)), np.arange(8.0)[:, None], unknown), 1, limit=2)
    assert series.late.tolist() == [False] * 4 + [True] * 2 + [False] * 2
    rows, _ = corrected_rows(series, 8, 8, lookback=1, delay=0, spacing=1, target=0)
    assert rows["train"].tolist() == [1, 7]
