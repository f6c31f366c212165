import pytest

from pipeline.config import plain_yaml
from pipeline.data import manifest
from pipeline.errors import UnrollError
from pipeline.workspace import Workspace
from stages.source import source

BODY = b"hello\n"


def test_the_mirror_is_asked_and_what_it_has_is_described(tmp_path, monkeypatch):
    workspace, mirrored = Workspace(tmp_path), tmp_path / "mirror" / "file" / "a.txt"
    sources = {"file": {"kind": "download", "files": {"a.txt": None}}}
    plain_yaml.write({"sources": sources, "datasets": {}, "experiments": {}}, workspace.params)
    mirrored.parent.mkdir(parents=True)
    mirrored.write_bytes(BODY)
    monkeypatch.setenv("UNROLL_MIRROR", str(tmp_path / "mirror"))
    folder = source(workspace, "file")
    assert sorted(file.name for file in folder.iterdir()) == ["a.txt", "source.json"]
    assert manifest.checked(workspace.raw("file")).kind == "download"
    mirrored.unlink()
    with pytest.raises(UnrollError, match=r"^a\.txt cannot be had"):
        source(workspace, "file")
    assert (folder / "a.txt").read_bytes() == BODY, "a failure keeps what was there"
