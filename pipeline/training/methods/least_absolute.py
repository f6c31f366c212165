"""Least absolute deviation, by a sequence of scikit-learn's ridge regressions.

Each regression weighs an example by 1 / its error in the regression before, so that a
squared error counts like an absolute error ("iteratively reweighted least squares").
Errors below `SMALLEST` count as `SMALLEST`.
"""

from functools import partial
from typing import Annotated

import numpy as np
from pydantic import Field
from threadpoolctl import threadpool_limits

from pipeline.data.examples import Array
from pipeline.models.baselines import Baseline
from pipeline.training.job import Job, Predict, Trained, chunks, fitted

TRAINS = ("features",)

SMALLEST = 0.01
"""The smallest error in a weight, in model units (a hundredth of the target's standard
deviation)."""


def train(
    job: Job,
    *,
    ridge: Annotated[float, Field(ge=0, le=1e12)] = 0.0,
    rounds: Annotated[int, Field(ge=1, le=10_000)] = 20,
) -> Trained:
    """Fit the baseline's features to the train targets.

    Args:
        job: its `build` makes a `Baseline` with a feature matrix. The matrix of all
            examples is held in memory, in float64.
        ridge: weight of the squared coefficients (except the intercept), against the
            sum of absolute errors.
        rounds: the number of regressions.
    """
    from sklearn.linear_model import Ridge

    baseline: Baseline = job.build()
    parts = [baseline.features(inputs) for inputs, _ in chunks(job.train)]
    features = np.concatenate(parts).astype(np.float64)
    targets = job.train.targets.astype(np.float64)
    weights = np.ones(len(targets))
    model = Ridge(alpha=ridge, fit_intercept=baseline.intercept, solver="cholesky")
    # sums in another order, as by more threads, have other last bits
    with threadpool_limits(1):
        for _ in range(rounds):
            model.fit(features, targets, sample_weight=weights)
            errors = np.abs(targets - model.predict(features))
            weights = 1 / np.maximum(errors, SMALLEST)
        coefficients = np.append(model.coef_, model.intercept_)
        count = features.shape[1] + baseline.intercept
        predict = load(baseline, coefficients)
        return fitted(job, predict, coefficients, count, loss="mae")


def load(baseline: Baseline, weights: Array) -> Predict:
    """Return a run's linear map as a function; the last number is the intercept."""
    return partial(_predict, baseline, weights)


def _predict(baseline: Baseline, coefficients: Array, inputs: Array) -> Array:
    """Predictions (n,)."""
    features = np.asarray(baseline.features(inputs), np.float64)
    return np.asarray(features @ coefficients[:-1] + coefficients[-1])
