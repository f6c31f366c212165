"""Runs of one data set -> their scores, side by side: evaluation.json, and its short form for `dvc metrics`."""

import math
import statistics as library
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pydantic

from pipeline.data.dataset import Dataset, Kind, Scale
from pipeline.data.examples import Array, Windows
from pipeline.errors import UnrollError
from pipeline.files import read_checked
from pipeline.metrics import MEASURES, Metric, score
from pipeline.provenance.fingerprint import brief
from pipeline.training.run_folder import Layer, Run
from pipeline.validation import Strict

CYCLE = 13
"""Steps over which a rollout's error is averaged: one period of the documents' sine, 2 pi / 0.5 = 12.6."""

LOST = 0.5
"""The mean squared error of a constant 0 on a sine: a rollout that is worse has lost the phase."""


class Stat(Strict):
    """One figure over the seeds: mean, sample standard deviation (None with one seed), extremes, and all values."""

    mean: float
    std: float | None
    min: float
    max: float
    values: Annotated[list[float], pydantic.Field(min_length=1)]

    @property
    def median(self) -> float:
        """For what is bounded by how long one looks, as `horizon`: a mean would mix how long with how often."""
        return library.median(self.values)


Scores = dict[str, Stat]
"""A measure's name -> its values over the seeds."""

Splits = dict[Literal["train", "validation", "test"], Scores]


class Entry(Strict):
    """What evaluation.json says of an experiment.

    Attributes:
        parameters, layers, epochs, loss, seeds: as in run.json.
        baseline: whether its model belongs to the baselines.
        fingerprint: twelve characters for what it was made of.
        best_epoch: None where no epoch was chosen.
        final, best: by the weights of the last epoch, and of the best one on validation; empty without predictions.
        groups: parts of the test set, by the final weights.
        rollout: of the free run: its mse, and for how many steps it keeps the phase (`horizon`), but for one that is
            constant and so has no phase.
    """

    parameters: int
    layers: list[Layer]
    baseline: bool
    epochs: int
    loss: str | None
    seeds: list[int]
    fingerprint: str
    best_epoch: Stat | None
    final: Splits
    best: Splits | None
    groups: dict[str, Scores]
    rollout: Scores | None


class About(Strict):
    """What evaluation.json says of its data set; see `Dataset`.

    Attributes:
        layout: how the test set lies: "windows" of a series, "points" (one number in, one out) or "examples".
        cycle: rows of the series in a natural cycle (a day, say), 0 where there is none.
        horizons: the least and the greatest `horizon` of a free run that can be seen; None without free runs.
    """

    name: str
    kind: Kind
    metric: Metric
    scale: Scale
    stand_in: bool
    floors: dict[str, float]
    examples: dict[str, int]
    input_shape: list[int]
    layout: Literal["windows", "points", "examples"]
    cycle: int
    horizons: list[int] | None = None
    facts: dict[str, Any]


class Evaluation(Strict):
    """What evaluation.json holds."""

    dataset: About
    experiments: dict[str, Entry]


def statistics(values: Sequence[float]) -> Stat:
    """Mean, sample standard deviation (None for one value), least and greatest of one value per seed."""
    count = len(values)
    mean = math.fsum(values) / count
    spread = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (count - 1)) if count > 1 else None
    return Stat(mean=mean, std=spread, min=min(values), max=max(values), values=list(values))


def measures(dataset: Dataset, predictions: Array, targets: Array) -> dict[str, float]:
    """Every measure of predictions (n, ...) against targets of their shape that is for data sets of this kind.

    Returns:
        In model units and, where the data have a unit, mae_unit and rmse_unit in that unit.
    """
    found = {
        name: score(name, predictions, targets) for name, measure in MEASURES.items() if dataset.kind in measure.kinds
    }
    if dataset.scale.unit:
        found["mae_unit"] = found["mae"] * dataset.scale.std
        found["rmse_unit"] = math.sqrt(found["mse"]) * dataset.scale.std
    return found


def horizon(predictions: Array, targets: Array) -> int:
    """How many steps a rollout keeps the phase: `CYCLE` - 1 at least, since an error over a cycle is needed to say so.

    Args:
        predictions: (steps,), each made from the ones before it.
        targets: (steps,), the true values.

    Returns:
        The first step, counted from 0, at which the mean squared error over it and the 12 steps before
        it is above 0.5; the number of steps if there is none.
    """
    for end in range(CYCLE, len(targets) + 1):
        if score("mse", predictions[end - CYCLE : end], targets[end - CYCLE : end]) > LOST:
            return end - 1
    return len(targets)


def layout(dataset: Dataset) -> Literal["windows", "points", "examples"]:
    """How the test set lies; see `About`."""
    if isinstance(dataset.splits["test"], Windows):
        return "windows"
    return "points" if dataset.input_shape == (1,) else "examples"


def evaluate(dataset: Dataset, runs: Mapping[str, Run], baselines: Collection[str]) -> Evaluation:
    """Score every run of a data set on the same examples.

    Args:
        dataset: with its splits.
        runs: experiment -> its run.
        baselines: those experiments whose model is a baseline.

    Returns:
        The same input gives the same output, order included.

    Raises:
        UnrollError: predictions are missing, not finite or not one for each example.
    """
    train, count = dataset.splits["train"], len(dataset.splits["test"])
    about = About(
        name=dataset.name,
        kind=dataset.kind,
        metric=dataset.metric,
        scale=dataset.scale,
        stand_in=dataset.stand_in,
        floors=dataset.floors,
        examples={split: len(examples) for split, examples in dataset.splits.items()},
        input_shape=list(dataset.input_shape),
        layout=layout(dataset),
        cycle=dataset.period * train.step if isinstance(train, Windows) else 0,
        horizons=[min(CYCLE - 1, count), count] if dataset.rollout else None,
        facts=dataset.facts,
    )
    targets = {split: examples.targets for split, examples in dataset.splits.items()}
    entries = {name: _entry(dataset, targets, run, baseline=name in baselines) for name, run in runs.items()}
    return Evaluation(dataset=about, experiments=entries)


def _entry(dataset: Dataset, targets: Mapping[str, Array], run: Run, *, baseline: bool) -> Entry:
    summary = run.summary
    points: dict[str, Any] = {"final": {}, "best": None}
    groups: dict[str, Scores] = {}
    rollout = None
    if run.predictions:  # else a model that was built for its summary
        for point in run.points:
            points[point] = {split: _over_seeds(dataset, run, f"{point}_{split}", targets[split]) for split in targets}
        for group, indices in dataset.groups.items():
            groups[group] = _over_seeds(dataset, run, "final_test", targets["test"], indices)
        if dataset.rollout:
            true = targets["test"]
            each = _checked(run, "rollout", true)
            rollout = {"mse": statistics([score("mse", values, true) for values in each])}
            if np.ptp(each, axis=1).any():
                rollout["horizon"] = statistics([float(horizon(values, true)) for values in each])
    return Entry(
        parameters=summary.parameters,
        layers=summary.layers,
        baseline=baseline,
        epochs=summary.epochs,
        loss=summary.loss,
        seeds=summary.seeds,
        fingerprint=brief(summary.fingerprint),
        best_epoch=statistics([float(epoch) for epoch in summary.best_epochs]) if summary.best_epochs else None,
        final=points["final"],
        best=points["best"],
        groups=groups,
        rollout=rollout,
    )


def _over_seeds(dataset: Dataset, run: Run, name: str, targets: Array, indices: Array | None = None) -> Scores:
    each = _checked(run, name, targets)
    if indices is not None:
        each, targets = each[:, indices], targets[indices]
    found = [measures(dataset, values, targets) for values in each]
    return {measure: statistics([one[measure] for one in found]) for measure in found[0]}


def _checked(run: Run, name: str, targets: Array) -> Array:
    """The predictions `name`, (seeds, n) or (seeds, n, values), and finite."""
    experiment = run.summary.experiment
    again = f"run `unroll train {experiment}`"
    if name not in run.predictions:
        raise UnrollError(f"the run of {experiment} has no predictions {name}; {again}")
    values, expected = run.predictions[name], (len(run.summary.seeds), *targets.shape)
    if values.shape != expected:
        raise UnrollError(
            f"{experiment}: the predictions {name} must have shape {expected}, one for each seed and example. "
            f"Received: {values.shape}; {again}"
        )
    if values.dtype.kind != "f" or not np.isfinite(values).all():
        raise UnrollError(f"{experiment}: the predictions {name} hold values that are not finite; {again}")
    return values


def compact(evaluation: Evaluation) -> dict[str, dict[str, float]]:
    """The few numbers of each experiment that `dvc metrics` shows: means over the seeds, and their spread."""
    metric = evaluation.dataset.metric
    return {name: _few(entry, metric) for name, entry in evaluation.experiments.items()}


def _few(entry: Entry, metric: str) -> dict[str, float]:
    final, chosen = entry.final, entry.best or entry.final
    stats: dict[str, Stat | None] = {
        "validation": chosen.get("validation", {}).get(metric),
        "validation_in_unit": chosen.get("validation", {}).get("mae_unit"),
        "validation_at_end": final.get("validation", {}).get(metric) if entry.best else None,
        "best_epoch": entry.best_epoch,
        "test": final.get("test", {}).get(metric),
        "test_at_best": entry.best["test"][metric] if entry.best else None,
        "test_in_unit": chosen.get("test", {}).get("mae_unit"),
        **{f"test_{group}": scores[metric] for group, scores in entry.groups.items()},
        **{f"rollout_{name}": stat for name, stat in (entry.rollout or {}).items()},
    }
    few: dict[str, float] = {"parameters": entry.parameters}
    for name, stat in stats.items():
        if stat is not None:
            few[name] = stat.median if name == "rollout_horizon" else stat.mean
            if stat.std is not None and name != "rollout_horizon":
                few[f"{name}_spread"] = stat.std
    return few


def load(folder: Path) -> Evaluation:
    """The evaluation.json of evaluations/DATASET. Raises UnrollError if it is missing or damaged."""
    return read_checked(folder / "evaluation.json", Evaluation)
