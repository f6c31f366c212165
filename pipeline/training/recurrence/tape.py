"""What a timestep keeps for the way back, in a form that XLA turns into fast code."""

from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Any

Tensor = Any

Read = Callable[..., Tensor]
"""A number (rows, width) that the loop forward keeps for the way back. It is called anew for each use of it."""

Keep = Callable[[Tensor], Read]
"""Keeps a number for the way back."""

COUNTERS = 2
"""Of the timestep, read in turn: one fused operation reads a kept number twice at most (`Tape`)."""


def barrier(value: Tensor) -> Tensor:
    """The value; XLA computes it before, and apart from, what uses it."""
    import tensorflow as tf
    from tensorflow.compiler.tf2xla.python import xla

    return value if tf.executing_eagerly() else xla.optimization_barrier(value)[0]


class Tape:
    """What one timestep writes for the way back, or reads from it.

    A timestep reads a number by another counter for each use of it. They all count the same, but XLA does not know: it
    would load a slice that one fused operation uses twice element by element (docs/decisions/recurrence.md).

    Args:
        times: the counters, each the timestep.
        buffers: (timesteps, rows, batch).
        width: how many columns of the batch take part.
    """

    def __init__(self, times: Sequence[Tensor], buffers: Sequence[Tensor], width: int) -> None:
        self.times, self.buffers, self.width = times, list(buffers), width
        self._next = 0

    def keep(self, number: Tensor) -> Read:
        """Write the next buffer (rows, width) at this timestep, in place under XLA."""
        import tensorflow as tf
        from tensorflow.compiler.tf2xla.python import xla

        place, self._next = self._next, self._next + 1
        start = tf.stack([self.times[0], 0, 0])
        self.buffers[place] = barrier(xla.dynamic_update_slice(self.buffers[place], number[None], start))
        return self._read(self.buffers[place])

    def reads(self) -> list[Read]:
        """Of all buffers."""
        return [self._read(buffer) for buffer in self.buffers]

    def _read(self, buffer: Tensor) -> Read:
        import tensorflow as tf
        from tensorflow.compiler.tf2xla.python import xla

        times = cycle(self.times)

        def read(first: int = 0, last: int = buffer.shape[1]) -> Tensor:
            start = tf.stack([next(times), first, 0])
            return xla.dynamic_slice(buffer, start, [1, last - first, self.width])[0]

        return read


def twins(time: Tensor) -> list[Tensor]:
    """Counters that XLA takes for different ones."""
    found = [time]
    while len(found) < COUNTERS:
        found.append(barrier(found[-1]))
    return found
