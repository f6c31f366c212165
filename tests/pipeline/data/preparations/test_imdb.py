import json
import os
from pathlib import Path

import numpy as np
import pytest

from pipeline.data.preparations.imdb import prepare
from pipeline.errors import UnrollError

OPTIONS = {"words": 40, "length": 12, "validation": 0.2}


def objects(lists):
    array = np.empty(len(lists), object)
    array[:] = lists
    return array


@pytest.fixture
def write(tmp_path):
    """A file as Keras's: lists of word numbers, of lengths around the cut and with rare
    words."""

    def write(**change) -> Path:
        random = np.random.default_rng(0)
        halves = {}
        for half, size in (("train", 60), ("test", 31)):
            lengths = random.integers(1, 30, size)
            lengths[:6] = [1, 11, 12, 13, 10, 29]
            halves[f"x_{half}"] = objects(
                [random.integers(1, 60, length).tolist() for length in lengths]
            )
            halves[f"y_{half}"] = random.integers(0, 2, size)
        folder = tmp_path / "imdb"
        folder.mkdir(exist_ok=True)
        np.savez(folder / "imdb.npz", **halves | change)
        (folder / "imdb_word_index.json").write_text(
            json.dumps({f"word{rank}": rank for rank in range(1, 60)})
        )
        return folder

    return write


def test_reviews_equal_those_of_keras(write, monkeypatch):
    import keras
    from keras.src.datasets import imdb

    raw = write()
    monkeypatch.setattr(
        imdb, "get_file", lambda *_args, **_options: str(raw / "imdb.npz")
    )
    (x_train, y_train), (x_test, y_test) = keras.datasets.imdb.load_data(
        num_words=OPTIONS["words"]
    )
    pad = keras.utils.pad_sequences
    dataset = prepare("imdb", raw, **OPTIONS)
    train, validation, test = (
        dataset.splits[split] for split in ("train", "validation", "test")
    )
    assert (len(train), len(validation), len(test)) == (48, 12, 31)
    np.testing.assert_array_equal(
        np.concatenate([train.inputs, validation.inputs]), pad(x_train, maxlen=12)
    )
    np.testing.assert_array_equal(
        np.concatenate([train.targets, validation.targets]), y_train
    )
    np.testing.assert_array_equal(test.inputs, pad(x_test, maxlen=12))
    np.testing.assert_array_equal(test.targets, y_test)
    assert (train.inputs.dtype, train.targets.dtype, dataset.vocabulary) == (
        np.int16,
        np.float32,
        40,
    )
    assert [*dataset.words[:6], *dataset.words[-1:]] == [
        "",
        "",
        "…",
        "",
        "word1",
        "word2",
        "word36",
    ]
    assert (dataset.kind, dataset.metric, dataset.scored) == (
        "classify",
        "accuracy",
        ("validation",),
    )


@pytest.mark.parametrize(("words", "dtype"), [(32_767, np.int16), (32_768, np.int32)])
def test_a_larger_vocabulary_needs_wider_numbers_and_an_empty_review_is_its_start_alone(
    words, dtype, write
):
    # shifted by 3: the last word that is kept, and one too rare
    reviews = objects([[words - 4], [words - 3], []])
    raw = write(
        x_train=reviews,
        y_train=np.array([0, 1, 0]),
        x_test=reviews,
        y_test=np.array([1, 0, 1]),
    )
    test = prepare("imdb", raw, words=words, length=2, validation=0.5).splits["test"]
    assert test.inputs.dtype == dtype
    assert sorted(test.inputs.tolist()) == [[0, 1], [1, 2], [1, words - 1]]


class Trap:
    """Unpickling it makes a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_file_that_would_call_a_function_is_refused_before_it_does(write, tmp_path):
    with pytest.raises(
        UnrollError,
        match=r"is not Keras's file of reviews \(it asks for posix\.mkdir\)",
    ):
        prepare("imdb", write(x_train=objects([Trap(tmp_path / "sprung")])), **OPTIONS)
    assert not (tmp_path / "sprung").exists()
