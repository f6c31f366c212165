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
    """Train an experiment as params.yaml says; from its checkpoint on, if it was interrupted.

    A model of a series of one's own is fitted anew on the way, and forecasts from rolling origins (`backtest`).

    Args:
        workspace: where params.yaml and the prepared data set are.
        name: a key of `experiments` in params.yaml.

    Returns:
        The folder that was written.

    Raises:
        UsageError: a name or an option is wrong.
        UnrollError: the data set is not prepared, or the loss is not finite.
    """
    every = params.load(workspace.params)
    experiment = every.experiment(name)
    if experiment.dataset in every.forecasts:
        return backtest(workspace, name)
    chosen = recipe(name, experiment)
    folder, prepared = workspace.run(experiment.dataset, name), workspace.prepared(experiment.dataset)
    with locks.stage(workspace, "train", name):
        data = dataset.load(prepared, calendar=experiment.calendar, share=experiment.share)
        made_of = fingerprint.ingredients(prepared, experiment, every.dataset(experiment.dataset).preparation)
        checkpoint = Checkpoint(workspace.checkpoint(name), fingerprint.brief(made_of.fingerprint))
        recording = live.Recording(workspace, name, experiment)
        job = chosen.job(data, Epochs(name, chosen.method.keywords, chosen.seeds), recording, checkpoint=checkpoint)
        with recording:
            with atomic_folder(folder, workspace.scratch) as unfinished:
                run_folder.save(chosen.train(job), job, unfinished, made_of.fingerprint)
            record.write(workspace, folder, made_of)
            recording.finish()
        checkpoint.remove()
    return folder


def trial(workspace: Workspace, name: str, epochs: int | None, seeds: list[int] | None) -> Path:
    """Train an experiment with other epochs or seeds, into .unroll/trials: DVC and MLflow hear nothing of it.

    Args:
        workspace: as in `train`.
        name: as in `train`.
        epochs: instead of those of params.yaml.
        seeds: likewise.

    Returns:
        The folder that was written.

    Raises:
        UsageError, UnrollError: as in `train`.
    """
    experiment = params.load(workspace.params).experiment(name).trial(epochs, seeds)
    chosen = recipe(name, experiment)
    with locks.stage(workspace, "trial", name):
        prepared = workspace.prepared(experiment.dataset)
        data = dataset.load(prepared, calendar=experiment.calendar, share=experiment.share)
        job = chosen.job(data, Epochs(name, chosen.method.keywords, chosen.seeds))
        with atomic_folder(workspace.trial(name), workspace.scratch) as unfinished:
            run_folder.save(chosen.train(job), job, unfinished, {})
    return workspace.trial(name)
