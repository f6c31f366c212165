import pytest

from pipeline.errors import UnrollError
from pipeline.files import write_text
from pipeline.workspace import Workspace
from unroll.results import track as stage

PARAMS = """
sources: {sine: {kind: sine}}
datasets: {sine: {source: sine, preparation: {name: sine_points}}}
experiments:
  zero: {dataset: sine, seeds: [0], model: {family: baselines, name: constant}, training: {method: none}}
"""


@pytest.fixture
def workspace(tmp_path):
    write_text(tmp_path / "params.yaml", PARAMS)
    return Workspace(tmp_path)


def test_there_must_be_something_to_show(workspace, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(UnrollError, match="nothing is built here; `unroll demo`"):
        stage.ui(workspace, 5000)
