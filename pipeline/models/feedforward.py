"""Networks without recurrence that look at timesteps: convolutions, linear maps, a
transformer, and a filter whose weights depend on its input.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from pipeline.config.model_card import ModelCard, Options
from pipeline.data.problem import Problem
from pipeline.models import Last, Rate, Size, look_back
from pipeline.models.dense import up_to_each

if TYPE_CHECKING:
    import keras

Few = Annotated[int, Field(ge=1, le=12)]
Start = Literal["keras", "pytorch"]
"""The library whose initial weights the linear maps have.

The published figures (cure-lab/LTSF-Linear) are of ten epochs at a rate that halves.
After so few epochs the initial weights still matter. PyTorch's are half the size of
Keras' or less. With Keras' weights, ten epochs give an error that is 7 to 17 % larger.
"""


def tcn(
    problem: Problem,
    *,
    filters: Size = 32,
    kernel: Annotated[int, Field(ge=1, le=512)] = 3,
    layers: Few = 3,
    activation: Literal["relu", "tanh"] = "relu",
    dropout: Rate = 0.0,
) -> "keras.Model":
    """Causal convolutions, each added to what came in (Bai, Kolter and Koltun 2018,
    arXiv 1803.01271).

    Args:
        problem: of series.
        filters: filters of each layer.
        kernel: timesteps that a filter weighs; in layer n, counted from 0, they lie 2^n
            apart.
        layers: number of layers. They look back (kernel - 1) (2^layers - 1) timesteps.
        activation: activation of each layer.
        dropout: fraction of each layer's outputs that is dropped, the same outputs at
            all timesteps.

    Returns:
        A model from (batch, *problem.input_shape) to (batch, problem.outputs), read
        from the last timestep; or to (batch, timesteps, 1) if each timestep has its
        target.

    Raises:
        ValueError: like `_timesteps`.
    """
    import keras

    from pipeline.layers import Dense

    inputs, values = _timesteps(problem, each_step=True)
    for layer in range(layers):
        # The timesteps of a filter are put side by side for one matrix product, which
        # takes a ninth of the time of a Conv1D under XLA.
        dilation = 2**layer
        steps = values.shape[1]
        padded = keras.layers.ZeroPadding1D(((kernel - 1) * dilation, 0))(values)
        taps = [padded[:, k * dilation : k * dilation + steps] for k in range(kernel)]
        side_by_side = keras.ops.concatenate(taps, axis=2)
        seen = Dense(filters, activation=activation)(side_by_side)
        if values.shape[-1] != filters:
            values = Dense(filters)(values)
        values = keras.layers.SpatialDropout1D(dropout)(seen) + values
    if problem.each_step:
        return keras.Model(inputs, Dense(1)(values))
    return keras.Model(inputs, Dense(problem.outputs)(values[:, -1]))


def convolutions(
    problem: Problem,
    *,
    filters: Size = 8,
    kernels: Annotated[
        Sequence[Annotated[int, Field(ge=1, le=512)]],
        Field(min_length=1, max_length=12),
    ] = (24, 12, 6),
) -> "keras.Model":
    """Document 006's convolutions, with poolings by 2 between them and a mean at the end.

    Args:
        problem: of series.
        filters: filters of each convolution.
        kernels: timesteps that a filter of each convolution weighs. Inputs are not
            padded, so each convolution returns fewer timesteps.

    Raises:
        ValueError: like `_timesteps`, or no timestep is left.
    """
    import keras

    from pipeline.layers import Dense

    inputs, values = _timesteps(problem)
    for level, kernel in enumerate(kernels):
        if level > 0:
            values = keras.layers.MaxPooling1D(2)(values)
        steps = values.shape[1] - kernel + 1
        columns = values.shape[2]
        if steps < 1:
            raise ValueError(
                f"`kernels` leave no timestep of {problem.input_shape[0]}. Received: "
                f"{list(kernels)}"
            )
        # The timesteps of a filter are put side by side, as in `tcn`.
        taps = np.arange(steps)[:, None] + np.arange(kernel)
        seen = keras.ops.take(values, taps, axis=1)
        seen = keras.ops.reshape(seen, (-1, steps, kernel * columns))
        bound = (6 / kernel / (columns + filters)) ** 0.5  # as Keras starts a Conv1D
        start = keras.initializers.RandomUniform(-bound, bound)
        layer = Dense(filters, activation="relu", kernel_initializer=start)
        values = layer(seen)
    pooled = keras.layers.GlobalAveragePooling1D()(values)
    return keras.Model(inputs, Dense(problem.outputs)(pooled))


def linear(problem: Problem, *, start: Start = "keras") -> "keras.Model":
    """One linear map of each column's own past, shared by all columns (Zeng et al.
    2023, arXiv 2205.13504).

    Raises:
        ValueError: the data set does not forecast every column.
    """
    import keras

    if not problem.every:
        raise ValueError(
            "linear needs a data set that asks for every column; `mlp` without "
            "`hidden` is for the rest"
        )
    inputs, values = _timesteps(problem)
    return _started(keras.Model(inputs, _mapped(problem, values)), start)


def nlinear(problem: Problem, *, start: Start = "keras") -> "keras.Model":
    """One linear map of the window less its last value, which is added to the outputs
    (Zeng et al. 2023, arXiv 2205.13504).

    Args:
        problem: of series. All columns are weighed. If every column is forecast, each
            is forecast from its own past, with the same weights.
        start: see `Start`.

    Raises:
        ValueError: like `_timesteps`.
    """
    import keras

    inputs, values = _timesteps(problem)
    latest = values[:, -1:]
    moved = _mapped(problem, values - latest)
    if problem.every:
        level = keras.ops.tile(latest[:, 0], (1, moved.shape[1] // latest.shape[2]))
    else:
        level = latest[:, :, problem.target]
    return _started(keras.Model(inputs, moved + level), start)


def dlinear(
    problem: Problem, *, average: Size = 25, start: Start = "keras"
) -> "keras.Model":
    """One linear map of the window's moving average, and one of the remainder (Zeng et
    al. 2023, arXiv 2205.13504).

    Args:
        problem: of series, as for `nlinear`.
        average: timesteps of the moving average. The first and the last value are
            repeated beyond the ends.
        start: see `Start`.

    Raises:
        ValueError: like `_timesteps`.
    """
    import keras

    inputs, values = _timesteps(problem)
    before = [values[:, :1]] * ((average - 1) // 2)
    after = [values[:, -1:]] * (average // 2)
    padded = keras.ops.concatenate([*before, values, *after], axis=1)
    trend = keras.layers.AveragePooling1D(average, 1)(padded)
    outputs = _mapped(problem, trend) + _mapped(problem, values - trend)
    return _started(keras.Model(inputs, outputs), start)


def _started(model: "keras.Model", start: Start) -> "keras.Model":
    """The model, with the initial weights that `start` names.

    PyTorch's `nn.Linear` draws weights and biases uniformly within 1 / sqrt(inputs).
    """
    import keras

    for layer in model.layers if start == "pytorch" else ():
        if isinstance(layer, keras.layers.Dense):
            bound = layer.kernel.shape[0] ** -0.5
            # Without a seed here, Keras draws one from the replicate's seed.
            draw = keras.initializers.RandomUniform(-bound, bound)
            layer.set_weights([draw(weights.shape) for weights in layer.weights])
    return model


def _mapped(problem: Problem, values: Any) -> Any:
    """A linear map of timesteps (batch, timesteps, values) to (batch, outputs).

    If every column is forecast, all columns share one map.
    """
    import keras

    from pipeline.layers import Dense

    if not problem.every:
        return Dense(problem.outputs)(keras.layers.Flatten()(values))
    past = keras.ops.transpose(values, (0, 2, 1))  # (batch, columns, timesteps)
    ahead = Dense(problem.outputs // values.shape[2])(past)
    by_time = keras.ops.transpose(ahead, (0, 2, 1))
    return keras.ops.reshape(by_time, (-1, problem.outputs))


def _timesteps(
    problem: Problem, *, each_step: bool = False
) -> tuple["keras.KerasTensor", Any]:
    """A model's input, and its timesteps (batch, timesteps, values).

    The values of a vector count as timesteps.

    Raises:
        ValueError: inputs are words; targets are classes; or each timestep has its
            target, without `each_step`.
    """
    import keras

    if problem.vocabulary or problem.classify or problem.each_step > each_step:
        raise ValueError(
            "this network needs inputs of values, and targets that are values after "
            "the last timestep"
        )
    inputs = keras.Input(problem.input_shape)
    if len(problem.input_shape) == 1:
        return inputs, keras.ops.expand_dims(inputs, -1)
    return inputs, inputs


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
        ValueError: like `_timesteps`.
    """
    import keras

    from pipeline.layers import Dense

    inputs, values = _timesteps(problem, each_step=True)
    steps = values.shape[1]
    width = heads * size
    padded = keras.layers.ZeroPadding1D((taps - 1, 0))(values)
    tapped = [padded[:, tap : tap + steps] for tap in range(taps)]
    # (batch, timesteps, timesteps): the number of each timestep, one-hot. A layer turns
    # it into a vector, which is 0 before training.
    positions = keras.ops.zeros_like(values[:, :, :1]) + np.eye(steps, dtype=np.float32)
    hidden = Dense(width)(keras.ops.concatenate(tapped, axis=2))
    at = Dense(width, use_bias=False, kernel_initializer="zeros")
    hidden = hidden + at(positions)  # (batch, timesteps, width)
    causal_mask = np.triu(np.full((steps, steps), -1e9, dtype=np.float32), 1)

    by_head = (-1, steps, heads, size)
    for _ in range(layers):
        normed = keras.layers.LayerNormalization()(hidden)
        queries, keys, contents = [
            keras.ops.reshape(Dense(width)(normed), by_head) for _ in range(3)
        ]
        # (batch, heads, timesteps, timesteps)
        scores = keras.ops.einsum("bihd,bjhd->bhij", queries, keys) / size**0.5
        weights = keras.ops.softmax(scores + causal_mask)
        attended = keras.ops.einsum("bhij,bjhd->bihd", weights, contents)
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
        ValueError: like `_timesteps`.
    """
    import keras

    from pipeline.layers import Dense

    inputs, values = _timesteps(problem, each_step=True)
    steps, columns = values.shape[1:]
    seen = look_back(steps, last)
    if problem.each_step:
        values = up_to_each(values, seen)
        outputs = 1
    else:
        values = keras.layers.Flatten()(values[:, steps - seen :])
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
        places = np.arange(steps)[:, None] + np.arange(1 - seen, 1)
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


def sizes_title(
    name: str, sizes: Mapping[str, str], model: Options, _training: Options
) -> str:
    """Return a title such as "transformer with 4 heads, head size 8".

    `sizes` are option -> its words. Options that are not set are left out.
    """
    said = [
        words.format(model[option])
        for option, words in sizes.items()
        if option in model
    ]
    return f"{name} with {', '.join(said)}" if said else name


MODELS = {
    "tcn": tcn,
    "convolutions": convolutions,
    "linear": linear,
    "nlinear": nlinear,
    "dlinear": dlinear,
    "transformer": transformer,
    "adaptive_filter": adaptive_filter,
}

CARDS = {
    "tcn": ModelCard(
        kind="network",
        title="TCN",
        color="convolution",
        ranges={"filters": "8:48", "kernel": "2:5", "layers": "2:5"},
    ),
    "convolutions": ModelCard(kind="network", color="convolution"),
    "linear": ModelCard(
        kind="network", title="a linear map for all columns", color="linear", ranges={}
    ),
    "nlinear": ModelCard(kind="network", title="NLinear", color="linear"),
    "dlinear": ModelCard(kind="network", title="DLinear", color="linear"),
    "transformer": ModelCard(
        kind="network",
        title=partial(
            sizes_title,
            "transformer",
            {"layers": "{} layers", "heads": "{} heads", "size": "head size {}"},
        ),
        family="transformer",
        color="dense",
        ranges={"heads": "3:5", "size": "6:12", "layers": "2:4", "taps": "1:12"},
    ),
    "adaptive_filter": ModelCard(
        kind="network",
        title=partial(
            sizes_title,
            "adaptive filter",
            {"powers": "{} powers", "hidden": "{} hidden units"},
        ),
        family="adaptive filter",
        color="dense",
        ranges={
            "powers": "8:64",
            "hidden": "16:128",
            "activation": "gelu,relu,tanh,sine",
        },
    ),
}
