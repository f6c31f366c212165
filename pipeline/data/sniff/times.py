"""Which columns say when a row was measured, and in what form."""

import itertools
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pipeline.data import timestamps
from pipeline.data.examples import Array
from pipeline.data.sniff.layout import MONTH

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
"""What a column of a part of the time is called."""

TIME = r"(\d{1,2})([:.h])(\d{2})(?:\2(\d{2})([.,]\d+)?)?( ?[AaPp][Mm])?( ?(?:Z|[+-]\d\d:?\d\d))?"
DATE = r"(\d{1,4})([./-])(\d{1,2}|[A-Za-z]{3})\2(\d{1,4})"
WORDED = ("%b %d, %Y", "%B %d, %Y", "%d %b %Y", "%d %B %Y", "%b-%y", "%b-%Y", "%b %Y", "%B %Y")
"""Forms of what `MONTH` matches; which one a column has, its cells say."""

FEW_DAYS = 15
"""Stamps, of which it can be coincidence that none lies on a weekend."""

SHORTEST = 28
"""Days of a month, at least."""

NAMED = re.compile(r"time|date|dat[ue]m|stamp|zeit|fecha|epoch|unix|^ts$", re.IGNORECASE)


def dates(cell: str) -> list[str]:
    """The formats that a date may have, of which days and months may be interchanged."""
    if not (found := re.fullmatch(DATE, cell)):
        return []
    first, mark, second, third = found.groups()
    year = "%Y" if len(third) == 4 else "%y"
    if len(first) == 4:
        return [f"%Y{mark}%m{mark}%d"]
    if second.isalpha():
        return [f"%d{mark}%b{mark}{year}"]
    return [f"%d{mark}%m{mark}{year}", f"%m{mark}%d{mark}{year}"] + [f"%y{mark}%m{mark}%d"] * (len(third) == 2)


def times(cell: str) -> list[str]:
    """The format of a time of day."""
    if not (found := re.fullmatch(TIME, cell)):
        return []
    _, mark, _, second, fraction, half, zone = found.groups()
    text = f"{'%I' if half else '%H'}{mark}%M" + (f"{mark}%S" if second else "")
    text += f"{fraction[0]}%f" if fraction else ""
    text += f"{' ' * half.startswith(' ')}%p" if half else ""
    return [text + (f"{' ' * zone.startswith(' ')}%z" if zone else "")]


def formats(cell: str, *, digits: bool) -> list[str]:
    """The formats that a whole stamp may have; numbers without marks are one only where `digits` says so."""
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}([T ]\d{2}(:?\d{2}){0,2}([.,]\d+)?( ?(Z|[+-]\d{2}:?\d{2}))?)?", cell):
        return ["ISO8601"]
    if re.fullmatch(r"\d{4}-\d{2}", cell):
        return ["%Y-%m"]
    if re.fullmatch(r"\d+", cell):
        compact = {8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}.get(len(cell))
        unix = {10: "unix", 13: "unix_ms"}.get(len(cell))
        return [kind for kind in (compact if cell[:2] in {"19", "20"} else None, unix) if kind] if digits else []
    for gap in ("T", ", ", " "):
        date, found, time = cell.partition(gap)
        if found and dates(date) and times(time.strip()):
            return [f"{one}{gap}{other}" for one in dates(date) for other in times(time.strip())]
    return dates(cell) or ([*WORDED] if re.fullmatch(MONTH, cell) else [])


def parses(cells: "pd.Series[str]", stamp_format: str) -> bool:
    """Whether every cell is a stamp of this form."""
    return len(cells) > 0 and not np.isnat(timestamps.parse(cells, stamp_format)[0]).any()


def find(head: "pd.DataFrame", chosen: Sequence[str]) -> tuple[list[str], list[str]]:
    """The columns of the stamp, `chosen` if they are known, and the formats that all first rows have, if any do."""
    import pandas as pd

    cells = {column: head[column].str.strip() for column in head.columns}
    cells = {column: cell[cell != ""] for column, cell in cells.items()}
    whole: dict[str, list[str]] = {}
    hours: dict[str, list[str]] = {}
    for place, (column, texts) in enumerate(cells.items()):
        if not len(texts):
            continue
        digits = place == 0 or NAMED.search(column) is not None or column in chosen
        whole[column] = [f for f in formats(texts.iloc[0], digits=digits) if parses(texts, f)]
        hours[column] = [f for f in times(texts.iloc[0]) if parses(texts, f)]
    parts = {
        code: column
        for code, name in PARTS.items()
        for column in cells
        if re.fullmatch(name, column.strip(), re.IGNORECASE)
        and pd.to_numeric(cells[column], errors="coerce").notna().all()
    }
    timed = {column for column, texts in cells.items() if len(texts) and ":" in texts.iloc[0]}
    options = _options(whole, hours, parts, timed)
    if chosen:
        options = [option for option in options if option[0] == list(chosen)] or [(list(chosen), [])]
    return options[0] if options else ([], [])


def _options(
    whole: dict[str, list[str]], hours: dict[str, list[str]], parts: dict[str, str], timed: set[str]
) -> list[tuple[list[str], list[str]]]:
    """Columns and formats that would do, the best first; those of `timed` have a time of day already."""
    found = [([column], forms) for column, forms in whole.items() if forms and re.search("H|8601|%I|unix", forms[0])]
    dated = {column: forms for column, forms in whole.items() if forms and column not in timed}
    days = {column: forms for column, forms in dated.items() if not re.search("H|%I|unix", forms[0])}
    clocks = {column: forms for column, forms in hours.items() if forms}
    if "%H" in parts and parts["%H"] not in clocks:
        clocks[parts["%H"]] = ["%H"]
    apart = []
    for (day, first), (clock, second) in itertools.product(days.items(), clocks.items()):
        if day == clock:  # 01.02.03
            continue
        plain = ["%Y-%m-%d"] if first == ["ISO8601"] else first
        apart.append(([day, clock], [f"{one} {other}" for one, other in itertools.product(plain, second)]))
    if apart and all(forms == ["ISO8601"] for _, forms in found):  # of ISO's, a bare date is one too
        found = apart + found
    else:
        found += apart
    if not found and {"%Y", "%m", "%d"} <= parts.keys():
        found = [(list(parts.values()), [" ".join(parts)])]
    return found + [([column], forms) for column, forms in days.items()]


def frequency(written: Array) -> tuple[str | None, timestamps.Regularity]:
    """What rows are made of that have no even distance ("business" days, "month"), else None; and how regular they are.

    Months may lie some apart, as quarters and years do, if their days are the same or the last ones.
    """
    days, rows = timestamps.distinct(written).astype("datetime64[D]"), None
    apart = np.diff(days).astype(int)
    if len(days) > 2 and apart.min() > 0:
        months = days.astype("datetime64[M]")
        steps, day = np.diff(months).astype(int), (days - months).astype(int)
        same = (day == day[0]).all() or ((days + 1).astype("datetime64[M]") > months).all()
        if len(days) >= FEW_DAYS and np.median(apart) == 1 and np.is_busday(days).all():
            rows = "business"
        elif apart.min() >= SHORTEST and steps.min() > 0 and (same or (np.median(steps) == 1 and np.ptp(apart) > 0)):
            rows = "month"
    return rows, timestamps.regularity(timestamps.evenly(written, rows), None)


def regularity(written: Array) -> float:
    """The share of the steps that rows of their frequency would have, from the first to the last, that they do have."""
    rows, clock = frequency(written)
    apart = np.diff(timestamps.distinct(timestamps.evenly(written, rows))).astype(np.int64)
    return float((apart == clock.freq * 1000).sum() * clock.freq * 1000 / max(1, apart.sum()))


def zone(written: Array, spacing: int) -> tuple[str, bool] | None:
    """The time zone by whose clock stamps (rows,) are more regular than as written, and whether they tell an end.

    None where none is; `spacing` is seconds from one row to the next.
    """
    found, least = None, timestamps.regularity(written, spacing)
    if not least.repeated or spacing > 3600:
        return None
    for name, ends in itertools.product(ZONES, (False, True)):
        moved = timestamps.to_utc(written, name, ends=ends)
        if np.isnat(moved).any():
            continue
        clock = timestamps.regularity(moved, spacing)
        if clock.repeated + clock.gaps < least.repeated + least.gaps:
            found, least = (name, ends), clock
    return found
