"""What plots show of a data set: curves of training, a stretch of its test set, free runs. All of them are tables."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from pipeline.data.dataset import Dataset
from pipeline.data.examples import Array, Windows
from pipeline.evaluation.scores import layout
from pipeline.training.run_folder import Run

if TYPE_CHECKING:
    import pandas as pd

LONGEST = 400
"""Test examples in an excerpt: as many as a plot can show."""

CYCLES = 10
"""Natural cycles (days) in an excerpt of a series that has them."""


def history(runs: Mapping[str, Run]) -> "pd.DataFrame":
    """history.csv: experiment, seed, epoch and what was recorded of it."""
    import pandas as pd

    curves = [run.history.assign(experiment=name) for name, run in runs.items() if len(run.history)]
    if not curves:
        return pd.DataFrame(columns=["experiment", "seed", "epoch"])
    whole = pd.concat(curves, ignore_index=True)
    return whole[["experiment", "seed", "epoch", *whole.columns.drop(["experiment", "seed", "epoch"])]]


def predictions(dataset: Dataset, runs: Mapping[str, Run]) -> "pd.DataFrame":
    """predictions.csv: index, truth and one column per experiment, in the data's unit.

    The first seed's predictions, by the best epoch where one was chosen, else the final one. `index` is the row of
    the series, counted from the first test window, or the number of the example. For points (examples, 1) there is a
    column x, ascending. Of several values per example, those of the first examples follow one another, but of windows
    the last value is shown, which lies furthest ahead.
    """
    chosen, index = _stretch(dataset)
    test, scale = dataset.splits["test"], dataset.scale
    width = 1 if test.targets.ndim == 1 or isinstance(test, Windows) else test.targets.shape[1]
    if width > 1:
        chosen = chosen[: max(1, LONGEST // width)]
        index = np.arange(len(chosen) * width)
    columns: dict[str, Array] = {"index": index}
    if not isinstance(test, Windows) and layout(dataset) == "points":
        columns["x"] = test.inputs[chosen, 0]
    values = {"truth": test.targets}
    values |= {name: run.predictions[f"{run.points[-1]}_test"][0] for name, run in runs.items() if run.predictions}
    for name, each in values.items():
        rows = each[:, -1] if each.ndim == 2 and width == 1 else each
        picked = rows[chosen].ravel().astype(np.float64)
        columns[name] = picked if dataset.kind == "classify" else picked * scale.std + scale.mean
    return _rounded(columns)


def rollouts(dataset: Dataset, runs: Mapping[str, Run]) -> "pd.DataFrame":
    """rollout.csv: step (from 1), truth, and the first seed's free run of each experiment; else without rows.

    dvc.yaml names the file, so it is always there.
    """
    truth = dataset.splits["test"].targets if dataset.rollout else np.empty(0)
    columns = {"step": np.arange(1, len(truth) + 1), "truth": truth}
    columns |= {name: run.predictions["rollout"][0] for name, run in runs.items() if "rollout" in run.predictions}
    return _rounded(columns)


def slopes(runs: Mapping[str, Run]) -> "pd.DataFrame":
    """slopes.csv: experiment, point, distance and the mean over seeds of the loss's slope by the input there.

    dvc.yaml names the file, so it is always there, if without rows.
    """
    import pandas as pd

    columns = ["experiment", "point", "distance", "slope"]
    found = [
        run.slopes.groupby(["point", "distance"], sort=False)["slope"].mean().reset_index().assign(experiment=name)
        for name, run in runs.items()
        if run.slopes is not None
    ]
    table = pd.concat(found, ignore_index=True)[columns] if found else pd.DataFrame(columns=columns)
    return table.assign(slope=[float(f"{value:.6g}") for value in table["slope"]])


def _stretch(dataset: Dataset) -> tuple[Array, Array]:
    """Which test examples (m,) to show, and the index (m,) to show them at."""
    test = dataset.splits["test"]
    if isinstance(test, Windows):
        offsets = test.rows - test.rows[0]
        length = CYCLES * dataset.period * test.step or LONGEST * test.step
        chosen = np.flatnonzero((offsets < length) & (offsets % test.step == 0))[:LONGEST]
        return chosen, offsets[chosen]
    if layout(dataset) == "points":
        order = np.argsort(test.inputs[:, 0], kind="stable")
        chosen = order[:: -(-len(order) // LONGEST)]
        return chosen, np.arange(len(chosen))
    chosen = np.arange(min(LONGEST, len(test)))
    return chosen, chosen


def _rounded(columns: dict[str, Array]) -> "pd.DataFrame":
    """The columns with six digits, which is more than a plot shows, and keeps a long excerpt small."""
    import pandas as pd

    return pd.DataFrame(
        {
            name: values if values.dtype.kind in "iu" else [float(f"{value:.6g}") for value in values]
            for name, values in columns.items()
        }
    )
