"""The model of a logged run: MLflow loads it, and it predicts what the run predicted."""

import json
from pathlib import Path

import mlflow
import numpy as np
import pytest
from mlflow.models import Model

from pipeline.config import params
from pipeline.config.params import Experiment
from pipeline.data import dataset as datasets
from pipeline.data.dataset import Dataset, Scale
from pipeline.data.examples import Arrays
from pipeline.files import hashes_of, sha256
from pipeline.provenance import fingerprint
from pipeline.tracking import runs, store
from pipeline.training import run_folder
from pipeline.training.recipe import recipe
from pipeline.workspace import Workspace

LAST = {
    "dataset": "steps",
    "model": {"family": "baselines", "name": "last_value"},
    "training": {"method": "none"},
}
LINEAR = LAST | {
    "model": {"family": "baselines", "name": "linear"},
    "training": {"method": "least_squares"},
}
NODE = {
    "dataset": "next",
    "seeds": [7, 0],
    "model": {"family": "recurrent", "name": "simple_rnn", "units": 1, "head": False},
    "training": {"method": "by_hand", "learning_rate": 0.01, "epochs": 3},
}
KERNELS = LAST | {
    "dataset": "next",
    "model": {"family": "baselines", "name": "linear"},
    "training": {"method": "kernel_ridge"},
}


def data(name):
    """A value after each window, in °C; or, without a unit, one at each timestep."""
    series = np.sin(np.arange(300) / 3).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(series, 9)
    targets = windows[:, -1] if name == "next" else windows[:, 1:]
    inputs = windows[:, :-1, None]
    splits = {
        "train": Arrays(inputs[:100], targets[:100]),
        "validation": Arrays(inputs[100:200], targets[100:200]),
        "test": Arrays(inputs[200:], targets[200:]),
    }
    if name == "steps":
        return Dataset(name, "forecast", "mse", splits, each_step=True)
    scale = Scale(mean=8.0, std=2.0, unit="°C", quantity="temperature")
    return Dataset(name, "forecast", "mse", splits, scale=scale)


@pytest.fixture(scope="module")
def workspace(alone, tmp_path_factory):  # noqa: ARG001 - the user's store is out of reach by then
    workspace = Workspace(tmp_path_factory.mktemp("models"))
    for name in ("next", "steps"):
        datasets.save(data(name), workspace.prepared(name))
    return workspace


def log(workspace, name, section):
    """Train an experiment in the scratch folder, log it, and return its MLflow run."""
    experiment = Experiment.model_validate(section)
    trainer = recipe(params.own_name(name), experiment)
    prepared = workspace.prepared(experiment.dataset)
    job = trainer.job(datasets.load(prepared))
    folder = workspace.scratch / name
    folder.mkdir(parents=True)
    made_of = fingerprint.Ingredients(
        experiment.model_dump(), hashes_of(prepared), {}, "lock"
    )
    run_folder.save(trainer.train(job), job, folder, made_of.fingerprint)
    record = folder.with_suffix(".json")
    run = run_folder.load(folder)
    found = runs.RunOnDisk(name, experiment, folder, record, run, job.dataset)
    with store.opened(workspace) as opened:
        return runs.log(opened, found)


def model_of(workspace, run):
    with store.opened(workspace) as opened:
        (output,) = opened.client.get_run(run.info.run_id).outputs.model_outputs
        return opened.client.get_logged_model(output.model_id)


@pytest.mark.parametrize(
    ("name", "section"),
    [
        ("steps/last", LAST),
        ("steps/linear", LINEAR),
        ("next/node", NODE),
        ("next/kernels", KERNELS),
    ],
)
def test_a_model_predicts_what_its_run_did_in_the_unit_of_the_data(
    workspace, name, section
):
    model = model_of(workspace, log(workspace, name, section))
    folder = workspace.scratch / name
    run = run_folder.load(folder)
    about = data(section["dataset"])
    stored = run.predictions[f"{run.points[-1]}_test"][0].astype(np.float64)
    loaded = mlflow.pyfunc.load_model(model.artifact_location)
    inputs = about.splits["test"].inputs
    expected = stored * about.scale.std + about.scale.mean
    np.testing.assert_allclose(loaded.predict(inputs), expected, rtol=0, atol=1e-6)
    assert loaded.predict(loaded.input_example).shape == expected[:1].shape
    files = Path(model.artifact_location.removeprefix("file://"))
    weights = sorted((files / "data" / "model").glob("weights.*"))
    seed = section.get("seeds", [0])[0]
    originals = sorted(folder.glob(f"weights/seed_{seed}_{run.points[-1]}.*"))
    assert [*map(sha256, weights)] == [*map(sha256, originals)]
    sizes = [file.stat().st_size for file in files.rglob("*") if file.is_file()]
    assert sum(sizes) < sum(file.stat().st_size for file in weights) + 6000
    assert not (files / "code").exists()
    assert "numpy==" in (files / "requirements.txt").read_text()


def test_a_run_has_its_data_set_a_description_and_a_signature(workspace):
    run = log(workspace, "next/node_again", NODE)
    (logged,) = run.inputs.dataset_inputs
    assert logged.dataset.name == "next"
    files = hashes_of(workspace.prepared("next"))
    made_of = fingerprint.Ingredients({}, files, {}, "lock")
    assert logged.dataset.digest == made_of.fingerprint["data"][:8]
    assert json.loads(logged.dataset.profile) == {
        "train": 100,
        "validation": 100,
        "test": 92,
    }
    assert mlflow.data.get_source(logged.dataset).uri == "data/prepared/next"
    note = run.data.tags["mlflow.note.content"]
    error = f"MSE on test: {run.data.metrics['mse']:.4g}, and MAE"
    assert note.startswith("SimpleRNN(1), no output layer, by hand, rate 0.01, trained")
    assert error in note
    assert "003" not in note
    model = model_of(workspace, run)
    words = (
        "In: (n, 8, 1), as the data set next is prepared. Out: (n), temperature in °C."
    )
    assert model.tags["mlflow.note.content"].endswith(words)
    assert model.params == run.data.params
    assert {metric.key for metric in model.metrics} >= {"mse", "validation_mae"}
    files = model.artifact_location.removeprefix("file://")
    (inputs,) = Model.load(files).signature.inputs.inputs
    assert (inputs.shape, inputs.type) == ((-1, 8, 1), np.dtype(np.float32))
