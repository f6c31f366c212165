"""What the processes of a build wrote about themselves (`bench/probe`), added up.

What a network's programs did is known call by call. The first call with a shape traces and compiles; the later ones say
what it would have taken without.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

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

RENAMED = {"epoch": "train", "predict": "evaluate", "record": "MLflow", "stage": "reading and writing"}


@dataclass
class Cost:
    """What a stage, or all of a build, spent.

    Attributes:
        phases: phase -> CPU seconds.
        rates: of `train` per step and of `evaluate` per example, CPU seconds; where a network was compiled.
        recorded: CPU seconds of one write to MLflow while training, 0 where there was no second one.
        peak: the highest resident memory, MiB.
    """

    phases: dict[str, float] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    recorded: float = 0.0
    peak: float = 0.0

    def add(self, phases: Mapping[str, float]) -> None:
        """Add seconds by phase."""
        for phase, seconds in phases.items():
            self.phases[phase] = self.phases.get(phase, 0.0) + seconds


def read(folder: Path) -> dict[str, Cost]:
    """Stage, such as "train waves_lstm" -> its cost; "" has what belongs to no stage."""
    costs: dict[str, Cost] = {}
    for file in sorted(folder.glob("*.jsonl")):
        lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        # What a process did before and after its stage belongs to it.
        stage = next((line["stage"] for line in lines if line["stage"]), "")
        cost = costs.setdefault(stage, Cost())
        for line in lines:
            outside = "DVC" if line["dvc"] and not stage else "start and end of processes"
            renamed = RENAMED | {"outside": outside}
            for phase, seconds in line["spent"].items():
                cost.add({renamed.get(phase, phase): seconds})
            _add_calls(cost, line["calls"])
            cost.peak = max(cost.peak, line["peak"])
    return costs


def _add_calls(cost: Cost, calls: Sequence[Sequence[Any]]) -> None:
    """Move what the first calls took beyond the others from training and evaluating to compiling."""
    for phase, to in (("epoch", "train"), ("predict", "evaluate")):
        own = [(key, size, seconds) for name, key, size, seconds in calls if name == phase]
        first, rate = split(own)
        if own:
            cost.add({"compile": first, to: -first})
            cost.rates[to] = rate
    recorded = [seconds for name, _, _, seconds in calls if name == "record"]
    writes = [seconds for seconds in recorded[1:] if seconds > WRITE]
    if writes:
        cost.recorded = median(writes)


WRITE = 0.001
"""CPU seconds; what takes less only keeps an epoch for the next write."""


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
