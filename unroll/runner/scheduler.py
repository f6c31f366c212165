"""What is due, and its order: each stage as soon as what it needs is built, several at a time, critical path first."""

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from graphlib import TopologicalSorter
from typing import Protocol

from pipeline.validation import one_of

POLL = 0.03
"""Seconds between two looks at the running stages."""

GRACE = 10.0
"""Seconds that an interrupted stage gets to end by itself."""


@dataclass(frozen=True)
class Graph:
    """What DVC knows before a build.

    Attributes:
        needs: every stage but `resolve` -> the stages whose outputs it reads. In the order of a sequential build, so
            what a stage needs comes before it.
        changed: the stages that are not up to date, whatever becomes of those that they need.
        absent: those of them that lack files and nothing else, as all do in a clone.
    """

    needs: dict[str, Sequence[str]]
    changed: frozenset[str]
    absent: frozenset[str] = frozenset()

    def within(self, targets: Sequence[str]) -> "Graph":
        """The targets and all that they need, directly or not.

        Raises:
            UsageError: a target is no stage; the text lists the stages.
        """
        selected: set[str] = {one_of(target, self.needs, "the target") for target in targets}
        for stage, needs in reversed(self.needs.items()):
            if stage in selected:
                selected.update(needs)
        return replace(self, needs={stage: needs for stage, needs in self.needs.items() if stage in selected})

    def due(self, *, absent: bool = True) -> list[str]:
        """The changed stages and those that need one of them, directly or not, in the order of the graph.

        `absent` counts those that lack files and nothing else.
        """
        due = dict.fromkeys(self.needs, False)
        changed = self.changed if absent else self.changed - self.absent
        for stage, needs in self.needs.items():
            due[stage] = stage in changed or any(due[need] for need in needs)
        return [stage for stage in due if due[stage]]


class Running(Protocol):
    """A stage that has been started, out of reach of the terminal's Ctrl-C."""

    def poll(self) -> int | None:
        """The exit status, None while it runs."""

    def send_signal(self, number: int) -> None:
        """End it as Ctrl-C would (SIGINT), or at once (SIGKILL)."""


class Executor(Protocol):
    """Where the commands of stages run: on this machine (`build.LocalExecutor`), or on many (`head.DaskExecutor`)."""

    def slots(self) -> int:
        """How many stages may run at once, by now. Raises UnrollError if none ever will."""

    def start(self, stage: str, command: str) -> Running:
        """Run a stage's command. When it has ended well, the stage's outputs are in the workspace."""

    def where(self, stage: str) -> str:
        """Where a stage has run, as words for the user; "" for here."""


@dataclass(frozen=True)
class BuildResult:
    """What became of the stages of a build.

    Attributes:
        built: stage -> seconds.
        failed: stage -> exit status, never 0.
        skipped: stages that need one that failed, directly or not.
    """

    built: dict[str, float] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)


OnEvent = Callable[[BuildResult, Sequence[str], str | None], None]
"""Called with the result so far, the stages that run, and the one that just ended (or None)."""


def build(
    due: Sequence[str],
    needs: Mapping[str, Sequence[str]],
    slots: Callable[[], int],
    start: Callable[[str], Running],
    on_event: OnEvent,
    seconds: Callable[[str], float] = lambda _stage: 1.0,
) -> BuildResult:
    """Run each of `due` as soon as all that it needs is built; one that fails stops only those that need it.

    Of those that can start, the one with the longest path to the end of the build starts first. So no long training is
    left for the end, where it would run alone.

    Args:
        due: each stage behind those that it needs; the order in which stages with equally long paths start.
        needs: stage -> the stages that it needs; those that are not due are up to date.
        slots: how many stages may run at once, by now.
        start: starts a stage.
        on_event: called when a stage has started or ended, and while nothing happens.
        seconds: an estimate of what a stage takes.

    Raises:
        KeyboardInterrupt: after every running stage was stopped.
    """
    users: dict[str, list[str]] = {stage: [] for stage in due}
    for stage in due:
        for need in needs[stage]:
            users.get(need, []).append(stage)
    paths: dict[str, float] = {}  # seconds from a stage's start to the end of the last one that needs it
    for stage in reversed(due):
        paths[stage] = seconds(stage) + max((paths[user] for user in users[stage]), default=0.0)
    rank = {stage: index for index, stage in enumerate(sorted(due, key=lambda stage: -paths[stage]))}
    sorter = TopologicalSorter({stage: [need for need in needs[stage] if need in users] for stage in due})
    sorter.prepare()
    result, ready, running = BuildResult(), list[str](), dict[str, tuple[Running, float]]()
    try:
        while True:
            ready = sorted([*ready, *sorter.get_ready()], key=rank.__getitem__)
            most = slots()  # each time: a cluster looks at its workers then
            while ready and len(running) < most:
                stage = ready.pop(0)
                running[stage] = start(stage), time.monotonic()
            on_event(result, list(running), None)
            if not running and not ready:
                return result
            time.sleep(POLL)
            for stage, (process, started) in list(running.items()):
                if (status := process.poll()) is None:
                    continue
                del running[stage]
                if status == 0:
                    result.built[stage] = time.monotonic() - started
                    sorter.done(stage)
                else:  # the sorter never hears of it, so what needs it never gets ready
                    result.failed[stage] = status
                    _skip(stage, users, result.skipped)
                on_event(result, list(running), stage)
    finally:
        stop([process for process, _ in running.values()])


def _skip(stage: str, users: Mapping[str, Sequence[str]], skipped: list[str]) -> None:
    """Add all that need a stage, directly or not."""
    for user in users[stage]:
        if user not in skipped:
            skipped.append(user)
            _skip(user, users, skipped)


def stop(processes: Sequence[Running]) -> None:
    """Interrupt stages, and kill those that are still there after `GRACE` seconds; a second Ctrl-C has no effect."""
    started = time.monotonic()
    with ignore_signals():
        for process in processes:
            process.send_signal(signal.SIGINT)
        while waiting := [process for process in processes if process.poll() is None]:
            if time.monotonic() - started > GRACE:
                for process in waiting:
                    process.send_signal(signal.SIGKILL)
            time.sleep(POLL)


def terminable() -> contextlib.AbstractContextManager[None]:
    """Treat a request to end like Ctrl-C, so that no stage is left running."""
    return _handled({signal.SIGTERM: signal.default_int_handler})


def ignore_signals(*numbers: int) -> contextlib.AbstractContextManager[None]:
    """Do not listen to these signals; if none is named, neither to Ctrl-C nor to requests to end."""
    return _handled(dict.fromkeys(numbers or (signal.SIGINT, signal.SIGTERM), signal.SIG_IGN))


@contextlib.contextmanager
def _handled(handlers: dict) -> Iterator[None]:  # type: ignore[type-arg]  # signal's own types are private
    if threading.current_thread() is not threading.main_thread():  # only the main thread may
        yield
        return
    old = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
