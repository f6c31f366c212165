"""The columns that say when a row was measured, and their formats.

A table with a column for each time is refused.
"""

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd

from pipeline.errors import UsageError
from unroll.series.options import argument
from unroll.series.reading import series_names, timestamp_formats

DIGITS = r"\d{1,4}"

MONTH = "month|mon|mo|mm|mnth|monat|mes|mois"

QUARTER = "quarter|quartal|qtr|q|trimestre"

WEEK = "(iso.?)?(week|wk|kw|woche|semaine|semana)([ _]?(number|nr|no|of.?year))?"

PARTS = (
    ("%Y", "year|yr|yyyy|jahr|a[nñ]o|ann[ée]e", DIGITS, "%Y"),
    ("%m", MONTH, r"\d{1,2}", "%m"),
    ("%m", MONTH, "|".join(timestamp_formats.MONTHS), "%b"),
    ("%d", "day|dy|dd|day.?of.?month|mday|tag|d[ií]a|jour", DIGITS, "%d"),
    ("%j", "doy|day.?of.?year|yday|julian.?day", DIGITS, "%j"),
    ("%q", QUARTER, "[1-4]", "%q"),
    ("%q", QUARTER, "Q[1-4]", "Q%q"),
    ("%V", WEEK, r"\d{1,2}", "%V"),
    ("%V", WEEK, r"W\d{1,2}", "W%V"),
    ("%H", "hour|hr|hrs|hh|stunde|hora|heure", DIGITS, "%H"),
    ("%M", "minute|min|mi|mins", DIGITS, "%M"),
)
"""A part of a timestamp; the names of columns that hold it; a pattern of their cells in
plain notation; and the cells' directive."""

SEQUENCES = (
    ("%Y", "%m", "%d", "%H", "%M"),
    ("%Y", "%j", "%H", "%M"),
    ("%Y", "%q"),
    ("%Y", "%V"),
)
"""Sequences of parts that make a timestamp; the last parts may be missing."""

NAMED_ONLY = {
    *("excel", "%Y", "%Y%m", "%G%V", "%Y%j", "%Y.%q", "%Y.%m"),
    timestamp_formats.DECIMAL,
}
"""Formats of numbers that are timestamps only if the column's name says so."""

COARSE = {"%Y", timestamp_formats.DECIMAL}
"""Formats of a year alone, whose column is taken only if no other columns will do."""

FINANCIAL = r"(?:FY ?)?([0-9]{4})[-/\u2013]((?:[0-9]{2}){1,2})"
"""A year that begins in one year and ends in the next, such as 2000-01."""

WEEKS = {"week", "weeks", "kw", "woche", "semaine", "semana"}
"""Words in the name of a column of weeks."""

SAMPLE = 50
"""Number of cells that a format is tried on first."""

MOST_PARTS = 400
"""Largest number of different cells that are looked at as parts of a timestamp."""

TIMED = re.compile("%H|%I|unix|excel")
"""Pattern of formats that have a time of day."""

DATE = len("2024-01-31")
"""Length of a date of ISO 8601 without a time of day."""

ISO = ["ISO8601"]
"""The formats of a timestamp of ISO 8601, with or without a time of day."""

DAY = 86_400

PERIODS = {
    DAY: {24, 25, 48, 50, 96, 100, 144, 288},
    30 * DAY: {28, 29, 30, 31},
    365 * DAY: {12, 52, 53},
}
"""Seconds of a row -> how many parts of it may stand in columns."""

FEW_TIMES = 3
"""Largest number of columns that are named like times and still hold something else."""

KINDS = (
    *("pair before ISO 8601", "exact", "pair", "parts with a day"),
    *("day", "parts", "year", "numbers"),
)
"""What columns hold together, from the timestamp that is taken first to the last.

A pair of a date and a time of day goes before timestamps of ISO 8601 and behind exact
ones of another format."""

Candidates: TypeAlias = dict[tuple[str, ...], list[str]]
"""Columns of a timestamp -> the formats that they may have."""

Cells: TypeAlias = "dict[str, pd.Series[str]]"
"""A column -> its cells that hold something."""

Parts: TypeAlias = dict[str, tuple[str, str]]
"""Parts of a timestamp -> the part's column and directive."""


def find_columns(
    head: pd.DataFrame, chosen: Sequence[str], share: float = 1.0
) -> tuple[list[str], list[str]]:
    """Return the columns of the timestamp, and the formats that fit the first rows.

    Args:
        head: the first rows, as text.
        chosen: the columns that a user named; empty if the user named none.
        share: the fraction of the rows that a format must fit.
    """
    candidates = _candidates(head, chosen, share)
    # A column with one value says when rows were written.
    single = {column for column in head if head[column].nunique() < 2}
    candidates.sort(key=lambda item: {*item[0]} <= single)
    for columns, forms in candidates:
        if chosen and columns != tuple(chosen):
            continue
        if len(columns) > 1:
            cells = timestamp_formats.joined(head, columns)
            good = _parsing(cells[cells.str.strip() != ""], forms, share)
        else:
            good = forms
        if good:
            return list(columns), good
    return list(chosen), []


def _candidates(
    head: pd.DataFrame, chosen: Sequence[str], share: float
) -> list[tuple[tuple[str, ...], list[str]]]:
    """Return columns and formats that would do, the best first (`KINDS`)."""
    held: Cells = {}
    for column in head.columns:
        cells = head[column].str.strip()
        cells = cells[cells != ""]
        if len(cells):
            held[column] = cells
    parts_of = {column: _parts_of(column, cells) for column, cells in held.items()}
    parts = {
        code: (column, directive)
        for column, codes in parts_of.items()
        for code, directive in codes.items()
    }
    clocks: Candidates = {}
    for column, cells in held.items():
        forms = _clock_formats(column, cells, share, is_hour="%H" in parts_of[column])
        if forms:
            clocks[(column,)] = forms
    found = _whole(held, next(iter(head.columns), ""), chosen, share)
    iso = all(forms == ISO for forms in found["exact"].values())
    pairs = dict(_pairs(head, found["day"], clocks, parts))
    found["pair before ISO 8601" if iso else "pair"] = pairs
    together = _of_parts(parts)
    with_day = any(re.search("%d|%j", forms[0]) for forms in together.values())
    found["parts with a day" if with_day else "parts"] = together
    return [item for kind in KINDS for item in found[kind].items()]


def _parts_of(column: str, cells: "pd.Series[str]") -> dict[str, str]:
    """Return the parts of a timestamp that a column may hold -> the cells' directive."""
    distinct = cells.unique()[:MOST_PARTS]
    return {
        code: directive
        for code, names, pattern, directive in PARTS
        if re.fullmatch(names, column, re.IGNORECASE)
        and all(
            re.fullmatch(pattern, timestamp_formats.plain_date(cell))
            for cell in distinct
        )
    }


def _whole(
    held: Cells, first: str, chosen: Sequence[str], share: float
) -> dict[str, Candidates]:
    """Return a kind of `KINDS` -> the columns of whole timestamps, and their formats.

    The column `first` may be one although its numbers may be anything.
    """
    found: dict[str, Candidates] = {kind: {} for kind in KINDS}
    for column, cells in held.items():
        forms = _whole_formats(column, cells, chosen, share)
        if forms:
            found[_kind_of(forms, cells)][(column,)] = forms
        elif column == first:
            sizes = timestamp_formats.formats(cells.iloc[0], digits=True)
            sizes = [form for form in sizes if form not in NAMED_ONLY]
            found["numbers"][(column,)] = _parsing(cells, sizes, share)
    return found


def _kind_of(forms: Sequence[str], cells: "pd.Series[str]") -> str:
    """Return which of `KINDS` a column of whole timestamps is."""
    is_long = forms == ISO and cells.str.len().max() > DATE
    if is_long or TIMED.search(forms[0]):
        return "exact"
    return "year" if forms[0] in COARSE else "day"


def _whole_formats(
    column: str, cells: "pd.Series[str]", chosen: Sequence[str], share: float
) -> list[str]:
    """Return the formats by which a column holds whole timestamps."""
    words = timestamp_formats.words_of(column)
    is_named = timestamp_formats.names_a_time(column) or column in chosen
    forms = timestamp_formats.formats(cells.iloc[0], digits=is_named)
    if words & WEEKS:
        forms = [form for form in forms if "%V" in form] or forms
    return _parsing(cells, forms, share, any_year=bool(chosen))


def _clock_formats(
    column: str, cells: "pd.Series[str]", share: float, *, is_hour: bool
) -> list[str]:
    """Return the formats of a column of times of day; none if it holds others.

    Args:
        column: the name of the column.
        cells: its cells that hold something.
        share: the fraction of the cells that a format must fit.
        is_hour: whether the column is named like hours.
    """
    forms = _parsing(
        cells,
        timestamp_formats.time_formats(timestamp_formats.plain_date(cells.iloc[0])),
        share,
    )
    # A number such as 1.5 is no time of day.
    if forms and not cells.str.contains("^[0-9]{1,2}[.][0-9]$").any():
        return forms
    if is_hour:
        return ["%H"]
    has_name = re.search("(?i)time|zeit|hour|stunde|hhmm", column)
    return ["%H%M"] if has_name and cells.str.fullmatch(r"\d{4}").all() else []


def _parsing(
    cells: "pd.Series[str]",
    forms: Iterable[str],
    share: float,
    *,
    any_year: bool = False,
) -> list[str]:
    """Return the formats that fit a share of the cells.

    Formats of weeks and of decimal years are tried only if no other format fits.
    """
    few = cells.iloc[:: max(1, len(cells) // SAMPLE)]
    good: list[str] = []
    for form in forms:
        late = good and ("%V" in form or form == timestamp_formats.DECIMAL)
        if late or (
            share == 1 and np.isnat(timestamp_formats.parse(few, form)[0]).any()
        ):
            continue
        moments, _ = timestamp_formats.parse(cells, form)
        read = ~np.isnat(moments) if any_year else timestamp_formats.usual(moments)
        if read.mean() >= share:
            good.append(form)
    return good


def _pairs(
    head: pd.DataFrame, dates: Candidates, clocks: Candidates, parts: Parts
) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """Yield pairs of a column of dates and a column of times of day.

    The time of day tells rows of one date apart.
    """
    for (day, forms), (clock, times) in itertools.product(
        dates.items(), clocks.items()
    ):
        days = ["%Y-%m-%d"] if forms == ISO else forms
        fit = day != clock and re.search("%d|%j", days[0])  # 01.02.03 may be both
        named = parts.get("%H", ("", ""))[0] == clock[0]
        if fit and (
            named or _tells_apart(head, day[0], {*day, *itertools.chain(*clocks)})
        ):
            both = itertools.product(days, times)
            yield (*day, *clock), [" ".join(pair) for pair in both]


def _tells_apart(head: pd.DataFrame, day: str, times: set[str]) -> bool:
    """Return whether times of day are needed to tell the rows of a date apart.

    They are not if dates suffice, or dates with a series' name. Then the time of day is
    a measured value.
    """
    names = [name for name in series_names.of_words(head) if name not in times]
    keys = [[day], *([day, name] for name in names if len(head[name].unique()) > 1)]
    return all(head.duplicated(key).any() for key in keys)


def _of_parts(parts: Parts) -> Candidates:
    """Return columns that make a timestamp together, such as a year and a month."""
    present = [[*itertools.takewhile(parts.__contains__, codes)] for codes in SEQUENCES]
    codes = max(present, key=len)
    if len(codes) < 2:
        return {}
    stamp_format = " ".join(parts[code][1] for code in codes)
    if "%V" in stamp_format:
        stamp_format = stamp_format.replace("%Y", "%G")
    return {tuple(parts[code][0] for code in codes): [stamp_format]}


def times_in(
    headings: Sequence[str], seconds: int | None = None
) -> tuple[str, list[str]]:
    """Return the headings that name another time each, and the part of the time; "" and
    none if there are none.

    What they share is no matter: load_Mon, load_Tue ... are weekdays.

    Args:
        headings: the headings of columns.
        seconds: the distance of rows, if it is known. Numbered headings may then be the
            parts of a row's time, such as H1 to H24 of a day.
    """
    found: dict[str, list[str]] = {}
    for heading in headings:
        found.setdefault(_shape(heading), []).append(heading)
    for shape, own in found.items():
        kind = _kind(shape, own, seconds) if len(own) > FEW_TIMES else ""
        if kind and (kind != "date" or 2 * len(own) > len(headings)):
            return kind, own
    return "", []


def _shape(heading: str) -> str:
    """Return a heading with a mark for each number, month, weekday, and am or pm."""
    plain = timestamp_formats.CLOCK.sub("<clock>", heading)
    return re.sub(r"[^\W\d_]+|\d+", lambda word: _mark(word[0]), plain)


def _mark(word: str) -> str:
    """Return what a word of a heading is, such as <month>, or the word itself."""
    small = word.lower()
    plain = timestamp_formats.REPLACEMENTS.get(small, small)
    marks = {
        "<number>": word.isdigit(),
        "<month>": plain in timestamp_formats.MONTHS,
        "<weekday>": small in timestamp_formats.WEEKDAYS.split(),
        "<half>": small in {"am", "pm"},
    }
    return next((mark for mark in marks if marks[mark]), small)


def _kind(shape: str, headings: Sequence[str], seconds: int | None) -> str:
    """Return the part of the time that headings of one shape name; "" if they name none."""
    for kind in ("month", "weekday"):
        if f"<{kind}>" in shape and "<number>" not in shape:
            return kind
    if "<clock>" in shape:
        return "hour"
    first = [re.search(r"\d+(?:[-./_ ]\d+)*", heading) for heading in headings]
    texts = [match[0].replace("_", "-") for match in first if match]
    if not texts:
        return ""
    if all(timestamp_formats.formats(text, digits=True) for text in texts):
        return "date"
    digits = [re.findall(r"\d+", heading) for heading in headings]
    numbers = np.array([int(one[0]) for one in digits])
    if "<half>" in shape:
        late = ["pm" in heading.lower() for heading in headings]
        numbers = numbers % 12 + 12 * np.array(late)
    if shape == "q<number>" and len({*numbers}) == 4:
        return "quarter"
    minutes = numbers // 100 * 60 + numbers % 100  # as in 0030
    is_even = min(len({*np.diff(np.sort(one))}) for one in (numbers, minutes)) == 1
    in_two = is_even and ("<half>" in shape or len(digits[0]) > 1)
    period = min(PERIODS, key=lambda one: abs(one - (seconds or 0)))
    is_near = abs(period - (seconds or 0)) <= period / 5
    counted = (
        len(headings) in PERIODS[DAY] if in_two else len(headings) in PERIODS[period]
    )
    return "hour" if is_even and counted and (in_two or is_near) else ""


def turned(
    path: Path, names: Sequence[str], kind: str, times: Sequence[str]
) -> UsageError:
    """Return the error that refuses a column for each time.

    The message says how to turn the columns into rows.
    """
    first = times[0]
    others = [name for name in names if name not in times]
    call = f"frame.melt({others!r:.200}, var_name={kind!r})"
    cure = f"turn the table, so that each row has one time (pandas: {call})"
    if kind == "date" and not timestamp_formats.formats(first, digits=True):
        cure = f"write these names like 2024-01-31, 2024-01 or 2024; {cure}"
    if kind == "weekday" or (first.isdigit() and len(first) < len("2024")):
        cure = "make a row of each, with a date such as 2024-01-31"
    if first.isdigit() or kind == "hour":
        cure = (
            f"{cure}, or pass {argument('target')} if it names one of several sensors"
        )
    return UsageError(
        f"{path}: each column holds another time, from {first!r:.40} to "
        f"{times[-1]!r:.40}; {cure}"
    )


def require_one_calendar(texts: pd.DataFrame, path: Path) -> None:
    """Raise UsageError if a column has dates that another calendar or order would read.

    They are years such as 2000-01, which may be months, too; and dates in which a
    spreadsheet has exchanged day and month, beside the others, which stay text.

    Args:
        texts: (rows, columns) text, the first rows.
        path: the file, for the message.
    """
    for name in texts:
        cells = texts[name][texts[name] != ""].drop_duplicates()
        years = cells.str.extract(f"^{FINANCIAL}$").astype(float)
        follow = years[1] % 100 == (years[0] + 1) % 100
        dates = cells.str.match("[12][0-9]{3}-[0-9]{2}-[0-9]{2}")
        days = (
            cells[~dates].str.extract(r"^(\d\d?)[./-](\d\d?)[./-]\d{4}").astype(float)
        )
        why = ""
        if len(cells) > 1 and follow.all():
            why = f"financial years; write the year in which each begins, such as {years[0].iloc[0]:.0f}"
        if dates.any() and not dates.all() and (days.max(axis=1) > 12).all():
            other = cells[~dates].iloc[0]
            why = (
                f"a date beside the text {other}: day and month were exchanged where that "
                "gave a date; import it with the right order of day and month"
            )
        if why:
            raise UsageError(
                f"{path}: column {name!r} holds {cells.iloc[0]:.40}, {why}"
            )
