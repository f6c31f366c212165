"""The forecaster of a trained experiment, made from its run and its data set."""

import numpy as np

from pipeline.config import params
from pipeline.config.params import own_name
from pipeline.data import dataset as datasets
from pipeline.data.examples import Windows
from pipeline.data.problem import problem
from pipeline.training import run_folder
from pipeline.workspace import Workspace
from unroll.series import backtest
from unroll.series.backtest import Plan
from unroll.series.forecaster import Forecaster
from unroll.series.row_options import Preprocessing, fitted_of
from unroll.series.spec import ForecasterSpec, Member, Shapes


def forecaster_of(workspace: Workspace, name: str) -> Forecaster:
    """Return the forecaster of a trained experiment.

    Its intervals come from the errors of the run on test.

    Args:
        workspace: the project, with the run and the prepared data set.
        name: the experiment with its data set, such as jena_hourly/gru.

    """
    experiment = params.load(workspace.params).experiment(name)
    about = experiment.dataset
    prepared = workspace.prepared(about)
    data = datasets.load(
        prepared,
        calendar=experiment.calendar,
        share=experiment.share,
        fitted=Preprocessing,
    )
    key = own_name(name)
    run = run_folder.load(workspace.run(about, key))
    member = Member(
        name=key,
        experiment=experiment,
        problem=Shapes.of(problem(data)),
        seeds=run.summary.seeds if run.varies else run.summary.seeds[:1],
        point=run.points[-1],
    )
    spec = ForecasterSpec(
        dataset=about,
        members=[member],
        fitted=fitted_of(data),
        stride=1,
        until="9999-01-01",
    )
    test = data.splits["test"]
    assert isinstance(test, Windows)
    # (seeds, n) or (seeds, n, steps)
    predictions = run.predictions[f"{run.points[-1]}_test"].astype(np.float64)
    table = backtest.table(data, test, predictions.mean(axis=0)).assign(model=key)
    weights = workspace.run(about, key) / "weights"
    plan = Plan(origins=len(test), stride=1)
    arrays = backtest.arrays(data, table, [key], plan)
    return Forecaster(spec, arrays, {key: weights})
