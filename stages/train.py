"""The stage `train`: every experiment of a data set, into runs/DATASET, from the store
where it can.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Generator, Sequence

from pipeline import locks, processes
from pipeline.config import params
from pipeline.config.params import Experiment, Params
from pipeline.config.registry import METHODS, MODELS, full_name
from pipeline.errors import UnrollError
from pipeline.metrics import MEASURES
from pipeline.provenance import fingerprint, machine
from pipeline.tracking import NOT_RECORDED
from pipeline.training import run_store
from pipeline.training.task import WHOLE, Result, Task
from pipeline.validation import one_of
from pipeline.workspace import Workspace
from stages import pool, progress
from stages.estimates import Estimates

RunTasks = Callable[
    [Workspace, Sequence[Task], int, Callable[[dict[Task, float]], None]],
    Generator[Result, None, None],
]
"""Performs tasks: `pool.run` on this machine, or what takes its place for a cluster."""

NETWORK = 10.0
"""Seconds that a network is taken to need that was never trained; others need 1."""


def train(
    workspace: Workspace,
    name: str,
    only: str = "",
    jobs: int = 1,
    run: RunTasks = pool.run,
) -> None:
    """Let runs/NAME hold a run of each experiment that params.yaml has for a data set,
    and no other.

    Runs that the store has are taken from there. The others are trained, several at a
    time; each is in the store as soon as it is finished. One that fails does not stop
    the others.

    Args:
        workspace: where params.yaml and the prepared data set are.
        name: a key of `datasets` in params.yaml.
        only: an experiment of it, which alone is trained; its run folder alone is
            replaced.
        jobs: how many experiments are trained at once, at most.
        run: performs the tasks.

    Raises:
        UsageError: a name or an option is wrong.
        UnrollError: the data set is not prepared, or a training has failed; then
            runs/NAME is not complete.
        KeyboardInterrupt: it was stopped, by Ctrl-C or by a request to end.
    """
    config = params.load(workspace.params)
    tasks = tasks_of(workspace, config, name, only)
    ending = processes.handling(signal.default_int_handler, signal.SIGTERM)
    with locks.stage(workspace, "train", name), ending:
        due = [task for task in tasks if not _finished(workspace, task)]
        progress.line(
            f"{name}: {len(due)} runs to train, {len(tasks) - len(due)} are in the store",
            last=True,
        )
        later = (
            _later(workspace, config, name)
            if due and not only and WHOLE in os.environ
            else []
        )
        _train(workspace, due, later, jobs, run)
        if only:
            run_store.place(workspace, name, only, tasks[0].key)
        else:
            run_store.place_all(
                workspace, name, {task.name: task.key for task in tasks}
            )


def tasks_of(
    workspace: Workspace, config: Params, name: str, only: str = ""
) -> list[Task]:
    """What is to be trained of a data set, or one experiment of it.

    Raises:
        UsageError: there is no such data set or experiment, or no such model, method or
            loss.
        UnrollError: the data set is not prepared.
    """
    preparation = config.dataset(name).preparation
    experiments = config.experiments_of(name)
    if only:
        one_of(only, experiments, f"the experiment of {name}")
        experiments = {only: experiments[only]}
    files = fingerprint.files_of(workspace.prepared(name))
    code = fingerprint.Code(machine.CODE)
    tasks = []
    for key, experiment in experiments.items():
        _check_names(f"{name}.{key}", experiment)
        made_of = fingerprint.training(experiment, preparation, code)
        ingredients = fingerprint.Ingredients(files=files, **made_of)
        key_of_run = run_store.key(name, key, ingredients.fingerprint)
        tasks.append(Task(name, key, experiment, preparation, key_of_run))
    return tasks


def _check_names(place: str, experiment: Experiment) -> None:
    full_name(MODELS, experiment.model.family, f"experiments.{place}.model.family")
    full_name(
        METHODS, experiment.training.method, f"experiments.{place}.training.method"
    )
    loss = experiment.training.options.get("loss")
    if loss:
        one_of(loss, MEASURES, f"params.yaml: experiments.{place}.training.loss")


def _finished(workspace: Workspace, task: Task) -> bool:
    """Whether the store has the run of a task, whole."""
    try:
        finished = run_store.holds(workspace, task.dataset, task.name, task.key)
    except UnrollError as error:
        progress.line(f"{error}; it is trained again", last=True)
        return False
    if finished:  # it may have been killed right before it removed its checkpoint
        workspace.checkpoint(task.dataset, task.name).unlink(missing_ok=True)
    return finished


def _later(workspace: Workspace, config: Params, name: str) -> list[Task]:
    """What the stages of other prepared data sets will find due: trained now, side by
    side, it is in the store then.

    What is wrong with one of them, its own stage says.
    """
    due = []
    for other in config.experiments:
        if other != name and workspace.prepared(other).exists():
            with contextlib.suppress(UnrollError):
                tasks = tasks_of(workspace, config, other)
                due += [task for task in tasks if not _finished(workspace, task)]
    return due


def _train(
    workspace: Workspace,
    due: Sequence[Task],
    later: Sequence[Task],
    jobs: int,
    run: RunTasks,
) -> None:
    """Train what is due, now and later, the longest first.

    Raises:
        UnrollError: some of what is due now has failed; the rest is done.
    """
    if not due:
        return
    estimates = Estimates(workspace.scratch / "seconds.json")
    tasks = [*due, *later]
    for task in tasks:
        estimates.expect(_estimated(task), NETWORK if task.network else 1.0)
    tasks.sort(key=lambda task: -estimates.seconds(_estimated(task)))
    display = Display(tasks, jobs, estimates)
    failed = []
    unrecorded = 0
    with contextlib.closing(run(workspace, tasks, jobs, display.tick)) as results:
        for result in results:
            display.ended(result)
            if result.error and result.task in due:
                failed.append(result)
            elif not result.error:
                unrecorded += _unrecorded(workspace, result.task)
                estimates.keep()
    if unrecorded:
        progress.line(
            f"MLflow lacks {unrecorded} of these runs; `unroll track` records them",
            last=True,
        )
    if failed:
        why = "; ".join(
            f"{result.task.whole_name}: {result.error}" for result in failed
        )
        raise UnrollError(
            f"{len(failed)} of {len(due)} trainings failed ({why}); the others are in the store"
        )


def _estimated(task: Task) -> str:
    """The name of a task among all that has an estimate."""
    return f"train@{task.whole_name}"


def _unrecorded(workspace: Workspace, task: Task) -> bool:
    log = workspace.log(task.whole_name)
    return log.exists() and NOT_RECORDED.encode() in log.read_bytes()


class Display:
    """Shows how far the tasks are: a line for each that has ended and, on a terminal,
    what is running.

    Args:
        tasks: in the order in which they start.
        jobs: how many run at once.
        estimates: learns from those that end well.
    """

    def __init__(self, tasks: Sequence[Task], jobs: int, estimates: Estimates) -> None:
        self._waiting = list(tasks)
        self._count = len(tasks)
        self._ended = 0
        self._jobs = jobs
        self._estimates = estimates
        self._running: dict[Task, float] = {}

    def tick(self, running: dict[Task, float]) -> None:
        """Show what is running: task -> seconds since it started."""
        self._running = running
        self._waiting = [task for task in self._waiting if task not in running]
        if running and sys.stderr.isatty():
            names = [
                f"{task.name} {progress.duration(since)}"
                for task, since in running.items()
            ]
            progress.line(
                f"{self._ended}/{self._count}{self._time_left()}", names, last=False
            )

    def ended(self, result: Result) -> None:
        """Print a line for a task that has ended."""
        self._ended += 1
        self._running.pop(result.task, None)
        what = f"FAILED: {result.error}"
        if not result.error:
            self._estimates.learn(_estimated(result.task), result.seconds)
            what = progress.duration(result.seconds)
        text = f"{self._ended}/{self._count}  {result.task.whole_name}  {what}{self._time_left()}"
        progress.line(text, last=True)

    def _time_left(self) -> str:
        if self._ended == self._count:
            return ""
        waiting = [_estimated(task) for task in self._waiting]
        running = {_estimated(task): since for task, since in self._running.items()}
        seconds = self._estimates.left(waiting, running, self._jobs)
        return f"  (about {progress.duration(seconds)} left)"
