"""What one more seed costs: in a process that trains several, and in a process of its own beside others.

Networks, windows and batches are those of the real experiments; data, steps and epochs those of the demo. Compiled
programs are not kept here, as in a first build.
"""

import os
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench import process_cost
from bench.repository import REPOSITORY
from pipeline.config import plain_yaml
from pipeline.workspace import Workspace
from stages.repro import build
from stages.workspaces import scaled

EXPERIMENTS = ("sine_windows_lstm", "imdb_lstm", "jena_gru")

SEEDS, QUICK_SEEDS = 4, 2
ROUNDS = 2


def measure(quick: bool, on_step: Callable[[str], None]) -> dict[str, Any]:
    """Experiment -> `epochs`, `seeds` and `cores`, and `one`, `together` and `apart` -> seconds and CPU seconds.

    `one` is a process with one seed, `together` one with all seeds, `apart` a process for each seed, as many at once as
    there are cores. The least of the rounds counts.
    """
    plain, cores = plain_yaml.read(REPOSITORY / "params.yaml"), os.cpu_count() or 1
    seeds = QUICK_SEEDS if quick else SEEDS
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="unroll-bench-") as folder:
        workspace = Workspace(Path(folder))
        small = only(scaled.scale(plain), seeds)
        plain_yaml.write(small, workspace.params)
        for name in small["sources"]:
            unroll(workspace, "source", name)
        for name in small["datasets"]:
            unroll(workspace, "prepare", name)
        for name in EXPERIMENTS:
            ways = {"one": [f"{name}_0"], "together": [name], "apart": [f"{name}_{seed}" for seed in range(seeds)]}
            costs: dict[str, dict[str, float]] = {}
            for number in range(1 if quick else ROUNDS):
                for way, runs in ways.items():
                    on_step(f"{name}: {seeds} seeds, {way}, round {number + 1}")
                    cost = side_by_side(workspace, runs, cores)
                    costs[way] = min(cost, costs.get(way, cost), key=lambda one: one["seconds"])
            epochs = small["datasets"][small["experiments"][name]["dataset"]]["training"]["epochs"]
            found[name] = {"epochs": epochs, "seeds": seeds, "cores": cores, **costs}
    return found


def only(plain: Mapping[str, Any], seeds: int) -> dict[str, Any]:
    """The sections of a params.yaml with the measured experiments: with all seeds, and each seed by itself."""
    chosen = {name: plain["experiments"][name] for name in EXPERIMENTS}
    experiments = {name: one | {"seeds": seeds} for name, one in chosen.items()}
    experiments |= {f"{name}_{seed}": one | {"seeds": [seed]} for name, one in chosen.items() for seed in range(seeds)}
    datasets = {one["dataset"]: plain["datasets"][one["dataset"]] for one in chosen.values()}
    return {
        "sources": {one["source"]: plain["sources"][one["source"]] for one in datasets.values()},
        "datasets": datasets,
        "experiments": experiments,
    }


def side_by_side(workspace: Workspace, experiments: list[str], cores: int) -> dict[str, float]:
    """Train each in a process of its own, so many at once: the seconds until all have ended, and their CPU seconds."""
    start = time.perf_counter()
    with ThreadPoolExecutor(cores) as pool:
        costs = list(pool.map(lambda name: unroll(workspace, "train", name), experiments))
    return {"seconds": time.perf_counter() - start, "cpu": sum(cost["cpu"] for cost in costs)}


def unroll(workspace: Workspace, *command: str) -> dict[str, float]:
    """Run a command of `unroll` on one core's worth of threads; see `process_cost.run`."""
    # Where the user has set this, here to its default, Unroll keeps no compiled programs.
    unkept = {"TF_XLA_FLAGS": "--tf_xla_enable_lazy_compilation=true", "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment = os.environ | build.environment() | unkept
    python = str(process_cost.interpreter())
    return process_cost.run([python, "-m", "stages", "--root", str(workspace.root), *command], REPOSITORY, environment)
