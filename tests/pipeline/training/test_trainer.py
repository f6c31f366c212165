"""The loop over seeds and epochs, with a method that is a few lines of NumPy."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import UnrollError
from pipeline.metrics import MEASURES
from pipeline.training import checkpoint
from pipeline.training.checkpoint import Checkpoint
from pipeline.training.job import Job
from pipeline.training.trainer import best_epoch, train

EPOCHS = 3


class KilledError(Exception):
    pass


class Walk:
    """Weights that walk at random; the score of an epoch is where they are."""

    def begin(self, seed, done=0, state=None):
        self.random = np.random.default_rng(seed)
        self.random.normal(size=done)
        self.place = np.zeros(1) if state is None else state[0]

    def epoch(self, number):
        self.place = self.place + self.random.normal()
        return {"train_loss": float(number), "validation_mse": float(self.place[0])}

    def state(self):
        return [self.place]

    def weights(self):
        return [self.place.copy()]

    def predictions(self, point, weights):
        return {f"{point}_test": weights[0] * 2}


class Watch:
    """Keeps what it is told and, if it `dies`, does so the first time that it is told of an epoch."""

    def __init__(self, *, dies=False):
        self.dies, self.told, self.found = dies, [], []

    def resumed(self, histories):
        self.found.append({seed: len(history) for seed, history in histories.items()})

    def epoch(self, seed, epoch, values):
        self.told.append((seed, epoch))
        if self.dies and self.told.count((seed, epoch)) == 1:
            raise KilledError
        assert values["train_loss"] == epoch


@pytest.fixture
def job(squares):
    return Job("x", squares, lambda: None, (4, 9))


def test_every_seed_has_its_history_its_best_epoch_and_the_weights_of_both(job):
    watch = Watch()
    for replicate in train(replace(job, callbacks=(watch,)), EPOCHS, Walk()):
        scores = [line["validation_mse"] for line in replicate.history]
        assert len(scores) == EPOCHS
        assert replicate.best_epoch == 1 + int(np.argmin(scores))
        assert [replicate.weights[point][0] for point in ("final", "best")] == [scores[-1], min(scores)]
        assert list(replicate.predictions) == ["final_test", "best_test"]
        assert replicate.predictions["best_test"] == 2 * min(scores)
    assert watch.told == [(seed, epoch) for seed in (4, 9) for epoch in (1, 2, 3)]
    assert watch.found == []


def test_a_training_that_is_killed_after_any_epoch_goes_on_to_the_same_numbers(job, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "FIRST", 0.0)
    monkeypatch.setattr(checkpoint, "SHARE", 0.0)
    expected = train(job, EPOCHS, Walk())
    watch = Watch(dies=True)

    def again(learner):
        return train(replace(job, callbacks=(watch,), checkpoint=Checkpoint(tmp_path / "c.npz", "x")), EPOCHS, learner)

    for _ in range(2 * EPOCHS):
        with pytest.raises(KilledError):
            again(Walk())
    assert repr(again(Walk())) == repr(expected)
    # A checkpoint follows the epoch's line, so each try but the first goes on from the epoch before.
    assert watch.found == [{4: 1}, {4: 2}, {4: 3}, {4: 3, 9: 1}, {4: 3, 9: 2}]
    done = Walk()
    done.epoch = None
    assert repr(again(done)) == repr(expected), "from the checkpoint of the last epoch"


class Valley(Walk):
    """Falls to its best score in an epoch that the seed gives, and rises from there."""

    def epoch(self, number):
        super().epoch(number)
        return {"train_loss": float(number), "validation_mse": float(abs(number - self.best))}

    def begin(self, seed, done=0, state=None):
        super().begin(seed, done, state)
        self.best = seed


def test_a_replicate_ends_when_nothing_has_improved_for_as_long_as_patience_says(job, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "FIRST", 0.0)
    monkeypatch.setattr(checkpoint, "SHARE", 0.0)
    scored = replace(job, dataset=replace(job.dataset, scored=("validation",)))
    expected = train(scored, 20, Valley(), patience=3)
    assert [(r.best_epoch, len(r.history)) for r in expected] == [(4, 7), (9, 12)]
    watch = Watch(dies=True)
    learner = replace(scored, callbacks=(watch,), checkpoint=Checkpoint(tmp_path / "c.npz", "x"))
    for _ in range(7 + 12):
        with pytest.raises(KilledError):
            train(learner, 20, Valley(), patience=3)
    assert repr(train(learner, 20, Valley(), patience=3)) == repr(expected), "killed after any epoch, the last included"


def test_patience_needs_validation(job):
    with pytest.raises(UnrollError, match="x: patience needs a data set whose validation split is scored"):
        train(job, EPOCHS, Walk(), patience=2)


@given(st.sampled_from(sorted(MEASURES)), st.lists(st.floats(0, 1) | st.sampled_from([0.25, 0.5]), min_size=1))
def test_the_best_epoch_is_the_first_of_the_best_whether_asked_after_each_epoch_or_at_the_end(metric, scores):
    history, epoch = [], None
    for score in scores:
        history.append({"train_loss": 0.0, f"validation_{metric}": score})
        epoch = best_epoch(history, metric, epoch)
        assert epoch == best_epoch(history, metric)
    wanted = max(scores) if metric == "accuracy" else min(scores)
    assert epoch == 1 + scores.index(wanted)


@pytest.mark.parametrize("history", [[], [{"train_loss": 0.0}], [{"train_loss": 0.0, "test_mae": 0.0}] * 2])
def test_without_validation_no_epoch_is_the_best(history):
    assert best_epoch(history, "mae") is None
