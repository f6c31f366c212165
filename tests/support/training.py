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
from stages.backtest import backtest
from stages.evaluate import evaluate
from stages.prepare import prepare
from stages.refit import refit
from stages.source import source


def train(workspace: Workspace, name: str) -> None:
    """Leave the run of an experiment where it belongs."""
    experiment = params.load(workspace.params).experiment(name)
    folder, chosen = workspace.run(experiment.dataset, name), recipe(name, experiment)
    folder.mkdir(parents=True)
    job = chosen.job(dataset.load(workspace.prepared(experiment.dataset), calendar=experiment.calendar))
    run_folder.save(chosen.train(job), job, folder, {})


def forecast(workspace: Workspace, name: str) -> None:
    """All stages of a series of one's own, with the experiments that its params.yaml has."""
    source(workspace, name)
    prepare(workspace, name)
    for each in params.load(workspace.params).experiments:
        train(workspace, each)
    evaluate(workspace, name)
    backtest(workspace, name)
    refit(workspace, name)


def job(data: Dataset, build: Callable[..., Any], *seeds: int, **options: Any) -> Job:
    """The experiment `x`: a builder of `pipeline.models` with options, on a data set, with seed 0 or others."""
    return Job("x", data, partial(build, problem(data), **options), seeds or (0,))
