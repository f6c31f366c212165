"""Formulas that know how the series of sines are made attain the floors of
docs/decisions/verdicts.md.
"""

import numpy as np
import pytest

from pipeline.data.sources import sines
from pipeline.evaluation.answers import FLOORS
from pipeline.files import read_npz

SERIES = 300
TIMESTEPS = 31
PAIRS = 20
"""Frequencies of each sine, so that there are 400 pairs."""
NOISE_VARIANCE = sines.NOISE**2 / 12


@pytest.fixture
def arrays(tmp_path):
    sines.produce(tmp_path, None, train=1, validation=1, test=SERIES)
    return read_npz(tmp_path / "sines.npz")


def test_bayesian_regression_on_400_pairs_of_frequencies_attains_the_floor(arrays):
    series = arrays["test_series"][:, :TIMESTEPS]
    error = np.mean((forecasts(series) - series)[:, 1:] ** 2)
    assert error == pytest.approx(FLOORS["shapes_seq2seq"], abs=1e-4)


def test_the_sum_of_both_sines_attains_the_noise_of_vector_to_sequence(arrays):
    amplitude, frequency, shift = np.moveaxis(arrays["test_waves"], 2, 0)[..., None]
    formula = amplitude * np.sin(frequency * np.arange(sines.VALUES) + shift)
    error = np.mean((formula.sum(axis=1) - arrays["test_series"]) ** 2)
    assert error == pytest.approx(NOISE_VARIANCE, rel=0.03)


def forecasts(series):
    """Return the forecast of each value (series, timesteps) from all values before it.

    For known frequencies a series is linear in four coefficients: of sine and cosine
    at both frequencies. Each pair of frequencies has its own regression, which takes
    one more value at each timestep. The forecast is the mean of all pairs, weighted by
    the probability of the values before.
    """
    waves = regressors()
    pairs = waves.shape[1]
    prior_mean, prior_variance = prior()
    mean = np.tile(prior_mean, (len(series), pairs, 1))
    covariance = np.tile(np.diag(prior_variance), (pairs, 1, 1))
    log_probability = np.zeros((len(series), pairs))
    forecast = np.empty_like(series)
    for timestep, wave in enumerate(waves):
        of_pairs = (mean * wave).sum(axis=-1)
        weights = np.exp(log_probability - log_probability.max(axis=1, keepdims=True))
        forecast[:, timestep] = np.average(of_pairs, axis=1, weights=weights)
        product = np.einsum("pij,pj->pi", covariance, wave)
        variance = (product * wave).sum(axis=-1) + NOISE_VARIANCE
        gain = product / variance[:, None]
        error = series[:, timestep, None] - of_pairs
        log_probability -= (error**2 / variance + np.log(variance)) / 2
        mean += error[:, :, None] * gain
        covariance -= gain[:, :, None] * product[:, None]
    return forecast


def regressors():
    """Return sine and cosine at both frequencies: (timesteps, pairs, 4)."""
    centres = (np.arange(PAIRS) + 0.5) / PAIRS
    least = sines.LEAST[:, 1]
    greatest = sines.GREATEST[:, 1]
    slow, fast = least[:, None] + (greatest - least)[:, None] * centres
    phases = np.arange(TIMESTEPS)[:, None, None] * np.stack(
        [np.repeat(slow, PAIRS), np.tile(fast, PAIRS)], axis=-1
    )
    return np.concatenate([np.sin(phases), np.cos(phases)], axis=-1)


def prior():
    """Return mean and variance (4,) of the coefficients, in the order of `regressors`.

    An amplitude times the sine of a shifted phase is a sum of sine and cosine, whose
    coefficients are the amplitude times cosine and sine of the shift.
    """
    random = np.random.default_rng(0)
    draws = random.uniform(sines.LEAST, sines.GREATEST, (100_000, 2, 3))
    amplitude, _, shift = np.moveaxis(draws, 2, 0)
    coefficients = np.concatenate(
        [amplitude * np.cos(shift), amplitude * np.sin(shift)], axis=1
    )
    return coefficients.mean(axis=0), coefficients.var(axis=0)
