import numpy as np
import pytest

from pipeline.data.preparations.shapes import prepare
from pipeline.data.sources import sines
from pipeline.errors import UnrollError
from pipeline.files import read_npz, write_npz


@pytest.fixture
def raw(tmp_path):
    sines.produce(tmp_path, None, train=30, validation=10, test=20)
    return tmp_path


def test_a_series_is_what_its_numbers_say_but_for_noise(raw):
    arrays = read_npz(raw / "sines.npz")
    for split, count in (("train", 30), ("validation", 10), ("test", 20)):
        series, waves = arrays[f"{split}_series"], arrays[f"{split}_waves"]
        assert waves.shape == (count, 2, 3)
        clean = np.array([sum(a * np.sin(f * np.arange(40) + p) for a, f, p in both) for both in waves])
        assert np.abs(series - clean).max() <= 0.05
    assert not (arrays["train_series"][:10] == arrays["validation_series"]).any()


def test_the_four_questions(raw):
    series = read_npz(raw / "sines.npz")["test_series"]
    found = {
        shape: prepare("d", raw, shape=shape, delay=3)
        for shape in ("sequence_to_sequence", "sequence_to_vector", "vector_to_sequence", "delayed")
    }
    tests = {shape: dataset.splits["test"] for shape, dataset in found.items()}
    np.testing.assert_array_equal(tests["sequence_to_sequence"].inputs[:, 1:, 0], series[:, 1:30])
    np.testing.assert_array_equal(tests["sequence_to_sequence"].targets, series[:, 1:31])
    np.testing.assert_array_equal(tests["sequence_to_vector"].targets, series[:, 30:])
    assert tests["vector_to_sequence"].inputs.shape == (20, 6)
    np.testing.assert_array_equal(tests["vector_to_sequence"].targets, series)
    np.testing.assert_array_equal(tests["delayed"].targets[:, 3:], tests["delayed"].inputs[:, :-3, 0])
    assert not tests["delayed"].targets[:, :3].any()
    assert [dataset.each_step for dataset in found.values()] == [True, False, False, True]


def test_what_is_wrong_is_one_line(raw, tmp_path):
    with pytest.raises(ValueError, match="`lookback` and `ahead` must be at most 40 in all"):
        prepare("d", raw, shape="delayed", lookback=31)
    with pytest.raises(UnrollError, match=r"sines\.npz is missing; run `unroll source none`"):
        prepare("d", tmp_path / "none", shape="delayed")
    write_npz(raw / "sines.npz", {"train_series": np.zeros((2, 40))})
    with pytest.raises(UnrollError, match="has no array 'train_waves'"):
        prepare("d", raw, shape="delayed")
