"""What the processes of a build wrote about themselves (`bench/costs/probe`), added up.

The process of `unroll repro` plans and talks to DVC, its fork server imports, and each stage has a process of its own.
What a network's programs did is known call by call. The first call with a shape traces and compiles; the later ones say
what it would have taken without.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from pipeline.files import read_json

PHASES = (
    "train",
    "evaluate",
    "compile",
    "import TensorFlow",
    "import MLflow",
    "other imports",
    "MLflow",
    "reading and writing",
    "DVC",
    "start and end of processes",
)
"""Where the CPU time of a build goes, in the order of the tables."""

WORK = ("train", "evaluate")
"""What a build is for."""

RENAMED = {"epoch": "train", "predict": "evaluate", "stage": "reading and writing"}


@dataclass
class Cost:
    """What a stage, or all that belongs to no stage, spent.

    Attributes:
        phases: phase -> CPU seconds.
        rates: of `train` per step and of `evaluate` per example, CPU seconds; where a network was compiled.
        peak: the highest resident memory, MiB.
    """

    phases: dict[str, float] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    peak: float = 0.0

    def add(self, phases: Mapping[str, float]) -> None:
        """Add seconds by phase."""
        for phase, seconds in phases.items():
            self.phases[phase] = self.phases.get(phase, 0.0) + seconds


def read(folder: Path) -> dict[str, Cost]:
    """Stage, such as "train waves_lstm" -> its cost; "" has what belongs to no stage."""
    costs: dict[str, Cost] = {}
    for file in sorted(folder.glob("*.json")):
        account = read_json(file)
        stage = account["stage"]
        cost = costs.setdefault(stage, Cost())
        # All that a process does around its stage, or before it waits for stages to fork.
        outside = "DVC" if account["dvc"] and not stage else "start and end of processes"
        for phase, seconds in account["spent"].items():
            cost.add({(RENAMED | {"outside": outside}).get(phase, phase): seconds})
        _separate_compiling(cost, account["calls"])
        cost.peak = max(cost.peak, account["peak"])
    return costs


def _separate_compiling(cost: Cost, calls: Sequence[Sequence[Any]]) -> None:
    """Move what the first calls took beyond the others from training and evaluating to compiling."""
    for phase, to in (("epoch", "train"), ("predict", "evaluate")):
        own = [(key, size, seconds) for name, key, size, seconds in calls if name == phase]
        first, rate = split(own)
        if own:
            cost.add({"compile": first, to: -first})
            cost.rates[to] = rate


def split(calls: Iterable[tuple[str, int, float]]) -> tuple[float, float]:
    """How long compiling took, and the seconds per unit of work without it.

    Args:
        calls: in their order, the shape, the work (steps or examples) and the seconds. The first with a shape compiles.

    Returns:
        The seconds that the first calls took beyond the median rate of the others, and that rate. Where there are no
        others, nothing tells the two apart: all counts as compiling, and the rate is 0.
    """
    seen: set[str] = set()
    first: list[tuple[int, float]] = []
    later: list[tuple[int, float]] = []
    for key, size, seconds in calls:
        (later if key in seen else first).append((size, seconds))
        seen.add(key)
    rate = median(seconds / size for size, seconds in later) if later else 0.0
    return sum(max(0.0, seconds - rate * size) for size, seconds in first), rate


def close(costs: dict[str, Cost], cpu: float) -> None:
    """Book under "" what of a build's CPU seconds stands in no account: mostly processes that end."""
    missing = cpu - sum(sum(cost.phases.values()) for cost in costs.values())
    costs.setdefault("", Cost()).add({"start and end of processes": missing})


def total(costs: Mapping[str, Cost]) -> dict[str, float]:
    """Every phase of `PHASES` -> CPU seconds of all stages."""
    return {phase: sum(cost.phases.get(phase, 0.0) for cost in costs.values()) for phase in PHASES}
