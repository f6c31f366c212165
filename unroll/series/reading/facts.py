"""The facts of rows' timestamps, each computed once; `rules` asks them."""

from collections import Counter
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from pipeline.data import timestamps
from pipeline.data.examples import Array
from unroll.series import row_calendar
from unroll.series.options import Options
from unroll.series.reading import series_names, timestamp_formats
from unroll.series.reading.file_rows import FileRows
from unroll.series.row_options import Cleaning
from unroll.series.row_options import Rows as CalendarRows


def _parts(rows: Array, files: Array) -> list[Array]:
    """Return (rows,) in parts, one for each file (rows,)."""
    return np.split(rows, np.flatnonzero(np.diff(files)) + 1)


@dataclass(frozen=True, kw_only=True)
class Timestamps(series_names.SeriesNames):
    """The timestamps of rows, and their series.

    Attributes:
        file: the rows as they stand in the files.
        stamp: the columns of the timestamp.
        written: (rows,) datetime64[ms], the timestamps by the clock of the file.
        timestamps: (rows,) datetime64[ms], in UTC if the time zone is known.
        cleaning: the calendar by which rows follow one another.
        clock: the time zone of that calendar; None without one.
        freq: seconds from row to row; for business days and months the seconds of a day
            (`row_calendar.numbered`).
        asked: the options by which they were read.
        unfinished: the timestamp of last rows that were left out, since their day, week,
            month ... is not over; None if all are over.
        notes: lines on rows, as a label and a text.
    """

    file: FileRows
    stamp: list[str]
    written: Array
    timestamps: Array
    cleaning: Cleaning
    clock: str | None
    freq: int
    asked: Options
    unfinished: np.datetime64 | None = None
    notes: tuple[tuple[str, str], ...] = ()

    @property
    def given(self) -> dict[str, Any]:
        """Attribute -> its value, of those above; to make a larger set of facts."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    @property
    def calendar(self) -> CalendarRows:
        """The rule by which rows follow one another, as in `Cleaning.rows`."""
        return self.cleaning.rows

    @property
    def others(self) -> list[str]:
        """The columns besides the timestamp and the names of series."""
        return [
            name
            for name in self.file.cells.columns
            if name not in {*self.stamp, self.series_id}
        ]

    @cached_property
    def cells(self) -> "pd.Series[Any]":
        """(rows,) the timestamps as they are written."""
        return timestamp_formats.joined(self.file.cells, self.stamp)

    @cached_property
    def numbers(self) -> Array:
        """(rows,) datetime64[ms], the rows by their calendar, NaT outside of it."""
        return row_calendar.numbered(self.timestamps, self.cleaning, self.clock)

    @cached_property
    def by_series(self) -> list[Array]:
        """The numbers of each series' rows, in the order of the file."""
        return series_names.rows_by_series(self.of_rows, len(self.timestamps))

    @property
    def by_file(self) -> list[Array]:
        """The numbers of each series' rows in each file, in the order of the file."""
        files = self.files
        return [part for own in self.by_series for part in _parts(own, files[own])]

    @property
    def files(self) -> Array:
        """(rows,) the number of each row's file."""
        return np.asarray(self.file.cells.index.get_level_values(0))

    @cached_property
    def ordered(self) -> Array:
        """Different rows by their calendar (times,), in order, without those outside."""
        return timestamps.distinct(self.numbers[~np.isnat(self.numbers)])

    @cached_property
    def steps(self) -> Array:
        """(times - 1,) milliseconds from row to row by their calendar, of all series."""
        return np.diff(self.ordered).astype(np.int64)

    def behind(self, steps: Array) -> int:
        """Return the row behind the first of the largest of some `steps`."""
        return int((self.numbers == self.ordered[1 + steps.argmax()]).argmax())

    @property
    def gaps(self) -> Counter[int]:
        """Number of rows that a gap lacks -> number of such gaps."""
        lacking = self.steps // (1000 * self.freq) - 1
        return Counter(lacking[lacking > 0].tolist())

    @property
    def repeated(self) -> int:
        """The number of rows with the timestamp of an earlier row."""
        inside = len(self.timestamps) - self.outside
        return inside - len(self.ordered)

    def repeats(self, values: Array) -> Array:
        """Return (rows,) bool: whether a row repeats the timestamp of a row of its series
        with another value (rows,), which is NaN where there is none.
        """
        frame = pd.DataFrame(
            {"at": self.timestamps, "series": self.of_rows, "value": values}
        ).dropna(subset="value")
        frame = frame[frame.duplicated(["at", "series"], keep=False)]
        first = frame.groupby(["at", "series"], dropna=False)["value"].transform(
            "first"
        )
        found = np.zeros(len(values), bool)
        found[frame.index[frame["value"] != first]] = True
        return found

    @property
    def outside(self) -> int:
        """The number of rows outside of opening hours."""
        return int(np.isnat(self.numbers).sum())

    @property
    def first(self) -> np.datetime64:
        """The first timestamp by the calendar."""
        return self._stamp(0)

    @property
    def last(self) -> np.datetime64:
        """The last timestamp by the calendar."""
        return self._stamp(-1)

    def _stamp(self, place: int) -> np.datetime64:
        number = self.ordered[[place]]
        return np.datetime64(row_calendar.stamps(number, self.cleaning, self.clock)[0])
