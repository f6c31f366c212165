"""What MLflow is told: parameters, tags and metrics, worked out from the files on disk, without MLflow."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from pipeline.config.params import Experiment
from pipeline.data import dataset
from pipeline.data.dataset import Description
from pipeline.evaluation.schema import Entry
from pipeline.metrics import MEASURES
from pipeline.provenance import machine
from pipeline.provenance.machine import Machine
from pipeline.training.run_folder import Run
from pipeline.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

Points = list[tuple[int, dict[str, float]]]
"""Epochs (from 1) and their values, in order."""

MARK = " (stand-in)"
"""Behind the name of whatever comes from a stand-in."""

STAND_IN = "Stand-in data, generated in place of the real ones: no figure here is a result."


@dataclass(frozen=True)
class Subject:
    """What is known of an experiment before it is trained.

    Attributes:
        name: the key in params.yaml.
        title: of the MLflow experiment.
        label: what runs are called: the name, marked for stand-ins.
        params: flat, as in params.yaml.
        tags: of every run of it.
        data: its data set.
    """

    name: str
    title: str
    label: str
    params: dict[str, str]
    tags: dict[str, str]
    data: Description


def title(data_set: str, *, stand_in: bool) -> str:
    """What the MLflow experiment of a data set is called; stand-ins have one apart, so that the two never mix."""
    return data_set + MARK * stand_in


def subject(workspace: Workspace, name: str, experiment: Experiment, made: Mapping[str, str] | None = None) -> Subject:
    """Read what is known of an experiment.

    Args:
        workspace: its data set must be prepared.
        name: the experiment.
        experiment: its section of params.yaml.
        made: tags for where its runs were made (`origin`); None: here and now.

    Raises:
        UnrollError: the data set is not prepared.
    """
    data = dataset.describe(workspace.prepared(experiment.dataset))
    tags = {
        "unroll.experiment": name,
        "unroll.dataset": experiment.dataset,
        "unroll.stage": "train",
        "unroll.stand_in": str(data.stand_in).lower(),
        "mlflow.source.name": f"unroll train {name}",
        "mlflow.source.type": "LOCAL",
    }
    if "protocol" in data.facts:
        tags["unroll.protocol"] = str(data.facts["protocol"])
    if data.stand_in:
        tags["mlflow.note.content"] = STAND_IN
    tags |= {f"unroll.unit.{metric}": unit for metric, unit in units(data).items()}
    tags |= origin(machine.here(workspace)) if made is None else made
    flat = {"dataset": experiment.dataset, "seeds": json.dumps(experiment.seeds)}
    for part in ("model", "training"):
        flat |= {f"{part}.{key}": _plain(value) for key, value in getattr(experiment, part).model_dump().items()}
    label = name + MARK * data.stand_in
    return Subject(name, title(experiment.dataset, stand_in=data.stand_in), label, flat, tags, data)


def units(data: Description) -> dict[str, str]:
    """The unit of each measure of a data set."""
    measures = {name: measure.unit for name, measure in MEASURES.items() if data.kind in measure.kinds}
    if not data.scale.unit:
        return {name: unit.format("unit of the data") for name, unit in measures.items()}
    one = f"{data.scale.std:.4g} {data.scale.unit}"
    found = {name: f"1 = {unit.format(one)}" for name, unit in measures.items()}
    return found | dict.fromkeys(("mae_unit", "rmse_unit"), data.scale.unit)


def origin(made: Machine) -> dict[str, str]:
    """Tags for where a run was made."""
    tags = {"unroll.python": made.python, "unroll.cpu": made.cpu}
    if made.commit is None:
        return tags
    return tags | {"mlflow.source.git.commit": made.commit, "unroll.git_dirty": str(made.dirty).lower()}


def points(history: "pd.DataFrame") -> dict[int, Points]:
    """Seed -> the values of each epoch."""
    return {int(seed): _points(curves) for seed, curves in history.drop(columns="seed").groupby(history["seed"])}


def mean_points(history: "pd.DataFrame") -> Points:
    """The mean over seeds of the values of each epoch."""
    return _points(history.drop(columns="seed").groupby("epoch").mean().reset_index())


def _points(curves: "pd.DataFrame") -> Points:
    values = curves.drop(columns="epoch").to_dict("records")
    return [*zip(map(int, curves["epoch"]), values, strict=True)]


def summary(run: Run) -> dict[int, dict[str, float]]:
    """Seed -> what its training comes to: parameters, epochs, the best epoch and the values there."""
    facts, by_seed = run.summary, points(run.history)
    found = {}
    for place, seed in enumerate(facts.seeds):
        values = {"parameters": float(facts.parameters), "epochs": float(facts.last[place])}
        if facts.best_epochs:
            best = facts.best_epochs[place]
            values |= {"best_epoch": float(best)}
            values |= {f"best_{name}": value for name, value in dict(by_seed[seed])[best].items()}
        found[seed] = values
    return found


def means(rows: list[dict[str, float]]) -> dict[str, float]:
    """The mean of every value over the rows, which all have the same."""
    return {name: fmean(row[name] for row in rows) for name in rows[0]}


def scores(entry: Entry) -> tuple[dict[str, float], dict[int, dict[str, float]]]:
    """The metrics of one experiment's evaluation.

    Returns:
        Over the seeds the mean, as "final/test/mae", its spread "final/test/mae_std", and the ends of its 95 %
        interval, "final/test/mae_low" and "final/test/mae_high"; and seed -> values.
    """
    overall: dict[str, float] = {}
    each: dict[int, dict[str, float]] = {}
    for name, stat in _stats(entry.model_dump(exclude={"best_epoch"})):
        overall |= {name: stat["mean"]} | ({} if stat["std"] is None else {f"{name}_std": stat["std"]})
        if stat["std"] is not None and stat["sure"]:
            overall[f"{name}_low"], overall[f"{name}_high"] = stat["sure"]
        for seed, value in zip(entry.seeds, stat["values"], strict=False):
            each.setdefault(seed, {})[name] = value
    return overall, each


def _stats(entry: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    for key, value in entry.items():
        name = above + re.sub(r"[^\w.: -]", "_", key)  # what MLflow takes in a name
        if isinstance(value, Mapping) and {"mean", "std", "values"} <= set(value):
            yield name, value
        elif isinstance(value, Mapping):
            yield from _stats(value, f"{name}/")


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
