"""Recurrent networks: SimpleRNN, LSTM, GRU and minGRU, stacked, on values or on
embedded words.
"""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from pipeline.data.problem import Problem
from pipeline.models import Last, Rate, Size, Width, check_embedding, look_back

if TYPE_CHECKING:
    import keras


def build(
    cell: Literal["SimpleRNN", "LSTM", "GRU", "MinGRU"],
    problem: Problem,
    *,
    units: Size = 32,
    layers: Annotated[int, Field(ge=1, le=16)] = 1,
    widths: Annotated[Sequence[Size], Field(max_length=16)] = (),
    activation: Literal["tanh", "relu"] = "tanh",
    top_activation: Literal["tanh", "relu"] | None = None,
    direction: Literal["forward", "backward", "both"] = "forward",
    dropout: Rate = 0.0,
    recurrent_dropout: Rate = 0.0,
    sequences: bool = False,
    before: Width = 0,
    embedding: Width = 0,
    head: bool = True,
    head_dropout: Rate = 0.0,
    recurrent_activation: Literal["sigmoid", "hard_sigmoid"] = "sigmoid",
    reset_after: bool = True,
) -> "keras.Model":
    """A stack of one kind of recurrent layer.

    Which of the four shapes of a recurrent network it has follows from the problem.
    Several values from a sequence are one head of as many outputs on the last state.
    Where each timestep has its target, each state has a head of one output. Several
    values from a vector (values,) are as many timesteps: the vector is the input of
    each.

    Args:
        cell: the Keras layer, or `min_gru_cell`.
        problem: for one output, an input of shape (values,) becomes a sequence of that
            length with one feature.
        units: width of each recurrent layer.
        layers: how many of them, each on every state of the one below.
        widths: of layers that differ, the lowest first; in place of `units` and
            `layers`.
        activation: of the recurrent layers.
        top_activation: of the last one; None for the same.
        direction: in which it reads: `backward` from the last timestep to the first; of
            words, padding is still in front. `both` has a network for each, which are
            asked side by side.
        dropout: fraction of each recurrent layer's inputs that is dropped.
        recurrent_dropout: fraction of its states that is dropped.
        sequences: whether the last layer returns every state, too.
        before: width of a Dense(relu) layer in front, 0 for none.
        embedding: width of a word's vector where inputs are word numbers.
        head: whether a Dense layer follows, with a sigmoid for a class.
        head_dropout: fraction of its inputs that is dropped.
        recurrent_activation: of the gates of an LSTM or a GRU; `hard_sigmoid` is Keras
            2's.
        reset_after: whether a GRU resets after the product of state and weights, or
            before, as Keras 2's did.

    Returns:
        A model from (batch, *problem.input_shape) to (batch, problem.outputs), or with
        every state (batch, timesteps, 1); without a head `units` in place of the last.

    Raises:
        ValueError: words without an embedding, an embedding without words, an option
            that the cell has not, or another direction for every state.
    """
    import keras

    check_embedding(problem, embedding)
    hard = recurrent_activation == "hard_sigmoid"
    if (hard and cell not in ("LSTM", "GRU")) or (not reset_after and cell != "GRU"):
        raise ValueError(
            "`recurrent_activation` is for LSTM and GRU, `reset_after` for GRU. "
            f"Received: {cell}"
        )
    is_vector = len(problem.input_shape) == 1 and not problem.vocabulary
    repeated = is_vector and problem.outputs > 1
    every = problem.each_step or repeated
    if direction != "forward" and (every or sequences):
        raise ValueError(
            "`direction` must be forward where every state is asked for. "
            f"Received: {direction}"
        )
    model = keras.Sequential()
    if problem.vocabulary:
        model.add(keras.Input((None,), dtype="int32"))
        if direction == "backward":
            same = lambda shape: shape  # noqa: E731
            model.add(keras.layers.Lambda(_last_word_first, output_shape=same))
        model.add(keras.layers.Embedding(problem.vocabulary, embedding))
    else:
        model.add(keras.Input(problem.input_shape))
    if repeated:
        model.add(keras.layers.RepeatVector(problem.outputs))
    elif is_vector:
        model.add(keras.layers.Reshape((problem.input_shape[0], 1)))
    if before:
        model.add(keras.layers.Dense(before, activation="relu"))
    common: dict[str, Any] = {
        "activation": activation,
        "dropout": dropout,
        "recurrent_dropout": recurrent_dropout,
    }
    if hard:
        common["recurrent_activation"] = hard_sigmoid
    if not reset_after:
        common["reset_after"] = False
    options = [{"units": size, **common} for size in widths or [units] * layers]
    options[-1]["activation"] = top_activation or activation
    loop = _loop(
        cell,
        options,
        every=sequences or every,
        backward=direction == "backward" and not problem.vocabulary,
    )
    model.add(keras.layers.Bidirectional(loop) if direction == "both" else loop)
    if head_dropout:
        model.add(keras.layers.Dropout(head_dropout))
    if head:
        outputs = 1 if every else problem.outputs
        function = "sigmoid" if problem.classify else None
        model.add(keras.layers.Dense(outputs, activation=function))
    return model


def _loop(
    cell: str, options: list[dict[str, Any]], *, every: bool, backward: bool
) -> "keras.layers.Layer":
    """One layer of one cell or of several, one on the other; it gives the last state or
    every one.
    """
    import keras

    ways = {"return_sequences": every, "go_backwards": backward}
    if len(options) == 1 and cell != "MinGRU":
        return getattr(keras.layers, cell)(**options[0], **ways)
    # Stacked cells in one loop over time are the same network as stacked layers, which
    # loop one after the other and keep every state in between: many times slower under
    # XLA (docs/attempts.md).
    make = min_gru_cell if cell == "MinGRU" else getattr(keras.layers, f"{cell}Cell")
    return keras.layers.RNN([make(**of_cell) for of_cell in options], **ways)


def _last_word_first(words: Any) -> Any:
    """Texts (batch, timesteps) of word numbers read from the end, with the zeros that
    they are padded by in front.
    """
    import keras

    padding = keras.ops.sum(keras.ops.cast(words == 0, "int32"), axis=1, keepdims=True)
    index = keras.ops.arange(words.shape[1])[None]
    shifted = keras.ops.take_along_axis(
        words[:, ::-1], keras.ops.maximum(index - padding, 0), axis=1
    )
    return shifted * keras.ops.cast(index >= padding, words.dtype)


def min_gru_cell(units: int, **options: Any) -> Any:
    """Return a GRU whose gate and candidate see no state (Feng et al. 2024, arXiv 2410.01201):
    h + z(x) (c(x) - h).

    Raises:
        ValueError: an activation, or dropout of its states: there is no product with
            them.
    """
    import keras

    if options.get("recurrent_dropout") or options.get("activation", "tanh") != "tanh":
        raise ValueError(
            "a minGRU has no activation, and no product with its state to drop "
            "something of"
        )

    class MinGRUCell(keras.layers.SimpleRNNCell):  # type: ignore[misc]
        """Keras' simplest cell, with other weights and another step."""

        def build(self, input_shape: tuple[int, ...]) -> None:
            self.kernel = self.add_weight(
                (input_shape[-1], 2 * self.units),
                self.kernel_initializer,
                name="kernel",
            )
            self.bias = self.add_weight(
                (2 * self.units,), self.bias_initializer, name="bias"
            )

        def call(
            self, inputs: Any, states: Any, training: bool = False
        ) -> tuple[Any, list[Any]]:
            (state,) = states
            mask = self.get_dropout_mask(inputs) if training else None
            if mask is not None:
                inputs = inputs * mask
            gates = inputs @ self.kernel + self.bias
            update, candidate = keras.ops.split(gates, 2, axis=1)
            state = state + keras.ops.sigmoid(update) * (candidate - state)
            return state, [state]

    return MinGRUCell(units, **options)


def hard_sigmoid(values: Any) -> Any:
    """Keras 2's: straight from 0 at -2.5 to 1 at 2.5. Keras 3's goes from -3 to 3."""
    import keras

    return keras.ops.clip(0.2 * values + 0.5, 0.0, 1.0)


def segments(
    problem: Problem,
    *,
    units: Size = 64,
    segment: Annotated[int, Field(ge=1, le=4096)] = 48,
    last: Last = None,
) -> "keras.Model":
    """A GRU that reads and writes segments of each column's own past (SegRNN: Lin et
    al. 2023, arXiv 2308.11200).

    Each column is taken less its last value. Its segments are the GRU's steps; from the
    last state each segment ahead is written by one step of a second GRU, whose input is
    that segment's number and the column's.

    Args:
        problem: every column is asked for.
        units: of both.
        segment: timesteps of one; look-back and horizon are multiples of it.
        last: timesteps that are seen.

    Raises:
        ValueError: not every column is asked for, or `segment` does not fit.
    """
    import keras

    if not problem.every:
        raise ValueError("segments needs a data set that asks for every column")
    timesteps = look_back(problem.input_shape[0], last)
    columns = problem.input_shape[1]
    ahead = problem.outputs // columns
    if timesteps % segment or ahead % segment:
        raise ValueError(
            f"`segment` must divide the {timesteps} timesteps that are seen and the "
            f"{ahead} that are not"
        )
    inputs = keras.Input(problem.input_shape)
    latest = inputs[:, -1:]
    # (batch, columns, timesteps), then (batch * columns, segments, segment)
    columnwise = keras.ops.transpose(inputs[:, -timesteps:] - latest, (0, 2, 1))
    segmented = keras.ops.reshape(columnwise, (-1, timesteps // segment, segment))
    steps = keras.layers.Dense(units, activation="relu")(segmented)
    state = keras.layers.GRU(units)(steps)
    count = ahead // segment
    # Numbers of segment and column (batch, columns, segments), made from the input, so
    # that there are as many.
    zeros = keras.ops.cast(keras.ops.zeros_like(columnwise[:, :, :1]), "int32")
    zeros = zeros + np.zeros((1, 1, count), "int32")
    by_segment = keras.layers.Embedding(count, units - units // 2)(
        zeros + np.arange(count)
    )
    by_column = keras.layers.Embedding(columns, units // 2)(
        zeros + np.arange(columns)[:, None]
    )
    numbers = keras.ops.concatenate([by_segment, by_column], axis=3)
    numbers = keras.ops.reshape(numbers, (-1, units))
    states = keras.ops.repeat(state, count, axis=0)
    written, _ = keras.layers.GRUCell(units)(numbers, [states])
    values = keras.layers.Dense(segment)(written)
    values = keras.ops.reshape(values, (-1, columns, ahead))
    back = keras.ops.transpose(values, (0, 2, 1)) + latest
    return keras.Model(inputs, keras.ops.reshape(back, (-1, problem.outputs)))


MODELS = {
    "simple_rnn": partial(build, "SimpleRNN"),
    "lstm": partial(build, "LSTM"),
    "gru": partial(build, "GRU"),
    "min_gru": partial(build, "MinGRU"),
    "segments": segments,
}
