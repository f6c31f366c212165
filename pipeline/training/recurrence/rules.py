"""One timestep of each kind of recurrent cell, forward, and its gradient.

Every gate is a tanh: the logistic function is (1 + tanh(x / 2)) / 2, and the half is in
the weights.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from pipeline.layers import barrier

Tensor = Any
Tensors = Sequence[Tensor]

Activation = Callable[..., Tensor]
"""A function that returns an array (rows, width) which the loop forward has saved. The
loop backward calls it anew for each use."""

Save = Callable[[Tensor], Activation]
"""Saves an activation."""


@dataclass(frozen=True)
class Product:
    """Weights times operand (see `cell`), for one gate or several.

    Attributes:
        gates: the number of gates. Each gate is a block of `units` rows.
        state: whether the product takes the rows of the state, too.
    """

    gates: int
    state: bool = True


@dataclass(frozen=True)
class Rule:
    """The formulas of a kind of cell, forward and backward.

    Attributes:
        states: the number of states; the first one is the output.
        products: the products of one timestep, with the gates in their order.
        masks: Keras' number of the dropout mask of each gate.
        scales: factors of the gates' weights; 0.5 turns a tanh into the logistic
            function.
        activations: the number of activations that `forward` saves.
        pack: cell -> weights of each gate (rows of its product's operand without the
            padding, units).
        forward: gates (units, batch) before their activation, old states, save -> new
            states.
        backward: activations, the old state, gradients of the new states -> gradients of
            the gates, and of the old states without what flows through the gates.
    """

    states: int
    products: tuple[Product, ...]
    masks: tuple[int, ...]
    scales: tuple[float, ...]
    activations: int
    pack: Callable[[Any], list[Tensor]]
    forward: Callable[[Tensors, Tensors, Save], Tensors]
    backward: Callable[
        [Sequence[Activation], Activation, Tensors], tuple[Tensors, Tensors]
    ]


def _logistic(tanh: Tensor) -> Tensor:
    """The logistic function, from the tanh of half its argument."""
    return 0.5 + 0.5 * tanh


def _slope(tanh: Activation) -> Tensor:
    """The derivative of a tanh, from its value."""
    return 1 - tanh() * tanh()


def _pack(cell: Any) -> list[Tensor]:
    parts = [cell.recurrent_kernel.value, cell.kernel.value, cell.bias.value[None]]
    weights = tf.concat(parts, 0)
    return list(tf.split(weights, weights.shape[1] // cell.units, 1))


def _pack_gru(cell: Any) -> list[Tensor]:
    """Weights of update, reset, and the candidate's two parts, of state and of input.

    The candidate has two parts because its reset multiplies only the part of the state.
    """
    kernel = tf.split(cell.kernel.value, 3, axis=1)
    recurrent = tf.split(cell.recurrent_kernel.value, 3, axis=1)
    input_biases, state_biases = tf.unstack(cell.bias.value)
    input_bias = tf.split(input_biases[None], 3, axis=1)
    state_bias = tf.split(state_biases[None], 3, axis=1)
    update, reset = (
        tf.concat([recurrent[g], kernel[g], input_bias[g] + state_bias[g]], 0)
        for g in (0, 1)
    )
    of_state = tf.concat([recurrent[2], tf.zeros_like(kernel[2]), state_bias[2]], 0)
    return [update, reset, of_state, tf.concat([kernel[2], input_bias[2]], 0)]


def _pack_min_gru(cell: Any) -> list[Tensor]:
    weights = tf.concat([cell.kernel.value, cell.bias.value[None]], 0)
    return list(tf.split(weights, 2, 1))


def _simple_rnn(gates: Tensors, _states: Tensors, save: Save) -> Tensors:
    state = save(tf.tanh(gates[0]))
    return (state(),)


def _simple_rnn_backward(
    activations: Sequence[Activation], _old: Activation, grad_states: Tensors
) -> tuple[Tensors, Tensors]:
    (state,) = activations
    return (grad_states[0] * _slope(state),), (0.0,)


def _lstm(gates: Tensors, states: Tensors, save: Save) -> Tensors:
    save(states[1])
    entry, forget, candidate, exit_ = (save(tf.tanh(gate)) for gate in gates)
    carry = _logistic(forget()) * states[1] + _logistic(entry()) * candidate()
    squashed = save(tf.tanh(carry))
    return _logistic(exit_()) * squashed(), carry


def _lstm_backward(
    activations: Sequence[Activation], _old: Activation, grad_states: Tensors
) -> tuple[Tensors, Tensors]:
    carry, entry, forget, candidate, exit_, squashed = activations
    grad_state, grad_carry = grad_states
    # Without the barrier XLA would compute this gradient again in each of its four uses.
    grad_carry = barrier(
        grad_carry + grad_state * _logistic(exit_()) * _slope(squashed)
    )
    grad_gates = (
        0.5 * grad_carry * candidate() * _slope(entry),
        0.5 * grad_carry * carry() * _slope(forget),
        grad_carry * _logistic(entry()) * _slope(candidate),
        0.5 * grad_state * squashed() * _slope(exit_),
    )
    return grad_gates, (0.0, grad_carry * _logistic(forget()))


def _gru(gates: Tensors, states: Tensors, save: Save) -> Tensors:
    update = save(tf.tanh(gates[0]))
    reset = save(tf.tanh(gates[1]))
    recurrent = save(gates[2])
    candidate = save(tf.tanh(gates[3] + _logistic(reset()) * recurrent()))
    return (candidate() + _logistic(update()) * (states[0] - candidate()),)


def _gru_backward(
    activations: Sequence[Activation], old: Activation, grad_states: Tensors
) -> tuple[Tensors, Tensors]:
    update, reset, recurrent, candidate = activations
    grad_state = grad_states[0]
    grad_candidate = barrier(grad_state * (1 - _logistic(update())) * _slope(candidate))
    grad_gates = (
        0.5 * grad_state * (old() - candidate()) * _slope(update),
        0.5 * grad_candidate * recurrent() * _slope(reset),
        grad_candidate * _logistic(reset()),
        grad_candidate,
    )
    return grad_gates, (grad_state * _logistic(update()),)


def _min_gru(gates: Tensors, states: Tensors, save: Save) -> Tensors:
    update = save(tf.tanh(gates[0]))
    candidate = save(gates[1])
    return (states[0] + _logistic(update()) * (candidate() - states[0]),)


def _min_gru_backward(
    activations: Sequence[Activation], old: Activation, grad_states: Tensors
) -> tuple[Tensors, Tensors]:
    update, candidate = activations
    grad_state = grad_states[0]
    grad_candidate = grad_state * _logistic(update())
    grad_update = 0.5 * grad_state * (candidate() - old()) * _slope(update)
    return (grad_update, grad_candidate), (grad_state - grad_candidate,)


RULES = {
    "SimpleRNNCell": Rule(
        states=1,
        products=(Product(1),),
        masks=(0,),
        scales=(1.0,),
        activations=1,
        pack=_pack,
        forward=_simple_rnn,
        backward=_simple_rnn_backward,
    ),
    "LSTMCell": Rule(
        states=2,
        products=(Product(4),),
        masks=(0, 1, 2, 3),
        scales=(0.5, 0.5, 1.0, 0.5),
        activations=6,
        pack=_pack,
        forward=_lstm,
        backward=_lstm_backward,
    ),
    "GRUCell": Rule(
        states=1,
        products=(Product(3), Product(1, state=False)),
        masks=(0, 1, 2, 2),
        scales=(0.5, 0.5, 1.0, 1.0),
        activations=4,
        pack=_pack_gru,
        forward=_gru,
        backward=_gru_backward,
    ),
    "MinGRUCell": Rule(
        states=1,
        products=(Product(2, state=False),),
        masks=(0, 0),
        scales=(0.5, 1.0),
        activations=2,
        pack=_pack_min_gru,
        forward=_min_gru,
        backward=_min_gru_backward,
    ),
}
"""Name of a Keras cell -> its rule. GRU is that with `reset_after`, Keras' default."""
