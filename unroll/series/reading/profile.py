"""The profile of a file: its form, its timestamps, and its columns; and in words."""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd

from pipeline.data.examples import Array
from pipeline.data.timestamps import DAY, duration, shown
from pipeline.errors import printable
from unroll.series.options import argument
from unroll.series.reading import calendars, timestamp_formats
from unroll.series.reading.facts import Timestamps
from unroll.series.reading.magnitudes import Odd
from unroll.series.reading.numbers import plain_number, values_of, without_unit
from unroll.series.row_options import WEEKDAYS, CsvFormat

MOST_WORDS = 20
"""Largest number of words in a column of numbers, or of a category."""

SPARSE = 0.3
"""Largest share of its values that an input may lack.

A larger share would leave too few windows."""

SIGNED = r"[^0-9.,) -][) -]*$|^[( -]*[^0-9.,( +-]"
"""Pattern of a cell with a sign beside its number."""

UNIT = r"\[([^\[\]]{1,20})\]\s*$|\s\(([^()]{1,20})\)\s*$"
"""Pattern of a unit at the end of a heading.

The unit stands in square brackets, or in parentheses after a space."""


DELIMITERS = {"\t": "tabs", " ": "white space"}
"""Delimiters that cannot be seen -> their names."""

MOST_NAMED = 6
"""Largest number of series, or of unusual numbers, that are named."""


@dataclass(frozen=True)
class ColumnProfile:
    """The profile of one column.

    Attributes:
        name: the name of the column.
        below: the column's cell in the row of units.
        measured: (rows,) float64, NaN where there is no value.
        numbers: number of cells with a finite number, sentinels included.
        words: text of the other cells that hold something -> number of cells.
        signs: currencies, percent signs and units beside numbers -> number of cells.
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
        words = cells[~finite].dropna().astype("str").str.strip()
        words = words[words != ""].value_counts()
        signs = Counter[str]()
        if not pd.api.types.is_numeric_dtype(cells.dtype):
            signs = _signs(cells[finite].astype("str").str.strip())
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
        return replace(
            self,
            measured=np.where(
                np.isin(self.measured, [*sentinels]), np.nan, self.measured
            ),
        )

    @cached_property
    def ends(self) -> tuple[float, float]:
        """The lowest and the highest value; infinite if there is no value."""
        known = self.measured[np.isfinite(self.measured)]
        return float(known.min(initial=np.inf)), float(known.max(initial=-np.inf))

    @cached_property
    def counts(self) -> bool:
        """True if each number is the number before plus 1."""
        return bool((np.diff(self.measured) == 1).all())

    @property
    def empty(self) -> int:
        """The number of cells that hold nothing."""
        return len(self.measured) - self.numbers - self.words.total()

    @cached_property
    def numeric(self) -> bool:
        """True if most cells hold numbers, and few words mean no value."""
        return (
            self.numbers >= max(1, self.words.total()) and len(self.words) <= MOST_WORDS
        )

    @property
    def timed(self) -> bool:
        """True if the column holds further timestamps, of words or of digits alone."""
        if self.numeric:
            is_named = timestamp_formats.names_a_time(self.name)
            first = f"{self.measured[0]:.0f}"
            ascends = (np.diff(self.measured) > 0).all()
            forms = timestamp_formats.formats(first, digits=True)
            return bool(is_named and ascends and forms)
        word = next(iter(self.words), "")
        return bool(
            timestamp_formats.formats(word, digits=False)
            or timestamp_formats.time_formats(word)
        )

    @property
    def unit(self) -> str:
        """The unit, from the row of units, the heading, or the cells."""
        match = re.search(UNIT, self.name)
        of_name = (match[1] or match[2]).strip() if match else ""
        return self.below.strip("[]() -") or of_name or next(iter(self.signs), "")

    @property
    def quantity(self) -> str:
        """The name without its unit."""
        return re.sub(UNIT, "", self.name).strip() or self.name

    @cached_property
    def useless(self) -> str:
        """The reason why the column is of no use; "" for a useful column."""
        low, high = self.ends
        few_words = 1 < len(self.words) <= MOST_WORDS and not self.numbers
        reasons = {
            "empty": self.empty == len(self.measured),
            "": not self.numeric and few_words,
            "text": not self.numeric,
            "without a value": low > high,
            f"always {low:g}": low == high,
            # Squares of less have no digits.
            "numbers less than 1e-150 apart; give another unit": high - low < 1e-150,
        }
        return next((reason for reason in reasons if reasons[reason]), "")

    @property
    def sparse(self) -> str:
        """The missing share in words; "" if the column can be an input."""
        fraction = np.isnan(self.measured).mean() if self.numeric else 0.0
        return f"{fraction:.0%} without a value" if fraction > SPARSE else ""


def _signs(texts: "pd.Series[str]") -> Counter[str]:
    """Return the signs beside numbers -> number of cells."""
    signed = texts[texts.str.contains(SIGNED, na=False)]
    signs = Counter(plain_number(text)[1] for text in signed)
    del signs[""]
    _, unit = without_unit(signed)
    if unit and not signs:
        signs[unit] = len(signed)
    return signs


@dataclass(frozen=True, kw_only=True)
class FileProfile(Timestamps):
    """The profile of a file, or of several files of one form.

    Attributes:
        form: how the file is written; it names no target yet.
        columns: name -> profile, of all columns but those of the timestamp.
        missing: words and numbers that mean no value -> number of cells; "" is an empty
            cell.
        odd: numbers that do not belong to the others of their column and series.
        reasons: option that was guessed -> reason for its value.
    """

    form: CsvFormat
    columns: Mapping[str, ColumnProfile]
    missing: Counter[str]
    odd: Sequence[Odd]
    reasons: dict[str, str]

    @property
    def rows(self) -> int:
        """The number of rows of all series together."""
        return len(self.timestamps)

    @property
    def length(self) -> int:
        """The number of rows of one series, on average."""
        return self.rows // max(1, len(self.series))

    @cached_property
    def ends(self) -> "pd.Series[Any]":
        """The last timestamp of each of several series, by its name."""
        return pd.Series(self.timestamps).groupby(self.of_rows).max()

    @cached_property
    def has_values(self) -> bool:
        """True if a column of numbers does more than count the rows."""
        return any(
            column.numeric and not column.counts for column in self.columns.values()
        )

    @cached_property
    def measures(self) -> list[ColumnProfile]:
        """The columns but that of the names of series."""
        return [self.columns[name] for name in self.columns if name != self.series_id]

    @property
    def targets(self) -> list[str]:
        """The columns of numbers that can be forecast, sparse ones included."""
        return [
            name
            for name, column in self.columns.items()
            if column.numeric and not self.useless(name)
        ]

    @property
    def inputs(self) -> list[str]:
        """The columns that models can see: numbers, and words of a category."""
        return [
            name
            for name, column in self.columns.items()
            if not (self.useless(name) or column.sparse)
        ]

    def useless(self, name: str) -> str:
        """Return the reason why a column is of no use; "" for a useful column."""
        column = self.columns[name]
        reasons = {
            "the series' names": name == self.series_id,
            "further timestamps": name in self.form.drop,
            "a count of the rows": column.counts and self.has_values,
        }
        return next((reason for reason in reasons if reasons[reason]), column.useless)


def described(profile: FileProfile) -> Iterator[str]:
    """Yield lines on a file's form, on its timestamps, and on each column."""
    form = profile.form
    is_text = not (profile.file.typed or profile.file.paths[0].suffix == ".xlsx")
    zone = f", clock of {form.time_zone}" if form.time_zone else ""
    utc = " (UTC)" if form.time_zone else ""
    span = f"{shown(profile.first)} to {shown(profile.last)}{utc}"
    is_alone = not profile.series_id
    last = profile.unfinished
    in_order = (profile.timestamps[1:] >= profile.timestamps[:-1]).all()
    unusual = [_unusual(profile, odd) for odd in profile.odd[:MOST_NAMED]]
    if len(profile.odd) > MOST_NAMED:
        unusual.append(f"{len(profile.odd) - MOST_NAMED:,} more numbers like these")
    values = [profile.columns[name].measured for name in profile.targets]
    cells = [_missing(profile, word, count) for word, count in profile.missing.items()]
    lines = [
        ("text", _text(form) if is_text else ""),
        ("header", "" if is_text else _above(form)),
        ("stamps", f"{_names(form.stamp)}, as {form.stamp_format}{zone}"),
        ("rows", f"{profile.rows:,}, {span}, {_distance(profile)}"),
        ("open", _open(profile)),
        *profile.notes,
        ("last", calendars.left_out(last) if last is not None else ""),
        ("series", "" if is_alone else _series(profile)),
        ("ended", "" if is_alone else _ended(profile)),
        (
            "order",
            "rows are not in the order of time; they are sorted"
            if is_alone and not in_order
            else "",
        ),
        ("repeated", repeated(profile, values)),
        ("gaps", _gaps(profile) if profile.gaps else ""),
        ("no value", ", ".join(cells)),
        *(("unusual", text) for text in unusual),
        *(
            ("column", f"{_names([name])}: {_column(profile, name)}")
            for name in profile.columns
            if name != profile.series_id
        ),
        *(("guessed", f"{option}: {why}") for option, why in profile.reasons.items()),
    ]
    return (f"{label:10}{text}" for label, text in lines if text)


def _open(profile: FileProfile) -> str:
    """Return the days and times that rows keep, such as "Mon to Sat 09:00-19:00".

    Days with the same times are one part; a row a day, at midnight, has no time. The
    text is "" if rows keep no opening hours.
    """
    if not isinstance(profile.calendar, dict):
        return ""
    times_of: dict[str, str] = profile.calendar
    parts = []
    for times, run in itertools.groupby(WEEKDAYS, lambda day: times_of.get(day, "")):
        days = [*run]
        name = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
        if times:
            parts.append(f"{name} {times}".removesuffix(" 00:00"))
    if profile.outside:
        parts.append(f"{_rows(profile.outside)} outside, left out")
    return "; ".join(parts)


def _gaps(profile: FileProfile) -> str:
    """Return how many gaps there are, and whether a clock may have made them."""
    text = f"{profile.gaps.total():,}, the longest of {_rows(max(profile.gaps))}"
    if profile.form.time_zone:
        return text
    zone = calendars.skipping_zone(profile.timestamps)
    if zone is None:
        return text
    return (
        f"{text}; the clock of {zone} skips such an hour in spring: pass "
        f"{argument('time_zone', zone)} if rows keep a clock like this"
    )


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


def _series(profile: FileProfile) -> str:
    """Return the number and the first names of several series."""
    names = printable(", ".join(profile.series[:MOST_NAMED]))
    others = len(profile.series) - MOST_NAMED
    more = f" and {others} more" if others > 0 else ""
    by = _names([str(profile.series_id)])
    return f"{len(profile.series)}, by {by}: {names:.80}{more}"


def _ended(profile: FileProfile) -> str:
    """Return which series end before the last timestamp of the file; "" if none does."""
    ends = profile.ends
    early = ends[ends < profile.last].sort_values()
    if early.empty:
        return ""
    named = [
        f"{name} ({shown(stamp.to_datetime64())})" for name, stamp in early.items()
    ]
    more = ", ..." if len(named) > MOST_NAMED else ""
    return (
        f"{printable(', '.join(named[:MOST_NAMED]))}{more}: {len(early)} of "
        f"{len(profile.series)} series end before {shown(profile.last)}"
    )


def repeated(facts: Timestamps, columns: Iterable[Array]) -> str:
    """Return how many rows repeat a timestamp of their series, and how many differ in
    some of the columns, (rows,) each; "" if none does.
    """
    table = pd.DataFrame({"at": facts.timestamps, "series": facts.of_rows})
    again = table.duplicated()
    if not again.any():
        return ""
    differ = np.zeros(len(table), bool)
    for values in columns:
        differ |= facts.repeats(values)
    what = ": left out"
    if differ.any():
        place = facts.file.place(int(differ.argmax()))
        what = (
            f", {differ.sum():,} with other values, first at {place}; the first row "
            "counts"
        )
    rows = "1 row has" if again.sum() == 1 else f"{again.sum():,} rows have"
    return f"{rows} the timestamp of an earlier row{what}"


def _text(form: CsvFormat) -> str:
    delimiter = DELIMITERS.get(form.delimiter, repr(form.delimiter))
    words = [
        form.encoding,
        f"columns divided by {delimiter}",
        f"decimals by {form.decimal!r}",
        f"thousands by {form.thousands!r}" if form.thousands else "",
        "no header" if form.names else "",
        "a row of units" if form.units_rows else "",
        _above(form),
    ]
    return ", ".join(filter(None, words))


def _above(form: CsvFormat) -> str:
    """Return how many lines above the header are left out, in words."""
    return f"{form.skip} lines before the header" if form.skip else ""


def _distance(profile: FileProfile) -> str:
    """Return the distance of rows in words, such as "one row every 10 minutes"."""
    if profile.calendar == "business":
        return "one row a business day"
    every = duration(profile.freq)
    day = ""
    if isinstance(profile.calendar, str):
        months = profile.freq * 1000 // DAY
        every = "a month" if months == 1 else f"{months} months"
        _, _, day = profile.calendar.partition(", ")
    times = every if every.startswith("a") else f"every {every}"
    on = re.sub(r"(.*) -1\b", r"the last \1", day)
    return f"one row {times}, on {on}" if on else f"one row {times}"


def _unusual(profile: FileProfile, odd: Odd) -> str:
    """Return a number that does not belong to the others, in words."""
    of = "" if profile.of_rows is None else f" of {profile.of_rows[odd.rows[0]]}"
    first, last = (shown(profile.timestamps[row]) for row in odd.rows[[0, -1]])
    what = f"without a break from {first} to {last}: is the sensor stuck?"
    if odd.beside is not None:
        word = str(odd.number).removesuffix(".0")
        kept = f"It is kept; pass {argument('missing', word)} if it means no value"
        what = (
            f"first at {first}, far from all others; the nearest is "
            f"{odd.beside:.10g}. {'It counts as no value' if odd.missing else kept}"
        )
    where = f"{_names([odd.column])}{printable(of):.40}"
    return f"{where}: {odd.number:.10g} {_times(len(odd.rows))}, {what}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _missing(profile: FileProfile, word: str, count: int) -> str:
    """Return a word that means no value in words, such as "n/a once in load".

    The word "" is an empty cell.
    """
    columns = profile.columns.values()
    names = [one.name for one in columns if one.numeric and word in one.words]
    where = f" in {_names(names):.160}" if names else ""
    if word:
        return f"{printable(word)} {_times(count)}{where}"
    return f"{'one empty cell' if count == 1 else f'{count:,} empty cells'}{where}"


def _column(profile: FileProfile, name: str) -> str:
    """Return what a column holds in words, or why the column is left out."""
    column = profile.columns[name]
    low, high = column.ends
    what = f"from {low:g} to {high:g}" if column.numeric else "words"
    if column.sparse:
        what += f", {column.sparse}: left out unless it is the target"
    if profile.useless(name):
        what = f"left out: {profile.useless(name)}"
    return f"{what}, in {column.unit}" if column.unit else what


def _names(names: Sequence[str]) -> str:
    """Return the starts of columns' names, fit for a terminal."""
    return " and ".join(f"{printable(name):.60}" for name in names)
