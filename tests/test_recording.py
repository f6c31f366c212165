"""The film of the demo in README.md, made by `make recording`, and the page's picture, by `make picture`."""

import runpy
from xml.etree import ElementTree as ET

from tests.support import REPOSITORY

SVG = "{http://www.w3.org/2000/svg}"


def test_a_film_shows_each_line_when_it_was_printed_and_a_count_until_the_next():
    lines = [(0.0, "$ make demo"), (5.0, "     1/9  a <model>"), (6.0, "  yes  a question"), (10.0, "done")]
    film = ET.fromstring(runpy.run_path(str(REPOSITORY / ".ci/recording.py"))["film"](lines))
    texts = film.findall(f".//{SVG}text")
    assert [(text.text, text.get("y"), text.get("class")) for text in texts] == [
        ("$ make demo", "24", None),
        ("     1/9  a <model>", "42", "p"),
        ("  yes  a question", "42", "yes"),
        ("done", "60", None),
    ]
    moves = [text.find(f"{SVG}animate") for text in texts]
    assert [move.get("keyTimes") for move in moves[1:3]] == ["0.0000;0.4000;0.4800", "0.0000;0.4800"]
    assert {move.get("dur") for move in moves} == {"20s"}


def test_the_picture_shows_the_answers_that_are_committed():
    page = runpy.run_path(str(REPOSITORY / ".ci/picture.py"))
    assert page["shown"]() in page["PICTURE"].read_bytes(), "run `make picture`"
