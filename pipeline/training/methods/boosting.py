"""Gradient boosting of regression trees on histograms, by scikit-learn."""

from functools import partial
from typing import Annotated

import numpy as np
from pydantic import Field
from threadpoolctl import threadpool_limits

from pipeline.data.examples import Array
from pipeline.models.baselines import Baseline, Direct
from pipeline.training.job import Job, Predict, Trained, chunks, evenly, fitted
from pipeline.training.trees import checked, predict, table

TRAINS = ("features", "features ahead")

RESIDUAL = True
"""Trees alone predict no value beyond those that they were trained on."""

MASKS = True
"""Targets may be NaN: a missing target is left out, the others of its window stay."""

TIED = 0.1
"""The share of errors equal to their median from which noise is added (`_untied`)."""

NOISE = 1e-6
"""Standard deviation of the noise of `_untied`, as a share of the errors' own."""


def train(
    job: Job,
    *,
    trees: Annotated[int, Field(ge=1, le=100_000)] = 100,
    leaves: Annotated[int, Field(ge=2, le=10_000)] = 31,
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.1,
    examples: Annotated[int, Field(ge=1, le=1_000_000)] = 20,
    rows: Annotated[int, Field(ge=1, le=100_000_000)] | None = None,
) -> Trained:
    """Fit features to the train targets, by MSE if that is the metric, else by MAE.

    A `Baseline` gets a model for each value ahead. A `Direct`, whose features tell how
    far ahead a value is, gets one model for all values.

    Nothing is drawn at random, so seeds change nothing.

    Args:
        job: its `build` makes a `Baseline` with a feature matrix, or a
            `Direct`.
        trees: the number of trees. Each is fitted to the errors of those before.
        leaves: the most leaves of a tree.
        learning_rate: the fraction of a tree's prediction that counts.
        examples: the fewest examples of a leaf.
        rows: the most targets that are learnt from. If there are more, evenly spaced
            windows are taken. None for all targets.

    Raises:
        ValueError: each timestep has its target (features of the whole input would see
            what comes after the timestep); or a value ahead was never measured.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor

    if job.dataset.each_step:
        raise ValueError(
            "boosting sees the whole input, so it cannot fit a target of each timestep"
        )
    model = job.build()
    loss = "mse" if job.dataset.metric == "mse" else "mae"
    features, errors = _to_learn(job, model, rows)
    each = None if isinstance(model, Direct) else 0
    if not np.isfinite(errors).any(axis=each).all():
        raise ValueError(
            "boosting needs a target that was measured for each value ahead"
        )
    if loss == "mae":
        errors = _untied(errors)
    of_models = [errors] if isinstance(model, Direct) else errors.T
    boosted = partial(
        HistGradientBoostingRegressor,
        loss="squared_error" if loss == "mse" else "absolute_error",
        learning_rate=learning_rate,
        max_iter=trees,
        max_leaf_nodes=leaves,
        min_samples_leaf=examples,
        early_stopping=False,
        random_state=0,
    )
    # sums in another order, as by more threads, have other last bits
    with threadpool_limits(1):
        models = []
        for own in of_models:
            known = np.isfinite(own)
            models.append(boosted().fit(features[known], own[known]))
        weights = table(models)
        return fitted(job, load(model, weights), weights, len(weights), loss=loss)


def _to_learn(
    job: Job, model: Baseline | Direct, rows: int | None
) -> tuple[Array, Array]:
    """The features of the train windows, and the errors (n, ahead) that trees correct.

    Of more than `rows` targets evenly spaced windows are taken. Errors are NaN where a
    target was not measured.
    """
    targets = job.train.targets.reshape(len(job.train), -1)
    most = len(targets) if rows is None else max(1, rows // targets.shape[1])
    chosen = evenly(len(targets), most)
    seen = [_features(model, inputs) for inputs, _ in chunks(job.train, chosen)]
    features = np.concatenate([of_chunk for of_chunk, _ in seen])
    base = np.concatenate([of_chunk for _, of_chunk in seen])
    return features, targets[chosen] - base


def load(model: Baseline | Direct, weights: Array) -> Predict:
    """Return a run's trees as a function.

    The function takes inputs (n, timesteps, columns) and returns (n,) or (n, values).
    Raises ValueError like `trees.checked`.
    """
    return partial(_predict, model, checked(weights))


def _features(model: Baseline | Direct, inputs: Array) -> tuple[Array, Array]:
    """The features and the base that trees correct.

    A `Baseline` has features (n, features) and base (n, 1), a `Direct` (n, ahead,
    features) and (n, ahead).
    """
    if isinstance(model, Direct):
        return model.features(inputs)
    return np.asarray(model.features(inputs)), model.base_of(inputs)[:, None]


def _predict(model: Baseline | Direct, trees: Array, inputs: Array) -> Array:
    """Predictions (n,) of one value ahead, or (n, values)."""
    features, base = _features(model, inputs)
    corrections = predict(trees, features.reshape(-1, features.shape[-1]))
    predictions = np.asarray(base + corrections.reshape(len(inputs), -1))
    return predictions if predictions.shape[1] > 1 else predictions[:, 0]


def _untied(errors: Array) -> Array:
    """Errors (n, steps) for MAE; with a little noise if many equal their median.

    scikit-learn begins at the median, and treats an error that equals the prediction as
    a larger one. If most errors are equal, as for sales that are 0 on many days, all
    slopes are the same and no tree splits.
    """
    measured = errors[np.isfinite(errors)]
    if np.mean(measured == np.median(measured)) < TIED:
        return errors
    noise = np.random.default_rng(0).normal(size=errors.shape)
    return np.asarray(errors + NOISE * measured.std() * noise)
