"""What stands in a column: numbers, words, nothing, or numbers that mean nothing."""

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.data import row_files
from pipeline.data.examples import Array
from pipeline.data.series_options import CsvFormat

if TYPE_CHECKING:
    import pandas as pd

SENTINELS = (-99999.0, -9999.9, -9999.0, -999.9, -999.0, -200.0, -99.9, -99.0, 999.0, 999.9, 9999.0, 9999.9, 99999.0)
"""Numbers that stand for no value in many files, if they lie far from all others."""

MOST_WORDS = 20
"""Words that may mean no value, and categories that are proposed."""

COUNTED = 1000
"""Different words that are counted; a column with more holds free text."""


UNIT = r"\[([^\[\]]{1,20})\]\s*$|\s\(([^()]{1,20})\)\s*$"
"""At the end of a heading."""


@dataclass
class Column:
    """One column, as far as it was read.

    Attributes:
        rows, numbers, empty: cells in all, of finite numbers, of nothing.
        words: what else there is -> how often.
        low, high: of the numbers but `SENTINELS`.
        suspects: the numbers of `SENTINELS` -> how often.
        below: what stands in the row of units.
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

    def take(self, cells: "pd.Series[Any]", form: CsvFormat) -> Array:
        """Count the cells of a chunk; (rows,) float64 of them, NaN where there is no number."""
        values = row_files.numbers(cells, form)
        others = cells[~np.isfinite(values)]
        texts = others.astype("str").str.strip()[others.notna()]
        texts = texts[texts != ""]
        if len(self.words) < COUNTED:
            self.words.update(texts.value_counts().to_dict())
        values = np.where(np.isfinite(values), values, np.nan)
        apart = np.diff(values, prepend=self.last)
        self.counts &= bool((apart[self.rows == 0 :] == 1).all())
        self.last = values[-1] if len(values) else self.last
        suspect = np.isin(values, SENTINELS)
        self.suspects.update(values[suspect].tolist())
        self.rows += len(values)
        self.empty += len(others) - len(texts)
        self.numbers += int(np.isfinite(values).sum())
        good = values[np.isfinite(values) & ~suspect]
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
    def sure(self) -> set[float]:
        """The suspects that lie further from the other numbers than those from each other."""
        width = self.high - self.low
        return {number for number in self.suspects if not self.low - width <= number <= self.high + width}

    def missing(self, sentinels: set[float]) -> int:
        """How many cells have no value."""
        return self.rows - self.numbers + sum(self.suspects[number] for number in sentinels)

    @property
    def unit(self) -> str:
        """What the row of units or its heading gives: in square brackets, or in parentheses after a space."""
        if below := self.below.strip("[]() -"):
            return below
        found = re.search(UNIT, self.name)
        return (found[1] or found[2]).strip() if found else ""

    @property
    def quantity(self) -> str:
        """Its name without its unit."""
        return re.sub(UNIT, "", self.name).strip() or self.name

    def left_out(self, sentinels: set[float]) -> str:
        """Why it is of no use, "" if it is."""
        if self.empty == self.rows:
            return "empty"
        if not self.numeric:
            return "" if 1 < len(self.words) <= MOST_WORDS and not self.numbers else "text"
        if self.missing(sentinels) == self.rows:
            return "without a value"
        kept = self.suspects.keys() - sentinels
        if self.high - self.low < 1e-150 and not kept:  # squares of less have no digits left
            close = "numbers less than 1e-150 apart; give another unit"
            return close if self.high > self.low else f"always {self.low:g}"
        share = self.missing(sentinels) / self.rows
        return f"{share:.0%} without a value" if share > SPARSE else ""


SPARSE = 0.3
"""A column that lacks more of its values would cut more windows than it is worth."""
