"""Feed-forward networks."""

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from pipeline.data.problem import Problem
from pipeline.models import Last, Rate, Size, Width, check_embedding, look_back

if TYPE_CHECKING:
    import keras


def build(
    problem: Problem,
    *,
    hidden: Annotated[list[Size], Field(max_length=16)],
    activation: Literal["relu", "tanh", "sine"] = "relu",
    output: Literal["linear", "tanh", "sigmoid"] = "linear",
    dropout: Rate = 0.0,
    last: Last = None,
    embedding: Width = 0,
) -> "keras.Model":
    """A multi-layer perceptron on the flattened input; without hidden layers a
    perceptron.

    Of words it sees the mean of their vectors, padding included, so it knows which
    there are and not their order. Where each timestep has its target, it is asked at
    each, and sees the values up to there, zeros before them.

    Args:
        problem: inputs of any shape.
        hidden: width of each hidden layer; may be empty.
        activation: of the hidden layers; `sine` is that of Sitzmann et al. 2020 (arXiv
            2006.09661), with Keras' initial weights.
        output: activation of the outputs; a class needs "sigmoid".
        dropout: fraction of each hidden layer's outputs that is dropped.
        last: timesteps that are seen, of inputs that have some.
        embedding: width of a word's vector where inputs are word numbers.

    Returns:
        A model from (batch, *problem.input_shape) to (batch, problem.outputs), or
        (batch, timesteps, 1) where each has its target.

    Raises:
        ValueError: as `check_embedding` and `look_back`; a class without a sigmoid, or
            a `last` of words.
    """
    import keras

    check_embedding(problem, embedding)
    if problem.classify != (output == "sigmoid"):
        raise ValueError('`output` must be "sigmoid" for a class, and only there')
    timesteps = 0 if problem.vocabulary else problem.input_shape[0]
    seen = look_back(timesteps, last)
    model = keras.Sequential([keras.Input(problem.input_shape)])
    if embedding:
        model.add(keras.layers.Embedding(problem.vocabulary, embedding))
        model.add(keras.layers.GlobalAveragePooling1D())
    elif last and not problem.each_step:
        model.add(keras.layers.Cropping1D((timesteps - last, 0)))
    if problem.each_step:
        model.add(keras.layers.Lambda(partial(_up_to_each, seen=seen)))
    elif len(problem.input_shape) > 1:
        model.add(keras.layers.Flatten())
    # at all timesteps the same is dropped, as a recurrent layer has it
    drop = keras.layers.Dropout
    outputs = problem.outputs
    if problem.each_step:
        drop = keras.layers.SpatialDropout1D
        outputs = 1
    function = keras.ops.sin if activation == "sine" else activation
    for width in hidden:
        model.add(keras.layers.Dense(width, activation=function))
        if dropout:
            model.add(drop(dropout))
    model.add(keras.layers.Dense(outputs, activation=output))
    return model


def _up_to_each(values: Any, seen: int) -> Any:
    """For each timestep (batch, timesteps, values) the last ones up to it, zeros before
    the first, side by side.
    """
    import keras

    steps = values.shape[1]
    padded = keras.ops.pad(values, [(0, 0), (seen - 1, 0), (0, 0)])
    places = np.arange(steps)[:, None] + np.arange(seen)
    windows = keras.ops.take(padded, places, axis=1)
    return keras.ops.reshape(windows, (-1, steps, seen * values.shape[2]))


MODELS = {"mlp": build}
