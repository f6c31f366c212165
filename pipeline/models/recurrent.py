"""Recurrent networks: stacks of SimpleRNN, LSTM, GRU or minGRU, on values or words."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from pipeline.config.model_card import Color, ModelCard, Options
from pipeline.data.problem import Problem
from pipeline.models import Last, Rate, Size, Width, look_back

if TYPE_CHECKING:
    import keras


OF_KERAS_2 = {
    "LSTM": {"recurrent_activation"},
    "GRU": {"recurrent_activation", "reset_after"},
}
"""Cell -> its options in which Keras 2 differs."""


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
    hidden: Width = 0,
    head_dropout: Rate = 0.0,
    recurrent_activation: Literal["sigmoid", "hard_sigmoid"] = "sigmoid",
    reset_after: bool = True,
    pooling: Literal["last", "mean", "max", "mean_max"] = "last",
    word_dropout: Rate = 0.0,
) -> "keras.Model":
    """A stack of one kind of recurrent layer.

    The shape of the network follows from the problem. Several values from a sequence
    are the outputs of one head on the last state. If each timestep has its target, a
    head with one output reads each state. To predict several values from a vector
    (values,), the vector is the input of as many timesteps.

    Args:
        cell: the Keras layer, or `min_gru_cell`.
        problem: for one output, an input of shape (values,) becomes a sequence of that
            length with one feature.
        units: width of each recurrent layer.
        layers: the number of recurrent layers.
        widths: the width of each recurrent layer if they differ, the lowest first;
            replaces `units` and `layers`.
        activation: activation of the recurrent layers.
        top_activation: activation of the last recurrent layer; None for the same.
        direction: `backward` reads from the last timestep to the first; padding of
            words stays in front. `both` has a network for each direction and joins
            their last states.
        dropout: fraction of each recurrent layer's inputs that is dropped.
        recurrent_dropout: fraction of each recurrent layer's states that is dropped.
        sequences: whether the last recurrent layer returns every state, too.
        before: width of a Dense(relu) layer in front, 0 for none.
        embedding: width of a word's vector, for words.
        head: whether a Dense layer follows, with a sigmoid for a class.
        hidden: width of a Dense(gelu) layer between state and head, 0 for none.
        head_dropout: fraction of the head's inputs that is dropped.
        recurrent_activation: activation of the gates of an LSTM or a GRU;
            `hard_sigmoid` is Keras 2's.
        reset_after: whether a GRU resets after the product of state and weights. Keras
            2 resets before.
        pooling: what the head sees of the top layer's states: the last one, or the mean
            or the maximum of each value over time. `mean_max` is maximum and mean, side
            by side.
        word_dropout: fraction of the words whose whole vector is 0 in training.

    With `word_dropout` or a `pooling` other than `last`, padding is skipped: it changes
    no state and is not pooled. Else padding is read like a word.

    Returns:
        A model from (batch, *problem.input_shape) to (batch, problem.outputs), or to
        (batch, timesteps, 1) with every state. Without a head the last axis has
        `units`.

    Raises:
        ValueError: words without an embedding, or an embedding without words; word
            dropout without words; an option or a direction that the cell does not have;
            or a direction other than `forward`, or pooling, with every state.
    """
    import keras

    from pipeline.initializers import Orthogonal
    from pipeline.layers import Dense, check_embedding, time_pooling

    check_embedding(problem, embedding, word_dropout)
    every = problem.each_step or _is_repeated(problem)
    of_keras_2 = _options_of_keras_2(recurrent_activation, reset_after=reset_after)
    _check(cell, of_keras_2, direction, pooling, every=every or sequences)
    pools = pooling != "last"
    backward = direction == "backward"
    model = keras.Sequential()
    if problem.vocabulary:
        # Words are reversed before they are embedded, so that padding stays in front.
        _add_words(model, problem, embedding, word_dropout, backward, pools)
    else:
        _add_values(model, problem)
    if before:
        model.add(Dense(before, activation="relu"))
    common = {
        "dropout": dropout,
        "recurrent_dropout": recurrent_dropout,
        "recurrent_initializer": Orthogonal,
        **of_keras_2,
    }
    cells = [
        {"units": width, "activation": activation, **common}
        for width in widths or [units] * layers
    ]
    cells[-1]["activation"] = top_activation or activation
    turned = backward and not problem.vocabulary
    loop = _loop(cell, cells, every=sequences or every or pools, backward=turned)
    model.add(keras.layers.Bidirectional(loop) if direction == "both" else loop)
    if pools:
        model.add(time_pooling(pooling))
    if head_dropout:
        model.add(keras.layers.Dropout(head_dropout))
    if hidden:
        model.add(Dense(hidden, activation="gelu"))
    if head:
        outputs = 1 if every else problem.outputs
        model.add(Dense(outputs, activation="sigmoid" if problem.classify else None))
    return model


def _options_of_keras_2(
    recurrent_activation: str, *, reset_after: bool
) -> dict[str, Any]:
    """Return the options of a Keras cell that make it one of Keras 2, if asked for."""
    options: dict[str, Any] = {}
    if recurrent_activation == "hard_sigmoid":
        options["recurrent_activation"] = hard_sigmoid
    if not reset_after:
        options["reset_after"] = False
    return options


def _check(
    cell: str,
    of_keras_2: Mapping[str, Any],
    direction: str,
    pooling: str,
    *,
    every: bool,
) -> None:
    """Raise ValueError for options that the cell does not have, or not with every state."""
    if cell == "MinGRU" and direction == "both":
        raise ValueError(
            "`direction` must be forward or backward for a minGRU. Received: both"
        )
    if not of_keras_2.keys() <= OF_KERAS_2.get(cell, set()):
        raise ValueError(
            "`recurrent_activation` is for LSTM and GRU, `reset_after` for GRU. "
            f"Received: {cell}"
        )
    if every and (direction != "forward" or pooling != "last"):
        raise ValueError(
            "`direction` must be forward and `pooling` last where every state is asked "
            f"for. Received: {direction}, {pooling}"
        )


def _add_words(
    model: "keras.Sequential",
    problem: Problem,
    width: int,
    word_dropout: float,
    backward: bool,
    pools: bool,
) -> None:
    """Add the input of word numbers and their vectors of a width to a model."""
    import keras

    from pipeline.layers import add_embedding

    model.add(keras.Input((None,), dtype="int32"))
    if backward:
        same = lambda shape: shape  # noqa: E731
        model.add(keras.layers.Lambda(_last_word_first, output_shape=same))
    add_embedding(
        model,
        problem,
        width,
        word_dropout=word_dropout,
        skip_padding=pools or word_dropout > 0,
    )


def _is_repeated(problem: Problem) -> bool:
    """Return whether a vector is the input of as many timesteps as there are outputs."""
    is_vector = len(problem.input_shape) == 1 and not problem.vocabulary
    return is_vector and problem.outputs > 1


def _add_values(model: "keras.Sequential", problem: Problem) -> None:
    """Add the input of values to a model, as timesteps."""
    import keras

    model.add(keras.Input(problem.input_shape))
    if _is_repeated(problem):
        model.add(keras.layers.RepeatVector(problem.outputs))
    elif len(problem.input_shape) == 1:
        model.add(keras.layers.Reshape((problem.input_shape[0], 1)))


def _loop(
    cell: str, options: list[dict[str, Any]], *, every: bool, backward: bool
) -> "keras.layers.Layer":
    """One layer of one cell or of stacked cells.

    With `every` it returns every state, else the last one.
    """
    import keras

    ways = {"return_sequences": every, "go_backwards": backward}
    if len(options) == 1 and cell != "MinGRU":
        return getattr(keras.layers, cell)(**options[0], **ways)
    # Stacked cells in one loop over time are the same network as stacked layers. But
    # stacked layers loop one after the other and keep every state in between, which is
    # many times slower under XLA (docs/attempts.md).
    make = min_gru_cell if cell == "MinGRU" else getattr(keras.layers, f"{cell}Cell")
    return keras.layers.RNN([make(**each) for each in options], **ways)


def _last_word_first(words: Any) -> Any:
    """Word numbers (batch, timesteps) in reverse order, with the padding still in
    front.
    """
    import keras

    padding = keras.ops.sum(keras.ops.cast(words == 0, "int32"), axis=1, keepdims=True)
    index = keras.ops.arange(words.shape[1])[None]
    shifted = keras.ops.take_along_axis(
        words[:, ::-1], keras.ops.maximum(index - padding, 0), axis=1
    )
    return shifted * keras.ops.cast(index >= padding, words.dtype)


def min_gru_cell(units: int, **options: Any) -> Any:
    """Return a Keras cell of a minGRU (Feng et al. 2024, arXiv 2410.01201).

    Its gate z and its candidate c depend on the input x, not on the state h. The new
    state is h + z(x) (c(x) - h).

    Raises:
        ValueError: an activation other than tanh, or dropout of the state.
    """
    import keras

    if options.get("recurrent_dropout") or options.get("activation", "tanh") != "tanh":
        raise ValueError(
            "a minGRU has no `activation` and no `recurrent_dropout`; leave them out"
        )

    class MinGRUCell(keras.layers.SimpleRNNCell):  # type: ignore[misc]
        """A cell of Keras with the weights and the step of a minGRU."""

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
    """Return Keras 2's hard sigmoid: a line from 0 at -2.5 to 1 at 2.5.

    Keras 3's line goes from -3 to 3.
    """
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

    The last value of each column is subtracted. The column's segments are the steps of
    a GRU. From its last state, one step of a second GRU writes each segment ahead. The
    input of this step are the numbers of the segment and of the column.

    Args:
        problem: with every column forecast.
        units: width of both GRUs.
        segment: timesteps of a segment; divides lookback and horizon.
        last: how many of the latest timesteps are seen; None for all.

    Raises:
        ValueError: the data set does not forecast every column, or `segment` does not
            divide lookback and horizon.
    """
    import keras

    from pipeline.initializers import Orthogonal
    from pipeline.layers import Dense, GRUCell

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
    steps = Dense(units, activation="relu")(segmented)
    state = keras.layers.RNN([GRUCell(units, recurrent_initializer=Orthogonal)])(steps)
    count = ahead // segment
    # Zeros (batch, columns, segments), made from the input to have its batch size; the
    # numbers of segments and columns are added to them.
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
    write = GRUCell(units, recurrent_initializer=Orthogonal)
    written, _ = write(numbers, [keras.ops.repeat(state, count, axis=0)])
    values = Dense(segment)(written)
    values = keras.ops.reshape(values, (-1, columns, ahead))
    back = keras.ops.transpose(values, (0, 2, 1)) + latest
    return keras.Model(inputs, keras.ops.reshape(back, (-1, problem.outputs)))


def stack_title(cell: str, model: Options, _training: Options) -> str:
    """Return the title of a network of one kind of cell, such as "2 stacked LSTM(32)"."""
    directions = {"backward": "backward ", "both": "bidirectional "}
    direction = directions.get(model.get("direction", ""), "")
    if model.get("widths"):
        stacked = [f"{cell}({width})" for width in model["widths"]]
        return direction + " and ".join(stacked)
    words = f"{cell}({model.get('units', '')})"
    if model.get("layers", 1) > 1:
        words = f"{model['layers']} stacked {words}"
    if model.get("before"):
        words = f"Dense({model['before']}) and {words}"
    if model.get("hidden"):
        words += f" and Dense({model['hidden']})"
    return direction + words


def activation_title(model: Options, _training: Options) -> str:
    """Return the activation of the cells; "" for tanh."""
    activation = model.get("activation", "tanh")
    return "" if activation == "tanh" else f", {activation}"


def cell_card(cell: str, color: Color, *, playable: bool = False) -> ModelCard:
    """Return the card of networks of one kind of cell."""
    return ModelCard(
        kind="recurrent",
        title=partial(stack_title, cell),
        family=cell,
        detail=activation_title,
        color=color,
        ranges={
            "units": "8:64",
            "layers": "1:3",
            "hidden": "16:128",
            "pooling": "last,max,mean_max",
            "direction": "forward,both",
        },
        playable=playable,
    )


MODELS = {
    "simple_rnn": partial(build, "SimpleRNN"),
    "lstm": partial(build, "LSTM"),
    "gru": partial(build, "GRU"),
    "min_gru": partial(build, "MinGRU"),
    "segments": segments,
}

CARDS = {
    "simple_rnn": cell_card("SimpleRNN", "rnn", playable=True),
    "lstm": cell_card("LSTM", "lstm", playable=True),
    "gru": cell_card("GRU", "gru", playable=True),
    "min_gru": cell_card("minGRU", "rnn"),
    "segments": ModelCard(kind="recurrent", title="a GRU over segments", color="gru"),
}
