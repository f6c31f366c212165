import numpy as np

from pipeline.data.series_splits import Series, corrected_rows, fill


def stamps(*seconds):
    return np.array(seconds, dtype="datetime64[s]").astype("datetime64[ms]")


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
