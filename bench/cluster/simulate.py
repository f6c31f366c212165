"""A build of many stages on many slots in virtual time: the scheduler's own loop, with stages that only take time.

What the loop computes takes the time of this process, on top of which the clock is put forward while it sleeps.
"""

import contextlib
import heapq
import io
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any
from unittest.mock import patch

from stages.repro import display, scheduler
from stages.repro.eta import Estimates

Needs = Mapping[str, Sequence[str]]
Seconds = Mapping[str, float]


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


def build(needs: Needs, seconds: Seconds, slots: int, overhead: Overhead, scratch: Path) -> dict[str, float]:
    """Build on so many slots.

    Args:
        needs: stage -> the stages that it needs, each behind those that it needs.
        seconds: stage -> what it takes. The planner thinks so, too, and learns from what it sees.
        slots: of all workers together.
        overhead: of each stage.
        scratch: a folder for the planner's notes.

    Returns:
        `seconds` until the last stage has ended, and `loop`: those that the loop itself has computed.
    """
    clock, work = Clock(), {stage: (kind(stage), took) for stage, took in seconds.items()}
    estimates = Estimates(scratch / f"seconds-{len(needs)}-{slots}.json", work)
    said = io.StringIO()
    with patch.object(scheduler, "time", clock), contextlib.redirect_stdout(said):
        shown = display.Display(list(needs), lambda: slots, estimates, lambda _stage: "")
        started, computed = clock.monotonic(), time.process_time()

        def start(stage: str) -> Task:
            return Task(clock, seconds[stage], overhead)

        outcome = scheduler.build(list(needs), needs, lambda: slots, start, shown.show, estimates.seconds)
    if len(outcome.built) != len(needs):
        raise AssertionError(outcome.failed)
    return {"seconds": clock.monotonic() - started, "loop": time.process_time() - computed}


def kind(stage: str) -> str:
    """Stages of one kind take time in proportion to their work."""
    return stage.partition("@")[0]


def bound(needs: Needs, seconds: Seconds, slots: int) -> float:
    """Seconds that no order can beat: the longest chain, and all work shared out evenly."""
    ends: dict[str, float] = {}
    for stage in needs:
        ends[stage] = seconds[stage] + max((ends[need] for need in needs[stage]), default=0.0)
    return max(*ends.values(), sum(seconds.values()) / slots)


def replicated(needs: Needs, seconds: Seconds, stages: int) -> tuple[dict[str, list[str]], dict[str, float]]:
    """As many copies of a graph side by side as make so many stages, rounded; one at least."""
    copies = range(max(1, round(stages / len(needs))))
    graph = {f"{stage}_{n}": [f"{need}_{n}" for need in found] for n in copies for stage, found in needs.items()}
    return graph, {f"{stage}_{n}": seconds[stage] for n in copies for stage in needs}


def planned(needs: Needs, seconds: Seconds, scratch: Path) -> float:
    """CPU seconds for one plan of all stages, before anything was built."""
    work: dict[str, Any] = {stage: (kind(stage), took) for stage, took in seconds.items()}
    estimates, started = Estimates(scratch / "seconds-plan.json", work), time.process_time()
    scheduler.by_way(list(needs), needs, estimates.seconds)
    return time.process_time() - started
