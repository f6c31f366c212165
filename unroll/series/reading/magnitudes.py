"""Numbers that do not belong to the others of their column and series.

They are codes for "no value", typing errors, and the number that a sensor repeats when
it is stuck.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from pipeline.data.examples import Array
from unroll.series.reading.series_names import rows_by_series

FAR = 12
"""Distance, in ranges of the other numbers, of a typing error.

The power is the number of rare numbers that are about as far away (`ALIKE`): several
may be rare events."""

ALIKE = 4
"""Largest ratio of the distances of such numbers."""

OFTEN = 10
"""How many times as often as any other a number is repeated that may mean no value."""

COMMON = 0.1
"""Share of rows from which 0 is no unusual number."""

RARE = 2
"""Largest number of rows with the same typing error."""

MOST_ERRORS = 3
"""Largest number of different typing errors in a series."""

MOST_FAR = 20
"""Largest number of different numbers far from all others."""

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

BINARY = {2**bits - less for bits in range(7, 64) for less in (1, 2)}
"""Numbers around the largest one of some bits, such as 2046, 32767 and 65535."""

LOWEST = [-200.0, *(-(2.0**bits) for bits in (7, 15, 31, 63))]
"""Further codes: that of a data set of air quality, and the lowest numbers of bytes."""

SIZES = np.array([size / scale for size in NINES | BINARY for scale in (1, 10)])
CODES = np.concatenate([SIZES[SIZES >= 255], -SIZES[SIZES >= 99], LOWEST])
CODES = np.union1d(CODES, CODES.astype(np.float32))
"""Numbers that stand for a missing value, if they lie far from all other numbers."""


@dataclass(frozen=True)
class Odd:
    """A number that does not belong to the others of its column and series.

    Attributes:
        column: the name of the column.
        number: the number.
        rows: the rows that hold it, in the order of time; of a stuck number, its
            longest run.
        beside: the nearest other number; None for a stuck number.
        missing: whether the number means no value.
    """

    column: str
    number: float
    rows: Array
    beside: float | None = None
    missing: bool = False


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
    found = list[Odd]()
    for own in rows_by_series(of_rows, len(timestamps)):
        rows = own[np.argsort(timestamps[own], kind="stable")]
        for name, values in columns.items():
            known = rows[np.isfinite(values[rows])]
            far = [*_far(name, values, known)]
            known = known[~np.isin(values[known], [one.number for one in far])]
            found += [*far, *_stuck(name, values, known)]
    odd_rows = Counter[float]()
    for one in found:
        odd_rows[one.number] += len(one.rows)
    all_rows = Counter[float]()
    for values in columns.values():
        all_rows.update(values[np.isin(values, [*odd_rows])].tolist())
    return [
        replace(
            one,
            missing=one.missing and 2 * odd_rows[one.number] >= all_rows[one.number],
        )
        for one in found
    ]


def _far(column: str, values: Array, rows: Array) -> Iterator[Odd]:
    """Yield the numbers that are farther from all others than these from each other.

    Codes mean no value, and so do negative codes among numbers of which none is
    negative. A rare number means no value, too, if it is very far away. Others may be
    right.

    Args:
        column: the name of the column.
        values: (rows,) of all series.
        rows: the rows of the series that have a value, in the order of time.
    """
    numbers, counts = np.unique(values[rows], return_counts=True)
    is_code = _are_codes(numbers)
    codes = numbers < 0
    codes &= bool(is_code[codes].all()) and counts[codes].sum() > 1
    usual = _usual(numbers[~codes & (numbers != 0)])
    if not len(usual):
        return
    low = usual.min()
    high = usual.max()
    away = np.maximum(low - numbers, numbers - high)
    # 0 is usual where it is common: closed days, nights, no demand.
    away[(numbers == 0) & (counts > COMMON * counts.sum())] = 0
    is_far = away > high - low
    is_far |= _are_too_many(numbers, counts)
    may_be_error = is_far & (counts <= RARE) & (numbers != 0) & ~is_code
    shows_usual = len(usual) >= FEWEST
    span = high - low if shows_usual else FAR * np.abs(usual).max()
    # Each number that may be an error counts itself.
    as_far = (ALIKE * away[may_be_error] >= away[:, None]).sum(axis=1)
    is_error = may_be_error & (away > float(FAR) ** as_far * span)
    for place in np.flatnonzero(
        codes | may_be_error | (is_far & (is_code | shows_usual))
    ):
        own = rows[values[rows] == numbers[place]]
        beside = float(low if numbers[place] < low else high)
        yield Odd(
            column,
            number=float(numbers[place]),
            rows=own,
            beside=beside,
            missing=bool(is_code[place] or is_error[place]),
        )


def _are_too_many(numbers: Array, counts: Array) -> Array:
    """Return (numbers,) bool: whether a number, the least or the largest, some way from
    the others, is repeated far more often than all others.
    """
    found = np.zeros(len(numbers), bool)
    if len(numbers) < FEWEST:
        return found
    for end, inner in ((0, numbers[1:]), (-1, numbers[:-1])):
        beside = np.abs(inner - numbers[end]).min() > COMMON * np.ptp(inner)
        is_common = numbers[end] == 0 and counts[end] > COMMON * counts.sum()
        often = counts[end] >= OFTEN * np.delete(counts, end).max()
        found[end] = beside and often and not is_common
    return found


def _are_codes(numbers: Array) -> Array:
    """Return (numbers,) bool; `np.isin` is slow for a few numbers."""
    nearest = CODES[np.searchsorted(CODES[:-1], numbers)]
    return np.asarray((nearest == numbers) | (np.abs(numbers) >= HUGE))


def _usual(numbers: Array) -> Array:
    """Return different numbers without those that lie far from all others.

    The farthest are left out together, so that they do not hide each other: any codes,
    and `MOST_ERRORS` other numbers.
    """
    from_middle = np.abs(numbers - np.median(numbers)) if len(numbers) else numbers
    numbers = numbers[np.argsort(-from_middle, kind="stable")]
    most = int(np.searchsorted(np.cumsum(~_are_codes(numbers)), MOST_ERRORS, "right"))
    for count in range(min(most, MOST_FAR, len(numbers) - 2), 0, -1):
        outer = numbers[:count]
        rest = numbers[count:]
        away = np.maximum(rest.min() - outer, outer - rest.max())
        if away.min() > np.ptp(rest):
            return rest
    return numbers


def _stuck(column: str, values: Array, rows: Array) -> Iterator[Odd]:
    """Yield a number that is repeated in far more rows than is usual.

    A run of 0, as at night or while a shop is closed, and of the lowest and the highest
    number, such as 100 %, must be longer. It is compared with such runs.

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
    edge = np.isin(own[starts], [0, own.min(), own.max()])
    for alike, share, long in ((~edge, 0.99, LONG), (edge, 1.0, 3 * LONG)):
        run = int(np.where(alike, lengths, 0).argmax())
        others = np.arange(len(lengths)) != run
        if (others & alike).sum() >= FEWEST:
            others &= alike
        usual = np.quantile(lengths[others], share)
        if alike[run] and lengths[run] >= max(SHORTEST, long * usual):
            first = starts[run]
            yield Odd(column, float(own[first]), rows[first : first + lengths[run]])
