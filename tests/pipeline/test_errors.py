"""Errors are one short line: what is valid, what was received, and never a password."""

import pytest

from pipeline.errors import UsageError, one_line, printable, without_password
from pipeline.validation import Strict, one_of, validated


class Download(Strict):
    size: int
    url: str | None = None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://me:secret@far.org/a", "https://far.org/a"),
        (
            "from http://me:se@cret@far.org/a and https://b.org/c",
            "from http://far.org/a and https://b.org/c",
        ),
        ("//me@far.org", "//far.org"),
        ("mail me@far.org", "mail me@far.org"),
    ],
)
def test_an_address_is_shown_without_its_password(text, shown):
    assert without_password(text) == shown


def test_what_steers_a_terminal_is_shown_as_escapes():
    assert (
        printable("20\N{NO-BREAK SPACE}°C \x1b[2J\n\u202e")
        == "20\N{NO-BREAK SPACE}°C \\x1b[2J\\n\\u202e"
    )
    assert one_line(" a\n\tb  c ") == "a b c"


def test_a_name_that_is_not_valid_is_one_short_line_with_those_that_are():
    assert one_of("b", iter("abc"), "the letter") == "b"
    for name, valid, line in (
        ("zz", "ba", r"^the letter must be one of: a, b\. Received: 'zz'\.$"),
        (
            "grru",
            ["lstm", "gru"],
            r"one of: gru, lstm\. Received: 'grru'\. Did you mean gru\?",
        ),
        ("gru", ["a/gru", "grus"], r"Did you mean a/gru\?"),
        ("gru", ["a/gru", "b/gru"], r"Did you mean a/gru or b/gru\?"),
        ("a", [], r"must be one of: \(none\)\."),
        ("a\nb" * 1000, ["c"], r"^.{,100}$"),
    ):
        with pytest.raises(UsageError, match=line):
            one_of(name, valid, "the letter")


def test_what_was_received_is_short_and_shows_no_password():
    with pytest.raises(UsageError) as caught:
        validated(
            Download, {"size": ["https://me:secret@far.org/" + "x" * 1000] * 1000}, "x"
        )
    assert "secret" not in str(caught.value)
    assert len(str(caught.value)) < 400
