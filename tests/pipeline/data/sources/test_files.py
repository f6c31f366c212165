"""Sources that are files: of the web by their hashes, or of one's own by a path or a
pattern."""

import hashlib

import pytest

from pipeline.config import registry
from pipeline.data.sources import download, local
from pipeline.errors import UnrollError, UsageError
from tests.support import content

HASH = "0" * 64


def options(section):
    return registry.options(download.produce, section, "sources.x")


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


def test_a_path_is_a_file_or_with_a_pattern_files_of_a_folder(folder, context):
    bodies = {name: name.encode() for name in ("2020.csv", "2019.csv", "notes.txt")}
    (context.root / "station").mkdir()
    for name, body in bodies.items():
        (context.root / "station" / name).write_bytes(body)
    local.produce(folder, context, path="station/notes.txt")
    local.produce(folder, context, path="station", pattern="20*.csv")
    assert content(folder) == bodies
    (context.root / "station" / "\udcff.csv").touch()
    for section, line in (
        ({"path": "nowhere.csv"}, r"path: .*is not there; put the file there or"),
        ({"path": "."}, r"path: .*is a folder; put the file there or"),
        (
            {"path": "station", "pattern": "*.dat"},
            r"pattern: .* no file that matches '\*\.dat'; put one there$",
        ),
    ):
        with pytest.raises(UnrollError, match=rf"^params\.yaml: files\.imdb\.{line}"):
            local.produce(folder, context, **section)
    with pytest.raises(UnrollError, match="this name is not UTF-8; rename it"):
        local.produce(folder, context, path="station", pattern="*.csv")
