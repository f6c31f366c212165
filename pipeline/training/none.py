"""No training: baselines that fit nothing, and networks that are built but not fitted (summaries)."""

import numpy as np

from pipeline import networks, run
from pipeline.models.baselines import Baseline
from pipeline.run import Job, Trained

TRAINS = ("predictions", "network")
"""The kinds of model that this method takes; see `models.baselines.KINDS`. All that have layers are networks."""


def train(job: Job) -> Trained:
    """Predictions of a baseline on every split; of a network, the summary alone.

    The one thing that a baseline may take from the train split is its majority class.
    """
    baseline = job.build()
    if not isinstance(baseline, Baseline):
        return Trained([], baseline.count_params(), lambda _weights, _path: None, networks.layers(baseline))
    weights = np.array([])
    predict = baseline.features
    if baseline.majority:
        weights = np.array([np.round(job.dataset.splits["train"].targets.mean())])
        predict = lambda inputs: np.full(len(inputs), weights[0])  # noqa: E731
    return run.fitted(job, predict, weights)
