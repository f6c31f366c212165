"""A repository without the code, as git and DVC see it; tests/test_wheel.py makes one
from a wheel."""

import pytest

from pipeline.config import params, plain_yaml
from pipeline.errors import UsageError
from unroll import repro
from unroll.workspaces.new import new, without_code


def test_it_has_the_documents_graph_and_a_workflow(tmp_path):
    folder = tmp_path / "mine"
    names = new(folder)
    assert {"params.yaml", "dvc.yaml", "results", "requirements.txt"} < {*names}
    assert "train@waves" in repro.stages(params.load(folder / "params.yaml"))
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert readme.startswith("# mine\n")
    assert "{%" not in readme
    workflow = plain_yaml.read(folder / ".github" / "workflows" / "results.yml")
    assert [*workflow["jobs"]] == ["verify", "report"]
    assert (folder / "unroll_extensions" / "README.md").is_file()
    with pytest.raises(UsageError, match="exists and is not empty; name a new folder"):
        new(folder)


def test_a_graph_without_code_depends_on_the_version_in_its_place():
    graph = "  deps:\n    - ${item.path}\n    - pipeline\n    - stages/train.py\n"
    expected = (
        "  deps:\n    - version.txt\n    - unroll_extensions\n    - ${item.path}\n"
    )
    assert without_code(graph) == expected
