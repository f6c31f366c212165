"""Linear least squares in closed form, in float64, one chunk of the matrix at a time."""

from functools import partial
from typing import Annotated

import numpy as np
from pydantic import Field
from threadpoolctl import threadpool_limits

from pipeline.data.examples import Array
from pipeline.models.baselines import Baseline
from pipeline.training.job import Job, Predict, Trained, chunks, fitted

TRAINS = ("features",)


def train(job: Job, *, ridge: Annotated[float, Field(ge=0, le=1e12)] = 0.0) -> Trained:
    """Fit the baseline's features to the train targets.

    If each timestep has its target, the target is fitted to the features up to this
    timestep.

    Args:
        job: its `build` makes a `Baseline` with a feature matrix.
        ridge: weight of the squared coefficients (except the intercept), against the
            sum of squared errors.

    Raises:
        ValueError: each timestep has its target, but timesteps do not have equally many
            features.
    """
    baseline: Baseline = job.build()
    # sums in another order, as by more threads, have other last bits
    with threadpool_limits(1):
        x, y = _triangle(baseline, job, ridge)
        if job.dataset.each_step:
            coefficients = _by_step(baseline, job, x, y)
            predict: Predict = partial(_predict_step, baseline, coefficients)
        else:
            coefficients = np.linalg.lstsq(x, y, rcond=None)[0]
            if job.train.targets.ndim == 1:
                coefficients = coefficients[:, 0]
            predict = load(baseline, coefficients)
        return fitted(job, predict, coefficients, coefficients.size, loss="mse")


def load(baseline: Baseline, weights: Array) -> Predict:
    """Return a run's linear map as a function."""
    return partial(_predict, baseline, weights)


def _predict(baseline: Baseline, coefficients: Array, inputs: Array) -> Array:
    """Predictions (n,) or (n, values)."""
    predictions = np.asarray(design(baseline, inputs) @ coefficients)
    if not baseline.columns:
        return predictions
    # (n * columns, times) -> (n, times * columns)
    by_column = predictions.reshape(len(inputs), baseline.columns, -1)
    return by_column.swapaxes(1, 2).reshape(len(inputs), -1)


def _predict_step(baseline: Baseline, coefficients: Array, inputs: Array) -> Array:
    """Predictions (n,) of the last timestep's target, from the inputs up to it."""
    features = design(baseline, inputs)
    seen = _seen(baseline, features.shape[1] - baseline.intercept, len(coefficients))
    return np.asarray(features @ coefficients[seen, inputs.shape[1] - 1])


def design(baseline: Baseline, inputs: Array) -> Array:
    """Return the design matrix (n, features), the intercept's column of ones last."""
    features = np.asarray(baseline.features(inputs), np.float64)
    if baseline.intercept:
        features = np.column_stack([features, np.ones(len(features))])
    return features


def _triangle(baseline: Baseline, job: Job, ridge: float) -> tuple[Array, Array]:
    """The triangle R of the QR factorisation of [X | y].

    R is updated with one chunk of the train split after the other (Golub and Van Loan,
    Matrix Computations, 4th ed., 5.3 and 6.5). It is as precise as QR of the whole
    matrix, and needs the memory of one chunk.

    Returns:
        The columns of R for the features (rows, features) and for the targets (rows,
        values).
    """
    first, target = job.train.take(np.array([0]))
    width = design(baseline, first).shape[1]
    values = target.size // (baseline.columns or 1)
    triangle = np.empty((0, width + values))
    for inputs, targets in chunks(job.train):
        features = design(baseline, inputs)
        y = targets.astype(np.float64)
        if baseline.columns:
            # (n, times * columns) -> (n * columns, times)
            by_time = y.reshape(len(y), -1, baseline.columns)
            y = by_time.swapaxes(1, 2).reshape(len(features), -1)
        rows = np.vstack([triangle, np.column_stack([features, y])])
        triangle = np.asarray(np.linalg.qr(rows, mode="r"))
    if ridge:
        penalty = np.sqrt(ridge) * np.eye(width - baseline.intercept, width + values)
        rows = np.vstack([triangle, penalty])
        triangle = np.asarray(np.linalg.qr(rows, mode="r"))
    return triangle[:, :width], triangle[:, width:]


def _by_step(baseline: Baseline, job: Job, x: Array, y: Array) -> Array:
    """The coefficients (features, timesteps), 0 for features of later timesteps."""
    width = x.shape[1]
    steps = y.shape[1]
    measured = width - baseline.intercept
    if measured % steps or job.dataset.calendar:
        raise ValueError(
            f"the features must be as many for each of {steps} timesteps. "
            f"Received: {measured}"
        )
    coefficients = np.zeros((width, steps))
    for step in range(steps):
        seen = _seen(baseline, (step + 1) * measured // steps, width)
        solution = np.linalg.lstsq(x[:, seen], y[:, step], rcond=None)
        coefficients[seen, step] = solution[0]
    return coefficients


def _seen(baseline: Baseline, features: int, width: int) -> list[int]:
    """The columns of the first `features` features and of the intercept."""
    return [*range(features), *range(width - baseline.intercept, width)]
