"""What is given as a series: DataFrames and paths."""

import os
import threading

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import UsageError
from series.source import files_of, plain_name

HOURS = pd.date_range("2024-01-01", periods=5, freq="h")


@pytest.mark.parametrize(
    ("frame", "columns"),
    [
        (pd.DataFrame({"ds": HOURS, "y": range(5)}), ["ds", "y"]),
        (pd.DataFrame({"y": range(5)}, index=HOURS), ["index", "y"]),
        (pd.DataFrame({"y": range(5)}, index=HOURS.rename("time")), ["time", "y"]),
        (
            pd.DataFrame({"y": range(5)}, index=HOURS.to_period("h").rename("hour")),
            ["hour", "y"],
        ),
        (pd.DataFrame({"ds": HOURS, 2019: range(5)})[::2], ["ds", "2019"]),
        (pd.DataFrame({"ds": HOURS, "y": [1, "n/a", 2.5, None, 4]}), ["ds", "y"]),
    ],
)
def test_a_dataframe_becomes_a_file_with_its_index_where_that_says_something(
    tmp_path, frame, columns
):
    (path,) = files_of(frame, tmp_path, "rows")
    written = pd.read_parquet(path)
    assert [*written] == columns
    assert len(written) == len(frame)
    assert written[columns[0]].iloc[0] == HOURS[0]


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        (
            3,
            UsageError,
            "data must be a DataFrame .*, or a list of paths. Received: int 3",
        ),
        ([], UsageError, "Received: "),
        (
            pd.Series([1, 2]),
            UsageError,
            r"of a Series, data.to_frame\(\).*Received: Series 0",
        ),
        ([3], UsageError, "each of several files must be a path. Received: 3"),
        (
            "none.csv",
            UsageError,
            "none.csv is not there; name a CSV, Parquet or .xlsx file",
        ),
        (
            os.fsdecode(b"m\xfcller.csv"),
            UsageError,
            r"m.udcfcller.csv has a character that no text may have.*; rename it",
        ),
        (pd.DataFrame({"y": []}), UsageError, "data has no rows"),
        (
            pd.DataFrame([[1, 2]], columns=["y", "y"]),
            UsageError,
            "data has two columns 'y'; rename or remove one of them",
        ),
        (
            pd.DataFrame({"ds": range(5)}, index=HOURS.rename("ds")),
            UsageError,
            "data has two columns 'ds'",
        ),
        (
            pd.DataFrame({"y": [1j, 2j]}),
            UsageError,
            "neither numbers, text nor timestamps",
        ),
    ],
)
def test_what_is_no_series_says_what_is_expected(tmp_path, given, error, text):
    with pytest.raises(error, match=text):
        files_of(given, tmp_path, "rows")


def test_what_is_attached_to_a_dataframe_is_left_out(tmp_path):
    frame = pd.DataFrame({"ds": HOURS, "y": range(5)})
    frame.attrs = {"loaded": HOURS[0], "lock": threading.Lock()}
    (path,) = files_of(frame, tmp_path, "rows")
    assert len(pd.read_parquet(path)) == 5
    assert frame.attrs["loaded"] == HOURS[0]


def test_a_pipe_and_a_folder_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "rows")
    for path, text in (
        (tmp_path / "rows", "rows is a pipe .* write them into a file"),
        (tmp_path, "is a folder; name a CSV, Parquet or .xlsx file"),
    ):
        with pytest.raises(UsageError, match=text):
            files_of(path, tmp_path, "rows")


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("Wörk/Meter 2 (kW).csv", "meter_2_kw"),
        (["a/b.csv", "a/c.csv"], "b"),
        (pd.DataFrame({"y": np.ones(2)}), "series"),
    ],
)
def test_a_name_is_made_of_the_file(data, name):
    assert plain_name(data) == name
