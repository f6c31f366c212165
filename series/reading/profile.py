"""What a file is like: how it is written, when its rows were measured, what its columns
hold.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd

from pipeline.data.examples import Array
from pipeline.data.row_table import RowTable
from pipeline.data.series_options import CsvFormat
from series.reading.files import Rows, with_words
from series.reading.moments import Moments
from series.reading.numbers import plain_number, values_of, without_unit

SENTINELS = (
    *(-99999.0, -9999.9, -9999.0, -999.9, -999.0, -200.0, -99.9, -99.0),
    *(999.0, 999.9, 9999.0, 9999.9, 99999.0),
)
"""Numbers that stand for no value in many files, if they lie far from all others."""

MOST_WORDS = 20
"""Largest number of words that mean no value, and of categories that are proposed."""

SPARSE = 0.3
"""The largest share of its values that an input may lack; more would cut too many
windows."""

FEW_NUMBERS = 15
"""Different numbers of a column, of which one can lie far from the others by
coincidence."""

SIGNED = r"[^0-9.,) -][) -]*$|^[( -]*[^0-9.,( +-]"
"""A cell with a sign beside its number."""

UNIT = r"\[([^\[\]]{1,20})\]\s*$|\s\(([^()]{1,20})\)\s*$"
"""At the end of a heading: in square brackets, or in parentheses after a space."""


@dataclass(frozen=True)
class ColumnProfile:
    """One column.

    Attributes:
        name: of the column.
        below: what stands in the row of units.
        measured: (rows,) float64, NaN where there is no value.
        numbers: how many cells hold a finite number, one that means no value included.
        words: what other cells hold, if they hold something -> how often.
        signs: currencies, percent signs and units beside numbers -> how often.
    """

    name: str
    below: str
    measured: Array
    numbers: int
    words: Counter[str]
    signs: Counter[str]

    @classmethod
    def of(
        cls, name: str, below: str, cells: "pd.Series[Any]", form: CsvFormat
    ) -> Self:
        """Profile the cells of a column."""
        values = values_of(cells, form)
        finite = np.isfinite(values)
        others = cells[~finite]
        signs = Counter[str]()
        if pd.api.types.is_numeric_dtype(cells.dtype):
            others = others[~others.isna()]
        else:
            signs = _signs(cells[finite].astype("str").str.strip())
        words = others.astype("str").str.strip().value_counts()
        words = words[words.index != ""]
        return cls(
            name=name,
            below=below,
            measured=np.where(finite, values, np.nan),
            numbers=int(finite.sum()),
            words=Counter(words.to_dict()),
            signs=signs,
        )

    def without(self, sentinels: set[float]) -> Self:
        """Return the column without the numbers that mean no value."""
        none = np.isin(self.measured, [*sentinels])
        return replace(self, measured=np.where(none, np.nan, self.measured))

    @cached_property
    def ends(self) -> tuple[float, float]:
        """The lowest and the highest value; infinity and its negative where there is
        none.
        """
        known = self.measured[np.isfinite(self.measured)]
        return float(known.min(initial=np.inf)), float(known.max(initial=-np.inf))

    @cached_property
    def counts(self) -> bool:
        """True if each number is one more than that before."""
        return bool((np.diff(self.measured) == 1).all())

    @property
    def empty(self) -> int:
        """How many cells hold nothing."""
        return len(self.measured) - self.numbers - self.words.total()

    @cached_property
    def numeric(self) -> bool:
        """True if it is a column of numbers, with some words that mean no value."""
        return (
            self.numbers >= max(1, self.words.total()) and len(self.words) <= MOST_WORDS
        )

    @property
    def unit(self) -> str:
        """The unit from the row of units, else from the heading, else the sign beside
        the numbers.
        """
        match = re.search(UNIT, self.name)
        of_name = (match[1] or match[2]).strip() if match else ""
        return self.below.strip("[]() -") or of_name or next(iter(self.signs), "")

    @property
    def quantity(self) -> str:
        """The name without its unit."""
        return re.sub(UNIT, "", self.name).strip() or self.name

    @cached_property
    def useless(self) -> str:
        """Why the column is of no use, "" if it is."""
        low, high = self.ends
        if self.empty == len(self.measured):
            return "empty"
        if not self.numeric:
            few = 1 < len(self.words) <= MOST_WORDS and not self.numbers
            return "" if few else "text"
        if low > high:
            return "without a value"
        if low == high:
            return f"always {low:g}"
        if high - low < 1e-150:  # squares of less have no digits
            return "numbers less than 1e-150 apart; give another unit"
        return ""

    @property
    def sparse(self) -> str:
        """How much the column lacks, if it lacks too much to be an input; "" if it does
        not.
        """
        fraction = np.isnan(self.measured).mean() if self.numeric else 0.0
        return f"{fraction:.0%} without a value" if fraction > SPARSE else ""


def _signs(texts: "pd.Series[str]") -> Counter[str]:
    """Return the signs beside numbers -> how often."""
    signed = texts[texts.str.contains(SIGNED, na=False)]
    signs = Counter(plain_number(text)[1] for text in signed)
    del signs[""]
    _, unit = without_unit(signed)
    if unit and not signs:
        signs[unit] = len(signed)
    return signs


def sentinels_of(columns: Iterable[ColumnProfile], given: Sequence[str]) -> set[float]:
    """Return the numbers that mean no value.

    They are those that a user named, and `SENTINELS` that are outliers of a column:
    their distance to the nearest other number is larger than the range of all others.
    """
    sentinels = {
        *pd.to_numeric(pd.Series([*given], dtype="str"), errors="coerce").dropna()
    }
    for column in columns:
        values = column.measured[np.isfinite(column.measured)]
        suspects = {*SENTINELS} & {*values[np.isin(values, SENTINELS)].tolist()}
        others = values[~np.isin(values, [*suspects])]
        low = others.min(initial=np.inf)
        high = others.max(initial=-np.inf)
        for number in suspects:
            if not 2 * low - high <= number <= 2 * high - low:
                sentinels.add(number)
    return sentinels


@dataclass(frozen=True)
class FileProfile(Moments):
    """What a file, or several of one form, is like.

    Attributes:
        form: how it is written; no target yet.
        columns: all but those of the timestamp, in their order.
        missing: words and numbers that mean no value, "" an empty cell -> how often.
        reasons: the option of params.yaml that was not certain -> why it was decided
            so.
        file: the rows as they stand in the files.
    """

    form: CsvFormat
    columns: Mapping[str, ColumnProfile]
    missing: Counter[str]
    reasons: dict[str, str]
    file: Rows

    @property
    def rows(self) -> int:
        """The rows of all series together."""
        return len(self.timestamps)

    def table(self, form: CsvFormat) -> RowTable:
        """Return the rows, without the columns that a form drops."""
        drop = {*form.drop, *form.words}
        names = [name for name in self.columns if name not in drop]
        values = np.empty((self.rows, len(names)))
        for index, name in enumerate(names):
            values[:, index] = self.columns[name].measured
        table = RowTable(self.timestamps, names, values, self.of_rows)
        return with_words(table, self.file.cells, form)

    @property
    def length(self) -> int:
        """Rows of one series."""
        return self.rows // max(1, len(self.series))

    @property
    def odd(self) -> dict[str, float]:
        """Columns with an outlier at one end -> that number.

        Its distance to the nearest other number is larger than the range of all others.
        """
        odd = {}
        for name in self.targets:
            values = np.unique(self.columns[name].measured)
            values = values[np.isfinite(values)]
            if len(values) < FEW_NUMBERS:
                continue
            if values[1] - values[0] > values[-1] - values[1]:
                odd[name] = float(values[0])
            if values[-1] - values[-2] > values[-2] - values[0]:
                odd[name] = float(values[-1])
        return odd

    def alone(self, name: str, number: float) -> bool:
        """Return whether no other column holds this number."""
        return not any(
            (self.columns[other].measured == number).any()
            for other in self.targets
            if other != name
        )

    @cached_property
    def has_values(self) -> bool:
        """True if a column of numbers does not merely count the rows."""
        return any(
            column.numeric and not column.counts for column in self.columns.values()
        )

    @property
    def targets(self) -> list[str]:
        """The columns of numbers that can be forecast; one may be sparse, since each of
        its values counts.
        """
        return [
            name
            for name in self.columns
            if self.columns[name].numeric and not self.useless(name)
        ]

    def useless(self, name: str) -> str:
        """Why a column is of no use, "" if it is."""
        if name == self.series_id:
            return "the series' names"
        if name in self.form.drop:
            return "other times"
        if self.columns[name].counts and self.has_values:
            return "counts the rows"
        return self.columns[name].useless
