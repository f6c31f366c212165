"""Files that are no CSV: workbooks are read, others say what they are."""

import datetime as dt
import gzip
import io
import zipfile

import numpy as np
import openpyxl
import pandas as pd
import pytest
from openpyxl.utils.datetime import MAC_EPOCH

from pipeline import memory
from pipeline.errors import UnrollError
from unroll.series.options import Options
from unroll.series.reading import file_rows
from unroll.series.reading.detect import detect
from unroll.series.reading.profile import described

COUNT = np.arange(60)
ROWS = pd.DataFrame(
    {
        "time": pd.date_range("2024-01-01", periods=60, freq="h"),
        "load": COUNT**2 % 23 + 0.125,
        "temp": np.where(COUNT % 7, COUNT % 7 * 1.234, np.nan),
    }
)
DAYS = [dt.date(2024, 1, 1) + dt.timedelta(int(day)) for day in COUNT]
PADDED = pd.DataFrame(
    [["Report", None], [None, None], ["day", "x"], *zip(DAYS, COUNT, strict=True)]
)
CLOCK = pd.DataFrame(
    {"d": np.repeat(DAYS[:5], 12), "t": [dt.time(hour) for hour in range(12)] * 5}
)


NOTES = pd.DataFrame({"Notes": ["of the station", "2024", "made by hand"]})


def zipped(name):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, "")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("sheets", "first", "freq", "values"),
    [
        ({"Sheet1": ROWS}, "2024-01-01", 3600, ROWS["load"]),
        ({"Title": ROWS[:0], "Data": ROWS, "More": ROWS}, "2024-01-01", 3600, None),
        ({"Notes": NOTES, "Data": ROWS, "More": ROWS}, "2024-01-01", 3600, None),
        ({"a": PADDED}, "2024-01-01", 86400, COUNT),
        ({"a": CLOCK.assign(x=COUNT)}, "2024-01-01", 3600, COUNT),
    ],
)
def test_a_workbook_is_read_as_csv_is(tmp_path, sheets, first, freq, values):
    path = tmp_path / "a.xlsx"
    with pd.ExcelWriter(path) as book:
        for name, rows in sheets.items():
            header = rows is not PADDED
            rows.to_excel(book, sheet_name=name, index=False, header=header)
    profile = detect([path], Options())
    assert profile.first == np.datetime64(first)
    assert profile.freq == freq
    form = profile.form.model_copy(update={"target": "x", "missing": [""]})
    table = file_rows.table_of(file_rows.read([path], form))
    if values is not None:
        np.testing.assert_array_equal(table.values[:, 0], values)  # noqa: PD011
    lines = "\n".join(described(profile))
    assert "text  " not in lines
    sheet = "guessed   sheet: 'Data', the first that has rows"
    assert (sheet in lines) == ("Data" in sheets)
    assert "text      " not in lines


def test_a_wrong_cell_of_a_workbook_has_a_place(tmp_path):
    rows = pd.DataFrame({"day": DAYS, "x": COUNT}).astype({"day": object})
    rows.loc[30, "day"] = "oops"
    rows.to_excel(tmp_path / "a.xlsx", index=False)
    with pytest.raises(UnrollError, match=r"a\.xlsx, line 32: 'oops' is no timestamp"):
        detect([tmp_path / "a.xlsx"], Options())


def sheet_of(path, rows, stray=None, epoch=None):
    """The profile of a workbook of rows, with a cell that stands alone."""
    book = openpyxl.Workbook()
    if epoch:
        book.epoch = epoch
    for row in rows:
        book.active.append(row)
    if stray:
        book.active[stray] = 7
    book.save(path)
    return detect([path], Options())


@pytest.mark.parametrize("stray", ["XFD1048576", "XFD5", "B1048576"])
def test_a_cell_far_from_the_table_is_left_out(tmp_path, stray):
    rows = [["day", "x"], *zip(DAYS, COUNT.tolist(), strict=True)]
    profile = sheet_of(tmp_path / "a.xlsx", rows, stray)
    assert ([*profile.columns], profile.rows) == (["x"], 60)


def test_days_since_1904_are_those_of_the_workbook(tmp_path):
    first = dt.date(1904, 1, 1)
    rows = [["date", "x"]]
    rows += [[(day - first).days, n] for n, day in enumerate(DAYS)]
    profile = sheet_of(tmp_path / "a.xlsx", rows, epoch=MAC_EPOCH)
    assert profile.first == np.datetime64("2024-01-01")


def test_exchanged_dates_and_lines_above_the_header_are_told(tmp_path):
    swapped = [["day", "x"]]
    for number, day in enumerate(DAYS):
        is_date = day.day < 13
        cell = dt.date(2024, day.day, day.month) if is_date else f"{day:%m/%d/%Y}"
        swapped.append([cell, number])
    with pytest.raises(UnrollError, match="'day' holds 2024-01-01, .*were exchanged"):
        sheet_of(tmp_path / "a.xlsx", swapped)
    names = [[None, "North", None], ["day", "x", "y"]]
    rows = [[day, n, n % 7] for n, day in enumerate(DAYS)]
    lines = described(sheet_of(tmp_path / "b.xlsx", names + rows))
    assert "header    1 lines before the header" in lines


def workbook():
    stream = io.BytesIO()
    pd.DataFrame().to_excel(stream)
    return stream.getvalue()


OTHERS = [
    (b'[{"time": "2024-01-01", "load": 1}]', "is JSON; save its rows as CSV"),
    (b'\xef\xbb\xbf{\n "time": {}}', "is JSON"),
    (b"<!DOCTYPE html><html>", "is HTML or XML"),
    (gzip.compress(b"time,load"), "is a packed file; unpack it"),
    (zipped("a.csv"), "is a zip archive; unpack it"),
    (zipped("word/document.xml"), "is a Word document"),
    (zipped("content.xml"), "is an OpenDocument file, such as .ods"),
    (zipped("a.csv")[:40], "is a damaged archive or workbook"),
    (zipped("xl/workbook.xml"), "is no whole workbook"),
    (workbook(), "has no sheet with rows"),
    (bytes.fromhex("d0cf11e0a1b11ae1"), "is a file of an old Office, such as .xls"),
    (b"ARROW1\0\0", "is a Feather file"),
    (b"SQLite format 3\0", "is an SQLite database"),
    (b"%PDF-1.7\n", "is a PDF"),
    (b"\x89PNG\r\n", "is a picture"),
    (b"\x89HDF\r\n", "is an HDF5 or netCDF file"),
]


@pytest.mark.parametrize(("data", "text"), OTHERS, ids=[text for _, text in OTHERS])
def test_what_is_no_table_says_what_it_is(tmp_path, data, text):
    path = tmp_path / "a.csv"
    path.write_bytes(data)
    with pytest.raises(UnrollError, match=rf"a\.csv {text}") as caught:
        detect([path], Options())
    assert "\n" not in str(caught.value)


def test_a_workbook_that_takes_too_much_memory_is_one_line(tmp_path, monkeypatch):
    path = tmp_path / "a.xlsx"
    book = openpyxl.Workbook()
    for row in range(1, 1500):  # a row is as wide as its last cell
        book.active.cell(row, 16_000, row)
    book.save(path)
    monkeypatch.setenv(memory.VARIABLE, "0.1")
    with pytest.raises(UnrollError, match="reading takes more than 0.1 GB") as caught:
        detect([path], Options())
    assert "\n" not in str(caught.value)
    assert "set UNROLL_MEMORY to more GB" in str(caught.value)
