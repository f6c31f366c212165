import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from pipeline.data import row_files
from pipeline.data.row_table import by_series, read
from pipeline.data.series_options import CsvFormat
from pipeline.errors import UnrollError, UsageError

WHERE = "datasets.mine.preparation"
GOOD = "when,T,p\n2020-01-01 00:00:00,1.5,1\n2020-01-01 00:10:00,-2,0.1\n"
STAMPS = np.array(["2020-01-01T00:00", "2020-01-01T00:10"], "datetime64[ms]")
HOURS = np.array(
    ["2020-01-01T00:00", "2020-01-01T01:00", "2020-01-01T02:00"], "datetime64[ms]"
)


def reading(path, **change):
    options = {
        "stamp": "when",
        "stamp_format": "%Y-%m-%d %H:%M:%S",
        "target": "T",
    } | change
    return read([path], CsvFormat.model_validate(options), WHERE)


def rows(*lines):
    return "".join(f"{line}\n" for line in lines)


@pytest.fixture
def file(tmp_path):
    (tmp_path / "station").mkdir()

    def write(text, encoding="utf-8"):
        (tmp_path / "station/mine.csv").write_bytes(text.encode(encoding))
        return tmp_path / "station/mine.csv"

    return write


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        "\ufeff" + GOOD,
        GOOD.replace("\n", "\r\n"),
        GOOD + "\n\n",
        GOOD.rstrip(),
        '"when","T","p"\n' + GOOD[9:],
    ],
)
def test_a_good_file_is_read_exactly(file, text):
    table = reading(file(text))
    assert (table.columns, table.values.dtype) == (["T", "p"], np.float64)
    np.testing.assert_array_equal(table.values, [[1.5, 1], [-2, 0.1]])
    np.testing.assert_array_equal(table.timestamps, STAMPS)


def test_numbers_are_the_nearest_doubles(file):
    values = np.random.default_rng(0).normal(size=200) * 10.0 ** np.random.default_rng(
        1
    ).integers(-12, 12, 200)
    lines = [f"2020-01-01 00:00:00,{value!r}" for value in values.tolist()]
    np.testing.assert_array_equal(
        reading(file(rows("when,T", *lines))).values[:, 0], values
    )


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


def test_each_series_has_its_own_rows_at_the_timestamps_of_all(file):
    at = [f"2020-01-01 0{hour}:00:00" for hour in range(3)]
    text = rows(
        "when,who,T",
        f"{at[0]},b,1",
        f"{at[1]},b,2",
        f"{at[1]},b,9",
        f"{at[1]},a,3",
        f"{at[2]},a,4",
    )
    table = reading(file(text), series_id="who", missing=[""])
    assert (table.columns, table.series_id.tolist()) == (
        ["T"],
        ["b", "b", "b", "a", "a"],
    )
    for names, expected in (
        ((), {"a": [np.nan, 3, 4], "b": [1, 2, np.nan]}),
        ("c", {"c": [np.nan] * 3}),
    ):
        tables = by_series(table, names)
        assert list(tables) == list(expected)
        for name, values in expected.items():
            np.testing.assert_array_equal(tables[name].values[:, 0], values)
            np.testing.assert_array_equal(tables[name].timestamps, HOURS)


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
    assert {
        name: own.values[:, 0].tolist() for name, own in by_series(table).items()
    } == {"99": [0, 1], "NA": [0, 1]}


NEXT = "2020-01-01 00:20:00"
REFUSED = [
    (
        f"{GOOD}{NEXT},warm,1\n",
        {},
        "line 4: column 'T' holds 'warm', not a finite number; correct the file, say",
    ),
    (
        f"{GOOD}{NEXT},1,1,1\n",
        {},
        r"not a regular CSV file \(Expected 3 fields in line 4, saw 4\)",
    ),
    (f"{GOOD}{NEXT},,1\n", {}, "line 4: column 'T' holds no value"),
    (
        f"{GOOD}\n\n{NEXT},1,NaN\n",
        {},
        "line 6: column 'p' holds 'NaN', not a finite number",
    ),
    (
        f"{GOOD}{NEXT},1,1e999\n",
        {},
        "line 4: column 'p' holds '1e999', not a finite number",
    ),
    (
        f"{GOOD}01.01.2020 00:20:00,1,1\n",
        {},
        "line 4: column 'when' holds '01.01.2020 00:20:00', not a stamp of the",
    ),
    (
        f"{GOOD}2020-02-30 00:20:00,1,1\n",
        {},
        "line 4: column 'when' holds '2020-02-30 00:20:00', not a stamp",
    ),
    ("", {}, "mine.csv is empty; it needs a header and rows"),
    ("when,T,p\n", {}, "mine.csv holds a header and no rows"),
    ('when,T,p\n2020-01-01 00:00:00,"1,1\n', {}, "not a regular CSV file"),
    (
        GOOD.replace("T", "\udcb2"),
        {},
        rf"is not utf-8 text \(.*\); set {WHERE}.encoding, such as latin-1",
    ),
    (GOOD, {"target": "t"}, "target: mine.csv has no column 't'. It has: when, T, p"),
    (
        GOOD,
        {"stamp": "Date"},
        "stamp: mine.csv has no column 'Date'. It has: when, T, p",
    ),
    (GOOD, {"drop": ["q"]}, "drop: mine.csv has no column 'q'. It has: when, T, p"),
    (GOOD, {"drop": ["when"]}, "target, stamp and drop must name different columns"),
    (GOOD, {"encoding": "latin-77"}, "encoding is unknown. Received: 'latin-77'"),
    (GOOD, {"stamp_format": "%Q"}, "stamp_format: .* Received: '%Q'"),
    (
        GOOD,
        {"time_zone": "Berlin"},
        "time_zone must be a name such as Europe/Berlin. Received: 'Berlin'",
    ),
]


@pytest.mark.parametrize(("text", "change", "message"), REFUSED)
def test_a_file_that_does_not_fit_gives_one_line(file, text, change, message):
    path = file("")
    path.write_bytes(text.encode(errors="surrogateescape"))
    start = rf"^params.yaml: {WHERE}[.:] ?" if change else ""
    with pytest.raises(
        UsageError if change else UnrollError, match=start + message
    ) as caught:
        reading(path, **change)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, UsageError) == bool(change)


def test_a_file_of_another_encoding_is_read_and_one_that_is_missing_named(file):
    path = file("when,T,W/m²\n2020-01-01 00:00:00,1,2\n", "latin-1")
    assert reading(path, encoding="latin-1").columns == ["T", "W/m²"]
    (path.parent / "source.json").write_text("{}", encoding="utf-8")
    with pytest.raises(
        UsageError,
        match=rf"{WHERE}.file: .*station has no 'other.csv'. It has: mine.csv$",
    ):
        reading(path.with_name("other.csv"))
    path.unlink()
    with pytest.raises(UsageError, match=r"station has no 'mine.csv'. It has: none$"):
        reading(path)


def test_chunks_files_and_parquet_change_no_value(file, monkeypatch):
    import pandas as pd

    lines = [f"2020-01-01 {hour:02d}:00:00,{hour / 7!r},{hour}" for hour in range(10)]
    whole = reading(file(rows("when,T,p", *lines)))
    monkeypatch.setattr(row_files, "CHUNK", 3)
    folder = file("").parent
    reports = []
    paths = [folder / "a.csv", folder / "b.csv"]
    for path, part in zip(paths, (lines[:4], lines[4:]), strict=True):
        path.write_text(rows("when,T,p", *part), encoding="utf-8")
    form = CsvFormat(stamp=["when"], target="T", stamp_format="%Y-%m-%d %H:%M:%S")
    both = read(paths, form, WHERE, lambda *report: reports.append(report))
    assert reports[-1] == ("b.csv", paths[1].stat().st_size, paths[1].stat().st_size)
    columns = {"when": whole.timestamps} | dict(
        zip(whole.columns, np.transpose(whole.values), strict=True)
    )
    pd.DataFrame(columns).to_parquet(folder / "c")
    for table in (both, read([folder / "c"], form, WHERE)):
        assert table.columns == whole.columns
        np.testing.assert_array_equal(table.values, whole.values)
        np.testing.assert_array_equal(table.timestamps, whole.timestamps)
    paths[1].write_text("when,T\n", encoding="utf-8")
    with pytest.raises(UnrollError, match=r"b.csv has no column 'p', which a.csv has"):
        read(paths, form, WHERE)


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
