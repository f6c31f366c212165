"""Networks in NumPy: the same bytes twice, beside others and alone."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.data.dataset import Dataset
from pipeline.data.examples import Windows
from pipeline.data.problem import problem
from pipeline.errors import DivergedError
from tests.support.training import job
from unroll.series.models import numpy_adam
from unroll.series.models.residual import MODELS

OPTIONS = {
    "gru": {"units": 8, "last": 6},
    "lstm": {"units": 8, "last": 6},
    "mlp": {"hidden": [16, 8], "last": 12},
}


@pytest.fixture
def sine():
    """Windows over a sine with a period of 17 timesteps: three values ahead from 24."""
    series = np.sin(2 * np.pi * np.arange(400) / 17).astype(np.float32)[:, None]
    whole = Windows(
        series, np.arange(24, 390), lookback=24, step=1, delay=0, target=0, outputs=3
    )
    splits = {
        "train": replace(whole, rows=whole.rows[:300]),
        "test": replace(whole, rows=whole.rows[300:]),
    }
    return Dataset("sine", "forecast", "mae", splits, scored=())


def trained(data, name="gru", seeds=(0, 1), **options):
    model = MODELS[name]
    return numpy_adam.train(
        job(data, model, *seeds, cycles=[], **OPTIONS[name]), **options
    )


@pytest.mark.parametrize("name", ["gru", "lstm", "mlp"])
def test_a_network_of_each_seed_says_what_it_is_made_of(sine, name):
    """tests/unroll/series/models/test_numpy_networks.py has what it learns."""
    result = trained(sine, name, steps=1)
    assert [replicate.seed for replicate in result.replicates] == [0, 1]
    assert result.parameters == sum(layer["parameters"] for layer in result.layers)
    assert [layer["type"] for layer in result.layers][-1] == "Dense"


def test_a_seed_gives_the_same_bytes_beside_others_and_alone(sine):
    both = trained(sine, steps=20)
    alone = trained(sine, seeds=(1,), steps=20)
    assert (
        both.replicates[1].weights["final"].tobytes()
        == alone.replicates[0].weights["final"].tobytes()
    )
    assert (
        both.replicates[0].weights["final"].tobytes()
        != both.replicates[1].weights["final"].tobytes()
    )


def test_a_number_too_few_is_named(sine):
    weights = trained(sine, seeds=(0,), steps=1).replicates[0].weights["final"]
    model = MODELS["gru"](problem(sine), cycles=[], **OPTIONS["gru"])
    with pytest.raises(ValueError, match="numbers are needed. Received"):
        numpy_adam.load(model, weights[:-1])


def test_an_epoch_is_whole_batches_without_a_window_twice():
    for windows, size in ((7, 6), (6, 6), (5, 3), (3, 3)):
        randoms = [np.random.default_rng(seed) for seed in (0, 1)]
        batches = numpy_adam._batches(windows, 3, randoms)
        for _ in range(3):
            epoch = np.concatenate([next(batches) for _ in range(size // 3)], axis=1)
            assert [len({*order}) for order in epoch] == [size, size]


@pytest.mark.parametrize(
    ("options", "same"),
    [
        ({"steps": 2, "batch_size": 300}, {"steps": 2, "batch_size": 1000}),
        ({"steps": 2, "batch_size": 200}, {"epochs": 2, "batch_size": 200}),
        ({"steps": 4, "batch_size": 150}, {"epochs": 2, "batch_size": 150}),
    ],
)
def test_fewer_windows_than_a_batch_are_one_and_epochs_are_so_many_whole_batches(
    sine, options, same
):
    """There are 300 windows."""
    weights = [
        trained(sine, **each).replicates[0].weights["final"] for each in (options, same)
    ]
    np.testing.assert_array_equal(*weights)


def test_a_diverged_training_says_so(sine):
    series = sine.splits["train"].series.copy()
    series[50] = np.inf
    splits = {
        name: replace(split, series=series) for name, split in sine.splits.items()
    }
    with pytest.raises(DivergedError), np.errstate(all="ignore"):
        trained(replace(sine, splits=splits), steps=5)
