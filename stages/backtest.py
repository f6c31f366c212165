"""The stage `train` for a series of one's own: a model's forecasts from rolling origins."""

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
from stages import progress


def backtest(workspace: Workspace, name: str) -> Path:
    """Write runs/DATASET/NAME: all forecasts, in forecasts.parquet, and the run folder of the last fit.

    Args:
        workspace: where params.yaml and the prepared data set are.
        name: an experiment whose data set is a key of `forecasts` in params.yaml.

    Raises:
        UsageError: a name or an option is wrong.
        UnrollError: the data set is not prepared, there are too few windows, or the loss is not finite.
    """
    config = params.load(workspace.params)
    experiment = config.experiment(name)
    settings, preparation = config.forecast(experiment.dataset), config.dataset(experiment.dataset).preparation
    folder, prepared = workspace.run(experiment.dataset, name), workspace.prepared(experiment.dataset)
    with locks.stage(workspace, "train", name):
        data = dataset.load(prepared, calendar=experiment.calendar)
        ingredients = fingerprint.ingredients(prepared, experiment, preparation, settings)

        def show_fit(number: int, count: int) -> None:
            progress.line(f"{name}: fit {number} of {count}", last=number == count)

        with live.Recording(workspace, name, experiment) as recording:
            forecasts, trained, job = cross_validate(name, experiment, data, settings, show_fit)
            with atomic_folder(folder, workspace.scratch) as unfinished:
                run_folder.save(trained, job, unfinished, ingredients.fingerprint)
                forecasts.to_parquet(unfinished / TABLE, index=False)
            record.write(workspace, folder, ingredients)
            recording.finish()
    return folder
