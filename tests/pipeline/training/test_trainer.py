"""The loop over seeds and epochs, with a method that is a few lines of NumPy."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.errors import UnrollError
from pipeline.training import checkpoint
from pipeline.training.checkpoint import Checkpoint
from pipeline.training.job import Job
from pipeline.training.trainer import train


class KilledError(Exception):
    pass


class Walk:
    """Weights that walk at random; the epoch before the seed has the best score, and the next two have the same."""

    def begin(self, seed, done=0, state=None):
        self.seed, self.random = seed, np.random.default_rng(seed)
        self.random.normal(size=done)
        self.place = np.zeros(1) if state is None else state[0]

    def epoch(self, number):
        self.place = self.place + self.random.normal()
        return {"train_loss": float(self.place[0]), "validation_mse": float((number - self.seed) ** 2 // 2)}

    def state(self):
        return [self.place]

    def weights(self):
        return [self.place.copy()]

    def predictions(self, point, weights):
        return {f"{point}_test": weights[0] * 2}


class Watch:
    """Keeps what it is told, and dies the first time that it is told of an epoch."""

    def __init__(self):
        self.told, self.found = set(), []

    def resumed(self, histories):
        self.found.append({seed: len(history) for seed, history in histories.items()})

    def epoch(self, seed, epoch, values):
        if (seed, epoch) not in self.told:
            self.told.add((seed, epoch))
            raise KilledError
        assert values["validation_mse"] == (epoch - seed) ** 2 // 2


@pytest.fixture
def job(sine_windows):
    return Job("x", replace(sine_windows, scored=("validation",)), lambda: None, (2, 3))


@pytest.mark.parametrize("patience", [None, 1])
def test_a_training_that_is_killed_after_any_epoch_goes_on_to_the_same_numbers(job, patience, tmp_path, monkeypatch):
    """A replicate ends when nothing has improved for as long as patience says, the last epoch included."""
    monkeypatch.setattr(checkpoint, "FIRST", 0.0)
    monkeypatch.setattr(checkpoint, "SHARE", 0.0)
    expected = train(job, 5, Walk(), patience)
    assert [len(replicate.history) for replicate in expected] == ([2, 3] if patience else [5, 5])
    for replicate in expected:
        final, best = (replicate.history[place]["train_loss"] for place in (-1, replicate.seed - 2))
        assert replicate.best_epoch == replicate.seed - 1, "of equals the first"
        assert replicate.weights == {"final": [final], "best": [best]}
        assert replicate.predictions == {"final_test": 2 * final, "best_test": 2 * best}
    watch = Watch()

    def again(learner):
        kept = Checkpoint(tmp_path / "c.npz", "x")
        return train(replace(job, callbacks=(watch,), checkpoint=kept), 5, learner, patience)

    epochs = [(replicate.seed, epoch) for replicate in expected for epoch in range(1, len(replicate.history) + 1)]
    for _ in epochs:
        with pytest.raises(KilledError):
            again(Walk())
    assert repr(again(Walk())) == repr(expected)
    # A checkpoint follows the epoch's line, so each try but the first goes on from the epoch before.
    assert [list(found.items())[-1] for found in watch.found] == epochs[:-1]
    done = Walk()
    done.epoch = None
    assert repr(again(done)) == repr(expected), "from the checkpoint of the last epoch"


def test_patience_needs_validation(job):
    with pytest.raises(UnrollError, match="x: patience needs a data set whose validation split is scored"):
        train(replace(job, dataset=replace(job.dataset, scored=())), 3, Walk(), patience=2)
