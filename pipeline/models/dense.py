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
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0,
    last: Annotated[int | None, Field(ge=1)] = None,
    embedding: Annotated[int, Field(ge=0, le=4096)] = 0,
) -> "keras.Model":
    """A multi-layer perceptron on the flattened input; without hidden layers a perceptron.

    Of words it sees the mean of their vectors, padding included, so it knows which there are and not their order. Where
    each timestep has its target, it is asked at each, and sees the values up to there, zeros before them.

    Args:
        problem: inputs of any shape.
        hidden: width of each hidden layer; may be empty.
        activation: of the hidden layers.
        output: activation of the outputs; a class needs "sigmoid".
        dropout: share of each hidden layer's outputs that is dropped.
        last: timesteps that are looked at, of inputs that have some; None for all.
        embedding: width of a word's vector where inputs are word numbers.

    Returns:
        A model from (batch, *problem.input_shape) to (batch, problem.outputs), or (batch, timesteps, 1) where each
        has its target.

    Raises:
        ValueError: words without an embedding, an embedding without words, a class without a sigmoid, or a `last` that
            is more than there is, or of words.
    """
    import keras

    if bool(problem.vocabulary) != bool(embedding):
        raise ValueError("`embedding` must be set where inputs are words, and only there")
    if problem.classify != (output == "sigmoid"):
        raise ValueError('`output` must be "sigmoid" for a class, and only there')
    timesteps = 0 if problem.vocabulary else problem.input_shape[0]
    if last is not None and last > timesteps:
        raise ValueError(f"`last` must be at most {timesteps} timesteps. Received: {last}")
    if problem.each_step and not hidden:
        raise ValueError("`hidden` must not be empty where each timestep has its target")
    model = keras.Sequential([keras.Input(problem.input_shape)])
    if embedding:
        model.add(keras.layers.Embedding(problem.vocabulary, embedding))
        model.add(keras.layers.GlobalAveragePooling1D())
    elif last and not problem.each_step:
        model.add(keras.layers.Cropping1D((timesteps - last, 0)))
    if len(problem.input_shape) > 1 and not problem.each_step:
        model.add(keras.layers.Flatten())
    for place, width in enumerate(hidden):
        if problem.each_step and place == 0:  # a kernel as long as the input is a Dense layer on all that came before
            model.add(keras.layers.Conv1D(width, last or timesteps, padding="causal", activation=activation))
        else:
            model.add(keras.layers.Dense(width, activation=activation))
        if dropout:
            model.add(keras.layers.Dropout(dropout))
    model.add(keras.layers.Dense(1 if problem.each_step else problem.outputs, activation=output))
    return model


MODELS = {"mlp": build}
