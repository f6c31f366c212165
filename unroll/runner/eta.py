"""How long stages take: as in their last build; one that was never built, as the mean of its kind."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

from pipeline.files import write_text

ROOM = 3 * 1024**3
"""Bytes that a full build takes at most, its DVC cache included."""


STEADY = 5.0
"""Seconds of ended stages before which nothing is said of the pace."""


class Estimates:
    """What each stage takes, learnt as a build goes; kept in a file for the next one. Damaged, it is as if empty."""

    def __init__(self, file: Path) -> None:
        self._file = file
        try:
            known = json.loads(file.read_text(encoding="utf-8"))
            self._known: dict[str, float] = {stage: float(took) for stage, took in known.items()}
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

    @property
    def pace(self) -> float:
        """How much longer stages take in this build than was expected of them."""
        return sum(self._taken.values()) / sum(self._expected.values()) if sum(self._taken.values()) > STEADY else 1.0

    def keep(self) -> None:
        """Write down what is known."""
        write_text(self._file, json.dumps(self._known, sort_keys=True) + "\n")

    def seconds(self, stage: str) -> float:
        """An estimate; 1 of a kind that was never built."""
        kind = [took for other, took in self._known.items() if other.partition("@")[0] == stage.partition("@")[0]]
        return self._known.get(stage, fmean(kind or [1.0]))

    def left(self, waiting: Sequence[str], running: Mapping[str, float], slots: int) -> float:
        """Seconds until all stages are built, if all slots stay busy; `running`: stage -> seconds since it started."""
        rest = [max(self.pace * self.seconds(stage) - since, 0.0) for stage, since in running.items()]
        rest += [self.pace * self.seconds(stage) for stage in waiting]
        return max([sum(rest) / slots, *rest], default=0.0)
