"""A recurrent layer's first weights do not come from Eigen where it works in blocks."""

import keras
import numpy as np
import pytest

from pipeline.data.problem import Problem
from pipeline.initializers import BLOCKED, Orthogonal
from pipeline.models import recurrent

SERIES = Problem((12, 2))
EVERY = Problem((96, 2), outputs=192, every=True)


def exact(shape, seed):
    """The same matrix, decomposed in float64."""
    drawn = keras.random.normal(shape[::-1], seed=seed)
    columns, triangle = np.linalg.qr(np.asarray(drawn, np.float64))
    return (columns * np.sign(np.diag(triangle))).T.astype(np.float32)


@pytest.mark.parametrize("gates", [1, 3, 4])
@pytest.mark.parametrize("units", [7, BLOCKED, 70])
def test_rows_are_orthogonal_and_those_of_keras(units, gates):
    shape = (units, gates * units)
    weights = np.asarray(Orthogonal(seed=5)(shape), np.float64)
    np.testing.assert_allclose(weights @ weights.T, np.eye(units), atol=1e-6)
    if gates > 1:
        theirs = keras.initializers.Orthogonal(seed=5)(shape)
        np.testing.assert_allclose(weights, theirs, atol=1e-5)


@pytest.mark.parametrize(
    ("cell", "options"),
    [
        ("SimpleRNN", {}),
        ("GRU", {"layers": 2}),
        ("LSTM", {"direction": "both"}),
        ("segments", {"segment": 48}),
    ],
)
def test_wide_states_are_decomposed_by_numpy(cell, options, monkeypatch):
    seeds = []

    def watched(self, shape, dtype=None):
        seeds.append(self.seed)
        return given(self, shape, dtype)

    given = Orthogonal.__call__
    monkeypatch.setattr(Orthogonal, "__call__", watched)
    if cell == "segments":
        model = recurrent.segments(EVERY, units=BLOCKED, **options)
    else:
        model = recurrent.build(cell, SERIES, units=BLOCKED, **options)
    found = [w for w in model.weights if w.name == "recurrent_kernel"]
    assert len(found) == len(set(seeds)) == (1 if cell == "SimpleRNN" else 2)
    for weights, seed in zip(found, seeds, strict=True):
        np.testing.assert_array_equal(weights, exact(weights.shape, seed))
