import gzip

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from pipeline.data import row_files
from pipeline.data.row_table import read
from pipeline.data.series_options import CsvFormat
from pipeline.errors import UnrollError, UsageError

WHERE = "datasets.mine.preparation"
GOOD = "when,T,p\n2020-01-01 00:00:00,1.5,1\n2020-01-01 00:10:00,-2,0.1\n"
STAMPS = np.array(["2020-01-01T00:00", "2020-01-01T00:10"], "datetime64[ms]")
HOURS = np.array(["2020-01-01T00:00", "2020-01-01T01:00", "2020-01-01T02:00"], "datetime64[ms]")


def reading(path, **change):
    options = {"stamp": "when", "stamp_format": "%Y-%m-%d %H:%M:%S", "target": "T"} | change
    options["stamp"] = [options["stamp"]] if isinstance(options["stamp"], str) else options["stamp"]
    return read([path], CsvFormat(**options), WHERE)


@pytest.fixture
def file(tmp_path):
    (tmp_path / "station").mkdir()

    def write(text, encoding="utf-8"):
        (tmp_path / "station/mine.csv").write_bytes(text.encode(encoding))
        return tmp_path / "station/mine.csv"

    return write


@pytest.mark.parametrize(
    "text",
    [GOOD, "\ufeff" + GOOD, GOOD.replace("\n", "\r\n"), GOOD + "\n\n", GOOD.rstrip(), '"when","T","p"\n' + GOOD[9:]],
)
def test_a_good_file_is_read_exactly(file, text):
    table = reading(file(text))
    assert table.columns == ["T", "p"]
    np.testing.assert_array_equal(table.values, [[1.5, 1], [-2, 0.1]])
    assert table.values.dtype == np.float64
    np.testing.assert_array_equal(table.timestamps, STAMPS)


def test_numbers_are_the_nearest_doubles(file):
    values = np.random.default_rng(0).normal(size=200) * 10.0 ** np.random.default_rng(1).integers(-12, 12, 200)
    rows = [f"2020-01-01 00:00:00,{value!r}" for value in values.tolist()]
    np.testing.assert_array_equal(reading(file("when,T\n" + "\n".join(rows))).values[:, 0], values)


def rows(*lines):
    return "".join(f"{line}\n" for line in lines)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        (
            rows("station Jena", "", "1577836800,1", "1577840400,2", "1577844000,3"),
            {"skip": 2, "names": ["when", "T"], "stamp_format": "unix"},
        ),
        (
            rows("when at T", "2020010100   - 1", "2020010101  - 2", "2020010102 - 3"),
            {"delimiter": " ", "stamp_format": "%Y%m%d%H", "drop": ["at"]},
        ),
    ],
    ids=["no header", "white space"],
)
def test_forms_of_a_file(file, text, form):
    table = reading(file(text), **form)
    np.testing.assert_array_equal(table.values, [[1], [2], [3]])
    np.testing.assert_array_equal(table.timestamps, HOURS)


def test_a_spreadsheets_numbers_words_and_empty_cells(file):
    text = rows("when;T;sky;", "1.1.2020 0:00;1.234,5;fair;", "1.1.2020 1:00;n/a;dull;", "1.1.2020 2:00;-9,25;;", ";;;")
    form = {"delimiter": ";", "decimal": ",", "thousands": ".", "missing": ["n/a", ""], "drop": ["Unnamed: 3"]}
    table = reading(file(text), stamp_format="%d.%m.%Y %H:%M", categories=["sky"], **form)
    assert table.columns == ["T", "sky=dull", "sky=fair"]
    np.testing.assert_array_equal(table.values, [[1234.5, 0, 1], [np.nan, 1, 0], [-9.25, 0, 0]])
    np.testing.assert_array_equal(table.timestamps, HOURS)
    with pytest.raises(UnrollError, match="line 3: column 'T' holds 'n/a', not a finite number; correct the file, say"):
        reading(file(text), stamp_format="%d.%m.%Y %H:%M", categories=["sky"], **form | {"missing": [""]})


LINE = {
    "2020-01-01 00:20:00,warm,1": "line 4: column 'T' holds 'warm', not a finite number; correct the file, say",
    "2020-01-01 00:20:00,1,1,1": r"not a regular CSV file \(Expected 3 fields in line 4, saw 4\)",
    "2020-01-01 00:20:00,,1": "line 4: column 'T' holds no value",
    "\n\n2020-01-01 00:20:00,1,NaN": "line 6: column 'p' holds 'NaN', not a finite number",
    "2020-01-01 00:20:00,1,1e999": "line 4: column 'p' holds '1e999', not a finite number",
    "01.01.2020 00:20:00,1,1": "line 4: column 'when' holds '01.01.2020 00:20:00', not a stamp of the form",
    "2020-02-30 00:20:00,1,1": "line 4: column 'when' holds '2020-02-30 00:20:00', not a stamp",
}
WHOLE = {
    "": "mine.csv is empty; it needs a header and rows",
    "when,T,p\n": "mine.csv holds a header and no rows",
    'when,T,p\n2020-01-01 00:00:00,"1,1\n': "not a regular CSV file",
}


@pytest.mark.parametrize(
    ("text", "message"), [*((f"{GOOD}{line}\n", said) for line, said in LINE.items()), *WHOLE.items()]
)
def test_a_damaged_file_gives_one_line(file, text, message):
    with pytest.raises(UnrollError, match=message) as caught:
        reading(file(text))
    assert "\n" not in str(caught.value)
    assert not isinstance(caught.value, UsageError)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target": "t"}, "target: mine.csv has no column 't'. It has: when, T, p"),
        ({"stamp": "Date"}, "stamp: mine.csv has no column 'Date'. It has: when, T, p"),
        ({"drop": ["q"]}, "drop: mine.csv has no column 'q'. It has: when, T, p"),
        ({"drop": ["when"]}, "target, stamp and drop must name different columns"),
        ({"encoding": "latin-77"}, "encoding is unknown. Received: 'latin-77'"),
        ({"stamp_format": "%Q"}, "stamp_format: .* Received: '%Q'"),
    ],
)
def test_an_option_that_does_not_fit_the_file_names_what_does(file, change, message):
    with pytest.raises(UsageError, match=rf"^params.yaml: {WHERE}[.:] ?{message}") as caught:
        reading(file(GOOD), **change)
    assert "\n" not in str(caught.value)


def test_a_file_of_another_encoding_and_one_that_is_missing_get_one_line(file):
    path = file("when,T,W/m²\n2020-01-01 00:00:00,1,2\n", "latin-1")
    assert reading(path, encoding="latin-1").columns == ["T", "W/m²"]
    with pytest.raises(UnrollError, match=rf"is not utf-8 text \(.*\); set {WHERE}.encoding, such as latin-1"):
        reading(path)
    (path.parent / "source.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UsageError, match=rf"{WHERE}.file: .*station has no 'other.csv'. It has: mine.csv$"):
        reading(path.with_name("other.csv"))
    path.unlink()
    with pytest.raises(UsageError, match=r"station has no 'mine.csv'. It has: none$"):
        reading(path)


def test_chunks_files_and_parquet_change_no_value(file, monkeypatch):
    import pandas as pd

    lines = [f"2020-01-01 {hour:02d}:00:00,{hour / 7!r},{hour}" for hour in range(10)]
    whole = reading(file(rows("when,T,p", *lines)))
    monkeypatch.setattr(row_files, "CHUNK", 3)
    folder, told = file("").parent, []
    paths = [folder / "a.csv", folder / "b.csv"]
    for path, part in zip(paths, (lines[:4], lines[4:]), strict=True):
        path.write_text(rows("when,T,p", *part), encoding="utf-8")
    form = CsvFormat(stamp=["when"], target="T", stamp_format="%Y-%m-%d %H:%M:%S")
    parts = read(paths, form, WHERE, lambda *report: told.append(report))
    assert told[-1] == ("b.csv", paths[1].stat().st_size, paths[1].stat().st_size)
    columns = {"when": whole.timestamps} | dict(zip(whole.columns, np.transpose(whole.values), strict=True))
    pd.DataFrame(columns).to_parquet(folder / "c")
    for table in (parts, read([folder / "c"], form, WHERE)):
        assert table.columns == whole.columns
        np.testing.assert_array_equal(table.values, whole.values)
        np.testing.assert_array_equal(table.timestamps, whole.timestamps)
    paths[1].write_text("when,T\n", encoding="utf-8")
    with pytest.raises(UnrollError, match=r"b.csv has no column 'p', which a.csv has"):
        read(paths, form, WHERE)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ([b"\xff", b"a"], "mine.csv: column 'T' holds binary; save it as numbers, text or times, or leave it out"),
        (pa.array([b"\xff", b"a"]).view(pa.string()), r"is no whole Parquet file \(In column 1: .*UTF8"),
        (STAMPS, r"mine.csv, row 0 \(from 0\): column 'T' holds '2020-01-01 00:00:00', not a finite number"),
        ([1.5, np.inf], r"row 1 \(from 0\): column 'T' holds 'inf', not a finite number"),
    ],
)
def test_a_column_of_a_parquet_file_that_holds_no_numbers_is_named(file, column, message):
    path, table = file(""), pa.table({"when": STAMPS, "T": column, "p": [1.0, 2.0]})
    parquet.write_table(table, path)
    with pytest.raises(UnrollError, match=message):
        reading(path)
    assert reading(path, target="p", drop=["T"]).columns == ["p"]
    parquet.write_table(table.append_column("p", table["p"]), path)
    with pytest.raises(UnrollError, match=r"mine.csv has two columns 'p'; rename or remove one of them"):
        reading(path)


@pytest.mark.parametrize(
    ("kind", "pack", "message"),
    [
        ("gz", bytes, r"mine.gz is no whole gzip file \(Not a gzipped file .*\); save it again"),
        *((kind, bytes, f"is no whole {kind} file") for kind in ("bz2", "xz", "zip")),
        ("zst", bytes, "is no whole zstd file"),
        ("gz", lambda text: gzip.compress(text)[:-4], "is no whole gzip file"),
        ("gz", gzip.compress, "line 4: column 'T' holds 'warm', not a finite number"),
    ],
)
def test_a_packed_file(file, kind, pack, message):
    path = file("").with_name(f"mine.{kind}")
    path.write_bytes(pack(f"{GOOD}2020-01-01 00:20:00,warm,1\n".encode()))
    with pytest.raises(UnrollError, match=message):
        reading(path)
