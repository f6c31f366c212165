"""The stage `evaluate` for a series of one's own: its models ranked by their forecasts from rolling origins.

Apart from `evaluate`, so that an edit here makes no document's evaluation out of date.
"""

from pathlib import Path

import pandas as pd

from pipeline import tables
from pipeline.config.params import Params
from pipeline.data.dataset import Dataset
from pipeline.errors import UnrollError
from pipeline.evaluation import plot_data
from pipeline.evaluation.schema import Evaluation
from pipeline.files import write_json
from pipeline.training.run_folder import Run
from pipeline.workspace import Workspace
from series import backtest, leaderboard


def from_origins(workspace: Workspace, config: Params, data: Dataset, runs: dict[str, Run], folder: Path) -> Evaluation:
    """Evaluate a series of one's own; the forecasts of all models are written as one table, forecasts.parquet."""
    if not runs:
        raise UnrollError(f"{data.name} has no model to forecast with; add one to params.yaml")
    experiments = config.experiments_of(data.name)
    forecasts = pd.concat(tables.read_parquet(workspace.run(data.name, name) / backtest.TABLE) for name in runs)
    keras_models = {name for name, run in runs.items() if run.summary.layers}
    forecasts, board = leaderboard.with_ensemble(data, forecasts, experiments, keras_models)
    forecasts.to_parquet(folder / backtest.TABLE, index=False)
    write_json(folder / "leaderboard.json", board.model_dump())
    tables.write(folder / "by_week.csv", plot_data.rounded(leaderboard.by_week(data, forecasts)))
    return leaderboard.evaluate(data, forecasts, {name: run.summary for name, run in runs.items()}, experiments)
