"""How a data set's champion would have done: forecasts from many origins of the test set against what came."""

from typing import TYPE_CHECKING

import numpy as np

from pipeline.data import several
from pipeline.data.dataset import Dataset
from pipeline.data.examples import Windows
from pipeline.evaluation import conformal
from pipeline.evaluation.plot_data import apart
from pipeline.training.run_folder import Run

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 240
"""Values in the stretch that is shown: ten days of hours."""


def tables(dataset: Dataset, name: str, run: Run) -> dict[str, "pd.DataFrame"]:
    """The tables `backtest` and `ahead`, where several values of a series with stamps are asked for; else none.

    In the target's unit, of the champion's mean forecast over the seeds, with intervals of `conformal.USUAL`.

    Returns:
        backtest: experiment, origin (from 1), time (of the target, seconds since 1970), truth, forecast, low and high,
        from origins that lie as far apart as they look ahead. ahead: experiment, step (from 1), mae, half_width and
        coverage over all of test.
    """
    import pandas as pd

    test = dataset.splits["test"]
    if not isinstance(test, Windows) or test.outputs == 1 or dataset.stamps is None:
        return {}
    scale = dataset.scale
    half_widths = conformal.half_widths(conformal.errors(dataset, run, "validation"), conformal.USUAL)
    errors = conformal.errors(dataset, run, "test")
    ahead = {
        "experiment": name,
        "step": np.arange(1, test.outputs + 1),
        "mae": errors.mean(axis=0) * scale.std,
        "half_width": np.where(np.isfinite(half_widths), half_widths * scale.std, np.nan),
        "coverage": conformal.coverage(errors, half_widths),
    }
    chosen = apart(test, np.arange(len(test)))[: -(-SHOWN // test.outputs)]
    chosen = chosen[several.of(dataset, test.rows[chosen]) == 0]  # one line is of one series
    forecast = conformal.mean_forecast(run, "test")[chosen] * scale.std + scale.mean
    rows = test.rows[chosen][:, None] + test.delay + test.step * np.arange(test.outputs)
    stretch = {
        "experiment": name,
        "origin": np.repeat(np.arange(1, len(chosen) + 1), test.outputs),
        "time": dataset.stamps[rows].astype("datetime64[s]").astype(np.int64).ravel(),
        "truth": (test.series[rows, test.target].astype(np.float64) * scale.std + scale.mean).ravel(),
        "forecast": forecast.ravel(),
        "low": (forecast - ahead["half_width"]).ravel(),
        "high": (forecast + ahead["half_width"]).ravel(),
    }
    return {"backtest": pd.DataFrame(stretch), "ahead": pd.DataFrame(ahead)}
