"""The stage `train`: a run of each experiment of a data set, in runs/DATASET.

`pool` trains tasks on this machine, `cluster` on others.

DVC keeps runs/DATASET while the stage runs (`persist`), so runs that are there already
are not trained again.
"""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

from pipeline.config import params
from pipeline.config.named_modules import METHODS, MODELS, full_name
from pipeline.config.params import Experiment, Params
from pipeline.data import dataset
from pipeline.data.dataset import Dataset, Description
from pipeline.errors import UnrollError, UsageError
from pipeline.evaluation.scores import on_test
from pipeline.files import remove
from pipeline.metrics import MEASURES
from pipeline.processes import Ended, Work
from pipeline.provenance import fingerprint, places, record
from pipeline.provenance.fingerprint import Code
from pipeline.training import run_folder, tasks
from pipeline.training.run_folder import Run
from pipeline.training.tasks import RECORD, RUN, Task
from pipeline.validation import one_of
from pipeline.workspace import Workspace
from stages import pool, progress
from stages.perform import perform

SCHEDULER = "DASK_SCHEDULER_ADDRESS"
"""Dask's own environment variable with the address of a scheduler. Where it is set,
that cluster trains (docs/many-machines.md)."""

NETWORK = 10.0
"""Expected seconds of a network that was never trained. Other models: 1 second."""


NO_FREE_RUN = ("residual", "features", "rows")
"""Options that make a network's inputs or outputs others than the values of a series."""


ONE_COLUMN = ("daily_cycle", "seasonal_naive", "delayed")
"""Baselines that forecast the column of the target alone."""


class Finished:
    """Finished runs and their data sets, each read once, for MLflow and for the scores.

    Args:
        workspace: the workspace of the prepared data sets and the runs.
        wanted: the tasks of the runs.
    """

    def __init__(self, workspace: Workspace, wanted: Sequence[Task]) -> None:
        self._workspace = workspace
        self._wanted = wanted
        self._scores: dict[Task, float | None] = {}
        self._load = cache(dataset.load)
        # A store that cannot be reached would hold up the trainings once for each run.
        self._reachable = True

    def log(self, task: Task) -> None:
        """Read the run that a training has just left, and log it in MLflow.

        Raises:
            UnrollError: a file is damaged. A failure of MLflow is a warning.
        """
        # It is heavy; where nothing is trained, MLflow need not be imported.
        from pipeline.tracking import runs

        folder = tasks.finished(self._workspace, task)
        run = self._read(task, folder / RUN)
        if self._reachable:
            files = (folder / RUN, folder / RECORD)
            found = runs.RunOnDisk(
                task.whole_name, task.experiment, *files, run, self._data(task)
            )
            self._reachable = runs.trained(self._workspace, found)

    def scores(self) -> dict[str, float | None]:
        """Return full name of an experiment -> the score of its run on test.

        Raises:
            UnrollError: a run or the data set is damaged.
        """
        for task in self._wanted:
            if task not in self._scores:
                self._read(task, self._workspace.run(task.dataset, task.name))
        return {task.whole_name: self._scores[task] for task in self._wanted}

    @property
    def metric(self) -> str:
        """The measure of the data set, by which its runs are scored."""
        return self._data(self._wanted[0]).metric

    def _read(self, task: Task, folder: Path) -> Run:
        """Read the run of a task, and keep its score."""
        run = run_folder.load(folder)
        self._scores[task] = on_test(self._data(task), run)
        return run

    def _data(self, task: Task) -> Dataset:
        prepared = self._workspace.prepared(task.dataset)
        return self._load(prepared, calendar=task.experiment.calendar)


def train(workspace: Workspace, name: str, only: str = "", jobs: int = 1) -> Finished:
    """Fill runs/NAME with a run of each experiment of a data set in params.yaml, and
    remove all other runs there.

    Missing, stale and damaged runs are trained, several at once. A training that fails
    does not stop the others. What has finished is kept, even if this process is killed.

    Args:
        workspace: the workspace of params.yaml and the prepared data set.
        name: a key of `datasets` in params.yaml.
        only: an experiment of the data set. Only this experiment is trained, and only
            its run folder is replaced.
        jobs: most experiments to train at once.

    Returns:
        The runs, with their scores.

    Raises:
        UsageError: a name or an option is wrong.
        UnrollError: the data set is not prepared, or a training has failed. After a
            failure runs/NAME is as it was.
        KeyboardInterrupt: the training was stopped by Ctrl-C or a request to end.
    """
    wanted = tasks_of(workspace, params.load(workspace.params), name, only)
    with workspace.stage("train", name):
        waiting, missing = _waiting_and_missing(workspace, wanted)
        text = f"{name}: {len(missing)} of {len(wanted)} experiments to train"
        progress.line(text, last=True)
        finished = Finished(workspace, wanted)
        failed = _train(workspace, finished, missing, jobs)
        if failed:
            raise UnrollError(
                f"{len(failed)} of {len(missing)} trainings failed ({'; '.join(failed)})"
                "; the others are kept, and the same command trains the failed ones again"
            )
        for task in [*waiting, *missing]:
            tasks.take(workspace, task)
        if not only:
            names = {task.name for task in wanted}
            for path in workspace.runs(name).iterdir():
                if path.name not in names:
                    remove(path)
        tasks.remove_old(workspace)
    return finished


def train_ahead(workspace: Workspace, names: Sequence[str], jobs: int) -> None:
    """Train what is missing of several data sets in one pool, before their stages run.

    The runs wait for their stages. Errors are left to the stages, which meet them
    again.
    """
    config = params.load(workspace.params)
    code = Code(places.CODE)
    missing = []
    with contextlib.ExitStack() as locked:
        for name in names:
            # Its stage waits for another process that trains it now, and says its errors.
            with contextlib.suppress(UnrollError):
                locked.enter_context(workspace.stage("train", name))
                wanted = tasks_of(workspace, config, name, code=code)
                missing += _waiting_and_missing(workspace, wanted)[1]
        if missing:
            progress.line(f"{len(missing)} experiments to train", last=True)
        _train(workspace, Finished(workspace, missing), missing, jobs)


def tasks_of(
    workspace: Workspace,
    config: Params,
    name: str,
    only: str = "",
    code: Code | None = None,
) -> list[Task]:
    """Return a task for each experiment of a data set, or for the experiment `only`.

    `code` is the code and the data that were read before.

    Raises:
        UsageError: there is no such data set or experiment, or no such model, method or
            loss; or an experiment cannot answer what its data set asks for.
        UnrollError: the data set is not prepared.
    """
    experiments = config.experiments_of(name, only)
    params.require_prepared(workspace, name, f"prepare@{name}")
    code = code or Code(places.CODE)
    data = dataset.describe(workspace.prepared(name))
    wanted = []
    for key, experiment in experiments.items():
        place = f"experiments.{name}.{key}"
        method = experiment.training.method
        full_name(MODELS, experiment.model.family, f"{place}.model.family")
        full_name(METHODS, method, f"{place}.training.method")
        if "loss" in experiment.training.options:
            loss = experiment.training.options["loss"]
            one_of(loss, MEASURES, f"params.yaml: {place}.training.loss")
        made_of = fingerprint.ingredients(workspace.prepared(name), experiment, code)
        _require_fit(data, experiment, place)
        wanted.append(Task(key, experiment, made_of))
    return wanted


def _require_fit(data: Description, experiment: Experiment, place: str) -> None:
    """Raise UsageError if an experiment cannot answer what its data set asks for.

    `place` is the experiment's place in params.yaml.
    """
    differs = [
        part for part in NO_FREE_RUN if getattr(experiment, part) not in (None, False)
    ]
    if differs and data.rollout:
        raise UsageError(
            f"params.yaml: {place}.{differs[0]} and the free run of {data.name} do not "
            "fit, since the network's outputs are fed back as its inputs; leave it out"
        )
    if experiment.training.method == "by_hand" and data.rollout:
        raise UsageError(
            f"params.yaml: {place}.training.method: by_hand has no free run, which "
            f"{data.name} asks for; use another method"
        )
    model = experiment.model
    every_column = data.splits["train"].get("every", False)
    if model.family == "baselines" and model.name in ONE_COLUMN and every_column:
        raise UsageError(
            f"params.yaml: {place}.model.name: {model.name} forecasts one "
            f"column, and {data.name} asks for every column; use last_value"
        )


def _waiting_and_missing(
    workspace: Workspace, wanted: Sequence[Task]
) -> tuple[list[Task], list[Task]]:
    """Return the tasks whose run is not in runs/: those whose finished run waits to be
    taken, and those that are to be trained.
    """
    waiting = []
    missing = []
    for task in wanted:
        if _holds_run(workspace.run(task.dataset, task.name), task):
            continue
        if not _holds_run(tasks.finished(workspace, task) / RUN, task):
            missing.append(task)
            continue
        waiting.append(task)
        # Its process may have been killed before it removed the checkpoint.
        workspace.checkpoint(task.dataset, task.name).unlink(missing_ok=True)
    return waiting, missing


def _holds_run(folder: Path, task: Task) -> bool:
    """Return whether a folder holds the run of a task. Print a line if it is damaged."""
    try:
        return tasks.is_run_of(folder, task)
    except UnrollError as error:
        progress.line(f"{error}; {task.whole_name} is trained again", last=True)
        return False


def _train(
    workspace: Workspace, finished: Finished, missing: Sequence[Task], jobs: int
) -> list[str]:
    """Train tasks. Their runs wait for their stage (`tasks.take`).

    This process logs the runs, and not the training's own: MLflow's first model takes
    half a second in each process.

    Return a line for each task that has failed.

    Raises:
        UnrollError: the cluster that `SCHEDULER` names cannot be used.
    """
    if not missing:
        return []
    failed = []
    expected = {task: _expected_seconds(workspace, task) for task in missing}
    with trainings(workspace, expected, jobs) as work:
        for ended in work.ended():
            name = ended.key.whole_name
            if ended.error:
                failed.append(f"{name}: {ended.error}")
                continue
            try:
                finished.log(ended.key)
            except UnrollError as error:
                failed.append(f"{name}: {error}")
    return failed + _outdated(workspace, missing)


@dataclass(frozen=True)
class Trainings:
    """Tasks that are performed, here or on a cluster, while their progress is shown.

    Attributes:
        workspace: the workspace of the prepared data sets and the runs.
        work: performs tasks.
        display: shows how far they are.
        figures: returns what the line of a task that has ended says of it.
    """

    workspace: Workspace
    work: Work
    display: progress.Tasks
    figures: Callable[[Task], Sequence[str]]

    def submit(self, task: Task, seconds: float) -> None:
        """Let a task be performed, which is expected to take so many seconds."""
        self.display.expect(task, seconds)
        log = self.workspace.log(task.whole_name)
        self.work.submit(task, log, perform, self.workspace, task)

    def ended(self) -> Iterator[Ended]:
        """Yield the outcome of each task (`Ended.key`) as it ends."""
        for ended in self.work.ended():
            self.display.ended(ended, [] if ended.error else self.figures(ended.key))
            yield ended


@contextlib.contextmanager
def trainings(
    workspace: Workspace,
    expected: Mapping[Task, float],
    jobs: int,
    *,
    may_grow: bool = False,
    figures: Callable[[Task], Sequence[str]] = lambda _: (),
) -> Iterator[Trainings]:
    """Submit tasks, the longest first, here or to the cluster that `SCHEDULER` names.

    At the end, for example by Ctrl-C, those that have not ended are stopped.

    Args:
        workspace: the workspace of the prepared data sets.
        expected: task -> seconds that it is expected to take.
        jobs: most tasks at once on this machine.
        may_grow: whether further tasks of the same data sets will be submitted.
        figures: returns what the line of a task that has ended says of it.

    Raises:
        UsageError, UnrollError: the cluster cannot be used.
    """
    ordered = sorted(expected, key=lambda task: -expected[task])
    display = progress.Tasks(jobs, may_grow=may_grow)
    address = os.environ.get(SCHEDULER)
    opened: contextlib.AbstractContextManager[Work]
    if address:
        preload = pool.preload(ordered, 1)
        opened = _cluster().opened(address, preload, workspace, display)
    else:
        opened = pool.opened(workspace, ordered, jobs, display.tick)
    with opened as work:
        found = Trainings(workspace, work, display, figures)
        for task in ordered:
            found.submit(task, expected[task])
        yield found


def _outdated(workspace: Workspace, trained: Sequence[Task]) -> list[str]:
    """Remove finished runs whose data or code has changed since their training began.

    Return a line for each.
    """
    code = Code(places.CODE)
    lines = []
    for task in trained:
        prepared = workspace.prepared(task.dataset)
        now = fingerprint.ingredients(prepared, task.experiment, code)
        if now != task.made_of:
            remove(tasks.finished(workspace, task))
            lines.append(
                f"{task.whole_name}: its data or the code has changed since this began"
            )
    return lines


def _cluster() -> ModuleType:
    """Return the module `stages.cluster`, which needs Dask."""
    try:
        return import_module("stages.cluster")
    except ImportError:
        raise UsageError(
            f"{SCHEDULER} names a scheduler of Dask, and Dask is not installed; run "
            "`pip install 'unroll[cluster]'` with this version's wheel"
        ) from None


def _expected_seconds(workspace: Workspace, task: Task) -> float:
    """Return the seconds that the last training of an experiment took, or a guess."""
    seconds = record.seconds(workspace, task.dataset, task.name)
    if seconds is None:
        return NETWORK if task.network else 1.0
    return max(seconds, 1.0)
