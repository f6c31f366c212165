"""The stage `train`: puts a run of each experiment of a data set into runs/DATASET.

Runs that the store already has are not trained again.
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
from pipeline.provenance.fingerprint import Code
from pipeline.training import run_store
from pipeline.training.run_store import WHOLE, Task
from pipeline.validation import one_of
from pipeline.workspace import Workspace
from stages import pool, progress

NETWORK = 10.0
"""Expected seconds of a network that was never trained. Other models: 1 second."""


def train(workspace: Workspace, name: str, only: str = "", jobs: int = 1) -> None:
    """Fill runs/NAME with a run of each experiment of a data set in params.yaml, and
    remove all other runs there.

    Runs are taken from the store if it has them. Missing runs are trained, several at
    once, and put into the store as they finish. A training that fails does not stop the
    others.

    Args:
        workspace: the workspace of params.yaml and the prepared data set.
        name: a key of `datasets` in params.yaml.
        only: an experiment of the data set. Only this experiment is trained, and only
            its run folder is replaced.
        jobs: most experiments to train at once.

    Raises:
        UsageError: a name or an option is wrong.
        UnrollError: the data set is not prepared, or a training has failed. After a
            failure runs/NAME is not complete.
        KeyboardInterrupt: the training was stopped by Ctrl-C or a request to end.
    """
    config = params.load(workspace.params)
    tasks = tasks_of(workspace, config, name, only)
    with locks.stage(workspace, "train", name):
        now = [task for task in tasks if not _finished(workspace, task)]
        text = f"{name}: {len(now)} of {len(tasks)} experiments to train"
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
    workspace: Workspace,
    config: Params,
    name: str,
    only: str = "",
    code: Code | None = None,
) -> list[Task]:
    """Return a task for each experiment of a data set, or for the experiment `only`.

    To read the code takes most of the time; `code` is what was read before.

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
    code = code or Code(machine.CODE)
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
    if finished:  # its process may have been killed before it removed the checkpoint
        workspace.checkpoint(task.dataset, task.name).unlink(missing_ok=True)
    return finished


def due(workspace: Workspace, config: Params, but: str = "") -> list[Task]:
    """Return the tasks of all prepared data sets, except `but`, that the store lacks.

    If they are trained in advance, the store has them when their own stage begins. The
    errors of a data set are left to its own stage.
    """
    found = []
    code = Code(machine.CODE)
    for name in config.experiments:
        if name != but and workspace.prepared(name).exists():
            with contextlib.suppress(UnrollError):
                tasks = tasks_of(workspace, config, name, code=code)
                found += [task for task in tasks if not _finished(workspace, task)]
    return found


def _train(
    workspace: Workspace, due: Sequence[Task], later: Sequence[Task], jobs: int
) -> None:
    """Train the tasks that are due now, and those that are due later; the longest first.

    Raises:
        UnrollError: some of the tasks that are due now have failed.
    """
    if not due:
        return
    expected = {task: _expected_seconds(workspace, task) for task in [*due, *later]}
    tasks = sorted(expected, key=lambda task: -expected[task])
    display = progress.Tasks(expected, jobs)
    failed = []
    with contextlib.closing(pool.run(workspace, tasks, jobs, display.tick)) as results:
        for result in results:
            display.ended(result)
            if result.error and result.task in due:
                failed.append(f"{result.task.whole_name}: {result.error}")
    if failed:
        raise UnrollError(
            f"{len(failed)} of {len(due)} trainings failed ({'; '.join(failed)}); "
            "the others are kept, and the same command trains the failed ones again"
        )


def _expected_seconds(workspace: Workspace, task: Task) -> float:
    """Return the seconds that the last training of an experiment took, or a guess."""
    seconds = record.seconds(workspace, task.dataset, task.name)
    if seconds is None:
        return NETWORK if task.network else 1.0
    return max(seconds, 1.0)
