"""A linear filter whose weights depend on its input."""

from typing import TYPE_CHECKING, Literal

import numpy as np

from pipeline.config.model_card import ModelCard, Options
from pipeline.data.problem import Problem
from pipeline.models import (
    Last,
    Rate,
    Size,
    check_timesteps,
    look_back,
    sizes_title,
)

if TYPE_CHECKING:
    import keras


def adaptive_filter(
    problem: Problem,
    *,
    powers: Size = 32,
    hidden: Size = 64,
    activation: Literal["gelu", "relu", "tanh", "sine"] = "gelu",
    dropout: Rate = 0.0,
    last: Last = None,
) -> "keras.Model":
    """A weighted sum of the input values, plus a constant.

    A perceptron computes the weights and the constant from squares of linear maps of
    the values. The next value of a sum of sines is a weighted sum of the values before
    it. These weights depend only on the frequencies. So they depend on powers, which
    squares measure.

    Args:
        problem: of series. If each timestep has its target, zeros stand for the values
            before the first timestep, and the perceptron is told which these are.
        powers: the number of linear maps that are squared.
        hidden: width of the perceptron's hidden layer.
        activation: activation of the hidden layer.
        dropout: fraction of the hidden layer's outputs that is dropped, the same
            outputs at all timesteps.
        last: how many of the latest timesteps are seen; None for all.

    Returns:
        A model from (batch, *problem.input_shape) to (batch, problem.outputs), or to
        (batch, timesteps, 1) if each timestep has its target.

    Raises:
        ValueError: like `check_timesteps` and `look_back`.
    """
    import keras

    from pipeline.layers import Dense

    check_timesteps(problem, "adaptive_filter")
    steps, columns = problem.input_shape
    seen = look_back(steps, last)
    inputs = keras.Input(problem.input_shape)
    if problem.each_step:
        places = np.arange(steps)[:, None] + np.arange(1 - seen, 1)
        padded = keras.ops.pad(inputs, [(0, 0), (seen - 1, 0), (0, 0)])
        values = keras.ops.take(padded, places + seen - 1, axis=1)
        values = keras.ops.reshape(values, (-1, steps, seen * columns))
        outputs = 1
    else:
        values = keras.layers.Flatten()(inputs[:, steps - seen :])
        outputs = problem.outputs
    # Training starts with small squares and with weights of 0. From Keras' own initial
    # weights the model becomes no better than a linear map.
    bound = values.shape[-1] ** -0.5
    start = keras.initializers.RandomUniform(-bound, bound)
    maps = Dense(powers, use_bias=False, kernel_initializer=start)
    squares = keras.ops.square(maps(values))
    drop = keras.layers.Dropout
    if problem.each_step:
        drop = keras.layers.SpatialDropout1D
        filled = np.repeat(places >= 0, columns, axis=1).astype(np.float32)
        filled = keras.ops.zeros_like(values) + filled
        squares = keras.ops.concatenate([squares, filled], axis=-1)
    function = keras.ops.sin if activation == "sine" else activation
    seen_powers = Dense(hidden, activation=function)(squares)
    seen_powers = drop(dropout)(seen_powers)
    count = seen * columns
    weights = Dense(outputs * count, kernel_initializer="zeros")
    shape = (-1, *values.shape[1:-1], outputs, count)
    weighted = keras.ops.reshape(weights(seen_powers), shape)
    filtered = keras.ops.sum(weighted * keras.ops.expand_dims(values, -2), axis=-1)
    constant = Dense(outputs)(seen_powers)
    return keras.Model(inputs, filtered + constant)


def filter_title(model: Options, _training: Options) -> str:
    """Return the title, with the sizes that params.yaml gives."""
    sizes = {"powers": "{} powers", "hidden": "{} hidden units"}
    return sizes_title("adaptive filter", model, sizes)


MODELS = {"adaptive_filter": adaptive_filter}

CARDS = {
    "adaptive_filter": ModelCard(
        kind="network",
        title=filter_title,
        color="dense",
        ranges={
            "powers": "8:64",
            "hidden": "16:128",
            "activation": "gelu,relu,tanh,sine",
        },
    )
}
