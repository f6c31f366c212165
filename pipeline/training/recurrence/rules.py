"""One timestep of each kind of recurrent cell, forward, and its gradient.

Every gate is a tanh: the logistic function is (1 + tanh(x / 2)) / 2, and the half is in the weights.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.training.recurrence.tape import Keep, Read, Tensor, barrier

Parts = Sequence[Tensor]


@dataclass(frozen=True)
class Product:
    """Weights times operand, for one gate or several.

    Attributes:
        gates: how many; each is a block of `units` rows.
        state: whether the operand has the rows state, inputs, a one for the bias, and zeros, or all but the state.
    """

    gates: int
    state: bool = True


@dataclass(frozen=True)
class Rule:
    """How a kind of cell steps forward, and what flows back.

    Attributes:
        states: how many the cell has; the first is its output.
        products: of one timestep, the gates in their order.
        masks: Keras' number of the dropout mask of each gate.
        scales: of the gates; .5 makes a tanh the logistic function.
        kept: how many times `forward` keeps something.
        pack: the cell -> weights of each gate, (rows of its product's operand but for the zeros, units).
        forward: gates (units, batch) before their activation, old states, keep -> new states.
        back: what was kept, the old state, gradients of the new states -> gradients of the gates, and of the old
            states but for what flows through the gates.
    """

    states: int
    products: tuple[Product, ...]
    masks: tuple[int, ...]
    scales: tuple[float, ...]
    kept: int
    pack: Callable[[Any], list[Tensor]]
    forward: Callable[[Parts, Parts, Keep], Parts]
    back: Callable[[Sequence[Read], Read, Parts], tuple[Parts, Parts]]


def _share(tanh: Tensor) -> Tensor:
    """The logistic function, from the tanh of half its argument."""
    return 0.5 + 0.5 * tanh


def _slope(tanh: Read) -> Tensor:
    """The derivative of a tanh."""
    return 1 - tanh() * tanh()


def _pack(cell: Any) -> list[Tensor]:
    import tensorflow as tf

    weights = tf.concat([cell.recurrent_kernel.value, cell.kernel.value, cell.bias.value[None]], 0)
    return list(tf.split(weights, weights.shape[1] // cell.units, 1))


def _pack_gru(cell: Any) -> list[Tensor]:
    """Update, reset, and for the candidate two, of state and of input, since the reset lies between them."""
    import tensorflow as tf

    kernel, recurrent = (tf.split(w.value, 3, axis=1) for w in (cell.kernel, cell.recurrent_kernel))
    of_input, of_state = (tf.split(b[None], 3, axis=1) for b in tf.unstack(cell.bias.value))
    gates = [tf.concat([recurrent[g], kernel[g], of_input[g] + of_state[g]], 0) for g in (0, 1)]
    gates.append(tf.concat([recurrent[2], tf.zeros_like(kernel[2]), of_state[2]], 0))
    return [*gates, tf.concat([kernel[2], of_input[2]], 0)]


def _simple_rnn(gates: Parts, _states: Parts, keep: Keep) -> Parts:
    import tensorflow as tf

    return (keep(tf.tanh(gates[0]))(),)


def _simple_rnn_back(kept: Sequence[Read], _old: Read, gradients: Parts) -> tuple[Parts, Parts]:
    return (gradients[0] * _slope(kept[0]),), (0.0,)


def _lstm(gates: Parts, states: Parts, keep: Keep) -> Parts:
    import tensorflow as tf

    keep(states[1])
    entry, forget, candidate, exit_ = (keep(tf.tanh(gate)) for gate in gates)
    carry = _share(forget()) * states[1] + _share(entry()) * candidate()
    squashed = keep(tf.tanh(carry))
    return _share(exit_()) * squashed(), carry


def _lstm_back(kept: Sequence[Read], _old: Read, gradients: Parts) -> tuple[Parts, Parts]:
    carry, entry, forget, candidate, exit_, squashed = kept
    of_state, of_carry = gradients
    of_carry = barrier(of_carry + of_state * _share(exit_()) * _slope(squashed))
    of_gates = (
        0.5 * of_carry * candidate() * _slope(entry),
        0.5 * of_carry * carry() * _slope(forget),
        of_carry * _share(entry()) * _slope(candidate),
        0.5 * of_state * squashed() * _slope(exit_),
    )
    return of_gates, (0.0, of_carry * _share(forget()))


def _gru(gates: Parts, states: Parts, keep: Keep) -> Parts:
    import tensorflow as tf

    update, reset = (keep(tf.tanh(gate)) for gate in gates[:2])
    recurrent = keep(gates[2])
    candidate = keep(tf.tanh(gates[3] + _share(reset()) * recurrent()))
    return (candidate() + _share(update()) * (states[0] - candidate()),)


def _gru_back(kept: Sequence[Read], old: Read, gradients: Parts) -> tuple[Parts, Parts]:
    update, reset, recurrent, candidate = kept
    of_candidate = barrier(gradients[0] * (1 - _share(update())) * _slope(candidate))
    of_gates = (
        0.5 * gradients[0] * (old() - candidate()) * _slope(update),
        0.5 * of_candidate * recurrent() * _slope(reset),
        of_candidate * _share(reset()),
        of_candidate,
    )
    return of_gates, (gradients[0] * _share(update()),)


RULES = {
    "SimpleRNNCell": Rule(1, (Product(1),), (0,), (1.0,), 1, _pack, _simple_rnn, _simple_rnn_back),
    "LSTMCell": Rule(2, (Product(4),), (0, 1, 2, 3), (0.5, 0.5, 1.0, 0.5), 6, _pack, _lstm, _lstm_back),
    "GRUCell": Rule(
        1, (Product(3), Product(1, state=False)), (0, 1, 2, 2), (0.5, 0.5, 1.0, 1.0), 4, _pack_gru, _gru, _gru_back
    ),
}
"""Name of Keras' cell -> its rule. GRU with `reset_after`, as is Keras' default."""
