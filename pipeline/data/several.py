"""Several series in one data set: each as a series by itself, their rows one behind the other, for one model of all."""

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.data.dataset import Dataset, Fitted, Scale
from pipeline.data.examples import Array, Windows

ONE = ""
"""What a series is called that is alone."""

STATISTICS = ("mean", "std", "low", "high")
"""What is found of each column of each series."""


def together(each: Mapping[str, Fitted]) -> Fitted:
    """What was found of all series as one: the statistics of the first, then those of the next; `parts` undoes it."""
    first = next(iter(each.values()))
    if list(each) == [ONE]:
        return first
    found = {key: [number for one in each.values() for number in getattr(one, key)] for key in STATISTICS}
    return first.model_copy(update={**found, "options": first.options | {"words": [*each]}})


def parts(fitted: Fitted) -> dict[str, Fitted]:
    """Name of a series -> what was found of it."""
    words = _names(fitted)
    each = {key: np.reshape(getattr(fitted, key), (len(words), -1)).tolist() for key in STATISTICS}
    return {
        word: fitted.model_copy(update={key: each[key][place] for key in STATISTICS})
        for place, word in enumerate(words)
    }


def _names(fitted: Fitted) -> list[str]:
    return [*fitted.options.get("words", [ONE])]


def scales(dataset: Dataset) -> dict[str, Scale]:
    """Name of a series -> the scale of its targets, which models are asked for as multiples of its own deviation."""
    if dataset.fitted is None or len(each := parts(dataset.fitted)) == 1:
        return {ONE: dataset.scale}
    options = dataset.fitted.options
    place, unit = dataset.fitted.columns.index(options["target"]), {"unit": options["unit"]}
    return {
        word: Scale(mean=one.mean[place], std=one.std[place], quantity=dataset.scale.quantity, **unit)
        for word, one in each.items()
    }


def length(dataset: Dataset) -> int:
    """Rows of each series of a data set of windows."""
    windows = next(split for split in dataset.splits.values() if isinstance(split, Windows))
    return len(windows.series) // (len(_names(dataset.fitted)) if dataset.fitted else 1)


def behind(each: Sequence[Array], rows: Mapping[str, Sequence[Array]]) -> tuple[Array, dict[str, Array]]:
    """Series (rows, columns) of one length, one behind the other, and where the rows of each split are then."""
    whole = np.concatenate(each) if len(each) > 1 else each[0]  # one alone is not copied
    length = len(each[0])
    moved = {key: [one + place * length for place, one in enumerate(found)] for key, found in rows.items()}
    return whole, {key: np.concatenate(found) for key, found in moved.items()}


def of(dataset: Dataset, rows: Array) -> Array:
    """(n,) the place, among the series, of the one that each row belongs to."""
    return np.asarray(rows // length(dataset))
