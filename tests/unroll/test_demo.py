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
    """A repository with a download that has a stand-in, and one that has none."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/records.db")
    root = tmp_path / "repository"
    for name in (*make.COPIED, ".gitignore"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REPOSITORY / name, root / name)
    for name in make.PACKAGES:
        (root / name).symlink_to(REPOSITORY / name)
    real = complete(plain_yaml.read(REPOSITORY / "params.yaml"))
    model = {"model": {"family": "baselines", "name": "last_value"}, "training": {"method": "none"}}
    data = {
        "sources": {"weather": real["sources"]["weather"], "far": {"kind": "download", "files": {"far.csv": "0" * 64}}},
        "datasets": {name: real["datasets"]["weather"] | {"source": name} for name in ("weather", "far")},
        "experiments": {f"{name}_last_value": {"dataset": name, **model} for name in ("weather", "far")},
    }
    plain_yaml.write(data, root / "params.yaml")
    (root / "claims.yaml").write_text("[]\n")
    return root


def test_a_download_is_stood_in_for_and_everything_is_shown(root, capsys, monkeypatch):
    def repro(workspace, _targets, _jobs, *, narration, first):
        """The build has tests of its own."""
        assert first == ["weather"]
        assert narration.running("train@weather_last_value") == "the last value for weather"
        assert narration.running("evaluate@weather") == ""
        assert "MLFLOW_TRACKING_URI" not in os.environ, "a stand-in does not belong in the user's records"
        evaluate(fake_runs.fill(workspace), "weather")
        report(workspace)
        return 0

    monkeypatch.setattr(demo, "repro", repro)
    before = sorted(path.name for path in root.iterdir())
    assert demo.demo(Workspace(root), 2, everything=True) == 0
    output = capsys.readouterr().out
    page = root / ".demo/results/index.html"
    assert output.startswith("1 experiments, on stand-ins, small, 2 at a time, offline, all in .demo/.")
    assert re.search(r"\nThe demo took [0-9]+ s\.\n", output)
    assert re.search(rf"The page +{re.escape(str(page))}\n", output)
    assert re.search(r"MLflow +make ui ROOT=\S+\.demo\n", output)
    (line,) = re.findall(r"^weather \(stand-in\) .*", output, re.MULTILINE)
    assert "not asked" in line
    assert "they are no results" in output
    assert "stand-in" in page.read_text(encoding="utf-8")
    assert sorted(path.name for path in root.iterdir()) == sorted([".demo", *before]), "all is in the demo's workspace"
    assert git(root / ".demo", "log", "--format=%s").split("\n") == ["what was found", "what is asked"]
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


def test_what_is_chosen_has_few_seeds_and_no_figure_is_judged_by_a_shorter_training(tmp_path):
    workspace = make.chosen(REPOSITORY, tmp_path)
    few, whole = (complete(plain_yaml.read(root / "params.yaml")) for root in (workspace.root, REPOSITORY))
    assert len(few["experiments"]) == sum(len(names.split()) for names in make.CHOSEN.values())
    assert {*few["datasets"]} == {*make.CHOSEN} == {*demo.QUESTIONS}
    assert {*few["sources"], *few["files"]} == {"sine", "waves", "sines", "jena_sample"}
    for name, section in few["experiments"].items():
        full = whole["experiments"][name]
        assert (section.get("seeds", 1), section["model"]) == (min(full.get("seeds", 1), 3), full["model"])
        assert section["training"] == full["training"] or name in make.EPOCHS
    claims = [claim for claim in plain_yaml.read(workspace.claims) if claim["metric"] != "parameters"]
    assert len(claims) > 100
    assert not {claim["experiment"] for claim in claims} & {*make.EPOCHS}
    assert (workspace.scratch / "short.txt").read_text(encoding="utf-8") == "waves"
