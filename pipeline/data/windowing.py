"""Rows with timestamps as examples: cleaning rows, cutting them into blocks and windows,
and making inputs.

Data sets of params.yaml and answers for a series of one's own use the same functions.
"""

import math
from collections import Counter
from dataclasses import dataclass
from typing import Annotated, Self

import numpy as np
import pydantic

from pipeline.data import timestamps
from pipeline.data.examples import Array
from pipeline.data.timestamps import Regularity
from pipeline.errors import UnrollError
from pipeline.validation import Strict

Count = Annotated[int, pydantic.Field(ge=1, le=1_000_000_000)]

DAY = 86_400
"""Seconds of a day."""

YEAR = 365.2425 * DAY
"""Seconds of a year."""

BLOCK = 2**20
"""Rows whose calendar is computed at once, which limits the memory."""

Rows = dict[str, Array]
"""Split -> row numbers (examples,), as `Windows.rows` takes them."""


class WindowSpec(Strict):
    """The inputs of a window, and the values to forecast after it.

    Attributes:
        lookback: rows that a window spans, a multiple of `step`.
        delay: rows from the last input to the first value to forecast; by default
            `step`, which is the next value.
        horizon: the number of values to forecast at once, `step` rows apart.
        step: rows from one input to the next.
        unit: the unit of the target, for reports.
        quantity: what the target is, for reports.
    """

    lookback: Count
    delay: Count | None = None
    horizon: Annotated[int, pydantic.Field(ge=1, le=10_000)] = 1
    step: Count = 1
    unit: str = ""
    quantity: str = "value"

    @property
    def first(self) -> int:
        """Rows from a window's last input to the first value to forecast."""
        return self.delay or self.step

    @property
    def ahead(self) -> Array:
        """Rows (horizon,) from a window's last input to each value to forecast."""
        return self.first + self.step * np.arange(self.horizon)

    def spread(self, every: int) -> Self:
        """Return the same windows, in rows of which `every` lie in one row of these."""
        return self.model_copy(
            update={
                "lookback": self.lookback * every,
                "delay": self.first * every,
                "step": self.step * every,
            }
        )


class Statistics(Strict):
    """Statistics over the train rows of each column of a series, except the calendar."""

    mean: list[float]
    std: list[float]
    low: list[float]
    high: list[float]


@dataclass(frozen=True)
class Series:
    """The rows of a series.

    Attributes:
        timestamps: (rows,) datetime64[ms].
        values: (rows, columns) float64.
        unknown: (rows, columns) bool, whether a value was not measured.
        start: the first row that may be used.
    """

    timestamps: Array
    values: Array
    unknown: Array
    start: int = 0

    def runs(self, freq: int) -> Array:
        """Return the number (rows,) of the run that each row belongs to.

        A run is a stretch of rows without a gap. Its rows lie `freq` seconds apart.
        """
        breaks = np.diff(self.timestamps).astype(np.int64) != freq * 1000
        return np.concatenate([[0], np.cumsum(breaks)])


def clean(moments: Array, values: Array, sentinel: float | None) -> Series:
    """Return rows sorted by their timestamps, without duplicates and missing values.

    Of rows with the same timestamp the first in the file is kept. A missing value takes
    the last good value of its column. That value is from the past, so no later block
    reaches an earlier one. `start` is the first row by which all columns have had a
    good value. It is the number of rows if a column holds no value.

    Args:
        moments: (rows,) datetime64[ms].
        values: (rows, columns) float64, NaN where a value is missing.
        sentinel: a number that also stands for a missing value.
    """
    moments, first = timestamps.first_rows(moments)
    values = np.array(values[first])
    unknown = np.isnan(values) | _is(values, sentinel)
    start = _take_last_good(values, unknown)
    values[:start][np.isnan(values[:start])] = 0.0
    return Series(moments, values, unknown, start)


def _is(values: Array, sentinel: float | None) -> Array:
    """Return which values are the sentinel."""
    return np.asarray(values == (np.nan if sentinel is None else sentinel))


def _take_last_good(values: Array, unknown: Array) -> int:
    """Give unknown values (rows, columns) the last good value of their column, in place.

    Return the first row by which all columns have had a good value.
    """
    start = 0
    for column in np.flatnonzero(unknown.any(axis=0)):
        known = last_good(unknown[:, column])
        start = max(start, int((known < 0).sum()))
        values[:, column] = values[np.maximum(known, 0), column]
    return start


def last_good(unknown: Array) -> Array:
    """Return for each row (rows,) the number of the last known row up to it, or -1."""
    known = np.where(unknown, -1, np.arange(len(unknown)))
    return np.asarray(np.maximum.accumulate(known))


def as_they_are(moments: Array, values: Array, sentinel: float | None = None) -> Series:
    """Return rows as the documents take them, in the order of the file.

    A sentinel takes the last good value of its column; nothing else is cleaned.

    Args:
        moments: (rows,) datetime64[ms].
        values: (rows, columns) float64.
        sentinel: a number that stands for a missing value.
    """
    values = np.array(values)
    unknown = _is(values, sentinel)
    start = _take_last_good(values, unknown)
    return Series(moments, values, unknown, start)


def timesteps_of_day(timestep: int) -> int:
    """Return the number of timesteps (seconds) in a day; 0 if a day is no cycle."""
    return 0 if timestep >= DAY or DAY % timestep else DAY // timestep


def borders(rows: int, train: float, validation: float | None) -> tuple[int, int]:
    """Return the first row of the validation block and of the test block.

    Args:
        rows: the number of rows of the series.
        train: the size of the train block in rows if it is 1 or more, else as a
            fraction of `rows`.
        validation: the size of the validation block; None for no such block.

    Raises:
        ValueError: a number of 1 or more is not whole.
        UnrollError: no row is left for the test block.
    """
    counts = []
    for size in (train, validation or 0.0):
        if size >= 1 and size != int(size):
            raise ValueError(
                "`train` and `validation` must be whole rows, or shares below 1. "
                f"Received: {size}"
            )
        # The small step up: 0.29 of 100 rows is 29, though the product of the doubles
        # is 28.999...
        counts.append(int(size) if size >= 1 else math.floor(size * rows + 1e-6))
    if sum(counts) >= rows:
        raise UnrollError(
            f"{rows} rows are too few for a test block after {counts[0]} to train on "
            f"and {counts[1]} to validate on"
        )
    return counts[0], sum(counts)


def document_rows(
    rows: int, first: int, second: int, windows: WindowSpec, batch_size: int | None
) -> Rows:
    """Return the rows of examples in the documents.

    Documents 001 and 002 have a generator, slips included. Train rows are drawn from
    [lookback, first). Validation rows lie from first + 1 + lookback up to `second`.
    Test rows lie from second + 1 + lookback up to rows - delay - 1. Validation and test
    consist of whole batches: if a batch would reach the end, the generator starts
    again. So n rows give (n - 1) // batch_size batches, or one batch of n rows if that
    is 0. A target may lie beyond the border of its block.

    Document 006 calls `keras.utils.timeseries_dataset_from_array`. A window's inputs
    lie in one block, and its target may lie in the next block. The document drops the
    last rows of the test block, as many as lie from a window's first input to its
    target. So the last windows are not used.

    Args:
        rows: the number of rows of the series.
        first: the first row of the validation block.
        second: the first row of the test block.
        windows: how windows are cut. For the generator `delay` counts from a window's
            row, one step after the last input, else from the last input.
        batch_size: the number of windows that the generator yields at once; None for
            document 006.
    """
    lookback = windows.lookback
    if batch_size is None:
        last = rows - lookback - windows.first + windows.step
        ends = {
            "train": (0, first),
            "validation": (first, second),
            "test": (second, last),
        }
        return {
            split: np.arange(start + lookback, stop + windows.step)
            for split, (start, stop) in ends.items()
        }

    def cycle(start: int, stop: int) -> Array:
        batches = (stop - start - 1) // batch_size
        return np.arange(start, start + batches * batch_size if batches > 0 else stop)

    return {
        "train": np.arange(lookback, first),
        "validation": cycle(first + 1 + lookback, second),
        "test": cycle(second + 1 + lookback, rows - windows.first - 1),
    }


def corrected_rows(
    series: Series,
    first: int,
    second: int,
    windows: WindowSpec,
    *,
    freq: int,
    target: int,
) -> tuple[Rows, dict[str, int]]:
    """Return the rows whose window and targets lie in one block, with no gap between
    them.

    Args:
        series: the series that `clean` returned.
        first: the first row of the validation block.
        second: the first row of the test block.
        windows: how windows are cut.
        freq: seconds from one row to the next.
        target: the column to forecast. A window whose targets were not measured is left
            out.

    Returns:
        The rows, and description -> count of lost windows.
    """
    # `Windows` counts from the row one step after the last input.
    ahead = windows.ahead - windows.step
    runs = series.runs(freq)
    blocks = {
        "train": (series.start, first),
        "validation": (first, second),
        "test": (second, len(series.values)),
    }
    rows: Rows = {}
    lost = Counter[str]()
    for split, (start, stop) in blocks.items():
        candidates = np.arange(start + windows.lookback, stop - ahead[-1])
        begins = candidates - windows.lookback
        rows[split] = whole_windows(
            series, runs, candidates, begins, ahead, target, len(ahead), lost
        )
    return rows, dict(lost)


def whole_windows(
    series: Series,
    runs: Array,
    candidates: Array,
    begins: Array,
    ahead: Array,
    target: int,
    least: int,
    lost: Counter[str],
) -> Array:
    """Return the rows of windows without a gap, of whose targets enough are known.

    Args:
        series: the rows of the series.
        runs: (rows,) the number of each row's run.
        candidates: (windows,) the row of each window.
        begins: (windows,) the row of each window's first input.
        ahead: (horizon,) rows from a window's row to each target.
        target: the column to forecast.
        least: the fewest targets of a window that have to be known.
        lost: description -> count; the windows that are left out are added.
    """
    # A window crosses no gap if both of its ends belong to the same run.
    whole = runs[begins] == runs[candidates + ahead[-1]]
    lost["windows lost to gaps"] += int((~whole).sum())
    candidates = candidates[whole]
    known = np.zeros(len(candidates), int)
    for steps in ahead:  # all at once would need horizon times the memory
        known += ~series.unknown[candidates + steps, target]
    lost["windows lost to unknown targets"] += int((known < least).sum())
    return np.asarray(candidates[known >= least])


def statistics(series: Series, columns: list[str], first: int) -> Statistics:
    """Return statistics of the train rows: those before row `first` in which all columns
    are known.

    Deviations are those of the population (ddof 0). A column that never changes gets
    the deviation 1, so that it is only centred.

    Args:
        series: the rows.
        columns: the names of the columns.
        first: the first row after the train rows.

    Raises:
        UnrollError: a column holds no value in the train rows, or numbers too large.
    """
    if series.start >= first:
        empty = columns[int(series.unknown[:first].sum(axis=0).argmax())]
        raise UnrollError(
            f"column {empty!r} holds no value in the {first} train rows; drop it"
        )
    train = series.values[series.start : first]
    low = train.min(axis=0)
    high = train.max(axis=0)
    with np.errstate(over="ignore", invalid="ignore"):
        mean = train.mean(axis=0)
        std = np.where(low == high, 1.0, train.std(axis=0))
    huge = ~np.isfinite(mean + std)
    if huge.any():
        raise UnrollError(
            f"column {columns[int(huge.argmax())]!r} holds numbers too large for a "
            "mean; drop it"
        )
    return Statistics(
        mean=mean.tolist(), std=std.tolist(), low=low.tolist(), high=high.tolist()
    )


def require_a_change(
    train: Statistics, columns: list[str], target: int, first: int
) -> None:
    """Raise UnrollError if the target has one value in the `first` train rows."""
    if train.low[target] == train.high[target]:
        raise UnrollError(
            f"the target {columns[target]!r} is {train.low[target]} in each of the "
            f"{first} train rows, so there is nothing to learn"
        )


def require_room(
    rows: Rows,
    series: Series,
    columns: list[str],
    windows: WindowSpec,
    borders: tuple[int, int],
    regular: Regularity,
    *,
    earlier: int = 0,
) -> None:
    """Raise UnrollError if a split has no window.

    Args:
        rows: split -> the rows of its examples.
        series: the rows of the series.
        columns: the names of its columns.
        windows: how windows are cut.
        borders: the first row of the validation block and of the test block.
        regular: how regular the timestamps are.
        earlier: rows of the block before that a window may reach back to.
    """
    ends = {"train": 0, "validation": borders[0], "test": borders[1]}
    stops = {"train": borders[0], "validation": borders[1], "test": None}
    for split, own in rows.items():
        if len(own):
            continue
        start = max(ends[split] - earlier, series.start)
        runs = series.runs(regular.freq)
        longest = np.unique(runs[start : stops[split]], return_counts=True)[1]
        unknown = series.unknown.sum(axis=0)
        lacking = ""
        if unknown.any():
            lacking = (
                f" and {unknown.max():,} of {len(runs):,} rows without a value of "
                f"{columns[int(unknown.argmax())]!r}"
            )
        ahead = windows.ahead[-1]
        raise UnrollError(
            f"the {split} block has no room for a window of {windows.lookback} rows "
            f"and a target {ahead} rows on, with {regular.gaps} gaps in the clock"
            f"{lacking}: {windows.lookback + ahead:,} rows in a row are needed, and "
            f"there are {longest.max(initial=0):,}"
        )


def inputs_of(
    values: Array, clock: Array, train: Statistics, *, week: bool = False
) -> Array:
    """Return the inputs of models: (rows, columns + calendar), float32.

    Args:
        values: (rows, columns), which are standardised by the train rows.
        clock: (rows,) datetime64[ms], the timestamps of the calendar.
        train: the statistics of the train rows.
        week: whether the calendar includes the time of the week.
    """
    rows, columns = values.shape
    inputs = np.empty((rows, columns + calendar_columns(week=week)), np.float32)
    for column in range(columns):
        centred = values[:, column] - train.mean[column]
        inputs[:, column] = centred / train.std[column]
    for start in range(0, rows, BLOCK):
        block = clock[start : start + BLOCK]
        inputs[start : start + BLOCK, columns:] = calendar(block, week=week)
    return inputs


def calendar_columns(*, week: bool) -> int:
    """Return the number of columns that `calendar` returns."""
    return 6 if week else 4


def calendar(moments: Array, *, week: bool = False) -> Array:
    """Return sine and cosine of the time of day, of the year and, with `week`, of the
    week.

    Args:
        moments: (rows,) datetime64[ms]. A day begins at 00:00 of their clock, a week on
            Thursday, the first day of 1970.
        week: whether the time of the week is included.

    Returns:
        (rows, 4) or, with the week, (rows, 6) float64.
    """
    seconds = moments.astype(np.int64) / 1000
    cycles = (DAY, YEAR, 7 * DAY) if week else (DAY, YEAR)
    return np.column_stack(
        [
            wave(2 * np.pi * seconds / cycle)
            for cycle in cycles
            for wave in (np.sin, np.cos)
        ]
    )
