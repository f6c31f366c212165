"""What was found in a file, in words."""

import pandas as pd
import pytest

from series.options import Options
from series.reading import described
from series.reading.detect import detect


def said(path, stamps):
    """The lines about rows at some timestamps."""
    rows = {"time": stamps, "load": [row * row % 23 for row in range(len(stamps))]}
    pd.DataFrame(rows).to_csv(path, index=False)
    return "\n".join(described.lines(detect([path], Options())))


@pytest.mark.parametrize(
    ("freq", "words"),
    [
        ("h", "one row an hour"),
        ("10min", "one row every 10 minutes"),
        ("W-MON", "one row a week"),
        ("B", "one row a business day"),
        ("MS", "one row a month"),
        ("QS", "one row every 3 months"),
        ("BME", "one row a month, on the last business day"),
    ],
)
def test_the_distance_of_rows(tmp_path, freq, words):
    stamps = pd.date_range("2020-01-01", periods=60, freq=freq)
    lines = said(tmp_path / "load.csv", stamps.strftime("%Y-%m-%d %H:%M"))
    assert f", {words}\n" in lines


def test_rows_that_repeat_a_timestamp_have_a_line_of_their_own(tmp_path):
    days = pd.date_range("2020-01-01", periods=40).strftime("%Y-%m-%d").tolist()
    lines = said(tmp_path / "load.csv", [*days, *days[30:33]])
    assert "order     rows are not in the order of time; they are sorted" in lines
    assert "repeated  3 rows have the timestamp of an earlier row; they are" in lines
    assert "repeated" not in said(tmp_path / "load.csv", days)
