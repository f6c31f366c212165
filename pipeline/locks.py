"""Locks between processes, and the removal of half-written files of killed processes."""

import ctypes
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.errors import UnrollError
from pipeline.files import UNFINISHED, remove
from pipeline.workspace import Workspace

CLOCK = 5.0
"""Seconds by which a process may seem younger than it is. Systems count from their own
start, in whole seconds."""


UNFINISHED_PLACES = (
    "",
    "results/",
    "results/trials/*/",
    "records/*/",
    ".unroll/",
    ".unroll/*/",
    ".unroll/checkpoints/*/",
)
"""Patterns of the folders of a workspace in which `pipeline.files` writes."""

SET_DEATH_SIGNAL = 1
"""Linux's PR_SET_PDEATHSIG."""


def end_with_parent() -> None:
    """Let the system kill this process when its parent process dies (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SET_DEATH_SIGNAL, signal.SIGKILL)


@contextmanager
def stage(workspace: Workspace, verb: str, name: str) -> Iterator[None]:
    """Keep other processes out of a stage while the block runs.

    Two processes that write the same folder would mix their files. Half-written files
    of killed processes are removed first. If DVC runs the stage, as a plain `dvc repro`
    beside a build does, it waits for the other process.

    Raises:
        UnrollError: another process is in the stage, and DVC does not run this one.
    """
    place = f"{verb} {name} in {workspace.root}"
    busy = f"another process is at {place}; wait until it has ended"
    patience = -1 if "DVC_STAGE" in os.environ else 0
    with alone(workspace.scratch / f"{verb}-{name}.lock", busy, patience=patience):
        sweep(workspace)
        yield


@contextmanager
def alone(lock: Path, busy: str, *, patience: float = 0.0) -> Iterator[None]:
    """Keep other processes out of all blocks with the same lock while the block runs.

    The system releases the lock even if this process is killed.

    Args:
        lock: the lock file; its folder is made.
        busy: the text of the error if another process holds the lock.
        patience: seconds to wait for that process; -1 waits until it has ended.

    Raises:
        UnrollError: another process holds the lock.
    """
    from filelock import FileLock, Timeout

    lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        acquired = FileLock(lock, timeout=patience).acquire()
    except Timeout:
        raise UnrollError(busy) from None
    with acquired:  # outside the `try`: the block may raise a Timeout of its own
        yield


def sweep(workspace: Workspace) -> None:
    """Remove the half-written files of processes that no longer run."""
    for pattern in UNFINISHED_PLACES:
        for path in workspace.root.glob(f"{pattern}.*.tmp"):
            match = UNFINISHED.fullmatch(path.name)
            with suppress(FileNotFoundError):  # its process may have finished it
                if match and not alive(int(match[1]), path.stat().st_mtime):
                    remove(path)


def alive(number: int, written: float) -> bool:
    """Return whether the process that wrote a file still runs.

    Args:
        number: the process id.
        written: when the file was written, in seconds since 1970. A process with this
            id that started later is another process.

    In a container a dead process may keep its id as a zombie; it does not count.
    """
    import psutil

    try:
        process = psutil.Process(number)
        return bool(
            process.status() != psutil.STATUS_ZOMBIE
            and process.create_time() <= written + CLOCK
        )
    except psutil.NoSuchProcess:
        return False
