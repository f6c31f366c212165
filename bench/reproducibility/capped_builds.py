"""One small graph in every condition: which bytes stay the same, and how far metrics move (bench/conditions.json)."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.reproducibility.cpu_caps import EMULATOR, Condition, clear, possible
from pipeline.config import params, plain_yaml
from pipeline.config.params import Params
from pipeline.files import write_json, write_text
from pipeline.provenance import environment
from pipeline.report.formatting import exponent
from pipeline.workspace import Workspace
from unroll.runner import dvc_graph
from unroll.verify.compare_builds import Build
from unroll.verify.isolated_build import build_all, only
from unroll.verify.tolerances import deviations
from unroll.workspaces import checkout, miniature

FILE = "bench/conditions.json"

SAME, DIFFER, FOLLOW = "same", "differ", "follow"
"""What the bytes of a kind of stage do: `follow` where they differ, and no stage of the kind had the same inputs."""

GROUPS = {"source": "sources", "prepare": "data sets", "evaluate": "evaluations", "report": "page"}
"""Verb -> the column of its stages; trainings have theirs by method, or by model where that is a network's."""

COMPILED = {"method": "gradient_descent", "optimizer": "adam", "loss": "mse", "epochs": 2, "batch_size": 16}
DRAWN = {"optimizer": "rmsprop", "loss": "mae", "order": "draws", "steps_per_epoch": 20, "batch_size": 64}
SOURCES = {
    "sine": {"kind": "sine"},
    "waves": {"kind": "waves", "train": 1000},
    "jena": {"kind": "stand_in", "of": "jena", "rows": 4000},
    "imdb": {"kind": "stand_in", "of": "imdb", "rows": 500},
}
EXPERIMENTS = {
    "sine_dense64": ("sine", {"family": "dense", "name": "mlp", "hidden": [64]}, COMPILED),
    "waves_perceptron": (
        "waves",
        {"family": "dense", "name": "mlp", "hidden": [10], "activation": "tanh", "output": "tanh"},
        {"method": "by_hand", "learning_rate": 0.1, "epochs": 2},
    ),
    "waves_rnn20x2": (
        "waves",
        {"family": "recurrent", "name": "simple_rnn", "units": 20, "layers": 2},
        COMPILED,
    ),
    "jena_ridge": ("jena", {"family": "baselines", "name": "linear"}, {"method": "least_squares", "ridge": 1.0}),
    "jena_gru32": ("jena", {"family": "recurrent", "name": "gru", "units": 32}, COMPILED | DRAWN),
    "jena_lstm_dropout": (
        "jena",
        {"family": "recurrent", "name": "lstm", "units": 32, "dropout": 0.2, "recurrent_dropout": 0.2},
        COMPILED | DRAWN,
    ),
}
"""Instead of the miniature's sources, and besides its experiments: sizes for which libraries have special code."""


def measure(workspace: Workspace, jobs: int) -> dict[str, Any]:
    """Build the graph plainly and in every condition, and compare each kind of stage; conditions.json holds the result.

    Args:
        workspace: whose code is tried; what is built lies in its folder `.verify` until it is compared.
        jobs: how many stages run side by side.

    Returns:
        What conditions.json holds: where this was seen (cpu, features, platform, python, packages), the columns, and
        for each condition why, variables and, for each column, what its bytes do (`SAME`, `DIFFER` or `FOLLOW`) and the
        largest relative distance that a metric has moved by.

    Raises:
        UnrollError: another `unroll verify` is at work here, the processor is not known, or a build fails.
        StoppedError: a build was stopped.
    """
    clear()
    here = environment.here(workspace)
    chosen = possible(here.features)
    folder = workspace.root / checkout.FOLDER / "conditions"
    found: dict[str, Any] = {}
    with only(workspace):
        checkout.clear(folder)
        print(f"plain, then {len(chosen)} conditions", file=sys.stderr, flush=True)
        plain = build(workspace, folder / "plain", jobs)
        wanted = params.load(plain.workspace.params)
        columns = list(dict.fromkeys(column(stage, wanted) for stage in plain.stages))
        for place, (name, condition) in enumerate(chosen.items(), 1):
            print(f"{place} of {len(chosen)}: {name}, {condition.why}", file=sys.stderr, flush=True)
            other = build(workspace, folder / name, jobs, condition)
            results = {key: {"bytes": SAME} for key in columns} | compare(plain, other, wanted)
            found[name] = {"why": condition.why, "variables": dict(condition.variables), "results": results}
            checkout.clear(folder / name)
        checkout.clear(folder)
    facts = here.model_dump(include={"cpu", "features", "platform", "python", "packages"})
    result = {**facts, "columns": columns, "conditions": found}
    write_json(workspace.root / FILE, result)
    return result


def build(workspace: Workspace, folder: Path, jobs: int, condition: Condition | None = None) -> Build:
    """Build the graph in a new folder. Errors as in `measure`."""
    small = miniature.make_workspace(workspace.root, folder)
    experiments = {
        name: {"dataset": dataset, "model": model, "training": training}
        for name, (dataset, model, training) in EXPERIMENTS.items()
    }
    whole = plain_yaml.read(miniature.PARAMS)
    plain_yaml.write(whole | {"sources": SOURCES, "experiments": whole["experiments"] | experiments}, small.params)
    if condition and condition.emulated:
        emulate(small, condition.emulated)
    build_all(small, jobs, condition.variables if condition else None, quiet=True)
    return Build(small, dvc_graph.cache(folder))


def emulate(workspace: Workspace, processor: str) -> None:
    """Let each stage of a workspace run on an emulated processor: `unroll repro` gives other commands to a shell."""
    stages = workspace.root / "dvc.yaml"
    program = f"{EMULATOR} -cpu {processor} {sys.executable} -m unroll "
    write_text(stages, stages.read_text(encoding="utf-8").replace("cmd: unroll ", f"cmd: {program}"))


def column(stage: str, wanted: Params) -> str:
    """The kind of a stage, which the table has a column for."""
    verb, _, name = stage.partition("@")
    if verb in GROUPS:
        return GROUPS[verb]
    experiment = wanted.experiments[name]
    method = experiment.training.method
    return (experiment.model.name if method == "gradient_descent" else method).replace("_", " ")


def compare(plain: Build, other: Build, wanted: Params) -> dict[str, dict[str, Any]]:
    """Column -> what its bytes do and, for trainings, by how much metrics move; of columns that are not the same."""
    found: dict[str, dict[str, Any]] = {}
    for stage in plain.stages:
        if plain.outputs(stage) == other.outputs(stage):
            continue
        entry = found.setdefault(column(stage, wanted), {"bytes": FOLLOW})
        if plain.stages[stage].get("deps") == other.stages[stage].get("deps"):
            entry["bytes"] = DIFFER
        verb, _, name = stage.partition("@")
        if verb == "train":
            entry["moved"] = max(entry.get("moved", 0.0), moved(plain, other, wanted.experiments[name].dataset, name))
    return found


def moved(plain: Build, other: Build, dataset: str, experiment: str) -> float:
    """The largest relative distance between metrics of an experiment in two builds."""
    files = plain.workspace.metrics(dataset), other.workspace.metrics(dataset)
    pairs = [(one.committed, one.rebuilt) for one in deviations(dataset, *files, {}) if one.experiment == experiment]
    return max((abs(a - b) / max(abs(a), abs(b)) for a, b in pairs if a is not None and b is not None), default=0.0)


def table(result: Mapping[str, Any]) -> list[list[str]]:
    """The head, then a line for each condition."""
    columns = result["columns"]
    conditions = result["conditions"].items()
    return [
        ["condition", *columns],
        *([name, *(_cell(one["results"][key]) for key in columns)] for name, one in conditions),
    ]


def _cell(entry: Mapping[str, Any]) -> str:
    """What a kind of stage does in a condition: `=`, or how far it moves; in brackets where its inputs did."""
    if entry["bytes"] == SAME:
        return "="
    text = exponent(entry["moved"], 0) if entry.get("moved") else "bytes"
    return f"({text})" if entry["bytes"] == FOLLOW else text
