"""A process that has imported what stages need, and forks a child for each: importing costs more than most stages.

A child is as a process of its own: its own session, the caller's streams, folder and environment, and the project's
code read anew, so that an edit during a build counts. Nothing is computed before the fork, so its bytes are those
of a fresh process (docs/decisions/fork-server.md).
"""

import ctypes
import gc
import importlib
import json
import os
import secrets
import selectors
import signal
import socket
import struct
import subprocess
import sys
import traceback
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from stages import preload
from stages.client import ACCEPTED, HELLO, NUMBER

PROJECT = ("pipeline", "stages")
"""Packages that a child imports anew."""

OWN = ("PWD", "OLDPWD", "SHLVL", "_", "DVC_ROOT", "DVC_STAGE")
"""Variables that DVC and shells set for each command; nothing that is imported before the fork reads them."""

PATIENCE = 10.0
"""Seconds that a client gets to send its request."""


def possible() -> bool:
    """Whether this system can do it: elsewhere a process that has imported TensorFlow does not survive a fork."""
    return sys.platform == "linux"


def address() -> str:
    """A new server's address: a socket's name that is no file, so it has no length limit and leaves nothing behind."""
    return f"unroll-{secrets.token_hex(16)}"


@contextmanager
def serving(kind: str, name: str, environment: Mapping[str, str], log: Path) -> Iterator[None]:
    """Run a server during a block. What it runs at the end of the block is killed.

    Args:
        kind: a key of `preload.IMPORTS`: "dvc" runs `dvc`, the others run `unroll`.
        name: its address. Clients may connect at once: they wait while it imports, and are told when it is gone.
        environment: of the commands that it will be asked to run.
        log: gets what the server itself has to say.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as listener, log.open("wb") as output:
        try:
            listener.bind(f"\0{name}")
            listener.listen(64)
        except OSError as error:  # a system that forbids it: clients find nobody, and run by themselves
            output.write(f"{error}\n".encode())
            yield
            return
        code = f"import sys; sys.path[:] = {sys.path!r}; from stages import server; "
        server = subprocess.Popen(
            [sys.executable, "-c", f"{code} server.serve({kind!r}, {listener.fileno()})"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=[listener.fileno()],
            start_new_session=True,
        )
    with server:
        try:
            yield
        finally:
            server.kill()


def serve(kind: str, listener: int) -> None:
    """Import, then fork a child per request, until standard input ends and no child is left.

    Args:
        kind: a key of `preload.IMPORTS`.
        listener: the open file of a listening socket.
    """
    environment = dict(os.environ)
    preload.prepare(kind)
    # Children neither search these objects for garbage nor, by that, copy the memory that they share.
    gc.collect()
    gc.freeze()
    Loop(kind, environment, socket.socket(fileno=listener)).run()


@dataclass
class Request:
    """What a client asks for; see `stages.client.ask`."""

    connection: socket.socket
    streams: list[int]
    arguments: list[str]
    environment: dict[str, str]
    root: str
    code: str
    prefix: str
    path: list[str]


class Loop:
    """Takes requests, forks, and tells clients how their commands ended.

    Args:
        kind: a key of `preload.IMPORTS`.
        environment: as it was before anything was imported.
        listener: a listening socket.
    """

    def __init__(self, kind: str, environment: dict[str, str], listener: socket.socket) -> None:
        self._kind, self._environment, self._listener = kind, environment, listener
        self._children: dict[int, socket.socket] = {}
        self._ended, woken = socket.socketpair()
        for end in (self._ended, woken):
            end.setblocking(False)
        self._woken = woken
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(woken.fileno())
        self._selector = selectors.DefaultSelector()
        for source in (self._ended, self._listener, sys.stdin):
            self._selector.register(source, selectors.EVENT_READ)

    def run(self) -> None:
        """Serve until standard input ends and no child is left."""
        serving = True
        while serving or self._children:
            for key, _ in self._selector.select():
                if key.fileobj is self._ended:
                    self._reap()
                elif key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj is sys.stdin:
                    serving = False
                    for source in (sys.stdin, self._listener):
                        self._selector.unregister(source)
                    self._listener.close()
                elif isinstance(key.fileobj, socket.socket) and key.fileobj.fileno() >= 0:
                    self._hear(key.data, key.fileobj)

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        try:
            request = _receive(connection)
        except (OSError, ValueError):  # the client has gone, or did not want to wait
            connection.close()
            return
        child = self._fork(request) if self._agrees(request) else 0
        for stream in request.streams:
            os.close(stream)
        if not child:
            connection.close()
            return
        self._children[child] = connection
        self._selector.register(connection, selectors.EVENT_READ, child)
        with suppress(OSError):
            connection.sendall(ACCEPTED + NUMBER.pack(child))

    def _agrees(self, request: Request) -> bool:
        """Whether a process of the client's own would have imported the same from the same environment."""
        own, theirs = ({k: v for k, v in e.items() if k not in OWN} for e in (self._environment, request.environment))
        return own == theirs and request.prefix == sys.prefix and request.code == str(Path(__file__).resolve().parent)

    def _fork(self, request: Request) -> int:
        with warnings.catch_warnings():  # Python counts the thread of TensorFlow's allocator, which forks well
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child:
            return child
        try:
            self._become(request)
        except BaseException:  # noqa: BLE001  a child must not go on as a second server
            traceback.print_exc()
        os._exit(1)

    def _become(self, request: Request) -> NoReturn:
        """Be as a new process would be, run the command and end."""
        # The child keeps its client's connection open, so that the client is told of a server's end only when the
        # child, which dies with the server, has ended too.
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        signal.set_wakeup_fd(-1)
        self._selector.close()
        for other in (self._ended, self._woken, self._listener, *self._children.values()):
            other.close()
        os.setsid()
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for target, stream in enumerate(request.streams):
            os.dup2(stream, target)
            os.close(stream)
        sys.stdin, sys.stdout = os.fdopen(0), os.fdopen(1, "w")
        sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace")
        os.chdir(request.root)
        set_by_imports = {name: value for name, value in os.environ.items() if name not in self._environment}
        os.environ.clear()
        os.environ.update(set_by_imports | request.environment)
        sys.path[:] = request.path
        sys.argv = ["dvc" if self._kind == "dvc" else "unroll", *request.arguments]
        importlib.invalidate_caches()
        for name in [name for name in sys.modules if name.partition(".")[0] in PROJECT]:
            del sys.modules[name]
        code = _dvc() if self._kind == "dvc" else _unroll()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)

    def _hear(self, child: int, connection: socket.socket) -> None:
        try:
            signals = connection.recv(64)
        except OSError:
            signals = b""
        for number in signals:
            with suppress(ProcessLookupError):
                os.kill(child, number)
        if not signals:
            self._selector.unregister(connection)
            self._abandon(child)

    def _abandon(self, child: int) -> None:
        """End a command whose client is gone; DVC, which writes files in place, by ending what it runs."""
        if self._kind != "dvc":
            with suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
            return
        import psutil

        with suppress(psutil.NoSuchProcess):
            for process in psutil.Process(child).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    process.kill()

    def _reap(self) -> None:
        with suppress(BlockingIOError):
            self._ended.recv(4096)
        for child, connection in list(self._children.items()):
            ended, status = os.waitpid(child, os.WNOHANG)
            if not ended:
                continue
            del self._children[child]
            with suppress(OSError):
                connection.sendall(NUMBER.pack(os.waitstatus_to_exitcode(status)))
            with suppress(KeyError):
                self._selector.unregister(connection)
            connection.close()


def _receive(connection: socket.socket) -> Request:
    """Greet a client and read its request. Raises OSError or ValueError if there is none, or it is another user's."""
    connection.settimeout(PATIENCE)
    user = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1]
    if user != os.getuid():
        raise PermissionError("a client of another user")
    connection.sendall(HELLO)
    size, streams, _, _ = socket.recv_fds(connection, NUMBER.size, 3)
    if len(size) < NUMBER.size:
        raise ConnectionResetError("the client has gone")
    text = b""
    while len(text) < NUMBER.unpack(size)[0]:
        part = connection.recv(1 << 16)
        if not part:
            raise ConnectionResetError("the client has gone")
        text += part
    return Request(connection, streams, **json.loads(text))


def _unroll() -> int:
    from stages import commands

    return commands.status()


def _dvc() -> int:
    import logging

    from dvc.cli import main

    from stages import lock

    match sys.argv[1:]:
        case [*_, "--single-item", stage] | [*_, "--single-item", "--force", stage]:
            lock.quick(stage)
        case _:
            lock.quick(None)
    # DVC's loggers hold the streams that there were when it was imported.
    for name in ("dvc", "dvc_objects", "dvc_data"):
        for handler in logging.getLogger(name).handlers:
            if isinstance(handler, logging.StreamHandler):
                handler.setStream(sys.stderr if handler.level >= logging.WARNING else sys.stdout)
    return int(main(sys.argv[1:]) or 0)
