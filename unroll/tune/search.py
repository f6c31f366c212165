"""A random search: which trainings come next, and which one is the best.

All options are drawn before the first training, so the order in which trainings end
does not matter. All trials train with all epochs, and patience ends most of them
earlier. The best trial then trains on with doubled epochs, as long as this helps.
"""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, cast

import numpy as np
import optuna
from optuna.samplers import RandomSampler

from pipeline.config.params import Experiment, own_name
from pipeline.errors import UnrollError
from pipeline.evaluation.verdict_rule import band_above_floor
from pipeline.files import read_checked, remove
from pipeline.metrics import MEASURES, Measure
from pipeline.provenance import fingerprint, places
from pipeline.provenance.fingerprint import Code
from pipeline.training import tasks
from pipeline.training.tasks import OUTCOME, Outcome, Task
from pipeline.workspace import Workspace
from unroll.tune.space import (
    EPOCHS,
    PATIENCE,
    Space,
    current_values,
    rounded,
    with_values,
)

CHANGED = 0.3
"""The probability that a trial draws an option, and does not keep the entry's own."""

LATE = 0.9
"""The fraction of the epochs after which a best epoch is late: more epochs might help."""

LONGEST = 16
"""The most epochs, as a multiple of the experiment's own."""

LONGER = "longer"
"""`Attempt.ended` of a training with more epochs than the experiment's own."""

NOT_CONVERGED = "longer, not converged"
"""`Attempt.ended` of the longest training, if even more epochs might help."""


@dataclass(frozen=True)
class Training:
    """A training that a search wants.

    Attributes:
        trial: the number of the trial, counted from 1.
        options: place of an option -> its value, with epochs and patience.
    """

    trial: int
    options: dict[str, Any]

    @property
    def epochs(self) -> int | None:
        """The most epochs; None for a model without epochs."""
        return cast("int | None", self.options.get(EPOCHS))


@dataclass(frozen=True)
class Attempt:
    """A training that has ended.

    Attributes:
        training: the training.
        outcome: its outcome.
        ended: as `Outcome.ended`, `LONGER` or `NOT_CONVERGED`.
    """

    training: Training
    outcome: Outcome
    ended: str


@dataclass(frozen=True, eq=False)
class Search:
    """A search for the options of an experiment.

    The first trial is the experiment as it is, so a search of an entry that only says
    what it is `like` tries the template's options. In all other trials some of the
    options are drawn, and so in all of a search that repeats another one: searches that
    share a trial would scatter too little.

    Attributes:
        workspace: the workspace of the prepared data set.
        name: the name of the experiment, such as waves/gru.
        experiment: the experiment, with the seeds of a trial.
        searched: the search space.
        trials: the number of trials.
        metric: the metric of the data set.
        floor: the least error that any model can have; 0 if it is not known.
        number: the number of the search. Each number draws other options.
        code: the code and the data, which are read once for several searches.
    """

    workspace: Workspace
    name: str
    experiment: Experiment
    searched: Space
    trials: int
    metric: str
    floor: float
    number: int
    code: Code
    _tasks: dict[tuple[int, int | None], Task] = field(default_factory=dict)

    @cached_property
    def own_values(self) -> dict[str, Any]:
        """The experiment's own values of the searched options."""
        return current_values(self.name, self.experiment, self.searched)

    @property
    def epochs(self) -> int:
        """The epochs of the experiment; 0 for a model without epochs."""
        return int(self.experiment.training.options.get("epochs") or 0)

    @property
    def measure(self) -> Measure:
        """The measure by which trials are compared."""
        return cast("Measure", MEASURES[self.metric])

    @property
    def seed(self) -> int:
        """The seed from which the options are drawn.

        Each search of the project draws other options.
        """
        drawn_for = (self.name, self.experiment.model.name, self.number)
        return int.from_bytes(
            hashlib.sha256(json.dumps(drawn_for).encode()).digest()[:4]
        )

    @cached_property
    def drawn(self) -> list[dict[str, Any]]:
        """The options of each trial. More trials have the same first ones.

        Each option is drawn with the probability `CHANGED`, and is else the entry's own.
        """
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        study = optuna.create_study(sampler=RandomSampler(self.seed))
        chance = np.random.default_rng(self.seed)
        options = []
        for _ in range(self.trials):
            every = rounded(study.ask({**self.searched}).params, self.searched)
            drawn = {
                place: value
                for place, value in every.items()
                if chance.random() < CHANGED
            }
            options.append(self.own_values | (drawn or every))
        return options if self.experiment.repeats else [self.own_values, *options[1:]]

    def error(self, attempt: Attempt) -> float:
        """Return the error of an attempt, the lower the better; infinite if it did not
        complete.
        """
        value = attempt.outcome.value
        if value is None:
            return math.inf
        return 1 - value if self.measure.higher else value

    def task(self, training: Training) -> Task:
        """Return the task of a training, always the same one."""
        key = (training.trial, training.epochs)
        if key not in self._tasks:
            experiment = Experiment.model_validate(
                with_values(self.experiment.model_dump(), training.options)
            )
            folder = self.workspace.prepared(experiment.dataset)
            made_of = fingerprint.ingredients(folder, experiment, self.code)
            # No experiment has such a name, so no log or checkpoint is shared.
            name = f"{own_name(self.name)}-{self.number}-{training.trial}"
            self._tasks[key] = Task(name, experiment, made_of, searching=True)
        return self._tasks[key]

    def outcome(self, training: Training) -> Outcome | None:
        """Return the outcome of a training; None if it has not ended."""
        folder = tasks.finished(self.workspace, self.task(training))
        if not folder.exists():
            return None
        return read_checked(folder / OUTCOME, Outcome)

    def require_unchanged(self, attempts: Sequence[Attempt]) -> None:
        """Raise UnrollError if the data or the code has changed since the search began.

        Then the outcomes are removed, since later ones may be of the new data.
        """
        last = attempts[-1].training
        now = replace(self, code=Code(places.CODE), _tasks={})
        if now.task(last).fingerprint == self.task(last).fingerprint:
            return
        for attempt in attempts:
            remove(tasks.finished(self.workspace, self.task(attempt.training)))
        raise UnrollError(
            f"the data or the code of {self.name} has changed since this search began; "
            "the same command searches again"
        )

    def progress(self) -> tuple[list[Attempt], list[Training]]:
        """Return what has been trained, and what has to be trained next.

        If nothing has to be trained, the search has ended.
        """
        attempts, missing = self._known(
            [
                self._training(number, self.epochs)
                for number in range(1, self.trials + 1)
            ]
        )
        if missing:
            return attempts, missing
        return self._longer(attempts)

    def _longer(self, attempts: list[Attempt]) -> tuple[list[Attempt], list[Training]]:
        """Return `progress` after all trials: the best one trains on."""
        of_best = [min(attempts, key=self.error)]
        best = of_best[0].training.trial
        longer: list[Attempt] = []
        while self.may_gain(of_best):
            epochs = 2 * (of_best[-1].training.epochs or 0)
            if epochs > LONGEST * self.epochs:
                longer[-1] = replace(longer[-1], ended=NOT_CONVERGED)
                break
            ended, missing = self._known([self._training(best, epochs)])
            if missing:
                return attempts + longer, missing
            longer += ended
            of_best += ended
        return attempts + longer, []

    def _training(self, number: int, epochs: int) -> Training:
        """Return the training of a trial with so many epochs; 0 without epochs.

        Patience is a part of the epochs, always the same one.
        """
        options = dict(self.drawn[number - 1])
        patience = self.experiment.training.options.get("patience")
        if epochs:
            options[EPOCHS] = epochs
        if epochs and patience:
            options[PATIENCE] = max(1, patience * epochs // self.epochs)
        return Training(number, options)

    def _known(
        self, wanted: Sequence[Training]
    ) -> tuple[list[Attempt], list[Training]]:
        """Return the attempts of the trainings that have ended, and the others."""
        ended = []
        missing = []
        for training in wanted:
            outcome = self.outcome(training)
            if outcome is None:
                missing.append(training)
                continue
            how = outcome.ended
            if outcome.value is not None and (training.epochs or 0) > self.epochs:
                how = LONGER
            ended.append(Attempt(training, outcome, how))
        return ended, missing

    def may_gain(self, trained: Sequence[Attempt]) -> bool:
        """Return whether more epochs might help a trial.

        They might if the best epoch was late, and the last doubling was worth it: it
        reduced the error by half of the band within which no difference matters, or
        more. A late best epoch is always worth the first doubling beyond the
        experiment's own epochs, except for a whole cosine, whose best epoch is always
        late. There only the last doubling counts.

        Args:
            trained: the trainings of a trial, by rising epochs.
        """
        last = trained[-1]
        outcome = last.outcome
        epochs = last.training.epochs
        if outcome.value is None or outcome.best_epoch is None or epochs is None:
            return False
        helped = True
        if len(trained) > 1:
            before = self.error(trained[-2])
            least = band_above_floor(before, self.floor) / 2
            helped = self.error(last) < (1 - least) * before
        own = self.experiment.training.options.get("schedule")
        schedule = last.training.options.get("training.schedule", own)
        if schedule == "cosine" and outcome.epochs == epochs:
            return helped
        is_late = outcome.best_epoch > LATE * epochs
        return is_late and (helped or epochs <= self.epochs)
