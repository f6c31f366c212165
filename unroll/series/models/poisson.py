"""Gradient boosting by Poisson's loss, for the mean of demand.

Demand of several products is alike as a multiple of its usual level, and so is the lift
of a promotion. Trees predict the logarithm of this multiple. What lies below 0 in model
units, such as returns, counts as 0 (`Proposal.by_multiples`).
"""

from functools import partial
from typing import Annotated

import numpy as np
from pydantic import Field
from threadpoolctl import threadpool_limits

from pipeline.data.examples import Array
from pipeline.models.baselines import Direct
from pipeline.training.job import Job, Predict, Trained, chunks, evenly, fitted
from pipeline.training.trees import checked, predict, table
from unroll.series.models.seasonal import level

TRAINS = ("features ahead",)

MASKS = True
"""A missing target is left out, the others of its window stay."""


def train(
    job: Job,
    *,
    trees: Annotated[int, Field(ge=1, le=100_000)],
    learning_rate: Annotated[float, Field(gt=0, le=1)],
    examples: Annotated[int, Field(ge=1, le=1_000_000)],
    rows: Annotated[int, Field(ge=1, le=100_000_000)],
) -> Trained:
    """Fit the features of each value ahead to the train targets.

    Args:
        job: its `build` makes a `Direct`, whose base is multiplied by the prediction.
        trees: the number of trees.
        learning_rate: the fraction of a tree's prediction that counts.
        examples: the fewest examples of a leaf.
        rows: the most targets that are learnt from, in evenly spaced windows.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor

    model: Direct = job.build()
    outputs = job.train.targets.reshape(len(job.train), -1).shape[1]
    chosen = evenly(len(job.train), max(1, rows // outputs))
    parts = [(*model.features(x), y) for x, y in chunks(job.train, chosen)]
    features, base, targets = map(np.concatenate, zip(*parts, strict=True))
    targets = targets.reshape(base.shape)
    measured = np.isfinite(targets)
    sizes = level(base[measured])
    boosted = HistGradientBoostingRegressor(
        loss="poisson",
        learning_rate=learning_rate,
        max_iter=trees,
        min_samples_leaf=examples,
        early_stopping=False,
        random_state=0,
    )
    # sums in another order, as by more threads, have other last bits
    with threadpool_limits(1):
        multiples = np.maximum(targets[measured], 0) / sizes
        boosted.fit(features[measured], multiples, sample_weight=sizes)
        weights = table([boosted])
        return fitted(job, load(model, weights), weights, trees, loss="poisson")


def load(model: Direct, weights: Array) -> Predict:
    """Return a run's trees as a function. Raises ValueError like `trees.checked`."""
    return partial(_predict, model, checked(weights))


def _predict(model: Direct, trees: Array, inputs: Array) -> Array:
    """Predictions (n,) of one value ahead, or (n, values)."""
    features, base = model.features(inputs)
    logarithms = predict(trees, features.reshape(-1, features.shape[-1]))
    predictions = level(base) * np.exp(logarithms).reshape(base.shape)
    return np.asarray(predictions if base.shape[1] > 1 else predictions[:, 0])
