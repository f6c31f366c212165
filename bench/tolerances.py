"""What is committed, rebuilt in other conditions: how far each metric moves is its tolerance (tolerances.json)."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline import numerics
from pipeline.errors import UnrollError, UsageError
from pipeline.files import read_json, write_json
from pipeline.provenance import record
from pipeline.provenance.machine import flags
from pipeline.workspace import Workspace
from unroll.runner import dvc_graph
from unroll.runner.scheduler import Graph
from unroll.verify.compare import Build, compare, first_names, numbers
from unroll.verify.verify import build, exclusive
from unroll.workspaces import checkout
from unroll.workspaces.checkout import Checkout

FILE = "bench/tolerances.json"

BELOW = {
    numerics.KEEP: "XLA_FLAGS,OPENBLAS_CORETYPE,NPY_DISABLE_CPU_FEATURES",
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-FMA,-FMA4",
}

CONDITIONS = {
    # A processor with AVX, without AVX2 and FMA; one without AVX.
    "all_avx": {"XLA_FLAGS": "--xla_cpu_max_isa=AVX", "OPENBLAS_CORETYPE": "Sandybridge"} | BELOW,
    "all_sse4_2": {"XLA_FLAGS": "--xla_cpu_max_isa=SSE4_2", "OPENBLAS_CORETYPE": "Nehalem"} | BELOW,
}
"""Name -> variables with which libraries compute as on another processor; each changes all that one may change."""

Metrics = Mapping[tuple[str, str], float]
"""Experiment and metric, as in results/metrics/DATASET/EXPERIMENT.json -> value."""


def measure(workspace: Workspace, targets: Sequence[str], jobs: int) -> None:
    """Rebuild what is committed in each of `CONDITIONS`, and write bench/tolerances.json.

    The tolerance of a metric is the largest distance between any two of the builds, the committed one included. Data
    sets are measured whose evaluation is among the targets (none: all) or among what they need; others keep the
    tolerances that they have. Builds lie in the workspace's folder `.verify`.

    Raises:
        UsageError: a target is no stage, or scores nothing.
        UnrollError: another `unroll verify` is at work here, nothing is committed to compare with or it was built from
            other code or params, or the processor cannot be brought into a condition; or at the end, if some data set
            could not be built.
        StoppedError: a build was stopped; the same command goes on from there.
    """
    if not {"avx2", "fma"} <= set(flags()):
        raise UnrollError(
            "no AVX2 and FMA here, as far as is known (only Linux tells), so this processor cannot be capped"
        )
    folders = {name: workspace.root / checkout.FOLDER / f"measure-{name}" for name in CONDITIONS}
    with exclusive(workspace):
        checkouts = {name: checkout.make(workspace.root, folder) for name, folder in folders.items()}
        first = next(iter(checkouts.values()))
        graph = _graph(first.workspace, targets)
        datasets = [stage.partition("@")[2] for stage in graph.needs if stage.startswith("evaluate@")]
        for number, (name, fresh) in enumerate(checkouts.items(), 1):
            print(f"{number} of {len(checkouts)}: {name}: {first_names(datasets)}, in {folders[name]}", flush=True)
            stages = [f"evaluate@{dataset}" for dataset in datasets]
            build(fresh.workspace, stages, jobs, CONDITIONS[name])
            _require_same_inputs(fresh, graph)
        workspaces = [first.committed, *(fresh.workspace for fresh in checkouts.values())]
        builds = {dataset: [dict(numbers(built.metrics(dataset))) for built in workspaces] for dataset in datasets}
        _write(workspace, {dataset: metrics for dataset, metrics in builds.items() if all(metrics)})
        for folder in folders.values():
            checkout.finish(folder)
            checkout.clear(folder)
    if missing := sorted(dataset for dataset, metrics in builds.items() if not all(metrics)):
        raise UnrollError(f"not measured, since not built: {', '.join(missing)}; all others are in {FILE}")


def spread(builds: Sequence[Metrics]) -> dict[str, dict[str, float]]:
    """Experiment -> metric -> the largest distance between two of the builds; of metrics that all of them have."""
    distances: dict[str, dict[str, float]] = {}
    for experiment, metric in builds[0]:
        values = [build[experiment, metric] for build in builds if (experiment, metric) in build]
        if len(values) == len(builds):
            distances.setdefault(experiment, {})[metric] = max(values) - min(values)
    return distances


def _graph(workspace: Workspace, targets: Sequence[str]) -> Graph:
    whole = dvc_graph.read(workspace.root)
    graph = whole.within(targets) if targets else whole
    if not any(stage.startswith("evaluate@") for stage in graph.needs):
        raise UsageError(f"{', '.join(targets)}: no metric comes of that; name a stage such as evaluate@waves")
    return graph


def _require_same_inputs(fresh: Checkout, graph: Graph) -> None:
    """Raise UnrollError if results moved because code or params are others than those of the committed dvc.lock."""
    contents = dvc_graph.cache(fresh.workspace.root)
    committed, rebuilt = Build(fresh.committed, contents), Build(fresh.workspace, contents)
    needs = {stage: needed for stage, needed in graph.needs.items() if stage != "report"}
    changed = {name for output in compare(committed, rebuilt, needs, {}, {}) for name in output.inputs}
    if changed:
        raise UnrollError(
            f"the committed results are of other {first_names(sorted(changed))}; `unroll repro`, commit what it wrote, "
            "and measure then"
        )


def _write(workspace: Workspace, builds: Mapping[str, Sequence[Metrics]]) -> None:
    """Put what the builds say of data sets into bench/tolerances.json, in place of what it says of them."""
    path = workspace.root / FILE
    data: dict[str, Any] = read_json(path) if path.exists() else {"conditions": {}, "tolerances": {}}
    where = record.environment(workspace).model_dump(include={"cpu", "platform", "python", "packages"})
    for dataset, metrics in builds.items():
        data["conditions"][dataset] = {"names": list(CONDITIONS), **where}
        data["tolerances"][dataset] = spread(metrics)
    write_json(path, {part: dict(sorted(data[part].items())) for part in ("conditions", "tolerances")})
