"""What `dvc metrics` and the plots show of a data set: few numbers, curves of training, a stretch of its test set."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.dataset import Dataset
from pipeline.evaluation import Run, Stat, layout
from pipeline.windows import Array, Windows

LONGEST = 400
"""Test examples in an excerpt: as many as a plot can show."""

CYCLES = 10
"""Natural cycles (days) in an excerpt of a series that has them."""

Rows = list[dict[str, Any]]


def compact(evaluation: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """The few numbers of each experiment that `dvc metrics` shows: means over the seeds, and their spread."""
    metric = evaluation["dataset"]["metric"]
    return {name: _few(entry, metric) for name, entry in evaluation["experiments"].items()}


def _few(entry: Mapping[str, Any], metric: str) -> dict[str, float]:
    final, best = entry["final"], entry["best"]
    stats: dict[str, Stat | None] = {
        "validation": (best or final).get("validation", {}).get(metric),
        "validation_in_unit": (best or final).get("validation", {}).get("mae_unit"),
        "validation_at_end": final.get("validation", {}).get(metric) if best else None,
        "best_epoch": entry["best_epoch"],
        "test": final.get("test", {}).get(metric),
        "test_at_best": best["test"][metric] if best else None,
        "test_in_unit": (best or final).get("test", {}).get("mae_unit"),
        **{f"test_{group}": scores[metric] for group, scores in entry["groups"].items()},
        **{f"rollout_{name}": stat for name, stat in (entry["rollout"] or {}).items()},
    }
    few: dict[str, float] = {"parameters": entry["parameters"]}
    for name, stat in stats.items():
        if stat is not None:
            few[name] = stat["mean"]
            if stat["std"] is not None:
                few[f"{name}_spread"] = stat["std"]
    return few


def history(runs: Sequence[Run]) -> tuple[Rows, list[str]]:
    """Rows and columns of history.csv: experiment, epoch and the mean over seeds of what was recorded."""
    recorded = dict.fromkeys(column for run in runs for line in run.history for column in line)
    columns = [column for column in recorded if column not in {"seed", "epoch"}]
    rows: Rows = []
    for run in runs:
        for epoch in sorted({int(line["epoch"]) for line in run.history}):
            lines = [line for line in run.history if line["epoch"] == epoch]
            row: dict[str, Any] = {"experiment": run.experiment, "epoch": epoch}
            for column in columns:
                values = [line[column] for line in lines if column in line]
                row[column] = float(np.mean(values)) if values else None
            rows.append(row)
    return rows, ["experiment", "epoch", *columns]


def predictions(dataset: Dataset, runs: Sequence[Run]) -> tuple[Rows, list[str]]:
    """Rows and columns of predictions.csv: index, truth and one column per experiment, in the data's unit.

    The first seed's predictions, by the best epoch where one was chosen, else the final one. `index` is the row of
    the series, counted from the first test window, or the number of the example. For points (examples, 1) there is a
    column x, ascending.
    """
    chosen, index = _stretch(dataset)
    test, scale = dataset.splits["test"], dataset.scale
    rescale = dataset.kind != "classify"
    columns: dict[str, Array] = {"index": index}
    if not isinstance(test, Windows) and layout(dataset) == "points":
        columns["x"] = test.inputs[chosen, 0]
    values = {"truth": test.targets}
    values |= {run.experiment: run.predictions[f"{run.points[-1]}_test"][0] for run in runs if run.predictions}
    for name, each in values.items():
        picked = each[chosen].astype(np.float64)
        columns[name] = picked * scale.std + scale.mean if rescale else picked
    return _rows(columns)


def rollouts(dataset: Dataset, runs: Sequence[Run]) -> tuple[Rows, list[str]]:
    """Rows and columns of rollout.csv: step (from 1), truth, and the first seed's free run of each experiment."""
    truth = dataset.splits["test"].targets
    columns = {"step": np.arange(1, len(truth) + 1), "truth": truth}
    columns |= {run.experiment: run.predictions["rollout"][0] for run in runs if "rollout" in run.predictions}
    return _rows(columns)


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


def _rows(columns: dict[str, Array]) -> tuple[Rows, list[str]]:
    # Six digits are more than a plot shows, and keep a long excerpt small.
    plain = {
        name: [int(v) for v in values] if values.dtype.kind in "iu" else [float(f"{v:.6g}") for v in values]
        for name, values in columns.items()
    }
    return [dict(zip(plain, line, strict=True)) for line in zip(*plain.values(), strict=True)], list(plain)
