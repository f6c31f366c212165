"""A network that was trained, loaded again by MLflow alone."""

import mlflow
import numpy as np
import pytest

from pipeline.data import dataset
from pipeline.tracking import store
from pipeline.training import run_folder
from pipeline.workspace import Workspace
from stages.prepare import prepare
from stages.source import source
from stages.train import train

PARAMS = """
sources: {sines: {kind: sines, seed: 0}}
datasets: {waves: {source: sines, preparation: {name: shapes, shape: sequence_to_vector}}}
experiments:
  gru:
    dataset: waves
    seeds: [3]
    model: {family: recurrent, name: gru, units: 2}
    training: {method: gradient_descent, optimizer: adam, loss: mse, epochs: 1, batch_size: 512}
"""


@pytest.mark.usefixtures("alone")
@pytest.mark.filterwarnings("ignore:.*AnyType:UserWarning")  # of MLflow's own classes
def test_a_recorded_network_has_a_signature_and_an_example_and_predicts_what_was_scored(tmp_path, monkeypatch):
    workspace = Workspace(tmp_path)
    workspace.params.write_text(PARAMS, encoding="utf-8")
    source(workspace, "sines")
    prepare(workspace, "waves")
    train(workspace, "gru")
    opened = store.connect(workspace)
    group = opened.client.get_experiment_by_name("waves")
    (run,) = opened.search("", group.experiment_id)
    (output,) = run.outputs.model_outputs
    monkeypatch.setenv("MLFLOW_TRACKING_URI", opened.uri)
    address = f"models:/{output.model_id}"
    model = mlflow.pyfunc.load_model(address)
    example = model.metadata.load_input_example(address)
    test = dataset.load(workspace.prepared("waves")).splits["test"]
    assert example.tolist() == test.inputs[: len(example)].astype(np.float32).tolist()
    assert model.metadata.signature.inputs.inputs[0].shape == (-1, *test.input_shape)
    predicted = run_folder.load(workspace.run("waves", "gru")).predictions["final_test"][0]
    assert model.predict(example) == pytest.approx(predicted[: len(example)], abs=1e-5)
