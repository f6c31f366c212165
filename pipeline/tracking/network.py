"""A trained network as an MLflow model: what it takes and gives, an example of it, and
the function that loads it.
"""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline import numerics
from pipeline.config.params import Experiment
from pipeline.data import dataset
from pipeline.data.problem import problem
from pipeline.files import read_checked, write_json
from pipeline.training import fitted_models, keras_models
from pipeline.training.run_folder import Run
from pipeline.validation import Strict
from pipeline.workspace import Workspace

if TYPE_CHECKING:  # at run time MLflow would take the hint of an array for a schema
    from mlflow import MlflowClient

    from pipeline.data.examples import Array


class Spec(Strict):
    """What network.json holds: an experiment, its `Problem` as plain data, and the file
    of weights without suffix.
    """

    name: str
    experiment: Experiment
    problem: dict[str, Any]
    weights: str


class TrainedNetwork:
    """The model, as `mlflow.pyfunc` calls it."""

    def __init__(self, predict: fitted_models.Predict) -> None:
        self._predict = predict

    def predict(self, data: "Array", params: dict[str, Any] | None = None) -> "Array":  # noqa: ARG002 -- MLflow passes it
        """Inputs (n, ...) as the data set has them -> predictions (n, values), in model
        units.
        """
        return self._predict(np.asarray(data, np.float32))


def _load_pyfunc(path: str) -> TrainedNetwork:
    """What MLflow calls with the folder of network.json."""
    numerics.settle()
    spec = read_checked(Path(path) / "network.json", Spec)
    weights = Path(path) / Path(spec.weights).name
    return TrainedNetwork(
        fitted_models.load(spec.name, spec.experiment, spec.problem, weights)
    )


def log(
    client: "MlflowClient",
    group: str,
    run_id: str,
    workspace: Workspace,
    experiment: Experiment,
    run: Run,
) -> None:
    """Add the first replicate's network, with the weights that its scores are of, to a
    run; nothing without a network.

    `mlflow.pyfunc.load_model` loads it where this package is installed. Written by
    hand: MLflow's own function takes seconds for each, to find out what a network
    needs.
    """
    from mlflow.entities import LoggedModelOutput
    from mlflow.models import Model, ModelSignature
    from mlflow.types import Schema, TensorSpec

    weights = f"seed_{run.summary.seeds[0]}_{run.points[-1]}"
    name = run.summary.experiment
    about = run.summary.dataset
    file = workspace.run(about, name) / "weights" / f"{weights}{keras_models.SUFFIX}"
    if not file.exists() or not run.predictions:
        return
    data = dataset.load(workspace.prepared(about), calendar=experiment.calendar)
    example = data.splits["test"].take(np.arange(2))[0].astype(np.float32)
    built_for = problem(data)
    shapes = (-1, *example.shape[1:]), (-1, built_for.outputs)
    inputs, outputs = (Schema([TensorSpec(example.dtype, shape)]) for shape in shapes)
    created = client.create_logged_model(group, name, run_id, model_type="network")
    model = Model(
        run_id=run_id,
        model_id=created.model_id,
        model_uuid=created.model_id,
        signature=ModelSignature(inputs, outputs),
        saved_input_example_info={
            "artifact_path": "input_example.json",
            "type": "ndarray",
            "format": "tf-serving",
        },
    ).add_flavor("python_function", loader_module=__name__, data="network")
    spec = {
        "name": name,
        "experiment": experiment.model_dump(),
        "problem": asdict(built_for),
        "weights": weights,
    }
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "network"
        folder.mkdir()
        (folder / file.name).symlink_to(file.resolve())
        write_json(folder / "network.json", spec)
        (folder.parent / "input_example.json").write_text(
            json.dumps(example.tolist()), encoding="utf-8"
        )
        model.save(folder.parent / "MLmodel")
        client.log_model_artifacts(created.model_id, temporary)
    client.finalize_logged_model(created.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(created.model_id, 0)])
