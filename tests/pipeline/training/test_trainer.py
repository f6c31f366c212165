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
    """Keeps what it is told and, if it `dies`, does so the first time that it is told of an epoch."""

    def __init__(self, *, dies):
        self.dies, self.told, self.found = dies, [], []

    def resumed(self, histories):
        self.found.append({seed: len(history) for seed, history in histories.items()})

    def epoch(self, seed, epoch, values):
        self.told.append((seed, epoch))
        if self.dies and self.told.count((seed, epoch)) == 1:
            raise KilledError
        assert values["validation_mse"] == (epoch - seed) ** 2 // 2


@pytest.fixture
def job(sine_windows):
    return Job("x", replace(sine_windows, scored=("validation",)), lambda: None, (2, 3))


def test_every_seed_has_its_history_its_best_epoch_and_the_weights_of_both(job):
    watch = Watch(dies=False)
    for replicate in train(replace(job, callbacks=(watch,)), 4, Walk()):
        places = [line["train_loss"] for line in replicate.history]
        best = places[replicate.seed - 2]
        assert (len(places), replicate.best_epoch) == (4, replicate.seed - 1), "of equals the first"
        assert replicate.weights == {"final": [places[-1]], "best": [best]}
        assert replicate.predictions == {"final_test": 2 * places[-1], "best_test": 2 * best}
    assert watch.told == [(seed, epoch) for seed in (2, 3) for epoch in (1, 2, 3, 4)]
    assert watch.found == []


@pytest.mark.parametrize("patience", [None, 1])
def test_a_training_that_is_killed_after_any_epoch_goes_on_to_the_same_numbers(job, patience, tmp_path, monkeypatch):
    """A replicate ends when nothing has improved for as long as patience says, the last epoch included."""
    monkeypatch.setattr(checkpoint, "FIRST", 0.0)
    monkeypatch.setattr(checkpoint, "SHARE", 0.0)
    expected = train(job, 5, Walk(), patience)
    assert [len(replicate.history) for replicate in expected] == ([2, 3] if patience else [5, 5])
    watch = Watch(dies=True)

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
