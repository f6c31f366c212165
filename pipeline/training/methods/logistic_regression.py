"""Logistic regression by scikit-learn."""

from typing import Annotated, Any

import numpy as np
from pydantic import Field
from threadpoolctl import threadpool_limits

from pipeline.data.examples import Array
from pipeline.models.baselines import Baseline
from pipeline.training.job import Job, Trained, fitted

TRAINS = ("features", "learnt features")


def train(
    job: Job,
    *,
    c: Annotated[float, Field(ge=1e-9, le=1e9)] = 1.0,
    naive_bayes: bool = False,
) -> Trained:
    """Fit the baseline's features to the train classes.

    Args:
        job: its `build` makes a `Baseline` with a feature matrix.
        c: inverse weight of the squared coefficients, as scikit-learn's `C`.
        naive_bayes: whether each feature is multiplied by its weight in naive Bayes
            (Wang and Manning, 2012). So features that tell the classes apart are
            penalised less. Features must be 0 or more.
    """
    from sklearn.linear_model import LogisticRegression

    baseline: Baseline = job.build()
    inputs, targets = job.train.take(np.arange(len(job.train)))
    # sums in another order, as by more threads, have other last bits
    with threadpool_limits(1):
        features = baseline.learn(inputs) if baseline.learn else baseline.features
        examples = features(inputs)
        scale = naive_bayes_weights(examples, targets) if naive_bayes else None

        def scaled(examples: Any) -> Any:
            return examples if scale is None else examples.multiply(scale).tocsr()

        model = LogisticRegression(C=c, max_iter=1000).fit(scaled(examples), targets)

        def predict(inputs: Array) -> Array:
            return np.asarray(model.predict_proba(scaled(features(inputs)))[:, 1])

        weights = np.append(model.coef_[0], model.intercept_)
        return fitted(job, predict, weights, weights.size, loss="binary_crossentropy")


def naive_bayes_weights(features: Any, classes: Array) -> Array:
    """Return the weights of multinomial naive Bayes, by scikit-learn.

    A feature's weight is the logarithm of its share of class 1's counts, less that of
    class 0's. Each count begins at 1.

    Args:
        features: (n, features) of 0 or more, sparse.
        classes: (n,) 0 or 1.

    Returns:
        (features,).
    """
    from sklearn.naive_bayes import MultinomialNB

    of_class = MultinomialNB(alpha=1.0).fit(features, classes).feature_log_prob_
    return np.asarray(of_class[1] - of_class[0])
