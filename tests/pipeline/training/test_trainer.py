"""A training that is interrupted after any epoch and started again gives the numbers of one that was not."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from pipeline.training import checkpoint
from pipeline.training.checkpoint import Checkpoint
from pipeline.models import dense, recurrent
from pipeline.data.problem import problem
from pipeline.training.job import Job
from pipeline.training.methods import by_hand, gradient_descent

DROPOUT = partial(recurrent.build, "GRU", units=3, dropout=0.2, recurrent_dropout=0.3)
NODE = partial(recurrent.build, "SimpleRNN", units=1, head=False)
COMPILED = partial(gradient_descent.train, optimizer="rmsprop", loss="mae", epochs=3, batch_size=16, order="batches")
DRAWS = partial(gradient_descent.train, optimizer="adam", loss="mse", epochs=3, batch_size=16, order="draws")
BY_HAND = partial(by_hand.train, learning_rate=0.05, epochs=3)


class KilledError(Exception):
    pass


@pytest.fixture(autouse=True)
def after_every_epoch(monkeypatch):
    monkeypatch.setattr(checkpoint, "FIRST", 0.0)
    monkeypatch.setattr(checkpoint, "SHARE", 0.0)


def numbers(trained, folder):
    folder.mkdir()
    for replicate in trained.replicates:
        for point, weights in replicate.weights.items():
            trained.save(weights, folder / f"{replicate.seed}_{point}")
    return (
        [(r.seed, r.history, r.best_epoch) for r in trained.replicates],
        {f"{r.seed}_{name}": values.tobytes() for r in trained.replicates for name, values in r.predictions.items()},
        {path.name: path.read_bytes() for path in folder.iterdir()},
    )


@pytest.mark.parametrize(
    ("form", "build", "train"),
    [
        ("station", DROPOUT, COMPILED),
        ("station", DROPOUT, DRAWS),
        ("waves", NODE, BY_HAND),
        ("waves", partial(dense.build, hidden=[3], activation="tanh", output="tanh"), BY_HAND),
    ],
)
def test_it_goes_on_after_every_epoch_to_the_same_numbers(form, build, train, request, tmp_path):
    dataset = request.getfixturevalue(form)
    whole = Job("x", dataset, lambda: build(problem(dataset)), (4, 9))
    expected = numbers(train(whole), tmp_path / "whole")
    seen = []
    resumed = []

    def tell(histories):
        resumed.append({seed: len(history) for seed, history in histories.items()})

    def die(seed, epoch, _values):
        if (seed, epoch) not in seen:
            seen.append((seed, epoch))
            raise KilledError

    path = tmp_path / "checkpoint.npz"
    while True:
        kept = Checkpoint(path, "x")
        try:
            trained = train(replace(whole, on_epoch=die, on_resume=tell, checkpoint=kept))
            break
        except KilledError:
            continue
    assert seen == [(seed, epoch) for seed in (4, 9) for epoch in (1, 2, 3)]
    assert numbers(trained, tmp_path / "resumed") == expected
    # A checkpoint follows the epoch's line, so each try but the first goes on from the epoch before.
    assert resumed == [{4: 1}, {4: 2}, {4: 3}, {4: 3, 9: 1}, {4: 3, 9: 2}]


def test_a_checkpoint_of_the_last_epoch_gives_the_same_numbers_without_training(waves, tmp_path, monkeypatch):
    job = Job("x", waves, lambda: NODE(problem(waves)), (1,))
    expected = numbers(BY_HAND(replace(job, checkpoint=Checkpoint(tmp_path / "c.npz", "x"))), tmp_path / "whole")
    monkeypatch.setattr(by_hand.Learner, "epoch", None)
    again = BY_HAND(replace(job, checkpoint=Checkpoint(tmp_path / "c.npz", "x")))
    assert numbers(again, tmp_path / "again") == expected
    assert np.isfinite(again.replicates[0].predictions["final_test"]).all()
