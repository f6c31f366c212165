"""Parts of a training: one seed each, trained apart."""

import re

import pytest

from pipeline.errors import DivergedError
from pipeline.training import checkpoint
from pipeline.training.methods import by_hand
from stages.replicate import gathered, replicate
from stages.train import train
from tests.stages.test_train import contents

NAME, SEEDS, EPOCHS = "waves_node", (0, 1, 2, 3), 6


@pytest.fixture
def workspace(miniature):
    """Where an experiment has four seeds."""
    miniature.change(lambda data: data["experiments"][NAME].update(seeds=len(SEEDS)))
    miniature.change(lambda data: data["experiments"][NAME]["training"].update(epochs=EPOCHS))
    return miniature.workspace


@pytest.fixture
def trained(monkeypatch):
    """The (seed, epoch) that were trained; `trained.ends` is raised in place of one of them, `trained.until`."""

    class Trained(list):
        until, ends = None, KeyboardInterrupt()

    def epoch(self, number):
        if (self._seed, number) == found.until:
            raise found.ends
        found.append((self._seed, number))
        return whole(self, number)

    found, whole = Trained(), by_hand.Learner.epoch
    monkeypatch.setattr(by_hand.Learner, "epoch", epoch)
    monkeypatch.setattr(checkpoint, "FIRST", 0.0)
    monkeypatch.setattr(checkpoint, "SHARE", 0.0)
    return found


def interrupted(trained, seed, epoch, what, *arguments):
    trained.until = seed, epoch
    with pytest.raises(KeyboardInterrupt):
        what(*arguments)
    trained.until = None


def run(workspace):
    with gathered(workspace, NAME):
        return contents(train(workspace, NAME))


def epochs(seed, first=1):
    return [(seed, epoch) for epoch in range(first, EPOCHS + 1)]


def test_a_training_goes_on_from_its_parts_and_ends_with_the_same_bytes(workspace, trained):
    whole = contents(train(workspace, NAME))
    for seed in (3, 2, 0, 1):
        replicate(workspace, NAME, seed)
    trained.clear()
    assert run(workspace) == whole
    assert trained == [], "all was trained by the parts"
    assert not list(workspace.checkpoint(NAME).parent.iterdir())

    replicate(workspace, NAME, 0)
    interrupted(trained, 1, 4, replicate, workspace, NAME, 1)
    interrupted(trained, 2, 5, replicate, workspace, NAME, 2)
    trained.clear()
    replicate(workspace, NAME, 2)
    assert trained == epochs(2, 5), "a part goes on from where it was"
    trained.clear()
    assert run(workspace) == whole
    assert trained == epochs(1, 4) + epochs(2) + epochs(3), "a training goes on from the first seeds"


def test_parts_go_on_from_a_training_that_was_interrupted(workspace, trained):
    interrupted(trained, 2, 3, train, workspace, NAME)
    trained.clear()
    for seed in SEEDS:
        replicate(workspace, NAME, seed)
    assert trained == epochs(2, 3) + epochs(3)
    trained.clear()
    whole = run(workspace)
    assert trained == []
    assert whole == contents(train(workspace, NAME))


def test_parts_that_know_less_than_the_checkpoint_do_not_count(workspace, trained):
    interrupted(trained, 0, 2, replicate, workspace, NAME, 0)
    interrupted(trained, 1, 5, train, workspace, NAME)
    trained.clear()
    run(workspace)
    assert trained == epochs(1, 5) + epochs(2) + epochs(3)


def test_a_seed_that_diverges_is_told_as_without_parts(workspace, trained):
    trained.until, trained.ends = (1, 3), DivergedError(NAME, 1, 3, 5)
    with pytest.raises(DivergedError) as told:
        train(workspace, NAME)
    workspace.checkpoint(NAME).unlink()
    for seed in (0, 2):
        replicate(workspace, NAME, seed)
    with pytest.raises(DivergedError):
        replicate(workspace, NAME, 1)
    trained.clear()
    with pytest.raises(DivergedError, match=re.escape(str(told.value))):
        run(workspace)
    assert trained == []


def test_parts_of_other_params_do_not_count_and_are_removed(miniature, workspace, trained):
    for seed in SEEDS:
        replicate(workspace, NAME, seed)
    miniature.change(lambda data: data["experiments"][NAME]["training"].update(learning_rate=0.02))
    trained.clear()
    run(workspace)
    assert trained == [pair for seed in SEEDS for pair in epochs(seed)]
    assert not list(workspace.checkpoint(NAME).parent.iterdir())


def test_a_full_disk_costs_the_part_not_the_training(workspace, trained, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "write_npz", full)
        replicate(workspace, NAME, 0)
    assert not workspace.part(NAME, 0).exists()
    run(workspace)
    assert trained[-EPOCHS:] == epochs(3)
