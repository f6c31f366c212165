"""The trials of an experiment: Optuna draws them and keeps them in an SQLite file.

A trial is the experiment with other options, trained and scored on validation. The test
split is removed.
"""

import contextlib
import gc
import hashlib
import json
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any

import optuna
from optuna import Study, Trial, TrialPruned
from optuna.distributions import distribution_to_json
from optuna.exceptions import OptunaError
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError

from pipeline.config.params import Experiment, built_by, own_name
from pipeline.data import dataset
from pipeline.data.dataset import Dataset, without_calendar
from pipeline.errors import DivergedError, UnrollError, UsageError, one_line
from pipeline.metrics import MEASURES, Measure, score
from pipeline.processes import duration
from pipeline.provenance import fingerprint
from pipeline.training.recipe import recipe
from pipeline.workspace import Workspace, alone
from stages import progress
from unroll.tune.space import Space, contains, current_values, draw, with_values

RETRIES = 2
"""The number of times that a trial is queued again if its process dies."""

ATTEMPTS = 2
"""The most trials that are begun for each trial that has to complete."""


@dataclass(frozen=True)
class Attempt:
    """The result of one training.

    Attributes:
        value: the measure on validation, as the mean over seeds, at the best epoch if
            there are epochs; None if the training did not complete.
        ended: "complete", or the reason why the training did not complete.
        epochs: the epochs of the first seed; None without epochs.
        best_epoch: the best epoch of the first seed; None without epochs.
        options: place of an option -> its value.
    """

    value: float | None
    ended: str
    epochs: int | None
    best_epoch: int | None
    options: dict[str, Any]


@dataclass(frozen=True)
class Search:
    """A search for the options of an experiment.

    The first trial is the experiment as it is. If the experiment has `trials`, all are
    drawn, so that several searches are independent.

    Attributes:
        name: the name of the experiment, such as waves/gru.
        experiment: the experiment, with the seeds of a trial.
        data: the data set without its test split (`without_test`).
        searched: the search space.
        trials: the number of trials that have to complete.
        number: the number of the search. Each number draws other options.
    """

    name: str
    experiment: Experiment
    data: Dataset
    searched: Space
    trials: int
    number: int = 1

    @cached_property
    def own_values(self) -> dict[str, Any]:
        """The experiment's own values of the searched options."""
        return current_values(self.name, self.experiment, self.searched)

    @property
    def measure(self) -> Measure:
        """The measure by which trials are compared."""
        measure: Measure = MEASURES[self.data.metric]
        return measure

    @property
    def column(self) -> str:
        """The column of the measure in results/trials."""
        return f"validation_{self.data.metric}"

    def rank(self, attempt: Attempt) -> float:
        """Return a number that is lower for a better attempt."""
        if attempt.value is None:
            return math.inf
        return -attempt.value if self.measure.higher else attempt.value

    def seed(self, trial: int) -> int:
        """Return the seed of the sampler for a trial, counted from 0.

        Each search of the project draws other options. A search that was stopped
        resumes with the options that it would have drawn.
        """
        drawn_for = (self.name, self.experiment.model.name, self.number, trial)
        digest = hashlib.sha256(json.dumps(drawn_for).encode()).digest()
        return int.from_bytes(digest[:4])


def without_test(workspace: Workspace, experiment: Experiment) -> Dataset:
    """Return the data set with its validation split in place of its test split.

    Raises:
        UnrollError: the data set is not prepared.
        UsageError: it has no validation split.
    """
    folder = workspace.prepared(experiment.dataset)
    if not (folder / "dataset.json").is_file():
        missing = folder.relative_to(workspace.root)
        builds = built_by(workspace, f"prepare@{experiment.dataset}")
        raise UnrollError(f"{missing} is missing; {builds}")
    data = dataset.load(folder, calendar=experiment.calendar, share=experiment.share)
    if "validation" not in data.splits:
        raise UsageError(
            f"{data.name} has no validation split to choose by, and nothing is chosen "
            "on test; docs/tune.md shows how to try a change by hand"
        )
    splits = {**data.splits, "test": data.splits["validation"]}
    return replace(
        data, splits=splits, scored=("validation",), groups={}, rollout=False
    )


@contextlib.contextmanager
def opened(workspace: Workspace, search: Search) -> Iterator[Study]:
    """Open the study of a search, with its earlier trials.

    Other ranges, options, data or code have a study of their own.

    Raises:
        UnrollError: the file of the trials cannot be read or written.
    """
    file = workspace.scratch / "tuning" / f"{search.name}.db"
    busy = f"another process searches {search.name}; wait until it has ended"
    with alone(file.with_suffix(".lock"), busy):
        try:
            study = _study(file, _study_name(workspace, search), search.measure.higher)
            _queue_again(study)
            own = search.own_values
            if not search.experiment.trials and all(
                contains(tried, own[place]) for place, tried in search.searched.items()
            ):
                study.enqueue_trial(own, skip_if_exists=True)
            yield study
        except (SQLAlchemyError, OptunaError) as error:
            cause = error.__cause__ or error
            why = one_line(str(getattr(cause, "orig", None) or cause))
            raise UnrollError(
                f"{file} cannot be used ({why:.200}); move it away to begin anew"
            ) from error


def _study(file: Path, name: str, higher: bool) -> Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study(
        # A folder's name may hold `?` and `#`, which an address must not.
        storage=URL.create("sqlite", database=str(file)).render_as_string(),
        study_name=name,
        direction="maximize" if higher else "minimize",
        load_if_exists=True,
    )


def _study_name(workspace: Workspace, search: Search) -> str:
    """Return a hash of what the trials depend on, with the number of the search."""
    about = search.data.name
    prepared = workspace.prepared(about)
    made_of = fingerprint.ingredients(prepared, search.experiment).fingerprint
    for place, tried in search.searched.items():
        made_of[place] = place + distribution_to_json(tried)
    return f"{fingerprint.brief(made_of)}-{search.number}"


def optimize(search: Search, study: Study) -> None:
    """Train trials until enough have completed, and print a line for each trial.

    Raises:
        UnrollError: a trial failed before any trial had completed.
    """

    def objective(trial: Trial) -> float:
        # A seed for each trial, so that a stopped search draws the same options.
        study.sampler = TPESampler(seed=search.seed(trial.number))
        values = draw(trial, search.searched)
        title = f"{search.name}  trial {trial.number + 1}"
        started = time.monotonic()
        try:
            attempt = train(search, values, title)
        except KeyboardInterrupt:
            study.enqueue_trial(trial.params)
            raise
        except UnrollError as error:
            if not _trials(study, TrialState.COMPLETE):
                raise
            attempt = Attempt(None, str(error), None, None, values)
        trial.set_user_attr("attempt", asdict(attempt))
        missing = search.trials - len(_trials(study, TrialState.COMPLETE)) - 1
        left = duration(max(0, missing) * (time.monotonic() - started))
        progress.line(title, _figures(search, attempt), f"{left} left", last=True)
        if attempt.value is None:
            raise TrialPruned
        return attempt.value

    def stop_if_enough(*_: object) -> None:
        if _enough(search, study):
            study.stop()

    if not _enough(search, study):
        # Keras collects garbage before each model. Imported objects, which are none,
        # would take a third of a second each time.
        gc.freeze()
        study.optimize(objective, callbacks=[stop_if_enough])


def _trials(study: Study, *states: TrialState) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=states)


def _queue_again(study: Study) -> None:
    """Fail the trials of a process that was killed, and queue their options again."""
    for trial in _trials(study, TrialState.RUNNING):
        study.tell(trial.number, state=TrialState.FAIL)
        failed = [each.params for each in _trials(study, TrialState.FAIL)]
        if failed.count(trial.params) <= RETRIES:
            study.enqueue_trial(trial.params)


def _enough(search: Search, study: Study) -> bool:
    """Return whether enough trials have ended."""
    complete = len(_trials(study, TrialState.COMPLETE))
    begun = complete + len(_trials(study, TrialState.PRUNED))
    return complete >= search.trials or begun >= ATTEMPTS * search.trials


def attempts(search: Search, study: Study) -> list[Attempt]:
    """Return the trials that have ended, up to the last one that was needed."""
    ended: list[Attempt] = []
    missing = search.trials
    for trial in _trials(study, TrialState.COMPLETE, TrialState.PRUNED):
        if missing > 0:  # an earlier search may have had more trials
            ended.append(Attempt(**trial.user_attrs["attempt"]))
        missing -= trial.state == TrialState.COMPLETE
    return ended


def _figures(search: Search, attempt: Attempt) -> list[str]:
    """Return the measure, and the options that differ from the experiment's own."""
    how = attempt.ended
    if attempt.value is not None:
        how = f"{search.measure.title} {attempt.value:.4g}"
    differing = sorted(attempt.options.items() - search.own_values.items())
    return [how, *(f"{place.partition('.')[2]} {value}" for place, value in differing)]


def train(search: Search, values: Mapping[str, Any], title: str) -> Attempt:
    """Train the experiment with other values.

    Raises:
        UnrollError: the options do not fit.
    """
    # Python does not know the size of the tensors that the last trial has left in
    # reference cycles.
    gc.collect()
    section = with_values(search.experiment.model_dump(), values)
    experiment = Experiment.model_validate(section)
    chosen = recipe(own_name(search.name), experiment)
    data = search.data
    if not experiment.calendar:
        data = without_calendar(data)
    shown = progress.Epochs(title, chosen.method.keywords)
    diverged = Attempt(None, "diverged", None, None, dict(values))
    try:
        replicates = chosen.train(chosen.job(data, shown)).replicates
    except DivergedError:
        return diverged
    targets = search.data.splits["validation"].targets
    scores = []
    for replicate in replicates:
        point = "final" if replicate.best_epoch is None else "best"
        predictions = replicate.predictions[f"{point}_validation"]
        scores.append(score(search.data.metric, predictions, targets))
    value = fmean(scores)
    if not math.isfinite(value):
        return diverged
    epochs = len(replicates[0].history) or None
    return Attempt(value, "complete", epochs, replicates[0].best_epoch, dict(values))
