"""A process for each stage, forked from one that has imported what stages need: importing costs more than most stages.

On Linux Python's own fork server does it (`multiprocessing`, start method "forkserver"); elsewhere each process starts
anew ("spawn"), since one that has imported TensorFlow does not survive a fork there. Either way a command runs as in a
process of its own: own session, own streams, and the project's code read anew, so that an edit during a build counts
from the next stage on. Nothing is computed before the fork, so results have the same bytes
(docs/decisions/side-by-side.md).
"""

import ctypes
import multiprocessing
import os
import runpy
import shlex
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import forkserver
from pathlib import Path
from types import ModuleType
from typing import Any

from pipeline import numerics
from pipeline.provenance.machine import PACKAGES
from unroll.runner.scheduler import ignore_signals

LINUX = sys.platform == "linux"


def prepare(variables: Mapping[str, str], *, networks: bool) -> None:
    """Start the fork server, which imports while this process goes on, TensorFlow too if there will be `networks`.

    Without effect where there is none. Its environment has the `variables` besides this process's: libraries read some
    when they are imported.
    """
    if not LINUX:
        return
    modules = ["tensorflow", "keras", "unroll.runner.preload"] if networks else ["unroll.runner.preload"]
    multiprocessing.get_context("forkserver").set_forkserver_preload(modules)
    # Ctrl-C on a terminal reaches it too, and would break its imports off.
    with _starting(variables), ignore_signals(signal.SIGINT):
        forkserver.ensure_running()


@contextmanager
def _starting(variables: Mapping[str, str]) -> Iterator[None]:
    """Processes that start have these variables, too, and import nothing from the current folder.

    Python would look there first, and a file of the user's may be called as a module of the standard library is.
    """
    before = dict(os.environ)
    os.environ.update({**variables, **numerics.python_path(), "PYTHONSAFEPATH": "1"})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def end() -> None:
    """End the fork server, which while it imports does not notice that nobody needs it any more."""
    server: Any = forkserver._forkserver  # noqa: SLF001 - no public name leads to its state
    if LINUX and server._forkserver_pid:  # noqa: SLF001
        os.kill(server._forkserver_pid, signal.SIGKILL)  # noqa: SLF001


class Process:
    """A command of dvc.yaml, running in the folder `root`; what it prints goes to the file `log`."""

    def __init__(self, command: str, root: Path, log: Path, variables: Mapping[str, str]) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        context: Any = multiprocessing.get_context("forkserver" if LINUX else "spawn")
        self._process = context.Process(target=_run, args=(command, str(root), str(log), dict(variables)), daemon=True)
        # New processes need nothing of the program that builds, and so are spared its import.
        main, sys.modules["__main__"] = sys.modules["__main__"], ModuleType("__main__")
        try:
            with _starting({}):
                self._process.start()
        finally:
            sys.modules["__main__"] = main

    def poll(self) -> int | None:
        """The exit status, None while the command runs; minus the signal if one ended it."""
        status: int | None = self._process.exitcode
        return status

    def send_signal(self, number: int) -> None:
        """To the command and all that it has started."""
        if self._process.exitcode is None and self._process.pid:
            try:
                os.killpg(self._process.pid, number)
            except ProcessLookupError:  # it has not made its session yet, or is gone
                self._process.kill()


def _run(command: str, root: str, log: str, variables: dict[str, str]) -> None:
    """What a process does: be as one of its own, then run the command and end with its status."""
    if LINUX:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: die with the fork server
        # That one ends once nobody holds its pipe; only the build may, so that all end with it.
        server: Any = forkserver._forkserver  # noqa: SLF001 - no public name leads to its state
        if pipe := server._forkserver_alive_fd:  # noqa: SLF001
            os.close(pipe)
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # where the build was started, it may be ignored
    streams = os.open(os.devnull, os.O_RDONLY), os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for target, source in enumerate((streams[0], streams[1], streams[1])):
        os.dup2(source, target)
    sys.stdin, sys.stdout = os.fdopen(0), os.fdopen(1, "w")
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace")
    os.chdir(root)
    os.environ.clear()
    os.environ.update(variables)
    for name in [name for name in sys.modules if name.partition(".")[0] in PACKAGES]:
        del sys.modules[name]
    words = shlex.split(command)
    if words[0] != "unroll":
        os.execv("/bin/sh", ["sh", "-c", command])  # noqa: S606 - dvc.yaml's own command, as DVC runs it
    sys.argv = words
    runpy.run_module("unroll", run_name="__main__", alter_sys=True)
