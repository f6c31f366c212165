"""Feed-forward networks."""

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from pipeline.config.model_card import ModelCard, Options
from pipeline.data.problem import Problem
from pipeline.models import Rate, Width

if TYPE_CHECKING:
    import keras


def build(
    problem: Problem,
    *,
    hidden: Annotated[list[Width], Field(max_length=16)],
    activation: Literal["relu", "tanh", "sine", "gelu"] = "relu",
    output: Literal["linear", "tanh", "sigmoid"] = "linear",
    dropout: Rate = 0.0,
    input_dropout: Rate = 0.0,
    embedding: Width = 0,
    pooling: Literal["mean_with_padding", "mean", "max", "mean_max"] = (
        "mean_with_padding"
    ),
    word_dropout: Rate = 0.0,
) -> "keras.Model":
    """A multi-layer perceptron on the flattened input; without hidden layers a
    perceptron.

    For words it sees what `pooling` makes of their vectors, so the order of words does
    not count. If each timestep has its target, the perceptron is applied at each
    timestep. There it sees the values up to the timestep, and zeros before the first.

    Args:
        problem: with inputs of any shape.
        hidden: width of each hidden layer, 0 for none; may be empty.
        activation: of the hidden layers; `sine` is that of Sitzmann et al. 2020 (arXiv
            2006.09661), with Keras' initial weights.
        output: activation of the outputs; a class needs "sigmoid".
        dropout: fraction of each hidden layer's outputs that is dropped.
        input_dropout: fraction of the first layer's inputs that is dropped.
        embedding: width of a word's vector, for words.
        pooling: what is seen of the words' vectors. `mean_max` is the maximum of each
            value and the mean, side by side. Only `mean_with_padding` counts padding as
            words.
        word_dropout: fraction of the words whose whole vector is 0 in training.

    Returns:
        A model from (batch, *problem.input_shape) to (batch, problem.outputs), or to
        (batch, timesteps, 1) if each timestep has its target.

    Raises:
        ValueError: like `check_embedding`; a class without a sigmoid; or `pooling` for
            values.
    """
    import keras

    from pipeline.layers import Dense, add_embedding, check_embedding, time_pooling

    check_embedding(problem, embedding, word_dropout)
    skip_padding = pooling != "mean_with_padding"
    if skip_padding and not problem.vocabulary:
        raise ValueError(f"`pooling` is for words. Received: {pooling} for values")
    if problem.classify != (output == "sigmoid"):
        raise ValueError('`output` must be "sigmoid" for a class, and only there')
    model = keras.Sequential([keras.Input(problem.input_shape)])
    if embedding:
        add_embedding(
            model,
            problem,
            embedding,
            word_dropout=word_dropout,
            skip_padding=skip_padding,
        )
        if skip_padding:
            model.add(time_pooling(pooling))
        else:
            model.add(keras.layers.GlobalAveragePooling1D())
    if problem.each_step:
        model.add(keras.layers.Lambda(partial(up_to_each, seen=problem.input_shape[0])))
    elif len(problem.input_shape) > 1:
        model.add(keras.layers.Flatten())
    # Like a recurrent layer, it drops the same outputs at all timesteps.
    drop = keras.layers.Dropout
    outputs = problem.outputs
    if problem.each_step:
        drop = keras.layers.SpatialDropout1D
        outputs = 1
    function = keras.ops.sin if activation == "sine" else activation
    if input_dropout:
        model.add(drop(input_dropout))
    for width in filter(None, hidden):
        model.add(Dense(width, activation=function))
        if dropout:
            model.add(drop(dropout))
    model.add(Dense(outputs, activation=output))
    return model


def up_to_each(values: Any, seen: int) -> Any:
    """Return the last `seen` timesteps up to each timestep, side by side.

    Values (batch, timesteps, values) become (batch, timesteps, seen * values), with
    zeros before the first timestep.
    """
    import keras

    steps = values.shape[1]
    padded = keras.ops.pad(values, [(0, 0), (seen - 1, 0), (0, 0)])
    places = np.arange(steps)[:, None] + np.arange(seen)
    windows = keras.ops.take(padded, places, axis=1)
    return keras.ops.reshape(windows, (-1, steps, seen * values.shape[2]))


def mlp_title(model: Options, _training: Options) -> str:
    """Return the title, such as "dense network 64-32"."""
    if not model.get("hidden"):
        return "perceptron"
    words = "dense network " + "-".join(map(str, filter(None, model["hidden"])))
    return f"{words} of sines" if model.get("activation") == "sine" else words


def inputs_title(model: Options, _training: Options) -> str:
    """Return what is seen of words; "" for values."""
    return " on the mean of word vectors" if model.get("embedding") else ""


MODELS = {"mlp": build}

CARDS = {
    "mlp": ModelCard(
        kind="network",
        title=mlp_title,
        family="dense network",
        detail=inputs_title,
        color="dense",
        ranges={
            "hidden.1": "16:256",
            # 0 is no layer, so there are one to three.
            "hidden.2": "0,32,64,128,256",
            "hidden.3": "0,64,256",
            "activation": "relu,tanh,sine,gelu",
            "pooling": "mean,max,mean_max",
        },
    )
}
