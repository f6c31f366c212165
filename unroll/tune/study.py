"""The trials of an experiment in an SQLite file: begun, ended, and put back if whoever was at one is no more."""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

import optuna
from optuna import Study, Trial
from optuna.distributions import distribution_to_json
from optuna.pruners import MedianPruner
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from pipeline.config import params
from pipeline.config.params import Experiment
from pipeline.data.dataset import Dataset
from pipeline.errors import UnrollError, one_line
from pipeline.locks import alive, alone
from pipeline.metrics import MEASURES
from pipeline.provenance import fingerprint
from pipeline.workspace import Workspace
from unroll.tune.space import Space, changed, present, rounded

PATIENCE = 60
"""Seconds to wait for another process that writes; that takes milliseconds, the first time a second."""

WARM_UP = 0.2
"""The share of its epochs that a trial has in any case."""


@dataclass(frozen=True)
class Trials:
    """The trials of an experiment, in one study. Several processes of this machine may be at it. Made by `opened`.

    `now` are the experiment's own values of what is searched. Under `alone` no other process begins a trial.
    """

    name: str
    experiment: Experiment
    data: Dataset
    searched: Space
    now: Mapping[str, Any]
    wanted: int
    study: Study
    alone: Callable[[], AbstractContextManager[None]]

    def begin(self) -> Trial | None:
        """The next trial; None if there are enough, those that are being trained included."""
        with self.alone():
            if len(self.done()) + len(self.running()) >= self.wanted:
                return None
            # Drawn by its number: a study that was stopped goes on with the trials that it would have had.
            self.study.sampler = TPESampler(seed=len(self.study.get_trials(deepcopy=False)))
            trial = self.study.ask(self.searched)
            trial.set_user_attr("process", os.getpid())
        return trial

    def running(self) -> list[FrozenTrial]:
        """The trials that are being trained; those of processes that are no more are begun anew."""
        found = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        lives = [t for t in found if "process" in t.user_attrs and alive(t.user_attrs["process"], _began(t))]
        for trial in found:
            if trial not in lives:
                self.study.tell(trial.number, state=TrialState.FAIL)
                if len(trial.params) == len(self.searched):  # else it was broken off while it was drawn
                    self.study.enqueue_trial(trial.params)
        return lives

    def done(self) -> list[FrozenTrial]:
        """The trials that ended or were given up."""
        return self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))

    def best(self) -> FrozenTrial | None:
        """The best trial that was not given up."""
        with contextlib.suppress(ValueError):
            return self.study.best_trial
        return None

    def values(self, trial: Trial | FrozenTrial) -> dict[str, Any]:
        """What a trial has that differs from the experiment as it is."""
        return {place: rounded(value) for place, value in trial.params.items() if value != self.now[place]}

    def tried(self, trial: Trial | FrozenTrial) -> Experiment:
        """The experiment with the values of a trial."""
        return Experiment.model_validate(changed(self.experiment.model_dump(), self.values(trial)))


def _began(trial: FrozenTrial) -> float:
    return trial.datetime_start.timestamp() if trial.datetime_start else 0.0


@contextlib.contextmanager
def opened(
    workspace: Workspace, name: str, experiment: Experiment, data: Dataset, searched: Space, wanted: int
) -> Iterator[Trials]:
    """The trials of an experiment, of before and to come; those of other ranges, options, data or code are kept apart.

    The experiment has the seeds of a trial. Its own values are the first trial if they are among what is `searched`.

    Raises:
        UnrollError: the file of the trials cannot be read or written.
    """
    file = workspace.scratch / "tuning" / f"{name}.db"
    held = file.with_suffix(".lock")
    now = present(name, experiment, searched)
    lock = partial(alone, held, f"another process holds {held}", patience=PATIENCE)
    preparation = params.load(workspace.params).dataset(data.name).preparation
    made_of = fingerprint.ingredients(workspace.prepared(data.name), experiment, preparation).fingerprint
    study_name = fingerprint.brief(
        made_of | {place: place + distribution_to_json(tried) for place, tried in searched.items()}
    )
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with lock():
            database = optuna.storages.RDBStorage(f"sqlite:///{file}", {"connect_args": {"timeout": PATIENCE}})
            others = {each.study_name: each.n_trials for each in optuna.get_all_study_summaries(database)}
            study = optuna.create_study(
                storage=database,
                study_name=study_name,
                direction="maximize" if MEASURES[data.metric].higher else "minimize",
                pruner=MedianPruner(n_warmup_steps=int(WARM_UP * experiment.training.options.get("epochs", 0))),
                load_if_exists=True,
            )
            if study_name not in others and all(_holds(tried, now[place]) for place, tried in searched.items()):
                study.enqueue_trial(dict(now))
        if others and study_name not in others:
            print(f"A new study; {sum(others.values())} trials of other ranges, options, data or code are kept apart.")
        yield Trials(name, experiment, data, searched, now, wanted, study, lock)
    except (SQLAlchemyError, optuna.exceptions.OptunaError) as error:
        said = one_line(str(getattr(error, "orig", None) or getattr(error.__cause__, "orig", None) or error))
        raise UnrollError(f"{file} cannot be used ({said:.200}); move it away to begin anew") from error


def _holds(tried: Any, value: Any) -> bool:
    """Whether a value is among what is tried."""
    if choices := getattr(tried, "choices", None):
        return value in choices
    return value is not None and bool(tried.low <= value <= tried.high)
