"""What a build of the official size would spend, from the demo's graph: the same networks, windows, batches, but fewer.

Exact: every network's CPU seconds per step and per example, and what each stage costs besides, as measured in the
demo. Counted from params.yaml and data of that size: steps, epochs, seeds, examples. Taken as they are in the demo:
starting, importing, compiling, reading and writing, and MLflow, which a longer training writes to more often.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from math import ceil
from typing import Any

from bench.costs.cpu_accounts import Cost
from pipeline.config import params
from pipeline.config.params import Experiment, Params
from pipeline.data import dataset
from pipeline.data.dataset import Description
from pipeline.workspace import Workspace

SEEDS = {"sine": 20, "waves": 5, "imdb": 5}
"""The first word of a data set's name -> the seeds that the evidence needs of each of its networks."""

NAMED, LIMIT, OTHERS = 5, 300.0, 3
"""Of any other data set: the seeds of a network that a published figure names, where a seed costs less than this many
seconds; and those of the rest."""


def estimate(real: Workspace, demo: Workspace, costs: Mapping[str, Cost], named: Collection[str]) -> dict[str, Any]:
    """What a full build spends with the seeds of params.yaml, and what with those that the evidence needs.

    Args:
        real: data sets of the official size, prepared; its params.yaml has the whole experiments.
        demo: the demo, built.
        costs: of each of the demo's stages; "" is what belongs to no stage.
        named: experiments that a published figure names.

    Returns:
        datasets, experiments and stages (how many), phases -> CPU seconds; and evidence: seeds (how many of each
        network -> how many networks), cpu (seconds), longest (stage and seconds), minutes (on one core, two, ...),
        and networks: name -> seconds of the first seed and of each further one.
    """
    whole, small = params.load(real.params), params.load(demo.params)
    sizes = {
        name: (dataset.describe(real.prepared(name)), dataset.describe(demo.prepared(name))) for name in whole.datasets
    }
    found, stages = Cost(), build(whole, small, costs, sizes)
    for phases in stages.values():
        found.add(phases)
    more, networks = _evidence(whole, small, costs, sizes, named)
    seconds = {name: sum(phases.values()) for name, phases in build(more, small, costs, sizes).items()}
    longest = max(seconds, key=lambda name: seconds[name])
    counts = Counter(len(more.experiments[name].seeds) for name in networks)
    return {
        "datasets": list(whole.datasets),
        "experiments": len(whole.experiments),
        "stages": len(stages),
        "phases": found.phases,
        "evidence": {
            "seeds": {str(seeds): count for seeds, count in sorted(counts.items(), reverse=True)},
            "cpu": sum(seconds.values()),
            "longest": [longest, seconds[longest]],
            "minutes": [elapsed(seconds.values(), cores) / 60 for cores in (1, 2, 4)],
            "networks": networks,
        },
    }


Sizes = Mapping[str, tuple[Description, ...]]
"""Data set -> itself, and the demo's."""


def build(whole: Params, small: Params, costs: Mapping[str, Cost], sizes: Sizes) -> dict[str, dict[str, float]]:
    """Every stage of a full build -> its phases; what serves all stages is shared out among them."""
    found: dict[str, dict[str, float]] = {}
    for name, wanted in whole.experiments.items():
        found[f"train {name}"] = training(
            costs[f"train {name}"], wanted, small.experiments[name], *sizes[wanted.dataset]
        )
    for name, (facts, few) in sizes.items():
        seeds = [len(experiment.seeds) for experiment in whole.experiments_of(name).values()]
        larger = sum(facts.examples.values()) / sum(few.examples.values()) * sum(seeds) / len(seeds)
        cost = costs[f"evaluate {name}"].phases
        found[f"evaluate {name}"] = cost | {"evaluate": cost.get("evaluate", 0.0) * larger}
        found[f"prepare {name}"] = costs[f"prepare {name}"].phases
    found |= {stage: costs[stage].phases for stage in [*(f"source {name}" for name in whole.sources), "report"]}
    # What serves all: importing once in a build, DVC for each stage.
    share = len(found) / sum(1 for stage in costs if stage)
    common = Cost()
    common.add({phase: s * (1 if "import" in phase else share) for phase, s in costs.get("", Cost()).phases.items()})
    for stage, phases in found.items():
        own = Cost(dict(phases))
        own.add({phase: seconds / len(found) for phase, seconds in common.phases.items()})
        found[stage] = own.phases
    return found


def _evidence(
    whole: Params, small: Params, costs: Mapping[str, Cost], sizes: Sizes, named: Collection[str]
) -> tuple[Params, dict[str, list[float]]]:
    """The experiments with the evidence's seeds; of each network the seconds of its first and each further seed."""
    more, networks = whole.model_copy(deep=True), dict[str, list[float]]()
    for name, experiment in whole.experiments.items():
        if "epochs" not in experiment.training.options:
            continue
        cost, scaled = costs[f"train {name}"], small.experiments[name]
        one, two = (
            sum(training(cost, experiment.trial(None, seeds), scaled, *sizes[experiment.dataset]).values())
            for seeds in ([0], [0, 1])
        )
        networks[name] = [one, two - one]
        some = NAMED if name in named and two - one < LIMIT else OTHERS
        count = SEEDS.get(experiment.dataset.partition("_")[0], some)
        more.experiments[name] = experiment.trial(None, list(range(count)))
    return more, networks


def elapsed(seconds: Iterable[float], cores: int) -> float:
    """Seconds until all is done on so many cores, each a stage at a time, the longest first. What a stage needs is left
    out: sources and preparations take seconds.
    """
    loads = [0.0] * cores
    for one in sorted(seconds, reverse=True):
        loads[loads.index(min(loads))] += one
    return max(loads)


def training(
    cost: Cost, wanted: Experiment, scaled: Experiment, facts: Description, small: Description
) -> dict[str, float]:
    """The phases of one experiment's training on data of the official size.

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
