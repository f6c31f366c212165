"""How long stages take: as in their last build, else as stages of the same kind with as much work."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pipeline.config.params import Experiment, Params
from pipeline.files import write_text
from stages.repro.spread import Spread

ROOM = 3 * 1024**3
"""Bytes that a full build takes at most, its DVC cache included."""

Work = Mapping[str, tuple[str, float]]
"""Stage -> its kind and its amount of work: seconds, where nothing is known. Within a kind, time is proportional."""

ROWS = {"sine_points": 1_000, "sine_windows": 1_000, "waves": 7_000, "shapes": 2_000}
"""Preparation -> its training examples, where params.yaml does not say."""

MANY = 20_000
"""Training examples of any other, about."""

TIMESTEPS = {"waves": 50, "shapes": 30}
"""Preparation -> timesteps of an example, where params.yaml does not say."""

GATES = {"lstm": 4, "gru": 3}

START, CALL, PRODUCTS = 6.0, 2e-6, 4e10
"""Of one core, about: seconds until a network is compiled, seconds that a timestep takes at least, and operations a
second in matrix products."""

STEP = {"gradient_descent": 5e-5, "by_hand": 5e-6}
"""Training method -> seconds that a step takes at least."""

INPUTS = 15
"""Of a timestep, about."""


def work(wanted: Params) -> dict[str, tuple[str, float]]:
    """The work of train stages, by data set and method: seconds on one core, from what params.yaml says, roughly.

    It is for first builds; from then on their last time counts.
    """
    found = {}
    for name, experiment in wanted.experiments.items():
        kind = f"{experiment.dataset} {experiment.training.method}"
        start = START if experiment.training.method == "gradient_descent" else 1.0
        found[f"train@{name}"] = kind, start + len(experiment.seeds) * _replicate(wanted, experiment)
    return found


def _replicate(wanted: Params, experiment: Experiment) -> float:
    """Seconds for one seed: steps, timesteps, and the products of one."""
    training, model = experiment.training.options, experiment.model.options
    if "epochs" not in training:
        return 0.0 if experiment.training.method == "none" else 5.0
    preparation = wanted.datasets[experiment.dataset].preparation
    prepared = preparation.options
    batch, rows = _number(training, "batch_size", 1), _number(prepared, "train", 0)
    rows = rows if rows > 1 else ROWS.get(preparation.name, MANY)
    steps = _number(training, "epochs", 1) * _number(training, "steps_per_epoch", rows / batch)
    places = _number(prepared, "length", _number(prepared, "lookback", TIMESTEPS.get(preparation.name, 1)))
    timesteps = places / _number(prepared, "step", 1) if experiment.model.family == "recurrent" else 1
    units, layers = _number(model, "units", 32), _number(model, "layers", 1)
    products = 3 * 2 * batch * units * (units + INPUTS) * GATES.get(experiment.model.name, 1)  # back is twice forward
    least = STEP.get(experiment.training.method, 0.0)
    return steps * (least + timesteps * layers * (CALL + products / PRODUCTS))


def _number(options: Mapping[str, object], name: str, default: float) -> float:
    """An option that nobody has checked yet: what is no number above 0 counts as left out."""
    value = options.get(name)
    return float(value) if isinstance(value, int | float) and value > 0 else default


class Estimates:
    """What each stage takes, learnt as a build goes.

    Args:
        file: where they are kept from one build to the next, outside of DVC's outputs. Damaged, it is as if empty.
        work: of stages; those that it does not name are of the kind of their verb, all with the same work.
    """

    def __init__(self, file: Path, work: Work) -> None:
        self._file, self._work = file, work
        self._known: dict[str, tuple[float, float]] = {}
        self._fixed: dict[str, float] = {}
        self._kept = Spread(self._write)
        try:
            kept = json.loads(file.read_text(encoding="utf-8"))
            self._known = {stage: (float(one["work"]), float(one["seconds"])) for stage, one in kept.items()}
        except (OSError, ValueError, TypeError, AttributeError, KeyError):
            pass
        self._sums: dict[tuple[str, str], tuple[float, float]] = {}
        for stage in self._known:
            self._add(stage, 1)

    def learn(self, stage: str, seconds: float) -> None:
        """Remember what a stage took; to write that of thousands of stages down takes a moment, so not each time."""
        self._fixed.pop(stage, None)
        if stage in self._known:
            self._add(stage, -1)
        self._known[stage] = self._of(stage)[1], seconds
        self._add(stage, 1)
        self._kept.when_due()

    def keep(self) -> None:
        """Write down what is known."""
        self._kept.now()

    def _write(self) -> None:
        kept = {name: {"work": amount, "seconds": took} for name, (amount, took) in self._known.items()}
        write_text(self._file, json.dumps(kept, sort_keys=True) + "\n")

    def fix(self, seconds: Mapping[str, float]) -> None:
        """Take these as what stages, and parts of some, take in this build."""
        self._fixed |= seconds

    def seconds(self, stage: str) -> float:
        """An estimate: its last time if its work is the same, else its work, at the pace of its kind.

        Of a kind that was never built, work in seconds counts as it is: others' pace would be that of compiling.
        """
        if stage in self._fixed:
            return self._fixed[stage]
        kind, amount = self._of(stage)
        if stage in self._known and self._known[stage][0] == amount:
            return self._known[stage][1]
        verb = None if stage in self._work else self._sums.get(("verb", _verb(stage)))
        done, took = self._sums.get(("kind", kind)) or verb or (1.0, 1.0)
        return amount * (took / done)

    def sure(self, stages: Iterable[str]) -> bool:
        """Whether a stage of each kind was built before."""
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
        return self._work.get(stage, (_verb(stage), 1.0))

    def _add(self, stage: str, sign: int) -> None:
        """Count what is known of a stage for its kind and its verb: with thousands of stages nobody can add up anew."""
        amount, took = self._known[stage]
        for key in (("kind", self._of(stage)[0]), ("verb", _verb(stage))):
            done, seconds = self._sums.get(key, (0.0, 0.0))
            self._sums[key] = done + sign * amount, seconds + sign * took


def _verb(stage: str) -> str:
    return stage.partition("@")[0]
