"""What becomes of a series' rows under the two protocols, `as_published` and `corrected`: pure NumPy."""

import math
from dataclasses import dataclass, replace

import numpy as np

from pipeline.data.examples import Array
from pipeline.data.timestamps import first_rows
from pipeline.errors import UnrollError

Rows = dict[str, Array]
"""train, validation and test -> (examples,) row numbers, as `Windows.rows` takes them."""


@dataclass(frozen=True)
class Series:
    """A series' rows, cleaned or not.

    Attributes:
        stamps: (rows,) datetime64[ms].
        values: (rows, columns) float64.
        unknown: (rows, columns) bool, where nothing was measured.
        start: the first row that may be used.
        late: (rows,) bool, rows whose last good values are too old to stand for them; None where none is.
    """

    stamps: Array
    values: Array
    unknown: Array
    start: int = 0
    late: Array | None = None

    def with_column(self, values: Array) -> "Series":
        """The same series with one more column, (rows,), that is known everywhere."""
        known = np.zeros((len(values), 1), bool)
        return replace(
            self, values=np.column_stack([self.values, values]), unknown=np.concatenate([self.unknown, known], axis=1)
        )


def clean(stamps: Array, values: Array, sentinel: float | None) -> Series:
    """Rows in the order of their stamps, each stamp once, a value everywhere.

    Of rows with one stamp the first in the file is kept. A missing value takes the last good value of its column: a
    value from the past, so nothing of a later block reaches an earlier one. Rows before the first good value of
    every column lie before `start`; what stands in them is of no use.

    Args:
        stamps: (rows,) datetime64[ms].
        values: (rows, columns) float64, NaN where there is no value.
        sentinel: a number that stands for a missing value, too.

    Returns:
        A new series; `start` equals its length if a column holds no value.
    """
    stamps, first = first_rows(stamps)
    values = np.array(values[first])
    unknown = np.isnan(values)
    if sentinel is not None:
        unknown |= values == sentinel
    start = 0
    for column in np.flatnonzero(unknown.any(axis=0)):
        last_good = _last_good(unknown[:, column])
        start = max(start, int((last_good < 0).sum()))
        values[:, column] = values[np.maximum(last_good, 0), column]
    values[:start][np.isnan(values[:start])] = 0.0
    return Series(stamps, values, unknown, start)


def _last_good(unknown: Array) -> Array:
    """(rows,) for each row the last one up to it that is known, -1 where there is none."""
    known: Array = np.maximum.accumulate(np.where(unknown, -1, np.arange(len(unknown))))
    return known


CYCLES = 7
"""That a gap may last where what repeats is known."""


def fill(series: Series, spacing: int, limit: int, repeat: int | None = None) -> tuple[Series, dict[str, int]]:
    """Put in the rows that a gap of up to `limit` of them lacks; they hold what was measured last.

    A value that is missing for longer is not held further than that: its rows are `late`, and no window may have one.
    A window that ends before it is too late is kept: when it ends, nobody can know how long the gap will be.

    Args:
        series: as `clean` gives it.
        spacing: seconds from one row to the next.
        limit: rows.
        repeat: rows of a cycle; beyond `limit` a missing value takes that of a cycle before, for `CYCLES` of them.

    Returns:
        A new series, and what was done: words -> count.
    """
    apart, few = np.diff(series.stamps).astype(np.int64), limit
    limit = max(limit, CYCLES * repeat) if repeat else limit
    lacking = np.where(apart % (spacing * 1000) == 0, apart // (spacing * 1000) - 1, 0)
    lacking = np.append(np.where(lacking <= limit, lacking, 0), 0)
    before = np.repeat(np.arange(len(series.values)), lacking + 1)  # the measured row that each row is, or follows
    after = np.arange(len(before)) - np.searchsorted(before, before)
    unknown = series.unknown[before] | (after > 0)[:, None]
    late = np.zeros(len(before), bool)
    values, places = series.values[before], np.arange(len(before))
    for column, missing in enumerate(unknown.T):
        age = places - _last_good(missing)
        late |= age > limit
        if repeat:
            source = places - -(-age // repeat) * repeat
            old = (age > few) & (age <= limit) & (source >= 0)
            values[old, column] = values[source[old], column]
    start = int(np.searchsorted(before, series.start))
    stamps = series.stamps[before] + (after * spacing * 1000).astype("timedelta64[ms]")
    counts = {
        "rows put in": int((after > 0).sum()),
        "values filled": int((unknown & ~late[:, None])[start:].sum()),
        "rows missing for longer": int(late[start:].sum()),
    }
    return Series(stamps, values, unknown, start, late), counts


def borders(rows: int, train: float, validation: float | None) -> tuple[int, int]:
    """The first row of the validation block and of the test block.

    Args:
        rows: of the series.
        train: rows, if 1 or more, else a share of `rows`.
        validation: the same; None for no such block.

    Raises:
        ValueError: a number of 1 or more is not whole.
        UnrollError: no row is left for the test block.
    """
    counts = []
    for part in (train, validation or 0.0):
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
    series: Series,
    first: int,
    second: int,
    *,
    lookback: int,
    delay: int,
    spacing: int,
    target: int,
    further: Array | None = None,
    overlap: bool = False,
    partial: bool = False,
) -> tuple[Rows, dict[str, int]]:
    """Every row whose window and targets lie in one block, with no gap of the clock between them.

    Args:
        series: as `clean` gives it.
        first: the first row of the validation block.
        second: the first row of the test block.
        lookback: rows from a window's first input to its row, as `Windows` takes it.
        delay: rows from a window's row to its target, as `Windows` takes it; negative where the target comes
            less than a step after the last input.
        spacing: seconds from one row to the next.
        target: the column to forecast; where nothing was measured of it, there is nothing to be right about.
        further: (outputs - 1,) rows from the first target to each further one; None for none.
        overlap: whether a window may begin in the block before; its targets never lie there.
        partial: whether one of the targets being measured is enough.

    Returns:
        The rows, and how many were lost: words -> count.
    """
    # Rows of one run have no gap of the clock between them: a window crosses none if both of its ends are of one run.
    breaks = np.diff(series.stamps).astype(np.int64) != spacing * 1000
    runs = np.concatenate([[0], np.cumsum(breaks)])
    blocks = {
        "train": (series.start, first),
        "validation": (first, second),
        "test": (second, len(series.values)),
    }
    if series.late is not None:  # a late row is a run of its own
        runs = runs + np.cumsum(series.late) + np.cumsum(np.roll(series.late, 1))
    aheads = delay + np.concatenate([[0], further if further is not None else []]).astype(int)
    kept: Rows = {}
    lost = {"windows lost to gaps": 0, "windows lost to unknown targets": 0}
    for split, (start, stop) in blocks.items():
        first_row = max(series.start + lookback, start - delay) if overlap else start + lookback
        rows = np.arange(first_row, stop - aheads[-1])
        whole = runs[rows - lookback] == runs[rows + aheads[-1]]
        known = np.full(len(rows), not partial)
        for ahead in aheads:
            there = ~series.unknown[rows + ahead, target]
            known = known | there if partial else known & there
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
