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
        ridge: weight of the squared coefficients (the intercept's excepted), against
            the sum of squared errors.

    Where each timestep has its target, that is fitted to the features up to there.

    Raises:
        ValueError: targets are one for each timestep, and the features are not as many
            for each.
    """
    baseline: Baseline = job.build()

    def predict(inputs: Array) -> Array:
        matrix = design(baseline, inputs)
        if baseline.columns:
            return _side_by_side(
                matrix @ coefficients, coefficients.shape[1], baseline.columns
            )
        if not job.dataset.each_step:
            return matrix @ coefficients
        seen = _seen(matrix.shape[1] - baseline.intercept, len(coefficients), baseline)
        return matrix @ coefficients[seen, inputs.shape[1] - 1]

    # sums in another order, as by more threads, have other last bits
    with threadpool_limits(1):
        coefficients = solve(baseline, job, ridge)
        return prediction.fitted(job, predict, coefficients, loss="mse")


def design(baseline: Baseline, inputs: Array) -> Array:
    """The design matrix (n, features), the intercept's column of ones last."""
    features = np.asarray(baseline.features(inputs), np.float64)
    return (
        np.column_stack([features, np.ones(len(features))])
        if baseline.intercept
        else features
    )


def solve(baseline: Baseline, job: Job, ridge: float) -> Array:
    """The coefficients (features, ...), by a QR factorisation that is updated with one
    chunk after the other.

    Only the triangle R of [X | y] is kept (Golub and Van Loan, Matrix Computations, 4th
    ed., 5.3 and 6.5), so precision is that of QR on the whole, and memory that of one
    chunk.
    """
    examples = job.dataset.splits["train"]
    columns = baseline.columns
    first, target = examples.take(np.array([0]))
    target = _by_column(target, columns)[:1] if columns else target
    width = design(baseline, first).shape[1]
    measured = width - baseline.intercept
    steps = target.size
    if job.dataset.each_step and (measured % steps or job.dataset.calendar):
        raise ValueError(
            f"the features must be as many for each of {steps} timesteps. Received: {measured}"
        )
    triangle = np.empty((0, width + target.size))
    for inputs, targets in prediction.chunks(examples):
        y = (_by_column(targets, columns) if columns else targets).astype(np.float64)
        rows = np.column_stack([design(baseline, inputs), y])
        triangle = np.asarray(np.linalg.qr(np.vstack([triangle, rows]), mode="r"))
    if ridge:
        penalty = np.sqrt(ridge) * np.eye(measured, width + target.size)
        triangle = np.asarray(np.linalg.qr(np.vstack([triangle, penalty]), mode="r"))
    if not job.dataset.each_step:
        coefficients: Array = np.linalg.lstsq(
            triangle[:, :width], triangle[:, width:], rcond=None
        )[0]
        return coefficients.reshape(width, *target.shape[1:])
    causal = np.zeros((width, steps))
    for step in range(steps):
        seen = _seen((step + 1) * measured // steps, width, baseline)
        causal[seen, step] = np.linalg.lstsq(
            triangle[:, seen], triangle[:, width + step], rcond=None
        )[0]
    return causal


def _by_column(targets: Array, columns: int) -> Array:
    """(n, times * columns) -> (n * columns, times): each column's by itself."""
    return (
        targets.reshape(len(targets), -1, columns)
        .swapaxes(1, 2)
        .reshape(len(targets) * columns, -1)
    )


def _side_by_side(predictions: Array, times: int, columns: int) -> Array:
    """The inverse of `_by_column`."""
    return (
        predictions.reshape(-1, columns, times)
        .swapaxes(1, 2)
        .reshape(-1, times * columns)
    )


def _seen(features: int, width: int, baseline: Baseline) -> list[int]:
    """The indices of the first features, and of the intercept."""
    return [*range(features), *range(width - baseline.intercept, width)]
