"""Training without DVC, records and MLflow, which take longer than a small model."""

from collections.abc import Callable
from functools import partial
from typing import Any

from pipeline.config import params
from pipeline.data import dataset
from pipeline.data.dataset import Dataset
from pipeline.data.problem import problem
from pipeline.provenance import fingerprint
from pipeline.training import run_folder
from pipeline.training.job import Job
from pipeline.training.recipe import recipe
from pipeline.workspace import Workspace


def train(workspace: Workspace, name: str) -> None:
    """Leave the run of an experiment, such as waves/gru, where it belongs."""
    experiment = params.load(workspace.params).experiment(name)
    name = params.own_name(name)
    prepared = workspace.prepared(experiment.dataset)
    made_of = fingerprint.ingredients(prepared, experiment)
    folder = workspace.run(experiment.dataset, name)
    folder.mkdir(parents=True)
    chosen = recipe(name, experiment)
    job = chosen.job(dataset.load(prepared, calendar=experiment.calendar))
    run_folder.save(chosen.train(job), job, folder, made_of.fingerprint)


def job(data: Dataset, build: Callable[..., Any], *seeds: int, **options: Any) -> Job:
    """The experiment `x`: a builder of `pipeline.models` with options, on a data set,
    with seed 0 or others."""
    return Job("x", data, partial(build, problem(data), **options), seeds or (0,))
