"""How long stages take: from their last build, else from stages of the same kind and how much they have to do."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pipeline.config.params import Params
from pipeline.files import write_text

ROOM = 3 * 1024**3
"""Bytes that a full build takes at most, its DVC cache included."""

Work = Mapping[str, tuple[str, float]]
"""Stage -> its kind, and how much of it there is to do; what stages of one kind take goes with that."""


def work(wanted: Params) -> dict[str, tuple[str, float]]:
    """Train stages by data set and method, their epochs times seeds; everything else is left to its verb."""
    found = {}
    for name, experiment in wanted.experiments.items():
        training = experiment.training
        epochs = float(training.options.get("epochs", 1))
        found[f"train@{name}"] = (f"{experiment.dataset} {training.method}", epochs * len(experiment.seeds))
    return found


class Estimates:
    """What each stage takes, learnt as a build goes.

    Args:
        file: where they are kept from one build to the next, outside of DVC's outputs. Damaged, it is as if empty.
        work: stages that it does not name are of the kind of their verb, and do as much as each other.
    """

    def __init__(self, file: Path, work: Work) -> None:
        self._file, self._work = file, work
        self._known: dict[str, tuple[float, float]] = {}
        try:
            kept = json.loads(file.read_text(encoding="utf-8"))
            self._known = {stage: (float(amount), float(seconds)) for stage, (amount, seconds) in kept.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            pass

    def learn(self, stage: str, seconds: float) -> None:
        """Take in what a stage took, and keep it."""
        self._known[stage] = self._of(stage)[1], seconds
        write_text(self._file, json.dumps(self._known, indent=1, sort_keys=True) + "\n")

    def seconds(self, stage: str) -> float:
        """What a stage will take: as the last time if it has as much to do, else as those most alike; at first 1 s."""
        kind, amount = self._of(stage)
        if stage in self._known and self._known[stage][0] == amount:
            return self._known[stage][1]
        alike = [known for other, known in self._known.items() if self._of(other)[0] == kind]
        if alike:
            return amount * sum(seconds for _, seconds in alike) / sum(done for done, _ in alike)
        # How much there is to do compares within a kind only: one step of a baseline may outlast a thousand epochs.
        verb = stage.partition("@")[0]
        seconds = [seconds for other, (_, seconds) in self._known.items() if other.partition("@")[0] == verb]
        seconds = seconds or [seconds for _, seconds in self._known.values()]
        return sum(seconds) / len(seconds) if seconds else 1.0

    def sure(self, stages: Iterable[str]) -> bool:
        """Whether of each stage's kind one was built before. Else most likely the long ones are still to come."""
        kinds = {self._of(stage)[0] for stage in self._known}
        return all(self._of(stage)[0] in kinds for stage in stages)

    def left(self, waiting: Sequence[str], running: Mapping[str, float], jobs: int) -> float:
        """Seconds until all stages are built, if they find something to do on every core.

        Args:
            waiting: stages that have not started.
            running: stage -> seconds since it has started.
            jobs: how many run at once.
        """
        rest = [max(self.seconds(stage) - since, 0.0) for stage, since in running.items()]
        rest += [self.seconds(stage) for stage in waiting]
        return max([sum(rest) / jobs, *rest], default=0.0)

    def _of(self, stage: str) -> tuple[str, float]:
        return self._work.get(stage, (stage.partition("@")[0], 1.0))
