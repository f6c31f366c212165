"""How long tasks take, by what they took before."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import fmean

from pipeline.files import write_text

STEADY = 5.0
"""Seconds of ended tasks before which nothing is said of the pace."""


class Estimates:
    """How long tasks take, learnt as they end and kept in a file; damaged, it is as if
    empty.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known: dict[str, float] = {}
        self._expected: dict[str, float] = {}
        self._taken: dict[str, float] = {}
        try:
            seconds = json.loads(file.read_text(encoding="utf-8"))
            self._known = {task: float(took) for task, took in seconds.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            self._known = {}

    def expect(self, task: str, seconds: float) -> None:
        """Take it that a task takes so long, if it was never done."""
        self._known.setdefault(task, seconds)

    def learn(self, task: str, seconds: float) -> None:
        """Remember what a task took."""
        self._expected[task] = self.seconds(task)
        self._taken[task] = seconds
        self._known[task] = seconds

    def keep(self) -> None:
        """Write down what is known. A full disk costs the estimates, not the trainings."""
        with suppress(OSError):
            write_text(self._file, json.dumps(self._known, sort_keys=True) + "\n")

    def seconds(self, task: str) -> float:
        """As the last time; of a task that was never done the mean of its kind, of a
        new kind 1.
        """
        kind, _, _ = task.partition("@")
        of_kind = [
            took for other, took in self._known.items() if other.startswith(f"{kind}@")
        ]
        return self._known.get(task, fmean(of_kind or [1.0]))

    def left(
        self, waiting: Sequence[str], running: Mapping[str, float], slots: int
    ) -> float:
        """Seconds until all tasks are done, if all slots stay busy; `running`: task ->
        seconds since it started.

        How much longer tasks have taken by now than was expected counts for those to
        come.
        """
        taken = sum(self._taken.values())
        pace = taken / sum(self._expected.values()) if taken > STEADY else 1.0
        rest = [
            max(pace * self.seconds(task) - since, 0.0)
            for task, since in running.items()
        ]
        rest += [pace * self.seconds(task) for task in waiting]
        return max([sum(rest) / slots, *rest], default=0.0)
