"""Gradient boosting of one model for all values ahead, which sees how far ahead each is; told by NumPy afterwards."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Annotated

import numpy as np
from pydantic import Field
from threadpoolctl import threadpool_limits

from pipeline.data.examples import Array
from pipeline.models.seasonal import Direct
from pipeline.training import prediction
from pipeline.training.job import Job, Trained
from pipeline.training.methods.boosting import nodes, regressor

TRAINS = ("features ahead",)


def train(
    job: Job,
    *,
    trees: Annotated[int, Field(ge=1, le=100_000)] = 200,
    leaves: Annotated[int, Field(ge=2, le=10_000)] = 31,
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.08,
    examples: Annotated[int, Field(ge=1, le=1_000_000)] = 40,
    rows: Annotated[int, Field(ge=1, le=100_000_000)] = 150_000,
) -> Trained:
    """Fit the features of every value ahead to its target, by absolute error.

    Args:
        job: its `build` makes a `Direct`.
        trees: how many, one on the errors of those before.
        leaves: of a tree, at most.
        learning_rate: the share of a tree's answer that counts.
        examples: in a leaf, at least.
        rows: values ahead that are learnt from, at most; of more so many, drawn evenly.
    """
    model, split = job.build(), job.dataset.splits["train"]
    outputs = split.targets[0].size
    chosen = np.unique(np.linspace(0, len(split) - 1, min(len(split), max(1, rows // outputs))).astype(int))
    parts = [_rows(model, *split.take(chosen[start : start + CHUNK])) for start in range(0, len(chosen), CHUNK)]
    features, wanted = (np.concatenate(part) for part in zip(*parts, strict=True))
    found = regressor("mae", trees, leaves, learning_rate, examples)
    with threadpool_limits(1):  # sums in another order, as by more threads, have other last bits
        found.fit(features, wanted)
        weights = nodes(found)
        # As `predict`, which needs no scikit-learn; of many rows this is faster.
        quick = partial(_answers, model, corrections=found.predict)
        trained = prediction.fitted(job, quick, weights, loss="mae")
    return replace(trained, parameters=len(weights))


CHUNK = 4096
"""Windows to fit, and values ahead to predict, at once: bounds memory."""


def _rows(model: Direct, inputs: Array, targets: Array) -> tuple[Array, Array]:
    features, base = model.features(inputs)
    return features.reshape(-1, features.shape[2]), (targets.reshape(base.shape) - base).ravel()


def predict(model: Direct, weights: Array, inputs: Array) -> Array:
    """What the trees say of inputs (n, timesteps, columns): (n,), or (n, values).

    `weights` are (nodes, 5) as `boosting.nodes` gives them.
    """
    return _answers(model, inputs, partial(_corrections, weights))


def _answers(model: Direct, inputs: Array, corrections: Callable[[Array], Array]) -> Array:
    features, base = model.features(inputs)
    parts = np.split(features.reshape(-1, features.shape[2]), range(CHUNK, base.size, CHUNK))
    answers = base + np.concatenate([corrections(part) for part in parts]).reshape(base.shape)
    return np.asarray(answers if answers.shape[1] > 1 else answers[:, 0])


def _corrections(weights: Array, rows: Array) -> Array:
    """(n,) the sum over all trees, which all rows go down together, a level each turn."""
    first = np.flatnonzero(np.diff(weights[:, 0], prepend=-2))  # of each tree; the constant is the first one
    offset = np.repeat(first, np.diff(first, append=len(weights)))
    leaf = weights[:, 1] < 0
    here = np.arange(len(weights))
    column, value = np.where(leaf, 0, weights[:, 1]).astype(int), weights[:, 2]
    low, high = (np.where(leaf, here, weights[:, side].astype(int) + offset) for side in (3, 4))
    at = np.tile(first, (len(rows), 1))
    numbers = np.arange(len(rows))[:, None]
    while not leaf[at].all():
        at = np.where(rows[numbers, column[at]] <= value[at], low[at], high[at])
    return np.asarray(value[at].sum(axis=1))
