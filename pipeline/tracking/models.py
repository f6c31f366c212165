"""Logged models of MLflow: files of Unroll, and the name of the module that reads them.

A model holds none of our code: `mlflow.pyfunc.load_model` imports `LOADER` from the
installed package.
"""

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import pydantic

from pipeline.config.params import Experiment
from pipeline.data.dataset import Dataset, Scale
from pipeline.data.examples import Array
from pipeline.data.problem import Problem, problem
from pipeline.files import write_json
from pipeline.provenance import machine
from pipeline.report import titles
from pipeline.tracking import store
from pipeline.tracking.store import Store
from pipeline.training.recipe import recipe
from pipeline.training.run_folder import Run
from pipeline.validation import Strict

if TYPE_CHECKING:
    from mlflow.models import ModelSignature
    from mlflow.types import Schema

LOADER = "unroll.mlflow_tools.served"
"""The module that loads a model."""

DATA = "data/model"
"""The folder of Unroll's files in the folder of a model."""

SPEC = "experiment.json"
"""The file of an `ExperimentSpec`."""

WEIGHTS = "weights"
"""The name of an experiment's file of weights, without the suffix."""

CURE = "delete mlflow.db and mlartifacts, then run `unroll track`"
"""What mends a damaged model of an experiment."""

ALSO_NEEDED = (
    "holidays",
    "mlflow",
    "pydantic",
    "ruamel.yaml",
    "statsmodels",
    "threadpoolctl",
    "tzdata",
)
"""The packages that a model needs besides those in numerics.lock."""


PROBLEM = pydantic.TypeAdapter(Problem)
"""Reads a `Problem` from plain data."""


class ExperimentSpec(Strict):
    """The content of experiment.json.

    Attributes:
        name: the name of the experiment within its data set.
        experiment: its section of params.yaml.
        problem: the shapes of its inputs and outputs.
        scale: turns an output into the unit of the data.
    """

    name: str
    experiment: Experiment
    problem: Annotated[Problem, pydantic.BeforeValidator(PROBLEM.validate_python)]
    scale: Scale


@dataclass(frozen=True)
class Place:
    """What a model belongs to in MLflow.

    Attributes:
        group: the id of the MLflow experiment.
        run_id: the id of the MLflow run.
        name: the name of the model.
        options: the model's parameters in MLflow.
    """

    group: str
    run_id: str
    name: str
    options: Mapping[str, str]


def log_experiment(
    opened: Store,
    to: Place,
    experiment: Experiment,
    data: Dataset,
    run: Run,
    weights: Path,
) -> str | None:
    """Log the model of a run: the first seed, with the best weights on validation.

    A run of a method that leaves nothing that predicts gets no model.

    Args:
        opened: the store.
        to: what the model belongs to; its name is that of the experiment.
        experiment: its section of params.yaml.
        data: its data set.
        run: the run.
        weights: the folder of its weights.

    Returns:
        The id of the model; None without a model.
    """
    from mlflow.models import ModelSignature

    stem = f"seed_{run.summary.seeds[0]}_{run.points[-1]}"
    files = [*weights.glob(f"{stem}.*")]
    if not files or not predicts(to.name, experiment):
        return None
    spec = ExperimentSpec(
        name=to.name, experiment=experiment, problem=problem(data), scale=data.scale
    )
    inputs, targets = data.splits["test"].take(np.arange(1))
    # Sixteenths are short in JSON, and a binary fraction of any type.
    example = inputs if data.vocabulary else (inputs * 16).round() / 16
    signature = ModelSignature(schema(inputs), schema(targets.astype(np.float64)))
    words = (
        f"{titles.experiment(experiment)}, seed {run.summary.seeds[0]}, its "
        f"{run.points[-1]} weights. {_in_and_out(spec)}"
    )
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder, Path(DATA).name)
        own.mkdir()
        write_json(own / SPEC, spec.model_dump())
        for file in files:
            shutil.copyfile(file, own / file.name.replace(stem, WEIGHTS, 1))
        return log(opened, to, own, signature, example, words)


def predicts(name: str, experiment: Experiment) -> bool:
    """Return whether what an experiment's training leaves is enough to predict."""
    chosen = recipe(name, experiment)
    return chosen.network or chosen.read is not None


def _in_and_out(spec: ExperimentSpec) -> str:
    """Return what goes into a model and what comes out, in two sentences."""
    about = spec.problem
    shape = ", ".join(map(str, ("n", *about.input_shape)))
    inputs = f"as the data set {spec.experiment.dataset} is prepared"
    if about.vocabulary:
        inputs = f"word numbers below {about.vocabulary}, and 0 for padding"
    unit = f" in {spec.scale.unit}" if spec.scale.unit else ""
    outputs = spec.scale.quantity + unit
    if about.classify:
        outputs = "the probability of class 1"
    count = f"n, {about.outputs}" if about.outputs > 1 else "n"
    return f"In: ({shape}), {inputs}. Out: ({count}), {outputs}."


def schema(examples: Array) -> "Schema":
    """Return the type and the shape of any number of examples."""
    from mlflow.types import Schema, TensorSpec

    return Schema([TensorSpec(examples.dtype, (-1, *examples.shape[1:]))])


def log(
    opened: Store,
    to: Place,
    folder: Path,
    signature: "ModelSignature",
    example: object,
    description: str,
) -> str:
    """Log a model of a run, and return the model's id.

    Args:
        opened: the store.
        to: what the model belongs to.
        folder: the files that `LOADER` reads; its name is that of `DATA`.
        signature: the model's inputs and outputs.
        example: a request; None for no example.
        description: what goes in and what comes out.
    """
    from mlflow import pyfunc
    from mlflow.entities import LoggedModelOutput
    from mlflow.models import Model

    client = opened.client
    model = client.create_logged_model(
        to.group, to.name, to.run_id, {store.NOTE: description}, dict(to.options)
    )
    pins = machine.installed([*machine.locked(), *ALSO_NEEDED])
    with tempfile.TemporaryDirectory() as scratch:
        path = str(Path(scratch, "model"))
        pyfunc.save_model(
            path,
            loader_module=LOADER,
            data_path=str(folder),
            mlflow_model=Model(
                run_id=to.run_id, model_uuid=model.model_id, model_id=model.model_id
            ),
            signature=signature,
            input_example=example,
            pip_requirements=[f"{each}=={version}" for each, version in pins.items()],
        )
        client.log_model_artifacts(model.model_id, path)
    client.finalize_logged_model(model.model_id, "READY")
    client.log_outputs(to.run_id, [LoggedModelOutput(model.model_id, 0)])
    return model.model_id
