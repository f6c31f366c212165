import pytest

from pipeline.errors import UsageError
from pipeline.validation import Strict, one_of, validated


class Download(Strict):
    size: int
    url: str | None = None


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


def test_what_was_received_is_short_and_shows_no_password():
    with pytest.raises(UsageError) as caught:
        validated(Download, {"size": ["https://me:secret@far.org/" + "x" * 1000] * 1000}, "x")
    assert "secret" not in str(caught.value)
    assert len(str(caught.value)) < 400
