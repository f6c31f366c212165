"""Every framework does the same work: the same losses from the same weights on the same
batches.

PyTorch is there once `make bench` has installed it; `make bench` runs this first.
"""

from importlib.util import find_spec

import numpy as np
import pytest

from bench.peers import frameworks, side_by_side
from bench.peers.workloads import Task, Workload
from pipeline.config.params import Experiment
from pipeline.data.dataset import Dataset
from pipeline.data.examples import Arrays, Windows

NETWORK = {
    "method": "keras",
    "optimizer": "rmsprop",
    "epochs": 1,
    "batch_size": 8,
}


def task(folder, data, model, training, steps=3):
    """A workload that is small enough for a test."""
    experiment = Experiment.model_validate(
        {"dataset": "tiny", "model": model, "training": training}
    )
    batch = training.get("batch_size", 1)
    rows = (
        np.random.default_rng(0)
        .permutation(steps * batch)
        .astype(np.int32)
        .reshape(steps, batch)
    )
    workload = Workload("tiny", steps, 2)
    return Task(
        "tiny",
        workload,
        experiment,
        data,
        batch,
        rows,
        data.splits["test"],
        folder / "tiny.npz",
    )


def windows(folder, name):
    """Windows (6, 3) over a series, as Jena's are."""
    series = np.random.default_rng(1).standard_normal((120, 3)).astype(np.float32)
    window = {"lookback": 12, "step": 2, "delay": 4, "target": 1}
    splits = {"train": Windows(series, np.arange(12, 60), **window)}
    splits["test"] = Windows(series, np.arange(70, 86), **window)
    model = {"family": "recurrent", "name": name, "units": 4}
    return task(
        folder,
        Dataset("tiny", "forecast", "mae", splits),
        model,
        NETWORK | {"loss": "mae"},
    )


def words(folder, name):
    """Reviews of nine places, padded in front, as IMDB's are; words occur more than
    once."""
    random = np.random.default_rng(2)
    texts = random.integers(1, 12, (40, 9), dtype=np.int16)
    texts[np.arange(9) < random.integers(0, 7, (40, 1))] = 0
    labels = random.integers(0, 2, 40).astype(np.float32)
    splits = {
        "train": Arrays(texts[:24], labels[:24]),
        "test": Arrays(texts[24:], labels[24:]),
    }
    data = Dataset("tiny", "classify", "accuracy", splits, vocabulary=12)
    model = {"family": "recurrent", "name": name, "units": 4, "embedding": 3}
    return task(folder, data, model, NETWORK | {"loss": "binary_crossentropy"})


def points(folder, _name):
    """Points of a curve, as the sine's are."""
    inputs = np.random.default_rng(4).uniform(0, 6, (40, 1)).astype(np.float32)
    splits = {
        "train": Arrays(inputs[:24], np.sin(inputs[:24, 0])),
        "test": Arrays(inputs[24:], np.sin(inputs[24:, 0])),
    }
    model = {"family": "dense", "name": "mlp", "hidden": [4], "activation": "relu"}
    data = Dataset("tiny", "forecast", "mse", splits)
    return task(folder, data, model, NETWORK | {"optimizer": "adam", "loss": "mse"})


def losses(name, given):
    """Of the outputs, and after gradients and steps of the optimizer."""
    framework = frameworks.make(name)(given)
    framework.reset()
    return {
        "before": framework.evaluate()[1],
        "train": framework.learn(side_by_side.CHECKED),
    }


CASES = [
    (windows, "simple_rnn", "documents"),
    (words, "simple_rnn", "keras"),
]
if find_spec("torch"):
    CASES += [(words, name, "pytorch") for name in ("simple_rnn", "lstm", "gru")]
    CASES += [(windows, "lstm", "pytorch"), (points, "mlp", "pytorch")]


@pytest.mark.parametrize(("make", "name", "peer"), CASES)
def test_a_peer_comes_to_unrolls_losses(tmp_path, make, name, peer):
    given = make(tmp_path, name)
    reference = losses("unroll", given)
    side_by_side.check(given, peer, losses(peer, given), reference)


def test_other_weights_are_seen(tmp_path):
    given = points(tmp_path, "mlp")
    reference = losses("unroll", given)
    given.write_weights([weight[::-1].copy() for weight in given.read_weights()])
    with pytest.raises(
        side_by_side.UnrollError,
        match=r"keras does not agree on tiny: the loss \(before\) is",
    ):
        side_by_side.check(given, "keras", losses("keras", given), reference)
