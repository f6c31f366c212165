"""The trials of an experiment: in an SQLite file, put back if whoever was at one is no
more; and how one is trained.

A trial is an experiment with other options, trained and scored on validation; test is
not there.
"""

import contextlib
import gc
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from statistics import fmean
from typing import Any

import optuna
from optuna import Study, Trial, TrialPruned
from optuna.distributions import distribution_to_json
from optuna.pruners import MedianPruner, NopPruner
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from pipeline.config import params
from pipeline.config.params import Experiment, own_name
from pipeline.data import dataset
from pipeline.data.dataset import Dataset
from pipeline.data.examples import ceil_div
from pipeline.errors import DivergedError, UnrollError, UsageError, one_line
from pipeline.locks import alive, alone
from pipeline.metrics import MEASURES, score
from pipeline.provenance import fingerprint
from pipeline.training.recipe import recipe
from pipeline.workspace import Workspace
from stages import progress
from unroll.hints import built_by
from unroll.tune.space import (
    Space,
    contains,
    current_values,
    rounded_within,
    with_values,
)

PATIENCE = 60
"""Seconds to wait for another process that writes; that takes milliseconds, the first
time a second."""

WARM_UP = 0.2
"""The fraction of its epochs that a trial has in any case."""

ATTEMPTS = 2
"""So many times the trials that are to come to an end are begun, at most."""

REPORTS = 20
"""How often in a training the study is asked whether to give it up: each time takes ten
milliseconds."""

INTERVAL = 0.5
"""Seconds between two lines that are drawn over each other; the study is read for each.
"""

ATTRIBUTES = ("why", "epochs", "best_epoch")
"""Of an `Attempt`, kept with its trial."""

Show = Callable[[Sequence[str]], None]
"""Shows how far a trial is."""


@dataclass(frozen=True)
class Attempt:
    """How a training ended.

    Attributes:
        value: the measure on validation, at the best epoch where there are epochs, the
            mean over seeds; None if the training did not come to its end.
        why: it did not, such as "diverged"; else "".
        epochs, best_epoch: how many the first seed was trained, and which was the best;
            None where there are none.
    """

    value: float | None
    why: str = ""
    epochs: int | None = None
    best_epoch: int | None = None

    @classmethod
    def of(cls, trial: FrozenTrial) -> "Attempt":
        """How a trial ended that has ended."""
        why, *epochs = (trial.user_attrs[attribute] for attribute in ATTRIBUTES)
        return cls(None if why else trial.value, why, *epochs)


@dataclass(frozen=True)
class Trials:
    """The trials of an experiment, in one study. Several processes of this machine may
    be at it. Made by `opened`.

    Attributes:
        name, experiment, data: what is trained.
        searched: what differs between trials.
        own_values: those of the experiment itself.
        count: how many trials there are to be.
        pruning: whether a trial is given up when it is worse than most. If not, only
            trials that came to an end count, of at most `ATTEMPTS` times as many.
        study: Optuna's.
        lock: under it no other process begins a trial.
    """

    name: str
    experiment: Experiment
    data: Dataset
    searched: Space
    own_values: Mapping[str, Any]
    count: int
    pruning: bool
    study: Study
    lock: Callable[[], AbstractContextManager[None]]

    def begin(self) -> Trial | None:
        """The next trial; None if there are enough, those that are being trained
        included.
        """
        with self.lock():
            running = len(self.running())
            if (
                len(self.counted()) + running >= self.count
                or len(self.done()) + running >= ATTEMPTS * self.count
            ):
                return None
            # Drawn by its number: a study that was stopped goes on with the trials that
            # it would have had.
            self.study.sampler = TPESampler(
                seed=len(self.study.get_trials(deepcopy=False))
            )
            trial = self.study.ask(self.searched)
            trial.set_user_attr("process", os.getpid())
        return trial

    def running(self) -> list[FrozenTrial]:
        """The trials that are being trained; those of processes that are no more are
        begun anew.
        """
        alive_trials = []
        for trial in self.study.get_trials(
            deepcopy=False, states=(TrialState.RUNNING,)
        ):
            began = trial.datetime_start.timestamp() if trial.datetime_start else 0.0
            if "process" in trial.user_attrs and alive(
                trial.user_attrs["process"], began
            ):
                alive_trials.append(trial)
                continue
            self.study.tell(trial.number, state=TrialState.FAIL)
            # else it was broken off while it was drawn
            if len(trial.params) == len(self.searched):
                self.study.enqueue_trial(trial.params)
        return alive_trials

    def done(self) -> list[FrozenTrial]:
        """The trials that ended or were given up."""
        return self.study.get_trials(
            deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED)
        )

    def counted(self) -> list[FrozenTrial]:
        """Of those the ones of which there are to be `count`."""
        return [
            trial
            for trial in self.done()
            if self.pruning or trial.state == TrialState.COMPLETE
        ]

    def best(self) -> FrozenTrial | None:
        """The best trial that was not given up."""
        with contextlib.suppress(ValueError):
            return self.study.best_trial
        return None

    def values(self, trial: Trial | FrozenTrial) -> dict[str, Any]:
        """What a trial has that differs from the experiment as it is, with as many
        digits as it is trained with.
        """
        drawn = {
            path: value
            for path, value in trial.params.items()
            if value != self.own_values[path]
        }
        values = {
            path: rounded_within(value, self.searched[path])
            for path, value in drawn.items()
        }
        return {
            path: value
            for path, value in values.items()
            if value != self.own_values[path]
        }


@contextlib.contextmanager
def opened(
    workspace: Workspace,
    name: str,
    experiment: Experiment,
    data: Dataset,
    searched: Space,
    count: int,
    *,
    pruning: bool = True,
) -> Iterator[Trials]:
    """The trials of an experiment, of before and to come; those of other ranges,
    options, data or code are kept apart.

    The experiment has the seeds of a trial. Its own values are the first trial if they
    are among what is `searched`.

    Raises:
        UnrollError: the file of the trials cannot be read or written.
    """
    file = workspace.scratch / "tuning" / f"{name}.db"
    own_values = current_values(name, experiment, searched)
    lock_file = file.with_suffix(".lock")
    lock = partial(
        alone, lock_file, f"another process holds {lock_file}", patience=PATIENCE
    )
    preparation = params.load(workspace.params).dataset(data.name).preparation
    made_of = fingerprint.ingredients(
        workspace.prepared(data.name), experiment, preparation
    ).fingerprint
    study_name = fingerprint.brief(
        made_of
        | {path: path + distribution_to_json(tried) for path, tried in searched.items()}
    )
    epochs = experiment.training.options.get("epochs", 0)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with lock():
            database = optuna.storages.RDBStorage(
                f"sqlite:///{file}", {"connect_args": {"timeout": PATIENCE}}
            )
            summaries = optuna.get_all_study_summaries(database)
            new = study_name not in {summary.study_name for summary in summaries}
            study = optuna.create_study(
                storage=database,
                study_name=study_name,
                direction="maximize" if MEASURES[data.metric].higher else "minimize",
                pruner=MedianPruner(n_warmup_steps=int(WARM_UP * epochs))
                if pruning
                else NopPruner(),
                load_if_exists=True,
            )
            if new and all(
                contains(tried, own_values[path]) for path, tried in searched.items()
            ):
                study.enqueue_trial(dict(own_values))
        if new and (count_of_others := sum(summary.n_trials for summary in summaries)):
            print(
                f"A new study; {count_of_others} trials of other ranges, options, data or code are kept."
            )
        yield Trials(
            name, experiment, data, searched, own_values, count, pruning, study, lock
        )
    except (SQLAlchemyError, optuna.exceptions.OptunaError) as error:
        why = one_line(
            str(
                getattr(error, "orig", None)
                or getattr(error.__cause__, "orig", None)
                or error
            )
        )
        raise UnrollError(
            f"{file} cannot be used ({why:.200}); move it away to begin anew"
        ) from error


def without_test(workspace: Workspace, experiment: Experiment) -> Dataset:
    """The data set without its test split, so that nobody looks at it: what asks for
    one gets validation again.

    Raises:
        UsageError, UnrollError: it is not prepared, or has no validation split.
    """
    folder = workspace.prepared(experiment.dataset)
    if not (folder / "dataset.json").is_file():
        missing = folder.relative_to(workspace.root)
        raise UnrollError(
            f"{missing} is missing; {built_by(f'prepare@{experiment.dataset}')}"
        )
    data = dataset.load(folder, calendar=experiment.calendar, share=experiment.share)
    if "validation" not in data.splits:
        raise UsageError(
            f"{data.name} has no validation split to choose by, and nothing is chosen on test; docs/tune.md says how "
            "to try a change by hand"
        )
    validation = data.splits["validation"]
    splits = {
        "train": data.splits["train"],
        "validation": validation,
        "test": validation,
    }
    return replace(
        data, splits=splits, scored=("validation",), groups={}, rollout=False
    )


def train_all(trials: Trials) -> None:
    """Train here until there are enough trials, and show each.

    Raises:
        UnrollError: the first one could not be trained.
    """
    started = time.monotonic()
    before = len(trials.done())
    title = MEASURES[trials.data.metric].title

    def show(number: int, figures: Sequence[str], *, last: bool = False) -> None:
        done = len(trials.done())
        best = trials.best()
        left = ""
        if ended := done - before:
            missing = trials.count - len(trials.counted())
            left = f"{progress.duration((time.monotonic() - started) / ended * max(0, missing))} left"
        best_so_far = [f"best {best.value:.4g}"] if best else []
        start = f"{trials.name}  trial {number} of {trials.count}"
        progress.line(start, [figures[0], *best_so_far, *figures[1:]], left, last=last)

    # Keras collects garbage before each model: a third of a second, for what is
    # imported and is none
    gc.freeze()
    while (trial := trials.begin()) is not None:
        number = len(trials.done()) + len(trials.running())
        try:
            attempt = train(trials, trials.values(trial), partial(show, number), trial)
        except UnrollError as error:
            if trials.best() is None:
                raise
            attempt = Attempt(None, str(error))
        for attribute in ATTRIBUTES:
            trial.set_user_attr(attribute, getattr(attempt, attribute))
        ended = trials.study.tell(
            trial, attempt.value, TrialState.PRUNED if attempt.why else None
        )
        options = (
            f"{option.partition('.')[2]} {chosen}"
            for option, chosen in trials.values(ended).items()
        )
        show(number, [attempt.why or f"{title} {ended.value:.4g}", *options], last=True)


def train(
    trials: Trials, values: Mapping[str, Any], show: Show, trial: Trial | None = None
) -> Attempt:
    """Train the experiment with other values; a trial is told after epochs, and asked
    whether to go on.

    Raises:
        UnrollError: the options do not fit.
    """
    # the trial before has left circles with tensors in them, whose size Python does not
    # know
    gc.collect()
    tried = Experiment.model_validate(
        with_values(trials.experiment.model_dump(), values)
    )
    chosen = recipe(own_name(trials.name), tried)
    data = trials.data
    callback = _Callback(
        trial,
        data.metric,
        chosen.seeds[0],
        chosen.method.keywords.get("epochs", 0),
        show,
    )
    try:
        replicates = chosen.train(chosen.job(data, callback)).replicates
    except TrialPruned:
        return Attempt(None, "given up")
    except DivergedError:
        return Attempt(None, "diverged")
    targets = data.splits["validation"].targets
    value = fmean(
        score(data.metric, replicate.predictions[f"{point}_validation"], targets)
        for replicate in replicates
        for point in ["final" if replicate.best_epoch is None else "best"]
    )
    if not math.isfinite(value):
        return Attempt(None, "diverged")
    first = replicates[0]
    return Attempt(value, "", len(first.history) or None, first.best_epoch)


class _Callback:
    """Shows how a training goes; gives a trial up where its study says so
    (`pipeline.training.job.Callback`).
    """

    def __init__(
        self, trial: Trial | None, metric: str, seed: int, epochs: int, show: Show
    ) -> None:
        self._trial = trial
        self._metric = metric
        self._seed = seed
        self._epochs = epochs
        self._show = show
        self._shown = 0.0

    def resumed(self, histories: Mapping[int, list[dict[str, float]]]) -> None:
        """No trial goes on from a checkpoint."""

    def epoch(self, seed: int, epoch: int, values: Mapping[str, float]) -> None:
        """Raises `optuna.TrialPruned`. Only the first seed is asked about."""
        value = values[f"validation_{self._metric}"]
        if (
            self._trial
            and seed == self._seed
            and epoch < self._epochs
            and epoch % ceil_div(self._epochs, REPORTS) == 0
        ):
            self._trial.report(value, epoch)
            if self._trial.should_prune():
                raise TrialPruned
        if sys.stderr.isatty() and time.monotonic() - self._shown > INTERVAL:
            self._shown = time.monotonic()
            self._show([f"epoch {epoch}/{self._epochs}", f"now {value:.4g}"])
