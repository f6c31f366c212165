"""Numbers that do not belong to the others of their column and series.

They are codes for "no value", typing errors, and the number that a sensor repeats when
it is stuck.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pipeline.data.examples import Array

FAR = 10
"""Distance, in ranges of the other numbers, of a typing error."""

RARE = 2
"""Largest number of rows with the same typing error."""

MOST_ERRORS = 3
"""Largest number of different typing errors in a series."""

FEWEST = 10
"""Smallest number of different numbers that show what is usual."""

HUGE = 1e15
"""Smallest size of the fill values of scientific formats."""

LONG = 10
"""Length of a stuck number's run, in lengths of other runs."""

SHORTEST = 12
"""Smallest number of rows in which a number is stuck."""

NINES = {
    int(first + digit * count)
    for count in range(2, 11)
    for digit in "123456789"
    for first in ["", *"12345678"]
    if digit == "9" or (count > 2 and not first)
}
"""Numbers such as 999, 1999, 6999 and 888."""

BINARY = {2**bits - less for bits in range(8, 64) for less in range(3)}
"""Numbers around the largest one of some bits, such as 2046, 32767 and 65535."""

SIZES = np.array([size / scale for size in NINES | BINARY for scale in (1, 10)])
CODES = np.concatenate([SIZES[SIZES >= 255], -SIZES[SIZES >= 99], [-200.0]])
CODES = np.union1d(CODES, CODES.astype(np.float32))
"""Numbers that stand for a missing value, if they lie far from all other numbers."""


@dataclass(frozen=True)
class Odd:
    """A number that does not belong to the others of its column and series.

    Attributes:
        column: the name of the column.
        number: the number.
        count: how many rows hold it; of a stuck number, in its longest run.
        first, last: the first and the last of these rows.
        beside: the nearest other number; None for a stuck number.
        missing: whether the number means no value.
        ends: whether the last row of the series holds it.
    """

    column: str
    number: float
    count: int
    first: int
    last: int
    beside: float | None
    missing: bool
    ends: bool


def odd(
    columns: Mapping[str, Array], timestamps: Array, of_rows: Array | None
) -> list[Odd]:
    """Return the odd numbers of each column and series.

    A number that most rows hold where it is usual means no missing value.

    Args:
        columns: name -> (rows,) float64, NaN where there is no value.
        timestamps: (rows,) datetime64[ms].
        of_rows: (rows,) the name of each row's series; None for a single series.
    """
    series = np.zeros(len(timestamps), np.int64)
    if of_rows is not None:
        series = pd.factorize(of_rows)[0]
    order = np.lexsort([timestamps, series])
    found = list[Odd]()
    for rows in np.split(order, np.flatnonzero(np.diff(series[order])) + 1):
        for name, values in columns.items():
            known = rows[np.isfinite(values[rows])]
            far = [*_far(name, values, known)]
            codes = [one.number for one in far if one.missing]
            known = known[~np.isin(values[known], codes)]
            found += [*far, *_stuck(name, values, known)]
    for index, one in enumerate(found):
        rows_of = sum((values == one.number).sum() for values in columns.values())
        own = sum(other.count for other in found if other.number == one.number)
        found[index] = replace(one, missing=one.missing and 2 * own >= rows_of)
    return found


def _far(column: str, values: Array, rows: Array) -> Iterator[Odd]:
    """Yield the numbers that are farther from all others than these from each other.

    Codes mean no value, and so do negative codes among numbers of which none is
    negative. A number that is very rare and very far away means no value, too. Others
    may be right; 0 always is.

    Args:
        column: the name of the column.
        values: (rows,) of all series.
        rows: the rows of the series that have a value, in the order of time.
    """
    numbers, counts = np.unique(values[rows], return_counts=True)
    is_code = np.isin(numbers, CODES) | (np.abs(numbers) >= HUGE)
    codes = numbers < 0
    codes &= bool(is_code[codes].all()) and counts[codes].sum() > 1
    usual = _usual(numbers[~codes & (numbers != 0)])
    if not len(usual):
        return
    low, high = usual.min(), usual.max()
    away = np.maximum(low - numbers, numbers - high)
    doubtful = (numbers != 0) | (len(usual) >= FEWEST)
    for place in np.flatnonzero(codes | (doubtful & (away > high - low))):
        own = rows[values[rows] == numbers[place]]
        error = len(own) <= RARE and away[place] > FAR * (high - low)
        yield Odd(
            column=column,
            number=float(numbers[place]),
            count=len(own),
            first=int(own[0]),
            last=int(own[-1]),
            beside=float(low if numbers[place] < low else high),
            missing=bool(is_code[place] or (error and numbers[place] != 0)),
            ends=bool(own[-1] == rows[-1]),
        )


def _usual(numbers: Array) -> Array:
    """Return different numbers without those that lie far from all others.

    The farthest are left out together, so that they do not hide each other: any codes,
    and `MOST_ERRORS` other numbers. Few numbers show only that codes lie far from them.
    """
    from_middle = np.abs(numbers - np.median(numbers)) if len(numbers) else numbers
    numbers = numbers[np.argsort(-from_middle, kind="stable")]
    is_code = np.isin(numbers, CODES) | (np.abs(numbers) >= HUGE)
    errors = np.cumsum(~is_code)
    for count in range(int(np.searchsorted(errors, MOST_ERRORS, "right")), 0, -1):
        outer = numbers[:count]
        rest = numbers[count:]
        if len(rest) >= (FEWEST if errors[count - 1] else 2):
            away = np.maximum(rest.min() - outer, outer - rest.max())
            if away.min() > np.ptp(rest):
                return rest
    return numbers


def _stuck(column: str, values: Array, rows: Array) -> Iterator[Odd]:
    """Yield a number that is repeated in far more rows than is usual.

    A run of 0, as at night or while a shop is closed, is compared with other runs of 0.

    Args:
        column: the name of the column.
        values: (rows,) of all series.
        rows: the rows of the series that have a value, in the order of time.
    """
    own = values[rows]
    starts = np.flatnonzero(np.diff(own, prepend=np.inf) != 0)
    lengths = np.diff(starts, append=len(own))
    if len(np.unique(own)) < FEWEST:
        return
    zero = own[starts] == 0
    for alike in (~zero, zero):
        run = int(np.where(alike, lengths, 0).argmax())
        others = np.arange(len(lengths)) != run
        if (others & alike).sum() >= FEWEST:
            others &= alike
        usual = np.quantile(lengths[others], 0.99)
        if alike[run] and lengths[run] >= max(SHORTEST, LONG * usual):
            first = starts[run]
            last = first + lengths[run] - 1
            yield Odd(
                column=column,
                number=float(own[first]),
                count=int(lengths[run]),
                first=int(rows[first]),
                last=int(rows[last]),
                beside=None,
                missing=False,
                ends=bool(last == len(own) - 1),
            )
