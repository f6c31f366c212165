"""What a file is like: how it is written, when its rows were measured, and what stands in its columns."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, Literal, Self, TypeVar

import numpy as np
import pandas as pd

from pipeline.data import notations, row_files
from pipeline.data.examples import Array
from pipeline.data.series_options import CsvFormat

Value = TypeVar("Value")

SENTINELS = (-99999.0, -9999.9, -9999.0, -999.9, -999.0, -200.0, -99.9, -99.0, 999.0, 999.9, 9999.0, 9999.9, 99999.0)
"""Numbers that stand for no value in many files, if they lie far from all others."""

MOST_WORDS = 20
"""Words that may mean no value, and categories that are proposed."""

SPARSE = 0.3
"""A column that lacks more of its values is no input: it would cut more windows than it is worth."""

FEW_NUMBERS = 15
"""Different numbers of a column, of which it can be coincidence that one lies far from the others."""

SIGNED = r"[$€£¥₹%‰A-Za-z]\s?[)-]?$|^[(-]?[$€£¥₹A-Za-z]"
"""A cell with a sign beside its number."""

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


@dataclass(frozen=True)
class ColumnProfile:
    """One column.

    Attributes:
        below: what stands in the row of units.
        values: (rows,) float64, NaN where there is no finite number.
        words: what the other cells hold, if they hold something -> how often.
        signs: currencies and percent signs beside numbers -> how often.
        suspects: the numbers that may mean no value, `SENTINELS` and those that a user named -> how often.
    """

    name: str
    below: str
    values: Array
    words: Counter[str]
    signs: Counter[str]
    suspects: Counter[float]

    @classmethod
    def of(cls, name: str, below: str, cells: "pd.Series[Any]", form: CsvFormat, missing: Sequence[str] = ()) -> Self:
        """Profile the cells of a column. `missing` are the words and numbers that a user named."""
        values = row_files.numbers(cells, form)
        finite = np.isfinite(values)
        values = np.where(finite, values, np.nan)
        texts = cells[~finite].dropna().astype("str").str.strip()
        signed = cells[finite] if cells.dtype == "str" else texts[:0]
        signed = signed[signed.str.contains(SIGNED)]
        suspects = [*SENTINELS, *pd.to_numeric(pd.Series(missing, dtype="str"), errors="coerce").dropna()]
        return cls(
            name,
            below,
            values,
            words=Counter(texts[texts != ""].value_counts().to_dict()),
            signs=Counter(notations.plain_number(text)[1] for text in signed),
            suspects=Counter(values[np.isin(values, suspects)].tolist()),
        )

    @property
    def rows(self) -> int:
        """How many cells there are."""
        return len(self.values)

    @cached_property
    def numbers(self) -> int:
        """How many cells hold a finite number."""
        return int(np.isfinite(self.values).sum())

    @property
    def empty(self) -> int:
        """How many cells hold nothing."""
        return self.rows - self.numbers - self.words.total()

    @cached_property
    def ends(self) -> tuple[float, float]:
        """The lowest and the highest number, without `suspects`; infinity and its negative where there is none."""
        good = self.values[np.isfinite(self.values) & ~np.isin(self.values, [*self.suspects])]
        return float(good.min(initial=np.inf)), float(good.max(initial=-np.inf))

    @cached_property
    def counts(self) -> bool:
        """Whether each number is one more than that before."""
        return bool((np.diff(self.values) == 1).all())

    @cached_property
    def numeric(self) -> bool:
        """Whether it is a column of numbers, with some words that mean no value."""
        return self.numbers >= max(1, self.words.total()) and len(self.words) <= MOST_WORDS

    @cached_property
    def mixed(self) -> str | None:
        """A word that is a number by another decimal mark: a slip, and not the word for no value."""
        return next((word for word in self.words if re.fullmatch(r"[-+]?\d+[.,]\d+", word)), None)

    @property
    def units_differ(self) -> bool:
        """Whether numbers have several units: other signs, or percent signs for some alone."""
        percent = [sign for sign in "%‰" if 0 < self.signs[sign] < self.numbers]
        return len(self.signs) > 1 or bool(percent)

    @property
    def sentinels(self) -> set[float]:
        """The suspects that lie further from the other numbers than those from each other."""
        low, high = self.ends
        width = high - low
        return {number for number in self.suspects if not low - width <= number <= high + width}

    def missing(self, sentinels: set[float]) -> int:
        """How many cells have no value."""
        return self.rows - self.numbers + sum(self.suspects[number] for number in sentinels)

    @property
    def unit(self) -> str:
        """From the row of units, else from its heading."""
        if below := self.below.strip("[]() -"):
            return below
        match = re.search(UNIT, self.name)
        if match:
            return (match[1] or match[2]).strip()
        return next(iter(self.signs), "")

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
        low, high = self.ends
        if high - low < 1e-150 and not self.suspects.keys() - sentinels:  # squares of less have no digits
            return "numbers less than 1e-150 apart; give another unit" if high > low else f"always {low:g}"
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
        freq: seconds from row to row; of business days and months those of a day (`timestamps.to_even_days`).
        rows: of all series together.
        repeated: rows whose timestamp was there before; `unsorted` if they are not in the order of time.
        first, last: timestamps, as in UTC if the time zone is known.
        gaps: rows that a gap lacks -> how many such gaps.
        reasons: the option of params.yaml that was not certain -> why it was decided so.
        text: whether it is CSV.
        offset: "business" or "month" of rows that are such days or months apart, else None.
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
    reasons: dict[str, str]
    text: bool
    offset: Literal["business", "month"] | None
    series_id: str | None
    series: Sequence[str]

    @property
    def length(self) -> int:
        """Rows of one series."""
        return self.rows // max(1, len(self.series))

    def values(self, name: str) -> Array:
        """(rows,) of a column, NaN where there is no value."""
        values = self.columns[name].values
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

    @cached_property
    def has_values(self) -> bool:
        """Whether a column of numbers does not merely count the rows."""
        return any(column.numeric and not column.counts for column in self.columns.values())

    @property
    def targets(self) -> list[str]:
        """The columns of numbers that can be forecast; one may be sparse, since each of its values counts."""
        return [name for name in self.columns if self.columns[name].numeric and not self.useless(name)]

    def useless(self, name: str) -> str:
        """Why a column is of no use, "" if it is."""
        if name in {*self.form.drop, self.series_id}:
            return "other times" if name != self.series_id else "the series' names"
        if self.columns[name].counts and self.has_values:
            return "counts the rows"
        return self.columns[name].useless(self.sentinels)

    def sparse(self, name: str) -> str:
        """As `ColumnProfile.sparse`."""
        return self.columns[name].sparse(self.sentinels)
