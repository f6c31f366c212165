"""Small networks in NumPy, forward and backward, of several seeds side by side, without
TensorFlow.

A recurrent network of 32 units on a dozen rows is trained within seconds. TensorFlow
takes longer to be imported and to compile it, in each process that trains or forecasts.

The networks of all seeds are stacked: an array of weights is (seeds, rows, columns),
and values are (seeds, values, batch). The cells are those of Keras' layers `GRU` (with
`reset_after`) and `LSTM`; a test compares them. Arrays are written in place, since new
ones would take more time.
"""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from pipeline.data.examples import Array

Weights = dict[str, Array]
"""Name -> (seeds, rows, columns)."""

ONE = np.float32(1)
HALF = np.float32(0.5)


class Network(ABC):
    """Layers, and a linear map from the last one to the outputs.

    Attributes:
        shapes: name of an array of weights -> its (rows, columns), in the order of
            `views`.
    """

    def __init__(
        self, shapes: dict[str, tuple[int, int]], units: int, outputs: int
    ) -> None:
        self.shapes = {**shapes, "head": (outputs, units), "head_bias": (outputs, 1)}

    @property
    def size(self) -> int:
        """How many numbers are trained."""
        return sum(rows * columns for rows, columns in self.shapes.values())

    def views(self, flat: Array) -> Weights:
        """Views of all weights in one array (seeds, size)."""
        weights = {}
        first = 0
        for name, (rows, columns) in self.shapes.items():
            last = first + rows * columns
            weights[name] = flat[:, first:last].reshape(len(flat), rows, columns)
            first = last
        return weights

    def fresh(self, random: np.random.Generator) -> Array:
        """Initial weights (1, size): Glorot's, of states orthogonal for each gate, and
        biases of 0.
        """
        flat = np.zeros((1, self.size), np.float32)
        for name, weights in self.views(flat).items():
            rows, columns = self.shapes[name]
            if name == "recurrent":
                for gate in range(rows // columns):
                    square = random.normal(size=(columns, columns))
                    weights[0, gate * columns : (gate + 1) * columns] = np.linalg.qr(
                        square
                    )[0]
            elif "bias" not in name:
                bound = np.sqrt(6 / (rows + columns))
                weights[0] = random.uniform(-bound, bound, (rows, columns))
        return flat

    def forward(self, weights: Weights, inputs: Array) -> tuple[Array, Any]:
        """The outputs (seeds, outputs, batch), and what `backward` needs."""
        states, saved = self._forward(weights, inputs)
        outputs = np.matmul(weights["head"], states)
        outputs += weights["head_bias"]
        return outputs, (inputs, states, saved)

    def backward(
        self, weights: Weights, gradient: Array, tape: Any, into: Weights
    ) -> None:
        """Write the gradients of the weights.

        Args:
            weights: as they were in `forward`.
            gradient: of the loss by the outputs (seeds, outputs, batch).
            tape: from `forward`.
            into: arrays like the weights, which are written over.
        """
        inputs, states, saved = tape
        np.matmul(gradient, states.swapaxes(1, 2), out=into["head"])
        into["head_bias"][:] = gradient.sum(axis=2, keepdims=True)
        of_states = np.matmul(weights["head"].swapaxes(1, 2), gradient)
        self._backward(weights, inputs, saved, of_states, into)

    @abstractmethod
    def _forward(self, weights: Weights, inputs: Array) -> tuple[Array, Any]:
        """The last layer's values (seeds, units, batch), and what `_backward` needs."""

    @abstractmethod
    def _backward(
        self,
        weights: Weights,
        inputs: Array,
        saved: Any,
        gradient: Array,
        into: Weights,
    ) -> None:
        """Write the gradients of the layers' weights, given that of the last layer's
        values.
        """


class Dense(Network):
    """Hidden layers with a ReLU, on inputs (seeds, values, batch)."""

    def __init__(self, values: int, sizes: list[int], outputs: int) -> None:
        shapes = {}
        for number, (columns, rows) in enumerate(
            zip([values, *sizes], sizes, strict=False)
        ):
            shapes[f"kernel_{number}"] = (rows, columns)
            shapes[f"bias_{number}"] = (rows, 1)
        self.layers = len(sizes)
        super().__init__(shapes, sizes[-1], outputs)

    def _forward(self, weights: Weights, inputs: Array) -> tuple[Array, Any]:
        values = [inputs]
        for number in range(self.layers):
            sums = np.matmul(weights[f"kernel_{number}"], values[-1])
            sums += weights[f"bias_{number}"]
            values.append(np.maximum(sums, 0, out=sums))
        return values[-1], values

    def _backward(
        self,
        weights: Weights,
        inputs: Array,
        saved: Any,
        gradient: Array,
        into: Weights,
    ) -> None:
        del inputs  # they are the first of what was saved
        for number in reversed(range(self.layers)):
            gradient *= saved[number + 1] > 0
            np.matmul(
                gradient, saved[number].swapaxes(1, 2), out=into[f"kernel_{number}"]
            )
            into[f"bias_{number}"][:] = gradient.sum(axis=2, keepdims=True)
            if number:
                gradient = np.matmul(
                    weights[f"kernel_{number}"].swapaxes(1, 2), gradient
                )


class Gru(Network):
    """A gated recurrent unit (Cho et al. 2014, arXiv 1406.1078).

    Inputs are (timesteps, seeds, values, batch). The gates are update, reset and
    candidate, as in Keras. The next state is update * state + (1 - update) * candidate.
    """

    def __init__(self, values: int, sizes: list[int], outputs: int) -> None:
        (self.units,) = sizes
        gates = 3 * self.units
        shapes = {
            "kernel": (gates, values),
            "recurrent": (gates, self.units),
            "bias": (gates, 1),
            "recurrent_bias": (
                self.units,
                1,
                # of the candidate: the others would have two that add up
            ),
        }
        super().__init__(shapes, self.units, outputs)

    def _forward(self, weights: Weights, inputs: Array) -> tuple[Array, Any]:
        timesteps, seeds, _, batch = inputs.shape
        units = self.units
        # (timesteps, seeds, 3 * units, batch)
        gates = np.matmul(weights["kernel"], inputs)
        gates += weights["bias"]
        states = np.zeros((timesteps + 1, seeds, units, batch), np.float32)
        recurrents = np.empty_like(states[1:])
        sums = np.empty_like(gates[0])
        scaled = np.empty_like(states[0])
        for time in range(timesteps):
            np.matmul(weights["recurrent"], states[time], out=sums)
            update_reset = gates[time, :, : 2 * units]
            update_reset += sums[:, : 2 * units]
            _logistic(update_reset)
            update = gates[time, :, :units]
            reset = gates[time, :, units : 2 * units]
            np.add(
                sums[:, 2 * units :], weights["recurrent_bias"], out=recurrents[time]
            )
            candidate = gates[time, :, 2 * units :]
            np.multiply(reset, recurrents[time], out=scaled)
            candidate += scaled
            np.tanh(candidate, out=candidate)
            state = states[time + 1]
            np.subtract(states[time], candidate, out=state)
            state *= update
            state += candidate
        return states[-1], (gates, states, recurrents)

    def _backward(
        self,
        weights: Weights,
        inputs: Array,
        saved: Any,
        gradient: Array,
        into: Weights,
    ) -> None:
        gates, states, recurrents = saved
        units = self.units
        transposed = np.ascontiguousarray(weights["recurrent"].swapaxes(1, 2))
        of_gates = np.empty_like(gates)
        of_recurrents = np.empty_like(recurrents)
        of_sums = np.empty_like(gates[0])
        kept = np.empty_like(gradient)
        factor = np.empty_like(gradient)
        for time in reversed(range(len(inputs))):
            update = gates[time, :, :units]
            reset = gates[time, :, units : 2 * units]
            candidate = gates[time, :, 2 * units :]
            of_candidate = of_gates[time, :, 2 * units :]
            # what flows to the old state directly
            np.multiply(gradient, update, out=kept)
            np.subtract(gradient, kept, out=of_candidate)
            np.subtract(states[time], candidate, out=factor)
            factor *= of_candidate
            np.multiply(factor, update, out=of_sums[:, :units])
            np.multiply(candidate, candidate, out=factor)
            factor *= of_candidate
            of_candidate -= factor
            of_recurrent = of_sums[:, 2 * units :]
            np.multiply(of_candidate, reset, out=of_recurrent)
            np.subtract(ONE, reset, out=factor)
            factor *= recurrents[time]
            np.multiply(factor, of_recurrent, out=of_sums[:, units : 2 * units])
            of_gates[time, :, : 2 * units] = of_sums[:, : 2 * units]
            of_recurrents[time] = of_recurrent
            np.matmul(transposed, of_sums, out=gradient)
            gradient += kept
        before = states[:-1].swapaxes(2, 3)
        np.sum(np.matmul(of_gates, inputs.swapaxes(2, 3)), axis=0, out=into["kernel"])
        np.sum(
            np.matmul(of_gates[:, :, : 2 * units], before),
            axis=0,
            out=into["recurrent"][:, : 2 * units],
        )
        np.sum(
            np.matmul(of_recurrents, before),
            axis=0,
            out=into["recurrent"][:, 2 * units :],
        )
        into["bias"][:] = of_gates.sum(axis=(0, 3))[..., None]
        into["recurrent_bias"][:] = of_recurrents.sum(axis=(0, 3))[..., None]


class Lstm(Network):
    """A long short-term memory (Hochreiter and Schmidhuber 1997, Neural Computation 9).

    Inputs are (timesteps, seeds, values, batch). The gates are input, forget, output
    and candidate; Keras has the last two the other way round.
    """

    def __init__(self, values: int, sizes: list[int], outputs: int) -> None:
        (self.units,) = sizes
        gates = 4 * self.units
        shapes = {
            "kernel": (gates, values),
            "recurrent": (gates, self.units),
            "bias": (gates, 1),
        }
        super().__init__(shapes, self.units, outputs)

    def fresh(self, random: np.random.Generator) -> Array:
        """As of any network, but that the forget gate begins open."""
        flat = super().fresh(random)
        self.views(flat)["bias"][:, self.units : 2 * self.units] = 1
        return flat

    def _split(self, gates: Array) -> list[Array]:
        """The four gates (seeds, units, batch) of a timestep."""
        return [
            gates[:, gate * self.units : (gate + 1) * self.units] for gate in range(4)
        ]

    def _forward(self, weights: Weights, inputs: Array) -> tuple[Array, Any]:
        timesteps, seeds, _, batch = inputs.shape
        # (timesteps, seeds, 4 * units, batch)
        gates = np.matmul(weights["kernel"], inputs)
        gates += weights["bias"]
        states = np.zeros((timesteps + 1, seeds, self.units, batch), np.float32)
        carries = np.zeros_like(states)
        squashed = np.empty_like(states[1:])
        sums = np.empty_like(gates[0])
        entering = np.empty_like(states[0])
        for time in range(timesteps):
            np.matmul(weights["recurrent"], states[time], out=sums)
            gates[time] += sums
            entry, forget, exit_, candidate = self._split(gates[time])
            _logistic(gates[time, :, : 3 * self.units])
            np.tanh(candidate, out=candidate)
            carry = carries[time + 1]
            np.multiply(forget, carries[time], out=carry)
            np.multiply(entry, candidate, out=entering)
            carry += entering
            np.tanh(carry, out=squashed[time])
            np.multiply(exit_, squashed[time], out=states[time + 1])
        return states[-1], (gates, states, carries, squashed)

    def _backward(
        self,
        weights: Weights,
        inputs: Array,
        saved: Any,
        gradient: Array,
        into: Weights,
    ) -> None:
        gates, states, carries, squashed = saved
        transposed = np.ascontiguousarray(weights["recurrent"].swapaxes(1, 2))
        of_gates = np.empty_like(gates)
        of_carry = np.zeros_like(gradient)
        factor = np.empty_like(gradient)
        slope = np.empty_like(gradient)
        for time in reversed(range(len(inputs))):
            entry, forget, exit_, candidate = self._split(gates[time])
            of_entry, of_forget, of_exit, of_candidate = self._split(of_gates[time])
            np.multiply(gradient, squashed[time], out=factor)
            _times_logistic_slope(factor, exit_, slope, out=of_exit)
            np.multiply(gradient, exit_, out=factor)
            _times_tanh_slope(factor, squashed[time], slope, out=factor)
            of_carry += factor
            np.multiply(of_carry, entry, out=factor)
            _times_tanh_slope(factor, candidate, slope, out=of_candidate)
            np.multiply(of_carry, candidate, out=factor)
            _times_logistic_slope(factor, entry, slope, out=of_entry)
            np.multiply(of_carry, carries[time], out=factor)
            _times_logistic_slope(factor, forget, slope, out=of_forget)
            of_carry *= forget
            np.matmul(transposed, of_gates[time], out=gradient)
        np.sum(np.matmul(of_gates, inputs.swapaxes(2, 3)), axis=0, out=into["kernel"])
        np.sum(
            np.matmul(of_gates, states[:-1].swapaxes(2, 3)),
            axis=0,
            out=into["recurrent"],
        )
        into["bias"][:] = of_gates.sum(axis=(0, 3))[..., None]


def _logistic(values: Array) -> None:
    """Apply the logistic function in place: (1 + tanh(x / 2)) / 2 does not overflow."""
    values *= HALF
    np.tanh(values, out=values)
    values *= HALF
    values += HALF


def _times_logistic_slope(
    values: Array, gate: Array, memory: Array, out: Array
) -> None:
    """Multiply values by the slope of the logistic function where it is `gate`."""
    np.subtract(ONE, gate, out=memory)
    memory *= gate
    np.multiply(values, memory, out=out)


def _times_tanh_slope(values: Array, gate: Array, memory: Array, out: Array) -> None:
    """Multiply values by the slope of tanh where it is `gate`."""
    np.multiply(gate, gate, out=memory)
    np.subtract(ONE, memory, out=memory)
    np.multiply(values, memory, out=out)


LAYERS: dict[str, type[Dense | Gru | Lstm]] = {"Dense": Dense, "GRU": Gru, "LSTM": Lstm}
"""Name of a kind of layer, as Keras has it -> the network."""
