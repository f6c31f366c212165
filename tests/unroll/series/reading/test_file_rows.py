"""Rows of files by a form that is known: exact numbers, and what is wrong named with its
line."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from pipeline.errors import UnrollError
from unroll.series.reading import file_rows
from unroll.series.row_options import CsvFormat

GOOD = "when,T,p\n2020-01-01 00:00:00,1.5,1\n2020-01-01 00:10:00,-2,0.1\n"
STAMPS = np.array(["2020-01-01T00:00", "2020-01-01T00:10"], "datetime64[ms]")
HOURS = np.arange("2020-01-01T00", "2020-01-01T03", dtype="datetime64[h]")


def reading(*paths, **change):
    options = {"stamp": ["when"], "stamp_format": "%Y-%m-%d %H:%M:%S", "target": "T"}
    return file_rows.table_of(
        file_rows.read(paths, CsvFormat.model_validate(options | change))
    )


def rows(*lines):
    return "".join(f"{line}\n" for line in lines)


@pytest.fixture
def file(tmp_path):
    def write(text, encoding="utf-8"):
        (tmp_path / "mine.csv").write_bytes(text.encode(encoding))
        return tmp_path / "mine.csv"

    return write


def test_a_file_without_a_header_and_one_of_columns_apart_by_white_space(file):
    no_header = rows("station Jena", "", "1577836800,1", "1577840400,2", "1577844000,3")
    white_space = rows(
        "when at T", "2020010100   - 1", "2020010101  - 2", "2020010102 - 3"
    )
    for text, form in (
        (no_header, {"skip": 2, "names": ["when", "T"], "stamp_format": "unix"}),
        (white_space, {"delimiter": " ", "stamp_format": "%Y%m%d%H", "drop": ["at"]}),
    ):
        table = reading(file(text), **form)
        np.testing.assert_array_equal(table.values, [[1], [2], [3]])
        np.testing.assert_array_equal(table.timestamps, HOURS)


def test_a_spreadsheets_numbers_words_and_empty_cells(file):
    text = rows(
        "when;T;sky;",
        "1.1.2020 0:00;1.234,5;fair;",
        "1.1.2020 1:00;n/a;dull;",
        "1.1.2020 2:00;-9,25;;",
        ";;;",
    )
    form = {
        "delimiter": ";",
        "decimal": ",",
        "thousands": ".",
        "missing": ["n/a", ""],
        "drop": ["Unnamed: 3"],
    }
    table = reading(
        file(text), stamp_format="%d.%m.%Y %H:%M", categories=["sky"], **form
    )
    assert table.columns == ["T", "sky=dull", "sky=fair"]
    np.testing.assert_array_equal(
        table.values, [[1234.5, 0, 1], [np.nan, 1, 0], [-9.25, 0, 0]]
    )
    np.testing.assert_array_equal(table.timestamps, HOURS)
    with pytest.raises(
        UnrollError,
        match="line 3: column 'T' holds 'n/a', not a finite number; correct the file, say",
    ):
        reading(
            file(text),
            stamp_format="%d.%m.%Y %H:%M",
            categories=["sky"],
            **form | {"missing": [""]},
        )


def test_a_series_may_be_called_like_a_word_that_means_no_value(file):
    text = rows(
        "when,who,T",
        *(
            f"2020-01-01 0{hour}:00:00,{who},{hour}"
            for hour in range(2)
            for who in ("NA", "99")
        ),
    )
    table = reading(file(text), series_id="who", missing=["NA", "99", ""])
    tables = table.by_series()
    assert {*tables} == {"99", "NA"}
    for own in tables.values():
        np.testing.assert_array_equal(own.values, [[0], [1]])


NEXT = "2020-01-01 00:20:00"
REFUSED = [
    (f"{GOOD}{NEXT},warm,1\n", "line 4: column 'T' holds 'warm', not a finite number"),
    (f"{GOOD}{NEXT},1,1,1\n", r"not a regular CSV file \(Expected 3 .* line 4, saw 4"),
    (f"{GOOD}{NEXT},,1\n", "line 4: column 'T' holds no value"),
    (
        f"{GOOD}\n\n{NEXT},1,NaN\n",
        "line 6: column 'p' holds 'NaN', not a finite number",
    ),
    (
        f"{GOOD}{NEXT},1,1e999\n",
        "line 4: column 'p' holds '1e999', not a finite number",
    ),
    (
        f"{GOOD}01.01.2020 00:20:00,1,1\n",
        "line 4: '01.01.2020 00:20:00' is no timestamp of",
    ),
    (
        f"{GOOD}2020-02-30 00:20:00,1,1\n",
        "line 4: '2020-02-30 00:20:00' is no timestamp of",
    ),
    ("when;T;p\n2020-01-01;1,5;1,5\n", "mine.csv has no ',' in its first row; save it"),
    ("", "mine.csv is empty; name a file with a header and rows"),
    ("when,T,p\n", "mine.csv holds no rows"),
    ('when,T,p\n2020-01-01 00:00:00,"1,1\n', "not a regular CSV file"),
    (
        GOOD.replace("T", "\udcb2"),
        "is not utf-8 text; pass another encoding=, such as latin-1",
    ),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_a_file_that_does_not_fit_gives_one_line(file, text, message):
    path = file("")
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(UnrollError, match=message) as caught:
        reading(path)
    assert "\n" not in str(caught.value)


def test_files_and_parquet_change_no_value(file):
    lines = [f"2020-01-01 {hour:02d}:00:00,{hour / 7!r},{hour}" for hour in range(10)]
    whole = reading(file(rows("when,T,p", *lines)))
    folder = file("").parent
    paths = [folder / "a.csv", folder / "b.csv"]
    for path, part in zip(paths, (lines[:4], lines[4:]), strict=True):
        path.write_text(rows("when,T,p", *part), encoding="utf-8")
    frame = pd.DataFrame(whole.values, columns=whole.columns)
    frame.assign(when=whole.timestamps).to_parquet(folder / "c")
    for table in (reading(*paths), reading(folder / "c")):
        assert table.columns == whole.columns
        np.testing.assert_array_equal(table.values, whole.values)
        np.testing.assert_array_equal(table.timestamps, whole.timestamps)
    paths[1].write_text("when,T\n", encoding="utf-8")
    with pytest.raises(UnrollError, match=r"b.csv has no column 'p', which a.csv has"):
        reading(*paths)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (
            [b"\xff", b"a"],
            "mine.csv: column 'T' holds binary; save it as numbers, text or times, or leave it out",
        ),
        (
            pa.array([b"\xff", b"a"]).view(pa.string()),
            r"is no whole Parquet file \(Column 1: .*UTF8",
        ),
        (
            STAMPS,
            r"mine.csv, row 0 \(from 0\): column 'T' holds '2020-01-01 00:00:00', not a finite number",
        ),
        (
            [1.5, np.inf],
            r"row 1 \(from 0\): column 'T' holds 'inf', not a finite number",
        ),
    ],
)
def test_a_column_of_a_parquet_file_that_holds_no_numbers_is_named(
    file, column, message
):
    path = file("")
    table = pa.table({"when": STAMPS, "T": column, "p": [1.0, 2.0]})
    parquet.write_table(table, path)
    with pytest.raises(UnrollError, match=message):
        reading(path)
    assert reading(path, target="p", drop=["T"]).columns == ["p"]
    parquet.write_table(table.append_column("p", table["p"]), path)
    with pytest.raises(
        UnrollError, match=r"mine.csv has two columns 'p'; rename or remove one of them"
    ):
        reading(path)
