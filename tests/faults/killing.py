"""Ending processes as a power cut or the system does: without a word, at once, in the middle of anything."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import psutil

DEADLINE = 300.0
"""Seconds after which something hangs."""


def at_work(root: Path) -> list[psutil.Process]:
    """The processes that run in a workspace: a command, its servers, and all that they have started."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.cwd() == str(root) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def kill(root: Path, number: int, *, whole: bool) -> None:
    """Kill what runs in a workspace, and wait until nothing does.

    Args:
        root: of the workspace.
        number: of the process that was started; it may not have got to its folder yet.
        whole: all at once; else only that process, and what it has started has to end by itself.
    """
    victims: set[int] = set()
    new = {number}
    while new:  # stopped first: else one of them would start another, or hear that one is gone
        for each in new:
            _send(each, signal.SIGSTOP)
        victims |= new
        new = {process.pid for process in at_work(root)} - victims if whole else set()
    for each in victims:
        _send(each, signal.SIGKILL)
    limit = time.monotonic() + DEADLINE
    while at_work(root):
        assert time.monotonic() < limit, at_work(root)
        time.sleep(0.01)


def _send(number: int, what: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(number, what)


def until(process, seconds, happened=lambda: False):
    """Wait for the end of a process, or for something to happen, or until time is up."""
    limit = time.monotonic() + seconds
    while process.poll() is None and not happened() and time.monotonic() < limit:
        time.sleep(0.005)


def ended(process):
    """The exit status."""
    until(process, DEADLINE)
    return process.poll()
