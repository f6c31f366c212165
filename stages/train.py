"""The stage `train`: every replicate of an experiment, into runs/DATASET/EXPERIMENT."""

from pathlib import Path

from pipeline import locks
from pipeline.config import params
from pipeline.data import dataset
from pipeline.files import atomic_folder
from pipeline.provenance import fingerprint, record
from pipeline.tracking import live
from pipeline.training import run_folder
from pipeline.training.job import Checkpoint
from pipeline.training.recipe import recipe
from pipeline.workspace import Workspace
from stages.backtest import backtest
from stages.progress import Epochs


def train(workspace: Workspace, name: str) -> Path:
    """Train an experiment as params.yaml says, from its checkpoint on if it was interrupted; returns the run folder.

    A model for a series of one's own is cross-validated from rolling origins instead (`backtest`).

    Args:
        workspace: where params.yaml and the prepared data set are.
        name: a key of `experiments` in params.yaml.

    Raises:
        UsageError: a name or an option is wrong.
        UnrollError: the data set is not prepared, or the loss is not finite.
    """
    config = params.load(workspace.params)
    experiment = config.experiment(name)
    if experiment.dataset in config.forecasts:
        return backtest(workspace, name)
    trainer = recipe(name, experiment)
    folder, prepared = workspace.run(experiment.dataset, name), workspace.prepared(experiment.dataset)
    with locks.stage(workspace, "train", name):
        data = dataset.load(prepared, calendar=experiment.calendar, share=experiment.share)
        ingredients = fingerprint.ingredients(prepared, experiment, config.dataset(experiment.dataset).preparation)
        checkpoint = Checkpoint(workspace.checkpoint(name), fingerprint.brief(ingredients.fingerprint))
        recording = live.Recording(workspace, name, experiment)
        job = trainer.job(data, Epochs(name, trainer.method.keywords, trainer.seeds), recording, checkpoint=checkpoint)
        with recording:
            with atomic_folder(folder, workspace.scratch) as unfinished:
                run_folder.save(trainer.train(job), job, unfinished, ingredients.fingerprint)
            record.write(workspace, folder, ingredients)
            recording.finish()
        checkpoint.remove()
    return folder


def trial(workspace: Workspace, name: str, epochs: int | None, seeds: list[int] | None) -> Path:
    """Train an experiment as `train`, but with other epochs or seeds, into .unroll/trials; returns the run folder.

    Neither DVC nor MLflow records it.
    """
    experiment = params.load(workspace.params).experiment(name).trial(epochs, seeds)
    trainer = recipe(name, experiment)
    with locks.stage(workspace, "trial", name):
        prepared = workspace.prepared(experiment.dataset)
        data = dataset.load(prepared, calendar=experiment.calendar, share=experiment.share)
        job = trainer.job(data, Epochs(name, trainer.method.keywords, trainer.seeds))
        with atomic_folder(workspace.trial(name), workspace.scratch) as unfinished:
            run_folder.save(trainer.train(job), job, unfinished, {})
    return workspace.trial(name)
