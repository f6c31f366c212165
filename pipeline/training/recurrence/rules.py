"""One timestep of each kind of recurrent cell, forward, and its gradient."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Tensor = Any
Parts = Sequence[Tensor]


@dataclass(frozen=True)
class Rule:
    """How a kind of cell steps forward, and what flows back.

    Attributes:
        gates: how many blocks of `units` rows the product has.
        kept: how many blocks of `units` rows are kept beside the slopes.
        pack: the cell -> its weights as one matrix (gates * units, inputs + units + 1).
        masks: the blocks' numbers in Keras' lists of dropout masks, of inputs and of states.
        forward: products of the gates, each (units, batch), and states -> new states, slopes (one per gate), kept.
        back: slopes (gates, units, batch), kept (kept, units, batch), gradients of the new states -> gradient of
            the products (gates, units, batch), gradients of the old states but for what flows through the products.
    """

    gates: int
    kept: int
    pack: Callable[[Any], Tensor]
    masks: tuple[tuple[int, ...], tuple[int, ...]]
    forward: Callable[[Parts, Parts], tuple[Parts, Parts, Parts]]
    back: Callable[[Tensor, Tensor, Parts], tuple[Tensor, Parts]]


def _pack(cell: Any) -> Tensor:
    import tensorflow as tf

    return tf.transpose(tf.concat([cell.kernel.value, cell.recurrent_kernel.value, cell.bias.value[None]], 0))


def _pack_gru(cell: Any) -> Tensor:
    """Four blocks: update, reset, and for the candidate two, of state and input, since the reset lies between them."""
    import tensorflow as tf

    kernel, recurrent = (tf.split(w.value, 3, axis=1) for w in (cell.kernel, cell.recurrent_kernel))
    of_input, of_state = (tf.split(b[None], 3, axis=1) for b in tf.unstack(cell.bias.value))
    blocks = [tf.concat([kernel[g], recurrent[g], of_input[g] + of_state[g]], 0) for g in (0, 1)]
    blocks.append(tf.concat([tf.zeros_like(kernel[2]), recurrent[2], of_state[2]], 0))
    blocks.append(tf.concat([kernel[2], tf.zeros_like(recurrent[2]), of_input[2]], 0))
    return tf.transpose(tf.concat(blocks, 1))


def _simple_rnn(products: Parts, _states: Parts) -> tuple[Parts, Parts, Parts]:
    import tensorflow as tf

    state = tf.tanh(products[0])
    return (state,), (1 - state * state,), ()


def _simple_rnn_back(slopes: Tensor, _kept: Tensor, gradients: Parts) -> tuple[Tensor, Parts]:
    return slopes * gradients[0], (0.0,)


def _lstm(products: Parts, states: Parts) -> tuple[Parts, Parts, Parts]:
    import tensorflow as tf

    entry, forget, exit_ = (tf.sigmoid(products[gate]) for gate in (0, 1, 3))
    candidate, old = tf.tanh(products[2]), states[1]
    carry = forget * old + entry * candidate
    squashed = tf.tanh(carry)
    slopes = (
        candidate * entry * (1 - entry),
        old * forget * (1 - forget),
        entry * (1 - candidate * candidate),
        squashed * exit_ * (1 - exit_),
    )
    return (exit_ * squashed, carry), slopes, (forget, exit_ * (1 - squashed * squashed))


def _lstm_back(slopes: Tensor, kept: Tensor, gradients: Parts) -> tuple[Tensor, Parts]:
    import tensorflow as tf

    of_state, of_carry = gradients
    of_carry += of_state * kept[1]
    # The last gate is behind the carry. A selection, since XLA does not vectorise a concatenation.
    last = tf.constant([False, False, False, True])[:, None, None]
    return slopes * tf.where(last, of_state[None], of_carry[None]), (0.0, of_carry * kept[0])


def _gru(products: Parts, states: Parts) -> tuple[Parts, Parts, Parts]:
    import tensorflow as tf

    update, reset = tf.sigmoid(products[0]), tf.sigmoid(products[1])
    candidate, old = tf.tanh(products[3] + reset * products[2]), states[0]
    slope = (1 - update) * (1 - candidate * candidate)
    slopes = (
        (old - candidate) * update * (1 - update),
        slope * products[2] * reset * (1 - reset),
        slope * reset,
        slope,
    )
    return (update * old + (1 - update) * candidate,), slopes, (update,)


def _gru_back(slopes: Tensor, kept: Tensor, gradients: Parts) -> tuple[Tensor, Parts]:
    return slopes * gradients[0][None], (gradients[0] * kept[0],)


RULES = {
    "SimpleRNNCell": Rule(1, 0, _pack, ((0,), (0,)), _simple_rnn, _simple_rnn_back),
    "LSTMCell": Rule(4, 2, _pack, ((0, 1, 2, 3), (0, 1, 2, 3)), _lstm, _lstm_back),
    # Where a block does not use the state or the input, its weights are zero: any mask will do.
    "GRUCell": Rule(4, 1, _pack_gru, ((0, 1, 2, 2), (0, 1, 2, 2)), _gru, _gru_back),
}
"""Name of Keras' cell -> its rule. GRU with `reset_after`, as is Keras' default."""
