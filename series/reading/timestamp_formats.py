"""Which columns say when a row was measured, in what format, how often, and by which clock."""

import itertools
import re
from collections.abc import Sequence
from datetime import datetime

import numpy as np
import pandas as pd

from pipeline.data import notations, row_calendar, timestamps
from pipeline.data.examples import Array
from pipeline.data.timestamps import regularity

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

CLOCK = re.compile(
    r"(?:(?<= )|(?<=\d)T)\d{1,2}(?:(?P<mark>[:.h])\d\d(?:(?P=mark)\d\d(?:[.,]\d+)?)?(?: ?[AaPp][Mm])?| ?[AaPp][Mm])"
    r"(?: ?(?:Z|[+-]\d\d:?\d\d))?(?= |$)"
)
"""A time of day in a timestamp."""

TIMES = (
    *("%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%H:%M:%S,%f", "%H.%M", "%H.%M.%S", "%Hh%M"),
    *("%I:%M %p", "%I:%M%p", "%I:%M:%S %p", "%I:%M:%S%p", "%I.%M %p", "%I %p", "%I%p"),
    *("%H:%M%z", "%H:%M %z", "%H:%M:%S%z", "%H:%M:%S %z", "%H:%M:%S.%f%z"),
)
"""Formats of a time of day."""

COMPACT = {
    r"\d{4}-\d{2}-\d{2}([T ]\d{2}(:?\d{2}){0,2}([.,]\d+)?( ?(Z|[+-]\d{2}:?\d{2}))?)?": "ISO8601",
    r"(18|19|20)\d{6}": "%Y%m%d",
    r"(18|19|20)\d{8}": "%Y%m%d%H",
    r"(18|19|20)\d{10}": "%Y%m%d%H%M",
    r"(18|19|20)\d{12}": "%Y%m%d%H%M%S",
    r"(18|19|20)\d{6}T\d{4}": "%Y%m%dT%H%M",
    r"(18|19|20)\d{6}T\d{6}": "%Y%m%dT%H%M%S",
    r"(18|19|20)\d{6}T\d{6}Z": "%Y%m%dT%H%M%SZ",
    r"\d{10}(\.\d+)?": "unix",
    r"\d{13}": "unix_ms",
    r"\d{16}": "unix_us",
    r"\d{19}": "unix_ns",
    r"(2[6-9]|[3-7]\d)\d{3}([.,]\d+)?": "excel",
    r"(18|19|20)\d\d(0[1-9]|1[0-2])": "%Y%m",
    r"(18|19|20)\d\d": "%Y",
}
"""Timestamps without marks, and ISO's -> their format; the first that fits is the only one."""

KINDS = {r"(18|19|20)\d\d": "Y", r"\d{1,2}": "n", "|".join(notations.MONTHS): "b", "Q|T": "Q", "W": "W", "M": "M"}
"""What a date consists of: a year, a number of up to two digits, a month's name, marks of a quarter, week and month."""

PLACE = "\0"
"""Where the time of day stood in a date."""

ORDERS = {
    "Ynn": ("Ymd",),
    "nnY": ("dmY", "mdY"),
    "nnn": ("dmy", "mdy", "ymd"),
    "nbY": ("dbY",),
    "bnY": ("bdY",),
    "Ybn": ("Ybd",),
    "nbn": ("dby",),
    "bn": ("by",),
    "bY": ("bY",),
    "Yb": ("Yb",),
    "Yn": ("Ym", "Yq"),
    "nY": ("mY", "qY"),
    "YQn": ("YQq",),
    "QnY": ("QqY",),
    "nQY": ("qQY",),
    "YWn": ("GWV",),
    "YMn": ("YMm",),
    "WnY": ("WVG",),
    "YWnn": ("GWVu",),
    "Qnn": ("Qqy",),
}
"""Kinds of a date -> the directives of `timestamps.parse` that they may stand for; `Q`, `W` and `M` stay as written."""

TIMED = re.compile("%H|%I|unix|excel")
"""In formats that have a time of day."""

DISPLACED = 3
"""Rows that a slip lies away from its place, at least."""

HOLE = 4
"""Rows from one neighbour of a slip to the other, at most."""

FEW = 0.05
"""The fraction of the rows that may be slips."""

IN_ORDER = 0.8
"""Steps forward less steps back, as a fraction of the rows, from which on the order of rows says something."""

MOST = 10
"""Rows that are looked at as slips."""

NAMED = {
    *("time", "times", "date", "dates", "datetime", "timestamp", "timestamps", "stamp", "ts", "epoch", "unix", "utc"),
    *("datum", "zeit", "zeitstempel", "zeitpunkt", "uhrzeit", "fecha", "hora", "año", "años", "jahr", "year"),
}
"""Words in the name of a column of timestamps, which may be counts or years."""

NAMED_ONLY = {"excel", "%Y", "%Y%m"}
"""Formats of numbers that may be anything, unless the column's name says that they are times."""


def date_formats(text: str) -> list[str]:
    """Return the formats that a date may have, of which days and months may be interchanged."""
    if re.fullmatch(r"\d{4}\.\d", text):  # a month, or a part of a year
        return []
    pieces = re.split(r"(\d+|[^\W\d_]+)", text)
    tokens = pieces[1::2]
    kinds = [kind for token in tokens for pattern, kind in KINDS.items() if re.fullmatch(pattern, token)]
    found = []
    for order in ORDERS.get("".join(kinds), ()) if len(kinds) == len(tokens) else ():
        pieces[1::2] = [token if of in "QWM" else f"%{of}" for token, of in zip(tokens, order, strict=True)]
        found.append("".join(pieces))
    return found


def time_formats(text: str) -> list[str]:
    """Return the format of a time of day, if it is one."""
    return [form for form in TIMES if _reads(notations.HOUR_24.sub("00", text), form)]


def _reads(text: str, form: str) -> bool:
    try:
        datetime.strptime(text, form)  # noqa: DTZ007 - a time of day, which has no zone
    except ValueError:
        return False
    return True


def formats(cell: str, *, digits: bool) -> list[str]:
    """Return the formats that a timestamp may have; digits without marks are one only where `digits` says so."""
    text = notations.HOUR_24.sub("00", notations.plain_date(cell))
    for pattern, stamp_format in COMPACT.items():
        if re.fullmatch(pattern, text):
            return [stamp_format] if digits or not text.replace(".", "").isdigit() else []
    clock = CLOCK.search(text)
    if clock is None:
        return date_formats(text)
    gap = "T" if clock[0].startswith("T") else ""
    times = [f"{gap}{time}" for time in time_formats(clock[0].removeprefix(gap))]
    dates = date_formats(text[: clock.start()] + PLACE + text[clock.end() :])
    return [date.replace(PLACE, time) for date, time in itertools.product(dates, times)]


def find_columns(head: pd.DataFrame, chosen: Sequence[str], share: float = 1.0) -> tuple[list[str], list[str]]:
    """Return the columns of the timestamp, and the formats that the first rows have, if any do.

    Args:
        head: the first rows, as text.
        chosen: those columns, if a user named them.
        share: of the rows that have such a format.
    """
    whole = dict[str, list[str]]()
    times = dict[str, list[str]]()
    parts = dict[str, str]()
    first = list[str]()
    for index, column in enumerate(head.columns):
        cells = head[column].str.strip()
        cells = cells[cells != ""]
        if cells.str.fullmatch(r"\d{1,4}").all():
            parts |= {code: column for code, name in PARTS.items() if re.fullmatch(name, column, re.IGNORECASE)}
        if not len(cells):
            continue
        heading = {word.lower() for word in re.findall(r"[A-Z]?[a-zà-ÿ]+|[A-Z]+", column)}
        named = bool(heading & NAMED) or column in chosen
        forms = formats(cells.iloc[0], digits=named)
        whole[column] = [form for form in forms if _parses(cells, form, share, any_year=bool(chosen))]
        if index == 0 and not forms:  # numbers may be anything, so that a date goes first
            counts_of_first = [form for form in formats(cells.iloc[0], digits=True) if form not in NAMED_ONLY]
            first = [form for form in counts_of_first if _parses(cells, form, share)]
        hours = time_formats(notations.plain_date(cells.iloc[0]))
        times[column] = [form for form in hours if _parses(cells, form, share)]
    counts = {column: head[column].nunique() for column in head}
    words = [column for column in head if pd.to_numeric(head[column], errors="coerce").isna().all()]
    joins = {
        (day, time)
        for day, time in itertools.product(filter(whole.get, whole), filter(times.get, times))
        if counts[day] < len(head)
        and all(head.duplicated([day, word]).any() for word in words if word not in {day, time} and counts[word] > 1)
    }
    longer = {column for column in head if head[column].str.strip().str.len().max() > len("2024-01-31")}
    candidates = _candidates(whole, times, parts, longer, joins)
    if first:
        candidates.append(([head.columns[0]], first))
    candidates.sort(key=lambda candidate: all(counts[column] < 2 for column in candidate[0]))  # when rows were written
    if chosen:
        candidates = [candidate for candidate in candidates if candidate[0] == list(chosen)] or [(list(chosen), [])]
    return candidates[0] if candidates else ([], [])


def _parses(cells: "pd.Series[str]", stamp_format: str, share: float, *, any_year: bool = False) -> bool:
    moments, _ = timestamps.parse(cells, stamp_format)
    good = ~np.isnat(moments) if any_year else timestamps.usual(moments)
    return float(good.mean()) >= share


def _candidates(
    whole: dict[str, list[str]],
    times: dict[str, list[str]],
    parts: dict[str, str],
    longer: set[str],
    joins: set[tuple[str, str]],
) -> list[tuple[list[str], list[str]]]:
    """Return columns and formats that would do, the best first.

    Args:
        whole: columns -> the formats of their cells, if they are dates, with or without a time of day.
        times: the same of times of day.
        parts: "%Y" and such -> the column that holds it.
        longer: columns with cells that are longer than a date of ISO 8601.
        joins: columns of a date that comes several times and of a time of day that tells its rows apart. Where dates do
            not, or a series' name tells the rows of a date apart, the time measures something.
    """
    clocks = {column: forms for column, forms in times.items() if forms}
    if "%H" in parts:
        clocks.setdefault(parts["%H"], ["%H"])
    dated = {column: forms for column, forms in whole.items() if forms}
    iso = {column for column, forms in dated.items() if forms == ["ISO8601"]}
    exact = {column: dated[column] for column in dated if TIMED.search(dated[column][0]) or column in iso & longer}
    days = {column: ["%Y-%m-%d"] if column in iso else dated[column] for column in dated if column not in exact}
    paired = [
        ([day, column], [f"{date} {hour}" for date, hour in itertools.product(dates, hours)])
        for (day, dates), (column, hours) in itertools.product(days.items(), clocks.items())
        if day != column  # 01.02.03 may be both
        if "%d" in dates[0] and ((day, column) in joins or column == parts.get("%H"))
    ]
    alone = [([column], forms) for column, forms in exact.items()]
    candidates = paired + alone if exact.keys() <= iso else alone + paired
    of_days = [([column], dated[column]) for column in days]
    codes = list(itertools.takewhile(parts.__contains__, PARTS))
    of_parts = [([parts[code] for code in codes], [" ".join(codes)])] if codes else []
    return candidates + (of_parts + of_days if "%d" in codes else of_days + of_parts)


def first_year(moments: Array) -> int | None:
    """Return the first of the hundred years that two-digit years lie in; None where `strptime` is right about them.

    The years of one file are closer to one another than to the same years of another century. They do not begin in the
    future, nor reach it where `strptime` puts them into two centuries.

    Args:
        moments: (rows,) datetime64[ms], as `strptime` reads them.
    """
    years = np.unique(moments.astype("datetime64[Y]").astype(int) + 1970)
    of_century = np.unique(years % 100)
    steps = np.diff(of_century, append=of_century[0] + 100)
    span = 100 - steps.max()
    first = 2000 + int(np.roll(of_century, -1)[steps.argmax()])
    today = np.datetime64("today", "Y").astype(int) + 1970
    together = years[-1] - years[0] == span
    if first + span > today and not (together and years[0] == first <= today):
        first -= 100
    return None if together and years[0] == first else first


def slip(moments: Array) -> int | None:
    """Return the row of a timestamp (rows,) that contradicts the others; None where none does.

    Either it lies far from its neighbours, which have a hole between them where it should be, while its own time is
    taken or beyond all others. Or it is one of very few between the times at which all others lie. Or it is one of few
    that lie further from all others than those from each other.
    """
    ordered = timestamps.distinct(moments)
    steps = np.diff(ordered).astype(np.int64)
    times = moments.astype(np.int64)
    in_order = abs(np.sign(np.diff(times)).sum()) >= IN_ORDER * len(times)
    if len(steps) < DISPLACED or not in_order:
        return None
    freq = np.median(steps)
    away = np.minimum(abs(times[1:-1] - times[:-2]), abs(times[1:-1] - times[2:])) >= DISPLACED * freq
    hole = abs(times[2:] - times[:-2])
    for row in 1 + np.flatnonzero(away & (hole >= 1.8 * freq) & (hole <= HOLE * freq))[:MOST]:
        others = np.delete(moments, row)
        if (others == moments[row]).any() or not others.min() < moments[row] < others.max():
            return int(row)
    for phase in row_calendar.phases(moments, freq):
        usual, counts = np.unique(phase, return_counts=True)
        off = phase != usual[counts.argmax()]
        if not off.any():
            break
        if off.sum() <= min(3, FEW * len(times)):
            return int(off.argmax())
    widest = int(steps.argmax())
    for few in (moments <= ordered[widest], moments > ordered[widest]):
        if 2 * steps[widest] > steps.sum() and few.sum() <= FEW * len(moments):
            return int(few.argmax())
    return None


def evenness(moments: Array) -> float:
    """The share of the steps that rows of their frequency would have, from the first to the last, that they do have."""
    cleaning, regular = row_calendar.calendar(moments)
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
