import numpy as np
import pytest

from unroll.series.time_zones import to_utc, to_wall_clock


def times(*texts):
    return np.array(texts, dtype="datetime64[ms]")


NIGHT = times(
    "2023-10-29T01:30",
    "2023-10-29T02:00",
    "2023-10-29T02:30",
    "2023-10-29T02:00",
    "2023-10-29T02:30",
)


@pytest.mark.parametrize(
    "order", [slice(None), slice(None, None, -1)], ids=["oldest first", "newest first"]
)
def test_a_doubled_hour_is_two_hours(order):
    moments = to_utc(NIGHT[order], "Europe/Berlin")
    expected = np.arange(
        "2023-10-28T23:30", "2023-10-29T02:00", 30, dtype="datetime64[m]"
    ).astype("datetime64[ms]")
    np.testing.assert_array_equal(moments, expected[order])
    np.testing.assert_array_equal(to_wall_clock(moments, "Europe/Berlin"), NIGHT[order])


def test_a_doubled_hour_is_two_hours_of_each_series():
    for series_id, written in (
        (np.repeat([0, 1], 5), np.tile(NIGHT, 2)),
        (np.tile([0, 1], 5), np.repeat(NIGHT, 2)),
    ):
        moments = to_utc(written, "Europe/Berlin", series_id=series_id)
        for number in (0, 1):
            np.testing.assert_array_equal(
                moments[series_id == number], to_utc(NIGHT, "Europe/Berlin")
            )


def test_a_skipped_time_is_no_time_and_an_unknown_zone_an_error():
    assert np.isnat(to_utc(times("2023-03-26T02:30"), "Europe/Berlin")).all()
    with pytest.raises(KeyError, match="Berlin"):
        to_utc(NIGHT, "Berlin")
