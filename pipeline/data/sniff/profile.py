"""What a file is like: how it is written, when its rows were measured, and what stands in its columns."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from pipeline.data import row_files
from pipeline.data.examples import Array
from pipeline.data.series_options import CsvFormat, Rows

if TYPE_CHECKING:
    import pandas as pd

Value = TypeVar("Value")

SENTINELS = (-99999.0, -9999.9, -9999.0, -999.9, -999.0, -200.0, -99.9, -99.0, 999.0, 999.9, 9999.0, 9999.9, 99999.0)
"""Numbers that stand for no value in many files, if they lie far from all others."""

MOST_WORDS = 20
"""Words that may mean no value, and categories that are proposed."""

COUNTED = 1000
"""Different words that are counted; a column with more holds free text."""

SPARSE = 0.3
"""A column that lacks more of its values is no input: it would cut more windows than it is worth."""

FEW_NUMBERS = 15
"""Different numbers of a column, of which it can be coincidence that one lies far from the others."""

UNIT = r"\[([^\[\]]{1,20})\]\s*$|\s\(([^()]{1,20})\)\s*$"
"""At the end of a heading: in square brackets, or in parentheses after a space."""


@dataclass(frozen=True)
class Detected(Generic[Value]):
    """What was read off a file, and why it was decided so; no reason where nothing else was possible."""

    value: Value
    why: str = ""


@dataclass(frozen=True)
class Overrides:
    """What a user says of a file; None or nothing: it is detected."""

    stamp: Sequence[str] = ()
    stamp_format: str | None = None
    day_first: bool | None = None
    time_zone: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    decimal: str | None = None
    missing: Sequence[str] = ()
    target: str | None = None


@dataclass
class ColumnProfile:
    """One column, as far as it was read.

    Attributes:
        below: what stands in the row of units.
        rows, numbers, empty: how many cells there are, how many are finite numbers, how many hold nothing.
        words: what the other cells hold -> how often.
        low, high: of the numbers, without `SENTINELS`.
        suspects: the numbers of `SENTINELS` -> how often.
        counts: whether each number is one more than that before; `last` is the last.
    """

    name: str
    below: str = ""
    rows: int = 0
    numbers: int = 0
    empty: int = 0
    words: Counter[str] = field(default_factory=Counter)
    low: float = np.inf
    high: float = -np.inf
    suspects: Counter[float] = field(default_factory=Counter)
    counts: bool = True
    last: float = np.nan

    def update(self, cells: "pd.Series[Any]", form: CsvFormat) -> Array:
        """Count the cells of a chunk; (rows,) float64 of them, NaN where there is no number."""
        values = row_files.numbers(cells, form)
        finite = np.isfinite(values)
        values = np.where(finite, values, np.nan)
        texts = cells[~finite].dropna().astype("str").str.strip()
        texts = texts[texts != ""]
        if len(self.words) < COUNTED:
            self.words.update(texts.value_counts().to_dict())
        steps = np.diff(values, prepend=self.last)
        self.counts &= bool((steps[self.rows == 0 :] == 1).all())
        self.last = values[-1] if len(values) else self.last
        suspect = np.isin(values, SENTINELS)
        self.suspects.update(values[suspect].tolist())
        self.rows += len(values)
        self.empty += int((~finite).sum()) - len(texts)
        self.numbers += int(finite.sum())
        good = values[finite & ~suspect]
        self.low, self.high = float(good.min(initial=self.low)), float(good.max(initial=self.high))
        return np.asarray(values)

    @property
    def numeric(self) -> bool:
        """Whether it is a column of numbers, with some words that mean no value."""
        return self.numbers >= max(1, sum(self.words.values())) and len(self.words) <= MOST_WORDS

    @property
    def mixed(self) -> str | None:
        """A word that is a number by another decimal mark: a slip, and not the word for no value."""
        return next((word for word in self.words if re.fullmatch(r"[-+]?\d+[.,]\d+", word)), None)

    @property
    def sentinels(self) -> set[float]:
        """The suspects that lie further from the other numbers than those from each other."""
        width = self.high - self.low
        return {number for number in self.suspects if not self.low - width <= number <= self.high + width}

    def missing(self, sentinels: set[float]) -> int:
        """How many cells have no value."""
        return self.rows - self.numbers + sum(self.suspects[number] for number in sentinels)

    @property
    def unit(self) -> str:
        """From the row of units, else from its heading."""
        if below := self.below.strip("[]() -"):
            return below
        match = re.search(UNIT, self.name)
        return (match[1] or match[2]).strip() if match else ""

    @property
    def quantity(self) -> str:
        """Its name without its unit."""
        return re.sub(UNIT, "", self.name).strip() or self.name

    def useless(self, sentinels: set[float]) -> str:
        """Why it is of no use, "" if it is."""
        if self.empty == self.rows:
            return "empty"
        if not self.numeric:
            return "" if 1 < len(self.words) <= MOST_WORDS and not self.numbers else "text"
        if self.missing(sentinels) == self.rows:
            return "without a value"
        if self.high - self.low < 1e-150 and not self.suspects.keys() - sentinels:  # squares of less have no digits
            close = "numbers less than 1e-150 apart; give another unit"
            return close if self.high > self.low else f"always {self.low:g}"
        return ""

    def sparse(self, sentinels: set[float]) -> str:
        """How much it lacks, if it lacks too much to be an input; "" if it does not."""
        fraction = self.missing(sentinels) / self.rows if self.numeric else 0.0
        return f"{fraction:.0%} without a value" if fraction > SPARSE else ""


@dataclass(frozen=True)
class FileProfile:
    """What a file, or several of one form, is like.

    Attributes:
        form: how it is written; no target yet.
        columns: all but those of the timestamp, in their order.
        missing: words and numbers that mean no value, "" an empty cell -> how often; `sentinels` are the numbers.
        freq: seconds from row to row; of business days and months those of a day (`row_calendar.numbered`).
        rows: of all series together.
        repeated: rows whose timestamp was there before; `unsorted` if they are not in the order of time.
        first, last: timestamps, as in UTC if the time zone is known.
        gaps: rows that a gap lacks -> how many such gaps.
        head: (rows, columns) float64, the first of them in the order of the file, NaN where there is no number.
        reasons: the option of params.yaml that was not certain -> why it was decided so.
        text: whether it is CSV.
        calendar: by which rows follow one another, as `Cleaning.rows` says; `outside` lie outside of opening hours.
        series_id: of several series the column that says which one a row belongs to; its values are `series`.
    """

    form: CsvFormat
    columns: Mapping[str, ColumnProfile]
    missing: Counter[str]
    sentinels: set[float]
    freq: int
    rows: int
    repeated: int
    unsorted: bool
    first: np.datetime64
    last: np.datetime64
    gaps: Counter[int]
    head: Array
    reasons: dict[str, str]
    text: bool
    calendar: Rows
    outside: int
    series_id: str | None
    series: Sequence[str]

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
        odd = {}
        for name in self.targets:
            values = self.values(name)
            values = np.unique(values[np.isfinite(values)])
            if len(values) >= FEW_NUMBERS:
                for end, low, high in ((values[0], values[1], values[-1]), (values[-1], values[0], values[-2])):
                    if max(low - end, end - high) > high - low:
                        odd[name] = float(end)
        return odd

    def alone(self, name: str, number: float) -> bool:
        """Whether no other column holds this number."""
        return not any((self.values(other) == number).any() for other in self.targets if other != name)

    @property
    def targets(self) -> list[str]:
        """The columns of numbers that can be forecast; one may be sparse, since each of its values counts."""
        return [name for name in self.columns if self.columns[name].numeric and not self.useless(name)]

    def useless(self, name: str) -> str:
        """Why a column is of no use, "" if it is."""
        if name in {*self.form.drop, self.series_id}:
            return "other times" if name != self.series_id else "the series' names"
        if self.columns[name].counts and any(other.numeric and not other.counts for other in self.columns.values()):
            return "counts the rows"
        return self.columns[name].useless(self.sentinels)

    def sparse(self, name: str) -> str:
        """As `ColumnProfile.sparse`."""
        return self.columns[name].sparse(self.sentinels)
