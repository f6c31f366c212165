import os
import re
import shutil

import pytest

from pipeline.config import params, plain_yaml
from pipeline.config.params import complete
from pipeline.workspace import Workspace
from stages.evaluate import evaluate
from stages.report import report
from tests.support import REPOSITORY, fake_runs
from tests.unroll.workspaces.test_checkout import git
from unroll import demo
from unroll.workspaces import make


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A repository with one data set."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/records.db")
    root = tmp_path / "repository"
    for name in (*make.COPIED, ".gitignore"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REPOSITORY / name, root / name)
    for name in make.PACKAGES:
        (root / name).symlink_to(REPOSITORY / name)
    real = complete(plain_yaml.read(REPOSITORY / "params.yaml"))
    plain_yaml.write(make.without(real, {*real["datasets"]} - {"waves"}), root / "params.yaml")
    (root / "claims.yaml").write_text("[]\n")
    return root


def test_what_was_built_is_shown_and_lies_in_a_workspace_of_its_own(root, capsys, monkeypatch):
    def repro(workspace, _targets, _jobs, *, narration, first):
        """The build has tests of its own."""
        assert first == ["waves"]
        assert narration.running("train@waves_last_value") == "the last value for the next value of noisy waves"
        assert narration.running("evaluate@waves") == ""
        assert "MLFLOW_TRACKING_URI" not in os.environ, "the demo does not belong in the user's records"
        evaluate(fake_runs.fill(workspace), "waves")
        report(workspace)
        return 0

    monkeypatch.setattr(demo, "repro", repro)
    before = sorted(path.name for path in root.iterdir())
    assert demo.demo(Workspace(root), 2) == 0
    output = capsys.readouterr().out
    page = root / ".demo/results/index.html"
    assert output.startswith("6 experiments, 3 seeds each, 2 at a time, offline, all in .demo/.")
    assert re.search(r"\nThe demo took [0-9]+ s\.\n", output)
    assert re.search(rf"The page +{re.escape(str(page))}\n", output)
    assert re.search(r"MLflow +make ui ROOT=\S+\.demo\n", output)
    assert re.search(r"^waves +scaled down ", output, re.MULTILINE)
    assert "waves" in page.read_text(encoding="utf-8")
    assert sorted(path.name for path in root.iterdir()) == sorted([".demo", *before]), "all is in the demo's workspace"
    assert git(root / ".demo", "log", "--format=%s").split("\n") == ["what was built", "what is asked"]
    assert git(root / ".demo", "status", "--porcelain") == ""


def test_an_answer_is_said_as_soon_as_it_is_there(evaluated):
    story = demo.Story(evaluated, params.load(evaluated.params))
    line = story.ended("evaluate@waves")
    assert re.fullmatch(r"  ((so far )?(yes|no)|no difference|cannot tell) +the next value of noisy waves: .+", line)
    assert story.ended("evaluate@sine_extrapolation").startswith("  not asked     sin x from x, beyond what was seen: ")
    assert story.ended("train@waves_node") == story.running("report") == ""
    assert story.running("train@sine_windows_lstm").endswith(" for the next value of a sine")
    short = evaluated.scratch / "short.txt"
    short.write_text("waves\n")
    try:
        assert story.ended("evaluate@waves").startswith("  scaled down   the next value of noisy waves: ")
    finally:
        short.unlink()
