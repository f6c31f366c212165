"""How long stages take: as in their last build; one that was never built, as the mean of its kind."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pipeline.files import write_text

ROOM = 3 * 1024**3
"""Bytes that a full build takes at most, its DVC cache included."""


class Estimates:
    """What each stage takes, learnt as a build goes.

    Args:
        file: where they are kept from one build to the next, outside of DVC's outputs. Damaged, it is as if empty.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known: dict[str, float] = {}
        self._kinds: dict[str, list[float]] = {}
        try:
            known = {stage: float(took) for stage, took in json.loads(file.read_text(encoding="utf-8")).items()}
        except (OSError, ValueError, TypeError, AttributeError):
            known = {}
        for stage, took in known.items():
            self.learn(stage, took)

    def learn(self, stage: str, seconds: float) -> None:
        """Remember what a stage took."""
        count, total = self._kinds.get(_kind(stage), [0, 0.0])
        old = self._known.get(stage)
        self._known[stage] = seconds
        self._kinds[_kind(stage)] = [count + (old is None), total + seconds - (old or 0.0)]

    def keep(self) -> None:
        """Write down what is known."""
        write_text(self._file, json.dumps(self._known, sort_keys=True) + "\n")

    def seconds(self, stage: str) -> float:
        """An estimate; 1 of a kind that was never built."""
        count, total = self._kinds.get(_kind(stage), (1, 1.0))
        return self._known.get(stage, total / count)

    def sure(self, stages: Iterable[str]) -> bool:
        """Whether a stage of each kind was built before."""
        return all(_kind(stage) in self._kinds for stage in stages)

    def left(self, waiting: Sequence[str], running: Mapping[str, float], slots: int) -> float:
        """Seconds until all stages are built, if every core stays busy.

        Args:
            waiting: stages that have not started.
            running: stage -> seconds since it has started.
            slots: how many run at once.
        """
        rest = [max(self.seconds(stage) - since, 0.0) for stage, since in running.items()]
        rest += [self.seconds(stage) for stage in waiting]
        return max([sum(rest) / slots, *rest], default=0.0)


def _kind(stage: str) -> str:
    return stage.partition("@")[0]
