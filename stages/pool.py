"""Tasks in child processes, as many at once as memory allows."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil

from pipeline.processes import GRACE, Children, Server
from pipeline.training.tasks import Task
from pipeline.workspace import Workspace, home

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


@contextlib.contextmanager
def opened(
    workspace: Workspace,
    wanted: Sequence[Task],
    jobs: int,
    on_tick: Callable[[dict[Task, float]], None],
) -> Iterator[Children]:
    """Yield processes; at the end, for example by Ctrl-C, their trainings are stopped.

    Args:
        workspace: the workspace of the prepared data sets and the runs.
        wanted: tasks that will be submitted first; others have the same data sets.
        jobs: most tasks at once; fewer run if memory is short (`fitting`).
        on_tick: called about once a second with the seconds since each running task
            started.
    """
    for dataset in {task.dataset for task in wanted}:
        jobs = fitting(workspace, dataset, jobs)
    try:
        with (
            Server(preload(wanted, jobs)) as server,
            Children(
                server=server, jobs=jobs, on_tick=on_tick, grace=GRACE
            ) as children,
        ):
            yield children
    finally:
        # A child may be interrupted between making a folder and taking charge of it.
        home(workspace).sweep()


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
