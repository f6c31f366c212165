"""Tasks in child processes, as many at once as memory allows."""

import contextlib
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

import psutil

from pipeline import processes
from pipeline.processes import Call, Server
from pipeline.training.tasks import Result, Task
from pipeline.workspace import Workspace, home
from stages.perform import perform

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


def run(
    workspace: Workspace,
    wanted: Sequence[Task],
    jobs: int,
    on_tick: Callable[[dict[Task, float]], None],
    more: Callable[[], Sequence[Task]] = list,
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
        more: called after each result that was yielded; returns tasks that come next.
            Their data sets are among those of `wanted`.
    """
    for dataset in {task.dataset for task in wanted}:
        jobs = fitting(workspace, dataset, jobs)
    task_of: dict[Call, Task] = {}

    def calls(some: Sequence[Task]) -> list[Call]:
        made = []
        for task in some:
            log = workspace.log(task.whole_name)
            made.append(Call(task.whole_name, perform, (workspace, task), log))
            task_of[made[-1]] = task
        return made

    def tick(running: dict[Call, float]) -> None:
        on_tick({task_of[each]: seconds for each, seconds in running.items()})

    try:
        with Server(preload(wanted, jobs)) as children:
            results = processes.run(
                calls(wanted),
                jobs,
                children,
                more=lambda: calls(more()),
                on_tick=tick,
                grace=processes.GRACE,
            )
            with contextlib.closing(results):
                for ended in results:
                    yield Result(task_of[ended.call], ended.seconds, ended.error, "")
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
