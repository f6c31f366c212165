"""The order of a build: each stage as soon as what it needs is built, several at a time, the longest way first."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
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
    """

    built: dict[str, float] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)


Start = Callable[[str], Running]
"""Starts a stage."""

OnEvent = Callable[[Outcome, Sequence[str], str | None], None]
"""Called with what has become of the stages, those that run, and the one that just ended (or None)."""


Seconds = Callable[[str], float]
"""What a stage is thought to take; it may learn while the build goes."""


def alike(_stage: str) -> float:
    """All stages take the same."""
    return 1.0


def build(
    due: Sequence[str],
    needs: Mapping[str, Sequence[str]],
    jobs: Callable[[], int],
    start: Start,
    on_event: OnEvent,
    seconds: Seconds = alike,
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

    Returns:
        What became of every stage of `due`.

    Raises:
        KeyboardInterrupt: after every running stage was stopped.
    """
    outcome = Outcome()
    waiting = by_way(due, needs, seconds)
    running: dict[str, tuple[Running, float]] = {}
    try:
        while waiting or running:
            most = jobs()
            lost = {*outcome.failed, *outcome.skipped}
            pending = {*waiting, *running}
            for stage in list(waiting):
                if any(need in lost for need in needs[stage]):
                    waiting.remove(stage)
                    outcome.skipped.append(stage)
                    lost.add(stage)
                elif len(running) < most and not any(need in pending for need in needs[stage]):
                    waiting.remove(stage)
                    running[stage] = (start(stage), time.monotonic())
            on_event(outcome, list(running), None)
            if waiting or running:
                time.sleep(POLL)
            before = len(running)
            for stage, (process, started) in list(running.items()):
                status = process.poll()
                if status is None:
                    continue
                del running[stage]
                if status:
                    outcome.failed[stage] = status
                else:
                    outcome.built[stage] = time.monotonic() - started
                on_event(outcome, list(running), stage)
            if len(running) < before:  # what ended may have taught something
                left = {*waiting}
                waiting = by_way([stage for stage in due if stage in left], needs, seconds)
    finally:
        stop([process for process, _ in running.values()])
    return outcome


def by_way(due: Sequence[str], needs: Mapping[str, Sequence[str]], seconds: Seconds) -> list[str]:
    """The stages, those with the longest way first: its own seconds and those of the longest chain that needs it."""
    after, ways = dict.fromkeys(due, 0.0), dict[str, float]()
    for stage in reversed(due):
        ways[stage] = seconds(stage) + after[stage]
        for need in needs[stage]:
            if need in after:
                after[need] = max(after[need], ways[stage])
    return sorted(due, key=lambda stage: -ways[stage])


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
