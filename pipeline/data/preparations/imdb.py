"""Film reviews, good or bad, of documents 001 and 002.

The reviews are Keras's own file of word numbers.
"""

import pickle
import zipfile
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pydantic

from pipeline.data.dataset import Dataset
from pipeline.data.examples import Array, Arrays
from pipeline.errors import UnrollError
from pipeline.files import read_checked

HALVES = ("train", "test")

START = 1
"""The word number of a review's start in Keras's `imdb.load_data`. Padding is 0."""

UNKNOWN = 2
"""The word number of a rare word in `imdb.load_data`."""

SHIFT = 3
"""The number that `imdb.load_data` adds to each word number, to make room for the
special numbers."""

SEED = 113
"""The seed of the shuffle in `imdb.load_data`."""

_HARMLESS = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),  # NumPy 1
    ("numpy._core.multiarray", "_reconstruct"),  # NumPy 2
}


class _Index(pydantic.RootModel[dict[str, int]]):
    """Word -> its rank by frequency, from 1."""


class _Unpickler(pickle.Unpickler):
    """An unpickler for arrays of plain Python values.

    A pickle may call any function. This unpickler refuses all but the `_HARMLESS` ones.
    """

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _HARMLESS:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}"[:200])
        return super().find_class(module, name)


def prepare(
    name: str,
    raw: Path,
    *,
    words: Annotated[int, pydantic.Field(ge=4, le=1_000_000)],
    length: Annotated[int, pydantic.Field(ge=1, le=10_000)],
    validation: Annotated[float, pydantic.Field(gt=0, lt=1)],
) -> Dataset:
    """Return reviews as `keras.datasets.imdb.load_data(num_words=words)` and
    `pad_sequences(maxlen=length)` return them.

    Args:
        name: the name of the data set.
        raw: the folder of its source, with `imdb.npz` and `imdb_word_index.json`.
        words: the number of different word numbers; rarer words become 2.
        length: word numbers per review. A longer review keeps its last words; a shorter
            one gets zeros in front.
        validation: the fraction of the train reviews, taken from the end, for
            validation (as in Keras's `fit`).

    Returns:
        A classification, scored by accuracy. Inputs are (n, length) int16, or int32 if
        word numbers need it. Targets are (n,) float32, 1 for a good review.

    Raises:
        UnrollError: a file is missing, or does not hold reviews or words.
    """
    halves = _read(raw)
    index = read_checked(raw / "imdb_word_index.json", _Index).root
    random = np.random.RandomState(SEED)
    splits = {}
    for half, (reviews, labels) in halves.items():
        order = np.arange(len(reviews))
        random.shuffle(order)
        splits[half] = Arrays(
            _pad([reviews[i] for i in order], words, length),
            labels[order].astype(np.float32),
        )
    train = splits["train"]
    too_long = [len(review) >= length for review in halves["train"][0]]
    cut = int(len(train) * (1 - validation))
    return Dataset(
        name=name,
        kind="classify",
        metric="accuracy",
        splits={
            "train": Arrays(train.inputs[:cut], train.targets[:cut]),
            "validation": Arrays(train.inputs[cut:], train.targets[cut:]),
            "test": splits["test"],
        },
        vocabulary=words,
        words=_words(index, words),
        facts={
            "words": words,
            "length": length,
            "reviews to train on": len(train),
            "share of train reviews cut": float(np.mean(too_long)),
            "share of good test reviews": float(splits["test"].targets.mean()),
        },
    )


def _read(raw: Path) -> dict[str, tuple[list[list[int]], Array]]:
    """Return half ("train" or "test") -> its reviews and their labels (n,).

    The file holds pickled lists, and a pickle may run any code. So only lists and
    numbers are accepted.
    """
    path = raw / "imdb.npz"
    again = f"delete {raw} and run `unroll source {raw.name}` again"
    if not path.is_file():
        raise UnrollError(f"{path} is missing; run `unroll source {raw.name}`")
    halves = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for half in HALVES:
                reviews = _array(archive, f"x_{half}").tolist()
                labels = _array(archive, f"y_{half}")
                halves[half] = (reviews, labels)
    # zipfile and pickle raise a dozen kinds of errors for damaged bytes.
    except Exception as error:  # noqa: BLE001
        raise UnrollError(
            f"{path} is not Keras's file of reviews ({error}); {again}"
        ) from None
    return halves


def _words(index: dict[str, int], count: int) -> Array:
    """Return the word of each word number (count,).

    Padding and start have the empty word, a rare word an ellipsis.
    """
    words = [""] * count
    words[UNKNOWN] = "…"
    for word, rank in index.items():
        if 0 < rank < count - SHIFT:
            words[rank + SHIFT] = word
    return np.array(words)


def _array(archive: zipfile.ZipFile, name: str) -> Array:
    with archive.open(f"{name}.npy") as file:
        np.lib.format.read_magic(file)
        _, _, dtype = np.lib.format.read_array_header_1_0(file)
        if dtype.hasobject:
            return np.asarray(_Unpickler(file).load())
        file.seek(0)
        array: Array = np.lib.format.read_array(file, allow_pickle=False)
        return array


def _pad(reviews: list[list[int]], words: int, length: int) -> Array:
    """Return reviews cut or padded at their front: (reviews, length).

    A row ends with the review: its start number, then its words.
    """
    dtype = np.int16 if words <= np.iinfo(np.int16).max else np.int32
    padded = np.zeros((len(reviews), length), dtype)
    for row, review in zip(padded, reviews, strict=True):
        numbers = np.array(review[-length:], np.int64) + SHIFT
        numbers[numbers >= words] = UNKNOWN
        row[length - len(numbers) :] = numbers
        if len(review) < length:
            row[length - len(review) - 1] = START
    return padded
