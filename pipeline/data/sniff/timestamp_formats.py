"""Which columns say when a row was measured, in what format, how often, and by which clock."""

import itertools
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pipeline.data import row_calendar, timestamps
from pipeline.data.examples import Array
from pipeline.data.series_options import Cleaning
from pipeline.data.sniff.layout import MONTH
from pipeline.data.timestamps import Regularity, regularity

if TYPE_CHECKING:
    import pandas as pd

ZONES = (
    *("Europe/Berlin", "Europe/London", "Europe/Helsinki", "America/New_York", "America/Sao_Paulo"),
    *("Australia/Sydney", "Pacific/Auckland"),
)
"""One for each rule of daylight saving that many live by; others of the same rule give the same rows."""

PARTS = {
    "%Y": r"(year|yr|yyyy|jahr|a[nñ]o|ann[ée]e)",
    "%m": r"(month|mon|mo|mm|mnth|monat|mes|mois)",
    "%d": r"(day|dy|dd|day.?of.?month|mday|tag|d[ií]a|jour)",
    "%H": r"(hour|hr|hrs|hh|stunde|hora|heure)",
    "%M": r"(minute|min|mi|mins)",
}
"""What a column is called that holds this part of a timestamp."""

TIME = r"(\d{1,2})([:.h])(\d{2})(?:\2(\d{2})([.,]\d+)?)?( ?[AaPp][Mm])?( ?(?:Z|[+-]\d\d:?\d\d))?"
DATE = r"(\d{1,4})([./-])(\d{1,2}|[A-Za-z]{3})\2(\d{1,4})"
WORDED = ("%b %d, %Y", "%B %d, %Y", "%d %b %Y", "%d %B %Y", "%b-%y", "%b-%Y", "%b %Y", "%B %Y")
"""Formats of what `MONTH` matches; which one a column has, its cells say."""

FEW_DAYS = 15
"""Timestamps, of which it can be coincidence that none lies on a weekend."""

FEW_WRONG = 0.9
"""The share of quarters or years that must have one day of the month, such as the last business day."""

NAMED = re.compile(r"time|date|dat[ue]m|stamp|zeit|fecha|epoch|unix|^ts$", re.IGNORECASE)


def date_formats(cell: str) -> list[str]:
    """The formats that a date may have, of which days and months may be interchanged."""
    if not (match := re.fullmatch(DATE, cell)):
        return []
    first, mark, second, third = match.groups()
    year = "%Y" if len(third) == 4 else "%y"
    if len(first) == 4:
        return [f"%Y{mark}%m{mark}%d"]
    if second.isalpha():
        return [f"%d{mark}%b{mark}{year}"]
    return [f"%d{mark}%m{mark}{year}", f"%m{mark}%d{mark}{year}"] + [f"%y{mark}%m{mark}%d"] * (len(third) == 2)


def time_formats(cell: str) -> list[str]:
    """The format of a time of day, if it is one."""
    if not (match := re.fullmatch(TIME, cell)):
        return []
    _, mark, _, second, fraction, half, zone = match.groups()
    text = f"{'%I' if half else '%H'}{mark}%M" + (f"{mark}%S" if second else "")
    text += f"{fraction[0]}%f" if fraction else ""
    text += f"{' ' * half.startswith(' ')}%p" if half else ""
    return [text + (f"{' ' * zone.startswith(' ')}%z" if zone else "")]


def formats(cell: str, *, digits: bool) -> list[str]:
    """The formats that a whole timestamp may have; digits without marks are one only where `digits` says so."""
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}([T ]\d{2}(:?\d{2}){0,2}([.,]\d+)?( ?(Z|[+-]\d{2}:?\d{2}))?)?", cell):
        return ["ISO8601"]
    if re.fullmatch(r"\d{4}-\d{2}", cell):
        return ["%Y-%m"]
    if re.fullmatch(r"\d+", cell):
        compact = {8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}.get(len(cell))
        unix = {10: "unix", 13: "unix_ms"}.get(len(cell))
        return [kind for kind in (compact if cell[:2] in {"19", "20"} else None, unix) if kind] if digits else []
    for gap in ("T", ", ", " "):
        date, _, time = cell.partition(gap)
        if both := [*itertools.product(date_formats(date), time_formats(time.strip()))]:
            return [f"{first}{gap}{second}" for first, second in both]
    return date_formats(cell) or ([*WORDED] if re.fullmatch(MONTH, cell) else [])


def find_columns(head: "pd.DataFrame", chosen: Sequence[str], share: float = 1.0) -> tuple[list[str], list[str]]:
    """The columns of the timestamp, and the formats that the first rows have, if any do.

    Args:
        head: the first rows, as text.
        chosen: those columns, if a user named them.
        share: of the rows that have such a format.
    """
    import pandas as pd

    cells = {column: texts[texts != ""] for column in head.columns for texts in [head[column].str.strip()]}
    whole, times = dict[str, list[str]](), dict[str, list[str]]()
    for index, (column, texts) in enumerate(cells.items()):
        if len(texts):
            digits = index == 0 or NAMED.search(column) is not None or column in chosen
            whole[column] = [form for form in formats(texts.iloc[0], digits=digits) if _parses(texts, form, share)]
            times[column] = [form for form in time_formats(texts.iloc[0]) if _parses(texts, form, share)]
    parts = {
        code: column
        for code, name in PARTS.items()
        for column in cells
        if re.fullmatch(name, column.strip(), re.IGNORECASE)
        and pd.to_numeric(cells[column], errors="coerce").notna().all()
    }
    timed = {column for column, texts in cells.items() if len(texts) and ":" in texts.iloc[0]}
    repeated = {column for column, texts in cells.items() if texts.duplicated().any()}
    candidates = _candidates(whole, times, parts, timed, repeated)
    if chosen:
        candidates = [candidate for candidate in candidates if candidate[0] == list(chosen)] or [(list(chosen), [])]
    return candidates[0] if candidates else ([], [])


def _parses(cells: "pd.Series[str]", stamp_format: str, share: float) -> bool:
    return float((~np.isnat(timestamps.parse(cells, stamp_format)[0])).mean()) >= share


def _candidates(
    whole: dict[str, list[str]],
    times: dict[str, list[str]],
    parts: dict[str, str],
    timed: set[str],
    repeated: set[str],
) -> list[tuple[list[str], list[str]]]:
    """Columns and formats that would do, the best first.

    Args:
        whole: columns -> the formats of their cells, if they are dates, with or without a time of day.
        times: the same of times of day.
        parts: "%Y" and such -> the column that holds it.
        timed: columns that have a time of day.
        repeated: columns that hold a value twice. A date that does not needs no time of day: such a column measures.
    """
    whole = {column: forms for column, forms in whole.items() if forms}
    exact = [([column], forms) for column, forms in whole.items() if re.search("H|8601|%I|unix", forms[0])]
    days = {
        column: forms for column, forms in whole.items() if column not in timed and not re.search("H|%I|unix", forms[0])
    }
    times = {column: forms for column, forms in times.items() if forms}
    if "%H" in parts:
        times.setdefault(parts["%H"], ["%H"])
    dates = {column: ["%Y-%m-%d"] if forms == ["ISO8601"] else forms for column, forms in days.items()}
    paired = [
        ([day, time], [f"{date} {hour}" for date, hour in itertools.product(dates[day], hours)])
        for day, (time, hours) in itertools.product(filter(repeated.__contains__, days), times.items())
        if day != time  # 01.02.03 may be both
    ]
    only_iso = all(forms == ["ISO8601"] for _, forms in exact)  # of ISO's, a bare date is one too
    candidates = paired + exact if only_iso else exact + paired
    if not candidates and {"%Y", "%m", "%d"} <= parts.keys():
        candidates = [(list(parts.values()), [" ".join(parts)])]
    return candidates + [([column], forms) for column, forms in days.items()]


def calendar(moments: Array, zone: str | None = None) -> tuple[Cleaning, Regularity]:
    """By what calendar rows follow one another, if it is not an even distance; and how regular they are by it.

    Months may lie several apart, as quarters and years do, if they have a day of their own, such as the last one.

    Args:
        moments: (rows,) datetime64[ms], in UTC with a zone.
        zone: by whose clock the calendar goes.
    """
    rows, hours = None, None
    distinct = timestamps.distinct(timestamps.to_wall_clock(moments, zone) if zone else moments)
    days = distinct.astype("datetime64[D]")
    times, steps = (distinct - days).astype(np.int64), np.diff(days).astype(int)
    if len(days) > 2 and steps.min() > 0:
        month_steps = np.diff(days.astype("datetime64[M]")).astype(int)
        if len(days) >= FEW_DAYS and np.median(steps) == 1 and np.is_busday(days).all():
            rows = "business"
        elif steps.min() >= row_calendar.SHORTEST and month_steps.min() > 0:
            name, share = row_calendar.day_of_month(days, times)
            certain = share == 1 and re.match("month( at|, day|$)", name)
            uneven = np.ptp(steps) > 0 and (np.median(month_steps) == 1 or share >= FEW_WRONG)
            rows = name if certain or uneven else None
    if len(days) > 2 and (rows is None or (rows == "business" and times.any())):
        hours = row_calendar.opening_hours(distinct)
    cleaning = hours or Cleaning(rows=rows)
    even = row_calendar.numbered(moments, cleaning, zone)
    return cleaning, regularity(even[~np.isnat(even)])


def evenness(moments: Array) -> float:
    """The share of the steps that rows of their frequency would have, from the first to the last, that they do have."""
    cleaning, regular = calendar(moments)
    even = row_calendar.numbered(moments, cleaning)
    steps = np.diff(timestamps.distinct(even[~np.isnat(even)])).astype(np.int64)
    return float((steps == regular.freq * 1000).sum() * regular.freq * 1000 / max(1, steps.sum()))


def time_zone(moments: Array) -> tuple[str, bool] | None:
    """The time zone by whose clock timestamps (rows,) are more regular than as written, and whether they tell an end.

    None where none is.
    """
    best, least = None, regularity(moments)
    freq = least.freq
    if not least.repeated or freq > 3600:
        return None
    for name, ends in itertools.product(ZONES, (False, True)):
        moved = timestamps.to_utc(moments, name, ends=ends)
        if np.isnat(moved).any():
            continue
        regular = regularity(moved, freq)
        if regular.repeated + regular.gaps < least.repeated + least.gaps:
            best, least = (name, ends), regular
    return best
