"""What `unroll track` shows where nothing is built."""

import shutil

import pytest

from pipeline.tracking import store
from pipeline.workspace import Workspace
from stages.evaluate import evaluate
from tests.pipeline.tracking.conftest import alone
from tests.support import fake_runs
from tests.unroll.builds.test_workspaces import git
from unroll.mlflow_tools.tracking import track

__all__ = ["alone"]

PARAMS = """
sources: {waves: {kind: waves}}
datasets: {waves: {source: waves, preparation: {name: waves}}}
experiments:
  waves:
    gru:
      seeds: 2
      model: {family: recurrent, name: gru, units: 4}
      training: {method: keras, optimizer: adam, loss: mse, epochs: 20, batch_size: 8}
"""


@pytest.mark.usefixtures("alone")
def test_a_clone_shows_the_committed_results_with_the_committed_options(
    tmp_path, capsys
):
    workspace = Workspace(tmp_path)
    workspace.params.write_text(PARAMS, encoding="utf-8")
    fake_runs.fill(workspace)
    evaluate(workspace, "waves")
    for folder in ("runs", "data"):
        shutil.rmtree(tmp_path / folder)
    (tmp_path / "templates.yaml").write_text("{}")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "params.yaml", "templates.yaml")
    git(tmp_path, "commit", "--quiet", "-m", "results")
    edited = PARAMS.replace("units: 4", "units: 5")
    workspace.params.write_text(edited, encoding="utf-8")
    assert track(workspace).keys() == {"waves"}
    said = "1 experiments: 0 trained here (0 of them logged now), 1 with the committed figures alone"
    assert said in capsys.readouterr().out
    with store.opened(workspace) as opened:
        (run,) = opened.search("tags.committed = 'true'")
    assert run.info.run_name == "gru (committed)"
    assert run.data.params["model.units"] == "4"
