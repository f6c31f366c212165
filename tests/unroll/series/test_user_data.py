"""What is given as a series: DataFrames and paths."""

import os
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pipeline.errors import UnrollError, UsageError
from unroll.series.reading import file_rows
from unroll.series.reading.file_rows import FileRows
from unroll.series.row_options import CsvFormat
from unroll.series.user_data import keep, plain_name, rows_of

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
def test_a_dataframe_has_its_index_as_a_column_where_that_says_something(
    frame, columns
):
    rows = rows_of(frame, CsvFormat())
    assert rows.in_memory
    assert rows.typed
    assert [*rows.cells] == columns
    assert len(rows.cells) == len(frame)
    assert rows.cells[columns[0]].iloc[0] == HOURS[0]


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
            r"m.udcfcller.csv has a character that no text may have.*; rename the file",
        ),
        ("/a\nb/meter.csv", UsageError, r"path /a.nb/meter.csv has .* or the folder"),
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
def test_what_is_no_series_says_what_is_expected(given, error, text):
    with pytest.raises(error, match=text):
        rows_of(given, CsvFormat())


def test_what_is_attached_to_a_dataframe_is_left_out():
    frame = pd.DataFrame({"ds": HOURS, "y": range(5)})
    frame.attrs = {"loaded": HOURS[0], "lock": threading.Lock()}
    assert len(rows_of(frame, CsvFormat()).cells) == 5
    assert frame.attrs["loaded"] == HOURS[0]


def test_a_pipe_and_a_folder_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "rows")
    for path, text in (
        (tmp_path / "rows", "rows is a pipe .* write them into a file"),
        (tmp_path, "is a folder; name a CSV, Parquet or .xlsx file"),
    ):
        with pytest.raises(UsageError, match=text):
            rows_of(path, CsvFormat())


@pytest.mark.parametrize(
    ("paths", "name"),
    [
        (["Wörk/Meter 2 (kW).csv"], "meter_2_kw"),
        (["a/b.csv", "a/c.csv"], "b"),
        (["???.csv"], "series"),
        (["2024_sales.csv"], "series_2024_sales"),
        (["\u58f2\u4e0a.csv"], "series"),
    ],
)
def test_a_name_is_made_of_the_file(paths, name):
    paths = [Path(path) for path in paths]
    assert plain_name(FileRows(paths, CsvFormat(), False, pd.DataFrame(), 0)) == name
    frame = pd.DataFrame({"y": np.ones(2)})
    assert plain_name(rows_of(frame, CsvFormat())) == "series"


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
@pytest.mark.parametrize("newest_first", [True, False])
def test_a_file_is_the_same_with_rows_added_and_another_with_one_changed(
    tmp_path, suffix, newest_first
):
    days = pd.date_range("2024-01-01", periods=60)
    frame = pd.DataFrame({"day": days, "x": np.arange(60.0)})
    path = tmp_path / f"rows.{suffix}"

    def write(rows):
        rows = rows[::-1] if newest_first else rows
        (rows.to_csv if suffix == "csv" else rows.to_excel)(path, index=False)

    write(frame[:50])
    folder = tmp_path / "answer"
    folder.mkdir()
    [known] = keep(FileRows([path], CsvFormat(), False, frame, 0), folder)
    assert known.kept == "rows_1.csv"
    assert known.added(path, folder) == 0
    write(frame)
    assert known.found(folder) == path
    assert known.added(path, folder) > 0
    write(frame.replace(7.0, 9.0))
    with pytest.raises(UnrollError, match="does not begin with the rows"):
        known.found(folder)
    path.unlink()
    with pytest.warns(
        UserWarning, match="is not there; its rows are those that answer/"
    ):
        assert known.found(folder) == folder / known.kept
    assert len(file_rows.read([folder / known.kept], CsvFormat()).cells) == 50


def test_a_table_of_arrow_is_read_as_a_frame_is():
    days = pd.date_range("2024-01-01", periods=60)
    frame = pd.DataFrame({"day": days, "sold": np.arange(60) % 7})
    table = pa.Table.from_pandas(frame)
    pd.testing.assert_frame_equal(
        rows_of(table, CsvFormat()).cells, rows_of(frame, CsvFormat()).cells
    )
