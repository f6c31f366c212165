"""Where a build's time and memory go, and what stages side by side gain.

The demo's graph is built three times, each in a workspace of its own: by a plain `dvc repro`, and by `unroll repro`
with one job and with two. `bench/costs/probe` keeps the accounts of every process.
"""

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench import process_cost, results, workspaces
from bench.costs import cpu_accounts, extrapolate, seeds
from bench.costs.cpu_accounts import Cost
from bench.peers import workloads
from bench.repository import OFFICIAL_ROWS, REPOSITORY
from bench.scaling import prepare
from pipeline.config import params, plain_yaml
from pipeline.evaluation import claims
from pipeline.files import sha256
from pipeline.workspace import Workspace
from stages.workspaces import scaled

OnStep = Callable[[str], None]

PROBE = REPOSITORY / "bench" / "costs" / "probe"
ACCOUNTS = "accounts"

BUILDS = {
    "dvc repro": ("-m", "dvc", "repro"),
    "unroll repro --jobs 1": ("-m", "stages", "repro", "--jobs", "1"),
    "unroll repro --jobs 2": ("-m", "stages", "repro", "--jobs", "2"),
}

CHECKED = ("jena_hourly_gru", "imdb_lstm")
"""Experiments that are also trained on data of the official size: is a step the same? For two epochs, since the first
compiles."""


def measure(quick: bool, on_step: OnStep) -> dict[str, Any]:
    """Measure everything; JSON-able.

    Args:
        quick: one experiment of each method in place of the whole demo, and fewer rows to prepare.
        on_step: told in words what is done next.

    Returns:
        stages (how many), builds (command -> seconds, cpu, phases), same_lock (whether dvc.lock is the same bytes after
        all of them), no_op (command -> seconds, cpu), memory (kind of stage -> stage, peak in MiB), full (see
        `extrapolate.estimate`), seeds (see `seeds.measure`) and checked (experiment -> seconds per step, demo and
        real).

    Raises:
        CommandFailedError: a build or a stage failed; says the last line that it printed.
    """
    plain = plain_yaml.read(REPOSITORY / "params.yaml")
    small = scaled.without(scaled.scale(plain), scaled.TWINS)
    small = one_of_each(small) if quick else small
    with tempfile.TemporaryDirectory(prefix="unroll-bench-") as folder:
        made = {command: make_workspace(Path(folder) / str(n), small) for n, command in enumerate(BUILDS)}
        builds, costs = {}, {}
        for command, workspace in made.items():
            on_step(f"{command}: the demo's graph")
            found = run(workspace, *BUILDS[command])
            costs[command] = cpu_accounts.read(workspace.scratch / ACCOUNTS)
            cpu_accounts.close(costs[command], found["cpu"])
            phases = cpu_accounts.total(costs[command])
            builds[command] = {"seconds": found["seconds"], "cpu": found["cpu"], "phases": phases}
        locks = {sha256(workspace.root / "dvc.lock") for workspace in made.values()}
        no_op = {}
        for command, workspace in made.items():
            on_step(f"{command}: nothing to do")
            found = run(workspace, *BUILDS[command])
            no_op[command] = {"seconds": found["seconds"], "cpu": found["cpu"]}
        alone, demo = costs["dvc repro"], made["dvc repro"]
        on_step("making data of the official size")
        real = Workspace(Path(folder) / "official")
        workloads.prepare(real.root, REPOSITORY, small["experiments"], mirror=bool(os.environ.get("UNROLL_MIRROR")))
        trained = {} if quick else check(real, Path(folder) / "real", plain, alone, on_step)
        named = {claim.experiment for claim in claims.load(REPOSITORY / "claims.yaml")}
        full = extrapolate.estimate(real, demo, costs["unroll repro --jobs 1"], named)
        result = {
            "stages": sum(1 for stage in alone if stage),
            "builds": builds,
            "same_lock": len(locks) == 1,
            "no_op": no_op,
            "memory": memory(alone, demo) | official(quick, on_step),
            "full": full,
            "seeds": seeds.measure(quick, on_step),
            "checked": {
                name: {"demo": alone[f"train {name}"].rates["train"], "real": cost.rates["train"]}
                for name, cost in trained.items()
            },
        }
    return results.rounded(result)


def one_of_each(plain: Mapping[str, Any]) -> dict[str, Any]:
    """The first experiment of each training method, with what it needs, of the sections of a params.yaml."""
    chosen: dict[str, str] = {}
    for name, one in plain["experiments"].items():
        chosen.setdefault(one["training"]["method"], name)
    experiments = {name: plain["experiments"][name] for name in chosen.values()}
    datasets = {name: plain["datasets"][name] for name in dict.fromkeys(e["dataset"] for e in experiments.values())}
    sources = {name: plain["sources"][name] for name in dict.fromkeys(d["source"] for d in datasets.values())}
    return {"sources": sources, "datasets": datasets, "experiments": experiments}


def make_workspace(folder: Path, plain: Mapping[str, Any]) -> Workspace:
    """A fresh workspace that has a folder for accounts."""
    workspace = workspaces.make_workspace(folder, plain)
    (workspace.scratch / ACCOUNTS).mkdir()
    return workspace


def run(workspace: Workspace, *arguments: str) -> dict[str, float]:
    """Run Python in a workspace, every process of it with an account; see `process_cost.run`."""
    accounts = {"UNROLL_BENCH_ACCOUNTS": str(workspace.scratch / ACCOUNTS)}
    variables = workspaces.environment(workspace, PROBE) | accounts
    return process_cost.run([str(process_cost.interpreter()), *arguments], workspace.root, variables)


def memory(costs: Mapping[str, Cost], workspace: Workspace) -> dict[str, dict[str, Any]]:
    """Kind of stage -> the stage with the highest peak, and that peak in MiB.

    The kind of a training is its method; networks by gradient descent are told apart by the kind of their layers.
    """
    experiments = params.load(workspace.params).experiments
    found: dict[str, dict[str, Any]] = {}
    for stage, cost in costs.items():
        kind, _, name = stage.partition(" ")
        if kind == "train":
            method = experiments[name].training.method
            kind = f"train, {experiments[name].model.name if method == 'gradient_descent' else method}"
        if stage and cost.peak > found.get(kind, {"peak": 0.0})["peak"]:
            found[kind] = {"stage": stage, "peak": cost.peak}
    return found


def official(quick: bool, on_step: OnStep) -> dict[str, dict[str, Any]]:
    """The peak of preparing a generated file of the size of the official one, as `memory` gives it."""
    rows = OFFICIAL_ROWS // 10 if quick else OFFICIAL_ROWS
    on_step(f"prepare {rows:,} rows")
    with tempfile.TemporaryDirectory(prefix="unroll-bench-") as folder:
        workspace = Workspace(Path(folder))
        plain_yaml.write(prepare.stand_in(plain_yaml.read(REPOSITORY / "params.yaml"), rows), workspace.params)
        prepare.measure(workspace.root, "source", "jena")
        peaks = {name: prepare.measure(workspace.root, "prepare", name)["peak"] for name in prepare.DATASETS}
    name = max(peaks, key=lambda name: peaks[name])
    return {f"prepare, {rows:,} rows": {"stage": f"prepare {name}", "peak": peaks[name]}}


def check(
    real: Workspace, folder: Path, plain: Mapping[str, Any], demo: Mapping[str, Cost], on_step: OnStep
) -> dict[str, Cost]:
    """Train some experiments on data of the official size for two epochs; what each cost.

    Args:
        real: has that data, which is read through a link.
        folder: becomes a workspace.
        plain: the real params.yaml.
        demo: stage -> its cost in the demo; what is not in it is not trained.
        on_step: told what is trained.
    """
    experiments = {
        name: plain["experiments"][name] | {"training": plain["experiments"][name]["training"] | {"epochs": 2}}
        for name in CHECKED
        if f"train {name}" in demo
    }
    workspace = make_workspace(folder, {**plain, "experiments": experiments})
    (workspace.root / "data").mkdir()
    (workspace.root / "data" / "prepared").symlink_to(real.prepared("-").parent, target_is_directory=True)
    for name in experiments:
        on_step(f"train {name} on data of the official size")
        run(workspace, "-m", "stages", "train", name)
    found = cpu_accounts.read(workspace.scratch / ACCOUNTS)
    return {name: found[f"train {name}"] for name in experiments}
