"""No training by a loss: baselines that fit nothing or learn a few numbers by
themselves, and networks that are only summarised.
"""

import numpy as np
from threadpoolctl import threadpool_limits

from pipeline.data.examples import Array, Arrays
from pipeline.models.baselines import Baseline, Learnt
from pipeline.training import keras_models
from pipeline.training.job import Job, Predict, Trained, fitted, save_array, saving

TRAINS = ("predictions", "network")


def train(job: Job) -> Trained:
    """Predict every split with a baseline; for a network return only the summary.

    A baseline may learn numbers from the train split (`Baseline.learn`).
    """
    model = job.build()
    if not isinstance(model, Baseline):
        count = keras_models.parameters(model)
        return Trained([], count, lambda *_: None, keras_models.layers(model))
    # sums in another order, as by more threads, have other last bits
    with threadpool_limits(1):
        learnt = (
            model.learn(Arrays(*job.train.take(np.arange(len(job.train)))))
            if model.learn
            else {}
        )
        weights = np.array([])
        return fitted(
            job,
            load(model, weights, learnt),
            weights,
            sum(map(np.size, learnt.values())),
            save=saving(learnt) if learnt else save_array,
        )


def load(baseline: Baseline, weights: Array, learnt: Learnt | None = None) -> Predict:
    """Return a baseline as a function.

    Args:
        baseline: the model.
        weights: an empty array.
        learnt: what the baseline has learnt; None or empty if it learns nothing.

    Raises:
        ValueError: there are weights, or what it has learnt is missing.
    """
    if weights.size or bool(learnt) != bool(baseline.learn):
        raise ValueError("no weights are needed, but all that the baseline learnt")
    seen = [learnt] if learnt else []
    return lambda inputs: np.asarray(baseline.features(inputs, *seen))
