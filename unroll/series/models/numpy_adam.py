"""Gradient descent in NumPy, for the small networks of the families `residual` and
`panel`.

All seeds are trained side by side, for a fixed number of steps with Adam (Kingma and Ba
2015, arXiv 1412.6980). The learning rate rises and then falls to 0 (Smith and Topin
2019, arXiv 1708.07120). So early stopping, which would need rows of its own, is not
used. A fit takes the same time for any number of rows.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field
from threadpoolctl import threadpool_limits

from pipeline.data.examples import Array, Examples
from pipeline.errors import DivergedError
from pipeline.training.job import (
    Job,
    Predict,
    Replicate,
    Trained,
    chunks,
    predict_split,
    save_array,
)
from unroll.series.models.numpy_networks import LAYERS, Network
from unroll.series.models.residual import Residual

TRAINS = ("residual",)

MASKS = True
"""Targets may be NaN: a missing target has no gradient."""

RISE = 0.1
"""The share of the steps in which the rate rises from 0."""

MEAN_DECAY = 0.9
"""The decay of Adam's mean of gradients."""

SQUARE_DECAY = 0.999
"""The decay of Adam's mean of squared gradients."""

EPSILON = 1e-7
"""The number that Adam adds to the root of the mean square."""

LONGEST = 1.0
"""The largest norm of a seed's gradient. A longer gradient is shortened to it."""

SMALLEST = 1e-6
"""The standard deviation below which an input counts as constant."""

FARTHEST = 5.0
"""Standard deviations from the mean at which inputs are clipped."""

LARGEST_WEIGHT = 10.0
"""How much a window counts at most, in means over all windows."""


@dataclass(frozen=True)
class Scaling:
    """Moments of the train windows.

    Attributes:
        mean, std: (values,) of the inputs, over windows and rows.
        residual: standard deviation of targets less naive forecasts.
    """

    mean: Array
    std: Array
    residual: float

    def scaled(self, rows: Array) -> Array:
        """Return rows (..., values), standardised."""
        rows = (rows - self.mean) / self.std
        return np.clip(rows, -FARTHEST, FARTHEST)


def train(
    job: Job,
    *,
    steps: Annotated[int, Field(ge=1, le=1_000_000)] = 400,
    epochs: Annotated[int, Field(ge=1, le=10_000)] | None = None,
    batch_size: Annotated[int, Field(ge=1, le=1_000_000)] = 64,
    learning_rate: Annotated[float, Field(gt=0, le=10)] = 0.015,
    loss: Literal["mae", "mse"] = "mae",
) -> Trained:
    """Train a network for each seed.

    Args:
        job: its `build` makes a `Residual`.
        steps: the number of steps, with one batch each.
        epochs: the most times that a window is learnt from; None for no limit.
        batch_size: windows of a batch.
        learning_rate: the highest rate.
        loss: the loss that is minimised.

    Raises:
        DivergedError: the weights are not finite.
    """
    model: Residual = job.build()
    rows, residuals, counts = _examples(model, job.train)
    if epochs is not None:
        steps = min(steps, epochs * max(1, len(rows) // batch_size))
    scaling = _scaling(rows, residuals)
    network = LAYERS[model.layer](rows.shape[-1], model.sizes, model.outputs)
    randoms = [np.random.default_rng(seed) for seed in job.seeds]
    flat = np.concatenate([network.fresh(random) for random in randoms])
    # sums in another order, as by more threads, have other last bits
    with threadpool_limits(1):
        rows = scaling.scaled(rows)
        targets = residuals / np.float32(scaling.residual)
        slope = np.sign if loss == "mae" else np.positive
        batches = _batches(len(rows), min(batch_size, len(rows)), randoms)
        adam = _Adam(flat)
        for step in range(1, steps + 1):
            numbers = next(batches)  # (seeds, batch)
            of_batch = None if counts is None else counts[numbers]
            gradient = _gradient(
                network, flat, rows[numbers], targets[numbers], slope, of_batch
            )
            adam.descend(flat, gradient, step, learning_rate * _share(step / steps))
        replicates = []
        for seed, weights in zip(job.seeds, flat, strict=True):
            if not np.isfinite(weights).all():
                name = job.dataset.name
                raise DivergedError(name, job.experiment, seed, 1, steps)
            predict = partial(_predict, model, network, scaling, weights)
            predictions = {
                f"final_{name}": predict_split(predict, examples)
                for name, examples in job.predicted.items()
            }
            saved = {"final": _packed(scaling, weights)}
            replicates.append(Replicate(seed, predictions=predictions, weights=saved))
    return Trained(replicates, network.size, save_array, _layers(model, network), loss)


def load(model: Residual, weights: Array) -> Predict:
    """Return a trained network as a function: inputs (n, timesteps, columns) -> (n,) or
    (n, outputs).

    Raises:
        ValueError: the weights are not of this model.
    """
    if weights.ndim != 1 or not len(weights) or not 1 <= weights[0] <= len(weights):
        raise ValueError(
            "one array must hold the number of inputs, scaling and weights. Received: "
            f"an array of the shape {weights.shape}"
        )
    values = int(weights[0])
    network = LAYERS[model.layer](values, model.sizes, model.outputs)
    needed = 2 + 2 * values + network.size
    if len(weights) != needed:
        raise ValueError(f"{needed} numbers are needed. Received: {len(weights)}")
    mean, std, flat = np.split(weights[2:], [values, 2 * values])
    scaling = Scaling(mean, std, float(weights[1]))
    return partial(_predict, model, network, scaling, flat)


def _packed(scaling: Scaling, flat: Array) -> Array:
    """One array with the number of values, the scaling and the weights of a network."""
    header = np.array([len(scaling.mean), scaling.residual], np.float32)
    return np.concatenate([header, scaling.mean, scaling.std, flat])


def _predict(
    model: Residual, network: Network, scaling: Scaling, flat: Array, inputs: Array
) -> Array:
    """The forecasts (n,) or (n, outputs): naive ones plus the outputs of one network."""
    rows = scaling.scaled(model.rows(inputs))
    outputs, _ = network.forward(network.views(flat[None]), batched(rows[None]))
    # (n, outputs)
    return model.forecasts(inputs, scaling.residual * outputs[0].T)


def _layers(model: Residual, network: Network) -> list[dict[str, Any]]:
    """The layers as `Trained` lists them."""
    head = model.outputs * (model.sizes[-1] + 1)
    return [
        {
            "name": model.layer.lower(),
            "type": model.layer,
            "output": [None, model.sizes[-1]],
            "parameters": network.size - head,
        },
        {
            "name": "head",
            "type": "Dense",
            "output": [None, model.outputs],
            "parameters": head,
        },
    ]


def _examples(model: Residual, split: Examples) -> tuple[Array, Array, Array | None]:
    """The enriched rows of all windows that count, and their residuals (windows, outputs).

    The third array has how much the errors (windows,) of each count, relative to their
    mean; it is None if all count equally much.
    """
    rows = []
    residuals = []
    weights = []
    for inputs, targets in chunks(split):
        rows.append(model.rows(inputs))
        residuals.append(model.residuals(inputs, targets))
        if model.weights is not None:
            weights.append(model.weights(inputs))
    every = np.concatenate(rows)
    errors = np.concatenate(residuals).astype(np.float32)
    if not weights:
        return every, errors, None
    counts = np.concatenate(weights)
    some = counts > 0
    relative = np.minimum(counts[some] / counts[some].mean(), LARGEST_WEIGHT)
    return every[some], errors[some], relative.astype(np.float32)


def _scaling(rows: Array, residuals: Array) -> Scaling:
    axes = tuple(range(rows.ndim - 1))
    mean = rows.mean(axis=axes, dtype=np.float64)
    std = rows.std(axis=axes, dtype=np.float64)
    std[std < SMALLEST] = 1.0  # a constant is not scaled
    residual = np.nanstd(residuals, dtype=np.float64) or 1.0
    rounded = float(np.float32(residual))
    return Scaling(mean.astype(np.float32), std.astype(np.float32), rounded)


def _batches(
    count: int, size: int, randoms: list[np.random.Generator]
) -> Iterator[Array]:
    """Yield whole batches (seeds, size) of window numbers, without end.

    Each seed draws a new order for each epoch.
    """
    while True:
        orders = np.stack([random.permutation(count) for random in randoms])
        for start in range(0, count - size + 1, size):
            yield orders[:, start : start + size]


def batched(rows: Array) -> Array:
    """Rows with the batch as the last axis, and timesteps, if any, as the first.

    `rows` is (seeds, batch, timesteps, values) or (seeds, batch, values).
    """
    order = (2, 0, 3, 1) if rows.ndim == 4 else (0, 2, 1)
    return np.ascontiguousarray(rows.transpose(order))


def _gradient(
    network: Network,
    flat: Array,
    rows: Array,
    targets: Array,
    slope: Callable[[Array], Array],
    sizes: Array | None,
) -> Array:
    """The gradient (seeds, size) of the loss, no longer than `LONGEST` for each seed.

    Args:
        network: the network.
        flat: (seeds, size) the weights.
        rows: (seeds, batch, ...) standardised.
        targets: (seeds, batch, outputs), NaN where there is none.
        slope: errors -> slope of the loss.
        sizes: (seeds, batch) how much each window counts; None for equally much.
    """
    weights = network.views(flat)
    outputs, tape = network.forward(weights, batched(rows))
    errors = outputs - targets.swapaxes(1, 2)  # (seeds, outputs, batch)
    slopes = np.where(np.isfinite(errors), slope(errors), np.float32(0))
    if sizes is not None:
        slopes = slopes * sizes[:, None]
    gradient = np.empty_like(flat)
    of_mean = slopes / np.float32(slopes[0].size)
    network.backward(weights, of_mean, tape, network.views(gradient))
    norms = np.linalg.norm(gradient, axis=1, keepdims=True)
    gradient *= np.minimum(LONGEST / np.maximum(norms, EPSILON), 1)
    return gradient


class _Adam:
    """Adam's means of gradients and of their squares, for weights (seeds, size)."""

    def __init__(self, flat: Array) -> None:
        self._mean = np.zeros_like(flat)
        self._square = np.zeros_like(flat)

    def descend(self, flat: Array, gradient: Array, step: int, rate: float) -> None:
        """Change the weights `flat` in place, in a step that is counted from 1."""
        mean = self._mean
        square = self._square
        mean += np.float32(1 - MEAN_DECAY) * (gradient - mean)
        square += np.float32(1 - SQUARE_DECAY) * (gradient * gradient - square)
        correction = np.sqrt(1 - SQUARE_DECAY**step) / (1 - MEAN_DECAY**step)
        flat -= np.float32(rate * correction) * mean / (np.sqrt(square) + EPSILON)


def _share(progress: float) -> float:
    """The share of the highest rate at a progress from 0 to 1.

    The share rises on a line and then falls on half a cosine.
    """
    if progress < RISE:
        return progress / RISE
    return 0.5 * (1 + float(np.cos(np.pi * (progress - RISE) / (1 - RISE))))
