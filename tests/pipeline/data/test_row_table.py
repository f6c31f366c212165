import numpy as np
import pytest

from pipeline.data.row_table import read
from pipeline.errors import UnrollError, UsageError

GOOD = "when,T,p\n2020-01-01 00:00:00,1.5,1\n2020-01-01 00:10:00,-2,0.1\n"
FORMAT = "%Y-%m-%d %H:%M:%S"
STAMPS = np.array(["2020-01-01T00:00", "2020-01-01T00:10"], "datetime64[ms]")


@pytest.fixture
def file(tmp_path):
    def write(text):
        (tmp_path / "mine.csv").write_text(text, encoding="utf-8", newline="")
        return tmp_path / "mine.csv"

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
    table = read(file(text), "when", FORMAT)
    assert (table.columns, table.values.dtype) == (["T", "p"], np.float64)
    np.testing.assert_array_equal(table.values, [[1.5, 1], [-2, 0.1]])
    np.testing.assert_array_equal(table.timestamps, STAMPS)
    assert read(file(text), "when", FORMAT, drop=["p"]).columns == ["T"]


def test_numbers_are_the_nearest_doubles(file):
    powers = np.random.default_rng(1).integers(-12, 12, 200)
    values = np.random.default_rng(0).normal(size=200) * 10.0**powers
    lines = [f"2020-01-01 00:00:00,{value!r}" for value in values.tolist()]
    table = read(file("\n".join(["when,T", *lines])), "when", FORMAT)
    np.testing.assert_array_equal(table.values[:, 0], values)


NEXT = "2020-01-01 00:20:00"
REFUSED = [
    (f"{GOOD}{NEXT},warm,1\n", "row 3 .*: column 'T' holds 'warm', no finite number"),
    (f"{GOOD}{NEXT},,1\n", "row 3 .*: column 'T' holds '', no finite number"),
    (f"{GOOD}{NEXT},1,1e999\n", "row 3 .*: column 'p' holds '1e999', no finite"),
    (f"{GOOD}2020-02-30 00:20:00,1,1\n", "row 3 .*: column 'when' holds '2020-02-30"),
    (f"{GOOD}{NEXT},1,1,1\n", r"no regular CSV file in UTF-8 \(.*line 4, saw 4"),
    (
        f"when,T,p\n{NEXT},1,5,7,25\n",
        "mine.csv: rows have more cells than the header; .* decimals with a point",
    ),
    ("", "mine.csv is no regular CSV file"),
    (GOOD.replace("when", "Date"), "has no column 'when'. It has: Date, T, p"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_a_file_that_does_not_fit_gives_one_line(file, text, message):
    with pytest.raises(UnrollError, match=message) as caught:
        read(file(text), "when", FORMAT)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, UsageError) == ("no column" in message)


def test_a_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(UnrollError, match=r"other.csv is missing; run `unroll repro`"):
        read(tmp_path / "other.csv", "when", FORMAT)
