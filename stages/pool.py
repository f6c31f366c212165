"""Trains tasks in child processes (`pipeline.processes`), as many at a time as memory
has room for.
"""

import contextlib
from collections.abc import Callable, Generator, Sequence
from functools import cache

from pipeline import processes
from pipeline.processes import Call, Server, available
from pipeline.training.task import Result, Task
from pipeline.workspace import Workspace

PRELOAD = "stages.preload"

GRACE = 10.0
"""Seconds that an interrupted task gets to end by itself."""

MEMORY = 400 * 2**20
"""Bytes that a task takes whatever its data; a small network was measured with 270 MiB
of its own."""

COPIES = 6
"""How often a task may hold its prepared data: as read, as tensors, as features, and
what is computed of them."""


def run(
    workspace: Workspace,
    tasks: Sequence[Task],
    jobs: int,
    on_tick: Callable[[dict[Task, float]], None],
) -> Generator[Result, None, None]:
    """Perform tasks in child processes, in the given order, and yield each result as a
    task ends.

    Where the iteration ends early, by Ctrl-C for example, the children are stopped;
    they die with this process, too.

    Args:
        workspace: where the prepared data set is, and where runs go.
        tasks: those whose data sets are prepared.
        jobs: how many at once, at most; fewer where memory is short (`fitting`).
        on_tick: called now and then with the seconds since each running task started.
    """
    at_once = min(
        (fitting(workspace, name, jobs) for name in {task.dataset for task in tasks}),
        default=0,
    )
    tasks_by_call = {_call(workspace, task): task for task in tasks}

    def tick(running: dict[Call, float]) -> None:
        on_tick({tasks_by_call[call]: seconds for call, seconds in running.items()})

    # It takes seconds, in which nothing is trained: a few networks import TensorFlow
    # themselves, side by side.
    tensorflow = sum(task.network for task in tasks) > at_once
    calls = list(tasks_by_call)
    with Server(PRELOAD, tensorflow=tensorflow) as server:
        results = processes.run(calls, at_once, server, on_tick=tick, grace=GRACE)
        with contextlib.closing(results):
            for ended in results:
                yield Result(tasks_by_call[ended.call], ended.seconds, ended.error)


def fitting(workspace: Workspace, dataset: str, jobs: int) -> int:
    """How many tasks of a data set may run at once: `jobs`, or fewer by the memory that
    is free; at least 1.

    A task is taken to need `MEMORY` and `COPIES` times the prepared files. In a
    container what it may still use counts.
    """
    files = workspace.prepared(dataset).glob("*")
    needed = MEMORY + COPIES * sum(file.stat().st_size for file in files)
    return max(1, min(jobs, available() // needed))


class Child:
    """A task at work in a process of its own, for a worker of a cluster."""

    def __init__(self, workspace: Workspace, task: Task) -> None:
        self.task = task
        self.log = workspace.log(task.whole_name)
        self.process = processes.Child(
            _call(workspace, task), start_server(tensorflow=True)
        )

    def result(self) -> Result:
        """Wait until it has ended."""
        ended = self.process.result()
        return Result(self.task, ended.seconds, ended.error)


@cache
def start_server(*, tensorflow: bool) -> Server:
    """The server of a cluster's worker, which starts with the first call and lives as
    long as this process.
    """
    return Server(PRELOAD, tensorflow=tensorflow)


def stop(children: Sequence[Child]) -> None:
    """Interrupt tasks, so that what they record says so; kill those that are still
    there after `GRACE` seconds.
    """
    processes.stop([child.process for child in children], GRACE)


def _call(workspace: Workspace, task: Task) -> Call:
    return Call(
        task.whole_name, _perform, (workspace, task), workspace.log(task.whole_name)
    )


def _perform(workspace: Workspace, task: Task) -> None:
    # heavy; the process that starts children need not import it
    from stages.perform import (
        perform,
    )

    perform(workspace, task)
