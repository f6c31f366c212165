"""One process at a time, and what killed processes left half-written."""

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
"""Seconds by which a process may seem younger than it is: systems count from their own
start, in whole seconds."""


UNFINISHED_PLACES = (
    "",
    "results/",
    "records/*/",
    ".unroll/",
    ".unroll/*/",
    ".unroll/checkpoints/*/",
)
"""The folders of a workspace, as patterns, where `pipeline.files` writes."""

SET_DEATH_SIGNAL = 1
"""Linux's PR_SET_PDEATHSIG."""


def end_with_parent() -> None:
    """Let the system kill this process when the one dies that has started it; only
    Linux can.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SET_DEATH_SIGNAL, signal.SIGKILL)


@contextmanager
def stage(workspace: Workspace, verb: str, name: str) -> Iterator[None]:
    """Let no other process into a stage: two that write the same folder would mix what
    they write.

    What a killed one has left half-written is removed first. Run by DVC, as by a plain
    `dvc repro` beside a build, it waits for the other process.

    Raises:
        UnrollError: another process is in it.
    """
    place = f"{verb} {name} in {workspace.root}"
    busy = f"another process is at {place}; wait until it has ended"
    patience = -1 if "DVC_STAGE" in os.environ else 0
    with alone(workspace.scratch / f"{verb}-{name}.lock", busy, patience=patience):
        sweep(workspace)
        yield


@contextmanager
def alone(lock: Path, busy: str, *, patience: float = 0.0) -> Iterator[None]:
    """Let no other process into a block that has the same lock; the system releases it
    even if this one is killed.

    Args:
        lock: the file that stands for the block; its folder is made.
        busy: what to say where another process is in it.
        patience: seconds to wait for that process; -1: until it has ended.

    Raises:
        UnrollError: another process is in it.
    """
    from filelock import FileLock, Timeout

    lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        acquired = FileLock(lock, timeout=patience).acquire()
    except Timeout:
        raise UnrollError(busy) from None
    with acquired:  # not in the `try`: a Timeout of the block is its own
        yield


def sweep(workspace: Workspace) -> None:
    """Remove the half-written files of processes that are no more, wherever
    `pipeline.files` writes them.
    """
    for pattern in UNFINISHED_PLACES:
        for path in workspace.root.glob(f"{pattern}.*.tmp"):
            match = UNFINISHED.fullmatch(path.name)
            with suppress(FileNotFoundError):  # whoever writes it may be done
                if match and not alive(int(match[1]), path.stat().st_mtime):
                    remove(path)


def alive(number: int, written: float) -> bool:
    """Return whether the process that had this number when it wrote something still
    runs.

    One that started later is another process. In a container a dead one may keep its
    number, as a zombie, for good.
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
