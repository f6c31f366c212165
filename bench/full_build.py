"""What a build of the real data would spend, from the demo's graph: the same networks, windows and batches, but fewer.

Exact: every network's CPU seconds per step and per example, and what each stage costs besides, as measured in the
demo. Counted from params.yaml and the prepared data: steps, epochs, seeds, examples. Taken as they are in the demo:
starting, importing, compiling, reading and writing.
"""

from collections.abc import Mapping
from math import ceil
from typing import Any

from bench.accounts import Cost
from pipeline.files import read_json
from pipeline.workspace import Workspace
from pipeline.tracking.live import INTERVAL


def estimate(
    real: Workspace,
    demo: Workspace,
    plain: Mapping[str, Any],
    small: Mapping[str, Any],
    costs: Mapping[str, Cost],
    write: float,
) -> dict[str, Any] | None:
    """The phases of a full build, of the data sets that are prepared in the real workspace.

    Args:
        real: its prepared data are counted, and nothing is written.
        demo: the demo, built.
        plain: the real params.yaml.
        small: the demo's.
        costs: of each of the demo's stages; "" is what belongs to no stage.
        write: CPU seconds of one write to MLflow while training.

    Returns:
        datasets, left_out (data sets of the demo that are not prepared), experiments and stages (how many), write and
        phases -> CPU seconds; None if there is nothing to estimate from.
    """
    datasets = [name for name in small["datasets"] if (real.prepared(name) / "dataset.json").is_file()]
    if not datasets:
        return None
    facts = {name: (_facts(real, name), _facts(demo, name)) for name in datasets}
    phases: dict[str, float] = {}
    names = [name for name, one in small["experiments"].items() if one["dataset"] in datasets]
    for name in names:
        section, scaled = plain["experiments"][name], small["experiments"][name]
        _add(phases, training(costs[f"train {name}"], section, scaled, *facts[section["dataset"]], write))
    for name in datasets:
        larger = _examples(facts[name][0]) / _examples(facts[name][1])
        cost = costs[f"evaluate {name}"].phases
        _add(phases, cost | {"evaluate": cost.get("evaluate", 0.0) * larger})
        _add(phases, costs[f"prepare {name}"].phases)
    sources = sorted({small["datasets"][name]["source"] for name in datasets})
    for stage in [*(f"source {name}" for name in sources), "report"]:
        _add(phases, costs[stage].phases)
    stages = len(names) + 2 * len(datasets) + len(sources) + 1
    share = stages / sum(1 for stage in costs if stage)
    # What processes cost that serve all stages: importing once in a build, DVC for each stage.
    common = costs.get("", Cost()).phases.items()
    _add(phases, {phase: seconds * (1 if "import" in phase else share) for phase, seconds in common})
    left_out = [name for name in small["datasets"] if name not in datasets]
    return {
        "datasets": datasets,
        "left_out": left_out,
        "experiments": len(names),
        "stages": stages,
        "write": write,
        "phases": phases,
    }


def training(
    cost: Cost,
    section: Mapping[str, Any],
    scaled: Mapping[str, Any],
    facts: Mapping[str, Any],
    small: Mapping[str, Any],
    write: float,
) -> dict[str, float]:
    """The phases of one experiment's training on the real data.

    Args:
        cost: of the demo's training.
        section: the experiment in the real params.yaml.
        scaled: the same in the demo's.
        facts: dataset.json of the real data set.
        small: the same of the demo's.
        write: CPU seconds of one write to MLflow.
    """
    options = section["training"]
    passes, passed = _passes(section), _passes(scaled)
    phases = dict(cost.phases)
    if "train" in cost.rates:
        steps = options.get("steps_per_epoch") or ceil(facts["examples"]["train"] / options["batch_size"])
        every = sum(facts["examples"].values())
        points = 2 if "validation" in facts["scored"] else 1
        each_epoch = sum(facts["examples"].get(split, 0) for split in facts["scored"])
        phases["train"] = cost.rates["train"] * steps * passes
        evaluated = passes * each_epoch + len(section["seeds"]) * points * every
        phases["evaluate"] = cost.rates.get("evaluate", 0.0) * evaluated
    else:
        larger = facts["examples"]["train"] * passes / (small["examples"]["train"] * passed)
        phases["train"] = phases.get("train", 0.0) * larger
    seconds = phases["train"] + phases.get("evaluate", 0.0)
    # At most one write per interval; the demo's own are in its phases.
    writes = max(0.0, min(passes, seconds / INTERVAL) - passed)
    phases["MLflow"] = phases.get("MLflow", 0.0) + write * writes
    return phases


def _passes(section: Mapping[str, Any]) -> int:
    """Epochs of all seeds together."""
    return int(section["training"].get("epochs", 1)) * len(section["seeds"])


def _facts(workspace: Workspace, name: str) -> dict[str, Any]:
    found: dict[str, Any] = read_json(workspace.prepared(name) / "dataset.json")
    return found


def _examples(facts: Mapping[str, Any]) -> int:
    return int(sum(facts["examples"].values()))


def _add(phases: dict[str, float], more: Mapping[str, float]) -> None:
    for phase, seconds in more.items():
        phases[phase] = phases.get(phase, 0.0) + seconds
