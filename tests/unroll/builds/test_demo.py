import json
import os
import re
import shutil

import pytest

from pipeline.config import params, plain_yaml
from pipeline.errors import UnrollError, UsageError
from pipeline.evaluation import schema, verdicts
from pipeline.evaluation.verdicts import answer
from pipeline.locks import alone
from pipeline.workspace import Workspace
from stages.evaluate import evaluate
from stages.report import report
from tests.support import REPOSITORY, fake_runs
from tests.unroll.builds.test_workspaces import git
from unroll.builds import demo


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A repository with one data set."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/records.db")
    root = tmp_path / "repository"
    real = plain_yaml.read(REPOSITORY / "params.yaml")
    waves = demo.without(real, {*real["datasets"]} - {"waves"})
    demo.with_documents(REPOSITORY, root, waves)
    shutil.copyfile(REPOSITORY / ".gitignore", root / ".gitignore")
    (root / "claims.yaml").write_text("[]\n")
    return root


@pytest.fixture
def build(monkeypatch):
    """In place of a build, which has tests of its own: runs with random predictions."""

    def repro(workspace, *, jobs, quiet):
        assert (jobs, quiet) == (2, True)
        assert "MLFLOW_TRACKING_URI" not in os.environ, (
            "the demo does not belong in the user's records"
        )
        evaluate(fake_runs.fill(workspace), "waves")
        report(workspace)
        return 0

    monkeypatch.setattr(demo, "repro", repro)


@pytest.mark.usefixtures("build")
def test_what_was_built_is_shown_and_lies_in_a_workspace_of_its_own(root, capsys):
    before = sorted(path.name for path in root.iterdir())
    assert demo.demo(Workspace(root), 2) == 0
    output = capsys.readouterr().out
    page = root / "results/index.html"
    assert output.startswith(
        "5 experiments, a seed each, 2 at a time, offline, all in .demo/."
    )
    assert re.search(r"\nThe demo took [0-9]+ s\.\n", output)
    assert re.search(rf"The page +{re.escape(str(page))}\n", output)
    assert re.search(r"MLflow +\S+unroll --root \S+\.demo ui\n", output)
    assert (
        "0 of their test errors equal the committed ones to the last digit." in output
    ), "nothing is committed here"
    assert sorted(path.name for path in root.iterdir()) == sorted([".demo", *before]), (
        "all is in the demo's workspace"
    )
    assert git(root / ".demo", "log", "--format=%s").split("\n") == [
        "what was built",
        "what is asked",
    ]
    assert git(root / ".demo", "status", "--porcelain") == ""
    commit = git(root / ".demo", "rev-parse", "HEAD")
    demo.commit(root, root / ".demo", "again")
    assert git(root / ".demo", "rev-parse", "HEAD") == commit, "nothing has changed"


@pytest.mark.usefixtures("build")
def test_answers_are_the_whole_build_s_and_what_differs_from_it_is_named(root, capsys):
    demo.demo(Workspace(root), 2)
    shutil.copytree(root / ".demo/results", root / "results")
    file = root / "results/evaluations/waves/evaluation.json"
    whole = json.loads(file.read_text(encoding="utf-8"))
    whole["experiments"]["rnn6"]["best"]["test"]["mse"]["values"][0] *= 1 + 1e-15
    file.write_text(json.dumps(whole), encoding="utf-8")
    verdicts.write(Workspace(root), params.load(root / "params.yaml"))
    shutil.rmtree(root / ".demo")
    capsys.readouterr()
    demo.demo(Workspace(root), 2)
    output = capsys.readouterr().out
    verdict = answer(schema.load(file.parent))
    assert re.search(rf"^waves +untuned +{verdict.outcome} ", output, re.MULTILINE)
    assert (
        "4 of their test errors equal the committed ones to the last digit; waves/rnn6 not: either params.yaml "
        "was edited, or" in output
    )


def test_a_demo_leaves_the_code_of_another_that_still_runs_as_it_is(root):
    busy = alone(Workspace(root / ".demo").scratch / "command.lock", "")
    with busy, pytest.raises(UnrollError, match="another `unroll demo` works in"):
        demo.demo(Workspace(root), 2)
    assert not (root / ".demo" / "params.yaml").exists()


def test_a_demo_is_not_made_within_a_demo(root):
    inside = root / ".demo"
    with pytest.raises(UsageError, match="is the demo itself; run `unroll demo` one"):
        demo.demo(Workspace(inside), 2)
    assert not inside.exists()


def test_a_project_without_a_data_set_of_the_demo_has_none(tmp_path):
    plain_yaml.write({"sources": {}, "datasets": {}}, tmp_path / "params.yaml")
    with pytest.raises(UsageError, match="none of the demo's data sets"):
        demo.chosen(tmp_path, tmp_path / ".demo")
