"""The stage `train`: every experiment of a data set, into runs/DATASET, from the store
where it can.
"""

import contextlib
import os
from collections.abc import Sequence

from pipeline import locks
from pipeline.config import params
from pipeline.config.params import Params
from pipeline.config.registry import METHODS, MODELS, full_name
from pipeline.errors import UnrollError
from pipeline.metrics import MEASURES
from pipeline.provenance import fingerprint, machine, record
from pipeline.tracking import NOT_RECORDED
from pipeline.training import run_store
from pipeline.training.run_store import WHOLE, Task
from pipeline.validation import one_of
from pipeline.workspace import Workspace
from stages import pool, progress

NETWORK = 10.0
"""Seconds that a network is taken to need that was never trained; others need 1."""


def train(workspace: Workspace, name: str, only: str = "", jobs: int = 1) -> None:
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

    Raises:
        UsageError: a name or an option is wrong.
        UnrollError: the data set is not prepared, or a training has failed; then
            runs/NAME is not complete.
        KeyboardInterrupt: it was stopped, by Ctrl-C or by a request to end.
    """
    config = params.load(workspace.params)
    tasks = tasks_of(workspace, config, name, only)
    with locks.stage(workspace, "train", name):
        now = [task for task in tasks if not _finished(workspace, task)]
        stored = len(tasks) - len(now)
        text = f"{name}: {len(now)} runs to train, {stored} are in the store"
        progress.line(text, last=True)
        later = []
        if now and not only and WHOLE in os.environ:
            later = due(workspace, config, but=name)
        _train(workspace, now, later, jobs)
        if only:
            run_store.place(workspace, name, only, tasks[0].key)
        else:
            keys = {task.name: task.key for task in tasks}
            run_store.place_all(workspace, name, keys)


def tasks_of(
    workspace: Workspace, config: Params, name: str, only: str = ""
) -> list[Task]:
    """Return a task for each experiment of a data set, or for one of them.

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
        place = f"experiments.{name}.{key}"
        method = experiment.training.method
        full_name(MODELS, experiment.model.family, f"{place}.model.family")
        full_name(METHODS, method, f"{place}.training.method")
        if "loss" in experiment.training.options:
            loss = experiment.training.options["loss"]
            one_of(loss, MEASURES, f"params.yaml: {place}.training.loss")
        made_of = fingerprint.training(experiment, preparation, code)
        ingredients = fingerprint.Ingredients(files=files, **made_of)
        key_of_run = run_store.key(name, key, ingredients.fingerprint)
        tasks.append(Task(name, key, experiment, preparation, key_of_run))
    return tasks


def _finished(workspace: Workspace, task: Task) -> bool:
    try:
        finished = run_store.holds(workspace, task.dataset, task.name, task.key)
    except UnrollError as error:
        progress.line(f"{error}; it is trained again", last=True)
        return False
    if finished:  # it may have been killed right before it removed its checkpoint
        workspace.checkpoint(task.dataset, task.name).unlink(missing_ok=True)
    return finished


def due(workspace: Workspace, config: Params, but: str = "") -> list[Task]:
    """Return the tasks of all prepared data sets, `but` one, that the store lacks.

    What is trained beforehand is in the store when its own stage begins. If something
    is wrong with a data set, its own stage says so.
    """
    found = []
    for name in config.experiments:
        if name != but and workspace.prepared(name).exists():
            with contextlib.suppress(UnrollError):
                tasks = tasks_of(workspace, config, name)
                found += [task for task in tasks if not _finished(workspace, task)]
    return found


def _train(
    workspace: Workspace, due: Sequence[Task], later: Sequence[Task], jobs: int
) -> None:
    """Train what is due, now and later, the longest first.

    Raises:
        UnrollError: some of what is due now has failed; the rest is done.
    """
    if not due:
        return
    expected = {task: _expected_seconds(workspace, task) for task in [*due, *later]}
    tasks = sorted(expected, key=lambda task: -expected[task])
    display = progress.Tasks(expected, jobs)
    failed = []
    unrecorded = 0
    with contextlib.closing(pool.run(workspace, tasks, jobs, display.tick)) as results:
        for result in results:
            display.ended(result)
            if not result.error:
                unrecorded += _unrecorded(workspace, result.task)
            elif result.task in due:
                failed.append(f"{result.task.whole_name}: {result.error}")
    if unrecorded:
        text = f"MLflow lacks {unrecorded} of these runs; `unroll track` records them"
        progress.line(text, last=True)
    if failed:
        raise UnrollError(
            f"{len(failed)} of {len(due)} trainings failed ({'; '.join(failed)}); "
            "the others are in the store"
        )


def _expected_seconds(workspace: Workspace, task: Task) -> float:
    """Return the seconds that the last training of an experiment took, or a guess."""
    seconds = record.seconds(workspace, task.dataset, task.name)
    if seconds is None:
        return NETWORK if task.network else 1.0
    return max(seconds, 1.0)


def _unrecorded(workspace: Workspace, task: Task) -> bool:
    log = workspace.log(task.whole_name)
    return log.exists() and NOT_RECORDED.encode() in log.read_bytes()
