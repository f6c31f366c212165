import pytest

from pipeline.errors import UnrollError
from pipeline.workspace import Workspace
from unroll.commands.main import invoke
from unroll.exits import run
from unroll.verify import isolated_build, quick
from unroll.workspaces import miniature

LOCK = "stages:\n  source@sine:\n    outs: [{path: data/raw/sine, md5: '1'}]\n"


def test_the_miniature_is_built_twice_in_other_circumstances_and_what_differs_is_told(tmp_path, monkeypatch, capsys):
    """The builds are made up here; tests/unroll/runner/test_same_bytes.py has real ones."""
    calls = []

    def build(workspace, jobs, variables=None, *, quiet, umask=-1):
        calls.append((jobs, variables, quiet, umask))
        (workspace.root / "data/raw/sine").mkdir(parents=True)
        (workspace.root / "data/raw/sine/source.json").write_text("{}" if len(calls) == 2 else "")
        (workspace.root / "dvc.lock").write_text(LOCK + "\n" * (len(calls) == 2))

    monkeypatch.setattr(quick, "build_all", build)
    monkeypatch.setattr(miniature, "make_workspace", lambda _root, folder: Workspace(folder))
    monkeypatch.setattr(quick.dvc_graph, "cache", lambda root: root)
    monkeypatch.setattr(quick.dvc_graph, "read", lambda _root: quick.dvc_graph.Graph({"source@sine": []}, frozenset()))
    verify = ["--root", str(tmp_path), "verify", "--quick", "--jobs", "2"]
    assert run(lambda: invoke(verify)) == 1
    assert calls == [(2, None, False, -1), (3, quick.CIRCUMSTANCES, False, 0o077)]
    said = capsys.readouterr().out
    assert "source@sine  data/raw/sine  differs: its files are not those that dvc.lock names" in said
    assert "dvc  dvc.lock  differs: it has another text" in said
    assert (tmp_path / ".verify/quick" / quick.SECOND / "dvc.lock").exists()
    assert run(lambda: invoke(verify)) == 0  # the same bytes, from the third build on
    assert capsys.readouterr().out.splitlines()[-1] == "All 1 outputs have the same bytes."
    assert not (tmp_path / ".verify").exists()


@pytest.mark.parametrize(("recorded", "said"), [("no room", "train@x: no room"), ("", "exit status 1")])
def test_a_miniature_that_cannot_be_built_says_why(tmp_path, monkeypatch, recorded, said):
    workspace = Workspace(tmp_path)
    if recorded:
        (workspace.scratch / "failures").mkdir(parents=True)
        (workspace.scratch / "failures/train@x.txt").write_text(recorded)
    monkeypatch.setattr(isolated_build, "build", lambda *_, **__: 1)
    with pytest.raises(UnrollError, match=f"cannot be built: {said}"):
        isolated_build.build_all(workspace, 1, quiet=True)


def test_the_environment_of_a_build_is_its_own(tmp_path, monkeypatch):
    for name in ("DVC_STAGE", "DVC_ROOT", "MLFLOW_TRACKING_URI"):
        monkeypatch.setenv(name, "the user's")
    monkeypatch.setenv("PYTHONPATH", "/theirs")
    monkeypatch.setenv("UNROLL_MIRROR", "data")
    monkeypatch.chdir(tmp_path)
    found = isolated_build._environment(tmp_path / "fresh")
    assert "the user's" not in found.values()
    assert found["PYTHONPATH"] == f"{tmp_path}/fresh:/theirs"
    assert found["UNROLL_MIRROR"] == str(tmp_path / "data"), "it is meant from here"
    monkeypatch.setenv("UNROLL_MIRROR", "https://example.org/data")
    assert isolated_build._environment(tmp_path)["UNROLL_MIRROR"] == "https://example.org/data"
