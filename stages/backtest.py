"""The training of a model of a series of one's own: its forecasts from rolling origins."""

from collections.abc import Mapping
from pathlib import Path

from pipeline.config.params import Forecast
from pipeline.data import dataset
from pipeline.training import run_folder
from pipeline.training.task import Task
from series.backtest import TABLE, cross_validate
from stages import progress


def backtest(prepared: Path, task: Task, settings: Forecast, folder: Path, of_run: Mapping[str, str]) -> None:
    """Write into an empty folder all forecasts, as forecasts.parquet, and the run folder of the last fit.

    Args:
        prepared: the folder of the data set.
        task: the experiment.
        settings: of the series.
        folder: becomes the run folder.
        of_run: the fingerprint of the run.

    Raises:
        UsageError: a name or an option is wrong.
        UnrollError: there are too few windows, or the loss is not finite.
    """
    data = dataset.load(prepared, calendar=task.experiment.calendar)

    def show_fit(number: int, count: int) -> None:
        progress.line(f"{task.name}: fit {number} of {count}", last=number == count)

    forecasts, trained, job = cross_validate(task.name, task.experiment, data, settings, show_fit)
    run_folder.save(trained, job, folder, of_run)
    forecasts.to_parquet(folder / TABLE, index=False)
