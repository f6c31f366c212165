"""The maximum and the mean of a layer's states over time, inside of the loops.

The loop forward carries what a pool needs, so that no state is kept for it. A pool has
four functions:

- `add(carried, state, time, present)` returns what is carried after a timestep.
- `result(carried, counts)` returns the pooled states.
- `gradient(grad, carried, counts)` returns what the loop backward needs, given the
  gradient of the result.
- `at(needed, time)` returns the gradient of the state at a timestep.

States, results and gradients are (units, batch). `present` (batch,) is 1 for a word and
0 for padding, or None without padding. `counts` (batch,) are the numbers of timesteps
without padding. The state at padding is 0.
"""

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

from pipeline.training.recurrence.rules import Tensor, Tensors


@dataclass(frozen=True)
class Pool:
    """The functions of a pool (see above) and the types of what is carried.

    What is carried starts as zeros.
    """

    types: tuple[tf.DType, ...]
    add: Callable[[Tensors, Tensor, Tensor, Tensor | None], Tensors]
    result: Callable[[Tensors, Tensor], Tensor]
    gradient: Callable[[Tensor, Tensors, Tensor], Tensors]
    at: Callable[[Tensors, Tensor], Tensor]

    def start(self, units: int, width: int) -> Tensors:
        """Return what is carried before the first timestep: each (units, width)."""
        return tuple(tf.zeros((units, width), kind) for kind in self.types)


def _higher(
    carried: Tensors, state: Tensor, time: Tensor, present: Tensor | None
) -> Tensors:
    """The maximum so far, and 1 plus its first timestep; 0 before the first word."""
    maximum, when = carried
    higher = (state > maximum) | (when == 0)
    if present is not None:
        higher &= present > 0
    return tf.where(higher, state, maximum), tf.where(higher, time + 1, when)


POOLS = {
    "max": Pool(
        types=(tf.float32, tf.int32),
        add=_higher,
        result=lambda carried, _counts: carried[0],
        gradient=lambda grad, carried, _counts: (grad, carried[1]),
        at=lambda needed, time: tf.where(needed[1] == time + 1, needed[0], 0.0),
    ),
    "mean": Pool(
        types=(tf.float32,),
        add=lambda carried, state, _time, _present: (carried[0] + state,),
        result=lambda carried, counts: carried[0] / counts,
        gradient=lambda grad, _carried, counts: (grad / counts,),
        at=lambda needed, _time: needed[0],
    ),
}
"""Name of a pool of `pipeline.models.POOLS` -> its functions."""
