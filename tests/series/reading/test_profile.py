"""What was found in a file, in words."""

import pandas as pd
import pytest

from series.options import Options
from series.reading.detect import detect
from series.reading.profile import described


def said(path, stamps):
    """The lines about rows at some timestamps."""
    rows = {"time": stamps, "load": [row * row % 23 for row in range(len(stamps))]}
    pd.DataFrame(rows).to_csv(path, index=False)
    return "\n".join(described(detect([path], Options())))


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


@pytest.mark.parametrize(
    ("hours", "closed", "words"),
    [
        ([0], 6, "Mon to Sat"),
        ([9, 10, 11], 6, "Mon to Sat 09:00-11:00"),
        ([9, 10, 11], 1, "Mon 09:00-11:00; Wed to Sun 09:00-11:00"),
        ([9, 10, 11], 0, "Tue to Sun 09:00-11:00; 1 row outside, left out"),
    ],
)
def test_opening_hours_are_a_phrase(tmp_path, hours, closed, words):
    stamps = pd.date_range("2023-01-02", periods=24 * 7 * 30, freq="h")
    stamps = stamps[stamps.hour.isin(hours) & (stamps.day_of_week != closed)]
    if "outside" in words:
        stamps = stamps.insert(0, pd.Timestamp("2023-01-02 20:00"))
    lines = said(tmp_path / "load.csv", stamps.strftime("%Y-%m-%d %H:%M"))
    assert f"\nopen      {words}\n" in lines


@pytest.mark.parametrize(
    ("zone", "end", "named"),
    [
        ("Europe/Paris", "2023-04-30", "Europe/Berlin"),
        ("America/Chicago", "2023-04-30", "America/New_York"),
        ("Europe/Paris", "2023-03-01", ""),
        ("UTC", "2023-04-30", ""),
    ],
)
def test_an_hour_that_lacks_in_two_springs_is_that_of_a_clock(
    tmp_path, zone, end, named
):
    hours = pd.date_range("2022-03-01", end, freq="h", tz=zone).tz_localize(None)
    stamps = hours.drop_duplicates().delete([40, 4000])
    [line] = [
        line
        for line in said(tmp_path / "load.csv", stamps).split("\n")
        if line.startswith("gaps")
    ]
    assert line.partition("time_zone=")[2].partition(" ")[0] == (named and repr(named))


def test_rows_that_repeat_a_timestamp_have_a_line_of_their_own(tmp_path):
    days = pd.date_range("2020-01-01", periods=40).strftime("%Y-%m-%d").tolist()
    lines = said(tmp_path / "load.csv", [*days, *days[30:33]])
    assert "order     rows are not in the order of time; they are sorted" in lines
    told = "repeated  3 rows have the timestamp of an earlier row"
    assert f"{told}, 3 with other values; the first row counts" in lines
    assert "repeated" not in said(tmp_path / "load.csv", days)
    path = tmp_path / "load.csv"
    text = path.read_text()
    path.write_text("\n".join([text.strip(), *text.split()[30:33]]))
    lines = "\n".join(described(detect([path], Options())))
    assert f"{told}; they are left out" in lines


def test_what_means_no_value_is_named_with_its_columns(tmp_path):
    days = pd.date_range("2020-01-01", periods=40)
    load = ["broken", "", *range(38)]
    wind = [*range(0, 76, 2), "n/a", "n/a"]
    frame = pd.DataFrame({"day": days, "load": load, "wind": wind, "rain": load})
    frame["load"] = frame["load"].replace("broken", "n/a")
    frame.to_csv(tmp_path / "a.csv", index=False)
    lines = [*described(detect([tmp_path / "a.csv"], Options()))]
    told = "n/a 3 times in load and wind, 2 empty cells, broken once in rain"
    assert f"no value  {told}" in lines


def test_a_series_that_ends_before_the_others_is_named(tmp_path):
    rows = [
        f"{name},2024-01-{day:02},{day * day % 7}"
        for name, last in (("a", 30), ("b", 12), ("c", 30))
        for day in range(1, last + 1)
    ]
    path = tmp_path / "shop.csv"
    path.write_text("\n".join(["product,day,sold", *rows]), encoding="utf-8")
    ended = "ended     b (2024-01-12 00:00:00): 1 of 3 series end before 2024-01-30"
    assert ended in "\n".join(described(detect([path], Options())))
