"""No training: baselines that fit nothing, and networks that are only summarised."""

import numpy as np

from pipeline.data.examples import Array
from pipeline.models.baselines import Baseline
from pipeline.training import keras_models
from pipeline.training.job import Job, Predict, Trained, fitted

TRAINS = ("predictions", "network")


def train(job: Job) -> Trained:
    """Predict every split with a baseline; for a network return only the summary.

    A baseline may take the majority class from the train split.
    """
    model = job.build()
    if not isinstance(model, Baseline):
        count = keras_models.parameters(model)
        return Trained([], count, lambda *_: None, keras_models.layers(model))
    weights = np.array([])
    if model.majority:
        weights = np.array([np.round(job.train.targets.mean())])
    return fitted(job, load(model, weights), weights, weights.size)


def load(baseline: Baseline, weights: Array) -> Predict:
    """Return a baseline as a function; `weights` holds the majority class, if any.

    Raises ValueError if they hold anything else.
    """
    if weights.shape != (int(baseline.majority),):
        raise ValueError(f"{int(baseline.majority)} numbers are needed")
    if baseline.majority:
        return lambda inputs: np.full(len(inputs), weights[0])
    return lambda inputs: np.asarray(baseline.features(inputs))
