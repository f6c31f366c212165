"""Logistic regression by scikit-learn."""

from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
from pydantic import Field
from threadpoolctl import threadpool_limits

from pipeline.data.examples import Array, Arrays
from pipeline.models.baselines import Baseline, Learnt
from pipeline.training.job import Job, Predict, Trained, fitted, saving

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
    learnt = dict(baseline.learn(Arrays(inputs, targets))) if baseline.learn else {}
    examples = _features(baseline, learnt)(inputs)
    if naive_bayes:
        learnt["naive_bayes"] = naive_bayes_weights(examples, targets)
        examples = examples.multiply(learnt["naive_bayes"]).tocsr()
    # sums in another order, as by more threads, have other last bits
    with threadpool_limits(1):
        model = LogisticRegression(C=c, max_iter=1000).fit(examples, targets)
        weights = np.append(model.coef_[0], model.intercept_)
        return fitted(
            job,
            load(baseline, weights, learnt),
            weights,
            weights.size,
            loss="binary_crossentropy",
            save=saving(learnt),
        )


def load(baseline: Baseline, weights: Array, learnt: Learnt) -> Predict:
    """Return a run's model: inputs -> probability of class 1.

    Args:
        baseline: the model.
        weights: (features + 1,) coefficients, the intercept last.
        learnt: what its features have learnt.
    """
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression()
    model.coef_ = weights[None, :-1]
    model.intercept_ = weights[-1:]
    model.classes_ = np.array([0, 1])
    features = _features(baseline, learnt)

    def predict(inputs: Array) -> Array:
        with threadpool_limits(1):
            return np.asarray(model.predict_proba(features(inputs))[:, 1])

    return predict


def _features(baseline: Baseline, learnt: Learnt) -> Callable[[Array], Any]:
    """Return the features of a baseline, each multiplied by its naive Bayes weight."""
    seen: list[Any] = [learnt] if baseline.learn else []

    def features(inputs: Array) -> Any:
        found = baseline.features(inputs, *seen)
        if "naive_bayes" not in learnt:
            return found
        return found.multiply(learnt["naive_bayes"]).tocsr()

    return features


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
