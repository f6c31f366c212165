import numpy as np

from pipeline.data.series import Series, fill
from pipeline.data.series_options import Windowing
from pipeline.data.series_splits import corrected_rows


def minutes(*counts):
    return (60 * np.array(counts)).astype("datetime64[s]").astype("datetime64[ms]")


def test_short_gaps_are_filled_from_the_past_and_longer_ones_are_late():
    at = [0, 1, 4, 5, 9, 10, 11, 12]  # two rows lack, then three
    series, counts = fill(Series(minutes(*at), np.array(at, float)[:, None], np.zeros((8, 1), bool)), 60, limit=2)
    assert series.values[:, 0].tolist() == [0, 1, 1, 1, 4, 5, 9, 10, 11, 12]
    assert series.unknown[:, 0].tolist() == [False, False, True, True, *[False] * 6]
    np.testing.assert_array_equal(series.timestamps[:6], minutes(*range(6)))
    assert counts == {"rows put in": 2, "values filled": 2, "rows missing for longer": 0}
    rows, _ = corrected_rows(series, 10, 10, Windowing(lookback=2), freq=60, target=0)
    assert rows["train"].tolist() == [4, 5, 8, 9]  # 2 and 3 were not measured; 6 and 7 reach over the long gap


def test_a_value_that_is_missing_for_longer_makes_its_rows_late():
    unknown = np.isin(np.arange(8), range(2, 6))[:, None]
    series, _ = fill(Series(minutes(*range(8)), np.arange(8.0)[:, None], unknown), 60, limit=2)
    assert series.late.tolist() == [False] * 4 + [True] * 2 + [False] * 2
    rows, _ = corrected_rows(series, 8, 8, Windowing(lookback=1), freq=60, target=0)
    assert rows["train"].tolist() == [1, 7]


def test_what_repeats_stands_in_for_gaps_of_up_to_seven_cycles():
    cycle, missing = 4, np.arange(10, 10 + 7 * 4 + 2)
    values, unknown = (np.arange(60) % cycle * 10.0)[:, None], np.isin(np.arange(60), missing)[:, None]
    values[missing] = values[9]  # as `clean` leaves it: the last good value
    series, _ = fill(Series(minutes(*range(60)), values, unknown), 60, limit=2, repeat=cycle)
    filled = series.values[missing, 0].tolist()
    assert filled[:2] == [10, 10], "up to `limit` rows hold the last value"
    assert filled[2:28] == [row % cycle * 10 for row in missing[2:28]], "later ones that of a cycle before"
    assert np.flatnonzero(series.late).tolist() == [38, 39], "after seven cycles no window may have them"


def test_overlapping_windows_begin_in_the_block_before_and_their_targets_lie_in_their_own():
    series = Series(minutes(*range(40)), np.arange(40.0)[:, None], np.zeros((40, 1), bool))
    starts = {}
    for overlap in (False, True):
        windows = Windowing(lookback=6, delay=3, horizon=2, overlap=overlap)
        rows, _ = corrected_rows(series, 20, 30, windows, freq=60, target=0)
        targets = {split: own[:, None] + windows.ahead - 1 for split, own in rows.items()}
        assert {split: int(own.max()) for split, own in targets.items()} == {"train": 19, "validation": 29, "test": 39}
        starts[overlap] = {split: int(own.min()) for split, own in targets.items()}
    assert starts[False] == {"train": 8, "validation": 28, "test": 38}
    assert starts[True] == {"train": 8, "validation": 20, "test": 30}


def test_a_window_counts_that_has_one_measured_target_where_they_are_partial():
    unknown = np.isin(np.arange(12), range(5, 9))[:, None]
    series = Series(minutes(*range(12)), np.arange(12.0)[:, None], unknown)
    for partial, expected in ((False, [2, 3, 9, 10]), (True, [2, 3, 4, 8, 9, 10])):
        rows, lost = corrected_rows(
            series, 12, 12, Windowing(lookback=2, horizon=2, partial=partial), freq=60, target=0
        )
        assert rows["train"].tolist() == expected
        assert lost["windows lost to unknown targets"] == 9 - len(expected)
