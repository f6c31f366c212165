"""Functions in child processes: several at once, each in a new process with one thread;
and the time that they still take.

On Linux a server process imports the modules that the functions need and forks itself
for each call. Elsewhere each call starts a new Python, because a process that has
imported TensorFlow does not survive a fork there. Nothing is computed before the fork,
so results have the same bytes (docs/decisions/side-by-side.md).

Python's own pools do not fit. In `concurrent.futures`, one killed process breaks the
whole pool. `multiprocessing` runs the caller's main module again in each child, which
fails for a script without an `if __name__ == "__main__"` guard; its one fork server is
shared with the caller's pools and cannot have other environment variables.
"""

import contextlib
import ctypes
import faulthandler
import gc
import importlib
import math
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing import connection
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn, Self

from pipeline import numeric_settings
from pipeline.errors import explain, one_line
from pipeline.provenance import machine, places

FORKS = sys.platform == "linux"
"""True if a process that has imported TensorFlow can be forked."""

ONE_THREAD = {name: "1" for name in machine.VARIABLES if name.endswith("_THREADS")}
"""Environment variables that keep each library to one thread."""

TICK = 1.0
"""Seconds between two calls of `on_tick`."""

SET_DEATH_SIGNAL = 1
"""Linux's PR_SET_PDEATHSIG."""

GRACE = 10.0
"""Seconds that an interrupted training has to end by itself."""


@dataclass(frozen=True)
class Ended:
    """The outcome of a call.

    Attributes:
        key: what the caller knows the call by, such as a task or a name.
        log: the file with all output of the call.
        seconds: the run time of the function.
        cpu_seconds: the CPU time of its process; 0 if the process was killed.
        error: why the call failed, in one line; "" if it succeeded.
        mistake: whether a mistake in the code made it fail; the log has the traceback.
        killed: whether the process ended without a report.
        place: the worker of a cluster that performed it; "" on this machine.
    """

    key: Any
    log: Path
    seconds: float
    cpu_seconds: float
    error: str
    mistake: bool = False
    killed: bool = False
    place: str = ""


Submitted = tuple[Any, Path, Callable[..., None], tuple[Any, ...]]
"""The key, log, function and arguments of a call."""


@dataclass(kw_only=True)
class Work:
    """Calls that are submitted, and whose outcomes come as they end.

    At the end of a `with` block, calls that still run are stopped.

    Attributes:
        deadline: the time on `time.monotonic` after which no outcome is waited for.
        waiting: the calls that have not begun, as they were submitted.
    """

    deadline: float = math.inf
    waiting: list[Submitted] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def submit(
        self, key: Any, log: Path, function: Callable[..., None], *arguments: Any
    ) -> None:
        """Let a function be called, after those that were submitted before.

        Args:
            key: what the caller knows the call by; no other call has it.
            log: the file for all output of the call; its folder is made.
            function: a function at the top level of a module other than `__main__`,
                which keeps its results in files.
            arguments: the arguments of the function; they can be pickled.
        """
        self.waiting.append((key, log, function, arguments))

    def ended(self) -> Iterator[Ended]:
        """Perform the calls in their order, and yield each outcome as a call ends."""
        raise NotImplementedError

    def stop(self) -> None:
        """Stop the calls that run."""


@dataclass(kw_only=True)
class Children(Work):
    """Work in child processes. If this process dies, the children die, too.

    Attributes, besides those of `Work`:
        server: starts the children.
        jobs: how many calls run at once.
        on_tick: called about once a second with the seconds since each running call
            started, by its key.
        grace: the seconds that children get to end by themselves where they are stopped.
        running: the children whose calls have begun.
    """

    server: "Server"
    jobs: int
    on_tick: Callable[[dict[Any, float]], None] | None = None
    grace: float = 0.0
    running: list["Child"] = field(default_factory=list)

    def ended(self) -> Iterator[Ended]:
        """Perform the calls in their order, and yield each outcome as a call ends."""
        running = self.running
        while (self.waiting or running) and time.monotonic() < self.deadline:
            while self.waiting and len(running) < self.jobs:
                running.append(Child(self.server, *self.waiting.pop(0)))
            now = time.monotonic()
            if self.on_tick:
                self.on_tick({child.key: now - child.started for child in running})
            seconds = min(TICK, max(self.deadline - now, 0.0))
            connection.wait([child.sentinel for child in running], seconds)
            for child in [each for each in running if each.sentinel.poll()]:
                running.remove(child)
                yield child.result()

    def stop(self) -> None:
        """Interrupt the children, as Ctrl-C does; kill those that do not end."""
        for child in self.running:
            child.signal(signal.SIGINT)
        limit = time.monotonic() + self.grace
        for child in self.running:
            child.sentinel.poll(max(limit - time.monotonic(), 0.0))
            child.signal(signal.SIGKILL)
            child.result()


class Here(Work):
    """Work in this process, one call after the other.

    A debugger sees the calls, and nothing has to be imported twice.
    """

    def ended(self) -> Iterator[Ended]:
        """Perform the calls in their order, and yield each outcome as a call ends."""
        while self.waiting and time.monotonic() < self.deadline:
            key, log, function, arguments = self.waiting.pop(0)
            started = time.process_time()
            error = ""
            mistake = False
            try:
                function(*arguments)
            except Exception as raised:  # noqa: BLE001 - as a child does
                words = explain(raised)
                mistake = words is None
                error = words or f"a mistake in the code, {type(raised).__name__}"
                if mistake:
                    log.write_text(traceback.format_exc(), encoding="utf-8")
            seconds = time.process_time() - started
            yield Ended(key, log, seconds, seconds, error, mistake)


class Child:
    """A call that runs in a process of its own.

    Attributes:
        key, log: as of `Work.submit`.
        started: the time on `time.monotonic` at which it started.
        sentinel: a connection that is readable once the call has ended
            (`multiprocessing.connection.wait`).
    """

    def __init__(
        self,
        server: "Server",
        key: Any,
        log: Path,
        function: Callable[..., None],
        arguments: tuple[Any, ...],
    ) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self.key = key
        self.log = log
        self.started = time.monotonic()
        self.sentinel = server.connect()
        self._pid = 0
        with contextlib.suppress(EOFError, OSError):  # `result` reports that it died
            self._pid = self.sentinel.recv()
            self.sentinel.send(log)
            self.sentinel.send((function, arguments))

    def signal(self, number: int) -> None:
        """Send a signal to the process if the call has not ended."""
        if self._pid and not self.sentinel.poll():
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                os.kill(self._pid, number)

    def result(self) -> Ended:
        """Wait for the end of the process, and return its outcome."""
        seconds = time.monotonic() - self.started
        cpu_seconds = 0.0
        error = (
            "the system killed it, as it does where memory runs out, or it crashed; "
            f"close other programs, take fewer jobs, or read its output in {self.log}"
        )
        mistake = False
        killed = True
        with self.sentinel, contextlib.suppress(EOFError, OSError):
            seconds, cpu_seconds, error, mistake = self.sentinel.recv()
            killed = False
            self.sentinel.recv()  # nothing comes until the process ends
        return Ended(self.key, self.log, seconds, cpu_seconds, error, mistake, killed)


class Server:
    """A process that starts a child for each connection.

    It imports modules while the caller goes on. As a context manager it ends, with all
    its children, at the end of the block.

    Args:
        preload: names of modules to import; forked children find them imported.
    """

    def __init__(self, preload: Sequence[str]) -> None:
        self._preload = list(preload)
        # The server process; on systems without forks, all children.
        self._processes: list[subprocess.Popen[bytes]] = []
        if FORKS:
            self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def _start(self) -> None:
        self._control, theirs = socket.socketpair()
        with theirs:
            server = _python("serve", theirs.fileno(), self._preload)
        self._processes.append(server)

    def connect(self) -> Connection:
        """Start a child (`work`) and return the connection to it."""
        ours, theirs = multiprocessing.Pipe()
        with theirs:
            if not FORKS:
                self._processes.append(_python("work", theirs.fileno()))
                return ours
            if self._processes[-1].poll() is not None:  # the system has killed it
                self._control.close()
                self._start()
            # If the server is killed just now, `ours` is closed.
            with contextlib.suppress(OSError):
                socket.send_fds(self._control, [b"1"], [theirs.fileno()])
        return ours

    def stop(self) -> None:
        """End the server at once, even while it imports."""
        if FORKS:
            self._control.close()
        for process in self._processes:
            process.kill()
            process.wait()


def _python(
    function: str, descriptor: int, *arguments: object
) -> "subprocess.Popen[bytes]":
    """Call a function of this module in a new Python process.

    The function gets the open file `descriptor`, the id of this process, and
    `arguments`.
    """
    values = ", ".join(map(repr, [descriptor, os.getpid(), *arguments]))
    # A file of the user may have the name of a library's module.
    users = {"", str(Path.cwd())} if Path.cwd() != places.CODE else set()
    folders = sorted(sys.path, key=users.__contains__)
    code = (
        f"import sys; sys.path[:] = {folders}; "
        f"from pipeline import processes; processes.{function}({values})"
    )
    return subprocess.Popen(
        [sys.executable, "-u", "-c", code],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=[descriptor],
        env=os.environ | ONE_THREAD | numeric_settings.settings_from_start(),
        start_new_session=True,  # out of reach for Ctrl-C on the terminal
    )


def serve(descriptor: int, caller: int, preload: Sequence[str]) -> NoReturn:
    """Fork a child for each connection that comes through a socket, until the socket is
    closed.

    Args:
        descriptor: the file descriptor of the socket.
        caller: the id of the process that has started this one.
        preload: as for `Server`.
    """
    _end_with(caller)
    numeric_settings.set_environment()  # before NumPy is imported
    for name in preload:
        # A call that needs a module that cannot be imported reports the error itself.
        with contextlib.suppress(Exception), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module(name)
    # Children do not search these objects for garbage, so they do not copy the shared
    # memory.
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children leave no zombies
    control = socket.socket(fileno=descriptor)
    server = os.getpid()
    while True:
        _, connections, _, _ = socket.recv_fds(control, 1, 1)
        if not connections:  # nobody needs this process any more
            os._exit(0)
        if os.fork() == 0:
            work(connections[0], server)
        os.close(connections[0])


def work(descriptor: int, parent: int) -> NoReturn:
    """Perform the call that comes through a connection, report, and end.

    Args:
        descriptor: the file descriptor of the connection.
        parent: the id of the process that has started this one.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _end_with(parent)
    if not FORKS:
        numeric_settings.set_environment()
    channel = Connection(descriptor)
    # If the call is interrupted, or the caller is gone, nobody waits for a report.
    with contextlib.suppress(KeyboardInterrupt, EOFError, OSError):
        channel.send(os.getpid())
        channel.send(_perform(channel))
    os._exit(0)


def _perform(channel: Connection) -> tuple[float, float, str, bool]:
    """Receive a call's log, function and arguments, and perform the call.

    Return `seconds`, `cpu_seconds`, `error` and `mistake` of `Ended`.
    """
    log = channel.recv()
    with log.open("wb") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    faulthandler.enable()
    started = time.monotonic()
    error = ""
    mistake = False
    try:
        function, arguments = channel.recv()
        if not FORKS:
            watch = threading.Thread(target=_end_with_caller, args=[channel])
            watch.daemon = True
            watch.start()
        # This process ends without its exit functions, by which TensorFlow removes the
        # sources that it has generated.
        with tempfile.TemporaryDirectory(dir=log.parent) as folder:
            tempfile.tempdir = folder
            function(*arguments)
    except (Exception, SystemExit) as raised:  # noqa: BLE001 - the other calls go on
        explained = explain(raised)
        if explained is None:
            traceback.print_exception(raised)
            mistake = True
            what = f"a mistake in the code, {type(raised).__name__}: {raised}"
            explained = f"{what}; the traceback is in {log}"
        error = one_line(explained)
    cpu_seconds = time.process_time()
    return time.monotonic() - started, cpu_seconds, error, mistake


def _end_with_caller(channel: Connection) -> None:
    """End this process when the other end of the connection is closed."""
    channel.poll(None)
    os._exit(1)


def _end_with(parent: int) -> None:
    """Let this process die with its parent, which may have died already."""
    end_with_parent()
    if os.getppid() != parent:
        os._exit(1)


def end_with_parent() -> None:
    """Let the system kill this process when its parent process dies (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SET_DEATH_SIGNAL, signal.SIGKILL)


@dataclass
class TimeLeft:
    """The tasks that have not ended, and the pace of those that have.

    Attributes:
        expected: task that has not ended -> seconds that it is expected to take.
        jobs: how many tasks run at once.
        planned: seconds that the ended tasks were expected to take.
        taken: seconds that the ended tasks took.
    """

    expected: dict[Any, float]
    jobs: int
    planned: float = 0.0
    taken: float = 0.0

    def ended(self, task: Any, seconds: float) -> None:
        """Note that a task has ended, and how long it took."""
        self.planned += self.expected.pop(task)
        self.taken += seconds

    def words(self, running: Mapping[Any, float] | None = None) -> str:
        """Return text such as "(about 3 min 20 s left)".

        It is empty before the first task and after the last task has ended.

        Args:
            running: task -> seconds since it started.
        """
        if not self.expected or not self.planned:
            return ""
        pace = self.taken / self.planned
        since = running or {}
        seconds = [
            max(pace * expected - since.get(task, 0.0), 0.0)
            for task, expected in self.expected.items()
        ]
        longest = max(sum(seconds) / self.jobs, *seconds)
        return f"(about {duration(longest)} left)"


def duration(seconds: float) -> str:
    """Return a duration as text: "7 s", "3 min 20 s" or "1 h 5 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
