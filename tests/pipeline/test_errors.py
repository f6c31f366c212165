import pytest

from pipeline.errors import one_line, printable, without_password


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://me:secret@far.org/a", "https://far.org/a"),
        ("from http://me:se@cret@far.org/a and https://b.org/c", "from http://far.org/a and https://b.org/c"),
        ("//me@far.org", "//far.org"),
        ("mail me@far.org", "mail me@far.org"),
    ],
)
def test_an_address_is_shown_without_its_password(text, shown):
    assert without_password(text) == shown


def test_what_steers_a_terminal_is_shown_as_escapes():
    assert printable("20\N{NO-BREAK SPACE}°C \x1b[2J\n\u202e") == "20\N{NO-BREAK SPACE}°C \\x1b[2J\\n\\u202e"
    assert one_line(" a\n\tb  c ") == "a b c"
