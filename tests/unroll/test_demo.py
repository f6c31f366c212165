import os
import re
import shutil

import pytest

from pipeline.config import plain_yaml
from pipeline.config.templates import complete
from pipeline.workspace import Workspace
from stages.evaluate import evaluate
from stages.report import report
from tests.support import REPOSITORY, fake_runs
from unroll import demo
from unroll.workspaces import scaled


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A repository with a download that has a stand-in, and one that has none."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/records.db")
    root = tmp_path / "repository"
    for name in scaled.COPIED:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REPOSITORY / name, root / name)
    for name in scaled.LINKED:
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
    def repro(workspace, _targets, _jobs, *, brief):
        """The build has tests of its own."""
        assert brief
        assert "MLFLOW_TRACKING_URI" not in os.environ, "a stand-in does not belong in the user's records"
        evaluate(fake_runs.fill(workspace), "weather")
        report(workspace)
        return 0

    monkeypatch.setattr(demo, "repro", repro)
    before = sorted(path.name for path in root.iterdir())
    assert demo.demo(Workspace(root), 2) == 0
    output = capsys.readouterr().out
    page = root / ".demo/results/index.html"
    assert output.startswith("The whole pipeline, small: 1 experiments on generated data, offline, 2 stages at a time.")
    assert re.search(r"\nThe demo took [0-9]+ s: 1 experiments, 1 data sets\.\n", output)
    assert re.search(rf"The page +{re.escape(str(page))}\n", output)
    assert re.search(r"MLflow +make ui ROOT=\S+\.demo\n", output)
    (line,) = re.findall(r"^weather \(stand-in\) .*", output, re.MULTILINE)
    assert "weather_last_value" in line
    assert "left out, since their download has no stand-in: far_last_value\n" in output
    assert "weather_last_value" in output
    assert "they are no results" in output
    assert "stand-in" in page.read_text(encoding="utf-8")
    assert sorted(path.name for path in root.iterdir()) == sorted([".demo", *before]), "all is in the demo's workspace"
