"""One process at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.errors import UnrollError
from pipeline.storage import Workspace
from stages import leftovers


@contextmanager
def at(workspace: Workspace, stage: str, name: str) -> Iterator[None]:
    """Let no other process into a stage: two that write the same folder would mix what they write.

    What a killed one has left half-written is removed first.

    Raises:
        UnrollError: another process is in it.
    """
    busy = f"another process is at {stage} {name} in {workspace.root}; wait until it has ended"
    with alone(workspace.scratch / f"{stage}-{name}.lock", busy):
        leftovers.unfinished(workspace)
        yield


@contextmanager
def alone(lock: Path, busy: str) -> Iterator[None]:
    """Let no other process into a block that has the same lock; the system releases it even if this one is killed.

    Args:
        lock: the file that stands for the block; its folder is made.
        busy: what to say where another process is in it; nobody waits.

    Raises:
        UnrollError: another process is in it.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        held = FileLock(lock, timeout=0).acquire()
    except Timeout:
        raise UnrollError(busy) from None
    with held:  # apart from the `try`: a Timeout of the block is its own
        yield
