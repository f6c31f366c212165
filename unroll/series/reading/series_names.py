"""The column that says which of several series a row belongs to."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.data import timestamps
from pipeline.data.examples import Array
from pipeline.data.timestamps import shown
from pipeline.errors import UsageError
from unroll.series.reading.numbers import is_number
from unroll.series.reading.timestamp_formats import as_text

NUMBER = re.compile(r"(\d+)")
"""A number in the name of a series."""

MOST_SERIES = 10_000
"""Largest number of series in a file."""

FEW = 50
"""Largest number of words of a column that names series only beside other columns."""

LONG_FORMAT = ("unique_id", "item_id", "series_id")
"""Names of the column of series in the long format of forecasting libraries."""

PARTS_OF_A_DAY = (24, 25, 48, 50, 96, 100, 144, 150)
"""Numbers of hours, half hours and such of a day, which some files count in a column.

Some files have an hour more in autumn."""

DISTINCT = 0.99
"""Share of different timestamps from which there is a single series.

The other rows are of the nights when clocks are put back."""

APART = 0.95
"""Share of rows that a column of series must tell apart.

Of the other rows `rules.one_value` says what they are."""

FILLED = 0.5
"""Smallest share of all timestamps that series have, on average."""

REPEATED = 0.7
"""Different timestamps per row, up to which a file may hold several series."""

HALF = 0.5
"""Smallest number of different timestamps per row, if rows agree in a column."""

MOST_FLAGS = 10
"""Largest number of different numbers of a flag, which says nothing about rows."""

EVEN = 0.8
"""Share of even steps from which a series counts as even."""


def natural(name: str) -> list[int | str]:
    """Return a key that sorts names as people do: 1, 2, 10."""
    return [int(part) if part.isdecimal() else part for part in NUMBER.split(name)]


@dataclass(frozen=True)
class SeriesNames:
    """The names of a file's series.

    Attributes:
        series_id: the column with the name of a row's series; None for a single series.
        series: the names of the series, sorted; empty for a single series without a
            name.
        doubt: what speaks against the column, in words; "" if nothing does.
        of_rows: (rows,) the name of each row's series; None for a single series.
    """

    series_id: str | None = None
    series: Sequence[str] = ()
    doubt: str = ""
    of_rows: Array | None = None


def rows_by_series(of_rows: Array | None, count: int) -> list[Array]:
    """Return the numbers of each series' rows, of `count` rows in all, in order."""
    codes = np.zeros(count, int) if of_rows is None else pd.factorize(of_rows)[0]
    order = np.argsort(codes, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)


def series_names(frame: pd.DataFrame, moments: Array, path: Path) -> SeriesNames:
    """Return the series of a file's rows.

    Each series has a timestamp once, except for the hours that come twice in autumn. A
    column with a name of the long format is taken. Without such a column, a file holds
    several series only if timestamps repeat.

    Args:
        frame: the rows, without the columns of the timestamp.
        moments: (rows,) datetime64[ms].
        path: the file, for messages.

    Raises:
        UsageError: there are too many series; or rows that differ at one timestamp are
            told apart by several columns together, or by none.
    """
    doubt = ""
    name = _in_long_format(frame, moments)
    if name is None:
        name, doubt = _told_apart(frame, moments, path)
    if name is None:
        return SeriesNames()
    codes, words = _labels(frame[name])
    if len(words) > 1 and (codes < 0).any():
        row = int((codes < 0).argmax())
        raise UsageError(
            f"{path}: {name!r} is empty in {(codes < 0).sum():,} of {len(codes):,} rows, "
            f"first beside {shown(moments[row])}; write the name of the series there, or "
            "leave these rows out"
        )
    if len(words) > MOST_SERIES:
        raise UsageError(
            f"{path} holds {len(words):,} series, by {name!r}; keep "
            f"at most {MOST_SERIES:,}"
        )
    if len(words) < 2:
        return SeriesNames(None, words, doubt)
    doubt = doubt or _twins(words)
    return SeriesNames(name, words, doubt, np.array([*words, ""], object)[codes])


def _twins(names: Sequence[str]) -> str:
    """Return that two names may be one, such as Berlin and BERLIN, in words; else ""."""
    every = pd.Series([*names], dtype="str")
    plain = every.str.normalize("NFKC").str.casefold()
    plain = plain.str.removesuffix(".0").str.lstrip("0").str.replace(" ", "")
    twins = every[plain.duplicated(keep=False)].groupby(plain).agg(list)
    if twins.empty:
        return ""
    first, second, *_ = twins.iloc[0]
    return f"{first!r:.60} and {second!r:.60} are two series; write them alike if they are one"


def _labels(cells: "pd.Series[Any]") -> tuple[Array, list[str]]:
    """Return (rows,) the number of each cell's name, -1 where it is empty; and names."""
    texts = as_text(cells)
    codes, names = pd.factorize(texts.mask(texts == ""), sort=True)
    return codes, names.tolist()


def _in_long_format(frame: pd.DataFrame, moments: Array) -> str | None:
    """Return the column of the long format that tells rows apart; None without one."""
    for name in frame.columns:
        if name.lower() in LONG_FORMAT:
            codes, words = _labels(frame[name])
            if len(words) == 1 or (words and _apart(codes, moments) >= APART):
                return str(name)
    return None


def _told_apart(
    frame: pd.DataFrame, moments: Array, path: Path
) -> tuple[str | None, str]:
    """Return the column that tells rows of one timestamp apart, and a doubt about it.

    Words go before numbers. Rows that are equal are one row. The column is None for a
    single series.

    Raises:
        UsageError: only several columns together tell rows apart, or none do.
    """
    times = len(timestamps.distinct(moments))
    if times < 2 or times > DISTINCT * len(moments):
        return None, ""
    kept = ~frame.assign(**{"the stamp": moments}).duplicated().to_numpy()
    frame = frame[kept]
    moments = moments[kept]
    unique = frame.nunique()
    words = of_words(frame)
    columns = sorted(unique.index, key=lambda name: name not in words)
    for column in [name for name in columns if 1 < unique[name] <= len(frame) / 2]:
        codes, names = _labels(frame[column])
        if _is_key(codes, moments, times):
            return column, _doubt(column, names, path)
    if _is_one_series(frame, moments, times):
        return None, ""
    few = [name for name in frame if 1 < unique[name] <= FEW]
    cure = f"join the columns that do (of {', '.join(few)}) into one, called unique_id"
    if not few:
        cure = "name the series in a column called unique_id"
    if frame.index.nlevels > 1 and len({*frame.index.get_level_values(0)}) > 1:
        cure = "if each file is a series, name it in a column called unique_id"
    raise UsageError(
        f"{path}: each timestamp occurs {len(frame) / times:.3g} times, with other "
        f"numbers, and no single column names the series; {cure}, or add up the rows of a "
        "time, such as orders (pandas: frame.groupby(TIME, as_index=False).sum())"
    )


def _is_key(codes: Array, moments: Array, times: int) -> bool:
    """Return whether a column tells rows of one timestamp apart, and names series.

    Args:
        codes: (rows,) the number of each row's name.
        moments: (rows,) the timestamps.
        times: how many timestamps differ.
    """
    _, counts = np.unique(codes, return_counts=True)
    if np.median(counts) < 2 or counts.max() * APART > times:
        return False
    filled = counts.mean() >= FILLED * times or 2 * counts.max() >= times
    often = times <= REPEATED * len(moments)
    even = (often and filled) or _each_even(codes, moments)
    return even and _apart(codes, moments) >= APART


def _doubt(name: str, words: Sequence[str], path: Path) -> str:
    """Return a doubt about a column that may count parts of a day; "" without one.

    Raises:
        UsageError: there are so many parts that they are hardly series.
    """
    numbers = pd.to_numeric(pd.Series(words), errors="coerce")
    counted = numbers.min() in {0, 1} and np.ptp(numbers) == len(words) - 1
    if not counted or len(words) not in PARTS_OF_A_DAY:
        return ""
    why = (
        f"{name!r} may count parts of a day, too; then make {name!r} part of the "
        "timestamp"
    )
    if len(words) > FEW:
        raise UsageError(
            f"{path} holds {len(words)} series, by {name!r}; {why}, else call it "
            "unique_id"
        )
    return why


def _is_one_series(frame: pd.DataFrame, moments: Array, times: int) -> bool:
    """Return whether rows that repeat some of the `times` may be rows of one series.

    They are not if they are many; nor if they differ in words, each of which has
    timestamps of its own. Rows that correct others have none. They are if they agree in
    a column of numbers, as where a text differs.
    """
    if times > HALF * len(moments) and _agree(frame, moments):
        return True
    again = pd.Series(moments).duplicated(keep=False).to_numpy()
    for name in of_words(frame):
        texts = as_text(frame[name])
        differ = texts[again].groupby(moments[again]).agg(lambda own: len({*own}) > 1)
        if differ.any() and {*texts[again]} <= {*texts[~again]}:
            return False
    return times > REPEATED * len(moments)


def _agree(frame: pd.DataFrame, moments: Array) -> bool:
    """Return whether a column of numbers has one value at each timestamp."""
    numbers = frame.drop(columns=of_words(frame))
    numbers = numbers.loc[:, numbers.nunique() > MOST_FLAGS]
    return bool((numbers.groupby(moments).nunique().max() <= 1).any())


def of_words(frame: pd.DataFrame) -> list[str]:
    """Return the columns of which none of the first cells is a number, by any mark."""
    head = frame.head(FEW).apply(as_text)
    return [name for name in frame if not any(map(is_number, head[name].dropna()))]


def _apart(codes: Array, moments: Array) -> float:
    """Return the share of rows that differ in their name or their timestamp."""
    return float(
        1 - pd.DataFrame({"stamp": moments, "series": codes}).duplicated().mean()
    )


def _each_even(codes: Array, moments: Array) -> bool:
    """Return whether the rows of each series have the median distance of all series."""
    rows = pd.DataFrame({"series": codes, "stamp": moments}).sort_values(
        ["series", "stamp"]
    )
    steps = rows.groupby("series")["stamp"].diff()
    even = (steps == steps.median())[steps.notna()]
    return bool(even.groupby(rows["series"]).mean().min() >= EVEN)
