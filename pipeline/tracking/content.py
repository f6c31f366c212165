"""What the records say: parameters, tags and metrics, worked out from the files on disk, without MLflow."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from pipeline import fingerprint, provenance
from pipeline.errors import UnrollError
from pipeline.params import Experiment, Params
from pipeline.provenance import Origin
from pipeline.storage import Workspace, read_csv, read_json

Lines = dict[int, list[tuple[int, dict[str, float]]]]
"""A history: seed -> epochs (from 1) and their values, in order."""

MARK = " (stand-in)"
"""Behind the name of whatever comes from a stand-in."""

STAND_IN = "Stand-in data, generated in place of the real ones: no figure here is a result."


@dataclass(frozen=True)
class Subject:
    """What is known of an experiment before it is trained.

    Attributes:
        name: the key in params.yaml.
        dataset: the data set's name.
        title: of the MLflow experiment.
        label: what runs are called: the name, marked for stand-ins.
        params: flat, as in params.yaml.
        tags: of every run of it.
        facts: dataset.json.
    """

    name: str
    dataset: str
    title: str
    label: str
    params: dict[str, str]
    tags: dict[str, str]
    facts: dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What a training left on disk.

    Attributes:
        run: run.json.
        lines: history.csv.
        fingerprint: of all its files.
    """

    run: dict[str, Any]
    lines: Lines
    fingerprint: str


def outcome(folder: Path) -> Outcome:
    """Read `runs/DATASET/EXPERIMENT`.

    Raises:
        UnrollError: a file is missing or damaged.
    """
    try:
        return Outcome(dict(read_json(folder / "run.json")), history(folder), fingerprint.run(folder))
    except (KeyError, ValueError, TypeError) as error:
        raise UnrollError(f"{folder} is damaged ({error!r:.80}); delete it and run `unroll repro`") from None


def title(dataset: str, stand_in: bool) -> str:
    """What the MLflow experiment of a data set is called; stand-ins have one apart, so that the two never mix."""
    return dataset + MARK * stand_in


def subject(
    workspace: Workspace,
    params: Params,
    name: str,
    experiment: Experiment | None = None,
    made: Mapping[str, str] | None = None,
) -> Subject:
    """Read what is known of an experiment.

    Args:
        workspace: its data set must be prepared.
        params: params.yaml.
        name: the experiment.
        experiment: as it is really trained, if not as in params.yaml.
        made: tags for where its runs were made (`origin`); None: here and now.

    Raises:
        UnrollError: the data set is not prepared.
    """
    experiment = experiment or params.experiment(name)
    facts = read_json(workspace.prepared(experiment.dataset) / "dataset.json")
    tags = {
        "unroll.experiment": name,
        "unroll.dataset": experiment.dataset,
        "unroll.stage": "train",
        "unroll.stand_in": str(facts["stand_in"]).lower(),
        "mlflow.source.name": f"unroll train {name}",
        "mlflow.source.type": "LOCAL",
    }
    protocol = params.dataset(experiment.dataset).preparation.options.get("protocol")
    if protocol:
        tags["unroll.protocol"] = str(protocol)
    if facts["stand_in"]:
        tags["mlflow.note.content"] = STAND_IN
    tags |= {f"unroll.unit.{metric}": unit for metric, unit in units(facts).items()}
    tags |= origin(provenance.origin(workspace)) if made is None else made
    flat = {"dataset": experiment.dataset, "seeds": json.dumps(experiment.seeds)}
    for part in ("model", "training"):
        flat |= {f"{part}.{key}": _plain(value) for key, value in getattr(experiment, part).model_dump().items()}
    group, label = title(experiment.dataset, facts["stand_in"]), name + MARK * facts["stand_in"]
    return Subject(name, experiment.dataset, group, label, flat, tags, facts)


def units(facts: Mapping[str, Any]) -> dict[str, str]:
    """The unit of each measure of a data set; facts are its dataset.json."""
    if facts["kind"] == "classify":
        return {"accuracy": "share of examples", "loss": "nats"}
    unit, std = facts["scale"]["unit"], facts["scale"]["std"]
    if not unit:
        return {"mae": "units of the data", "mse": "units of the data, squared"}
    one = f"{std:.4g} {unit}"
    return {"mae": f"1 = {one}", "mse": f"1 = ({one})²", "mae_unit": unit, "rmse_unit": unit}


def origin(made: Origin) -> dict[str, str]:
    """Tags for where a run was made."""
    tags = {"unroll.python": made.python, "unroll.cpu": made.cpu}
    if made.commit is None:
        return tags
    return tags | {"mlflow.source.git.commit": made.commit, "unroll.git_dirty": str(made.dirty).lower()}


def history(folder: Path) -> Lines:
    """The history.csv of a run. Raises UnrollError if it is missing."""
    lines: Lines = {}
    for row in read_csv(folder / "history.csv"):
        seed, epoch = int(row.pop("seed")), int(row.pop("epoch"))
        lines.setdefault(seed, []).append((epoch, {name: float(value) for name, value in row.items() if value}))
    return lines


def mean_history(lines: Lines) -> list[tuple[int, dict[str, float]]]:
    """The mean over seeds of every value that an epoch has for all of them."""
    by_epoch: dict[int, list[dict[str, float]]] = {}
    for replicate in lines.values():
        for epoch, values in replicate:
            by_epoch.setdefault(epoch, []).append(values)
    return [(epoch, means(rows)) for epoch, rows in by_epoch.items() if len(rows) == len(lines)]


def summary(run: Mapping[str, Any], lines: Lines) -> dict[int, dict[str, float]]:
    """Seed -> what its training comes to: parameters, epochs, the best epoch and the values there.

    Args:
        run: run.json.
        lines: history.csv.
    """
    summaries = {}
    for place, seed in enumerate(run["seeds"]):
        epochs = dict(lines.get(seed, []))
        values = {"parameters": float(run["parameters"]), "epochs": float(len(epochs))}
        if run["best_epochs"]:
            best = run["best_epochs"][place]
            values |= {"best_epoch": float(best)} | {f"best_{k}": v for k, v in epochs.get(best, {}).items()}
        summaries[seed] = values
    return summaries


def means(rows: list[dict[str, float]]) -> dict[str, float]:
    """The mean of every value that all rows have."""
    return {name: fmean(row[name] for row in rows) for name in rows[0] if all(name in row for row in rows)}


def scores(entry: Mapping[str, Any]) -> tuple[dict[str, float], dict[int, dict[str, float]]]:
    """The metrics of one experiment's evaluation.

    Args:
        entry: `experiments[NAME]` of an evaluation.json.

    Returns:
        Means and spreads over seeds, by names such as "final/test/mae" and "final/test/mae_std"; and
        seed -> values.
    """
    overall: dict[str, float] = {}
    each: dict[int, dict[str, float]] = {}
    for name, stat in _stats(entry):
        if "/" not in name:  # the best epoch, which the training has recorded
            continue
        overall |= {name: stat["mean"]} | ({} if stat["std"] is None else {f"{name}_std": stat["std"]})
        for seed, value in zip(entry["seeds"], stat["values"], strict=False):
            each.setdefault(seed, {})[name] = value
    return {name: value for name, value in overall.items() if math.isfinite(value)}, each


def _stats(entry: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    for key, value in entry.items():
        name = above + re.sub(r"[^\w.: -]", "_", key)  # what MLflow takes in a name
        if isinstance(value, Mapping) and {"mean", "std", "values"} <= set(value):
            yield name, value
        elif isinstance(value, Mapping):
            yield from _stats(value, f"{name}/")


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
