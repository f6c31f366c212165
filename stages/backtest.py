"""What the stage `train` is for a series of one's own: a model's forecasts from rolling origins."""

from pathlib import Path

from pipeline import locks
from pipeline.config import params
from pipeline.data import dataset
from pipeline.files import atomic_folder
from pipeline.forecast.backtest import TABLE, cross_validate
from pipeline.provenance import fingerprint, record
from pipeline.tracking import live
from pipeline.training import run_folder
from pipeline.workspace import Workspace
from stages.progress import line


def backtest(workspace: Workspace, name: str) -> Path:
    """Write runs/DATASET/NAME: forecasts.parquet, and the run of its last fit.

    Args:
        workspace: where params.yaml and the prepared data set are.
        name: an experiment whose data set is one of `forecasts` in params.yaml.

    Raises:
        UsageError: a name or an option is wrong.
        UnrollError: the data set is not prepared, there are too few windows, or the loss is not finite.
    """
    every = params.load(workspace.params)
    experiment = every.experiment(name)
    about, settings = experiment.dataset, every.forecast(experiment.dataset)
    folder, prepared = workspace.run(about, name), workspace.prepared(about)
    with locks.stage(workspace, "train", name):
        data = dataset.load(prepared, calendar=experiment.calendar)
        made_of = fingerprint.ingredients(prepared, experiment, every.dataset(about).preparation, settings)

        def progress(number: int, count: int) -> None:
            line(f"{name}: fit {number} of {count}", last=number == count)

        with live.Recording(workspace, name, experiment) as recording:
            forecasts, trained, job = cross_validate(name, experiment, data, settings, progress)
            with atomic_folder(folder, workspace.scratch) as unfinished:
                run_folder.save(trained, job, unfinished, made_of.fingerprint)
                forecasts.to_parquet(unfinished / TABLE, index=False)
            record.write(workspace, folder, made_of)
            recording.finish()
    return folder
