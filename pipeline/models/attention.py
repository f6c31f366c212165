"""Attention: each timestep weighs the timesteps before it by their content."""

from typing import TYPE_CHECKING

import numpy as np

from pipeline.config.model_card import ModelCard, Options
from pipeline.data.problem import Problem
from pipeline.models import Rate, Size, check_timesteps, sizes_title
from pipeline.models.feedforward import Few

if TYPE_CHECKING:
    import keras


def transformer(
    problem: Problem,
    *,
    heads: Few = 4,
    size: Size = 8,
    layers: Few = 3,
    taps: Size = 8,
    dropout: Rate = 0.0,
) -> "keras.Model":
    """A causal transformer (Vaswani et al. 2017, arXiv 1706.03762), normalised before
    each layer (arXiv 2002.04745).

    Args:
        problem: of series.
        heads: the number of heads in each layer's attention.
        size: the width of a head. A timestep is `heads` times as wide.
        layers: the number of layers, each with attention and a perceptron that is twice
            as wide.
        taps: the number of timesteps in the input of a timestep: itself and those
            before it. Zeros stand before the first timestep.
        dropout: fraction of each layer's outputs that is dropped.

    Returns:
        A model from (batch, *problem.input_shape) to (batch, problem.outputs), read
        from the last timestep; or to (batch, timesteps, 1) if each timestep has its
        target.

    Raises:
        ValueError: like `check_timesteps`.
    """
    import keras

    from pipeline.layers import Dense

    check_timesteps(problem, "transformer")
    steps = problem.input_shape[0]
    width = heads * size
    inputs = keras.Input(problem.input_shape)
    padded = keras.layers.ZeroPadding1D((taps - 1, 0))(inputs)
    tapped = [padded[:, tap : tap + steps] for tap in range(taps)]
    # (batch, timesteps, timesteps): the number of each timestep, one-hot. A layer turns
    # it into a vector, which is 0 before training.
    positions = keras.ops.zeros_like(inputs[:, :, :1]) + np.eye(steps, dtype=np.float32)
    hidden = Dense(width)(keras.ops.concatenate(tapped, axis=2))
    at = Dense(width, use_bias=False, kernel_initializer="zeros")
    hidden = hidden + at(positions)  # (batch, timesteps, width)
    causal_mask = np.triu(np.full((steps, steps), -1e9, dtype=np.float32), 1)

    by_head = (-1, steps, heads, size)
    for _ in range(layers):
        normed = keras.layers.LayerNormalization()(hidden)
        queries, keys, values = [
            keras.ops.reshape(Dense(width)(normed), by_head) for _ in range(3)
        ]
        # (batch, heads, timesteps, timesteps)
        scores = keras.ops.einsum("bihd,bjhd->bhij", queries, keys) / size**0.5
        weights = keras.ops.softmax(scores + causal_mask)
        attended = keras.ops.einsum("bhij,bjhd->bihd", weights, values)
        attended = keras.ops.reshape(attended, (-1, steps, width))
        # The weights start at 0, so that each layer first passes its input on.
        # Otherwise the learning rate would have to rise slowly.
        change = Dense(width, kernel_initializer="zeros")(attended)
        hidden = hidden + keras.layers.Dropout(dropout)(change)
        normed = keras.layers.LayerNormalization()(hidden)
        wide = Dense(2 * width, activation="gelu")(normed)
        change = Dense(width, kernel_initializer="zeros")(wide)
        hidden = hidden + keras.layers.Dropout(dropout)(change)
    hidden = keras.layers.LayerNormalization()(hidden)
    if problem.each_step:
        return keras.Model(inputs, Dense(1)(hidden))
    return keras.Model(inputs, Dense(problem.outputs)(hidden[:, -1]))


def transformer_title(model: Options, _training: Options) -> str:
    """Return the title, with the sizes that params.yaml gives."""
    return sizes_title(
        "transformer",
        model,
        {"layers": "{} layers", "heads": "{} heads", "size": "head size {}"},
    )


MODELS = {"transformer": transformer}

CARDS = {
    "transformer": ModelCard(
        kind="network",
        title=transformer_title,
        color="dense",
        ranges={"heads": "3:5", "size": "6:12", "layers": "2:4", "taps": "1:12"},
    )
}
