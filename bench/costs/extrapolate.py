"""What a build of the real data would spend, from the demo's graph: the same networks, windows and batches, but fewer.

Exact: every network's CPU seconds per step and per example, and what each stage costs besides, as measured in the
demo. Counted from params.yaml and the prepared data: steps, epochs, seeds, examples. Taken as they are in the demo:
starting, importing, compiling, reading and writing, and MLflow, which a longer training writes to more often.
"""

from collections.abc import Mapping
from math import ceil
from typing import Any

from bench.costs.cpu_accounts import Cost
from pipeline.config import params
from pipeline.config.params import Experiment
from pipeline.data import dataset
from pipeline.data.dataset import Description
from pipeline.workspace import Workspace


def estimate(real: Workspace, demo: Workspace, costs: Mapping[str, Cost]) -> dict[str, Any] | None:
    """The phases of a full build, of the data sets that are prepared in the real workspace.

    Args:
        real: its prepared data are counted, and nothing is written.
        demo: the demo, built.
        costs: of each of the demo's stages; "" is what belongs to no stage.

    Returns:
        datasets, left_out (data sets of the demo that are not prepared), experiments and stages (how many), and
        phases -> CPU seconds; None if there is nothing to estimate from.
    """
    small, whole = params.load(demo.params), params.load(real.params)
    names = [name for name in small.datasets if (real.prepared(name) / "dataset.json").is_file()]
    if not names:
        return None
    sizes = {name: (dataset.describe(real.prepared(name)), dataset.describe(demo.prepared(name))) for name in names}
    found = Cost()
    experiments = [name for name, experiment in small.experiments.items() if experiment.dataset in names]
    for name in experiments:
        wanted = whole.experiments[name], small.experiments[name]
        found.add(training(costs[f"train {name}"], *wanted, *sizes[wanted[0].dataset]))
    for name in names:
        larger = sum(sizes[name][0].examples.values()) / sum(sizes[name][1].examples.values())
        cost = costs[f"evaluate {name}"].phases
        found.add(cost | {"evaluate": cost.get("evaluate", 0.0) * larger})
        found.add(costs[f"prepare {name}"].phases)
    sources = sorted({small.datasets[name].source for name in names})
    for stage in [*(f"source {name}" for name in sources), "report"]:
        found.add(costs[stage].phases)
    stages = len(experiments) + 2 * len(names) + len(sources) + 1
    share = stages / sum(1 for stage in costs if stage)
    # What serves all stages: importing once in a build, DVC for each stage.
    common = costs.get("", Cost()).phases.items()
    found.add({phase: seconds * (1 if "import" in phase else share) for phase, seconds in common})
    return {
        "datasets": names,
        "left_out": [name for name in small.datasets if name not in names],
        "experiments": len(experiments),
        "stages": stages,
        "phases": found.phases,
    }


def training(
    cost: Cost, wanted: Experiment, scaled: Experiment, facts: Description, small: Description
) -> dict[str, float]:
    """The phases of one experiment's training on the real data.

    Args:
        cost: of the demo's training.
        wanted: the experiment of the real params.yaml.
        scaled: the same of the demo's.
        facts: the real data set.
        small: the demo's.
    """
    options = wanted.training.options
    passes, passed = _passes(wanted), _passes(scaled)
    if "train" not in cost.rates:
        larger = facts.examples["train"] * passes / (small.examples["train"] * passed)
        return cost.phases | {"train": cost.phases.get("train", 0.0) * larger}
    steps = options.get("steps_per_epoch") or ceil(facts.examples["train"] / options["batch_size"])
    each_epoch = sum(facts.examples.get(split, 0) for split in facts.scored)
    points = 2 if "validation" in facts.scored else 1
    evaluated = passes * each_epoch + len(wanted.seeds) * points * sum(facts.examples.values())
    return cost.phases | {
        "train": cost.rates["train"] * steps * passes,
        "evaluate": cost.rates.get("evaluate", 0.0) * evaluated,
    }


def _passes(experiment: Experiment) -> int:
    """Epochs of all seeds together."""
    return int(experiment.training.options.get("epochs", 1)) * len(experiment.seeds)
