"""What a build prints: a line per finished stage, what is running (on a terminal), and a summary at the end."""

import shutil
import sys
import time
from collections.abc import Callable, Container, Iterable, Sequence
from typing import Protocol

from stages.progress import CLEAR, duration
from unroll.runner.eta import Estimates
from unroll.runner.scheduler import Executor, Outcome

OFTEN = 10.0
"""Seconds between two counts in a log of `Words`."""


class Words(Protocol):
    """What a build says of its stages to somebody who does not know their names."""

    def running(self, stage: str) -> str:
        """What a stage does; "" if that is not worth a word."""

    def ended(self, stage: str) -> str:
        """A line for a stage that ended well, or ""."""


class Display:
    """Prints a build as it goes, and lets estimates learn from it.

    Args:
        due: the stages that the build will run.
        executor: says how many may run at once, by now, and where each has run.
        reason: stage -> why it failed, one line.
        words: say what is done in place of a line per stage, with the count now and then.
        restored: stages that did not run, since DVC's cache had what they make; estimates learn nothing from them.
    """

    def __init__(
        self,
        due: Sequence[str],
        executor: Executor,
        estimates: Estimates,
        reason: Callable[[str], str],
        *,
        words: Words | None = None,
        restored: Container[str] = (),
    ) -> None:
        self._left, self._total = dict.fromkeys(due), len(due)
        self._executor, self._estimates, self._reason = executor, estimates, reason
        self._words, self._restored = words, restored
        self._running: dict[str, float] = {}
        self._started = time.monotonic()
        self._drawn = self._started
        self._live = sys.stdout.isatty()

    def show(self, outcome: Outcome, running: Sequence[str], ended: str | None) -> None:
        """See `unroll.runner.scheduler.OnEvent`."""
        now = time.monotonic()
        self._running = {stage: self._running.get(stage, now) for stage in running}
        if ended is not None:
            self._left.pop(ended, None)
            where = self._executor.where(ended)
            if ended in outcome.built:
                seconds, restored = outcome.built[ended], ended in self._restored
                if not restored:
                    self._estimates.learn(ended, seconds)
                if not self._words:
                    self._print(ended, "from DVC's cache" if restored else duration(seconds) + where)
                elif line := self._words.ended(ended):
                    say(line)
            else:
                for stage in outcome.skipped:
                    self._left.pop(stage, None)
                self._print(ended, f"FAILED{where}: {self._reason(ended)}")
        if self._words and not self._live and now - self._drawn >= OFTEN:
            self._drawn = now
            say(self._told(self._words))
        if self._live and (ended is not None or now - self._drawn >= 1):
            self._drawn = now
            what = ", ".join(f"{stage} {duration(now - since)}" for stage, since in self._running.items())
            if self._words:
                what = self._told(self._words)
            # A line that wraps cannot be drawn over.
            print(f"{CLEAR}{what[: shutil.get_terminal_size().columns - 1]}", end="", flush=True)

    def _told(self, words: Words) -> str:
        running = "; ".join(filter(None, map(words.running, self._running)))
        return f"{self._count()}{self._time_left()}  {running}".rstrip()

    def _count(self) -> str:
        return f"{f'{self._total - len(self._left)}/{self._total}':>9}"

    def _time_left(self) -> str:
        if not self._left:
            return ""
        now = time.monotonic()
        running = {stage: now - since for stage, since in self._running.items() if stage in self._left}
        waiting = [stage for stage in self._left if stage not in running]
        return f"  (about {duration(self._estimates.left(waiting, running, max(self._executor.slots(), 1)))} left)"

    def _print(self, stage: str, text: str) -> None:
        say(f"{self._count()}  {stage}  {text}{self._time_left()}")

    def close(self, outcomes: Iterable[Outcome], stages: int) -> None:
        """Print how a build of a graph of `stages` stages ended."""
        built = sum(len(outcome.built) for outcome in outcomes)
        failed = [stage for outcome in outcomes for stage in outcome.failed]
        skipped = [stage for outcome in outcomes for stage in outcome.skipped]
        if not self._total and not built and not failed:
            say(f"Everything is up to date: {stages} stages.")
            return
        line = f"Built {built} of {stages} stages in {duration(time.monotonic() - self._started)}"
        if failed:
            line += f"; {len(failed)} failed: {', '.join(failed)}"
        if skipped:
            line += f"; {len(skipped)} that need what failed were left out"
        say(f"{line}.")


def say(text: str) -> None:
    """Print a line over the one that is drawn on a terminal."""
    print(f"{CLEAR if sys.stdout.isatty() else ''}{text}", flush=True)
