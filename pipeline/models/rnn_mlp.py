"""Recurrent networks whose states are read by a perceptron.

`recurrent` reads the states by a linear map.
"""

from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from pipeline.data.problem import Problem
from pipeline.models import Rate, Size, recurrent

if TYPE_CHECKING:
    import keras


def build(
    cell: Literal["LSTM", "GRU"],
    problem: Problem,
    *,
    units: Size = 32,
    layers: Annotated[int, Field(ge=1, le=16)] = 1,
    hidden: Size = 64,
    activation: Literal["gelu", "relu", "tanh"] = "gelu",
    dropout: Rate = 0.0,
) -> "keras.Model":
    """A stack of recurrent layers with a hidden layer between state and outputs.

    Args:
        cell: the Keras layer.
        problem: of values, not words.
        units: width of each recurrent layer.
        layers: the number of recurrent layers.
        hidden: width of the hidden layer.
        activation: activation of the hidden layer.
        dropout: fraction of each recurrent layer's inputs that is dropped.

    Raises:
        ValueError: inputs are words, or targets classes.
    """
    from pipeline.layers import Dense

    if problem.vocabulary or problem.classify:
        raise ValueError("rnn_mlp needs inputs and targets that are values")
    model = recurrent.build(
        cell, problem, units=units, layers=layers, dropout=dropout, head=False
    )
    outputs = 1 if len(model.output_shape) == 3 else problem.outputs
    model.add(Dense(hidden, activation=activation))
    model.add(Dense(outputs))
    return model


MODELS = {"lstm": partial(build, "LSTM"), "gru": partial(build, "GRU")}

CARDS = {
    "lstm": recurrent.cell_card("LSTM", "lstm"),
    "gru": recurrent.cell_card("GRU", "gru"),
}
