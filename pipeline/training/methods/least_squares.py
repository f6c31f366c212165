"""Linear least squares in closed form, in float64, without holding the whole matrix."""

from typing import Annotated

import numpy as np
from pydantic import Field
from threadpoolctl import threadpool_limits

from pipeline.data.examples import Array
from pipeline.models.baselines import Baseline
from pipeline.training import prediction
from pipeline.training.job import Job, Trained

TRAINS = ("features",)


def train(job: Job, *, ridge: Annotated[float, Field(ge=0, le=1e12)] = 0.0) -> Trained:
    """Fit the baseline's features to the train targets.

    Args:
        job: its `build` makes a `Baseline` with a feature matrix.
        ridge: weight of the squared coefficients (the intercept's excepted), against the sum of squared errors.

    Raises:
        ValueError: targets are one for each timestep, and features of the whole input know what comes after it.
    """
    if job.dataset.each_step:
        raise ValueError("least_squares sees the whole input, and these targets are to be answered step by step")
    baseline: Baseline = job.build()
    with threadpool_limits(1):  # sums in another order, as by more threads, have other last bits
        coefficients = solve(baseline, job, ridge)
        return prediction.fitted(job, lambda inputs: design(baseline, inputs) @ coefficients, coefficients, loss="mse")


def design(baseline: Baseline, inputs: Array) -> Array:
    """The design matrix (n, features), the intercept's column of ones last."""
    features = np.asarray(baseline.features(inputs), np.float64)
    return np.column_stack([features, np.ones(len(features))]) if baseline.intercept else features


def solve(baseline: Baseline, job: Job, ridge: float) -> Array:
    """The coefficients (features, ...), by a QR factorisation that is updated with one chunk after the other.

    Only the triangle R of [X | y] is kept (Golub and Van Loan, Matrix Computations, 4th ed., 5.3 and 6.5), so
    precision is that of QR on the whole, and memory that of one chunk.
    """
    examples = job.dataset.splits["train"]
    first, target = examples.take(np.array([0]))
    width = design(baseline, first).shape[1]
    triangle = np.empty((0, width + target.size))
    for inputs, targets in prediction.chunks(examples):
        chunk = np.column_stack([design(baseline, inputs), targets.astype(np.float64)])
        triangle = _triangle(np.vstack([triangle, chunk]))
    if ridge:
        penalty = np.sqrt(ridge) * np.eye(width - baseline.intercept, width + target.size)
        triangle = _triangle(np.vstack([triangle, penalty]))
    coefficients: Array = np.linalg.lstsq(triangle[:, :width], triangle[:, width:], rcond=None)[0]
    return coefficients.reshape(width, *target.shape[1:])


def _triangle(rows: Array) -> Array:
    triangle: Array = np.asarray(np.linalg.qr(rows, mode="r"))
    return triangle
