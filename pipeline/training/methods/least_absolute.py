"""Least absolute deviation, which is what forecasts are compared by: ridge regressions
by scikit-learn, one on another.

Each one weighs an example by 1 / its last error, so that a squared error counts as an
absolute one ("iteratively reweighted least squares"). Errors below `SMALLEST` are not
weighed up any further.
"""

from typing import Annotated

import numpy as np
from pydantic import Field
from threadpoolctl import threadpool_limits

from pipeline.models.baselines import Baseline
from pipeline.training import prediction
from pipeline.training.job import Job, Trained

TRAINS = ("features",)

SMALLEST = 0.01
"""In model units: a hundredth of the target's standard deviation."""


def train(
    job: Job,
    *,
    ridge: Annotated[float, Field(ge=0, le=1e12)] = 0.0,
    rounds: Annotated[int, Field(ge=1, le=10_000)] = 20,
) -> Trained:
    """Fit the baseline's features to the train targets.

    Args:
        job: its `build` makes a `Baseline` with a feature matrix; it is held in memory,
            in float64.
        ridge: weight of the squared coefficients (the intercept's excepted), against
            the sum of absolute errors.
        rounds: regressions, one on another.
    """
    from sklearn.linear_model import Ridge

    baseline: Baseline = job.build()
    examples = job.dataset.splits["train"]
    features = np.concatenate(
        [
            np.asarray(baseline.features(x), np.float64)
            for x, _ in prediction.chunks(examples)
        ]
    )
    targets = examples.targets.astype(np.float64)
    weights = np.ones(len(targets))
    model = Ridge(alpha=ridge, fit_intercept=baseline.intercept, solver="cholesky")
    # sums in another order, as by more threads, have other last bits
    with threadpool_limits(1):
        for _ in range(rounds):
            model.fit(features, targets, sample_weight=weights)
            weights = 1 / np.maximum(abs(targets - model.predict(features)), SMALLEST)
        return prediction.fitted(
            job,
            lambda inputs: model.predict(baseline.features(inputs).astype(np.float64)),
            np.append(model.coef_, model.intercept_)
            if baseline.intercept
            else model.coef_,
            loss="mae",
        )
