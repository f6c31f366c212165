"""Runs functions in child processes: several at once, each in a new process with one
thread.

A server starts the processes. On Linux it imports the modules that all functions need,
and forks itself for each call. Elsewhere each call starts a new Python, because a
process that has imported TensorFlow does not survive a fork there. Nothing is computed
before the fork, so results have the same bytes (docs/decisions/side-by-side.md).

The server is not the one of `multiprocessing`. The caller may be a notebook, or a
script without an `if __name__ == "__main__"` guard: its main module does not run again.
Its environment does not change, and its own process pools are neither used nor stopped.
"""

import contextlib
import gc
import importlib
import math
import multiprocessing
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn, Self

from pipeline import failures, locks, numerics
from pipeline.errors import one_line
from pipeline.provenance import machine

FORKS = sys.platform == "linux"
"""Whether a process that has imported TensorFlow can be forked."""

ONE_THREAD = {name: "1" for name in machine.VARIABLES if name.endswith("_THREADS")}
"""Variables that keep every library to one thread."""

TICK = 1.0
"""Seconds between two calls of `on_tick`."""

LOST = (EOFError, OSError)
"""Errors of a connection whose other end is gone."""


@dataclass(frozen=True, eq=False)
class Call:
    """A function to be called in a process of its own. No two are equal, so it may be a
    key.

    Attributes:
        name: shown to the user.
        function: at the top level of a module other than `__main__`; it keeps results
            in files.
        arguments: of the function; they can be pickled.
        log: the file for all that the call prints; its folder is made.
    """

    name: str
    function: Callable[..., None]
    arguments: tuple[Any, ...]
    log: Path


@dataclass(frozen=True)
class Ended:
    """How a call ended.

    Attributes:
        call: the call.
        seconds: since the function began.
        cpu_seconds: of its process, and of the processes which that one has started.
        error: why it failed, in one line; "" if it went well.
        mistake: whether it was a mistake in the code; the log has the traceback.
        killed: whether the system killed the process.
    """

    call: Call
    seconds: float
    cpu_seconds: float
    error: str
    mistake: bool = False
    killed: bool = False


@dataclass(frozen=True)
class Report:
    """What a child tells its server; see `Ended`."""

    seconds: float
    error: str
    mistake: bool = False


@dataclass(frozen=True)
class Outcome:
    """What the server tells of a child that has ended; `report` is None if it was
    killed.
    """

    exit_code: int
    cpu_seconds: float
    report: Report | None


def run(
    calls: Sequence[Call],
    jobs: int,
    server: "Server",
    *,
    on_tick: Callable[[dict[Call, float]], None],
    deadline: float = math.inf,
    grace: float = 0.0,
) -> Generator[Ended, None, None]:
    """Perform calls in child processes, in the given order, and yield each one as it
    ends.

    If the iteration ends early, for example by Ctrl-C, the children are stopped. They
    die with this process, too.

    Args:
        calls: what to perform.
        jobs: how many run at once.
        server: starts the children.
        on_tick: called about once a second with the seconds since each running call
            started.
        deadline: the time on `time.monotonic` at which the iteration ends early.
        grace: seconds that children get to end by themselves if the iteration ends
            early.
    """
    waiting = list(calls)
    running: list[Child] = []
    try:
        while (waiting or running) and time.monotonic() < deadline:
            while waiting and len(running) < jobs:
                running.append(Child(waiting.pop(0), server))
            now = time.monotonic()
            on_tick({child.call: now - child.started for child in running})
            seconds = min(TICK, max(deadline - now, 0.0))
            connection.wait([child.sentinel for child in running], seconds)
            for child in [child for child in running if child.sentinel.poll()]:
                running.remove(child)
                yield child.result()
    finally:
        # Ctrl-C may come twice
        with handling(signal.SIG_IGN, signal.SIGINT, signal.SIGTERM):
            stop(running, grace)


class Child:
    """A call at work in a process of its own.

    Attributes:
        call: the call.
        started: the time on `time.monotonic`.
        sentinel: readable when the process has ended
            (`multiprocessing.connection.wait`).
    """

    def __init__(self, call: Call, server: "Server") -> None:
        request = pickle.dumps((call.function, call.arguments))
        call.log.parent.mkdir(parents=True, exist_ok=True)
        self.call = call
        self.started = time.monotonic()
        self.sentinel = server.connect()
        self._pid: int | None = None
        with contextlib.suppress(*LOST):  # it was killed, as `result` will say
            self._pid = self.sentinel.recv()
            self.sentinel.send((call.log, request))

    def send(self, number: int) -> None:
        """Send a signal to the process if it still runs."""
        if self._pid is not None and not self.sentinel.poll():
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                os.kill(self._pid, number)

    def result(self) -> Ended:
        """Wait for the end of the process."""
        # where the server itself was killed
        outcome = Outcome(-signal.SIGKILL, 0.0, None)
        with contextlib.suppress(*LOST):
            outcome = self.sentinel.recv()
        self.sentinel.close()
        report = outcome.report
        if report is None:
            seconds = time.monotonic() - self.started
            report = Report(seconds, self._unexplained(outcome.exit_code))
        return Ended(
            self.call,
            report.seconds,
            outcome.cpu_seconds,
            report.error,
            mistake=report.mistake,
            killed=outcome.exit_code == -signal.SIGKILL,
        )

    def _unexplained(self, exit_code: int) -> str:
        """Why it may have ended, if it has told nothing."""
        if exit_code == -signal.SIGKILL:
            return (
                "the system killed it, as it does where memory runs out; "
                "close other programs or take fewer jobs"
            )
        log = self.call.log
        return (
            f"it ended without a word (exit code {exit_code}); its output is in {log}"
        )


def stop(children: Sequence[Child], grace: float) -> None:
    """Interrupt children, as Ctrl-C does, and kill those that still run after `grace`
    seconds.
    """
    for child in children:
        child.send(signal.SIGINT)
    limit = time.monotonic() + grace
    for child in children:
        child.sentinel.poll(max(limit - time.monotonic(), 0.0))
        child.send(signal.SIGKILL)
        child.result()


@contextlib.contextmanager
def handling(handler: Any, *numbers: int) -> Iterator[None]:
    """Handle these signals so; without effect outside of the main thread, the only one
    that may.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # None is a handler that Python cannot set again.
    changed = [number for number in numbers if signal.getsignal(number) is not None]
    before = {number: signal.signal(number, handler) for number in changed}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def available() -> int:
    """The bytes of memory that this process and its children may still take.

    A container's own limit counts.
    """
    import psutil

    free = int(psutil.virtual_memory().available)
    group = Path("/sys/fs/cgroup")
    # no control group, or no limit ("max")
    with contextlib.suppress(OSError, ValueError):
        limit = int((group / "memory.max").read_text(encoding="ascii"))
        used = int((group / "memory.current").read_text(encoding="ascii"))
        free = min(free, limit - used)
    return max(free, 0)


class Server:
    """A process that starts a child for each connection. It imports while this process
    goes on.

    It is a context manager: at the end of the block it ends.

    Args:
        preload: the module that it imports before it forks (`import_modules`).
        tensorflow: whether it imports TensorFlow, too, which takes seconds.
    """

    def __init__(self, preload: str, *, tensorflow: bool) -> None:
        self._options = f"{preload!r}, tensorflow={tensorflow}, forks={FORKS}"
        self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        with handling(signal.SIG_IGN, signal.SIGINT, signal.SIGTERM):
            self.stop()

    def _start(self) -> None:
        self._control, theirs = socket.socketpair()
        serve = f"serve({os.getpid()}, {self._options})"
        with theirs:
            self._process = subprocess.Popen(
                _python(serve, _import_path()),
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                env=os.environ | _variables(),
                start_new_session=True,  # out of reach for Ctrl-C on the terminal
            )

    def connect(self) -> Connection:
        """Start a child; returns the connection to it (`work`)."""
        if self._process.poll() is not None:  # the system has killed the server
            self.stop()
            self._start()
        ours, theirs = multiprocessing.Pipe()
        # it was killed just now: `ours` is at its end
        with (
            theirs,
            contextlib.suppress(OSError),
        ):
            socket.send_fds(self._control, [b"1"], [theirs.fileno()])
        return ours

    def stop(self) -> None:
        """End the server at once, even while it imports; its children end with it."""
        self._control.close()
        if FORKS:
            self._process.kill()
        self._process.wait()


def import_modules(*names: str) -> None:
    """Import modules that all calls need. A preload module consists of a call of this
    function.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in names:
            importlib.import_module(name)


def serve(parent: int, preload: str, *, tensorflow: bool, forks: bool) -> NoReturn:
    """Start a child for each connection that comes through standard input, until it is
    closed.

    Args:
        parent: the number of the process that has started this one.
        preload: as of `Server`.
        tensorflow: as of `Server`.
        forks: whether a child is forked with all that was imported, or starts a new
            Python.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with(parent)
    numerics.settle()  # before NumPy is imported
    if forks:
        _preload(preload, tensorflow=tensorflow)
    control = socket.socket(fileno=0)
    children: dict[Connection, _Forked] = {}
    while True:
        for ready in connection.wait([control, *children]):
            if isinstance(ready, Connection):
                children.pop(ready).tell_outcome()
                continue
            _, descriptors, _, _ = socket.recv_fds(control, 1, 1)
            if not descriptors:  # nobody needs this process any more
                for child in children.values():
                    os.kill(child.pid, signal.SIGKILL)
                os._exit(0)
            child = _fork(Connection(descriptors[0]), forks=forks)
            children[child.reports] = child


def work() -> NoReturn:
    """Perform the call that comes through standard input, report to standard output,
    and end.
    """
    exit_code = 1
    try:
        _perform(Connection(os.dup(0)), Connection(os.dup(1)))
        exit_code = 0
    except (KeyboardInterrupt, EOFError):  # EOFError: the caller is gone
        pass
    except BaseException:  # noqa: BLE001 - the process ends here, whatever it is
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):  # the disk is full
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(exit_code)


@dataclass(frozen=True)
class _Forked:
    """A child as the server sees it: its number, what it reports, and who asks for its
    outcome.
    """

    pid: int
    reports: Connection
    channel: Connection

    def tell_outcome(self) -> None:
        """Tell how the child has ended, which has reported or can report no more."""
        report = None
        with contextlib.suppress(*LOST):
            report = self.reports.recv()
        _, status, usage = os.wait4(self.pid, 0)
        cpu_seconds = usage.ru_utime + usage.ru_stime
        outcome = Outcome(os.waitstatus_to_exitcode(status), cpu_seconds, report)
        with contextlib.suppress(*LOST):  # nobody asks any more
            self.channel.send(outcome)
        self.reports.close()
        self.channel.close()


def _fork(channel: Connection, *, forks: bool) -> _Forked:
    """Start a child whose standard input is the connection to the caller."""
    reports, sender = multiprocessing.Pipe(duplex=False)
    server = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            _end_with(server)
            os.dup2(channel.fileno(), 0)
            os.dup2(sender.fileno(), 1)
            if not forks:
                os.execv(sys.executable, _python("work()", sys.path))  # noqa: S606 - no shell
            work()
        finally:
            os._exit(1)
    sender.close()
    return _Forked(pid, reports, channel)


def _preload(name: str, *, tensorflow: bool) -> None:
    """Import the preload module. A call that needs what cannot be imported says so
    itself.
    """
    modules = [name]
    if tensorflow:
        modules += ["tensorflow", "keras"]
    with contextlib.suppress(Exception):
        import_modules(*modules)
    # Children do not search these objects for garbage, so they do not copy the shared
    # memory.
    gc.collect()
    gc.freeze()


def _perform(channel: Connection, reports: Connection) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    channel.send(os.getpid())
    log, request = channel.recv()
    _redirect(log)
    started = time.monotonic()
    error = ""
    mistake = False
    try:
        function, arguments = pickle.loads(request)
        function(*arguments)
    except Exception as raised:  # noqa: BLE001 - whatever it is, the other calls go on
        error = _explained(raised, log)
        mistake = failures.explain(raised) is None
    reports.send(Report(time.monotonic() - started, error, mistake))


def _redirect(log: Path) -> None:
    """Let standard output and standard error go into a log, and standard input be
    empty.
    """
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.stdin = os.fdopen(0)
    sys.stdout = os.fdopen(1, "w")
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace")


def _explained(raised: Exception, log: Path) -> str:
    """Why a call failed, in one line. A mistake in the code leaves its traceback in the
    log.
    """
    text = failures.explain(raised)
    if text is None:
        traceback.print_exception(raised)
        mistake = f"a mistake in the code, {type(raised).__name__}: {raised}"
        text = f"{mistake}; the traceback is in {log}"
    return one_line(text)


def _end_with(parent: int) -> None:
    """Let this process be killed when its parent dies, which may have died already."""
    locks.end_with_parent()
    if os.getppid() != parent:
        os._exit(1)


def _python(statement: str, folders: Sequence[str]) -> list[str]:
    """The command that runs a statement of this module in a new Python."""
    code = f"import sys; sys.path[:] = {list(folders)}; from pipeline import processes"
    return [sys.executable, "-c", f"{code}; processes.{statement}"]


def _import_path() -> list[str]:
    """The folders that this process imports from, in the order for its children.

    The folder of the user's script and the current folder come last: a file there may
    be named like a module of a library.
    """
    here = str(Path.cwd())
    folders = [folder or here for folder in sys.path]
    users = {here, folders[0]} - {str(machine.CODE)}
    return sorted(folders, key=users.__contains__)


def _variables() -> dict[str, str]:
    """The environment variables that a server has besides those of this process."""
    safe = {"PYTHONSAFEPATH": "1"}  # nothing is imported from the current folder
    return ONE_THREAD | numerics.from_start() | numerics.python_path() | safe
