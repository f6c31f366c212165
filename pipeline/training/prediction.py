"""Predictions from a function of arrays: of whole splits, fed back as inputs, and of
models that need no seed.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from pipeline.data.examples import Array, Examples, of_every_column
from pipeline.files import write_npz
from pipeline.metrics import added
from pipeline.training.job import Job, Replicate, Trained

CHUNK = 2048
"""Examples at a time outside XLA; bounds memory, changes no value."""


def chunks(examples: Examples) -> Iterator[tuple[Array, Array]]:
    """All inputs and targets in order, `CHUNK` examples at a time."""
    for start in range(0, len(examples), CHUNK):
        yield examples.take(np.arange(start, min(start + CHUNK, len(examples))))


def predict_split(
    predict: Callable[[Array], Array], examples: Examples, *, each_step: bool = False
) -> Array:
    """Predictions (n,) or (n, values) for a split.

    Args:
        predict: inputs (chunk, ...) -> (chunk,) or (chunk, values). One number counts
            for each of several targets.
        examples: the split.
        each_step: whether it predicts once for each timestep, from the inputs up to
            there.
    """
    predictions = []
    for inputs, targets in chunks(examples):
        if each_step:
            values = np.stack(
                [predict(inputs[:, : step + 1]) for step in range(inputs.shape[1])],
                axis=1,
            )
        else:
            values = predict(inputs)
        if values.ndim < targets.ndim:
            values = np.repeat(values[:, None], targets.shape[1], axis=1)
        predictions.append(
            added(values, targets) if of_every_column(examples) else values
        )
    return np.concatenate(predictions)


def rollout(predict: Callable[[Array], Array], examples: Examples) -> Array:
    """Free-running predictions (n,): the first true window, then every prediction is
    fed back as an input.

    Args:
        predict: inputs (1, timesteps, 1) -> (1,), one step ahead.
        examples: consecutive windows over a series with one column.
    """
    window = examples.take(np.array([0]))[0].astype(np.float64)
    values = np.empty(len(examples))
    for step in range(len(examples)):
        values[step] = predict(window)[0]
        window = np.concatenate([window[:, 1:], values[step].reshape(1, 1, 1)], axis=1)
    return values


def fitted(
    job: Job, predict: Callable[[Array], Array], weights: Array, loss: str | None = None
) -> Trained:
    """What a method gives back whose weights do not depend on the seed.

    Args:
        job: what the method was given.
        predict: inputs (chunk, ...) -> (chunk,) with these weights.
        weights: (parameters, ...).
        loss: what they minimise; None where they minimise nothing.
    """
    dataset = job.dataset
    predictions = {
        f"final_{split}": predict_split(predict, examples, each_step=dataset.each_step)
        for split, examples in job.predicted.items()
    }
    if dataset.rollout:
        predictions["rollout"] = rollout(predict, dataset.splits["test"])
    replicates = [
        Replicate(seed, [], None, predictions, {"final": weights}) for seed in job.seeds
    ]

    def save_weights(numbers: Array, path: Path) -> None:
        write_npz(path.with_name(f"{path.name}.npz"), {"weights": numbers})

    return Trained(replicates, weights.size, save_weights, loss=loss)
