"""Locks that keep other processes out of a folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import UnrollError


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
