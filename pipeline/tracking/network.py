"""A trained network as an MLflow model: what it takes and gives, an example of it, and the function that loads it."""

import functools
import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline import numerics
from pipeline.config.params import Experiment
from pipeline.data import dataset as datasets
from pipeline.data.dataset import Dataset
from pipeline.data.problem import problem
from pipeline.files import read_checked, write_json
from pipeline.forecast import models
from pipeline.tracking.runs import Runs
from pipeline.training import keras_models
from pipeline.training.run_folder import Run
from pipeline.validation import Strict

if TYPE_CHECKING:  # at run time MLflow would take the hint of an array for a schema
    from pipeline.data.examples import Array


class Spec(Strict):
    """What network.json holds: a network, and which weights it has.

    Attributes:
        name: of the experiment.
        experiment: its section of params.yaml.
        problem: what it was built for (`Problem`).
        weights: the file, without its suffix.
    """

    name: str
    experiment: Experiment
    problem: dict[str, Any]
    weights: str


class Network:
    """The model, as `mlflow.pyfunc` calls it."""

    def __init__(self, predict: models.Predict) -> None:
        self._predict = predict

    def predict(self, data: "Array", params: dict[str, Any] | None = None) -> "Array":  # noqa: ARG002 -- MLflow passes it
        """Inputs (n, ...) as the data set has them -> predictions (n, values), in model units."""
        return self._predict(np.asarray(data, np.float32))


def _load_pyfunc(path: str) -> Network:
    """What MLflow calls with the folder of network.json."""
    numerics.settle()
    spec = read_checked(Path(path) / "network.json", Spec)
    return Network(models.load(spec.name, spec.experiment, spec.problem, Path(path) / spec.weights))


def log(live: Runs, name: str, experiment: Experiment, prepared: Path, run: Run, folder: Path) -> None:
    """Add the first replicate's network, with the weights that its scores are of, to a run; nothing without a network.

    `mlflow.pyfunc.load_model` loads it where this package is installed. Written by hand: MLflow's own function takes
    seconds for each, to find out what a network needs.
    """
    from mlflow.entities import LoggedModelOutput
    from mlflow.models import Model, ModelSignature
    from mlflow.types import Schema, TensorSpec

    weights = f"seed_{run.summary.seeds[0]}_{run.points[-1]}"
    file = folder / "weights" / f"{weights}{keras_models.SUFFIX}"
    if not file.exists() or not run.predictions:
        return
    data = _data(prepared, experiment.calendar)
    inputs = data.splits["test"].take(np.arange(2))[0].astype(np.float32)  # as examples
    asked, single = problem(data), np.dtype("float32")
    client, run_id = live.store.client, live.run()
    made = client.create_logged_model(live.group, name, run_id, model_type="network")
    example = {"artifact_path": "input_example.json", "serving_input_path": "serving_input_example.json"}
    kept = {"artifact_path": inputs.tolist(), "serving_input_path": {"inputs": inputs.tolist()}}
    about = Model(
        run_id=run_id,
        model_id=made.model_id,
        model_uuid=made.model_id,
        signature=ModelSignature(
            Schema([TensorSpec(single, (-1, *inputs.shape[1:]))]), Schema([TensorSpec(single, (-1, asked.outputs))])
        ),
        saved_input_example_info=example | {"type": "ndarray", "format": "tf-serving"},
    ).add_flavor("python_function", loader_module=__name__, data="network")
    spec = Spec(name=name, experiment=experiment, problem=asdict(asked), weights=weights)
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        (root / "network").mkdir()
        (root / "network" / file.name).symlink_to(file.resolve())
        write_json(root / "network" / "network.json", spec.model_dump())
        for key, values in kept.items():
            (root / example[key]).write_text(json.dumps(values), encoding="utf-8")
        about.save(root / "MLmodel")
        client.log_model_artifacts(made.model_id, str(root))
    client.finalize_logged_model(made.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(made.model_id, 0)])


@functools.lru_cache(maxsize=1)
def _data(prepared: Path, calendar: bool) -> Dataset:
    return datasets.load(prepared, calendar=calendar)
