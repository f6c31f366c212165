import hashlib

import pytest

from pipeline.config import registry
from pipeline.data.sources import download
from pipeline.errors import UsageError

HASH = "0" * 64


def options(section):
    return registry.options(download.produce, section, "sources.x")


def test_every_file_is_fetched_from_the_folder(folder, context, web):
    bodies = {"a.csv": b"first", "b": b"second"}
    web.files |= {f"far/{name}": body for name, body in bodies.items()}
    hashes = {"a.csv": hashlib.sha256(b"first").hexdigest(), "b": None}
    download.produce(folder, context, **options({"url": web.url("far/"), "files": hashes}))
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == bodies


@pytest.mark.parametrize(
    ("section", "line"),
    [
        ({"files": {}}, r"sources\.x\.files must hold at least 1"),
        ({"files": {"a": "ABC"}}, r"sources\.x\.files\.a must match"),
        ({"files": {"a": HASH}, "url": "http://far.org"}, r"sources\.x\.url must be an https address"),
        ({"files": {"a": HASH}, "url": "https://me:secret@far.org"}, r"url must not hold a user's name or password"),
        *(({"files": {name: None}}, r"sources\.x\.files") for name in ("../a", "a/b", "", ".hidden", "a\nb")),
    ],
)
def test_a_wrong_section_is_one_line_without_a_password(section, line):
    with pytest.raises(UsageError, match=rf"^.*{line}.*$") as caught:
        options(section)
    assert "secret" not in str(caught.value)
