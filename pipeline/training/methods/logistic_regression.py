"""Logistic regression by scikit-learn."""

from typing import Annotated

import numpy as np
from pydantic import Field
from threadpoolctl import threadpool_limits

from pipeline.data.examples import Array
from pipeline.models.baselines import Baseline
from pipeline.training.job import Job, Trained, fitted

TRAINS = ("features", "learnt features")


def train(job: Job, *, c: Annotated[float, Field(ge=1e-9, le=1e9)] = 1.0) -> Trained:
    """Fit the baseline's features to the train classes.

    Args:
        job: its `build` makes a `Baseline` with a feature matrix.
        c: inverse weight of the squared coefficients, as scikit-learn's `C`.
    """
    from sklearn.linear_model import LogisticRegression

    baseline: Baseline = job.build()
    inputs, targets = job.train.take(np.arange(len(job.train)))
    # sums in another order, as by more threads, have other last bits
    with threadpool_limits(1):
        features = baseline.learn(inputs) if baseline.learn else baseline.features
        model = LogisticRegression(C=c, max_iter=1000).fit(features(inputs), targets)

        def predict(inputs: Array) -> Array:
            return np.asarray(model.predict_proba(features(inputs))[:, 1])

        weights = np.append(model.coef_[0], model.intercept_)
        return fitted(job, predict, weights, weights.size, loss="binary_crossentropy")
