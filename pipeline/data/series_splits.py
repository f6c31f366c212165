"""Which rows of a series are examples, under the two protocols `as_published` and `corrected`: pure NumPy."""

import math

import numpy as np

from pipeline.data.examples import Array
from pipeline.data.series import Series
from pipeline.data.series_options import Windowing
from pipeline.errors import UnrollError

Rows = dict[str, Array]
"""train, validation and test -> (examples,) row numbers, as `Windows.rows` takes them."""


def borders(rows: int, train: float, validation: float | None) -> tuple[int, int]:
    """The first row of the validation block and of the test block.

    Args:
        rows: of the series.
        train: rows, if 1 or more, else a fraction of `rows`.
        validation: the same; None for no such block.

    Raises:
        ValueError: a number of 1 or more is not whole.
        UnrollError: no row is left for the test block.
    """
    counts = []
    for size in (train, validation or 0.0):
        if size >= 1 and size != int(size):
            raise ValueError(f"`train` and `validation` must be whole rows, or shares below 1. Received: {size}")
        # The small step up: 0.29 of 100 rows is 29, though the product of the doubles is 28.999...
        counts.append(int(size) if size >= 1 else math.floor(size * rows + 1e-6))
    if sum(counts) >= rows:
        raise UnrollError(
            f"{rows} rows are too few for a test block after {counts[0]} to train on and {counts[1]} to validate on"
        )
    return counts[0], sum(counts)


def published_rows(rows: int, first: int, second: int, windows: Windowing, batch_size: int) -> Rows:
    """The rows that the generator of documents 001 and 002 uses, its slips included.

    Train rows are drawn from [lookback, first). Validation runs from first + 1 + lookback up to `second`, test
    from second + 1 + lookback up to rows - delay - 1, in whole batches: where a batch would reach the end, the
    generator starts again, so a cycle over n rows is (n - 1) // batch_size batches, or, where that is none, the n
    rows at once. A target may lie beyond the border of its block.

    Args:
        rows: of the series.
        first: the first row of the validation block.
        second: the first row of the test block.
        windows: how they are cut; `delay` counts from a window's row, and the last input lies a step before that.
        batch_size: rows that the generator gives at once.
    """

    def cycle(start: int, stop: int) -> Array:
        batches = (stop - start - 1) // batch_size
        return np.arange(start, start + batches * batch_size if batches > 0 else stop)

    return {
        "train": np.arange(windows.lookback, first),
        "validation": cycle(first + 1 + windows.lookback, second),
        "test": cycle(second + 1 + windows.lookback, rows - windows.first - 1),
    }


def corrected_rows(
    series: Series, first: int, second: int, windows: Windowing, *, freq: int, target: int
) -> tuple[Rows, dict[str, int]]:
    """Every row whose window and targets lie in one block, with no gap between them.

    Args:
        series: as `series.clean` gives it.
        first: the first row of the validation block.
        second: the first row of the test block.
        windows: how they are cut.
        freq: seconds from one row to the next.
        target: the column to forecast; where nothing was measured of it, there is nothing to be right about.

    Returns:
        The rows, and how many were lost: words -> count.
    """
    lookback = windows.lookback + windows.lag  # a window's first row needs its lagged value, too
    ahead = windows.ahead - windows.step  # `Windows` counts from the row after the last step
    # Rows of one run have no gap between them: a window crosses none if both of its ends are of one run.
    breaks = np.diff(series.timestamps).astype(np.int64) != freq * 1000
    runs = np.concatenate([[0], np.cumsum(breaks)])
    if series.late is not None:  # a late row is a run of its own
        runs = runs + np.cumsum(series.late) + np.cumsum(np.roll(series.late, 1))
    blocks = {"train": (series.start, first), "validation": (first, second), "test": (second, len(series.values))}
    rows: Rows = {}
    lost = {"windows lost to gaps": 0, "windows lost to unknown targets": 0}
    for split, (start, stop) in blocks.items():
        earliest = max(series.start + lookback, start - ahead[0]) if windows.overlap else start + lookback
        candidates = np.arange(earliest, stop - ahead[-1])
        whole = runs[candidates - lookback] == runs[candidates + ahead[-1]]
        known = np.full(len(candidates), not windows.partial)
        for steps in ahead:
            measured = ~series.unknown[candidates + steps, target]
            known = known | measured if windows.partial else known & measured
        rows[split] = candidates[whole & known]
        lost["windows lost to gaps"] += int((~whole).sum())
        lost["windows lost to unknown targets"] += int((whole & ~known).sum())
    return rows, lost
