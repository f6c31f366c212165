import pytest

from pipeline.config import plain_yaml
from pipeline.data import manifest
from pipeline.errors import UnrollError
from pipeline.workspace import Workspace
from stages.source import source

BODY = b"hello\n"
SOURCES = {
    "waves": {"kind": "waves", "train": 5, "validation": 4, "test": 3},
    "file": {"kind": "download", "files": {"a.txt": None}},
    "odd": {"kind": "telepathy"},
    "wrong": {"kind": "waves", "trains": 5},
}


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.delenv("UNROLL_MIRROR", raising=False)
    workspace = Workspace(tmp_path / "workspace")
    workspace.root.mkdir()
    plain_yaml.write({"sources": SOURCES, "datasets": {}, "experiments": {}}, workspace.params)
    return workspace


def left(workspace):
    """Every file of the workspace but its parameters and locks."""
    files = (file for file in workspace.root.rglob("*") if file.is_file() and file.suffix != ".lock")
    return sorted(str(file.relative_to(workspace.root)) for file in files if file != workspace.params)


def test_the_mirror_is_asked_and_what_it_has_is_described(workspace, tmp_path, monkeypatch):
    (tmp_path / "mirror" / "file").mkdir(parents=True)
    (tmp_path / "mirror" / "file" / "a.txt").write_bytes(BODY)
    monkeypatch.setenv("UNROLL_MIRROR", str(tmp_path / "mirror"))
    assert source(workspace, "file") == workspace.raw("file")
    assert left(workspace) == ["data/raw/file/a.txt", "data/raw/file/source.json"]
    assert manifest.checked(workspace.raw("file")).kind == "download"
    (tmp_path / "mirror" / "file" / "a.txt").unlink()
    with pytest.raises(UnrollError, match=r"^a\.txt cannot be had"):
        source(workspace, "file")
    assert (workspace.raw("file") / "a.txt").read_bytes() == BODY, "a failure keeps what was there"
