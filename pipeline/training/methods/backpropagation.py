"""Gradient descent in NumPy, for the small networks of the family `residual`.

All seeds are trained side by side, for a fixed number of steps with Adam (Kingma and Ba
2015, arXiv 1412.6980) at a rate that rises and then falls to 0 (Smith and Topin 2019,
arXiv 1708.07120). So no rows are needed to stop early by, and a fit takes the same time
however many rows there are.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field
from threadpoolctl import threadpool_limits

from pipeline.data.examples import Array, Examples
from pipeline.errors import DivergedError
from pipeline.files import write_npz
from pipeline.models.residual import Residual
from pipeline.training import prediction
from pipeline.training.job import Job, Replicate, Trained
from pipeline.training.numpy_networks import LAYERS, Network

TRAINS = ("residual",)

MASKS = True
"""Targets may be NaN: such a value has no gradient."""

RISE = 0.1
"""The share of the steps in which the rate rises from 0."""

DECAYS = (0.9, 0.999)
"""Of Adam's means of gradients and of their squares."""

EPSILON = 1e-7
"""What Adam adds to the root of the mean square."""

LONGEST = 1.0
"""The norm of a seed's gradient at most; a longer one is shortened to it."""

SMALLEST = 1e-6
"""The standard deviation below which an input is taken to be constant."""

HEADER = 2
"""Numbers at the beginning of an array of weights: how many values a row has, and
`Scaling.residual`."""

FARTHEST = 5.0
"""Standard deviations: an input that lies further from its mean is taken to lie there.
"""


@dataclass(frozen=True)
class Scaling:
    """Moments of the train windows.

    Attributes:
        mean, std: (values,) of the inputs, over windows and rows.
        residual: standard deviation of what the network learns.
    """

    mean: Array
    std: Array
    residual: float

    def scaled(self, rows: Array) -> Array:
        """Standardise rows (..., values)."""
        rows = (rows - self.mean) / self.std
        return np.clip(rows, -FARTHEST, FARTHEST, out=rows)


def train(
    job: Job,
    *,
    steps: Annotated[int, Field(ge=1, le=1_000_000)] = 400,
    batch_size: Annotated[int, Field(ge=1, le=1_000_000)] = 64,
    learning_rate: Annotated[float, Field(gt=0, le=10)] = 0.015,
    loss: Literal["mae", "mse"] = "mae",
) -> Trained:
    """Train a network of each seed.

    Args:
        job: its `build` makes a `models.residual.Residual`.
        steps: batches that are learned from.
        batch_size: windows of a step.
        learning_rate: the highest rate.
        loss: what is made small.

    Raises:
        DivergedError: the weights are not finite.
    """
    model: Residual = job.build()
    split = job.dataset.splits["train"]
    rows, targets = _examples(model, split)
    scaling = _scaling(rows, targets)
    network = LAYERS[model.layer](rows.shape[-1], model.sizes, model.outputs)
    # sums in another order, as by more threads, have other last bits
    with threadpool_limits(1):
        flat = _descended(
            network,
            scaling.scaled(rows),
            targets / np.float32(scaling.residual),
            seeds=job.seeds,
            steps=steps,
            batch_size=min(batch_size, len(rows)),
            learning_rate=learning_rate,
            slope=np.sign if loss == "mae" else np.positive,
        )
        replicates = []
        for number, seed in enumerate(job.seeds):
            if not np.isfinite(flat[number]).all():
                raise DivergedError(job.experiment, seed, 1, steps)
            weights = _packed(scaling, flat[number])
            predict = load(model, weights)
            predictions = {}
            for name, examples in job.predicted.items():
                predictions[f"final_{name}"] = prediction.predict_split(
                    predict, examples
                )
            replicates.append(
                Replicate(seed, [], None, predictions, {"final": weights})
            )
    return Trained(replicates, network.size, _save, _layers(model, network), loss)


def load(model: Residual, weights: Array) -> Callable[[Array], Array]:
    """A trained network as a function: inputs (n, timesteps, columns) -> (n, outputs).

    Raises:
        ValueError: the weights are not of this model.
    """
    values = int(weights[0])
    head = HEADER + 2 * values
    network = LAYERS[model.layer](values, model.sizes, model.outputs)
    if len(weights) != head + network.size:
        raise ValueError(
            f"{head + network.size} numbers are needed. Received: {len(weights)}"
        )
    mean = weights[HEADER : HEADER + values]
    std = weights[HEADER + values : head]
    scaling = Scaling(mean, std, float(weights[1]))
    layers = network.views(weights[None, head:])

    def predict(inputs: Array) -> Array:
        rows = scaling.scaled(model.rows(inputs))
        residuals, _ = network.forward(layers, _batched(rows[None]))
        forecasts = model.naive(inputs) + scaling.residual * residuals[0].T
        return np.asarray(forecasts if model.outputs > 1 else forecasts[:, 0])

    return predict


def _save(weights: Array, path: Path) -> None:
    """Write `PATH.npz`, which `fitted_models.load` reads."""
    write_npz(path.with_name(f"{path.name}.npz"), {"weights": weights})


def _layers(model: Residual, network: Network) -> list[dict[str, Any]]:
    """The layers as `Trained` lists them."""
    head = model.outputs * (model.sizes[-1] + 1)
    inner = network.size - head
    return [
        {
            "name": model.layer.lower(),
            "type": model.layer,
            "output": [None, model.sizes[-1]],
            "parameters": inner,
        },
        {
            "name": "head",
            "type": "Dense",
            "output": [None, model.outputs],
            "parameters": head,
        },
    ]


def _packed(scaling: Scaling, flat: Array) -> Array:
    """One array of the number of values, the scaling, and a network's weights."""
    header = np.array([len(scaling.mean), scaling.residual], np.float32)
    return np.concatenate([header, scaling.mean, scaling.std, flat])


def _examples(model: Residual, split: Examples) -> tuple[Array, Array]:
    """What the network sees of all windows, and what it learns: targets less naive
    forecasts.
    """
    rows = []
    residuals = []
    for inputs, targets in prediction.chunks(split):
        rows.append(model.rows(inputs))
        residuals.append(targets.reshape(len(inputs), -1) - model.naive(inputs))
    return np.concatenate(rows), np.concatenate(
        residuals, dtype=np.float32, casting="same_kind"
    )


def _scaling(rows: Array, residuals: Array) -> Scaling:
    over = tuple(range(rows.ndim - 1))
    mean = rows.mean(axis=over, dtype=np.float64)
    std = rows.std(axis=over, dtype=np.float64)
    std[std < SMALLEST] = 1.0  # of a constant
    residual = np.nanstd(residuals, dtype=np.float64) or 1.0  # of a constant
    return Scaling(
        mean.astype(np.float32), std.astype(np.float32), float(np.float32(residual))
    )


def _batched(rows: Array) -> Array:
    """Rows (seeds, batch, timesteps, values) or (seeds, batch, values) as networks take
    them.
    """
    order = (2, 0, 3, 1) if rows.ndim == 4 else (0, 2, 1)
    return np.ascontiguousarray(rows.transpose(order))


def _descended(
    network: Network,
    rows: Array,
    targets: Array,
    *,
    seeds: Sequence[int],
    steps: int,
    batch_size: int,
    learning_rate: float,
    slope: Callable[[Array], Array],
) -> Array:
    """The weights (seeds, size) after all steps.

    Args:
        network: of one seed.
        rows: (windows, ...) standardised.
        targets: (windows, outputs), NaN where there is none.
        seeds: of initial weights and the order of windows.
        steps: as for `train`.
        batch_size: as for `train`.
        learning_rate: as for `train`.
        slope: errors -> slope of the loss.
    """
    randoms = [np.random.default_rng(seed) for seed in seeds]
    flat = np.concatenate([network.fresh(random) for random in randoms])
    gradient = np.empty_like(flat)
    mean = np.zeros_like(flat)
    square = np.zeros_like(flat)
    weights = network.views(flat)
    into = network.views(gradient)
    batches = zip(
        *(_batches(len(rows), batch_size, random) for random in randoms), strict=True
    )
    for step, numbers in zip(range(1, steps + 1), batches, strict=False):
        chosen = np.stack(numbers)  # (seeds, batch)
        outputs, tape = network.forward(weights, _batched(rows[chosen]))
        errors = outputs - targets[chosen].swapaxes(1, 2)
        slopes = np.where(np.isfinite(errors), slope(errors), np.float32(0))
        network.backward(weights, slopes / np.float32(slopes[0].size), tape, into)
        norms = np.linalg.norm(gradient, axis=1, keepdims=True)
        gradient *= np.minimum(LONGEST / np.maximum(norms, EPSILON), 1)
        mean += np.float32(1 - DECAYS[0]) * (gradient - mean)
        square += np.float32(1 - DECAYS[1]) * (gradient * gradient - square)
        correction = np.sqrt(1 - DECAYS[1] ** step) / (1 - DECAYS[0] ** step)
        rate = np.float32(learning_rate * _share(step / steps) * correction)
        flat -= rate * mean / (np.sqrt(square) + np.float32(EPSILON))
    return flat


def _batches(count: int, size: int, random: np.random.Generator) -> Iterator[Array]:
    """Whole batches of window numbers, without end, in an order that is drawn anew for
    each epoch.
    """
    while True:
        order = random.permutation(count)
        for start in range(0, count - size + 1, size):
            yield order[start : start + size]


def _share(progress: float) -> float:
    """The share of the highest rate at a point from 0 to 1: a line up, then half a
    cosine down.
    """
    if progress < RISE:
        return progress / RISE
    return 0.5 * (1 + float(np.cos(np.pi * (progress - RISE) / (1 - RISE))))
