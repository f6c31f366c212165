"""What a file is like, and what a user said of it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.data import timestamps
from pipeline.data.examples import Array
from pipeline.data.series_options import CsvFormat
from pipeline.data.sniff.columns import Column

FEW_NUMBERS = 15
"""Different numbers of a column, of which it can be coincidence that one lies far from the others."""


@dataclass(frozen=True)
class Known:
    """What need not be found out; None or nothing: it does."""

    stamp: Sequence[str] = ()
    stamp_format: str | None = None
    day_first: bool | None = None
    time_zone: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    decimal: str | None = None
    missing: Sequence[str] = ()
    target: str | None = None


@dataclass(frozen=True)
class Found:
    """What a file, or several of one form, is like.

    Attributes:
        form: how it is written; no target yet.
        columns: all but those of the stamp, in their order.
        missing: words and numbers that mean no value, "" an empty cell -> how often; `sentinels` are the numbers.
        clock: of the rows in the order of time; `unsorted` if they stand in another.
        first, last: stamps, as in UTC if the time zone is known.
        gaps: rows that a gap lacks -> how many such gaps.
        head: (rows, columns) float64, the first of them in the order of the file, NaN where there is no number.
        guesses: what was not certain: the option of params.yaml -> why it was decided so.
        text: whether they are CSV.
        uneven: what rows are without an even distance (`timestamps.evenly`), else None.
        series_id: of several series the column that says whose each row is, with its values, `series`.
    """

    form: CsvFormat
    columns: dict[str, Column]
    missing: Counter[str]
    sentinels: set[float]
    clock: timestamps.Regularity
    rows: int
    unsorted: bool
    first: np.datetime64
    last: np.datetime64
    gaps: Counter[int]
    head: Array
    guesses: dict[str, str]
    text: bool = True
    uneven: str | None = None
    series_id: str | None = None
    series: Sequence[str] = ()

    @property
    def length(self) -> int:
        """Rows of one series."""
        return self.rows // max(1, len(self.series))

    def values(self, name: str) -> Array:
        """(rows,) the first ones of a column, NaN where there is no value."""
        values = self.head[:, list(self.columns).index(name)]
        return np.where(np.isin(values, [*self.sentinels]), np.nan, values)

    @property
    def odd(self) -> dict[str, float]:
        """Columns with an end that lies further from all other numbers than those from each other -> that number."""
        found = {}
        for name in self.targets:
            values = self.values(name)
            values = np.unique(values[np.isfinite(values)])
            if len(values) >= FEW_NUMBERS:
                for end, low, high in ((values[0], values[1], values[-1]), (values[-1], values[0], values[-2])):
                    if max(low - end, end - high) > high - low:
                        found[name] = float(end)
        return found

    def alone(self, name: str, number: float) -> bool:
        """Whether no other column holds this number."""
        return not any((self.values(other) == number).any() for other in self.targets if other != name)

    @property
    def targets(self) -> list[str]:
        """The columns of numbers that can be forecast."""
        numbers = (name for name, column in self.columns.items() if column.numeric and not self.why_not(name))
        return [name for name in numbers if name != self.series_id]

    def why_not(self, name: str) -> str:
        """Why a column is left out, "" if it is not."""
        if name in self.form.drop:
            return "another stamp"
        if self.columns[name].counts and any(one.numeric and not one.counts for one in self.columns.values()):
            return "counts the rows"
        return self.columns[name].left_out(self.sentinels)
