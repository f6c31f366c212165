"""Residuals: what a timestep saves for the loop backward, in a form that XLA turns into fast code."""

from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Any

Tensor = Any

Residual = Callable[..., Tensor]
"""A number (rows, width) that the loop forward saves for the loop backward. It is called anew for each use of it."""

Save = Callable[[Tensor], Residual]
"""Saves a residual."""

COUNTERS = 2
"""Of the timestep, read in turn: one fused operation reads a residual twice at most (`Tape`)."""


def barrier(value: Tensor) -> Tensor:
    """The value; XLA computes it before, and apart from, what uses it."""
    import tensorflow as tf
    from tensorflow.compiler.tf2xla.python import xla

    return value if tf.executing_eagerly() else xla.optimization_barrier(value)[0]


class Tape:
    """What one timestep writes for the loop backward, or reads from the loop forward.

    A timestep reads a residual by another counter for each use of it. They all count the same, but XLA does not know:
    it would load a slice that one fused operation uses twice element by element (docs/decisions/recurrence.md).

    Args:
        times: the counters, each the timestep.
        buffers: (timesteps, rows, batch).
        width: how many columns of the batch take part.
    """

    def __init__(self, times: Sequence[Tensor], buffers: Sequence[Tensor], width: int) -> None:
        self.times, self.buffers, self.width = times, list(buffers), width
        self._next = 0

    def save(self, number: Tensor) -> Residual:
        """Write the next buffer (rows, width) at this timestep, in place under XLA."""
        import tensorflow as tf
        from tensorflow.compiler.tf2xla.python import xla

        place, self._next = self._next, self._next + 1
        start = tf.stack([self.times[0], 0, 0])
        # Behind the barrier the timestep goes on with what it reads from the buffer. With the number that was just
        # computed, and that XLA has to hold elsewhere, an LSTM took 5 % longer (docs/attempts.md).
        self.buffers[place] = barrier(xla.dynamic_update_slice(self.buffers[place], number[None], start))
        return self._residual(self.buffers[place])

    def residuals(self) -> list[Residual]:
        """Of all buffers."""
        return [self._residual(buffer) for buffer in self.buffers]

    def _residual(self, buffer: Tensor) -> Residual:
        import tensorflow as tf
        from tensorflow.compiler.tf2xla.python import xla

        times = cycle(self.times)

        def read(first: int = 0, last: int = buffer.shape[1]) -> Tensor:
            start = tf.stack([next(times), first, 0])
            return xla.dynamic_slice(buffer, start, [1, last - first, self.width])[0]

        return read


def counters(time: Tensor) -> list[Tensor]:
    """`COUNTERS` counters from `time` on, which XLA takes for different ones: a barrier hides where each comes from."""
    times = [time]
    while len(times) < COUNTERS:
        times.append(barrier(times[-1]))
    return times
