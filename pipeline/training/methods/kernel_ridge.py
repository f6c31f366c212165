"""Kernel ridge regression with a Gaussian kernel, by scikit-learn."""

from typing import Annotated

import numpy as np
from pydantic import Field
from threadpoolctl import threadpool_limits

from pipeline.data.examples import Array
from pipeline.models.baselines import Baseline
from pipeline.training import prediction
from pipeline.training.job import Job, Trained

TRAINS = ("features",)


def train(
    job: Job,
    *,
    gamma: Annotated[float, Field(gt=0, le=1e6)] = 1.0,
    alpha: Annotated[float, Field(gt=0, le=1e6)] = 0.01,
    rows: Annotated[int, Field(ge=1, le=30_000)] = 8000,
) -> Trained:
    """Fit the baseline's features to the train targets less their mean; features are scaled by mean and deviation.

    Args:
        job: its `build` makes a `Baseline` with a feature matrix.
        gamma: of the kernel exp(-gamma d²), as a multiple of 1 / features ("scale" in scikit-learn).
        alpha: weight of the squared norm.
        rows: examples that are learnt from, at most; of more so many, evenly spaced. Memory grows with the square.

    Returns:
        The weights are (rows, values): those of the kernels.

    Raises:
        ValueError: targets are one for each timestep, and features of the whole input know what comes after it.
    """
    from sklearn.kernel_ridge import KernelRidge
    from sklearn.preprocessing import StandardScaler

    if job.dataset.each_step:
        raise ValueError("kernel ridge sees the whole input, and these targets are to be answered step by step")
    baseline: Baseline = job.build()
    split, scaler = job.dataset.splits["train"], StandardScaler()
    inputs, targets = split.take(np.unique(np.linspace(0, len(split) - 1, min(len(split), rows)).astype(int)))
    mean = targets.mean(axis=0, dtype=np.float64)
    model = KernelRidge(alpha=alpha, kernel="precomputed")
    with threadpool_limits(1):  # sums in another order, as by more threads, have other last bits
        known = scaler.fit_transform(np.asarray(baseline.features(inputs), np.float64))
        model.fit(_kernel(known, known, gamma), targets - mean)

        def predict(inputs: Array) -> Array:
            features = scaler.transform(np.asarray(baseline.features(inputs), np.float64))
            return np.asarray(mean + model.predict(_kernel(features, known, gamma)))

        return prediction.fitted(job, predict, model.dual_coef_, loss="mse")


def _kernel(rows: Array, known: Array, gamma: float) -> Array:
    """(n, m) of rows (n, features) and (m, features)."""
    from scipy import special
    from sklearn.metrics.pairwise import euclidean_distances

    distances = euclidean_distances(rows, known, squared=True)
    distances *= -gamma / rows.shape[1]
    special.expm1(distances, out=distances)  # np.exp has other last bits with AVX-512
    distances += 1
    return np.asarray(distances)
