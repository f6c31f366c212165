import pytest

from pipeline.errors import UnrollError
from pipeline.workspace import Workspace
from unroll.verify import isolated_build


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
    found = isolated_build.variables_of(tmp_path / "fresh")
    assert "the user's" not in found.values()
    assert found["PYTHONPATH"] == f"{tmp_path}/fresh:/theirs"
    assert found["UNROLL_MIRROR"] == str(tmp_path / "data"), "it is meant from here"
    monkeypatch.setenv("UNROLL_MIRROR", "https://example.org/data")
    assert isolated_build.variables_of(tmp_path)["UNROLL_MIRROR"] == "https://example.org/data"
