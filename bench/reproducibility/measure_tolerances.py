"""What is committed, rebuilt in other conditions: how far each metric moves is its tolerance (tolerances.json)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.reproducibility.cpu_caps import MEASURED, Condition, clear, possible
from pipeline.errors import UnrollError, UsageError
from pipeline.files import read_json, sha256, write_json
from pipeline.provenance import environment
from pipeline.workspace import Workspace
from unroll.runner import dvc_graph
from unroll.runner.dvc_graph import Graph
from unroll.runner.dvc_lock import LOCK
from unroll.verify.compare_builds import Build, compare
from unroll.verify.isolated_build import build, only
from unroll.verify.tolerances import numbers
from unroll.verify.verdict import some
from unroll.workspaces import checkout
from unroll.workspaces.checkout import Checkout

FILE = "bench/tolerances.json"
COMMITTED = "committed"
"""The first of the builds that are compared: its metrics are in git."""

Metrics = dict[str, dict[str, dict[str, float]]]
"""Data set -> experiment -> metric, as a dotted path in metrics/DATASET/EXPERIMENT.json -> value."""


def measure(workspace: Workspace, targets: Sequence[str], jobs: int) -> None:
    """Rebuild what is committed in each condition of `MEASURED`, and write bench/tolerances.json after each.

    The tolerance of a metric is the largest distance between any two of the builds, the committed one included. Data
    sets that are not measured keep the tolerances that they have. What was built before in a condition, for the same
    committed dvc.lock, counts and is not built again; a build that was broken off is gone on with.

    Args:
        workspace: the user's; bench/tolerances.json is written there, and builds lie in its folder `.verify`.
        targets: the stages to rebuild, such as `evaluate@waves`; none means all. Data sets whose evaluation is among
            them, or among what they need, are measured.
        jobs: how many stages run side by side.

    Raises:
        UsageError: a target is no stage, or scores nothing.
        UnrollError: another `unroll verify` is at work here, nothing is committed to compare with or it was built from
            other code or params, or the processor cannot be brought into a condition; or at the end, if some data set
            could not be built.
        StoppedError: a build was stopped; the same command goes on from there.
    """
    clear()
    conditions = possible(environment.here(workspace).features)
    missing: set[str] = set()
    with only(workspace):
        for place, name in enumerate(MEASURED, 1):
            condition, folder = conditions[name], workspace.root / checkout.FOLDER / f"measure-{name}"
            made = checkout.make(workspace.root, folder)
            asked = _asked(made.workspace, targets)
            datasets = [stage.partition("@")[2] for stage in asked.needs if stage.startswith("evaluate@")]
            committed = _read(made.committed, datasets)
            # dvc.lock has the hashes of code, params and data: what was measured for another is of no use.
            kept = workspace.scratch / "measured" / sha256(made.committed.root / LOCK)[:16]
            print(f"{place} of {len(MEASURED)}: {name}, {condition.why}: {some(datasets)}, in {folder}", flush=True)
            built = _measured(made, asked, datasets, kept / f"{name}.json", condition, jobs)
            checkout.finish(folder)
            checkout.clear(folder)
            missing.update(set(datasets).difference(built))
            builds = {file.stem: read_json(file) for file in sorted(kept.glob("*.json"))}
            _write(workspace, {COMMITTED: committed, **builds}, datasets)
    if missing:
        raise UnrollError(f"not measured, since not built: {', '.join(sorted(missing))}; all others are in {FILE}")


def spread(builds: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, float]]:
    """Experiment -> metric -> the largest distance between two of the builds; of metrics that all of them have."""
    found: dict[str, dict[str, float]] = {}
    for experiment, metrics in builds[0].items():
        found[experiment] = {}
        for metric in metrics:
            values = [one[experiment][metric] for one in builds if metric in one.get(experiment, {})]
            if len(values) == len(builds):
                found[experiment][metric] = max(values) - min(values)
    return found


def _asked(workspace: Workspace, targets: Sequence[str]) -> Graph:
    whole = dvc_graph.read(workspace.root)
    asked = whole.within(targets) if targets else whole
    if not any(stage.startswith("evaluate@") for stage in asked.needs):
        raise UsageError(f"{', '.join(targets)}: no metric comes of that; name a stage such as evaluate@waves")
    return asked


def _measured(
    made: Checkout, asked: Graph, datasets: Sequence[str], kept: Path, condition: Condition, jobs: int
) -> Metrics:
    """The metrics in a condition: those that are kept, and of a build of the others, which are then kept too."""
    known: Metrics = read_json(kept) if kept.exists() else {}
    left = [dataset for dataset in datasets if dataset not in known]
    if left:
        build(made.workspace, [f"evaluate@{dataset}" for dataset in left], jobs, condition.variables, quiet=False)
        _require_same_inputs(made, asked)
        known |= _read(made.workspace, left)
        write_json(kept, known)
    return known


def _require_same_inputs(made: Checkout, asked: Graph) -> None:
    """Raise UnrollError if results moved because code or params are others than those of the committed dvc.lock."""
    contents = dvc_graph.cache(made.workspace.root)
    committed, rebuilt = Build(made.committed, contents), Build(made.workspace, contents)
    needs = {stage: needed for stage, needed in asked.needs.items() if stage != "report"}
    changed = {name for output in compare(committed, rebuilt, needs, {}, {}) for name in output.inputs}
    if changed:
        raise UnrollError(
            f"the committed results are of other {some(sorted(changed))}; `unroll repro`, commit what it wrote, "
            "and measure then"
        )


def _read(workspace: Workspace, datasets: Sequence[str]) -> Metrics:
    found: Metrics = {}
    for dataset in datasets:
        if workspace.metrics(dataset).exists():
            found[dataset] = {}
            for (experiment, metric), value in numbers(workspace.metrics(dataset)):
                found[dataset].setdefault(experiment, {})[metric] = value
    return found


def _write(workspace: Workspace, builds: Mapping[str, Metrics], datasets: Sequence[str]) -> None:
    """Put what the builds say of data sets into bench/tolerances.json, in place of what it says of them."""
    path = workspace.root / FILE
    data: dict[str, Any] = read_json(path) if path.exists() else {"conditions": {}, "tolerances": {}}
    where = environment.here(workspace).model_dump(include={"cpu", "platform", "python", "packages"})
    for dataset in datasets:
        among = {name: metrics[dataset] for name, metrics in builds.items() if dataset in metrics}
        if COMMITTED in among and len(among) > 1:
            data["conditions"][dataset] = {"names": [name for name in among if name != COMMITTED], **where}
            data["tolerances"][dataset] = spread(list(among.values()))
    write_json(path, {part: dict(sorted(data[part].items())) for part in ("conditions", "tolerances")})
