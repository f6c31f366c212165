"""Training without DVC, records and MLflow, which take longer than a small model."""

from collections.abc import Callable
from functools import partial
from typing import Any

from pipeline.config import params
from pipeline.data import dataset
from pipeline.data.dataset import Dataset
from pipeline.data.problem import problem
from pipeline.training import run_folder
from pipeline.training.job import Job
from pipeline.training.recipe import recipe
from pipeline.workspace import Workspace


def train(workspace: Workspace, name: str) -> None:
    """Leave the run of an experiment, such as waves/gru, where it belongs."""
    experiment = params.load(workspace.params).experiment(name)
    name = params.own_name(name)
    folder = workspace.run(experiment.dataset, name)
    data = dataset.load(
        workspace.prepared(experiment.dataset), calendar=experiment.calendar
    )
    folder.mkdir(parents=True)
    chosen = recipe(name, experiment)
    job = chosen.job(data)
    run_folder.save(chosen.train(job), job, folder, {})


def job(data: Dataset, build: Callable[..., Any], *seeds: int, **options: Any) -> Job:
    """The experiment `x`: a builder of `pipeline.models` with options, on a data set,
    with seed 0 or others."""
    return Job("x", data, partial(build, problem(data), **options), seeds or (0,))
