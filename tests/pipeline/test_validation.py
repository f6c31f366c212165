import re

import pytest

from pipeline.errors import UsageError
from pipeline.validation import Strict, checked, one_of, validated


class File(Strict):
    size: int
    url: str | None = None


class Files(Strict):
    files: dict[str, File]
    first: File | None = None
    share: float | list[int] = 1.0


def test_a_name_that_is_not_valid_is_one_short_line_with_those_that_are():
    assert one_of("b", iter("abc"), "the letter") == "b"
    for name, valid, said in (
        ("zz", "ba", r"^the letter must be one of: a, b\. Received: 'zz'\.$"),
        ("grru", ["lstm", "gru"], r"one of: gru, lstm\. Received: 'grru'\. Did you mean gru\?"),
        ("a", [], r"must be one of: \(none\)\."),
        ("a\nb" * 1000, ["c"], r"^.{,100}$"),
    ):
        with pytest.raises(UsageError, match=said):
            one_of(name, valid, "the letter")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"files": {"a": {"size": 1, "ul": 2}}}, "files.a.ul is not known here. Valid: size, url. Did you mean url?"),
        ({"files": {}, "first": {"siz": 2}}, "first.siz is not known here. Valid: size, url. Did you mean size?"),
        ({"files": {"a.npz": {}}}, "files.a.npz.size is missing"),
        ({"files": {"a.npz": 1}}, "files.a.npz must be a mapping. Received: 1"),
        ({"files": {}, "share": "half"}, "share must be a valid number or must be a valid list. Received: 'half'"),
        ({}, "files is missing"),
        ([], "the whole must be a mapping. Received: []"),
    ],
)
def test_a_mistake_names_its_own_place_and_what_was_received(data, said):
    with pytest.raises(UsageError, match=f"^params.yaml: {re.escape(said)}$"):
        validated(Files, data, "params.yaml")
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        checked(Files, data)


def test_what_was_received_is_short_and_shows_no_password():
    with pytest.raises(UsageError) as caught:
        validated(File, {"size": ["https://me:secret@far.org/" + "x" * 1000] * 1000}, "x")
    assert "secret" not in str(caught.value)
    assert len(str(caught.value)) < 400
