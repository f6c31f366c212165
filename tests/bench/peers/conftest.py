"""Workloads that are small enough to train in a test."""

import numpy as np
import pytest

from bench.peers.workloads import BY_HAND, FRAMEWORKS, Task, Workload
from pipeline.config.params import Experiment
from pipeline.data.dataset import Dataset
from pipeline.data.examples import Arrays, Windows

TRAINING = {"method": "gradient_descent", "optimizer": "rmsprop", "epochs": 1, "batch_size": 8}


def task(folder, data, model, training, *, steps=3, frameworks=FRAMEWORKS):
    experiment = Experiment.model_validate({"dataset": "tiny", "model": model, "training": training})
    batch = training.get("batch_size", 1)
    rows = np.random.default_rng(0).permutation(steps * batch).astype(np.int32).reshape(steps, batch)
    workload = Workload("tiny", steps, evaluated=2, frameworks=frameworks)
    held_out = data.splits["test"]
    return Task("tiny", workload, experiment, data, batch, rows, held_out, folder / "tiny.npz")


@pytest.fixture
def tiny(tmp_path):
    """Windows (6, 3) over a series, as Jena's are."""

    def make(name, **options):
        series = np.random.default_rng(1).standard_normal((120, 3)).astype(np.float32)
        window = {"lookback": 12, "step": 2, "delay": 4, "target": 1}
        splits = {"train": Windows(series, np.arange(12, 60), **window)}
        splits["test"] = Windows(series, np.arange(70, 86), **window)
        data = Dataset("tiny", "forecast", "mae", splits)
        model = {"family": "recurrent", "name": name, **options}
        return task(tmp_path, data, model, TRAINING | {"loss": "mae"})

    return make


@pytest.fixture
def tiny_words(tmp_path):
    """Reviews of nine places, padded in front, as IMDB's are; words occur more than once."""

    def make(name, **options):
        random = np.random.default_rng(2)
        words = random.integers(1, 12, (40, 9), dtype=np.int16)
        words[np.arange(9) < random.integers(0, 7, (40, 1))] = 0
        labels = random.integers(0, 2, 40).astype(np.float32)
        splits = {"train": Arrays(words[:24], labels[:24]), "test": Arrays(words[24:], labels[24:])}
        data = Dataset("tiny", "classify", "accuracy", splits, vocabulary=12)
        model = {"family": "recurrent", "name": name, **options}
        return task(tmp_path, data, model, TRAINING | {"loss": "binary_crossentropy"})

    return make


@pytest.fixture
def tiny_by_hand(tmp_path):
    """Waves of ten values."""

    def make(model):
        waves = 0.5 * np.random.default_rng(3).standard_normal((30, 11)).astype(np.float32)
        examples = Arrays(waves[:, :10, None], waves[:, 10])
        splits = {"train": examples, "test": Arrays(examples.inputs[:2], examples.targets[:2])}
        data = Dataset("tiny", "forecast", "mse", splits)
        training = {"method": "by_hand", "learning_rate": 0.1, "epochs": 1}
        return task(tmp_path, data, model, training, steps=20, frameworks=BY_HAND)

    return make
