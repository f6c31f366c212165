"""The forecaster of a trained experiment, made from its run and its data set."""

from dataclasses import replace

import numpy as np
import pandas as pd

from pipeline.config import params
from pipeline.config.params import own_name
from pipeline.data import dataset as datasets
from pipeline.data.dataset import Dataset
from pipeline.data.examples import Windows
from pipeline.data.problem import problem
from pipeline.training import run_folder
from pipeline.training.run_folder import Run
from pipeline.workspace import Workspace
from series import backtest
from series.forecaster import Forecaster, SeriesModels
from series.preparation import fitted_of
from series.spec import Member, SeriesModelsSpec, Shapes


def forecaster_of(workspace: Workspace, name: str) -> Forecaster:
    """Return the forecaster of a trained experiment.

    Its intervals come from the errors of the run on validation and test, at origins a
    day apart.

    Args:
        workspace: the project, with the run and the prepared data set.
        name: the experiment with its data set, such as jena_hourly/gru.

    """
    experiment = params.load(workspace.params).experiment(name)
    about = experiment.dataset
    prepared = workspace.prepared(about)
    data = datasets.load(prepared, calendar=experiment.calendar, share=experiment.share)
    key = own_name(name)
    run = run_folder.load(workspace.run(about, key))
    # Origins lie a day apart; a timestep, if there is no daily period.
    stride = backtest.windows(data).step * max(1, data.period)
    member = Member(
        name=key,
        experiment=experiment,
        problem=Shapes.of(problem(data)),
        seeds=run.summary.seeds if run.varies else run.summary.seeds[:1],
        point=run.points[-1],
    )
    spec = SeriesModelsSpec(
        dataset=about,
        members=[member],
        fitted=fitted_of(data),
        stride=stride,
        until="9999-01-01",
    )
    arrays = backtest.arrays(data, _past_forecasts(data, run, stride), [key])
    weights = workspace.run(about, key) / "weights"
    return Forecaster(name, [SeriesModels(spec, arrays, {key: weights})])


def _past_forecasts(data: Dataset, run: Run, stride: int) -> pd.DataFrame:
    """Return a run's forecasts on validation and test, like `training.cross_validate`.

    Origins lie `stride` rows apart, counted back from the last row of each split.
    """
    tables = []
    for split in ("validation", "test"):
        windows = data.splits.get(split)
        if not isinstance(windows, Windows):
            continue
        chosen = (windows.rows[-1] - windows.rows) % stride == 0
        # (seeds, n) or (seeds, n, steps)
        predictions = run.predictions[f"{run.points[-1]}_{split}"]
        mean = predictions.mean(axis=0, dtype=np.float64)
        origins = replace(windows, rows=windows.rows[chosen])
        tables.append(backtest.table(data, origins, mean[chosen]))
    return pd.concat(tables).assign(model=run.summary.experiment)
