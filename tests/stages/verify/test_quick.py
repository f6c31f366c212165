import os
from pathlib import Path

import pytest

from pipeline.errors import UnrollError
from pipeline.workspace import Workspace
from stages.commands.main import invoke
from stages.console.exits import run
from stages.verify import isolated_build, quick
from stages.workspaces import miniature
from stages.workspaces.checkout import FOLDER

ROOT = Path(__file__).parents[3]


def test_the_miniature_is_built_twice_in_other_circumstances_and_every_other_file_is_told(tmp_path, monkeypatch, capfd):
    # Less than the miniature, whose networks are built in other circumstances by tests/stages/repro/test_same_bytes.py.
    data = {"sources": {"sine": {"kind": "sine", "points": 60}}, "datasets": {}, "experiments": {}}
    monkeypatch.setattr(miniature, "PARAMS", data)
    monkeypatch.setattr(miniature, "CLAIMS", [])
    root = miniature.make_workspace(ROOT, tmp_path / "root").root
    code = run(lambda: invoke(["--root", str(root), "verify", "--quick", "--keep", "--jobs", "1"]))
    output = capfd.readouterr().out
    assert code == 0, output
    assert output.count("Built 2 of 2 stages") == 2
    assert "again with --jobs 2, PYTHONHASHSEED=" in output
    assert "All 2 outputs have the same bytes." in output
    first, second = (root / FOLDER / "quick" / name for name in (quick.FIRST, quick.SECOND))
    assert (second / "data").stat().st_mode & 0o077 == 0, "it had another umask"

    raw = "data/raw/sine/source.json"
    (second / raw).chmod(0o600)
    (second / raw).write_text("{}")
    with (second / "dvc.lock").open("a") as file:
        file.write("\n")
    verdict = quick._compare(Workspace(first), Workspace(second))
    assert (verdict.holds, verdict.others) == (False, [raw, "dvc.lock"])


def test_the_circumstances_are_others(monkeypatch):
    monkeypatch.setenv("PYTHONHASHSEED", "1")
    changed = quick.circumstances()
    assert all(os.environ.get(name) != value for name, value in changed.items())
    assert changed.keys() == {"PYTHONHASHSEED", "TZ", "LC_ALL"}


def test_a_language_with_a_decimal_comma_is_preferred(monkeypatch):
    def locale(argument, *, language):
        return "C\nen_US.utf8\nde_DE\nde_DE.utf8\n" if argument == "-a" else ",."["de_DE" not in language]

    monkeypatch.setattr(quick, "_locale", locale)
    assert quick._language() == "de_DE.utf8"


def test_without_a_command_that_lists_languages_it_is_c(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert quick._language() == "C"


@pytest.mark.parametrize(("recorded", "said"), [("no room", "train@x: no room"), ("", "exit status 1")])
def test_a_miniature_that_cannot_be_built_says_why(tmp_path, monkeypatch, recorded, said):
    workspace = Workspace(tmp_path)
    if recorded:
        (workspace.scratch / "failures").mkdir(parents=True)
        (workspace.scratch / "failures/train@x.txt").write_text(recorded)
    monkeypatch.setattr(isolated_build, "build", lambda *_, **__: 1)
    with pytest.raises(UnrollError, match=f"cannot be built: {said}"):
        isolated_build.build_all(workspace, 1, quiet=True)
