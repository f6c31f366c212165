"""Kernel ridge regression with a Gaussian kernel, by scikit-learn."""

import warnings
from typing import Annotated

import numpy as np
from pydantic import Field
from threadpoolctl import threadpool_limits

from pipeline.data.examples import Array
from pipeline.models.baselines import Baseline, Learnt
from pipeline.training.job import Job, Predict, Trained, evenly, fitted, saving

TRAINS = ("features",)

RESIDUAL = True


def train(
    job: Job,
    *,
    gamma: Annotated[float, Field(gt=0, le=1e6)] = 1.0,
    alpha: Annotated[float, Field(gt=0, le=1e6)] = 0.01,
    rows: Annotated[int, Field(ge=1, le=30_000)] = 8000,
    scales: Annotated[int, Field(ge=0, le=2000)] = 0,
) -> Trained:
    """Fit the baseline's standardised features to the train targets less their mean.

    If the baseline has a base, targets are first taken less the base.

    All features count alike. With `scales` each has a fitted length scale
    (`_length_scales`).

    Args:
        job: its `build` makes a `Baseline` with a feature matrix.
        gamma: of the kernel exp(-gamma d²), as a multiple of 1 / features ("scale" in
            scikit-learn).
        alpha: weight of the squared norm.
        rows: the most examples that are learnt from. If there are more, evenly spaced
            examples are taken. Memory grows with the square of `rows`.
        scales: the number of evenly spaced examples that the length scales are fitted
            to; 0 for no length scales. Use a `gamma` of 1 with them. Memory is 8 bytes
            times features times the square of `scales`.

    Returns:
        The result, with the weights of the kernels (rows, values).

    Raises:
        ValueError: each timestep has its target. Features of the whole input would see
            what comes after the timestep.
    """
    from sklearn.kernel_ridge import KernelRidge
    from sklearn.preprocessing import StandardScaler

    if job.dataset.each_step:
        raise ValueError(
            "kernel ridge sees the whole input, so it cannot fit a target of each "
            "timestep"
        )
    baseline: Baseline = job.build()
    scaler = StandardScaler()
    inputs, targets = job.train.take(evenly(len(job.train), rows))
    if baseline.base:
        targets = targets - _base(baseline, inputs, targets.ndim)
    mean = targets.mean(axis=0, dtype=np.float64)
    model = KernelRidge(alpha=alpha, kernel="precomputed")
    # sums in another order, as by more threads, have other last bits
    with threadpool_limits(1):
        known = scaler.fit_transform(np.asarray(baseline.features(inputs), np.float64))
        if scales:
            few = evenly(len(known), scales)
            lengths = _length_scales(known[few], (targets - mean)[few])
            known /= lengths
            scaler.scale_ *= lengths
        model.fit(_kernel(known, known, gamma), targets - mean)
        learnt = {
            "known": known,
            "center": scaler.mean_,
            "scale": scaler.scale_,
            "mean": mean,
            "gamma": np.array(gamma),
        }
        weights = model.dual_coef_
        return fitted(
            job,
            load(baseline, weights, learnt),
            weights,
            weights.size,
            loss="mse",
            save=saving(learnt),
        )


def load(baseline: Baseline, weights: Array, learnt: Learnt) -> Predict:
    """Return a run's model: inputs -> predictions.

    Args:
        baseline: the model.
        weights: (rows, values) or (rows,), of the kernels.
        learnt: `known` (rows, features), the standardised train rows; `center` and
            `scale` (features,), which standardise; `mean` of the targets; `gamma`.
    """

    def predict(inputs: Array) -> Array:
        features = np.asarray(baseline.features(inputs), np.float64)
        features = (features - learnt["center"]) / learnt["scale"]
        with threadpool_limits(1):
            kernel = _kernel(features, learnt["known"], float(learnt["gamma"]))
            predictions = np.asarray(learnt["mean"] + kernel @ weights)
        if baseline.base:
            predictions += _base(baseline, inputs, weights.ndim)
        return predictions

    return predict


def _base(baseline: Baseline, inputs: Array, axes: int) -> Array:
    """The baseline's base (n,), or (n, 1) for targets with two axes."""
    base = baseline.base_of(inputs)
    return base[:, None] if axes > 1 else base


def _length_scales(features: Array, targets: Array) -> Array:
    """The length scale of each feature, for features (n, features).

    With these scales the targets are most likely under a Gaussian process (Rasmussen
    and Williams 2006, "Gaussian Processes for Machine Learning", 5.1). A feature that
    tells nothing gets a large scale.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

    count = features.shape[1]
    start = np.full(count, count**0.5)  # two examples are about sqrt(2 count) apart
    process = GaussianProcessRegressor(ConstantKernel() * RBF(start) + WhiteKernel(0.1))
    with warnings.catch_warnings():
        # It warns of a scale at its bound, which belongs to a useless feature.
        warnings.simplefilter("ignore", ConvergenceWarning)
        process.fit(features, targets / (targets.std() or 1.0))
    lengths = np.ravel(process.kernel_.k1.k2.length_scale)
    # The last digits depend on the processor's exp.
    rounded = np.array([float(f"{length:.3g}") for length in lengths])
    # The kernel here is exp(-d² / features), the process has exp(-d² / 2).
    return rounded * float(np.sqrt(2 / count))


def _kernel(rows: Array, known: Array, gamma: float) -> Array:
    """The kernel (n, m) between rows (n, features) and known rows (m, features)."""
    from scipy import special
    from sklearn.metrics.pairwise import euclidean_distances

    distances = euclidean_distances(rows, known, squared=True)
    distances *= -gamma / rows.shape[1]
    special.expm1(distances, out=distances)  # np.exp has other last bits with AVX-512
    distances += 1
    return np.asarray(distances)
