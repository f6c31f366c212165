"""MASE: the mean absolute error as a share of that of the seasonal naive forecast on train.

Hyndman and Koehler, "Another look at measures of forecast accuracy", International Journal of Forecasting 22 (2006),
section 3. Theirs looks one step ahead; this one as far ahead as the model, so that 1 is as good as the naive forecast.
"""

import numpy as np

from pipeline.data.dataset import Dataset
from pipeline.data.examples import Windows


def seasonal_naive(dataset: Dataset) -> float | None:
    """The MAE on train, in model units, of saying what was measured a whole number of seasons before each target.

    As few seasons as were known at the last input. A season is a day, or a timestep where the data set knows no days.

    Returns:
        None of other data sets than series with stamps, and where no season lies in the train rows.
    """
    train, stamps = dataset.splits["train"], dataset.stamps
    if not isinstance(train, Windows) or stamps is None:
        return None
    season = max(1, dataset.period) * train.step
    spacing = np.median(np.diff(stamps[train.rows.min() : train.rows.max() + 1]).astype(np.int64))
    total, count = 0.0, 0
    for output in range(train.outputs):
        back = -(-(train.horizon + output * train.step) // season) * season
        targets = train.rows + train.delay + output * train.step
        targets = targets[targets >= back]
        whole = (stamps[targets] - stamps[targets - back]).astype(np.int64) == back * spacing
        errors = np.abs(train.series[targets, train.target] - train.series[targets - back, train.target])[whole]
        total, count = total + float(errors.sum(dtype=np.float64)), count + len(errors)
    return total / count if total else None
