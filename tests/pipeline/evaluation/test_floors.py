"""Formulas that know how the series of sines are made attain the floors of
docs/decisions/verdicts.md.
"""

import numpy as np
import pytest

from pipeline.config import params
from pipeline.data.examples import Arrays
from pipeline.data.problem import Problem
from pipeline.data.sources import sines
from pipeline.files import read_npz
from pipeline.models.baselines import harmonic_regression
from tests.support import REPOSITORY

SERIES = 300
SEEN = 30
FREQUENCIES = 30
NOISE_VARIANCE = sines.NOISE**2 / 12


@pytest.fixture(scope="module")
def arrays(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sines")
    sines.produce(folder, None, train=200, validation=1, test=SERIES)
    return read_npz(folder / "sines.npz")


@pytest.fixture(scope="module")
def learnt(arrays):
    series = arrays["train_series"]
    return model().learn(Arrays(series[:, :SEEN, None], series[:, SEEN:]))


def model(**options):
    return harmonic_regression(Problem((SEEN, 1), **options), frequencies=FREQUENCIES)


def mean_square(errors):
    return np.mean(np.square(errors))


def test_bands_sizes_and_noise_are_learnt_from_the_train_series(learnt):
    """Without a look at the formula, whose frequencies lie in two bands."""
    truth = np.stack([sines.LEAST[:, 1], sines.GREATEST[:, 1]])
    assert learnt["bands"] == pytest.approx(truth, abs=0.04)
    amplitudes = (sines.LEAST + sines.GREATEST)[:, 0] / 2
    sine, cosine = (learnt["mean"] ** 2 + learnt["variance"]).reshape(2, 2)
    assert np.sqrt(sine + cosine) == pytest.approx(amplitudes, rel=0.1)
    assert learnt["noise"] == pytest.approx(NOISE_VARIANCE, rel=0.15)


def test_harmonic_regression_attains_the_floor_of_sequence_to_sequence(arrays, learnt):
    """Each value is forecast from those before it."""
    series = arrays["test_series"]
    forecast = model(outputs=SEEN, each_step=True).features
    errors = [
        forecast(series[:, :seen, None], learnt) - series[:, seen]
        for seen in range(1, SEEN + 1)
    ]
    floor = params.load(REPOSITORY / "params.yaml").dataset("shapes_seq2seq").floor
    assert mean_square(errors) == pytest.approx(floor, abs=1.5e-4)


def test_it_has_less_error_than_0_0020_on_sequence_to_vector(arrays, learnt):
    series = arrays["test_series"]
    outputs = series.shape[1] - SEEN
    forecasts = model(outputs=outputs).features(series[:, :SEEN, None], learnt)
    error = mean_square(forecasts - series[:, SEEN:])
    assert NOISE_VARIANCE < error < 0.0020


def test_the_sum_of_both_sines_attains_the_noise_of_vector_to_sequence(arrays):
    amplitude, frequency, shift = np.moveaxis(arrays["test_waves"], 2, 0)[..., None]
    formula = amplitude * np.sin(frequency * np.arange(sines.VALUES) + shift)
    error = np.mean((formula.sum(axis=1) - arrays["test_series"]) ** 2)
    assert error == pytest.approx(NOISE_VARIANCE, rel=0.04)
