"""Builds of many stages on many slots in virtual time: the scheduler's own loop, with stages that only take time.

What the loop computes takes the time of this process, on top of which the clock is put forward while it sleeps.
"""

import heapq
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import ceil
from statistics import fmean
from typing import Any
from unittest.mock import patch

from bench import REPOSITORY, results
from pipeline.files import read_json
from pipeline.workspace import Workspace
from unroll.runner import dvc_graph, scheduler

Needs = Mapping[str, Sequence[str]]
Seconds = Mapping[str, float]

SLOTS = (2, 4, 8, 16, 32, 64, 128, 256)

SIZES: dict[int, Sequence[int]] = {0: SLOTS, 1_000: SLOTS, 10_000: (64, 256)}
"""Stages -> slots to simulate them on; 0: the graph as it is. The loop with 10,000 stages takes minutes of CPU."""


@dataclass(frozen=True)
class Overhead:
    """Seconds of each stage besides its own.

    Attributes:
        begin, land: of the head, for starting it and for taking what it made; it does one thing at a time.
        slot: of the worker's slot.
    """

    begin: float = 0.0
    land: float = 0.0
    slot: float = 0.0


SEEN = Overhead(begin=0.0017, land=0.066, slot=0.067)
"""Medians of the demo's 126 stages on one worker of this machine, against a local build (2026-11-21)."""


def measure(quick: bool, say: Callable[[str], None]) -> dict[str, Any]:
    """How builds of many stages would go on many slots, simulated.

    Args:
        quick: no graph of 10,000 stages.
        say: told in words what is done next.

    Returns:
        overhead, `recorded` (of how many stages the seconds are those of their last build here; the others take the
        mean of their kind) and graphs: for each size `stages`, `slots`, `bound`, `seconds`, and of them `loop`, that
        the loop itself has computed.

    Raises:
        UnrollError: nothing was built here.
    """
    needs = {stage: needed for stage, needed in dvc_graph.read(REPOSITORY).needs.items() if stage != "report"}
    known: Seconds = read_json(Workspace(REPOSITORY).scratch / "seconds.json")
    recorded = {stage: float(known[stage]) for stage in needs if stage in known}
    seconds = recorded | {stage: mean_of_kind(stage, recorded) for stage in needs if stage not in recorded}
    graphs = []
    for stages, many in SIZES.items():
        if quick and stages > 1_000:
            continue
        graph, takes = replicated(needs, seconds, stages)
        runs = []
        for slots in many:
            say(f"{len(graph):,} stages on {slots} slots, in virtual time")
            runs.append(build(graph, takes, slots, SEEN) | {"bound": bound(graph, takes, slots), "slots": slots})
        keys = ("slots", "bound", "seconds", "loop")
        graphs.append({"stages": len(graph)} | {key: [run[key] for run in runs] for key in keys})
    return {"overhead": asdict(SEEN), "recorded": len(recorded), "graphs": results.rounded(graphs, 5)}


def mean_of_kind(stage: str, recorded: Seconds) -> float:
    """The mean of the recorded stages of a stage's verb, or of all."""
    verb = stage.partition("@")[0]
    return fmean([took for other, took in recorded.items() if other.partition("@")[0] == verb] or recorded.values())


def replicated(needs: Needs, seconds: Seconds, stages: int) -> tuple[dict[str, list[str]], dict[str, float]]:
    """As many copies of a graph side by side as make so many stages, rounded; one at least."""
    copies = range(max(1, round(stages / len(needs))))
    graph = {f"{stage}_{n}": [f"{need}_{n}" for need in found] for n in copies for stage, found in needs.items()}
    return graph, {f"{stage}_{n}": seconds[stage] for n in copies for stage in needs}


def bound(needs: Needs, seconds: Seconds, slots: int) -> float:
    """Seconds that no order can beat: the longest chain, and all work shared out evenly."""
    ends: dict[str, float] = {}
    for stage in needs:
        ends[stage] = seconds[stage] + max((ends[need] for need in needs[stage]), default=0.0)
    return max(*ends.values(), sum(seconds.values()) / slots)


def build(needs: Needs, seconds: Seconds, slots: int, overhead: Overhead) -> dict[str, float]:
    """Build stages, each behind those that it needs, on so many slots of all workers together.

    Returns:
        `seconds` until the last stage has ended, and `loop`: those that the loop itself has computed.
    """
    clock = Clock()
    with patch.object(scheduler, "time", clock):
        started, computed = clock.monotonic(), time.process_time()
        outcome = scheduler.build(
            list(needs),
            needs,
            lambda: slots,
            lambda stage: Task(clock, seconds[stage], overhead),
            lambda *_: None,
            seconds.__getitem__,
        )
    if len(outcome.built) != len(needs):
        raise AssertionError(outcome.failed)
    return {"seconds": clock.monotonic() - started, "loop": time.process_time() - computed}


class Clock:
    """Stands in for `time`: to sleep is to go on to the next end of a stage."""

    def __init__(self) -> None:
        self._ahead, self._ends = 0.0, list[float]()

    def monotonic(self) -> float:
        """Seconds."""
        return time.process_time() + self._ahead

    def sleep(self, seconds: float) -> None:
        """Sleep once, or as often as it takes until something ends."""
        now = self.monotonic()
        while self._ends and self._ends[0] <= now:
            heapq.heappop(self._ends)
        until = self._ends[0] - now if self._ends else 0.0
        self._ahead += seconds * max(ceil(until / seconds), 1)

    def spend(self, seconds: float) -> None:
        """Let time pass in which nothing else is done."""
        self._ahead += seconds

    def end_in(self, seconds: float) -> float:
        """When something ends that takes so long."""
        end = self.monotonic() + seconds
        heapq.heappush(self._ends, end)
        return end


class Task:
    """A stage that only takes time (`scheduler.Running`)."""

    def __init__(self, clock: Clock, seconds: float, overhead: Overhead) -> None:
        clock.spend(overhead.begin)
        self._clock, self._land = clock, overhead.land
        self._end = clock.end_in(seconds + overhead.slot)

    def poll(self) -> int | None:
        """See `scheduler.Running`."""
        if self._clock.monotonic() < self._end:
            return None
        self._clock.spend(self._land)
        return 0

    def interrupt(self) -> None:
        """See `scheduler.Running`."""
        self._end = 0.0

    kill = interrupt
