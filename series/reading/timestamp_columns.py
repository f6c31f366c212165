"""Which columns say when a row was measured, and in what formats."""

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import pandas as pd

from pipeline.data import notations, timestamps
from series.reading import timestamp_formats

PARTS = {
    "%Y": r"(year|yr|yyyy|jahr|a[nñ]o|ann[ée]e)",
    "%m": r"(month|mon|mo|mm|mnth|monat|mes|mois)",
    "%d": r"(day|dy|dd|day.?of.?month|mday|tag|d[ií]a|jour)",
    "%j": r"(doy|day.?of.?year|yday|julian.?day)",
    "%q": r"(quarter|quartal|qtr|q|trimestre)",
    "%V": r"(iso.?)?(week|wk|kw|woche|semaine|semana)([ _]?(number|nr|no|of.?year))?",
    "%H": r"(hour|hr|hrs|hh|stunde|hora|heure)",
    "%M": r"(minute|min|mi|mins)",
}
"""Parts of a timestamp -> what a column is called that holds one."""

CELLS = {
    "%m": ((r"\d{1,2}", "%m"), ("|".join(notations.MONTHS), "%b")),
    "%q": (("[1-4]", "%q"), ("Q[1-4]", "Q%q")),
    "%V": ((r"\d{1,2}", "%V"), (r"W\d{1,2}", "W%V")),
}
"""Parts of a timestamp -> what their cells may be, in plain notation, and what reads
them.

Other parts are digits."""

SEQUENCES = (
    ("%Y", "%m", "%d", "%H", "%M"),
    ("%Y", "%j", "%H", "%M"),
    ("%Y", "%q"),
    ("%Y", "%V"),
)
"""Parts that make a timestamp together; the last ones may be missing."""

NAMED = {
    *(
        "time",
        "times",
        "date",
        "dates",
        "datetime",
        "timestamp",
        "timestamps",
        "stamp",
        "ts",
        "ds",
    ),
    *("epoch", "unix", "utc", "day", "month", "period", "decimal", "week", "quarter"),
    *(
        "datum",
        "zeit",
        "zeitstempel",
        "zeitpunkt",
        "uhrzeit",
        "tag",
        "monat",
        "woche",
        "quartal",
    ),
    *("fecha", "hora", "año", "años", "jahr", "year", "jour", "mois"),
}
"""Words in the name of a column of timestamps, which may be counts or years."""

NAMED_ONLY = {
    *("excel", "%Y", "%Y%m", "%G%V", "%Y%j", "%Y.%q", "%Y.%m"),
    *timestamps.DECIMAL_YEARS,
}
"""Formats of numbers that may be anything, unless the column's name says that they are
times."""

COARSE = {"%Y", *timestamps.DECIMAL_YEARS}
"""Formats of a column that stands behind others, such as columns of a year and a month.
"""

WEEKS = {"week", "weeks", "kw", "woche", "semaine", "semana"}
"""Words in the name of a column of weeks."""

ONE_DIGIT = "^[0-9]{1,2}[.][0-9]$"
"""A number such as 1.5, which is no time of day."""

CLOCKS = r"time|zeit|hour|stunde|hhmm"
"""A part of the name of a column of times of day, which may be four digits."""

SAMPLE = 50
"""Cells that a format is tried on first."""

MOST_PARTS = 400
"""Different cells of a column that are looked at as parts of a timestamp."""

TIMED = re.compile("%H|%I|unix|excel")
"""In formats that have a time of day."""

LONGEST_DATE = len("2024-01-31")
"""Letters of a date of ISO 8601 without a time of day."""

Candidate: TypeAlias = tuple[list[str], list[str]]
"""Columns of a timestamp, and the formats that they may have."""


@dataclass
class Found:
    """What the columns of some rows may hold.

    Attributes:
        whole: columns -> the formats of their cells, if they are dates, with or without
            a time.
        clocks: the same of times of day.
        parts: parts of a timestamp -> the column that holds it and its directive.
    """

    whole: dict[str, list[str]] = field(default_factory=dict)
    clocks: dict[str, list[str]] = field(default_factory=dict)
    parts: dict[str, tuple[str, str]] = field(default_factory=dict)


def find_columns(
    head: pd.DataFrame, chosen: Sequence[str], share: float = 1.0
) -> Candidate:
    """Return the columns of the timestamp, and the formats that the first rows have, if
    any do.

    Args:
        head: the first rows, as text.
        chosen: those columns, if a user named them.
        share: the fraction of the rows that have such a format.
    """
    found = Found()
    for column in head.columns:
        cells = head[column].str.strip()
        cells = cells[cells != ""]
        if len(cells):
            _look_at(found, column, cells, chosen, share)
    candidates = []
    for columns, forms in _candidates(head, found):
        read = (
            forms if len(columns) == 1 else _joined_parsing(head, columns, forms, share)
        )
        if read:
            candidates.append((columns, read))
    first = head.columns[0]
    cells = head[first][head[first] != ""]
    if first not in found.whole and len(cells):
        # Numbers may be anything, so that a date goes first.
        counts = timestamp_formats.formats(cells.iloc[0], digits=True)
        counts = _parsing(
            cells, [form for form in counts if form not in NAMED_ONLY], share
        )
        candidates += [([first], counts)] if counts else []
    # A column with one value says when rows were written.
    single = {column for column in head if head[column].nunique() < 2}
    candidates.sort(key=lambda candidate: {*candidate[0]} <= single)
    if chosen:
        candidates = [
            candidate for candidate in candidates if candidate[0] == list(chosen)
        ]
        return candidates[0] if candidates else (list(chosen), [])
    return candidates[0] if candidates else ([], [])


def _look_at(
    found: Found,
    column: str,
    cells: "pd.Series[str]",
    chosen: Sequence[str],
    share: float,
) -> None:
    """Add what a column may hold."""
    first = notations.plain_date(cells.iloc[0])
    for code, name in PARTS.items():
        directive = (
            _directive(code, cells)
            if re.fullmatch(name, column, re.IGNORECASE)
            else None
        )
        if directive:
            found.parts[code] = (column, directive)
    named = is_named(column) or column in chosen
    forms = timestamp_formats.formats(cells.iloc[0], digits=named)
    if _words(column) & WEEKS:
        forms = [form for form in forms if "%V" in form] or forms
    whole = _parsing(cells, forms, share, any_year=bool(chosen))
    if whole:
        found.whole[column] = whole
    hours = _parsing(cells, timestamp_formats.time_formats(first), share)
    if hours and not cells.str.contains(ONE_DIGIT).any():
        found.clocks[column] = hours
    elif found.parts.get("%H", ("", ""))[0] == column:
        found.clocks[column] = ["%H"]
    elif (
        re.search(CLOCKS, column, re.IGNORECASE) and cells.str.fullmatch(r"\d{4}").all()
    ):
        found.clocks[column] = ["%H%M"]


def is_named(column: str) -> bool:
    """Return whether a column is called as those of timestamps are."""
    return bool(_words(column) & NAMED)


def _words(column: str) -> set[str]:
    """Return the words in a name, in small letters."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-zà-ÿ]+|[A-Z]+", column)}


def _directive(code: str, cells: "pd.Series[str]") -> str | None:
    """Return what reads the cells of a part of a timestamp; None where nothing does."""
    distinct = [notations.plain_date(cell) for cell in cells.unique()[:MOST_PARTS]]
    for pattern, directive in CELLS.get(code, ((r"\d{1,4}", code),)):
        if all(re.fullmatch(pattern, cell) for cell in distinct):
            return directive
    return None


def _parsing(
    cells: "pd.Series[str]",
    forms: Iterable[str],
    share: float,
    *,
    any_year: bool = False,
) -> list[str]:
    """Return the formats that a share of the cells have; weeks and years only if no
    others do.
    """
    few = cells.iloc[:: max(1, len(cells) // SAMPLE)]
    good: list[str] = []
    for form in forms:
        if good and ("%V" in form or form in timestamps.DECIMAL_YEARS):
            continue
        if share == 1 and np.isnat(timestamps.parse(few, form)[0]).any():
            continue
        moments, _ = timestamps.parse(cells, form)
        read = ~np.isnat(moments) if any_year else timestamps.usual(moments)
        if read.mean() >= share:
            good.append(form)
    return good


def _candidates(head: pd.DataFrame, found: Found) -> list[Candidate]:
    """Return columns and formats that would do, the best first.

    A date with a time of day goes before an exact timestamp of ISO 8601, and behind
    another one.
    """
    exact = [
        column
        for column, forms in found.whole.items()
        if TIMED.search(forms[0])
        or (forms == ["ISO8601"] and _longest(head[column]) > LONGEST_DATE)
    ]
    days = [
        column
        for column, forms in found.whole.items()
        if column not in exact and forms[0] not in COARSE
    ]
    ranked: list[tuple[int, Candidate]] = []
    for column, forms in found.whole.items():
        rank = 3 if column in days else 5
        if column in exact:
            rank = 1
        ranked.append((rank, ([column], forms)))
    iso = all(found.whole[column] == ["ISO8601"] for column in exact)
    ranked += [(0 if iso else 2, pair) for pair in _pairs(head, found, days)]
    ranked += [
        (2 if re.search("%d|%j", parts[1][0]) else 4, parts)
        for parts in _of_parts(found)
    ]
    ranked.sort(key=lambda candidate: candidate[0])
    return [candidate for _, candidate in ranked]


def _longest(cells: "pd.Series[str]") -> int:
    """Return how many letters the longest cell has."""
    return int(cells.str.strip().str.len().max())


def _joined_parsing(
    head: pd.DataFrame, columns: Sequence[str], forms: Sequence[str], share: float
) -> list[str]:
    """Return the formats that a share of the rows have, their columns joined."""
    cells = timestamps.joined(head, columns)
    return _parsing(cells[cells.str.strip() != ""], forms, share)


def _pairs(head: pd.DataFrame, found: Found, days: Sequence[str]) -> list[Candidate]:
    """Return columns of a date with columns of a time of day that tells the date's rows
    apart.
    """
    pairs: list[Candidate] = []
    for day, clock in itertools.product(days, found.clocks):
        dates = found.whole[day]
        if dates == ["ISO8601"]:
            dates = ["%Y-%m-%d"]
        if day == clock or not re.search("%d|%j", dates[0]):  # 01.02.03 may be both
            continue
        named = found.parts.get("%H", ("", ""))[0] == clock
        if named or _tells_apart(head, day, {clock, *found.clocks}):
            hours = found.clocks[clock]
            pairs.append(
                ([day, clock], [f"{date} {hour}" for date in dates for hour in hours])
            )
    return pairs


def _tells_apart(head: pd.DataFrame, day: str, clocks: set[str]) -> bool:
    """Return whether times of day are needed to tell the rows of a date apart.

    Where dates do, or a series' name beside them, the time measures something.
    """
    if not head.duplicated([day]).any():
        return False
    others = [column for column in head.columns if column not in {day, *clocks}]
    words = [
        name
        for name in others
        if pd.to_numeric(head[name], errors="coerce").isna().all()
    ]
    return all(
        head.duplicated([day, column]).any()
        for column in words
        if len(head[column].unique()) > 1
    )


def _of_parts(found: Found) -> list[Candidate]:
    """Return columns that are a timestamp together: a year, a month and so on."""
    best: list[tuple[str, str]] = []
    for sequence in SEQUENCES:
        codes = list(itertools.takewhile(found.parts.__contains__, sequence))
        if len(codes) > max(1, len(best)):
            best = [found.parts[code] for code in codes]
    if not best:
        return []
    stamp_format = " ".join(form for _, form in best)
    if "%V" in stamp_format:
        stamp_format = stamp_format.replace("%Y", "%G")
    return [([column for column, _ in best], [stamp_format])]
