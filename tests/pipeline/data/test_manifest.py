import pytest

from pipeline.data import manifest
from pipeline.errors import UnrollError
from pipeline.files import read_json

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.fixture
def raw(tmp_path):
    folder = tmp_path / "station"
    folder.mkdir()
    (folder / "b.csv").write_bytes(b"T\n1.5\n")
    (folder / "a.csv").write_bytes(b"")
    return folder


@pytest.mark.parametrize("kind", ["stand_in", "local"])
def test_every_file_is_described_and_found_again(raw, kind):
    manifest.write(raw, "station", kind)
    written = read_json(raw / "source.json")
    stand_in = kind == "stand_in"  # nothing else is one
    assert written | {"files": ...} == {"name": "station", "kind": kind, "stand_in": stand_in, "files": ...}
    assert [*written["files"]] == ["a.csv", "b.csv"]
    assert written["files"]["a.csv"] == {"bytes": 0, "sha256": EMPTY}
    assert manifest.checked(raw).files["b.csv"].bytes == 6


def test_a_manifest_that_is_not_there_or_damaged_is_one_line(raw):
    manifest.write(raw, "station", "local")
    with pytest.raises(UnrollError, match="source station: source.json is a name that Unroll uses itself"):
        manifest.write(raw, "station", "local")
    (raw / "source.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UnrollError, match=r"source\.json is damaged \(name is missing\)"):
        manifest.checked(raw)
    (raw / "source.json").unlink()
    with pytest.raises(UnrollError, match=r"source\.json is missing; run `unroll source station`$"):
        manifest.checked(raw)
