"""A trained network as an MLflow model, and the function that loads it."""

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline import numerics
from pipeline.config.params import Experiment
from pipeline.data.dataset import Dataset
from pipeline.data.problem import problem
from pipeline.files import read_json, write_json
from pipeline.training import keras_models
from pipeline.training.job import Predict
from pipeline.training.recipe import recipe
from pipeline.training.run_folder import Run

if TYPE_CHECKING:  # at run time MLflow would take an array's type hint as a schema
    from mlflow import MlflowClient

    from pipeline.data.examples import Array


class TrainedNetwork:
    """A trained network with the interface of `mlflow.pyfunc`."""

    def __init__(self, predict: Predict) -> None:
        self._predict = predict

    def predict(self, data: "Array", params: dict[str, Any] | None = None) -> "Array":  # noqa: ARG002 -- MLflow passes it
        """Return predictions (n, values) in model units.

        `data` are inputs (n, ...) as the data set has them.
        """
        return self._predict(np.asarray(data, np.float32))


def _load_pyfunc(path: str) -> TrainedNetwork:
    """Load the network from a folder that `log` has written. MLflow calls this."""
    numerics.settle()
    folder = Path(path)
    spec = read_json(folder / "network.json")
    experiment = Experiment.model_validate(spec["experiment"])
    weights = folder / Path(spec["weights"]).name
    trained = recipe(spec["name"], experiment)
    return TrainedNetwork(trained.load(spec["problem"], weights))


def log(
    client: "MlflowClient",
    group: str,
    run_id: str,
    folder: Path,
    data: Dataset,
    experiment: Experiment,
    run: Run,
) -> None:
    """Add the network of a run's first seed to its MLflow run, if the run has one.

    The weights are those that the scores belong to. `mlflow.pyfunc.load_model` loads
    the network if this package is installed. MLflow's own function is not used: it
    takes seconds for each network to find the packages that it needs.

    Args:
        client: MLflow's client.
        group: the id of the MLflow experiment.
        run_id: the id of the MLflow run.
        folder: the run folder.
        data: the data set of the run.
        experiment: the experiment, as in params.yaml.
        run: the content of the run folder.
    """
    from mlflow.entities import LoggedModelOutput
    from mlflow.models import Model, ModelSignature
    from mlflow.types import Schema, TensorSpec

    weights = f"seed_{run.summary.seeds[0]}_{run.points[-1]}"
    file = folder / "weights" / f"{weights}{keras_models.SUFFIX}"
    if not file.exists() or not run.predictions:
        return
    name = run.summary.experiment
    example = data.splits["test"].take(np.arange(2))[0].astype(np.float32)
    built_for = problem(data)
    inputs = TensorSpec(example.dtype, (-1, *example.shape[1:]))
    outputs = TensorSpec(example.dtype, (-1, built_for.outputs))
    created = client.create_logged_model(group, name, run_id, model_type="network")
    model = Model(
        run_id=run_id,
        model_id=created.model_id,
        model_uuid=created.model_id,
        signature=ModelSignature(Schema([inputs]), Schema([outputs])),
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
        scratch = Path(temporary)
        (scratch / "network").mkdir()
        (scratch / "network" / file.name).symlink_to(file.resolve())
        write_json(scratch / "network" / "network.json", spec)
        write_json(scratch / "input_example.json", example.tolist())
        model.save(scratch / "MLmodel")
        client.log_model_artifacts(created.model_id, temporary)
    client.finalize_logged_model(created.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(created.model_id, 0)])
