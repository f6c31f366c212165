"""No training: baselines that fit nothing, and networks that are built but not fitted
(summaries).
"""

import numpy as np

from pipeline.models.baselines import Baseline
from pipeline.training import keras_models, prediction
from pipeline.training.job import Job, Trained

TRAINS = ("predictions", "network")


def train(job: Job) -> Trained:
    """Predictions of a baseline on every split; of a network, the summary alone.

    The one thing that a baseline may take from the train split is its majority class.
    """
    baseline = job.build()
    if not isinstance(baseline, Baseline):
        count = keras_models.parameters(baseline)
        layers = keras_models.layers(baseline)
        return Trained([], count, lambda _weights, _path: None, layers)
    weights = np.array([])
    predict = baseline.features
    if baseline.majority:
        weights = np.array([np.round(job.dataset.splits["train"].targets.mean())])
        predict = lambda inputs: np.full(len(inputs), weights[0])  # noqa: E731
    return prediction.fitted(job, predict, weights)
