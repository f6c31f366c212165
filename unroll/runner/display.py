"""What a build prints: a line per finished stage, what is running (on a terminal), and a summary at the end."""

import json
import os
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Protocol

from pipeline.files import write_text
from pipeline.workspace import Workspace
from stages.progress import CLEAR, duration
from unroll.runner.scheduler import BuildResult, Executor

OFTEN = 10.0
"""Seconds between two counts in a log of `Narration`."""

STEADY = 5.0
"""Seconds of ended stages before which nothing is said of the pace."""


MINUTES = {"imdb": 20, "jena_hourly": 25, "waves": 20, "jena_hourly_exact": 20, "jena_hourly_chapter": 40}
MINUTES |= {"jena_2009_2010_exact": 20, "weather": 2, "shapes_seq2seq": 25, "shapes_seq2vec": 7}
MINUTES |= {"weather_96": 5, "weather_192": 5, "weather_336": 7, "weather_720": 15}
MINUTES |= dict.fromkeys(("shapes_vec2seq", "shapes_delayed", "sine_windows"), 5)
MINUTES |= dict.fromkeys(("sine_interpolation", "sine_extrapolation"), 5)
"""Data set of the documents -> about how long its part of a build takes on two cores."""


class Estimates:
    """How long stages take, learnt as a build goes and kept in a file for the next; damaged, it is as if empty."""

    def __init__(self, file: Path) -> None:
        self._file = file
        try:
            seconds = json.loads(file.read_text(encoding="utf-8"))
            self._known: dict[str, float] = {stage: float(took) for stage, took in seconds.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            self._known = {}
        self._expected: dict[str, float] = {}
        self._taken: dict[str, float] = {}

    @property
    def known(self) -> bool:
        """Whether anything was ever built here."""
        return bool(self._known)

    def expect(self, stage: str, seconds: float) -> None:
        """What a stage may take that was never built."""
        self._known.setdefault(stage, seconds)

    def learn(self, stage: str, seconds: float) -> None:
        """Remember what a stage took."""
        if stage in self._known:
            self._expected[stage], self._taken[stage] = self._known[stage], seconds
        self._known[stage] = seconds

    def keep(self) -> None:
        """Write down what is known."""
        write_text(self._file, json.dumps(self._known, sort_keys=True) + "\n")

    def seconds(self, stage: str) -> float:
        """As in the last build; of a stage that was never built the mean of its kind, of a new kind 1."""
        kind = [took for other, took in self._known.items() if other.partition("@")[0] == stage.partition("@")[0]]
        return self._known.get(stage, fmean(kind or [1.0]))

    def left(self, waiting: Sequence[str], running: Mapping[str, float], slots: int) -> float:
        """Seconds until all stages are built, if all slots stay busy; `running`: stage -> seconds since it started.

        How much longer stages take in this build than was expected counts for those to come.
        """
        taken = sum(self._taken.values())
        pace = taken / sum(self._expected.values()) if taken > STEADY else 1.0
        rest = [max(pace * self.seconds(stage) - since, 0.0) for stage, since in running.items()]
        rest += [pace * self.seconds(stage) for stage in waiting]
        return max([sum(rest) / slots, *rest], default=0.0)


def built_by(stage: str) -> str:
    """The command that builds a stage with all that it needs and no more, and its minutes on two cores."""
    kind, _, name = stage.partition("@")
    minutes = MINUTES.get(name) if kind == "evaluate" else 1 if kind == "prepare" else None
    return f"`unroll repro {stage}` builds it" + (f", in about {minutes} min" if minutes else "")


def program(workspace: Workspace) -> str:
    """How `unroll` is typed here for a workspace, which may be another folder."""
    folder = os.path.relpath(workspace.root)
    return "unroll" if folder == "." else f"unroll --root {shlex.quote(folder)}"


class Narration(Protocol):
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
        narration: says what is done in place of a line per stage, with the count now and then.
        restored: stages that did not run, since DVC's cache had what they make; estimates learn nothing from them.
    """

    def __init__(
        self,
        due: Sequence[str],
        executor: Executor,
        estimates: Estimates,
        reason: Callable[[str], str],
        *,
        narration: Narration | None = None,
        restored: Container[str] = (),
    ) -> None:
        self._left, self._total = dict.fromkeys(due), len(due)
        self._executor, self._estimates, self._reason = executor, estimates, reason
        self._narration, self._restored = narration, restored
        self._running: dict[str, float] = {}
        self._started = self._drawn = time.monotonic()
        self._live = sys.stdout.isatty()

    def show(self, result: BuildResult, running: Sequence[str], ended: str | None) -> None:
        """See `unroll.runner.scheduler.OnEvent`."""
        now = time.monotonic()
        self._running = {stage: self._running.get(stage, now) for stage in running}
        if ended is not None:
            self._show_ended(ended, result)
        if self._live and (ended is not None or now - self._drawn >= 1):
            self._drawn = now
            # A line that wraps cannot be drawn over.
            print(f"{CLEAR}{self._progress(now)[: shutil.get_terminal_size().columns - 1]}", end="", flush=True)
        elif self._narration and not self._live and now - self._drawn >= OFTEN:
            self._drawn = now
            say(self._progress(now))

    def _show_ended(self, stage: str, result: BuildResult) -> None:
        for ended in (stage, *result.skipped):
            self._left.pop(ended, None)
        where = self._executor.where(stage)
        if stage in result.failed:
            self._say(stage, f"FAILED{where}: {self._reason(stage)}")
            return
        seconds, restored = result.built[stage], stage in self._restored
        if not restored:
            self._estimates.learn(stage, seconds)
        if not self._narration:
            self._say(stage, "from DVC's cache" if restored else duration(seconds) + where)
        elif line := self._narration.ended(stage):
            say(line)

    def _progress(self, now: float) -> str:
        """What is running, as one line."""
        if not self._narration:
            return ", ".join(f"{stage} {duration(now - since)}" for stage, since in self._running.items())
        running = "; ".join(filter(None, map(self._narration.running, self._running)))
        return f"{self._count()}{self._time_left()}  {running}".rstrip()

    def _say(self, stage: str, text: str) -> None:
        say(f"{self._count()}  {stage}  {text}{self._time_left()}")

    def _count(self) -> str:
        return f"{f'{self._total - len(self._left)}/{self._total}':>9}"

    def _time_left(self) -> str:
        if not self._left:
            return ""
        now = time.monotonic()
        running = {stage: now - since for stage, since in self._running.items() if stage in self._left}
        waiting = [stage for stage in self._left if stage not in running]
        return f"  (about {duration(self._estimates.left(waiting, running, max(self._executor.slots(), 1)))} left)"

    def close(self, results: Iterable[BuildResult], stages: int) -> None:
        """Print how a build of a graph of `stages` stages ended."""
        built = sum(len(result.built) for result in results)
        failed = [stage for result in results for stage in result.failed]
        skipped = sum(len(result.skipped) for result in results)
        if not self._total and not built and not failed:
            say(f"Everything is up to date: {stages} stages.")
            return
        line = f"Built {built} of {stages} stages in {duration(time.monotonic() - self._started)}"
        if failed:
            line += f"; {len(failed)} failed: {', '.join(failed)}"
        if skipped:
            line += f"; {skipped} that need what failed were left out"
        say(f"{line}.")


def say(text: str) -> None:
    """Print a line over the one that is drawn on a terminal."""
    print(f"{CLEAR if sys.stdout.isatty() else ''}{text}", flush=True)
