"""Formulas that know how the series of sines are made attain the floors of
docs/decisions/verdicts.md.
"""

import numpy as np
import pytest

from pipeline.config import params
from pipeline.data.sources import sines
from pipeline.files import read_npz
from tests.support import REPOSITORY

SERIES = 600
SEEN = 30
PAIRS = 20
"""Frequencies of each sine, so that there are 400 pairs."""
NOISE_VARIANCE = sines.NOISE**2 / 12


@pytest.fixture
def arrays(tmp_path):
    sines.produce(tmp_path, None, train=1, validation=1, test=SERIES)
    return read_npz(tmp_path / "sines.npz")


def test_regression_on_400_pairs_of_frequencies_attains_the_floor(arrays):
    """Of sequence to sequence, and 0.0020 for sequence to vector."""
    series = arrays["test_series"]
    waves = regressors()
    _, *after = regressions(series[:, :SEEN], waves[:SEEN])
    following = [
        forecast(*state, wave)
        for state, wave in zip(after, waves[1 : SEEN + 1], strict=True)
    ]
    error = mean_square(following, series[:, 1 : SEEN + 1])
    floor = params.load(REPOSITORY / "params.yaml").dataset("shapes_seq2seq").floor
    assert error == pytest.approx(floor, abs=1e-4)
    later = [forecast(*after[-1], wave) for wave in waves[SEEN:]]
    error = mean_square(later, series[:, SEEN:])
    assert error == pytest.approx(0.0020, abs=3e-4)


def test_the_sum_of_both_sines_attains_the_noise_of_vector_to_sequence(arrays):
    amplitude, frequency, shift = np.moveaxis(arrays["test_waves"], 2, 0)[..., None]
    formula = amplitude * np.sin(frequency * np.arange(sines.VALUES) + shift)
    error = np.mean((formula.sum(axis=1) - arrays["test_series"]) ** 2)
    assert error == pytest.approx(NOISE_VARIANCE, rel=0.03)


def mean_square(forecasts, values):
    """Return the mean square error; forecasts are (timesteps, series)."""
    return np.mean((np.stack(forecasts, axis=1) - values) ** 2)


def regressions(series, waves):
    """Yield the regressions before each timestep, and those after the last one.

    For known frequencies a series is linear in four coefficients: of sine and cosine
    at both frequencies. Each pair of frequencies has its own Bayesian regression.

    Args:
        series: (series, timesteps) the values.
        waves: (timesteps, pairs, 4) the `regressors`.

    Yields:
        The probability of each pair (series, pairs), relative to the likeliest, and the
        mean coefficients (series, pairs, 4).
    """
    pairs = waves.shape[1]
    prior_mean, prior_variance = prior()
    mean = np.tile(prior_mean, (len(series), pairs, 1))
    covariance = np.tile(np.diag(prior_variance), (pairs, 1, 1))
    log_probability = np.zeros((len(series), pairs))
    for values, wave in zip(series.T, waves, strict=True):
        yield np.exp(log_probability), mean
        product = np.einsum("pij,pj->pi", covariance, wave)
        variance = (product * wave).sum(axis=-1) + NOISE_VARIANCE
        gain = product / variance[:, None]
        error = values[:, None] - (mean * wave).sum(axis=-1)
        log_probability -= (error**2 / variance + np.log(variance)) / 2
        log_probability -= log_probability.max(axis=1, keepdims=True)
        mean = mean + error[:, :, None] * gain
        covariance = covariance - gain[:, :, None] * product[:, None]
    yield np.exp(log_probability), mean


def forecast(probability, coefficients, wave):
    """Return the mean forecast of all pairs for one timestep: (series,)."""
    return np.average((coefficients * wave).sum(axis=-1), axis=1, weights=probability)


def regressors():
    """Return sine and cosine at both frequencies: (timesteps, pairs, 4)."""
    centres = (np.arange(PAIRS) + 0.5) / PAIRS
    least = sines.LEAST[:, 1]
    slow, fast = least[:, None] + (sines.GREATEST[:, 1] - least)[:, None] * centres
    phases = np.arange(sines.VALUES)[:, None, None] * np.stack(
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
