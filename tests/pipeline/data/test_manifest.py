import hashlib

import pytest

from pipeline.data import manifest
from pipeline.errors import UnrollError

FILES = {"a.csv": b"", "b.csv": b"T\n1.5\n"}


@pytest.fixture
def raw(tmp_path):
    folder = tmp_path / "station"
    folder.mkdir()
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    return folder


def test_every_file_is_described_and_a_manifest_that_is_missing_or_damaged_is_one_line(raw):
    manifest.write(raw, "station", "stand_in")
    written = manifest.checked(raw)
    assert (written.name, written.kind, written.stand_in) == ("station", "stand_in", True)
    assert {name: (file.bytes, file.sha256) for name, file in written.files.items()} == {
        name: (len(content), hashlib.sha256(content).hexdigest()) for name, content in FILES.items()
    }
    with pytest.raises(UnrollError, match="source station: source.json is a name that Unroll uses itself"):
        manifest.write(raw, "station", "local")
    (raw / "source.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UnrollError, match=r"source\.json is damaged \(name is missing\)"):
        manifest.checked(raw)
    (raw / "source.json").unlink()
    with pytest.raises(UnrollError, match=r"source\.json is missing; run `unroll source station`$"):
        manifest.checked(raw)
