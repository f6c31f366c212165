"""Small data sets of each form, in memory."""

import numpy as np
import pytest
import tensorflow as tf

from pipeline.data.dataset import Dataset
from pipeline.data.examples import Arrays, Windows
from pipeline.data.preparations import shapes
from pipeline.data.sources import sines


@pytest.fixture
def eager(monkeypatch):
    """Programs run operation by operation: the same numbers but for rounding, without
    the seconds of compiling."""

    def plain(function, **_):
        def call(*arguments):
            return function(*arguments)

        call.get_concrete_function = lambda *_: call
        return call

    monkeypatch.setattr(tf, "function", plain)


@pytest.fixture
def random():
    return np.random.default_rng(0)


@pytest.fixture
def waves(random):
    """A forecast from ten values, 45 series to train on: a partial last batch but for
    sizes that divide 45."""

    def split(size):
        start = random.random((size, 1)) * 6
        series = 0.5 * np.sin(start + np.arange(11) / 2) + 0.05 * random.random(
            (size, 11)
        )
        return Arrays(series[:, :10, None], series[:, 10])

    splits = {"train": split(45), "validation": split(20), "test": split(21)}
    return Dataset("waves", "forecast", "mse", splits, scored=("validation", "test"))


@pytest.fixture
def shape(tmp_path, monkeypatch):
    """Makes one of document 001's four shapes, small: series of twelve values."""
    monkeypatch.setattr(sines, "VALUES", 12)
    sines.produce(tmp_path, None, train=20, validation=10, test=10)
    return lambda name: shapes.prepare(
        name, tmp_path, shape=name, lookback=8, ahead=4, delay=2
    )


@pytest.fixture
def station(random):
    """Windows over one series of three columns, with validation."""
    series = random.standard_normal((300, 3)).cumsum(axis=0).astype(np.float32) / 10

    def split(start, stop):
        return Windows(
            series, np.arange(start, stop), lookback=12, step=2, delay=3, target=1
        )

    splits = {
        "train": split(12, 150),
        "validation": split(165, 220),
        "test": split(235, 290),
    }
    return Dataset("station", "forecast", "mae", splits, period=6)


@pytest.fixture
def reviews(random):
    """Classes that a word decides, in texts of five to eight words."""

    def split(size):
        words = random.integers(1, 30, (size, 8)).astype(np.int16)
        words[np.arange(8) < random.integers(0, 4, (size, 1))] = 0
        return Arrays(words, (words == 7).any(axis=1).astype(np.float32))

    splits = {"train": split(120), "validation": split(40), "test": split(40)}
    return Dataset("reviews", "classify", "accuracy", splits, vocabulary=30)


@pytest.fixture
def points():
    """Document 000's extrapolation: x -> sin x."""

    def split(start, stop):
        x = np.arange(start, stop, 0.5)
        return Arrays(x[:, None], np.sin(x))

    return Dataset(
        "points",
        "regress",
        "mse",
        {"train": split(0, 25), "test": split(20, 30)},
        scored=(),
    )


@pytest.fixture
def sine_windows():
    """Document 000's windows, short: a rollout and no validation."""

    def split(start, stop):
        series = np.sin(np.arange(start, stop, 0.5))[:, None]
        return Windows(
            series, np.arange(5, len(series)), lookback=5, step=1, delay=0, target=0
        )

    splits = {"train": split(0, 40), "test": split(30, 37)}
    return Dataset("sine_windows", "forecast", "mse", splits, scored=(), rollout=True)
