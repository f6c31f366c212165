"""The time that several tasks still take, by the pace of the tasks that have ended."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass
class TimeLeft:
    """The tasks that have not ended, and the pace of those that have.

    Attributes:
        expected: task that has not ended -> seconds that it is expected to take.
        jobs: how many tasks run at once.
        planned: seconds that the ended tasks were expected to take.
        taken: seconds that the ended tasks took.
    """

    expected: dict[Any, float]
    jobs: int
    planned: float = 0.0
    taken: float = 0.0

    def ended(self, task: Any, seconds: float) -> None:
        """Note that a task has ended, and how long it took."""
        self.planned += self.expected.pop(task)
        self.taken += seconds

    def words(self, running: Mapping[Any, float] | None = None) -> str:
        """Return text such as "(about 3 min 20 s left)".

        It is empty before the first task and after the last task has ended.

        Args:
            running: task -> seconds since it started.
        """
        if not self.expected or not self.planned:
            return ""
        pace = self.taken / self.planned
        since = running or {}
        seconds = [
            max(pace * expected - since.get(task, 0.0), 0.0)
            for task, expected in self.expected.items()
        ]
        longest = max(sum(seconds) / self.jobs, *seconds)
        return f"(about {duration(longest)} left)"


def duration(seconds: float) -> str:
    """Return a duration as text: "7 s", "3 min 20 s" or "1 h 5 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
