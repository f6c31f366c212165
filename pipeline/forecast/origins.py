"""Errors from origin to origin: when each becomes known, and sums in which older ones count less."""

import numpy as np

from pipeline.data.examples import Array


def later(outputs: int, step: int, apart: int) -> Array:
    """(steps,) how many origins later an error is known; steps are `step` rows apart, and origins `apart` rows."""
    return np.asarray(-(-np.arange(1, outputs + 1) * step // apart))


def come(errors: Array, known: Array) -> Array:
    """(..., origins, steps): the errors that become known at each origin, as `later` says; NaN where none does."""
    origins = np.arange(errors.shape[-2])[:, None] - known
    found = errors[..., np.maximum(origins, 0), np.arange(len(known))]
    return np.asarray(np.where(origins >= 0, found, np.nan))


def discounted(errors: Array, kept: float) -> tuple[Array, Array]:
    """(..., origins, steps) -> sums of the errors up to each origin, each one `kept` of the next, and of weights."""
    there = np.isfinite(errors)
    sums, weights = np.where(there, errors, 0.0), there.astype(np.float64)
    for origin in range(1, errors.shape[-2]):
        for each in (sums, weights):
            each[..., origin, :] += kept * each[..., origin - 1, :]
    return sums, weights
