"""The stage `train`: a run of each experiment of a data set, in runs/DATASET.

Tasks are trained in child processes, as many at once as memory allows.

DVC keeps runs/DATASET while the stage runs (`persist`), so runs that are there already
are not trained again.
"""

import contextlib
import os
from collections.abc import Callable, Generator, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType

import psutil

from pipeline import processes
from pipeline.config import params
from pipeline.config.params import Params
from pipeline.config.registry import METHODS, MODELS, full_name
from pipeline.errors import UnrollError, UsageError
from pipeline.files import remove
from pipeline.metrics import MEASURES
from pipeline.processes import Call, Server
from pipeline.provenance import fingerprint, machine, record
from pipeline.provenance.fingerprint import Code
from pipeline.training import tasks
from pipeline.training.tasks import RUN, Result, Task
from pipeline.validation import one_of
from pipeline.workspace import Workspace
from stages import progress
from stages.perform import perform

SCHEDULER = "DASK_SCHEDULER_ADDRESS"
"""Dask's own environment variable with the address of a scheduler. Where it is set,
that cluster trains (docs/many-machines.md)."""

NETWORK = 10.0
"""Expected seconds of a network that was never trained. Other models: 1 second."""

PRELOAD = (
    "filelock",
    "pandas",
    "pydantic",
    "ruamel.yaml",
    "stages.perform",
)
"""Modules that each training imports. Importing takes longer than most trainings."""

TENSORFLOW = ("tensorflow", "keras")

MEMORY = 400 * 2**20
"""Bytes that a task takes without its data. A small network was measured to take 270
MiB."""

COPIES = 6
"""The number of copies of its prepared data that a task may hold: as read, as tensors,
as features, and values computed from them.
"""

CONTROL_GROUP = Path("/sys/fs/cgroup")
"""The folder in which Linux keeps the limits of a container."""


def train(workspace: Workspace, name: str, only: str = "", jobs: int = 1) -> None:
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

    Raises:
        UsageError: a name or an option is wrong.
        UnrollError: the data set is not prepared, or a training has failed. After a
            failure runs/NAME is as it was.
        KeyboardInterrupt: the training was stopped by Ctrl-C or a request to end.
    """
    config = params.load(workspace.params)
    wanted = tasks_of(workspace, config, name, only)
    with workspace.stage("train", name):
        absent = _absent(workspace, wanted)
        missing = _unfinished(workspace, absent)
        text = f"{name}: {len(missing)} of {len(wanted)} experiments to train"
        progress.line(text, last=True)
        failed = _train(workspace, config, missing, jobs)
        if failed:
            raise UnrollError(
                f"{len(failed)} of {len(missing)} trainings failed ({'; '.join(failed)})"
                "; the others are kept, and the same command trains the failed ones again"
            )
        for task in absent:
            tasks.take(workspace, task)
        if not only:
            names = {task.name for task in wanted}
            for path in workspace.runs(name).iterdir():
                if path.name not in names:
                    remove(path)
        tasks.remove_old(workspace)


def train_ahead(workspace: Workspace, names: Sequence[str], jobs: int) -> None:
    """Train what is missing of several data sets in one pool, before their stages run.

    The runs wait for their stages. Errors are left to the stages, which meet them
    again.
    """
    config = params.load(workspace.params)
    code = Code(machine.CODE)
    missing = []
    with contextlib.ExitStack() as locked:
        for name in names:
            # Its stage waits for another process that trains it now, and says its errors.
            with contextlib.suppress(UnrollError):
                locked.enter_context(workspace.stage("train", name))
                absent = _absent(
                    workspace, tasks_of(workspace, config, name, code=code)
                )
                missing += _unfinished(workspace, absent)
        if missing:
            progress.line(f"{len(missing)} experiments to train", last=True)
        _train(workspace, config, missing, jobs)


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
            loss.
        UnrollError: the data set is not prepared.
    """
    config.dataset(name)  # it is there
    code = code or Code(machine.CODE)
    wanted = []
    for key, experiment in config.experiments_of(name, only).items():
        place = f"experiments.{name}.{key}"
        method = experiment.training.method
        full_name(MODELS, experiment.model.family, f"{place}.model.family")
        full_name(METHODS, method, f"{place}.training.method")
        if "loss" in experiment.training.options:
            loss = experiment.training.options["loss"]
            one_of(loss, MEASURES, f"params.yaml: {place}.training.loss")
        made_of = fingerprint.ingredients(workspace.prepared(name), experiment, code)
        wanted.append(Task(key, experiment, made_of))
    return wanted


def _absent(workspace: Workspace, wanted: Sequence[Task]) -> list[Task]:
    """Return the tasks whose run does not lie in runs/."""
    return [
        task
        for task in wanted
        if not _is_whole(workspace.run(task.dataset, task.name), task)
    ]


def _unfinished(workspace: Workspace, absent: Sequence[Task]) -> list[Task]:
    """Return the tasks whose finished run does not wait to be taken, either."""
    unfinished = []
    for task in absent:
        if not _is_whole(tasks.finished(workspace, task) / RUN, task):
            unfinished.append(task)
            continue
        # Its process may have been killed before it removed the checkpoint.
        workspace.checkpoint(task.dataset, task.name).unlink(missing_ok=True)
    return unfinished


def _is_whole(folder: Path, task: Task) -> bool:
    """Return whether a folder holds the run of a task. Print a line if it is damaged."""
    try:
        return tasks.is_run_of(folder, task)
    except UnrollError as error:
        progress.line(f"{error}; {task.whole_name} is trained again", last=True)
        return False


def _train(
    workspace: Workspace, config: Params, missing: Sequence[Task], jobs: int
) -> list[str]:
    """Train tasks, the longest first. Their runs wait for their stage (`tasks.take`).

    Return a line for each task that has failed.

    Raises:
        UnrollError: the cluster that `SCHEDULER` names cannot be used.
    """
    if not missing:
        return []
    expected = {task: _expected_seconds(workspace, task) for task in missing}
    ordered = sorted(expected, key=lambda task: -expected[task])
    failed = []
    # A store that cannot be reached would hold up the trainings once for each run.
    reachable = True
    with contextlib.ExitStack() as stack:
        address = os.environ.get(SCHEDULER)
        if address:
            cluster = _cluster()
            client = stack.enter_context(
                cluster.connected(address, partial(preload, missing))
            )
            display = progress.Tasks(expected, cluster.slots(client))
            results = cluster.run(client, workspace, ordered, display.tick)
        else:
            display = progress.Tasks(expected, jobs)
            results = run(workspace, ordered, jobs, display.tick)
        stack.enter_context(contextlib.closing(results))
        for result in results:
            display.ended(result)
            if result.error:
                failed.append(f"{result.task.whole_name}: {result.error}")
            elif reachable:
                reachable = _log(workspace, result.task)
    code = Code(machine.CODE)
    for task in missing:
        [now] = tasks_of(workspace, config, task.dataset, task.name, code)
        if now.fingerprint != task.fingerprint:
            remove(tasks.finished(workspace, task))
            failed.append(
                f"{task.whole_name}: its data or the code has changed since this began"
            )
    return failed


def _cluster() -> ModuleType:
    """Return the module `stages.cluster`, which needs Dask."""
    try:
        return import_module("stages.cluster")
    except ImportError:
        raise UsageError(
            f"{SCHEDULER} names a scheduler of Dask, and Dask is not installed; run "
            "`pip install 'unroll[cluster]'`"
        ) from None


def _log(workspace: Workspace, task: Task) -> bool:
    """Log a finished run in MLflow; return whether its store can be used.

    This process does so and not the training's own: MLflow's first model takes half a
    second in each process.
    """
    # It is heavy; where nothing is trained, MLflow need not be imported.
    from pipeline.tracking import runs

    return runs.trained(workspace, task)


def _expected_seconds(workspace: Workspace, task: Task) -> float:
    """Return the seconds that the last training of an experiment took, or a guess."""
    seconds = record.seconds(workspace, task.dataset, task.name)
    if seconds is None:
        return NETWORK if task.network else 1.0
    return max(seconds, 1.0)


def run(
    workspace: Workspace,
    wanted: Sequence[Task],
    jobs: int,
    on_tick: Callable[[dict[Task, float]], None],
) -> Generator[Result, None, None]:
    """Perform tasks in child processes, in the given order, and yield each result as a
    task ends.

    If the iteration ends early, for example by Ctrl-C, the children are stopped. If
    this process dies, the children die, too.

    Args:
        workspace: the workspace of the prepared data sets and the runs.
        wanted: tasks whose data sets are prepared.
        jobs: most tasks at once; fewer run if memory is short (`fitting`).
        on_tick: called about once a second with the seconds since each running task
            started.
    """
    for dataset in {task.dataset for task in wanted}:
        jobs = fitting(workspace, dataset, jobs)
    task_of = {}
    for task in wanted:
        log = workspace.log(task.whole_name)
        call = Call(task.whole_name, perform, (workspace, task), log)
        task_of[call] = task

    def tick(running: dict[Call, float]) -> None:
        on_tick({task_of[each]: seconds for each, seconds in running.items()})

    with Server(preload(wanted, jobs)) as children:
        results = processes.run(
            list(task_of), jobs, children, on_tick=tick, grace=processes.GRACE
        )
        with contextlib.closing(results):
            for ended in results:
                yield Result(task_of[ended.call], ended.seconds, ended.error)


def fitting(workspace: Workspace, dataset: str, jobs: int) -> int:
    """Return how many tasks of a data set may run at once: at least 1, at most `jobs`.

    The free memory limits the number. A task is assumed to need `MEMORY`, and `COPIES`
    times the size of the prepared files.
    """
    files = workspace.prepared(dataset).glob("*")
    needed = MEMORY + COPIES * sum(file.stat().st_size for file in files)
    return max(1, min(jobs, available() // needed))


def available() -> int:
    """Return the bytes of memory that this process and its children may still take.

    The limit of a container counts, too.
    """
    free = int(psutil.virtual_memory().available)
    # Suppressed: there is no control group, or it has no limit ("max").
    with contextlib.suppress(OSError, ValueError):
        limit = int((CONTROL_GROUP / "memory.max").read_text(encoding="ascii"))
        used = int((CONTROL_GROUP / "memory.current").read_text(encoding="ascii"))
        free = min(free, limit - used)
    return max(free, 0)


def preload(wanted: Sequence[Task], jobs: int) -> list[str]:
    """Return the modules to import before tasks start, of which `jobs` run at once."""
    # Importing TensorFlow takes seconds, in which nothing is trained. So a few networks
    # import it themselves, at the same time.
    if sum(task.network for task in wanted) > jobs:
        return [*PRELOAD, *TENSORFLOW]
    return [*PRELOAD]
