import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import UnrollError
from pipeline.files import read_table, write_table


def test_the_bytes_are_these_numbers_in_full_and_no_value_as_nothing(tmp_path):
    path = tmp_path / "new" / "a.csv"
    write_table(
        path,
        pd.DataFrame(
            {
                "name": ["a", "b, c"],
                "n": [1, 2],
                "x": [0.1 + 0.2, None],
                "y": [1e-300, 1e22],
            }
        ),
    )
    assert (
        path.read_bytes()
        == b'name,n,x,y\na,1,0.30000000000000004,1e-300\n"b, c",2,,1e+22\n'
    )
    assert [file.name for file in path.parent.iterdir()] == ["a.csv"]


words = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=6
)
rows = st.tuples(
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    words,
)


@given(st.lists(rows, min_size=1, max_size=5))
def test_a_table_comes_back_as_it_was_to_the_last_bit(tmp_path_factory, rows):
    path = tmp_path_factory.getbasetemp() / "table.csv"
    table = pd.DataFrame(rows, columns=["epoch", "loss", "experiment"])
    write_table(path, table)
    read = read_table(path, epoch=int, loss=float, experiment=str)
    assert read.to_numpy().tolist() == table.to_numpy().tolist()
    pd.testing.assert_frame_equal(
        read_table(path, experiment=str), read, check_dtype=False
    )


def test_names_that_look_like_no_value_are_names_no_value_is_nan_and_no_rows_keep_their_columns(
    tmp_path,
):
    write_table(
        tmp_path / "a.csv",
        pd.DataFrame({"name": ["NA", "null", "nan"], "x": [1.0, None, 3.0]}),
    )
    read = read_table(tmp_path / "a.csv", name=str)
    assert read["name"].tolist() == ["NA", "null", "nan"]
    assert read["x"].isna().tolist() == [False, True, False]
    write_table(tmp_path / "a.csv", pd.DataFrame(columns=["seed", "epoch"]))
    assert list(read_table(tmp_path / "a.csv", seed=int, epoch=int).columns) == [
        "seed",
        "epoch",
    ]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "its last line has no end"),
        (b"b\n1\n", "'a'"),
        (b"a,b\n,2\n", "Integer column has NA values"),
        (b"a,b\n1,two\n", "could not convert"),
        (b'a,b\n1,"2\n', "EOF inside string"),
        (b"a,b\n1,\xff\n", "can't decode"),
    ],
)
def test_damage_is_one_line(tmp_path, content, why):
    (tmp_path / "a.csv").write_bytes(content)
    line = rf"^\S+a\.csv is damaged \([^\n]*({why})[^\n]*\); delete it and run `unroll repro`$"
    with pytest.raises(UnrollError, match=line):
        read_table(tmp_path / "a.csv", a=int)
