"""Writes that a build spreads out: each takes longer the more stages there are."""

import time
from collections.abc import Callable

SHARE = 50.0
"""Between two writes lies this many times what the last one took."""


class Spread:
    """A function that writes, called always or when it is due.

    Args:
        write: what is called.
    """

    def __init__(self, write: Callable[[], None]) -> None:
        self._write, self._due = write, 0.0

    def now(self) -> None:
        """Write."""
        started = time.monotonic()
        self._write()
        ended = time.monotonic()
        self._due = ended + SHARE * (ended - started)

    def when_due(self) -> None:
        """Write, unless the last time is too short ago."""
        if time.monotonic() >= self._due:
            self.now()
