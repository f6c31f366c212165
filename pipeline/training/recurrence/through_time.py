"""Backpropagation through time: the loop forward over the timesteps of a batch, and the loop backward."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from pipeline.training.recurrence.cell import Cell
from pipeline.training.recurrence.sequences import Values, Words, joined, parted
from pipeline.training.recurrence.tape import Save, Tape, Tensor, counters


@dataclass(frozen=True)
class ThroughTime:
    """The cells of one layer on one batch.

    Timesteps run in stages (`Words.stages`): in each the first `width` columns of the batch take part.

    Attributes:
        cells: the lowest first.
        sequence: what they read.
        every: whether each state of the top cell is asked for, or the last one alone.
        words: whether the source is an embedding's vectors (words, values), which are trained, too.
    """

    cells: list[Cell]
    sequence: Values | Words
    every: bool
    words: bool

    def forward(
        self, source: Tensor, weights: Any, buffers: Sequence[Tensor], *, train: bool
    ) -> tuple[list[Sequence[Tensor]], tuple[Tensor, ...]]:
        """Loop over all timesteps, from states of zeros.

        Args:
            source: of the sequence's values.
            weights: for each cell, of its products.
            buffers: (timesteps, ..., batch), to be written over: the residuals of each cell if it is to `train`, then
                the top cell's states where each is asked for.
            train: whether residuals are saved.

        Returns:
            The last states of each cell, (units, batch), and the buffers.
        """
        import tensorflow as tf

        def step(width: int, times: Any, states: Any, filled: Any) -> Any:
            tape = Tape(times, filled, width)
            save: Save = tape.save if train else lambda number: lambda: number
            values, new = self.sequence.at(source, times[0], width), []
            for cell, w, old in zip(self.cells, weights, states, strict=True):
                new.append(cell.forward(w, values, old, save))
                values = new[-1][0]  # the cell above reads the new state
            if self.every:
                tape.save(values)
            return [time + 1 for time in times], new, tuple(tape.buffers)

        first = self.sequence.widths[0]
        states: Any = [tuple(tf.zeros((cell.units, first)) for _ in range(cell.rule.states)) for cell in self.cells]
        filled: Any = tuple(buffers)
        for width, begin, end in self.sequence.stages():
            _, states, filled = tf.while_loop(
                lambda times, *_, end=end: times[0] < end,
                partial(step, width),
                (counters(begin) if train else [begin], joined(states, width), filled),
            )
        return states, filled

    def backward(
        self, source: Tensor, weights: Any, states: Any, buffers: Sequence[Tensor], grad_output: Tensor
    ) -> tuple[Tensor, Any]:
        """Loop over all timesteps, from the last to the first.

        Args:
            source: as `forward`.
            weights: likewise.
            states: what it returned.
            buffers: likewise.
            grad_output: of the top cell's last state (units, batch), or of each (timesteps, units, batch).

        Returns:
            The gradients of the source (None if it is not trained) and of the weights.
        """
        import tensorflow as tf

        def step(width: int, times: Any, grad_states: Any, grad_weights: Any, scratch: Any, grad_source: Tensor) -> Any:
            residuals = Tape(times, buffers, width).residuals()
            if self.every:
                residuals.pop()  # the states that were asked for come last, and no gradient needs them
            # A new state goes to the next timestep and to the cell above, or out: so its gradients add up. From the
            # top, since what a cell's state gets from above is the gradient of the inputs there.
            grad_values: Any = grad_output[times[0]] if self.every else 0.0
            of_cells: list[Any] = []
            for cell, w, (grad_state, *others), memory in reversed(
                list(zip(self.cells, transposed, grad_states, scratch, strict=True))
            ):
                count = 1 + cell.rule.residuals  # the operand, then the rule's
                mine, residuals = residuals[-count:], residuals[:-count]
                grad_values, *of_cell = cell.backward(w, mine, (grad_state + grad_values, *others), memory)
                of_cells.insert(0, of_cell)
            new_states, new_weights, scratch = zip(*of_cells, strict=True)
            grad_weights = tf.nest.map_structure(tf.add, grad_weights, list(new_weights))
            grad_source = self.sequence.backward(grad_source, grad_values, times[0], width)
            return [time - 1 for time in times], list(new_states), grad_weights, list(scratch), grad_source

        transposed = [
            cell.transposed(w, inputs=bool(place) or self.words)  # of the lowest cell's inputs only if they are trained
            for place, (cell, w) in enumerate(zip(self.cells, weights, strict=True))
        ]
        grad_states: Any = [tuple(tf.zeros_like(state) for state in of_cell) for of_cell in states]
        if not self.every:
            grad_states[-1] = (grad_output, *grad_states[-1][1:])
        grad_weights = tf.nest.map_structure(tf.zeros_like, weights)
        grad_source = tf.zeros_like(source) if self.words else tf.constant(0.0)
        for width, begin, end in reversed(self.sequence.stages()):
            scratch = [[tf.zeros((p.gates * cell.units, width)) for p in cell.products] for cell in self.cells]
            _, grad_states, grad_weights, _, grad_source = tf.while_loop(
                lambda times, *_, begin=begin: times[0] >= begin,
                partial(step, width),
                (counters(end - 1), parted(grad_states, width), grad_weights, scratch, grad_source),
            )
        return grad_source if self.words else None, grad_weights
