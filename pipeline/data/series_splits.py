"""What becomes of a series' rows under the two protocols, `as_published` and `corrected`: pure NumPy."""

import math
from dataclasses import dataclass

import numpy as np

from pipeline.data.examples import Array
from pipeline.errors import UnrollError

Rows = dict[str, Array]
"""train, validation and test -> (examples,) row numbers, as `Windows.rows` takes them."""


@dataclass(frozen=True)
class Series:
    """A series' rows, cleaned or not.

    Attributes:
        stamps: (rows,) datetime64[ms].
        values: (rows, columns) float64.
        unknown: (rows, columns) bool, where a sentinel stood.
        start: the first row that may be used.
    """

    stamps: Array
    values: Array
    unknown: Array
    start: int = 0


@dataclass(frozen=True)
class Clock:
    """How regular stamps are.

    Attributes:
        spacing: seconds from one row to the next.
        repeated: rows whose stamp was there before.
        gaps: places where the next later stamp is not `spacing` seconds on.
    """

    spacing: int
    repeated: int
    gaps: int


def clock(stamps: Array, spacing: int | None) -> Clock:
    """Measure `stamps` (rows,) datetime64[ms] against `spacing` seconds, by default their median distance."""
    later = np.unique(stamps)
    apart = np.diff(later).astype(np.int64)
    if spacing is None:
        spacing = max(1, round(float(np.median(apart)) / 1000)) if len(apart) else 1
    return Clock(spacing, len(stamps) - len(later), int((apart != spacing * 1000).sum()))


def clean(stamps: Array, values: Array, sentinel: float | None) -> Series:
    """Rows in the order of their stamps, each stamp once, no sentinels.

    Of rows with one stamp the first in the file is kept. A sentinel takes the last good value of its column: a
    value from the past, so nothing of a later block reaches an earlier one. Rows before the first good value of
    every column lie before `start`; what stands in them is of no use.

    Args:
        stamps: (rows,) datetime64[ms].
        values: (rows, columns) float64.
        sentinel: the number that stands for a missing value.

    Returns:
        A new series; `start` equals its length if a column holds nothing but sentinels.
    """
    _, first = np.unique(stamps, return_index=True)
    stamps, values = stamps[first], values[first]
    unknown = values == sentinel if sentinel is not None else np.zeros(values.shape, bool)
    start = 0
    for column in np.flatnonzero(unknown.any(axis=0)):
        last_good = np.where(unknown[:, column], -1, np.arange(len(values)))
        np.maximum.accumulate(last_good, out=last_good)
        start = max(start, int((last_good < 0).sum()))
        values[:, column] = values[np.maximum(last_good, 0), column]
    return Series(stamps, values, unknown, start)


def borders(rows: int, train: float, validation: float) -> tuple[int, int]:
    """The first row of the validation block and of the test block.

    Args:
        rows: of the series.
        train: rows, if 1 or more, else a share of `rows`.
        validation: the same.

    Raises:
        ValueError: a number of 1 or more is not whole.
        UnrollError: no row is left for the test block.
    """
    counts = []
    for part in (train, validation):
        if part >= 1 and part != int(part):
            raise ValueError(f"`train` and `validation` must be whole rows, or shares below 1. Received: {part}")
        # The small step up: 0.29 of 100 rows is 29, though the product of the doubles is 28.999...
        counts.append(int(part) if part >= 1 else math.floor(part * rows + 1e-6))
    if sum(counts) >= rows:
        raise UnrollError(
            f"{rows} rows are too few for a test block after {counts[0]} to train on and {counts[1]} to validate on"
        )
    return counts[0], sum(counts)


def published_rows(rows: int, first: int, second: int, *, lookback: int, delay: int, batch_size: int) -> Rows:
    """The rows that the generator of documents 001 and 002 uses, its slips included.

    Train rows are drawn from [lookback, first). Validation runs from first + 1 + lookback up to `second`, test
    from second + 1 + lookback up to rows - delay - 1, in whole batches: where a batch would reach the end, the
    generator starts again, so a cycle over n rows is (n - 1) // batch_size batches, or, where that is none, the n
    rows at once. A target may lie beyond the border of its block.

    Args:
        rows: of the series.
        first: the first row of the validation block.
        second: the first row of the test block.
        lookback: rows that a window spans.
        delay: rows from a window's row to its target; the last input lies a step before the row.
        batch_size: rows that the generator gives at once.
    """

    def cycle(start: int, stop: int) -> Array:
        batches = (stop - start - 1) // batch_size
        return np.arange(start, start + batches * batch_size if batches > 0 else stop)

    return {
        "train": np.arange(lookback, first),
        "validation": cycle(first + 1 + lookback, second),
        "test": cycle(second + 1 + lookback, rows - delay - 1),
    }


def corrected_rows(
    series: Series, first: int, second: int, *, lookback: int, delay: int, spacing: int, target: int
) -> tuple[Rows, dict[str, int]]:
    """Every row whose window and target lie in one block, with no gap of the clock between them.

    Args:
        series: as `clean` gives it.
        first: the first row of the validation block.
        second: the first row of the test block.
        lookback: rows from a window's first input to its row, as `Windows` takes it.
        delay: rows from a window's row to its target, as `Windows` takes it; negative where the target comes
            less than a step after the last input.
        spacing: seconds from one row to the next.
        target: the column to forecast; where a sentinel stood in it, there is nothing to be right about.

    Returns:
        The rows, and how many were lost: words -> count.
    """
    breaks = np.diff(series.stamps).astype(np.int64) != spacing * 1000
    runs = np.concatenate([[0], np.cumsum(breaks)])
    blocks = {
        "train": (series.start, first),
        "validation": (first, second),
        "test": (second, len(series.values)),
    }
    kept: Rows = {}
    lost = {"windows lost to gaps": 0, "windows lost to unknown targets": 0}
    for split, (start, stop) in blocks.items():
        rows = np.arange(start + lookback, stop - delay)
        whole = runs[rows - lookback] == runs[rows + delay]
        known = ~series.unknown[rows + delay, target]
        kept[split] = rows[whole & known]
        lost["windows lost to gaps"] += int((~whole).sum())
        lost["windows lost to unknown targets"] += int((whole & ~known).sum())
    return kept, lost


def scale(values: Array) -> tuple[Array, Array]:
    """Mean and population standard deviation (ddof 0) of each column of (rows, columns), in float64.

    A column that never changes gets the deviation 1: it is centred and otherwise left alone.
    """
    constant = values.min(axis=0) == values.max(axis=0)
    return values.mean(axis=0), np.where(constant, 1.0, values.std(axis=0))
