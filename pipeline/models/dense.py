"""Feed-forward networks."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from pipeline.data.problem import Problem

if TYPE_CHECKING:
    import keras

Size = Annotated[int, Field(ge=1, le=4096)]


def build(
    problem: Problem,
    *,
    hidden: Annotated[list[Size], Field(max_length=16)],
    activation: Literal["relu", "tanh"] = "relu",
    output: Literal["linear", "tanh", "sigmoid"] = "linear",
    embedding: Annotated[int, Field(ge=0, le=4096)] = 0,
) -> "keras.Model":
    """A multi-layer perceptron on the flattened input; without hidden layers a perceptron.

    Of words it sees the mean of their vectors, padding included, so it knows which there are and not their order.

    Args:
        problem: inputs of any shape.
        hidden: width of each hidden layer; may be empty.
        activation: of the hidden layers.
        output: activation of the outputs; a class needs "sigmoid".
        embedding: width of a word's vector where inputs are word numbers.

    Returns:
        A model from (batch, *problem.input_shape) to (batch, problem.outputs).

    Raises:
        ValueError: words without an embedding, an embedding without words, a class without a sigmoid, or targets that
            are one for each timestep.
    """
    import keras

    if bool(problem.vocabulary) != bool(embedding):
        raise ValueError("`embedding` must be set where inputs are words, and only there")
    if problem.classify != (output == "sigmoid"):
        raise ValueError('`output` must be "sigmoid" for a class, and only there')
    if problem.each_step:
        raise ValueError("a perceptron sees the whole input, and these targets are to be answered step by step")
    model = keras.Sequential([keras.Input(problem.input_shape)])
    if embedding:
        model.add(keras.layers.Embedding(problem.vocabulary, embedding))
        model.add(keras.layers.GlobalAveragePooling1D())
    elif len(problem.input_shape) > 1:
        model.add(keras.layers.Flatten())
    for width in hidden:
        model.add(keras.layers.Dense(width, activation=activation))
    model.add(keras.layers.Dense(problem.outputs, activation=output))
    return model


MODELS = {"mlp": build}
