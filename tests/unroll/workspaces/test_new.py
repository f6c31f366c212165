"""A project of one's own, as DVC and git see it; tests/test_wheel.py builds in one."""

import pytest
from dvc.repo import Repo

from pipeline.config import params, plain_yaml
from pipeline.errors import UsageError
from unroll import repro
from unroll.workspaces.new import new, without_code


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("projects") / "mine"
    new(folder, documents=False)
    return folder


def test_each_series_is_a_stage_that_depends_on_its_file_and_on_the_version(project):
    series = {
        "meter": {"file": "meter.csv"},
        "shop": {"file": "data/shop.csv", "minutes": 2.0},
    }
    plain_yaml.write({"series": series}, project / "params.yaml")
    with Repo(str(project)) as repo:
        stages = {stage.name: stage for stage in repo.index.stages}
    known = repro.stages(params.load(project / "params.yaml"))
    assert {*stages} == {*known} - {repro.REPORT} == {"answer@meter", "answer@shop"}
    stage = stages["answer@shop"]
    assert stage.cmd == "exec unroll answer shop"
    assert {dep.def_path for dep in stage.deps} == {
        "data/shop.csv",
        "version.txt",
        "params.yaml",
    }
    assert [out.def_path for out in stage.outs] == ["answers/shop"]


def test_the_readme_and_the_workflow_are_about_ones_own_series(project):
    readme = (project / "README.md").read_text(encoding="utf-8")
    assert "unroll add meter.csv" in readme
    assert "unroll_extensions" not in readme
    assert "{%" not in readme
    workflow = plain_yaml.read(project / ".github" / "workflows" / "results.yml")
    assert [*workflow["jobs"]] == ["verify"]
    with pytest.raises(UsageError, match="exists and is not empty; name a new folder"):
        new(project, documents=False)


def test_a_graph_without_code_depends_on_the_version_in_its_place():
    graph = "  deps:\n    - ${item.file}\n    - pipeline\n    - series\n    - unroll/answers\n    - stages/train.py\n"
    expected = (
        "  deps:\n    - version.txt\n    - unroll_extensions\n    - ${item.file}\n"
    )
    assert without_code(graph) == expected
