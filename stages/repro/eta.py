"""How long stages take: as in their last build, else as stages of the same kind with as much work."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pipeline.config.params import Params
from pipeline.files import write_text

ROOM = 3 * 1024**3
"""Bytes that a full build takes at most, its DVC cache included."""

Work = Mapping[str, tuple[str, float]]
"""Stage -> its kind and its amount of work. Within a kind, time is proportional to work."""


def work(wanted: Params) -> dict[str, tuple[str, float]]:
    """The work of train stages: epochs times seeds, by data set and method."""
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
        work: of stages; those that it does not name are of the kind of their verb, all with the same work.
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
        """Remember what a stage took."""
        self._known[stage] = self._of(stage)[1], seconds
        write_text(self._file, json.dumps(self._known, indent=1, sort_keys=True) + "\n")

    def seconds(self, stage: str) -> float:
        """An estimate: its last time if its work is the same, else by its kind, else by its verb; at first 1 s."""
        kind, amount = self._of(stage)
        if stage in self._known and self._known[stage][0] == amount:
            return self._known[stage][1]
        alike = [known for other, known in self._known.items() if self._of(other)[0] == kind]
        if alike:
            return amount * sum(seconds for _, seconds in alike) / sum(done for done, _ in alike)
        # Work compares within a kind only: fitting a baseline may outlast a thousand epochs of a small network.
        verb = stage.partition("@")[0]
        seconds = [seconds for other, (_, seconds) in self._known.items() if other.partition("@")[0] == verb]
        seconds = seconds or [seconds for _, seconds in self._known.values()]
        return sum(seconds) / len(seconds) if seconds else 1.0

    def sure(self, stages: Iterable[str]) -> bool:
        """Whether a stage of each kind was built before. If not, the unknown ones are most likely the long ones."""
        kinds = {self._of(stage)[0] for stage in self._known}
        return all(self._of(stage)[0] in kinds for stage in stages)

    def left(self, waiting: Sequence[str], running: Mapping[str, float], jobs: int) -> float:
        """Seconds until all stages are built, if every core stays busy.

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
