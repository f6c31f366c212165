import numpy as np

from pipeline.data.sources import waves
from pipeline.files import read_npz


def test_the_rows_follow_the_documents_formula():
    found = waves.generate(np.random.default_rng(5), 4)
    random = np.random.default_rng(5)
    frequency1, frequency2, offset1, offset2 = random.random((4, 4))
    noise = random.random((4, 51))
    for row in range(4):
        for step in range(51):
            time = step / 50
            value = 0.5 * np.sin((time - offset1[row]) * (frequency1[row] * 10 + 10))
            value += 0.2 * np.sin((time - offset2[row]) * (frequency2[row] * 20 + 20))
            value += 0.1 * (noise[row, step] - 0.5)
            assert np.isclose(found[row, step], value, rtol=0, atol=1e-14)


def test_sizes_and_independent_streams(folder, context, tmp_path):
    waves.produce(folder, context, seed=0)
    whole = read_npz(folder / "waves.npz")
    assert {split: array.shape for split, array in whole.items()} == {
        "train": (7000, 51),
        "validation": (2000, 51),
        "test": (2000, 51),
    }
    assert {array.dtype for array in whole.values()} == {np.dtype(np.float64)}
    first = (folder / "waves.npz").read_bytes()
    waves.produce(folder, context, seed=0)
    assert (folder / "waves.npz").read_bytes() == first
    waves.produce(tmp_path, context, seed=0, train=10, test=20)
    fewer = read_npz(tmp_path / "waves.npz")
    np.testing.assert_array_equal(fewer["validation"], whole["validation"])
    assert fewer["train"].shape == (10, 51)
    assert not np.isclose(whole["train"][:2000], whole["test"]).any(axis=1).all()


def test_the_last_value_scores_about_what_the_document_says():
    found = waves.generate(np.random.default_rng(0), 50_000)
    assert 0.020 < np.mean((found[:, 49] - found[:, 50]) ** 2) < 0.0212
