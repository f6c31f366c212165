"""Runs of one data set -> their metrics, side by side. NumPy only: no TensorFlow, no pandas."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydantic

from pipeline import registry
from pipeline.dataset import Dataset
from pipeline.errors import UnrollError
from pipeline.metrics import accuracy, binary_crossentropy, mae, mse
from pipeline.storage import read_csv, read_json, read_npz
from pipeline.windows import Array, Windows

CYCLE = 13
"""Steps over which a rollout's error is averaged: one period of the documents' sine, 2 pi / 0.5 = 12.6."""

LOST = 0.5
"""The mean squared error of a constant 0 on a sine: a rollout that is worse has lost the phase."""

Stat = dict[str, Any]
"""mean, std (sample; None with one seed), min, max and values (one per seed)."""


class _Layer(pydantic.BaseModel):
    name: str
    type: str
    output: list[int | None]
    parameters: int


class _Facts(pydantic.BaseModel):
    """What an evaluation takes from a run.json."""

    model_config = pydantic.ConfigDict(strict=True)

    dataset: str
    experiment: str
    seeds: list[int]
    parameters: int
    layers: list[_Layer]
    epochs: int
    best_epochs: list[int] | None
    loss: str | None
    fingerprint: dict[str, str]


@dataclass(frozen=True)
class Run:
    """What training one experiment left on disk.

    Attributes:
        experiment: its name.
        baseline: whether its model belongs to the baselines.
        facts: run.json.
        history: one mapping per seed and epoch: seed, epoch and every column; absent where empty.
        predictions: "final_test", "best_train", "rollout", ... -> (seeds, n), in model units.
    """

    experiment: str
    baseline: bool
    facts: Mapping[str, Any]
    history: list[dict[str, float]]
    predictions: dict[str, Array]

    @property
    def points(self) -> list[str]:
        """The weights that predictions come from: "final", and "best" where an epoch was chosen on validation."""
        return ["final", "best"] if self.facts["best_epochs"] is not None else ["final"]


def load_run(folder: Path, dataset: str, experiment: str, seeds: Sequence[int], *, baseline: bool) -> Run:
    """Read runs/DATASET/EXPERIMENT.

    Args:
        folder: that folder.
        dataset: the data set that it must be a run of.
        experiment: its name.
        seeds: the seeds that it must have been trained with.
        baseline: whether its model belongs to the baselines.

    Raises:
        UnrollError: a file is missing or damaged, or belongs to other seeds. The text names the experiment.
    """
    again = f"run `unroll train {experiment}`"
    if not (folder / "run.json").is_file():
        raise UnrollError(f"{experiment} is not trained (there is no run.json in runs/{dataset}/{experiment}); {again}")
    try:
        facts = _facts(folder / "run.json")
        arrays = read_npz(folder / "predictions.npz")
        history = _history(folder / "history.csv")
        trained_with = [int(seed) for seed in arrays.pop("seeds")]
    except (UnrollError, ValueError, KeyError, TypeError, OSError) as error:
        reason = " ".join(str(error).split(";", maxsplit=1)[0].split())
        raise UnrollError(f"the run of {experiment} is damaged: {reason}; {again}") from None
    known = facts["dataset"], facts["experiment"], facts["seeds"]
    if known != (dataset, experiment, trained_with) or trained_with != list(seeds):
        raise UnrollError(
            f"the run of {experiment} is of {known[0]} with seeds {known[2]}, "
            f"but params.yaml says {dataset} with seeds {list(seeds)}; {again}"
        )
    epochs = [(seed, epoch) for seed in seeds for epoch in range(1, facts["epochs"] + 1)]
    if [(line.get("seed"), line.get("epoch")) for line in history] != epochs:
        raise UnrollError(
            f"the run of {experiment} is damaged: history.csv must hold {facts['epochs']} epochs of each seed; {again}"
        )
    return Run(experiment, baseline, facts, history, arrays)


def _facts(path: Path) -> Any:
    facts = read_json(path)
    valid = registry.checked(_Facts, facts, path.name)
    best = valid.best_epochs
    if best is not None and (len(best) != len(valid.seeds) or not all(1 <= epoch <= valid.epochs for epoch in best)):
        raise ValueError(f"{path.name}: best_epochs must be one epoch for each seed. Received: {best}")
    return facts


def _history(path: Path) -> list[dict[str, float]]:
    return [{column: float(value) for column, value in row.items() if value} for row in read_csv(path)]


def layout(dataset: Dataset) -> str:
    """How the test set lies: "windows" of a series, "points" (one number in, one out) or separate "examples"."""
    if isinstance(dataset.splits["test"], Windows):
        return "windows"
    return "points" if dataset.input_shape == (1,) else "examples"


def statistics(values: Sequence[float]) -> Stat:
    """Mean, sample standard deviation (None for one value), least and greatest of one value per seed."""
    count = len(values)
    mean = math.fsum(values) / count
    spread = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (count - 1)) if count > 1 else None
    return {"mean": mean, "std": spread, "min": min(values), "max": max(values), "values": list(values)}


def measures(dataset: Dataset, predictions: Array, targets: Array) -> dict[str, float]:
    """Every metric of (n,) predictions against (n,) targets.

    Returns:
        For `classify` accuracy and loss (binary cross-entropy, nats); otherwise mse and mae in model units
        and, where the data have a unit, mae_unit and rmse_unit in that unit.
    """
    if dataset.kind == "classify":
        return {
            "accuracy": accuracy(predictions, targets),
            "loss": binary_crossentropy(predictions, targets),
        }
    found = {"mse": mse(predictions, targets), "mae": mae(predictions, targets)}
    if dataset.scale.unit:
        found["mae_unit"] = found["mae"] * dataset.scale.std
        found["rmse_unit"] = math.sqrt(found["mse"]) * dataset.scale.std
    return found


def horizon(predictions: Array, targets: Array) -> int:
    """How many steps a rollout keeps the phase.

    Args:
        predictions: (steps,), each made from the ones before it.
        targets: (steps,), the true values.

    Returns:
        The first step, counted from 0, at which the mean squared error over it and the 12 steps before
        it is above 0.5; the number of steps if there is none.
    """
    for end in range(CYCLE, len(targets) + 1):
        if mse(predictions[end - CYCLE : end], targets[end - CYCLE : end]) > LOST:
            return end - 1
    return len(targets)


def evaluate(dataset: Dataset, runs: Sequence[Run]) -> dict[str, Any]:
    """Score every run of a data set on the same examples.

    Returns:
        What evaluation.json holds: "dataset" (what it is) and "experiments" (name -> metrics, each with
        its mean, spread and values over the seeds). The same input gives the same output, order included.

    Raises:
        UnrollError: predictions are missing, not finite or not one for each example.
    """
    scale, train = dataset.scale, dataset.splits["train"]
    about = {
        "name": dataset.name,
        "kind": dataset.kind,
        "metric": dataset.metric,
        "unit": scale.unit,
        "quantity": scale.quantity,
        "scale": asdict(scale),
        "stand_in": dataset.stand_in,
        "floors": dataset.floors,
        "examples": {split: len(examples) for split, examples in dataset.splits.items()},
        "input_shape": list(dataset.input_shape),
        "layout": layout(dataset),
        "cycle": dataset.period * train.step if isinstance(train, Windows) else 0,
        "facts": dataset.facts,
    }
    targets = {split: examples.targets for split, examples in dataset.splits.items()}
    return {"dataset": about, "experiments": {run.experiment: _scores(dataset, targets, run) for run in runs}}


def _scores(dataset: Dataset, targets: Mapping[str, Array], run: Run) -> dict[str, Any]:
    facts, best_epochs = run.facts, run.facts["best_epochs"]
    fingerprint = hashlib.sha256("".join(map(str, facts["fingerprint"].values())).encode()).hexdigest()[:12]
    entry: dict[str, Any] = {
        "parameters": facts["parameters"],
        "layers": facts["layers"],
        "baseline": run.baseline,
        "epochs": facts["epochs"],
        "loss": facts["loss"],
        "seeds": list(facts["seeds"]),
        "fingerprint": fingerprint,
        "best_epoch": statistics([float(epoch) for epoch in best_epochs]) if best_epochs else None,
        "final": {},
        "best": None,
        "groups": {},
        "rollout": None,
    }
    if not run.predictions:  # a model that was built for its summary
        return entry
    for point in run.points:
        entry[point] = {split: _over_seeds(dataset, run, f"{point}_{split}", targets[split]) for split in targets}
    for group, indices in dataset.groups.items():
        entry["groups"][group] = _over_seeds(dataset, run, "final_test", targets["test"], indices)
    if dataset.rollout:
        true = targets["test"]
        each = _checked(run, "rollout", true)
        entry["rollout"] = {
            "mse": statistics([mse(values, true) for values in each]),
            "horizon": statistics([float(horizon(values, true)) for values in each]),
        }
    return entry


def _over_seeds(
    dataset: Dataset, run: Run, name: str, targets: Array, indices: Array | None = None
) -> dict[str, Stat]:
    each = _checked(run, name, targets)
    if indices is not None:
        each, targets = each[:, indices], targets[indices]
    found = [measures(dataset, values, targets) for values in each]
    return {metric: statistics([one[metric] for one in found]) for metric in found[0]}


def _checked(run: Run, name: str, targets: Array) -> Array:
    """The predictions `name`, (seeds, n) and finite."""
    again = f"run `unroll train {run.experiment}`"
    if name not in run.predictions:
        raise UnrollError(f"the run of {run.experiment} has no predictions {name}; {again}")
    values, expected = run.predictions[name], (len(run.facts["seeds"]), len(targets))
    if values.shape != expected:
        raise UnrollError(
            f"{run.experiment}: the predictions {name} must have shape {expected}, one for each seed and example. "
            f"Received: {values.shape}; {again}"
        )
    if values.dtype.kind != "f" or not np.isfinite(values).all():
        raise UnrollError(f"{run.experiment}: the predictions {name} hold values that are not finite; {again}")
    return values
