"""The premises of a forecast about rows, and the first row that breaks each.

Rows have one order, one distance, one series for each key and one unit, and their end is
over. `one_unit`, `one_order`, `one_distance` and `one_value` raise an error with one line
that names the row and says what to do. `unfinished` finds the last row if its period is
not over.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.data import timestamps
from pipeline.data.examples import Array
from pipeline.data.timestamps import DAY, duration, shown
from pipeline.errors import UnrollError, UsageError
from unroll.series import row_calendar
from unroll.series.options import argument
from unroll.series.reading import calendars
from unroll.series.reading.file_rows import FileRows

IN_ORDER = 0.8
"""Smallest share of steps forward, less steps back, of rows in one order."""

CLOCK = 2 * 3_600_000
"""Milliseconds that rows may go back, as when clocks are put back."""

FAR = 3
"""Distance of a row from its place, in rows, from which it is not in order."""

FEW = 0.05
"""Largest share of the rows that are mistakes."""

MOST_OFF = 3
"""Largest number of rows beside the regular times that are mistakes."""

HOUR = np.timedelta64(1, "h")
"""The longest distance of rows that clocks put back do not move."""

EASTERN = np.timedelta64(14, "h")
"""How far the clocks of the farthest time zone are ahead of others."""

ALIKE = 0.2
"""Largest difference of two equal distances; months have 28 to 31 days."""

PART = 5
"""Smallest number of steps that show another distance."""

PART_AT_END = 3
"""The same at the end of a series."""

CHANCE = 0.01
"""Largest probability of such steps if rows lack at random."""

EVEN = 0.5
"""Smallest share of even steps that rows must have."""

EVEN_SERIES = 0.8
"""Smallest share of even steps of a series whose distance others must have; and of such
series."""

UNEVEN = 0.1
"""Largest share of steps that are no multiple of a frequency of a day or longer."""

MOST_TWICE = 0.01
"""Largest share of rows that repeat a timestamp with another value."""

PARTS = {
    DAY // 1000: {24, 25, 48, 50, 96, 100, 144, 288},
    30 * DAY // 1000: {28, 29, 30, 31},
    365 * DAY // 1000: {12, 52, 53},
}
"""Seconds of a row -> how many parts of it may stand in columns."""

FINANCIAL = r"(?:FY ?)?([0-9]{4})[-/\u2013]((?:[0-9]{2}){1,2})"
"""A year that begins in one year and ends in the next, such as 2000-01."""

BUDDHIST = r"^(?:[0-9]{1,2}[./-]){0,2}(25[4-9][0-9])(?:[/-][0-9]|[ T]|$)"
"""A date in a year of the Buddhist calendar."""

NUMBERED = r"^(?P<begin>.*?)(?P<number>[0-9]{1,4})(?P<end>[^0-9]*)$"
"""A heading that ends with a number, and perhaps a unit."""


def one_order(
    rows: FileRows, cells: "pd.Series[Any]", moments: Array, by_series: Sequence[Array]
) -> None:
    """Raise UnrollError if rows of a series go back in time, or have day and month
    exchanged.

    Rows may go from the last to the first, or be in no order at all. Parts of a series
    may stand in any order if they fit together.

    Args:
        rows: the rows of the files.
        cells: (rows,) the timestamps as written.
        moments: (rows,) datetime64[ms].
        by_series: the numbers of each series' rows, in the order of the file.
    """
    for own in by_series:
        found = _exchanged(moments[own])
        if found is not None:
            row, other = (str(cells.iloc[own[one]]) for one in found)
            raise UnrollError(
                f"{rows.place(own[found[0]])}: {row!r:.60} has day and month in another "
                f"order than {other!r:.60}; correct the file"
            )
        out = _out_of_order(moments[own], rows.cells.iloc[own])
        if out is not None:
            raise _misplaced(rows, moments, own, out)


def _exchanged(moments: Array) -> tuple[int, int] | None:
    """Return the first row whose day and month are exchanged, and one that is right.

    Spreadsheets write such files. None means that rows are in order, or that exchanging
    would not help.
    """
    if (np.diff(moments) > np.timedelta64(0)).all():
        return None
    months = moments.astype("datetime64[M]")
    days = moments.astype("datetime64[D]")
    month = months.astype(np.int64) % 12
    day = (days - months).astype(np.int64)  # from 0
    swapped = (months - month + day).astype("datetime64[D]") + month
    mended = np.where(day < 12, swapped + (moments - days), moments)
    in_order = (np.diff(mended) > np.timedelta64(0)).all()
    if not in_order:
        return None
    return int((mended != moments).argmax()), int((day >= 12).argmax())


def _out_of_order(moments: Array, cells: pd.DataFrame) -> int | None:
    """Return the first row that is out of order and has no place elsewhere, or None.

    Such a row has the timestamp of another row and is no copy of it, as where files
    overlap; or it lies far from all others.
    """
    times = moments.astype(np.int64)
    forward = np.sign(np.diff(times)).sum()
    if abs(forward) < IN_ORDER * (len(times) - 1):
        return None
    times = times * np.sign(forward)
    behind = times < np.maximum.accumulate(times) - CLOCK
    ahead = times > np.minimum.accumulate(times[::-1])[::-1] + CLOCK
    moved = behind if behind.sum() <= ahead.sum() else ahead
    if not moved.any():
        return None
    order = np.argsort(times, kind="stable")
    steps = np.diff(times[order])
    between = moved[order][1:] != moved[order][:-1]
    usual = steps[~between].max(initial=0)
    holes = between & (steps > usual) & (steps > FAR * np.median(steps[steps > 0]))
    again = pd.Series(times).duplicated(keep=False).to_numpy()
    lost = moved & again & ~cells.duplicated(keep=False).to_numpy()
    at_holes = np.append(order[1:][holes], order[:-1][holes])
    lost[at_holes] = moved[at_holes]
    if not lost.any():
        return None
    row = int(lost.argmax())
    in_place = np.flatnonzero(~moved[:row])
    # If the first rows lie ahead of all others, these go back.
    return int(in_place[-1]) + 1 if len(in_place) else int(moved.argmin())


def _misplaced(rows: FileRows, moments: Array, own: Array, row: int) -> UnrollError:
    """Return the error that names a row of a series, and the rows beside it."""
    beside = [*own[max(0, row - 1) : row], *own[row + 1 : row + 2]]
    others = " and ".join(shown(moments[one]) for one in beside)
    back = (
        "; rows go back there" if row and moments[own[row]] < moments[beside[0]] else ""
    )
    return UnrollError(
        f"{rows.place(own[row])}: the timestamp {shown(moments[own[row]])} does not fit "
        f"those beside it, {others}{back}; correct it, or leave that row out"
    )


def one_distance(
    rows: FileRows,
    moments: Array,
    numbers: Array,
    by_series: Sequence[Array],
) -> None:
    """Raise UnrollError if rows of a series, or two series, have different distances.

    Rows that lack do not matter.

    Args:
        rows: the rows of the files.
        moments: (rows,) datetime64[ms].
        numbers: (rows,) datetime64[ms], the rows by their calendar, NaT outside of it.
        by_series: the numbers of each series' rows.
    """
    distances = list[np.timedelta64]()
    second = list[int]()
    for own in by_series:
        row = _beside_the_others(moments[own])
        if row is not None:
            raise _misplaced(rows, moments, own, row)
        inside = own[~np.isnat(numbers[own])]
        ordered, first = timestamps.first_rows(numbers[inside])
        steps = np.diff(ordered).astype(np.int64)
        apart = np.diff(moments[inside[first]])
        row = _change(steps)
        if row is not None:
            raise _two_distances(
                rows.place(inside[first[row]]),
                _middle(apart[row - 1 : row + PART]),
                _middle(apart[: row - 1]),
                ("rows from this one on", "those before"),
            )
        if len(steps) >= PART and _near(steps, np.median(steps)).mean() >= EVEN_SERIES:
            distances.append(_middle(apart))
            second.append(inside[first[1]])
    if len(distances) < EVEN_SERIES * len(by_series):
        return
    for place, distance in zip(second, distances, strict=True):
        if not _near(distance, distances[0]):
            raise _two_distances(
                rows.place(place),
                distance,
                distances[0],
                ("the rows of this series", "those of the first"),
            )
        beside = (moments[place] - moments[second[0]]) % distances[0]
        if distances[0] <= HOUR and beside:
            seconds = int(beside / np.timedelta64(1, "s"))
            raise UnrollError(
                f"{rows.place(place)}: rows of this series lie {duration(seconds)} beside "
                "those of the first; move them to the same times, or answer each series "
                "on its own"
            )


def _middle(steps: Array) -> np.timedelta64:
    """Return a distance of rows that as many steps exceed as fall below."""
    return np.timedelta64(np.sort(steps)[len(steps) // 2])


def _near(steps: Any, others: Any) -> Any:
    """Return whether distances (rows,) are those of others, but for days of a month."""
    return abs(steps - others) <= ALIKE * np.maximum(steps, others)


def _change(steps: Array) -> int | None:
    """Return the first row of a series with another distance, None if there is none.

    Of 300 daily rows and then 50 weekly ones, it is the first weekly one. Single rows,
    and rows that lack at random, do not change the distance.

    Args:
        steps: (rows - 1,) from each row to the next.
    """
    if len(steps) <= PART:
        return None
    is_other = ~_near(steps, np.median(steps))
    lengths = _runs(steps, is_other)
    first = int(lengths.argmax())
    if lengths[first] < PART and lengths[-1] >= PART_AT_END:
        first = len(steps) - int(lengths[-1])
    length = int(lengths[first])
    ends_the_series = first + length == len(steps)
    if length < (PART_AT_END if ends_the_series else PART):
        return None
    share = float(_near(steps, steps[first]).mean())
    if share < EVEN and len(steps) * share**length > CHANCE:
        return None  # rows that lack at random leave such steps, too
    rest = steps[lengths < PART]
    if len(rest) and _near(rest, np.median(rest)).mean() < EVEN:
        return None  # the other rows have no distance
    if first == 0:  # of the first rows, those behind them have the other distance
        return 1 + length
    return first + int(not is_other[first - 1])


def _runs(steps: Array, is_other: Array) -> Array:
    """Return (rows - 1,) how many alike steps follow one another around each step.

    It is 0 for steps that are not `is_other`. Of 1 1 7 7 7 1 days it is 0 0 3 3 3 0.
    """
    alike = is_other[1:] & is_other[:-1] & _near(steps[1:], steps[:-1])
    number = np.cumsum(np.append(True, ~alike))  # of the run that a step is in
    return np.where(is_other, np.bincount(number)[number], 0)


def _two_distances(
    place: str, found: np.timedelta64, usual: np.timedelta64, where: tuple[str, str]
) -> UnrollError:
    """Return the error that names a row, its distance, and that of other rows."""
    own, other = (
        duration(max(1, round(step / np.timedelta64(1, "s"))))
        for step in (found, usual)
    )
    return UnrollError(
        f"{place}: {where[0]} lie {own} apart, and {where[1]} {other}; give rows of one "
        "distance: those of either part, or sums or means of the longer distance"
    )


def _beside_the_others(moments: Array) -> int | None:
    """Return the first row that lies beside the regular times of its series, or far from
    them; None if there is none, or if there are many.

    Months may be counted from their beginning or from their end.
    """
    ordered = timestamps.distinct(moments)
    steps = np.diff(ordered).astype(np.int64)
    if len(steps) < FAR:
        return None
    freq = max(1, int(np.median(steps)))
    places = [(moments - moments[0]).astype(np.int64) % freq]
    if freq >= calendars.SHORTEST * DAY:
        months = moments.astype("datetime64[M]")
        places = [moments - months, moments - (months + 1)]
    off = min((place != pd.Series(place).mode()[0] for place in places), key=np.sum)
    if 0 < off.sum() <= min(MOST_OFF, FEW * len(moments)):
        return int(off.argmax())
    late = moments > ordered[steps.argmax()]
    few = late if 2 * late.sum() < len(late) else ~late
    is_far = 2 * steps.max() > steps.sum() and few.mean() <= FEW
    return int(few.argmax()) if is_far else None


def even_steps(
    rows: FileRows, numbers: Array, freq: int, stamp: Sequence[str]
) -> Array:
    """Return (rows - 1,) the steps from row to row, in units of the frequency.

    Args:
        rows: the rows of the files.
        numbers: (rows,) datetime64[ms], the rows by their calendar, NaT outside of it.
        freq: seconds from row to row, by the calendar.
        stamp: the columns of the timestamp.

    Raises:
        UnrollError: rows are not evenly spaced: few steps are 1.
    """
    ordered = timestamps.distinct(numbers[~np.isnat(numbers)])
    steps = np.diff(ordered).astype(np.int64)
    freq *= 1000
    if np.median(steps) < 1000:
        raise UnrollError(
            "rows lie less than a second apart; thin them out to a second or more"
        )
    even = (steps == freq).mean()
    months = steps.min() >= calendars.SHORTEST * DAY
    off = (steps % freq != 0).mean() if freq >= DAY else 0.0
    if even < EVEN or off > UNEVEN or (even < 1 and months):
        example = "sums of a month" if freq >= DAY else "means of an hour"
        cure = f"make rows of equal distance first, such as {example}"
        if len(stamp) == 2:
            cure += f"; or pass {argument('stamp', stamp[0])}, if {stamp[1]!r} is no part of the time"
        least, most, middle = (
            duration(max(1, round(step / 1000)))
            for step in (steps.min(), steps.max(), freq)
        )
        row = int((numbers == ordered[1 + (steps != freq).argmax()]).argmax())
        raise UnrollError(
            f"rows are not evenly spaced: from {least} to {most} apart, {middle} in the "
            f"middle, first at {rows.place(row)}; {cure}"
        )
    return np.asarray(steps // freq)


def now() -> datetime:
    """Return the time by this machine's clock."""
    return datetime.now().astimezone()


def unfinished(moments: Array, zone: str | None, *, utc: bool) -> np.datetime64 | None:
    """Return the first timestamp whose day, week, month ... is not over, None if all are.

    It is not over if it lasts until now or comes later, or if the row was written before
    it is due, as on 18 June below the last days of months. Rows of less than a day are
    over unless they come later. Where most rows come later, the clock is another one.

    Args:
        moments: (rows,) datetime64[ms], in UTC if there is a zone.
        zone: the time zone of the rows' clock, if it is known.
        utc: whether the timestamps are in UTC.
    """
    moment = now().astimezone(UTC) if utc or zone else now()
    this = np.datetime64(moment.replace(tzinfo=None), "ms")
    every = timestamps.distinct(moments)
    if len(every) < FAR:
        return None
    usual = np.median(np.diff(every))
    is_dense = usual < np.timedelta64(1, "D")
    of_unknown_zone = is_dense and not (utc or zone)
    begun = every[every <= this + of_unknown_zone * EASTERN]
    later = every[len(begun) :]
    if 2 * len(begun) < len(every):
        return None
    last = None if is_dense else _not_over(begun, this, zone)
    if last is None and len(later) and later[0] - begun[-1] <= FAR * usual:
        return np.datetime64(later[0])
    return last


def _not_over(
    ordered: Array, this: np.datetime64, zone: str | None
) -> np.datetime64 | None:
    """Return the last of the timestamps of days, weeks ... if it is not over now."""
    steps = np.diff(ordered[:-1]).astype(np.int64)
    if len(steps) < FAR:
        return None
    last = ordered[-1]
    cleaning, regular = calendars.calendar(ordered[:-1], zone)
    freq = np.timedelta64(regular.freq, "s")
    number = row_calendar.numbered(ordered[-2:-1], cleaning, zone) + freq
    due = row_calendar.stamps(number, cleaning, zone)[0]
    # Before the end of a period, it ends with the row; else it begins with the row.
    begin = last - freq if freq > np.timedelta64(1, "D") else last
    end = last + freq
    if str(cleaning.rows).startswith("month"):
        months = freq.astype("timedelta64[D]").astype(int)
        begin = last.astype("datetime64[M]")
        at_end = re.search("-|2[89]|30", str(cleaning.rows))
        end = begin + (1 if at_end else months)
        begin = end - months
    even = _near(steps, np.median(steps)).mean() >= EVEN_SERIES
    by_days = cleaning.rows == "business" or isinstance(cleaning.rows, dict)
    is_early = even and last < due and not by_days
    return last if is_early or begin <= this < end else None


def left_out(last: np.datetime64) -> str:
    """Return that the rows of a timestamp are left out (`unfinished`), in words."""
    return (
        f"{shown(last)} is left out, with any rows after it, since its period is not "
        f"over; {argument('keep_last', True)} keeps it"
    )


def one_value(
    rows: FileRows, moments: Array, of_rows: Array | None, values: Array, column: str
) -> None:
    """Raise UnrollError if a series often has several values at one timestamp.

    Of few such rows the first counts.

    Args:
        rows: the rows of the files.
        moments: (rows,) datetime64[ms].
        of_rows: (rows,) the name of each row's series; None for a single series.
        values: (rows,) of the column that is forecast, NaN where there is none.
        column: its name.
    """
    again = repeated(moments, of_rows, values)
    if again.mean() <= MOST_TWICE:
        return
    row = int(again.argmax())
    raise UnrollError(
        f"{rows.place(row)}: {shown(moments[row])} comes again with another value of "
        f"{column!r}, as {again.sum():,} of {len(again):,} rows do; add up the rows of a "
        "time (pandas: frame.groupby(TIME, as_index=False).sum()), or name their series "
        "in a column called unique_id"
    )


def repeated(moments: Array, of_rows: Array | None, values: Array) -> Array:
    """Return whether a row repeats a key with another value: (rows,) bool.

    The key is the row's timestamp and its series; arguments are those of `one_value`.
    """
    frame = pd.DataFrame({"at": moments, "series": of_rows, "value": values}).dropna(
        subset="value"
    )
    frame = frame[frame.duplicated(["at", "series"], keep=False)]
    first = frame.groupby(["at", "series"], dropna=False)["value"].transform("first")
    found = np.zeros(len(moments), bool)
    found[frame.index[frame["value"] != first]] = True
    return found


def one_calendar(texts: pd.DataFrame, path: Path) -> None:
    """Raise UsageError if a column has dates that another calendar or order would read.

    They are years such as 2000-01, which may be months, too; Buddhist years; and dates in
    which a spreadsheet has exchanged day and month, beside the others, which stay text.

    Args:
        texts: (rows, columns) text, the first rows.
        path: the file, for the message.
    """
    for name in texts:
        cells = texts[name][texts[name] != ""].drop_duplicates()
        years = cells.str.extract(f"^{FINANCIAL}$").astype(float)
        follow = years[1] % 100 == (years[0] + 1) % 100
        late = cells.str.extract(BUDDHIST)[0]
        dates = cells.str.match("[12][0-9]{3}-[0-9]{2}-[0-9]{2}")
        days = (
            cells[~dates].str.extract(r"^(\d\d?)[./-](\d\d?)[./-]\d{4}").astype(float)
        )
        why = ""
        if len(cells) > 1 and follow.all():
            why = f"financial years; write the year in which each begins, such as {years[0].iloc[0]:.0f}"
        if len(cells) > 1 and late.notna().all():
            why = f"the year {late.iloc[0]}, some 543 years ahead: a Buddhist year? Subtract 543"
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


def one_unit(names: Sequence[str], seconds: int, path: Path) -> None:
    """Raise UsageError if columns hold the parts of a row's time, such as its hours.

    Args:
        names: the headings of columns of numbers.
        seconds: the distance of rows.
        path: the file, for the message.
    """
    parts = pd.Series([*names], dtype="str").str.extract(NUMBERED).dropna()
    period = min(PARTS, key=lambda one: abs(one - seconds))
    for _, own in parts.groupby(["begin", "end"]):
        columns = [names[place] for place in own.index]
        numbers = np.sort(own["number"].astype(int))
        minutes = numbers // 100 * 60 + numbers % 100  # as in 0030
        even = min(len({*np.diff(one)}) for one in (numbers, minutes)) == 1
        if even and len(columns) in PARTS[period] and _near(seconds, period):
            raise UsageError(
                f"{path}: each column holds another time, from {columns[0]!r:.40} to "
                f"{columns[-1]!r:.40}; make a row of each, with a date such as "
                f"2024-01-31 13:00, or pass {argument('target')} if it names one of "
                "several sensors"
            )
