"""Small networks in NumPy, forward and backward, for several seeds side by side.

A recurrent network of 32 units on a dozen rows is trained within seconds. TensorFlow
would need longer than this to be imported and to compile the network, in each process.

The networks of all seeds are stacked: an array of weights is (seeds, rows, columns),
and values are (seeds, values, batch). The cells are those of Keras' layers `GRU` (with
`reset_after`) and `LSTM`; a test compares them.
"""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from pipeline.data.examples import Array

Weights = dict[str, Array]
"""Name -> (seeds, rows, columns)."""


class Network(ABC):
    """Hidden layers, and a linear map from the last one to the outputs.

    A subclass has `hidden` and `hidden_backward` for its hidden layers.

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
        """The number of trained parameters."""
        return sum(rows * columns for rows, columns in self.shapes.values())

    def views(self, flat: Array) -> Weights:
        """Return views of the arrays of weights in one array (seeds, size)."""
        weights = {}
        first = 0
        for name, (rows, columns) in self.shapes.items():
            last = first + rows * columns
            weights[name] = flat[:, first:last].reshape(len(flat), rows, columns)
            first = last
        return weights

    def fresh(self, random: np.random.Generator) -> Array:
        """Return initial weights (1, size).

        Kernels are Glorot's. The weights of states are orthogonal for each gate. Biases
        are 0.
        """
        flat = np.zeros((1, self.size), np.float32)
        for name, weights in self.views(flat).items():
            _, rows, columns = weights.shape
            if name == "recurrent":
                for gate in np.split(weights[0], rows // columns):
                    square = random.normal(size=(columns, columns))
                    gate[:] = np.linalg.qr(square)[0]
            elif "bias" not in name:
                bound = np.sqrt(6 / (rows + columns))
                weights[0] = random.uniform(-bound, bound, (rows, columns))
        return flat

    def forward(self, weights: Weights, inputs: Array) -> tuple[Array, Any]:
        """Return the outputs (seeds, outputs, batch), and the tape for `backward`."""
        states, tape = self.hidden(weights, inputs)
        outputs = weights["head"] @ states + weights["head_bias"]
        return outputs, (states, tape)

    def backward(
        self, weights: Weights, gradient: Array, tape: Any, into: Weights
    ) -> None:
        """Write the gradients of the weights.

        Args:
            weights: the weights that `forward` was called with.
            gradient: of the loss by the outputs (seeds, outputs, batch).
            tape: from `forward`.
            into: arrays like the weights, which are overwritten.
        """
        states, of_layers = tape
        into["head"][:] = gradient @ states.swapaxes(1, 2)
        into["head_bias"][:] = gradient.sum(axis=2, keepdims=True)
        of_states = weights["head"].swapaxes(1, 2) @ gradient
        self.hidden_backward(weights, of_states, of_layers, into)

    @abstractmethod
    def hidden(self, weights: Weights, inputs: Array) -> tuple[Array, Any]:
        """Return the last layer's values (seeds, units, batch), and the tape."""

    @abstractmethod
    def hidden_backward(
        self, weights: Weights, gradient: Array, tape: Any, into: Weights
    ) -> None:
        """Write the gradients of the hidden layers' weights.

        `gradient` is that of the last hidden layer's values (seeds, units, batch).
        """


class Dense(Network):
    """Hidden layers with a ReLU, on inputs (seeds, values, batch)."""

    def __init__(self, values: int, sizes: list[int], outputs: int) -> None:
        self.layers = range(len(sizes))
        widths = [values, *sizes]
        shapes = {}
        for layer in self.layers:
            shapes[f"kernel_{layer}"] = (widths[layer + 1], widths[layer])
            shapes[f"bias_{layer}"] = (widths[layer + 1], 1)
        super().__init__(shapes, sizes[-1], outputs)

    def hidden(self, weights: Weights, inputs: Array) -> tuple[Array, Any]:
        values = [inputs]
        for layer in self.layers:
            sums = weights[f"kernel_{layer}"] @ values[layer] + weights[f"bias_{layer}"]
            values.append(np.maximum(sums, 0))
        return values[-1], values

    def hidden_backward(
        self, weights: Weights, gradient: Array, tape: Any, into: Weights
    ) -> None:
        for layer in reversed(self.layers):
            of_sums = gradient * (tape[layer + 1] > 0)
            into[f"kernel_{layer}"][:] = of_sums @ tape[layer].swapaxes(1, 2)
            into[f"bias_{layer}"][:] = of_sums.sum(axis=2, keepdims=True)
            if layer > 0:
                gradient = weights[f"kernel_{layer}"].swapaxes(1, 2) @ of_sums


class Gru(Network):
    """A gated recurrent unit (Cho et al. 2014, arXiv 1406.1078).

    Inputs are (timesteps, seeds, values, batch). The gates are update, reset and
    candidate, as in Keras:

        recurrent = recurrent weights of the candidate * state + its recurrent bias
        candidate = tanh(inputs' sums + reset * recurrent)
        new state = update * state + (1 - update) * candidate
    """

    def __init__(self, values: int, sizes: list[int], outputs: int) -> None:
        (self.units,) = sizes
        gates = 3 * self.units
        shapes = {
            "kernel": (gates, values),
            "recurrent": (gates, self.units),
            "bias": (gates, 1),
            # For the candidate alone: update and reset would add it to their bias.
            "recurrent_bias": (self.units, 1),
        }
        super().__init__(shapes, self.units, outputs)

    def hidden(self, weights: Weights, inputs: Array) -> tuple[Array, Any]:
        timesteps, seeds, _, batch = inputs.shape
        logistic = slice(0, 2 * self.units)  # the rows of update and reset
        linear = slice(2 * self.units, None)  # the rows of the candidate
        # (timesteps, seeds, 3 * units, batch)
        gates = weights["kernel"] @ inputs
        gates += weights["bias"]
        states = np.zeros((timesteps + 1, seeds, self.units, batch), np.float32)
        recurrents = np.empty_like(states[1:])
        for time in range(timesteps):
            from_state = weights["recurrent"] @ states[time]
            gate = gates[time]  # (seeds, 3 * units, batch)
            gate[:, logistic] = _logistic(gate[:, logistic] + from_state[:, logistic])
            update, reset, candidate = np.split(gate, 3, axis=1)
            recurrents[time] = from_state[:, linear] + weights["recurrent_bias"]
            candidate[:] = np.tanh(candidate + reset * recurrents[time])
            states[time + 1] = (states[time] - candidate) * update + candidate
        return states[-1], (inputs, gates, states[:-1], recurrents)

    def hidden_backward(
        self, weights: Weights, gradient: Array, tape: Any, into: Weights
    ) -> None:
        inputs, gates, states, recurrents = tape
        transposed = np.ascontiguousarray(weights["recurrent"].swapaxes(1, 2))
        of_inputs = np.empty_like(gates)  # gradients by the sums from the inputs
        of_recurrents = np.empty_like(recurrents)
        for time in reversed(range(len(inputs))):
            update, reset, candidate = np.split(gates[time], 3, axis=1)
            kept = gradient * update  # flows to the old state directly
            of_candidate = gradient - kept
            of_update = (states[time] - candidate) * of_candidate * update
            of_candidate -= candidate * candidate * of_candidate
            of_recurrent = of_candidate * reset
            of_reset = (1 - reset) * recurrents[time] * of_recurrent
            np.concatenate(
                [of_update, of_reset, of_candidate], axis=1, out=of_inputs[time]
            )
            of_recurrents[time] = of_recurrent
            of_state = np.concatenate([of_update, of_reset, of_recurrent], axis=1)
            gradient = transposed @ of_state + kept
        into["kernel"][:] = _summed_products(of_inputs, inputs)
        first = 2 * self.units  # rows of update and reset
        of_gates = of_inputs[:, :, :first]
        into["recurrent"][:, :first] = _summed_products(of_gates, states)
        into["recurrent"][:, first:] = _summed_products(of_recurrents, states)
        into["bias"][:] = _summed(of_inputs)
        into["recurrent_bias"][:] = _summed(of_recurrents)


class Lstm(Network):
    """A long short-term memory (Hochreiter and Schmidhuber 1997, Neural Computation 9).

    Inputs are (timesteps, seeds, values, batch). The gates are input, forget, output
    and candidate. In Keras the candidate comes before the output gate.

        new carry = forget * carry + input * candidate
        new state = output * tanh(new carry)
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
        """Return initial weights as `Network.fresh`, with a forget gate that is open."""
        flat = super().fresh(random)
        self.views(flat)["bias"][:, self.units : 2 * self.units] = 1
        return flat

    def hidden(self, weights: Weights, inputs: Array) -> tuple[Array, Any]:
        timesteps, seeds, _, batch = inputs.shape
        logistic = slice(0, 3 * self.units)  # the rows of input, forget and output
        # (timesteps, seeds, 4 * units, batch)
        gates = weights["kernel"] @ inputs
        gates += weights["bias"]
        states = np.zeros((timesteps + 1, seeds, self.units, batch), np.float32)
        carries = np.zeros_like(states)
        squashed = np.empty_like(states[1:])
        for time in range(timesteps):
            gate = gates[time]  # (seeds, 4 * units, batch)
            gate += weights["recurrent"] @ states[time]
            gate[:, logistic] = _logistic(gate[:, logistic])
            entry, forget, exit_, candidate = np.split(gate, 4, axis=1)
            np.tanh(candidate, out=candidate)
            carries[time + 1] = forget * carries[time] + entry * candidate
            squashed[time] = np.tanh(carries[time + 1])
            states[time + 1] = exit_ * squashed[time]
        return states[-1], (inputs, gates, states[:-1], carries, squashed)

    def hidden_backward(
        self, weights: Weights, gradient: Array, tape: Any, into: Weights
    ) -> None:
        inputs, gates, states, carries, squashed = tape
        transposed = np.ascontiguousarray(weights["recurrent"].swapaxes(1, 2))
        of_carry = np.zeros_like(gradient)
        of_gates = np.empty_like(gates)
        for time in reversed(range(len(inputs))):
            entry, forget, exit_, candidate = np.split(gates[time], 4, axis=1)
            squash = squashed[time]
            of_exit = gradient * squash * _logistic_slope(exit_)
            of_carry += gradient * exit_ * (1 - squash * squash)
            of_candidate = of_carry * entry * (1 - candidate * candidate)
            of_entry = of_carry * candidate * _logistic_slope(entry)
            of_forget = of_carry * carries[time] * _logistic_slope(forget)
            of_carry *= forget
            np.concatenate(
                [of_entry, of_forget, of_exit, of_candidate], axis=1, out=of_gates[time]
            )
            gradient = transposed @ of_gates[time]
        into["kernel"][:] = _summed_products(of_gates, inputs)
        into["recurrent"][:] = _summed_products(of_gates, states)
        into["bias"][:] = _summed(of_gates)


def _logistic(values: Array) -> Array:
    """The logistic function, as (1 + tanh(x / 2)) / 2, which does not overflow."""
    return np.asarray(np.tanh(values * 0.5) * 0.5 + 0.5)


def _logistic_slope(gate: Array) -> Array:
    """The slope of the logistic function where its value is `gate`."""
    return (1 - gate) * gate


def _summed_products(gradients: Array, values: Array) -> Array:
    """Products (seeds, rows, columns), summed over the batch and the timesteps.

    Gradients are (timesteps, seeds, rows, batch), values (timesteps, seeds, columns,
    batch).
    """
    return np.asarray(np.sum(gradients @ values.swapaxes(2, 3), axis=0))


def _summed(gradients: Array) -> Array:
    """Gradients (timesteps, seeds, rows, batch), summed to (seeds, rows, 1)."""
    return np.asarray(gradients.sum(axis=(0, 3))[..., None])


LAYERS: dict[str, type[Dense | Gru | Lstm]] = {"Dense": Dense, "GRU": Gru, "LSTM": Lstm}
"""Keras' name of the kind of hidden layer -> the network."""
