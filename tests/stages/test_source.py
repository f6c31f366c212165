import hashlib
import json
import os
import sys
import types

import pytest
from filelock import FileLock

from pipeline.config import params, registry
from pipeline.config import plain_yaml
from pipeline.errors import UnrollError, UsageError
from pipeline.workspace import Workspace
from stages import source as stage
from stages.source import source

BODY = b"hello\n"
SOURCES = {
    "waves": {"kind": "waves", "train": 5, "validation": 4, "test": 3},
    "demo": {"kind": "stand_in", "of": "weather", "rows": 100},
    "file": {"kind": "download", "files": {"a.txt": {"url": None, "bytes": len(BODY)}}},
    "mine": {"kind": "local", "path": "mine.csv"},
    "clash": {"kind": "local", "path": "source.json"},
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


@pytest.fixture
def mirror(workspace, tmp_path, monkeypatch):  # noqa: ARG001 - which unsets the mirror first
    folder = tmp_path / "mirror" / "file"
    folder.mkdir(parents=True)
    (folder / "a.txt").write_bytes(BODY)
    monkeypatch.setenv("UNROLL_MIRROR", str(folder.parent))
    return folder


def left(workspace):
    """Every file of the workspace but its parameters and locks."""
    files = (file for file in workspace.root.rglob("*") if file.is_file() and file.suffix != ".lock")
    return sorted(str(file.relative_to(workspace.root)) for file in files if file != workspace.params)


@pytest.mark.usefixtures("mirror")
def test_a_source_is_a_folder_of_files_and_their_hashes(workspace):
    assert source(workspace, "file") == workspace.raw("file")
    assert left(workspace) == ["data/raw/file/a.txt", "data/raw/file/source.json"]
    assert json.loads((workspace.raw("file") / "source.json").read_text(encoding="utf-8")) == {
        "name": "file",
        "kind": "download",
        "stand_in": False,
        "files": {"a.txt": {"bytes": 6, "sha256": hashlib.sha256(BODY).hexdigest()}},
    }


def test_only_a_stand_in_is_called_one(workspace):
    for name in ("waves", "demo"):
        source(workspace, name)
        facts = json.loads((workspace.raw(name) / "source.json").read_text(encoding="utf-8"))
        assert facts["stand_in"] is (name == "demo")


def test_the_options_reach_the_source_and_the_bytes_are_the_same_each_time(workspace):
    source(workspace, "waves")
    first = {file.name: file.read_bytes() for file in workspace.raw("waves").iterdir()}
    assert sorted(first) == ["source.json", "waves.npz"]
    source(workspace, "waves")
    assert {file.name: file.read_bytes() for file in workspace.raw("waves").iterdir()} == first


def test_a_failure_leaves_nothing_behind(workspace):
    with pytest.raises(UnrollError, match=r"^a\.txt cannot be had: it has no official address\. To go on, set UNROLL"):
        source(workspace, "file")
    assert left(workspace) == []
    assert not workspace.raw("file").exists()


def test_a_failure_keeps_what_was_there(workspace, mirror):
    source(workspace, "file")
    (mirror / "a.txt").write_bytes(BODY[::-1] + b"!")
    with pytest.raises(UnrollError, match=r"it has 7 bytes, not 6; replace it there"):
        source(workspace, "file")
    assert (workspace.raw("file") / "a.txt").read_bytes() == BODY


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interruption_keeps_only_the_part(workspace, monkeypatch, error):
    def produce(folder, context):
        (folder / "half.csv").write_bytes(BODY)
        (context.scratch / "downloads").mkdir()
        (context.scratch / "downloads" / "x.part").write_bytes(BODY)
        raise error

    monkeypatch.setattr(registry, "module", lambda *_: types.SimpleNamespace(produce=produce))
    with pytest.raises(error):
        source(workspace, "odd")
    assert left(workspace) == [".unroll/downloads/x.part"]


def test_a_full_disk_is_one_line(workspace, monkeypatch):
    def produce(folder, _):
        raise OSError(28, "No space left on device", str(folder / "a.txt"))

    monkeypatch.setattr(registry, "module", lambda *_: types.SimpleNamespace(produce=produce))
    with pytest.raises(UnrollError, match=r"^source odd: No space left on device \(.*a\.txt\); check permissions and"):
        source(workspace, "odd")
    assert left(workspace) == []


def test_two_processes_do_not_work_at_one_source(workspace):
    workspace.scratch.mkdir()
    with FileLock(workspace.scratch / "source-waves.lock"):
        with pytest.raises(UnrollError, match="another process is at source waves"):
            source(workspace, "waves")
        source(workspace, "demo")
    source(workspace, "waves")


def test_a_users_own_file_is_copied(workspace):
    (workspace.root / "mine.csv").write_bytes(BODY)
    assert (source(workspace, "mine") / "mine.csv").read_bytes() == BODY


def test_a_file_may_not_take_the_place_of_the_description(workspace):
    (workspace.root / "source.json").write_bytes(b"{}")
    with pytest.raises(UnrollError, match=r"source clash: source\.json is a name that Unroll uses itself"):
        source(workspace, "clash")
    assert left(workspace) == ["source.json"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("wave", r"the source must be one of: .*waves.* Did you mean waves\?"),
        ("odd", r"sources\.odd\.kind must be one of: download, jena, jena_hourly, local, sine, stand_in, waves\."),
        ("wrong", r"sources\.wrong\.trains .*: seed, test, train, validation"),
    ],
)
def test_a_wrong_name_is_a_usage_error_that_lists_the_valid_ones(workspace, name, text):
    with pytest.raises(UsageError, match=text):
        source(workspace, name)
    assert left(workspace) == []


def test_plain_lines_where_the_output_is_no_terminal(monkeypatch, capsys):
    clock = iter([0.0, 1.0, 4.0, 5.0])
    monkeypatch.setattr(stage.time, "monotonic", lambda: next(clock))
    with stage._on_screen() as progress:
        for done in (0, 1_000_000, 4_000_000, 10_000_000):
            progress("a.npz", done, 10_000_000)
    assert capsys.readouterr().err.splitlines() == ["a.npz  4.0 of 10.0 MB  6 s left", "a.npz  10.0 MB"]


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="a terminal is needed")
def test_a_bar_where_it_is_a_terminal(monkeypatch):
    main, side = os.openpty()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    with os.fdopen(side, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        with stage._on_screen() as progress:
            progress("a.npz", 4_000_000, 10_000_000)
            progress("b.csv", 1_000_000, None)
        terminal.flush()
        seen = os.read(main, 100_000).decode()
    os.close(main)
    assert "a.npz" in seen
    assert "4.0/10.0 MB" in seen
    assert "b.csv" in seen
