"""What plots show of a data set, as tables: curves of training, a stretch of its test set, its worst mistakes."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from pipeline.data.dataset import Dataset
from pipeline.data.examples import Array, Arrays, Windows, of_every_column
from pipeline.evaluation.scores import blocks, layout
from pipeline.metrics import losses
from pipeline.training.run_folder import Run

if TYPE_CHECKING:
    import pandas as pd

LONGEST = 400
"""Test examples in an excerpt: as many as a plot can show."""

CYCLES = 10
"""Natural cycles (days) in an excerpt of a series that has them."""

CURVE = 100
"""Epochs in a curve: as many as a plot can show."""

MISTAKES, WORDS = 3, 40
"""Reviews shown of each experiment that is sure and wrong, and how many of their last words."""


def tables(dataset: Dataset, runs: Mapping[str, Run]) -> dict[str, "pd.DataFrame"]:
    """Every table but the history that there is something to put in: the name of its file -> the table."""
    every = {
        "predictions": None if of_every_column(dataset.splits["test"]) else predictions(dataset, runs),
        "weeks": weeks(dataset, runs),
        "rollout": rollouts(dataset, runs),
        "slopes": input_gradients(runs),
        "mistakes": mistakes(dataset, runs),
    }
    return {name: table for name, table in every.items() if table is not None}


def rounded(table: "pd.DataFrame") -> "pd.DataFrame":
    """Numbers with six digits, which is more than a plot shows, and keeps a long excerpt small."""
    floats = [name for name in table if table[name].dtype.kind == "f"]
    return table.assign(**{name: [float(f"{value:.6g}") for value in table[name]] for name in floats})


def scores(headline: Mapping[str, Mapping[str, float]]) -> "pd.DataFrame":
    """scores.csv, for `dvc plots`: experiment, score, low and high of `answers.headline`, without ends if not known."""
    import pandas as pd

    rows = [{"experiment": name, **values} for name, values in headline.items()]
    return pd.DataFrame(rows, columns=["experiment", "score", "low", "high"])


def history(runs: Mapping[str, Run]) -> "pd.DataFrame":
    """history.csv: experiment, seed, epoch and what was recorded of it.

    Of each seed `CURVE` epochs at most, evenly spaced from the first to the last, and the best one.
    """
    import pandas as pd

    curves = [pd.DataFrame(columns=["experiment", "seed", "epoch"])]
    for name, run in runs.items():
        for place, (_, rows) in enumerate(run.history.groupby("seed", sort=False)):
            epochs = np.linspace(1, len(rows), min(CURVE, len(rows))).round()
            best = [run.summary.best_epochs[place]] if run.summary.best_epochs else []
            curves.append(rows[rows["epoch"].isin([*epochs, *best])].assign(experiment=name))
    return pd.concat(curves[1:] or curves, ignore_index=True).set_index(["experiment", "seed", "epoch"]).reset_index()


def predictions(dataset: Dataset, runs: Mapping[str, Run]) -> "pd.DataFrame":
    """predictions.csv: index, truth and one column per experiment, in the data's unit.

    The first seed's predictions, by the best epoch where one was chosen, else the final one. `index` is the row of
    the series, counted from the first test window, or the number of the example; `time` that of the target, seconds
    since 1970 by the file's clock, where it is known. For points (examples, 1) there is a column x, ascending. Of
    several values per example, those of the first examples follow one another, but of windows the last value is shown,
    which lies furthest ahead.
    """
    import pandas as pd

    chosen, index = _stretch(dataset)
    test, scale = dataset.splits["test"], dataset.scale
    width = 1 if test.targets.ndim == 1 or isinstance(test, Windows) else test.targets.shape[1]
    if width > 1:
        chosen = chosen[: max(1, LONGEST // width)]
        index = np.arange(len(chosen) * width)
    columns: dict[str, Array] = {"index": index}
    if not isinstance(test, Windows) and layout(dataset) == "points":
        columns["x"] = test.inputs[chosen, 0]
    if isinstance(test, Windows) and dataset.stamps is not None:
        columns["time"] = dataset.stamps[test.rows + test.delay][chosen].astype(np.int64)
    values = {"truth": test.targets} | {name: predicted[0] for name, predicted in _chosen(runs).items()}
    for name, each in values.items():
        rows = each[:, -1] if each.ndim == 2 and width == 1 else each
        picked = rows[chosen].ravel().astype(np.float64)
        columns[name] = picked if dataset.kind == "classify" else picked * scale.std + scale.mean
    return pd.DataFrame(columns)


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


def rollouts(dataset: Dataset, runs: Mapping[str, Run]) -> "pd.DataFrame | None":
    """rollout.csv: step (from 1), truth, and the first seed's free run of each experiment."""
    import pandas as pd

    if not dataset.rollout:
        return None
    truth = dataset.splits["test"].targets
    free = {name: run.predictions["rollout"][0] for name, run in runs.items() if "rollout" in run.predictions}
    return pd.DataFrame({"step": np.arange(1, len(truth) + 1), "truth": truth, **free})


def input_gradients(runs: Mapping[str, Run]) -> "pd.DataFrame | None":
    """slopes.csv: experiment, point, distance and the mean over seeds of the loss's slope by the input there."""
    import pandas as pd

    tables = {name: run.input_gradients for name, run in runs.items() if run.input_gradients is not None}
    means = [
        table.groupby(["point", "distance"], sort=False)["slope"].mean().reset_index().assign(experiment=name)
        for name, table in tables.items()
    ]
    return pd.concat(means, ignore_index=True)[["experiment", "point", "distance", "slope"]] if means else None


def mistakes(dataset: Dataset, runs: Mapping[str, Run]) -> "pd.DataFrame | None":
    """mistakes.csv: of each experiment the test reviews that it is surest of and wrong about, the worst first.

    Columns: experiment, example, truth, probability (of class 1, mean over seeds, weights as selected), words (the
    last ones of the review). A model that says the same of every review is left out.
    """
    import pandas as pd

    test = dataset.splits["test"]
    if dataset.words is None or not isinstance(test, Arrays):
        return None
    rows = []
    for name, predicted in _chosen(runs).items():
        probability = predicted.astype(np.float64).mean(axis=0)
        if probability.min() == probability.max():
            continue
        off = np.abs(probability - test.targets)
        for example in (worst for worst in np.argsort(-off, kind="stable")[:MISTAKES] if off[worst] > 0.5):
            # "br" is what is left of a line break.
            words = [str(word) for word in dataset.words[test.inputs[example]] if word not in ("", "br")][-WORDS:]
            rows.append([name, example, int(test.targets[example]), probability[example], " ".join(words)])
    return pd.DataFrame(rows, columns=["experiment", "example", "truth", "probability", "words"])


def weeks(dataset: Dataset, runs: Mapping[str, Run]) -> "pd.DataFrame | None":
    """weeks.csv: the measure of each experiment in each week of test, where runs keep that and no predictions."""
    import pandas as pd

    if not of_every_column(dataset.splits["test"]):
        return None
    weeks, places = np.unique(blocks(dataset, "test"), return_inverse=True)
    columns: dict[str, Array] = {"week": weeks - weeks[0]}
    for name, kept in _chosen(runs).items():
        of_windows = losses(dataset.metric, kept, None).mean(axis=0)
        columns[name] = np.bincount(places, of_windows) / np.bincount(places)
    return pd.DataFrame(columns)


def _chosen(runs: Mapping[str, Run]) -> dict[str, Array]:
    """Experiment -> its predictions on test (seeds, n, ...), by the weights chosen on validation where they are."""
    return {name: run.predictions[f"{run.points[-1]}_test"] for name, run in runs.items() if run.predictions}
