"""Training without DVC, records and MLflow, which take longer than a small model."""

from pipeline.config import params
from pipeline.data import dataset
from pipeline.training import run_folder
from pipeline.training.recipe import recipe
from pipeline.workspace import Workspace


def train(workspace: Workspace, name: str) -> None:
    """Leave the run of an experiment where it belongs."""
    experiment = params.load(workspace.params).experiment(name)
    data = dataset.load(workspace.prepared(experiment.dataset), calendar=experiment.calendar)
    folder, chosen = workspace.run(experiment.dataset, name), recipe(name, experiment)
    folder.mkdir(parents=True)
    job = chosen.job(data)
    run_folder.save(chosen.train(job), job, folder, {})
