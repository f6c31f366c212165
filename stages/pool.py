"""Trains tasks in child processes, several at a time, each in a fresh one with one thread.

On Linux they are forked from Python's fork server, which has imported what tasks need
(`stages.preload`); elsewhere each starts anew, since a process that has imported TensorFlow does
not survive a fork there. Nothing is computed before the fork, so results have the same bytes
(docs/decisions/side-by-side.md).
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from multiprocessing import connection, forkserver
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil

from pipeline import failures, locks, numerics
from pipeline.errors import one_line
from pipeline.provenance import machine
from pipeline.training.task import Result, Task
from pipeline.workspace import Workspace

LINUX = sys.platform == "linux"

ONE_THREAD = {name: "1" for name in machine.VARIABLES if name.endswith("_THREADS")}
"""Variables that keep every library to one thread."""

TICK = 1.0
"""Seconds between two looks at the running tasks where none ends."""

GRACE = 10.0
"""Seconds that an interrupted task gets to end by itself."""

MEMORY = 400 * 2**20
"""Bytes that a task takes whatever its data; a small network was measured with 270 MiB of its own."""

COPIES = 6
"""How often a task may hold its prepared data: as read, as tensors, as features, and what is computed of them."""


class Child:
    """A task at work in a process of its own; what it prints goes to a log file."""

    def __init__(self, workspace: Workspace, task: Task) -> None:
        self.task = task
        self.started = time.monotonic()
        self.log = workspace.log(task.whole_name)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        context: Any = multiprocessing.get_context("forkserver" if LINUX else "spawn")
        self._report, sender = context.Pipe(duplex=False)
        self.process = context.Process(target=_perform, args=(workspace, task, self.log, sender), daemon=True)
        with _environment():
            self.process.start()
        sender.close()

    def result(self) -> Result:
        """How it ended."""
        seconds = time.monotonic() - self.started
        error = self._unexplained()
        with contextlib.suppress(EOFError):  # it has told nothing
            seconds, error = self._report.recv()
        self._report.close()
        self.process.close()
        return Result(self.task, seconds, error)

    def _unexplained(self) -> str:
        """Why it may have ended, if it has told nothing."""
        code = self.process.exitcode
        if code == -signal.SIGKILL:
            return "the system killed it, as it does where memory runs out; close other programs or take fewer --jobs"
        return f"it ended without a word (exit code {code}); its output is in {self.log}"


def run(
    workspace: Workspace,
    tasks: Sequence[Task],
    jobs: int,
    on_tick: Callable[[dict[Task, float]], None],
) -> Generator[Result, None, None]:
    """Perform tasks in child processes, in the given order, and yield each result as a task ends.

    Where the iteration ends early, by Ctrl-C for example, the children are stopped; they die with this process, too.

    Args:
        workspace: where the prepared data set is, and where runs go.
        tasks: those whose data sets are prepared.
        jobs: how many at once, at most; fewer where memory is short (`fitting`).
        on_tick: called now and then with the seconds since each running task started.
    """
    waiting = list(tasks)
    running: list[Child] = []
    at_once = min((fitting(workspace, name, jobs) for name in {task.dataset for task in tasks}), default=0)
    try:
        # It takes seconds, in which nothing is trained: a few networks do it themselves, side by side.
        start_server(tensorflow=sum(task.network for task in tasks) > at_once)
        while waiting or running:
            while waiting and len(running) < at_once:
                running.append(Child(workspace, waiting.pop(0)))
            now = time.monotonic()
            on_tick({child.task: now - child.started for child in running})
            connection.wait([child.process.sentinel for child in running], TICK)
            for child in [child for child in running if child.process.exitcode is not None]:
                running.remove(child)
                yield child.result()
    finally:
        with handling(signal.SIG_IGN, signal.SIGINT, signal.SIGTERM):  # a second Ctrl-C changes nothing
            stop(running)
            _stop_server()


def fitting(workspace: Workspace, dataset: str, jobs: int) -> int:
    """How many tasks of a data set may run at once: `jobs`, or fewer by the memory that is free; at least 1.

    A task is taken to need `MEMORY` and `COPIES` times the prepared files. In a container what it may still use counts.
    """
    files = workspace.prepared(dataset).glob("*")
    needed = MEMORY + COPIES * sum(file.stat().st_size for file in files)
    return max(1, min(jobs, available() // needed))


def available() -> int:
    """The bytes of memory that this process and its children may still take."""
    free = int(psutil.virtual_memory().available)
    group = Path("/sys/fs/cgroup")
    with contextlib.suppress(OSError, ValueError):  # no control group, or no limit ("max")
        limit = int((group / "memory.max").read_text(encoding="ascii"))
        free = min(free, limit - int((group / "memory.current").read_text(encoding="ascii")))
    return max(free, 0)


@contextlib.contextmanager
def handling(handler: Any, *numbers: int) -> Iterator[None]:
    """Handle these signals so; without effect outside of the main thread, the only one that may."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def start_server(*, tensorflow: bool) -> None:
    """Start the fork server, which imports while this process goes on."""
    if LINUX:
        modules = ["stages.preload"]
        if tensorflow:
            modules += ["tensorflow", "keras"]
        multiprocessing.get_context("forkserver").set_forkserver_preload(modules)
        # Ctrl-C on a terminal reaches it, too, and would break its imports off.
        with _environment(), handling(signal.SIG_IGN, signal.SIGINT):
            forkserver.ensure_running()


def _stop_server() -> None:
    """End the fork server, which while it imports does not notice that nobody needs it any more."""
    server: Any = forkserver._forkserver  # noqa: SLF001 - no public name leads to it
    if LINUX and server._forkserver_pid:  # noqa: SLF001
        os.kill(server._forkserver_pid, signal.SIGKILL)  # noqa: SLF001
        server._stop()  # noqa: SLF001


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    """Let processes that start have one thread, and import nothing from the current folder nor of the main program.

    Python would look in that folder first, where a file of the user's may be called as a module of the standard library
    is; and a program of the user's would be run again.
    """
    variables = dict(os.environ)
    main = sys.modules["__main__"]
    os.environ.update({**ONE_THREAD, **numerics.from_start(), **numerics.python_path(), "PYTHONSAFEPATH": "1"})
    os.environ["UNROLL_PARENT"] = str(os.getpid())
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
        os.environ.clear()
        os.environ.update(variables)


def stop(children: Sequence[Child]) -> None:
    """Interrupt tasks, so that what they record says so; kill those that are still there after `GRACE` seconds."""
    for child in children:
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            os.kill(child.process.pid, signal.SIGINT)
    limit = time.monotonic() + GRACE
    for child in children:
        child.process.join(max(limit - time.monotonic(), 0))
        child.process.kill()
        child.process.join()


def _perform(workspace: Workspace, task: Task, log: Path, report: Connection) -> None:
    """What a child does: be a process of its own, perform the task, and report its seconds and its error, if any."""
    _leave_parent(log)
    from stages.perform import perform

    started = time.monotonic()
    error = ""
    try:
        perform(workspace, task)
    except KeyboardInterrupt:
        sys.exit(1)
    except Exception as raised:  # noqa: BLE001 - whatever it is, the other tasks go on
        error = _explained(raised, log)
    report.send((time.monotonic() - started, error))


def _explained(raised: Exception, log: Path) -> str:
    """Why a task failed, in one line. A mistake in the code leaves its traceback in the log."""
    text = failures.explain(raised)
    if text is None:
        traceback.print_exception(raised)
        text = f"a mistake in the code, {type(raised).__name__}: {raised}; the traceback is in {log}"
    return one_line(text)


def _leave_parent(log: Path) -> None:
    """Out of the terminal's reach, with a log file for all that is printed; but killed where the parent is."""
    if LINUX:
        locks.end_with_parent()
        # The server ends once nobody holds its pipe, which only the parent may, so that all end with it.
        server: Any = forkserver._forkserver  # noqa: SLF001
        os.close(server._forkserver_alive_fd)  # noqa: SLF001
    parent = multiprocessing.parent_process()
    if parent is None or not parent.is_alive():  # it died while this process started
        os._exit(1)
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # where the parent was started, it may be ignored
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.stdin = os.fdopen(0)
    sys.stdout = os.fdopen(1, "w")
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace")
