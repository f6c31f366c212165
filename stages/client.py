"""Asks a build's server (`stages/server.py`) to run a command. What it imports, every stage of a build waits for."""

import contextlib
import json
import os
import signal
import socket
import struct
import sys
from collections.abc import Iterator, Mapping, Sequence
from types import FrameType

LIGHT = ("source", "prepare")
"""Commands that need no TensorFlow: they do not wait for a server that is still importing."""

SOON = 0.2
"""Seconds in which a server that has imported everything greets."""

HELLO, ACCEPTED = b"?", b"+"
"""What the server sends first, and when it has started the command."""

NUMBER = struct.Struct("!i")
"""A number on the wire."""


class Process:
    """A command that a server runs, to be polled and killed as a `subprocess.Popen`.

    Attributes:
        pid: the number of the process, 0 where the server has refused it.
        returncode: None while it runs; minus the signal if one ended it, or if the server was killed.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.returncode: int | None = None
        self.pid = self._number() if self._receive(1) == ACCEPTED else 0

    def poll(self) -> int | None:
        """The exit status, None while the command runs."""
        if self.returncode is None:
            with contextlib.suppress(BlockingIOError):
                self._connection.setblocking(False)
                self._end()
        return self.returncode

    def wait(self) -> int | None:
        """The exit status, once the command has ended; None if the server is gone, and the command with it."""
        self._connection.setblocking(True)
        return self.returncode if self._end() else None

    def signal(self, number: int) -> None:
        """Send a signal to the command."""
        with contextlib.suppress(OSError):
            self._connection.send(bytes([number]))

    def kill(self) -> None:
        """End the command at once."""
        self.signal(signal.SIGKILL)

    def close(self) -> None:
        """Leave; a command that still runs is killed."""
        self._connection.close()

    def _end(self) -> bool:
        told = self._receive(NUMBER.size)
        self.returncode = NUMBER.unpack(told)[0] if told else -signal.SIGKILL
        self._connection.close()
        return bool(told)

    def _number(self) -> int:
        told = self._receive(NUMBER.size)
        return int(NUMBER.unpack(told)[0]) if told else 0

    def _receive(self, size: int) -> bytes:
        try:
            return self._connection.recv(size, socket.MSG_WAITALL)
        except ConnectionError:
            return b""


def run(address: str, arguments: Sequence[str]) -> int | None:
    """Let the server run `unroll ARGUMENTS` with the streams, folder and environment of this process; wait for it.

    Ctrl-C and a request to end reach the command. If this process is killed, so is the command.

    Args:
        address: of the server.
        arguments: of the command line.

    Returns:
        The exit status, 128 + the signal if one ended it. None if there is no server, or it does not take the
        command (another environment, other code), or is gone: then nothing of the command runs any more.
    """
    patience = SOON if arguments and arguments[0] in LIGHT else None
    process = ask(address, arguments, os.environ, os.getcwd(), (0, 1, 2), patience)  # noqa: PTH109  pathlib takes 5 ms
    if process is None:
        return None
    with contextlib.closing(process), _forwarding(process):
        status = process.wait()
    return None if status is None else 128 - status if status < 0 else status


def ask(
    address: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    root: str,
    streams: tuple[int, int, int],
    patience: float | None = None,
) -> Process | None:
    """Ask a server to run a command line, without waiting for its end.

    Args:
        address: of the server.
        arguments: of the command line.
        environment: of the command. What the server was started with has to be the same (`stages.server.agrees`).
        root: its folder.
        streams: open files for its standard input, output and errors.
        patience: seconds to wait for a server that is busy; None for as long as it takes.

    Returns:
        None if the server is not there, busy or refuses; then nothing was run.
    """
    request = {
        "arguments": list(arguments),
        "environment": dict(environment),
        "root": root,
        "code": os.path.realpath(os.path.dirname(__file__)),  # noqa: PTH120  as above
        "prefix": sys.prefix,
        "path": [entry or os.getcwd() for entry in sys.path],  # noqa: PTH109
    }
    text = json.dumps(request).encode()
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(patience)
        connection.connect(f"\0{address}")
        if connection.recv(1) == HELLO:
            connection.settimeout(None)
            socket.send_fds(connection, [NUMBER.pack(len(text))], streams)
            connection.sendall(text)
            process = Process(connection)
            if process.pid:
                return process
    except OSError:
        pass
    connection.close()
    return None


@contextlib.contextmanager
def _forwarding(process: Process) -> Iterator[None]:
    """Hand Ctrl-C and requests to end on; what becomes of the command is what becomes of this process."""

    def forward(number: int, _frame: FrameType | None) -> None:
        process.signal(number)

    # A signal that the caller ignores, as a shell's background does, is ignored by the command as well.
    numbers = [n for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) != signal.SIG_IGN]
    old = {number: signal.signal(number, forward) for number in numbers}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
