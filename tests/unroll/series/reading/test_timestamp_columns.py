"""Names of columns: as users write them, and tables with a column for each time."""

import re

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import UnrollError, UsageError
from unroll.series.options import Options
from unroll.series.reading.detect import detect
from unroll.series.reading.file_rows import column_named


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("ekpc_mw", "EKPC_MW"),
        (" EKPC_MW", "EKPC_MW"),
        ("load", "load"),
        ("lOAD", "lOAD"),
        ("mw", "mw"),
        ("ß", "SS"),
    ],
)
def test_a_column_is_found_without_regard_to_case_if_that_is_unambiguous(name, found):
    assert column_named(name, ["EKPC_MW", "load", "Load", "SS"]) == found


def test_names_of_options_are_matched_so(tmp_path):
    stamps = pd.date_range("2024-01-01", periods=30)
    frame = pd.DataFrame(
        {
            "When": stamps,
            "Noted": stamps[::-1],
            "EKPC_MW": np.arange(30) ** 2 % 23,
            "B": 1,
        }
    )
    frame.to_csv(tmp_path / "load.csv", index=False)
    profile = detect(
        [tmp_path / "load.csv"], Options(stamp=["noted"], target="ekpc_mw")
    )
    assert (profile.form.stamp, profile.first) == (
        ["Noted"],
        np.datetime64("2024-01-01"),
    )
    with pytest.raises(
        UsageError, match="target= must be one of: B, EKPC_MW, When. Received: 'ekpc'"
    ):
        detect([tmp_path / "load.csv"], Options(stamp=["noted"], target="ekpc"))


GERMAN = (
    *("Januar", "Februar", "März", "April", "Mai", "Juni"),
    *("Juli", "August", "September", "Oktober", "November", "Dezember"),
)
YEARS = [str(year) for year in range(1990, 2021)]
DAYS = pd.date_range("2024-01-01", periods=31)
MONTHS = pd.date_range("2010-01-01", periods=36, freq="MS")
WIDE = {
    "days": ("id", DAYS.strftime("%Y-%m-%d"), ["a", "b", "c"], "2024-01-01"),
    "days of a month": (
        "Name",
        DAYS.strftime("%d.%m.%Y"),
        ["a", "b", "c"],
        "2024-01-01",
    ),
    "m/d/yy": (
        "Province",
        [f"{day.month}/{day.day}/{day:%y}" for day in DAYS],
        ["a", "b", "c"],
        "2024-01-01",
    ),
    "years": ("Country Name", YEARS, ["a", "b", "c"], "1990-01-01"),
    "months": ("id", MONTHS.strftime("%b %Y"), ["a", "b", "c"], "2010-01-01"),
    "quarters": (
        "id",
        [f"{year}Q{quarter}" for year in YEARS[:9] for quarter in "1234"],
        ["a", "b"],
        "1990-01-01",
    ),
    "Excel's days": (
        "id",
        [str(45_292 + day) for day in range(31)],
        ["a", "b", "c"],
        "2024-01-01",
    ),
    "years and months": (
        "Year",
        [f"{month:%b}" for month in MONTHS[:12]],
        YEARS,
        "1990-01-01",
    ),
    "years and Monate": ("Jahr", GERMAN, YEARS, "1990-01-01"),
    "years and quarters": ("year", ["Q1", "Q2", "Q3", "Q4"], YEARS, "1990-01-01"),
    "dates and hours": (
        "date",
        [f"{hour:02}:00" for hour in range(24)],
        DAYS.strftime("%Y-%m-%d"),
        "2024-01-01",
    ),
    "dates and H1": (
        "date",
        [f"H{hour}" for hour in range(1, 25)],
        DAYS.strftime("%Y-%m-%d"),
        "2024-01-01T01",
    ),
}


@pytest.mark.parametrize("name", WIDE)
def test_a_table_with_a_column_for_each_time_is_turned_as_the_message_says(
    name, tmp_path
):
    first, headings, rows, start = WIDE[name]
    cells = (np.arange(len(rows) * len(headings)) ** 2 % 97).reshape(len(rows), -1)
    wide = pd.DataFrame(cells, columns=list(headings))
    wide.insert(0, first, list(rows))
    wide.to_csv(tmp_path / "wide.csv", index=False)
    with pytest.raises(UnrollError, match="each column holds another time") as caught:
        detect([tmp_path / "wide.csv"], Options())
    call = re.search(r"frame\.melt\((\[.*\]), var_name='(\w+)'\)", str(caught.value))
    assert call[1] == str([first])
    wide.melt([first], var_name=call[2]).to_csv(tmp_path / "long.csv", index=False)
    profile = detect([tmp_path / "long.csv"], Options())
    assert (profile.first, profile.rows, profile.gaps) == (
        np.datetime64(start),
        wide.shape[0] * len(headings),
        {},
    )
    assert profile.series_id == (None if len(profile.form.stamp) == 2 else first)


@pytest.mark.parametrize(
    ("first", "headings", "advice"),
    [
        (
            "id",
            [f"X{day:%Y.%m.%d}" for day in DAYS],
            "write these names like 2024-01-31, 2024-01 or 2024; turn",
        ),
        ("Country", [f"{year} [YR{year}]" for year in YEARS], "write these names like"),
        ("id", [f"sales_{month:%Y_%m}" for month in MONTHS], "write these names like"),
        (
            "week",
            ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
            "make a row of each, with a date such as",
        ),
        (
            "month",
            [str(day) for day in range(1, 32)],
            "make a row of each, with a date such as",
        ),
    ],
)
def test_headings_that_are_no_times_alone(first, headings, advice, tmp_path):
    stamps = [
        f"{month:%Y-%m}" if first == "month" else f"{month:%G-W%V}" for month in MONTHS
    ]
    names = stamps if first in {"week", "month"} else ["a", "b", "c"]
    wide = pd.DataFrame(
        np.arange(len(names) * len(headings)).reshape(len(names), -1), columns=headings
    )
    wide.insert(0, first, names)
    wide.to_csv(tmp_path / "wide.csv", index=False)
    with pytest.raises(
        UnrollError, match=f"each column holds another time, .*; {advice}"
    ):
        detect([tmp_path / "wide.csv"], Options())


def test_columns_that_are_named_like_numbers_are_columns(tmp_path):
    cells = (np.arange(60) ** 2 % 23).reshape(20, 3)
    for names in (
        ["2018", "2019", "2020"],
        ["Q1", "1", "10:00"],
        ["pump 1", "pump 2", "pump 3"],
    ):
        frame = pd.DataFrame(cells, columns=names)
        frame.insert(0, "date", DAYS[:20])
        frame.to_csv(tmp_path / "load.csv", index=False)
        assert detect([tmp_path / "load.csv"], Options()).targets == names
