"""The order of a build: each stage as soon as what it needs is built, several at a time, the longest way first."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from stages.repro.signals import deaf

POLL = 0.03
"""Seconds between two looks at the running stages."""

GRACE = 10.0
"""Seconds that an interrupted stage gets to end by itself."""


class Running(Protocol):
    """A stage that has been started, out of reach of the terminal's Ctrl-C."""

    def poll(self) -> int | None:
        """The exit status, None while it runs."""

    def interrupt(self) -> None:
        """End it as Ctrl-C would."""

    def kill(self) -> None:
        """End it at once."""


class Wrapping:
    """What runs another `Running`, or nothing: where that has to be ended, it is ended.

    Attributes:
        process: the other one.
    """

    process: Running | None = None

    def interrupt(self) -> None:
        """See `Running`."""
        if self.process:
            self.process.interrupt()

    def kill(self) -> None:
        """See `Running`."""
        if self.process:
            self.process.kill()


class Executor(Protocol):
    """Where the commands of stages run: on this machine (`build.Local`), or on many (`cluster.Cluster`)."""

    def slots(self) -> int:
        """How many stages may run at once, by now. Raises UnrollError if none ever will."""

    def start(self, stage: str, command: str) -> Running:
        """Run a stage's command. When it has ended well, the stage's outputs are in the workspace."""

    def where(self, stage: str) -> str:
        """Where a stage has run, as words for the user; "" for here."""


@dataclass(frozen=True)
class Outcome:
    """What became of the stages that were asked for.

    Attributes:
        built: stage -> seconds.
        failed: stage -> exit status, never 0.
        skipped: stages that need one that failed, directly or not.
        parts: stage -> its parts, if it was split, and their seconds; None: it has not ended yet.
    """

    built: dict[str, float] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    parts: dict[str, dict[str, float | None]] = field(default_factory=dict)


Start = Callable[[str], Running]
"""Starts a stage, or a part of one."""

OnEvent = Callable[[Outcome, Sequence[str], str | None], None]
"""Called with what has become of the stages, those that run, and the one that just ended (or None)."""


Seconds = Callable[[str], float]
"""What a stage, or a part of one, is thought to take; it may learn while the build goes."""


Rest = Callable[[], tuple[float, float]]
"""The seconds of the longest chain that needs a stage, and those that are left of the build."""

Split = Callable[[str, int, Rest], Sequence[str]]
"""The parts that a stage is split into; none: it is not worth it. Parts run in any order, and before their stage.

Told the stage, the slots, and what finds out what is left, which takes a moment in a build of thousands of stages."""


def alike(_stage: str) -> float:
    """All stages take the same."""
    return 1.0


def whole(_stage: str, _slots: int, _rest: Rest) -> Sequence[str]:
    """No stage is split."""
    return ()


def build(
    due: Sequence[str],
    needs: Mapping[str, Sequence[str]],
    jobs: Callable[[], int],
    start: Start,
    on_event: OnEvent,
    seconds: Seconds = alike,
    split: Split = whole,
) -> Outcome:
    """Run each of `due` as soon as all that it needs is built; one that fails stops only those that need it.

    Of those that can start, the one with the longest way to the end of the build starts first. So no long training is
    left for the end, where it would run alone.

    Args:
        due: the stages to run, each behind those that it needs; in this order where their ways are equally long.
        needs: stage -> the stages that it needs; those that are not due are up to date.
        jobs: how many may run at once, by now.
        start: starts a stage.
        on_event: called when a stage has started or ended, and while nothing happens.
        seconds: estimates.
        split: asked when a stage could start.

    Returns:
        What became of every stage of `due`.

    Raises:
        KeyboardInterrupt: after every running stage was stopped.
    """
    going = _Build(due, needs, seconds, split)
    try:
        while going.waiting or going.running:
            going.start_some(jobs(), start)
            on_event(going.outcome, list(going.running), None)
            if going.waiting or going.running:
                time.sleep(POLL)
            for ended in going.end_some():
                on_event(going.outcome, list(going.running), ended)
    finally:
        stop([process for process, _ in going.running.values()])
    return going.outcome


class _Build:
    """A build as it goes; arguments as in `build`."""

    def __init__(self, due: Sequence[str], needs: Mapping[str, Sequence[str]], seconds: Seconds, split: Split) -> None:
        self.outcome = Outcome()
        self.waiting = by_way(due, needs, seconds)
        self.running: dict[str, tuple[Running, float]] = {}
        self._due, self._needs, self._seconds, self._split = list(due), dict(needs), seconds, split
        self._stage_of: dict[str, str] = {}

    def start_some(self, most: int, start: Start) -> None:
        """Start what can start, and give up what needs something that failed."""
        lost = {*self.outcome.failed, *self.outcome.skipped}
        pending = {*self.waiting, *self.running}
        for stage in list(self.waiting):
            if any(need in lost for need in self._needs[stage]):
                self.waiting.remove(stage)
                self.outcome.skipped.append(stage)
                lost.add(stage)
            elif len(self.running) < most and not any(need in pending for need in self._needs[stage]):
                if self._parted(stage, most):
                    break  # its parts are next
                self.waiting.remove(stage)
                self.running[stage] = (start(stage), time.monotonic())

    def end_some(self) -> Iterator[str]:
        """Each stage and part that has ended since the last time."""
        before = len(self.running)
        for stage, (process, started) in list(self.running.items()):
            status = process.poll()
            if status is None:
                continue
            del self.running[stage]
            took = time.monotonic() - started
            if stage in self._stage_of:
                self._end_part(stage, status, took)
            elif status:
                self.outcome.failed[stage] = status
            else:
                self.outcome.built[stage] = took
            yield stage
        if len(self.running) < before:  # what ended may have taught something
            self._sort(self.waiting)

    def _parted(self, stage: str, slots: int) -> bool:
        """Whether a stage is split, now."""
        if stage in self._stage_of or stage in self.outcome.parts:
            return False
        parts = self._split(stage, slots, partial(self._rest, stage))
        if parts:
            self.outcome.parts[stage] = dict.fromkeys(parts)
            self._stage_of |= dict.fromkeys(parts, stage)
            self._needs |= dict.fromkeys(parts, ()) | {stage: parts}
            place = self._due.index(stage)
            self._due[place:place] = parts
            self._sort([*self.waiting, *parts])
        return bool(parts)

    def _rest(self, stage: str) -> tuple[float, float]:
        """See `Rest`."""
        now = time.monotonic()
        left = sum(self._seconds(one) for one in self.waiting)
        left += sum(max(self._seconds(one) - (now - since), 0.0) for one, (_, since) in self.running.items())
        return ways(self._due, self._needs, self._seconds)[stage] - self._seconds(stage), left

    def _end_part(self, part: str, status: int, took: float) -> None:
        """A part that fails is no failure: its stage does what is left, or fails by itself, without further parts."""
        parts = self.outcome.parts[self._stage_of[part]]
        parts[part] = took
        for other in [other for other in parts if status and other in self.waiting]:
            self.waiting.remove(other)
            del parts[other]

    def _sort(self, waiting: Sequence[str]) -> None:
        left = {*waiting}
        self.waiting = by_way([stage for stage in self._due if stage in left], self._needs, self._seconds)


def ways(due: Sequence[str], needs: Mapping[str, Sequence[str]], seconds: Seconds) -> dict[str, float]:
    """Of each stage: its own seconds and those of the longest chain that needs it."""
    after, found = dict.fromkeys(due, 0.0), dict[str, float]()
    for stage in reversed(due):
        found[stage] = seconds(stage) + after[stage]
        for need in needs[stage]:
            if need in after:
                after[need] = max(after[need], found[stage])
    return found


def by_way(due: Sequence[str], needs: Mapping[str, Sequence[str]], seconds: Seconds) -> list[str]:
    """The stages, those with the longest way first."""
    found = ways(due, needs, seconds)
    return sorted(due, key=lambda stage: -found[stage])


def stop(processes: Sequence[Running]) -> None:
    """Interrupt stages, and kill those that are still there after `GRACE` seconds; a second Ctrl-C has no effect."""
    started = time.monotonic()
    with deaf():
        for process in processes:
            process.interrupt()
        while waiting := [process for process in processes if process.poll() is None]:
            if time.monotonic() - started > GRACE:
                for process in waiting:
                    process.kill()
            time.sleep(POLL)
