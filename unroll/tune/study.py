"""The trials of an experiment in an SQLite file: begun, ended, and put back if whoever was at one is no more."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import UnrollError, one_line
from pipeline.locks import alive, alone
from unroll.tune.space import Space

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.pruners import BasePruner
    from optuna.trial import FrozenTrial

PATIENCE = 60
"""Seconds to wait for another process that writes; that takes milliseconds, the first time a second."""


class Trials:
    """The trials of one study. Several processes of this machine may be at it. Made by `opened`.

    Args:
        study: Optuna's.
        file: that it lies in.
        searched: what is drawn for each trial.
        wanted: how many trials there will be.
    """

    def __init__(self, study: "Study", file: Path, searched: Space, wanted: int) -> None:
        self.study, self.wanted = study, wanted
        self._file, self._space = file, searched

    def alone(self) -> AbstractContextManager[None]:
        """Let no other process begin a trial, or be here."""
        return _alone(self._file)

    def begin(self) -> "Trial | None":
        """The next trial; None if there are enough, those that are being trained included."""
        from optuna.samplers import TPESampler

        with self.alone():
            if len(self.done()) + len(self.running()) >= self.wanted:
                return None
            # Drawn by its number: a study that was stopped goes on with the trials that it would have had.
            self.study.sampler = TPESampler(seed=len(self.study.get_trials(deepcopy=False)))
            trial = self.study.ask(self._space)
            trial.set_user_attr("process", os.getpid())
        return trial

    def running(self) -> list["FrozenTrial"]:
        """The trials that are being trained; those of processes that are no more are put back."""
        from optuna.trial import TrialState

        found = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        lives = [t for t in found if "process" in t.user_attrs and alive(t.user_attrs["process"], _began(t))]
        for trial in found:
            if trial not in lives:
                self.put_back(trial)
        return lives

    def put_back(self, trial: "Trial | FrozenTrial") -> None:
        """Let a trial that did not end be the next one, unless it was broken off while it was drawn."""
        from optuna.trial import TrialState

        self.study.tell(trial.number, state=TrialState.FAIL)
        if len(trial.params) == len(self._space):
            self.study.enqueue_trial(trial.params)

    def done(self) -> list["FrozenTrial"]:
        """The trials that ended or were given up."""
        from optuna.trial import TrialState

        return self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))

    def best(self) -> "FrozenTrial | None":
        """The best trial that was not given up."""
        with contextlib.suppress(ValueError):
            return self.study.best_trial
        return None


def _began(trial: "FrozenTrial") -> float:
    return trial.datetime_start.timestamp() if trial.datetime_start else 0.0


def _alone(file: Path) -> AbstractContextManager[None]:
    return alone(file.with_suffix(".lock"), f"another process holds {file.with_suffix('.lock')}", patience=PATIENCE)


@contextlib.contextmanager
def opened(
    file: Path, name: str, searched: Space, now: Mapping[str, Any], *, higher: bool, pruner: "BasePruner", wanted: int
) -> Iterator[Trials]:
    """The trials of one study, of before and to come.

    Args:
        file: of the experiment; it may hold other studies.
        name: of the study.
        searched: what is drawn.
        now: the experiment's own values, which are the first trial if they are among what is searched.
        higher: whether a higher score is better.
        pruner: says when a trial is given up.
        wanted: how many trials there will be.

    Raises:
        UnrollError: the file cannot be read or written.
    """
    import optuna
    from sqlalchemy.exc import SQLAlchemyError

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with _alone(file):
            database = optuna.storages.RDBStorage(f"sqlite:///{file}", {"connect_args": {"timeout": PATIENCE}})
            others = {each.study_name: each.n_trials for each in optuna.get_all_study_summaries(database)}
            study = optuna.create_study(
                storage=database,
                study_name=name,
                direction="maximize" if higher else "minimize",
                pruner=pruner,
                load_if_exists=True,
            )
            if name not in others and all(_holds(tried, now[place]) for place, tried in searched.items()):
                study.enqueue_trial(dict(now))
        if others and name not in others:
            print(f"A new study; {sum(others.values())} trials of other ranges, options, data or code are kept apart.")
        yield Trials(study, file, searched, wanted)
    except (SQLAlchemyError, optuna.exceptions.OptunaError) as error:
        said = one_line(str(getattr(error, "orig", None) or getattr(error.__cause__, "orig", None) or error))
        raise UnrollError(f"{file} cannot be used ({said:.200}); move it away to begin anew") from error


def _holds(tried: Any, value: Any) -> bool:
    """Whether a value is among what is tried."""
    if choices := getattr(tried, "choices", None):
        return value in choices
    return value is not None and bool(tried.low <= value <= tried.high)
