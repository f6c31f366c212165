"""Backpropagation through time: the loop forward over the timesteps of a batch, and the
loop backward.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from typing import Any, Protocol

import tensorflow as tf
from tensorflow.compiler.tf2xla.python import xla

from pipeline.layers import barrier
from pipeline.training.recurrence.cell import Cell
from pipeline.training.recurrence.rules import Activation, Save, Tensor, Tensors


class Tape:
    """The activations of one timestep: the loop forward writes, the loop backward reads.

    Each use of an activation reads it with another counter. All counters have the same
    value, but XLA does not know this. With one counter XLA would load a slice that a
    fused operation uses twice element by element.

    Args:
        times: the counters; each is the timestep.
        buffers: (timesteps, rows, batch).
        width: the number of columns of the batch that take part.
    """

    def __init__(self, times: Tensors, buffers: Tensors, width: int) -> None:
        self.times = times
        self.buffers = list(buffers)
        self.width = width
        self._saved = 0

    def save(self, number: Tensor) -> Activation:
        """Write the next buffer (rows, width) at this timestep, in place under XLA."""
        index = self._saved
        self._saved += 1
        start = tf.stack([self.times[0], 0, 0])
        # The timestep goes on with what it reads from the buffer, behind the barrier.
        # If it went on with `number`, which XLA would hold elsewhere, an LSTM would
        # take 5 % longer (docs/attempts.md).
        self.buffers[index] = barrier(
            xla.dynamic_update_slice(self.buffers[index], number[None], start)
        )
        return self._activation(self.buffers[index])

    def activations(self) -> list[Activation]:
        """Return the activations of all buffers."""
        return [self._activation(buffer) for buffer in self.buffers]

    def _activation(self, buffer: Tensor) -> Activation:
        times = cycle(self.times)

        def read(first: int = 0, last: int = buffer.shape[1]) -> Tensor:
            start = tf.stack([next(times), first, 0])
            return xla.dynamic_slice(buffer, start, [1, last - first, self.width])[0]

        return read


def counters(time: Tensor) -> list[Tensor]:
    """Return two counters that start at `time`.

    XLA takes them for different numbers, since a barrier hides where the second comes
    from. Two are enough, since a fused operation reads an activation at most twice
    (`Tape`).
    """
    return [time, barrier(time)]


class Sequences(Protocol):
    """The inputs of the loops, for a batch.

    Attributes:
        widths: the number of rows of each stage; the last one is the whole batch.
        timesteps: the number of timesteps.
    """

    widths: list[int]
    timesteps: int

    @property
    def counts(self) -> Tensor:
        """The numbers of timesteps that are read, (batch,) or one for all rows."""
        return tf.constant(float(self.timesteps))

    def stages(self) -> list[tuple[int, Tensor, Tensor]]:
        """Return width, first timestep and end of each stage; a stage may be empty."""

    def at(self, source: Tensor, time: Tensor, width: int) -> Tensor:
        """Return the inputs (values, width) at a timestep."""

    def backward(
        self, grad_source: Tensor, grad_values: Tensor, time: Tensor, width: int
    ) -> Tensor:
        """Return the source's gradient with a timestep's gradient added.

        `grad_values` is the gradient of the inputs (values, width).
        """

    def present(self, _time: Tensor, _width: int) -> Tensor | None:
        """Return 1 for a row that is read at a timestep, else 0: (width,).

        None stands for ones.
        """
        return None

    def widened(self, states: Any, width: int) -> Any:
        """Return states (units, n) of the rows that took part before, and of those that
        join, (units, width).
        """

    def widened_backward(self, gradients: Any, width: int) -> Any:
        """Return the gradient of `widened`, for states of `width` columns."""

    def ordered(self, rows: Tensor) -> Tensor:
        """Return rows of the batch in the order of the loop."""

    def unordered(self, rows: Tensor) -> Tensor:
        """Return rows of the loop in the order of the batch."""


class Values(Sequences):
    """Sequences of values (batch, timesteps, values).

    Every row takes part in every timestep. There is no source.
    """

    def __init__(self, inputs: Tensor) -> None:
        self.widths = [inputs.shape[0]]
        self.timesteps = inputs.shape[1]
        self.steps = tf.transpose(inputs, (1, 0, 2))

    def stages(self) -> list[tuple[int, Tensor, Tensor]]:
        return [(self.widths[0], tf.constant(0), tf.constant(self.timesteps))]

    def at(self, _source: Tensor, time: Tensor, _width: int) -> Tensor:
        return tf.transpose(self.steps[time])

    def backward(
        self, grad_source: Tensor, _grad_values: Tensor, _time: Tensor, _width: int
    ) -> Tensor:
        return grad_source

    def widened(self, states: Any, _width: int) -> Any:
        return states

    def widened_backward(self, gradients: Any, _width: int) -> Any:
        return gradients

    def ordered(self, rows: Tensor) -> Tensor:
        return rows

    def unordered(self, rows: Tensor) -> Tensor:
        return rows


class Texts(Sequences):
    """Word numbers (batch, timesteps), padded with zeros in front.

    The source are the words' vectors (words, values). Rows are sorted. The row with
    most padding comes first, since it goes through the padding for all rows. The others
    are sorted by their padding, the least first.
    """

    def __init__(self, inputs: Tensor, widths: list[int]) -> None:
        batch = inputs.shape[0]
        self.timesteps = inputs.shape[1]
        self.widths = widths
        padding = first_words(inputs)
        self.order = self.sorted(tf.argsort(padding, stable=True))
        # (batch,) the place of each row of the batch in this order
        self.inverse = tf.scatter_nd(self.order[:, None], tf.range(batch), (batch,))
        self.steps = tf.transpose(tf.gather(inputs, self.order))
        self.padding = tf.gather(padding, self.order)

    def sorted(self, order: Tensor) -> Tensor:
        """Return the order of the loop, given the rows sorted by their padding."""
        return tf.concat([order[-1:], order[:-1]], 0)

    def begin(self) -> Tensor:
        """Return the first timestep that is read."""
        return tf.constant(0)

    def stages(self) -> list[tuple[int, Tensor, Tensor]]:
        # With widths 2, 4 and 8, the rows 2 and 3 join at the first word of row 2, since
        # row 2 has less padding than row 3.
        joins = [self.padding[width] for width in self.widths[:-1]]
        begins = [self.begin(), *joins]
        ends = [*joins, tf.constant(self.timesteps)]
        return list(zip(self.widths, begins, ends, strict=True))

    def at(self, source: Tensor, time: Tensor, width: int) -> Tensor:
        return tf.transpose(tf.gather(source, self.steps[time][:width]))

    def backward(
        self, grad_source: Tensor, grad_values: Tensor, time: Tensor, width: int
    ) -> Tensor:
        return tf.tensor_scatter_nd_add(
            grad_source, self.steps[time][:width, None], tf.transpose(grad_values)
        )

    def widened(self, states: Any, width: int) -> Any:
        # The new columns are copies of the first one, which has read the same padding.
        def widen(state: Tensor) -> Tensor:
            new = width - state.shape[1]
            if not new:
                return state
            return tf.concat([state, tf.tile(state[:, :1], (1, new))], 1)

        return tf.nest.map_structure(widen, states)

    def widened_backward(self, gradients: Any, width: int) -> Any:
        def narrow(gradient: Tensor) -> Tensor:
            if gradient.shape[1] == width:
                return gradient
            copies = tf.reduce_sum(gradient[:, width:], axis=1, keepdims=True)
            return tf.concat([gradient[:, :1] + copies, gradient[:, 1:width]], 1)

        return tf.nest.map_structure(narrow, gradients)

    def ordered(self, rows: Tensor) -> Tensor:
        return tf.gather(rows, self.order)

    def unordered(self, rows: Tensor) -> Tensor:
        return tf.gather(rows, self.inverse)


class SkippedPadding(Texts):
    """Texts whose padding is not read: a row's states are 0 up to its first word.

    Rows are sorted by their padding, the least first.

    Args:
        inputs: word numbers (batch, timesteps), padded with zeros in front.
        widths: as of `Texts`.
        factors: a factor of each word's vector (batch, timesteps); None for 1.
    """

    def __init__(
        self, inputs: Tensor, widths: list[int], factors: Tensor | None
    ) -> None:
        super().__init__(inputs, widths)
        self.factors = factors
        if factors is not None:
            self.factors = tf.transpose(tf.gather(factors, self.order))

    @property
    def counts(self) -> Tensor:
        words = tf.cast(self.timesteps - self.padding, tf.float32)
        return tf.maximum(words, 1.0)

    def begin(self) -> Tensor:
        return self.padding[0]

    def sorted(self, order: Tensor) -> Tensor:
        return order

    def at(self, source: Tensor, time: Tensor, width: int) -> Tensor:
        return self._scaled(super().at(source, time, width), time, width)

    def backward(
        self, grad_source: Tensor, grad_values: Tensor, time: Tensor, width: int
    ) -> Tensor:
        scaled = self._scaled(grad_values, time, width)
        return super().backward(grad_source, scaled, time, width)

    def _scaled(self, values: Tensor, time: Tensor, width: int) -> Tensor:
        """Values (values, width), or their gradients, times the words' factors."""
        if self.factors is None:
            return values
        return values * self.factors[time][:width]

    def present(self, time: Tensor, width: int) -> Tensor | None:
        return tf.cast(self.steps[time][:width] != 0, tf.float32)

    def widened(self, states: Any, width: int) -> Any:
        # a row that joins has read nothing
        return tf.nest.map_structure(
            lambda state: tf.pad(state, [[0, 0], [0, width - state.shape[1]]]), states
        )

    def widened_backward(self, gradients: Any, width: int) -> Any:
        return narrowed(gradients, width)


def first_words(inputs: Tensor) -> Tensor:
    """Return the timestep of each text's first word (batch,); the number of timesteps
    without a word.
    """
    padding = tf.argmax(inputs != 0, axis=1, output_type=tf.int32)
    words = tf.reduce_any(inputs != 0, axis=1)
    return tf.where(words, padding, inputs.shape[1])


def last_words_first(inputs: Tensor, rows: Tensor) -> Tensor:
    """Return rows (batch, timesteps) with the words' places in reverse order.

    The padding of `inputs` (batch, timesteps) stays in front.
    """
    timesteps = inputs.shape[1]
    padding = first_words(inputs)[:, None]
    times = tf.range(timesteps)[None]
    places = tf.where(times < padding, times, timesteps - 1 - times + padding)
    return tf.gather(rows, places, batch_dims=1)


@dataclass(frozen=True)
class Pool:
    """A pool of a layer's states over time, inside of the loops.

    The loop forward carries what a pool needs, so that no state is kept for it. States,
    results and gradients are (units, batch). The state at padding is 0.

    Attributes:
        types: the types of what is carried, which starts as zeros.
        add: what is carried, a state, its timestep, and 1 for a word and 0 for padding
            (batch,) or None without padding -> what is carried after the timestep.
        result: what is carried, and the numbers of timesteps without padding (batch,)
            -> the pooled states.
        gradient: the result's gradient, what is carried, and these numbers -> what the
            loop backward needs.
        at: what `gradient` returned, and a timestep -> the gradient of its state.
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
"""Name of a pool of `pipeline.layers.POOLS` -> its functions."""


@dataclass(frozen=True)
class ThroughTime:
    """The cells of one layer on one batch.

    Timesteps run in stages (`Sequences.stages`): in each the first `width` columns of the
    batch take part.

    Attributes:
        cells: the lowest first.
        sequence: the inputs of the lowest cell.
        every: whether every state of the top cell is returned, or only the last one.
        pools: the names of the pools (`POOLS`) of the top cell's states over time.
    """

    cells: list[Cell]
    sequence: Sequences
    every: bool
    pools: tuple[str, ...] = ()

    def forward(
        self, source: Tensor, weights: Any, buffers: Tensors, *, train: bool
    ) -> tuple[list[Tensors], list[Tensors], tuple[Tensor, ...]]:
        """Loop over all timesteps, starting from states of zeros.

        Args:
            source: the words' vectors, for `Texts`.
            weights: for each cell, the weights of its products.
            buffers: arrays (timesteps, rows, batch), to be overwritten: with `train`
                the operand and the activations of each cell, then, with `every`, the
                states of the top cell.
            train: whether activations are saved.

        Returns:
            The last states of each cell, (units, batch); what each pool carries; and
            the buffers.
        """
        width = self.sequence.widths[0]
        states: Any = []
        for cell in self.cells:
            states.append((tf.zeros((cell.units, width)),) * cell.rule.states)
        units = self.cells[-1].units
        carried: Any = [POOLS[pool].start(units, width) for pool in self.pools]
        filled: Any = tuple(buffers)
        for width, begin, end in self.sequence.stages():
            times = counters(begin) if train else [begin]
            _, states, carried, filled = tf.while_loop(
                lambda times, *_, end=end: times[0] < end,
                partial(self._step_forward, source, weights, train, width),
                (
                    times,
                    self.sequence.widened(states, width),
                    self.sequence.widened(carried, width),
                    filled,
                ),
            )
        return states, carried, filled

    def _step_forward(
        self,
        source: Tensor,
        weights: Any,
        train: bool,
        width: int,
        times: Any,
        states: Any,
        carried: Any,
        filled: Any,
    ) -> Any:
        """One timestep of `forward`: the next counters, states, pools and buffers."""
        tape = Tape(times, filled, width)
        save: Save = tape.save if train else _kept
        values = self.sequence.at(source, times[0], width)
        present = self.sequence.present(times[0], width)
        new = []
        for cell, w, old in zip(self.cells, weights, states, strict=True):
            new.append(_times(cell.forward(w, values, old, save), present))
            values = new[-1][0]  # the cell above reads the new state
        if self.every:
            tape.save(values)
        pooled = [
            POOLS[pool].add(old, values, times[0], present)
            for pool, old in zip(self.pools, carried, strict=True)
        ]
        return [time + 1 for time in times], new, pooled, tuple(tape.buffers)

    def pooled(self, carried: list[Tensors]) -> Tensor:
        """Return the pooled states (units * pools, batch), given what pools carry."""
        parts = [
            POOLS[pool].result(of_pool, self.sequence.counts)
            for pool, of_pool in zip(self.pools, carried, strict=True)
        ]
        return tf.concat(parts, 0)

    def backward(
        self,
        source: Tensor,
        weights: Any,
        states: Any,
        carried: list[Tensors],
        buffers: Tensors,
        grad_output: Tensor,
    ) -> tuple[Tensor, Any]:
        """Loop over all timesteps, from the last to the first.

        Args:
            source: as for `forward`.
            weights: as for `forward`.
            states: the states that `forward` returned.
            carried: what the pools carry, as `forward` returned it.
            buffers: the buffers that `forward` returned.
            grad_output: gradient of the top cell's last state (units, batch), of every
                state (timesteps, units, batch), or of the pooled states (units * pools,
                batch).

        Returns:
            The gradients of the source (None for values) and of the weights.
        """
        words = isinstance(self.sequence, Texts)
        transposed = [
            # words' vectors are trained, values in the lowest cell are not
            cell.transposed(w, inputs=level > 0 or words)
            for level, (cell, w) in enumerate(zip(self.cells, weights, strict=True))
        ]

        needed = []
        if self.pools:
            needed = [
                POOLS[pool].gradient(gradient, of_pool, self.sequence.counts)
                for pool, gradient, of_pool in zip(
                    self.pools,
                    tf.split(grad_output, len(self.pools)),
                    carried,
                    strict=True,
                )
            ]

        grad_states: Any = tf.nest.map_structure(tf.zeros_like, states)
        if not self.every and not self.pools:
            grad_states[-1] = (grad_output, *grad_states[-1][1:])
        grad_weights = tf.nest.map_structure(tf.zeros_like, weights)
        grad_source = tf.zeros_like(source) if words else tf.constant(0.0)
        for width, begin, end in reversed(self.sequence.stages()):
            scratch = [
                [tf.zeros((p.gates * cell.units, width)) for p in cell.products]
                for cell in self.cells
            ]
            _, grad_states, grad_weights, _, grad_source = tf.while_loop(
                lambda times, *_, begin=begin: times[0] >= begin,
                partial(
                    self._step_backward,
                    buffers,
                    transposed,
                    grad_output,
                    narrowed(needed, width),
                    width,
                ),
                (
                    counters(end - 1),
                    self.sequence.widened_backward(grad_states, width),
                    grad_weights,
                    scratch,
                    grad_source,
                ),
            )
        return grad_source if words else None, grad_weights

    def _step_backward(
        self,
        buffers: Tensors,
        transposed: list[list[Tensor]],
        grad_output: Tensor,
        of_pools: list[Tensors],
        width: int,
        times: Any,
        grad_states: Any,
        grad_weights: Any,
        scratch: Any,
        grad_source: Tensor,
    ) -> Any:
        """One timestep of `backward`: the counters and gradients for the one before.

        `of_pools` is what each pool's gradient needs, (units, width).
        """
        activations = Tape(times, buffers, width).activations()
        grad_values: Any = 0.0
        if self.every:
            # the last buffer has the returned states, which no gradient needs
            activations.pop()
            grad_values = grad_output[times[0]]
        for pool, of_pool in zip(self.pools, of_pools, strict=True):
            grad_values += POOLS[pool].at(of_pool, times[0])
        present = self.sequence.present(times[0], width)
        # A new state goes to the next timestep, and to the cell above or out. So
        # its two gradients add up. The top cell comes first, since the gradient of
        # its inputs is that of the state below.
        new_states = list(grad_states)
        new_weights = list(grad_weights)
        used = list(scratch)
        for level in reversed(range(len(self.cells))):
            cell = self.cells[level]
            count = 1 + cell.rule.activations  # the operand, then the rule's own
            grad_state, *others = grad_states[level]
            grad_values, new_states[level], new_weights[level], used[level] = (
                cell.backward(
                    transposed[level],
                    activations[-count:],
                    _times((grad_state + grad_values, *others), present),
                    scratch[level],
                )
            )
            activations = activations[:-count]
        grad_source = self.sequence.backward(grad_source, grad_values, times[0], width)
        summed = tf.nest.map_structure(tf.add, grad_weights, new_weights)
        times = [time - 1 for time in times]
        return times, new_states, summed, used, grad_source


def narrowed(rows: Any, width: int) -> Any:
    """Return the first columns of tensors (units, batch)."""
    return tf.nest.map_structure(lambda tensor: tensor[:, :width], rows)


def _times(numbers: Tensors, present: Tensor | None) -> Tensors:
    """Numbers (units, width) with zeros where a row has padding."""
    if present is None:
        return numbers
    return tuple(number * present for number in numbers)


def _kept(number: Tensor) -> Activation:
    """An activation that is not saved, since no loop backward reads it."""
    return lambda: number
