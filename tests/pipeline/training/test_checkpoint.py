import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipeline.files import write_npz
from pipeline.training import checkpoint
from pipeline.training.checkpoint import Checkpoint

STATE = {"seed": 1, "state": [np.arange(4.0)]}
plain = st.recursive(
    st.none() | st.integers() | st.text() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
numbers = arrays.arrays(st.sampled_from([np.float32, np.float64, np.int64]), arrays.array_shapes(min_dims=0))


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(checkpoint, "FIRST", 0.0)
    monkeypatch.setattr(checkpoint, "SHARE", 0.0)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "checkpoints" / "rnn.npz"


@given(st.dictionaries(st.text(), plain | numbers | st.lists(numbers, max_size=2), max_size=4))
def test_what_was_written_is_read(tmp_path_factory, state):
    path = tmp_path_factory.mktemp("checkpoint") / "a.npz"
    Checkpoint(path, "a").write(lambda: state)
    assert repr(Checkpoint(path, "a").read()) == repr(state)


def test_what_is_not_there_of_another_training_or_of_something_else_is_none(path):
    assert Checkpoint(path, "a").read() is None
    Checkpoint(path, "a").write(lambda: STATE)
    assert Checkpoint(path, "b").read() is None
    write_npz(path, {"weights": np.arange(3)})
    assert Checkpoint(path, "a").read() is None
    for _ in range(2):  # one that was removed may be removed again
        Checkpoint(path, "a").remove()
        assert not path.exists()


def test_a_damaged_checkpoint_is_none_wherever_it_is_damaged(path):
    Checkpoint(path, "a").write(lambda: STATE)
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place])
        assert Checkpoint(path, "a").read() is None
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        read = Checkpoint(path, "a").read()
        assert read is None or repr(read) == repr(STATE), place


def test_a_full_disk_costs_the_checkpoint_only(path, monkeypatch):
    def full(_path, _arrays):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "write_npz", full)
    Checkpoint(path, "a").write(lambda: STATE)
    assert not path.exists()
