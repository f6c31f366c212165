"""Sources that are files: of the web by their hashes, or of one's own by a path."""

import hashlib

import pytest

from pipeline.config import named_modules
from pipeline.data.sources import download, local
from pipeline.errors import UnrollError, UsageError
from tests.support import content

HASH = "0" * 64


def options(section):
    return named_modules.options(download.produce, section, "sources.x")


def test_every_file_is_fetched_from_the_address(folder, context, web):
    bodies = {"a.csv": b"first", "b": b"second"}
    web.files |= {f"far/{name}": body for name, body in bodies.items()}
    hashes = {"a.csv": hashlib.sha256(b"first").hexdigest(), "b": None}
    download.produce(
        folder, context, **options({"url": web.url("far/"), "files": hashes})
    )
    assert content(folder) == bodies


@pytest.mark.parametrize(
    ("section", "line"),
    [
        ({"files": {}}, r"sources\.x\.files must have at least 1 item"),
        ({"files": {"a": "ABC"}}, r"sources\.x\.files\.a must match"),
        (
            {"files": {"a": HASH}, "url": "http://far.org"},
            r"sources\.x\.url must be an https address",
        ),
        (
            {"files": {"a": HASH}, "url": "https://me:secret@far.org"},
            r"url must not hold a user's name or password",
        ),
        *(
            ({"files": {name: None}}, r"sources\.x\.files")
            for name in ("../a", "a/b", "", ".hidden", "a\nb")
        ),
    ],
)
def test_a_wrong_section_is_one_line_without_a_password(section, line):
    with pytest.raises(UsageError, match=rf"^.*{line}.*$") as caught:
        options(section)
    assert "secret" not in str(caught.value)


def test_a_path_is_a_file_beside_params_yaml(folder, context):
    (context.root / "station").mkdir()
    (context.root / "station" / "2020.csv").write_bytes(b"rows")
    local.produce(folder, context, path="station/2020.csv")
    assert content(folder) == {"2020.csv": b"rows"}
    (context.root / "\udcff.csv").touch()
    for path, line in (
        ("nowhere.csv", r"files\.imdb\.path: .*is not there; put the file there or"),
        ("station", r"files\.imdb\.path: .*is a folder; put the file there or"),
        ("\udcff.csv", "this name is not UTF-8; rename it"),
    ):
        with pytest.raises(UnrollError, match=line):
            local.produce(folder, context, path=path)
