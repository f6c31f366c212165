import numpy as np

from unroll.series.series_table import SeriesTable


def test_each_series_has_its_own_rows_at_the_timestamps_of_all():
    hours = np.arange("2020-01-01T00", "2020-01-01T03", dtype="datetime64[h]")
    stamps = hours.astype("datetime64[ms]")
    table = SeriesTable(
        stamps[[0, 1, 1, 1, 2]],
        ["T"],
        np.array([[1.0], [2], [9], [3], [4]]),
        np.array(["b", "b", "b", "a", "a"], object),
    )
    for names, expected in (
        ((), {"a": [np.nan, 3, 4], "b": [1, 2, np.nan]}),
        ("c", {"c": [np.nan] * 3}),
    ):
        tables = table.by_series(names)
        assert list(tables) == list(expected)
        for name, values in expected.items():
            np.testing.assert_array_equal(tables[name].values[:, 0], values)
            np.testing.assert_array_equal(tables[name].timestamps, stamps)
