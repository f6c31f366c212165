"""The trials of an experiment in a database: begun, ended, and put back if whoever was at one is no more."""

import contextlib
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.locks import alive, alone
from unroll.tune import storage
from unroll.tune.space import Space
from unroll.tune.storage import PATIENCE

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.pruners import BasePruner
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial
    from sqlalchemy import URL


class Trials:
    """The trials of one study. Several processes may be at it. Made by `opened`.

    Args:
        study: Optuna's.
        file: stands for it on this machine.
        searched: what is drawn for each trial.
        wanted: how many trials there will be.
        shared: the database, if it is not this machine's alone.
    """

    def __init__(
        self, study: "Study", file: Path, searched: Space, wanted: int, shared: "RDBStorage | None" = None
    ) -> None:
        self.study, self.wanted = study, wanted
        self._file, self._space, self._shared = file, searched, shared

    def alone(self) -> AbstractContextManager[None]:
        """Let no other process of this machine begin a trial, or be here."""
        return _alone(self._file)

    def begin(self) -> "Trial | None":
        """The next trial; None if there are enough, those that are being trained included."""
        from optuna.samplers import TPESampler

        with self.alone():
            if len(self.done()) + len(self.running()) >= self.wanted:
                return None
            # Drawn by its number: a study that was stopped goes on with the trials that it would have had.
            self.study.sampler = TPESampler(seed=len(self.study.get_trials(deepcopy=False)))
            with storage.unproven():
                trial = self.study.ask(self._space)
            self.vouch([trial])
            trial.set_user_attr("process", os.getpid())
        return trial

    def vouch(self, trials: Iterable["Trial"]) -> None:
        """Say to other machines that these trials are being trained: to be called every `storage.BEAT` seconds."""
        if self._shared:
            for trial in trials:
                self._shared.record_heartbeat(key(trial))

    def running(self) -> list["FrozenTrial"]:
        """The trials that are being trained; those of processes that are no more are put back."""
        import optuna

        if self._shared:
            with storage.unproven():
                optuna.storages.fail_stale_trials(self.study)
        found = self.study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,))
        if self._shared:  # Optuna does not miss one that was killed before its first word
            late = time.time() - storage.SILENCE
            lives = [t for t in found if "process" in t.user_attrs or _began(t) > late]
        else:
            lives = [t for t in found if "process" in t.user_attrs and alive(t.user_attrs["process"], _began(t))]
        for trial in found:
            if trial not in lives:
                self.put_back(trial)
        return lives

    def put_back(self, trial: "Trial | FrozenTrial") -> None:
        """Let a trial that did not end be the next one."""
        from optuna.trial import TrialState

        self.study.tell(trial.number, state=TrialState.FAIL)
        _again(self._space, self.study, trial)

    def done(self) -> list["FrozenTrial"]:
        """The trials that ended or were given up."""
        from optuna.trial import TrialState

        return self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))

    def best(self) -> "FrozenTrial | None":
        """The best trial that was not given up."""
        with contextlib.suppress(ValueError):
            return self.study.best_trial
        return None


def key(trial: "Trial") -> int:
    """What a trial is known by to its database."""
    return trial._trial_id  # noqa: SLF001 - it has no public name


def _again(searched: Space, study: "Study", trial: "Trial | FrozenTrial") -> None:
    """Put a trial that failed at the head of the queue, unless it was broken off while it was drawn."""
    if len(trial.params) == len(searched):
        study.enqueue_trial(trial.params)


def _began(trial: "FrozenTrial") -> float:
    return trial.datetime_start.timestamp() if trial.datetime_start else 0.0


def _alone(file: Path) -> AbstractContextManager[None]:
    return alone(file.with_suffix(".lock"), f"another process holds {file.with_suffix('.lock')}", patience=PATIENCE)


@contextlib.contextmanager
def opened(
    file: Path,
    name: str,
    searched: Space,
    now: Mapping[str, Any],
    *,
    higher: bool,
    pruner: "BasePruner",
    wanted: int,
    shared: "URL | None" = None,
) -> Iterator[Trials]:
    """The trials of one study, of before and to come.

    Args:
        file: of the experiment, named after it; it may hold other studies.
        name: of the study.
        searched: what is drawn.
        now: the experiment's own values, which are the first trial if they are among what is searched.
        higher: whether a higher score is better.
        pruner: says when a trial is given up.
        wanted: how many trials there will be.
        shared: the database to use in place of the file, which then stands for it on this machine.

    Raises:
        UnrollError: the database cannot be read or written.
    """
    import optuna

    url = shared or storage.file(file)
    # One database has the studies of all experiments, one file those of its own.
    mark = f"{file.stem} " if shared else ""
    with storage.explained(url):
        with _alone(file):
            database = storage.connect(url, partial(_again, searched))
            summaries = optuna.get_all_study_summaries(database)
            others = {each.study_name: each.n_trials for each in summaries if each.study_name.startswith(mark)}
            study = optuna.create_study(
                storage=database,
                study_name=mark + name,
                direction="maximize" if higher else "minimize",
                pruner=pruner,
                load_if_exists=True,
            )
            new = study.study_name not in others
            if new and all(_holds(tried, now[place]) for place, tried in searched.items()):
                study.enqueue_trial(dict(now))
        if others and new:
            print(f"A new study; {sum(others.values())} trials of other ranges, options, data or code are kept apart.")
        yield Trials(study, file, searched, wanted, database if shared else None)


def _holds(tried: Any, value: Any) -> bool:
    """Whether a value is among what is tried."""
    if choices := getattr(tried, "choices", None):
        return value in choices
    return value is not None and bool(tried.low <= value <= tried.high)
