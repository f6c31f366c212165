"""Checkpoints, and the loop over seeds and epochs, with a method that is a few lines of
NumPy."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipeline.errors import UnrollError
from pipeline.files import write_npz
from pipeline.training import epochs as loop
from pipeline.training.epochs import Checkpoint, train_replicates
from pipeline.training.job import Job

STATE = {"seed": 1, "state": [np.arange(4.0)]}
plain = st.none() | st.integers() | st.text() | st.floats(allow_nan=False)
numbers = arrays.arrays(
    st.sampled_from([np.float32, np.float64, np.int64]), arrays.array_shapes(min_dims=0)
)


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(loop, "FIRST_CHECKPOINT", 0.0)
    monkeypatch.setattr(loop, "PAUSE", 0.0)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "checkpoints" / "rnn.npz"


@given(
    st.dictionaries(
        st.text(),
        plain | st.lists(plain) | numbers | st.lists(numbers, max_size=2),
        max_size=4,
    )
)
def test_a_checkpoint_is_read_as_it_was_written(tmp_path_factory, state):
    path = tmp_path_factory.mktemp("checkpoint") / "a.npz"
    Checkpoint(path, "a").write(lambda: state)
    assert repr(Checkpoint(path, "a").read()) == repr(state)


def test_no_checkpoint_one_of_another_training_and_a_damaged_one_are_none(path):
    assert Checkpoint(path, "a").read() is None
    Checkpoint(path, "a").write(lambda: STATE)
    assert Checkpoint(path, "b").read() is None
    whole = path.read_bytes()
    for byte in range(0, len(whole), 7):
        path.write_bytes(whole[:byte])
        assert Checkpoint(path, "a").read() is None
        path.write_bytes(whole[:byte] + bytes([whole[byte] ^ 4]) + whole[byte + 1 :])
        read = Checkpoint(path, "a").read()
        assert read is None or repr(read) == repr(STATE), byte
    write_npz(path, {"weights": np.arange(3)})
    assert Checkpoint(path, "a").read() is None
    for _ in range(2):  # one that was removed may be removed again
        Checkpoint(path, "a").remove()
        assert not path.exists()


def test_a_full_disk_costs_the_checkpoint_only(path, monkeypatch):
    def full(_path, _arrays):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(loop, "write_npz", full)
    Checkpoint(path, "a").write(lambda: STATE)
    assert not path.exists()


class KilledError(Exception):
    pass


class Walk:
    """Weights that walk at random; the epoch before the seed has the best score, and
    the next two have the same."""

    def begin(self, seed, done=0, state=None):
        self.seed = seed
        self.random = np.random.default_rng(seed)
        self.random.normal(size=done)
        self.position = np.zeros(1) if state is None else state[0]

    def epoch(self, number):
        self.position = self.position + self.random.normal()
        return {
            "train_loss": float(self.position[0]),
            "validation_mse": float((number - self.seed) ** 2 // 2),
        }

    def state(self):
        return [self.position]

    def weights(self):
        return [self.position.copy()]

    def predictions(self, point, weights):
        return {f"{point}_test": weights[0] * 2}


class Watch:
    """Records what it is told, and dies the first time that it is told of an epoch."""

    def __init__(self):
        self.epochs = set()
        self.resumptions = []

    def resumed(self, histories):
        self.resumptions.append(
            {seed: len(history) for seed, history in histories.items()}
        )

    def epoch(self, seed, epoch, values):
        if (seed, epoch) not in self.epochs:
            self.epochs.add((seed, epoch))
            raise KilledError
        assert values["validation_mse"] == (epoch - seed) ** 2 // 2


@pytest.fixture
def job(sine_windows):
    return Job("x", replace(sine_windows, scored=("validation",)), lambda: None, (2, 3))


@pytest.mark.parametrize("patience", [None, 1])
def test_a_training_that_is_killed_after_any_epoch_goes_on_to_the_same_numbers(
    job, patience, path
):
    """A replicate ends when nothing has improved for as long as patience says, the last
    epoch included."""
    expected = train_replicates(job, 5, Walk(), patience)
    assert [len(replicate.history) for replicate in expected] == (
        [2, 3] if patience else [5, 5]
    )
    for replicate in expected:
        final, best = (
            replicate.history[index]["train_loss"] for index in (-1, replicate.seed - 2)
        )
        assert replicate.best_epoch == replicate.seed - 1, "of equals the first"
        assert replicate.weights == {"final": [final], "best": [best]}
        assert replicate.predictions == {"final_test": 2 * final, "best_test": 2 * best}
    watch = Watch()

    def again(learner):
        watched = replace(job, callbacks=(watch,), checkpoint=Checkpoint(path, "x"))
        return train_replicates(watched, 5, learner, patience)

    epochs = [
        (replicate.seed, epoch)
        for replicate in expected
        for epoch in range(1, len(replicate.history) + 1)
    ]
    for _ in epochs:
        with pytest.raises(KilledError):
            again(Walk())
    assert repr(again(Walk())) == repr(expected)
    # A checkpoint follows the epoch's line, so each try but the first goes on from the
    # epoch before.
    assert [list(histories.items())[-1] for histories in watch.resumptions] == epochs[
        :-1
    ]
    done = Walk()
    done.epoch = None
    assert repr(again(done)) == repr(expected), "from the checkpoint of the last epoch"


def test_patience_needs_validation(job):
    with pytest.raises(
        UnrollError,
        match="x: patience needs a data set whose validation split is scored",
    ):
        train_replicates(
            replace(job, dataset=replace(job.dataset, scored=())), 3, Walk(), patience=2
        )
