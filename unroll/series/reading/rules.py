"""The rules that rows keep, one after the other, and what is said where one is broken.

A rule asks the facts of a file, or of rows that came after an answer (`Timestamps`,
`column_rules`). It returns what is wrong, with the first row, and what the user may do;
"" if all is well. The order of the lists is that of the way: a rule may rely on those
before.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from pipeline.data import timestamps
from pipeline.data.examples import Array
from pipeline.data.timestamps import DAY, duration, shown
from pipeline.errors import UnrollError
from unroll.series import row_calendar
from unroll.series.options import argument
from unroll.series.reading import (
    calendars,
    series_names,
    timestamp_columns,
    timestamp_formats,
)
from unroll.series.reading.cures import CurableError, Cure
from unroll.series.reading.facts import Timestamps

IN_ORDER = 0.8
"""Smallest share of steps forward, less steps back, of rows in one order."""

CLOCK = 2 * 3_600_000
"""Milliseconds that rows may go back, as when clocks are put back."""

FAR = 3
"""Distance of a row from its place, in rows, from which it is not in order."""

FEW = 0.05
"""Largest share of the rows that are mistakes."""

HOUR = np.timedelta64(1, "h")
"""The longest distance of rows that clocks put back do not move."""

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

MOST_LACKING = 5
"""How many times as many rows may lack as are there."""

QUARTER = 13
"""Weeks of a quarter, and periods of a company's year."""

MOSTLY = 0.9
"""Share of the names of series from which they are times."""

DECIMALS = {",": r"[^.]*[0-9]?,[0-9]+[^.0-9]*$", ".": r"[^,]*[0-9]?[.][0-9]+[^,0-9]*$"}
"""A decimal mark -> a number that has it and not the other."""


def order(facts: Timestamps) -> str:
    """Rows of a series go one way in time, and have day and month in one order.

    Rows may go from the last to the first, or be in no order at all. Parts of a series
    may stand in any order if they fit together, and so may files.
    """
    for own in facts.by_file:
        found = _exchanged(facts.written[own])
        if found is not None:
            row, other = (str(facts.cells.iloc[own[one]]) for one in found)
            return (
                f"{facts.file.place(own[found[0]])}: {row!r:.60} has day and month in "
                f"another order than {other!r:.60}; correct the file"
            )
        out = _out_of_order(facts.written[own], facts.file.cells.iloc[own])
        if out is not None:
            return _misplaced(facts, own, out)
    return ""


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


def _misplaced(facts: Timestamps, own: Array, row: int) -> str:
    """Return which row of a series does not fit the rows beside it, in words."""
    moments = facts.written
    beside = [*own[max(0, row - 1) : row], *own[row + 1 : row + 2]]
    others = " and ".join(shown(moments[one]) for one in beside)
    back = (
        "; rows go back there" if row and moments[own[row]] < moments[beside[0]] else ""
    )
    return (
        f"{facts.file.place(own[row])}: the timestamp {shown(moments[own[row]])} does not "
        f"fit those beside it, {others}{back}; correct it, or leave that row out"
    )


def order_of_the_day(facts: Timestamps) -> str:
    """Rows of one date go one way, too: midnight does not stand behind 23:00."""
    for own in facts.by_series:
        moments = facts.written[own]
        days = moments.astype("datetime64[D]")
        steps = np.sign(np.diff(moments).astype(np.int64))
        inside = days[1:] == days[:-1]
        way = pd.Series(steps[inside]).groupby(days[1:][inside])
        turned = way.min() * way.max() < 0
        if len(turned) < FAR or turned.mean() < EVEN:
            continue
        usual = np.sign(way.sum().sum())
        row = 1 + int((inside & (steps == -(usual or 1))).argmax())
        return (
            f"{facts.file.place(own[row])}: {shown(moments[row])} stands behind "
            f"{shown(moments[row - 1])}, as on {turned.sum():,} of {len(turned):,} dates; "
            "if it ends the day, write the next date there, or 24:00; else put the rows "
            "in the order of time"
        )
    return ""


def distance(facts: Timestamps) -> str:
    """Rows of a series, and series, have one distance. Rows that lack do not matter."""
    moments = facts.timestamps
    place = facts.file.place
    distances = dict[
        int, np.timedelta64
    ]()  # the second row of a series -> its distance
    for own in facts.by_series:
        row = _far_from_the_others(moments[own])
        if row is not None:
            return _misplaced(facts, own, row)
        inside = own[~np.isnat(facts.numbers[own])]
        ordered, first = timestamps.first_rows(facts.numbers[inside])
        steps = np.diff(ordered).astype(np.int64)
        if len(steps) < PART:
            continue
        apart = np.diff(moments[inside[first]])
        row = _change(steps)
        if row is not None:
            return _two_distances(
                place(inside[first[row]]),
                _middle(apart[row - 1 : row + PART]),
                _middle(apart[: row - 1]),
                ("rows from this one on", "those before"),
            )
        if calendars.near(steps, np.median(steps)).mean() >= EVEN_SERIES:
            distances[int(inside[first[1]])] = _middle(apart)
    if len(distances) < EVEN_SERIES * len(facts.by_series):
        return ""
    second, usual = next(iter(distances.items()))
    for row, own_distance in distances.items():
        if not calendars.near(own_distance, usual):
            return _two_distances(
                place(row),
                own_distance,
                usual,
                ("the rows of this series", "those of the first"),
            )
        beside = (moments[row] - moments[second]) % usual
        if usual <= HOUR and beside:
            seconds = int(beside / np.timedelta64(1, "s"))
            return (
                f"{place(row)}: rows of this series lie {duration(seconds)} beside "
                "those of the first; move them to the same times, or answer each series "
                "on its own"
            )
    return ""


def _middle(steps: Array) -> np.timedelta64:
    """Return a distance of rows that as many steps exceed as fall below."""
    return np.timedelta64(np.sort(steps)[len(steps) // 2])


def _change(steps: Array) -> int | None:
    """Return the first row of a series with another distance, None if there is none.

    Of 300 daily rows and then 50 weekly ones, it is the first weekly one. Single rows,
    and rows that lack at random, do not change the distance.

    Args:
        steps: (rows - 1,) from each row to the next.
    """
    # The last step is taken to go on, so that a few rows show a change at the end.
    runs = pd.Series(np.append(steps, [steps[-1]] * (PART - PART_AT_END))).rolling(PART)
    is_run = calendars.near(runs.min(), runs.max())
    middle = runs.median()
    is_run &= ~calendars.near(middle, np.median(steps))
    if not is_run.any():
        return None
    last = int(is_run.argmax())
    first = last - PART + 1
    alike = calendars.near(steps, middle[last])
    share = float(alike.mean())
    if share < EVEN and len(steps) * share ** (PART - 1 + is_run.sum()) > CHANCE:
        return None  # rows that lack at random leave such steps, too
    rest = steps[~alike]
    if calendars.near(rest, np.median(rest)).mean() < EVEN:
        return None  # the other rows have no distance
    if first == 0:  # of the first rows, those behind them have the other distance
        return 1 + int(alike.argmin())
    # The step before the run may lead to its first row.
    return first + int(calendars.near(steps[first - 1], np.median(steps)))


def _two_distances(
    place: str, found: np.timedelta64, usual: np.timedelta64, where: tuple[str, str]
) -> str:
    """Return the distance of rows from a row on, and that of others, in words."""
    own = _in_words(found.astype(int))
    other = _in_words(usual.astype(int))
    return (
        f"{place}: {where[0]} lie {own} apart, and {where[1]} {other}; give rows of one "
        "distance: those of either part, or sums or means of the longer distance"
    )


def _in_words(milliseconds: int) -> str:
    """Return a distance of rows in words, at least a second."""
    return duration(max(1, round(milliseconds / 1000)))


def _far_from_the_others(moments: Array) -> int | None:
    """Return the first row that lies far from all others of its series; None if none
    does, or if many do.
    """
    ordered = timestamps.distinct(moments)
    steps = np.diff(ordered).astype(np.int64)
    if len(steps) < FAR:
        return None
    late = moments > ordered[steps.argmax()]
    few = late if 2 * late.sum() < len(late) else ~late
    is_far = 2 * steps.max() > steps.sum() and few.mean() <= FEW
    return int(few.argmax()) if is_far else None


def one_grid(facts: Timestamps) -> str:
    """Rows lie on regular times; `row_timestamps` has left out a few that do not."""
    for own in facts.by_series:
        beside, spacing = calendars.off_grid(facts.written[own])
        if beside.any() and (spacing <= calendars.HOUR or beside.mean() <= FEW):
            return _misplaced(facts, own, int(beside.argmax()))
    return ""


def mostly_there(facts: Timestamps) -> str:
    """Rows fill a part of their time; months written as days fill 12 days of each year."""
    lacking = sum(facts.gaps.elements())
    is_whole = lacking <= MOST_LACKING * len(facts.ordered)
    if is_whole or facts.of_rows is not None or facts.gaps.total() < FAR:
        return ""
    row = facts.behind(facts.steps)
    return (
        f"{facts.file.place(row)}: before {str(facts.cells.iloc[row])!r:.40} "
        f"{max(facts.gaps):,} rows lack, and {lacking:,} in all, of which only "
        f"{len(facts.ordered):,} are there; are day and month, or another part of the time, "
        "exchanged? Correct the timestamps, or give a part without such gaps"
    )


def even_steps(facts: Timestamps) -> str | CurableError:
    """Most steps from row to row are one row by the calendar; months lack none."""
    freq = 1000 * facts.freq
    steps = facts.steps
    if np.median(steps) < 1000:
        return "rows lie less than a second apart; thin them out to a second or more"
    even = float(np.mean(steps == freq))
    months = steps.min() >= calendars.SHORTEST * DAY
    off = np.mean(steps % freq != 0) if freq >= DAY else 0.0
    if even >= EVEN and off <= FEW and (even == 1 or not months):
        return ""
    example = "sums of a month" if freq >= DAY else "means of an hour"
    cures = []
    if len(facts.stamp) == 2:
        day, other = facts.stamp
        cures.append(Cure("stamp", day, f"if {other!r} is no part of the time"))
    least, most, middle = map(_in_words, (steps.min(), steps.max(), freq))
    return CurableError(
        f"rows are not evenly spaced: from {least} to {most} apart, {middle} in the "
        f"middle, first at {facts.file.place(facts.behind(steps != freq))}",
        cures,
        f"make rows of equal distance first, such as {example}",
    )


def most_are_over(facts: Timestamps) -> str | CurableError:
    """Most rows are measured: they do not lie in the future."""
    now = calendars.this_moment(utc=True) + calendars.EASTERN
    later = np.array(facts.timestamps > now)
    if 2 * later.sum() <= len(later) or facts.asked.keep_last:
        return ""
    row = int(later.argmax())
    return CurableError(
        f"{facts.file.place(row)}: {str(facts.cells.iloc[row])!r:.40} is "
        f"{shown(facts.timestamps[row])}, and most rows lie in the future",
        [Cure("keep_last", True, "if they are planned")],
        f"name another {argument('stamp')} or {argument('stamp_format')}, or subtract 543 "
        "from Buddhist years",
    )


def key_is_no_time(facts: Timestamps) -> str:
    """The names of series are neither times of a day nor other parts of the time."""
    column = facts.series_id
    if column is None or column.lower() in series_names.LONG_FORMAT:
        return ""
    is_named = timestamp_formats.names_a_time(column)
    is_time = np.array(
        [timestamp_formats.is_part(word, counted=is_named) for word in facts.series]
    )
    if is_time.mean() < MOSTLY:
        return ""
    if not is_time.all():
        word = facts.series[int(is_time.argmin())]
        row = int(np.asarray(facts.of_rows == word).argmax())
        return (
            f"{facts.file.place(row)}: column {column!r} holds {word!r:.40} beside times "
            f"such as {facts.series[int(is_time.argmax())]!r:.40}; correct it, or leave "
            "that row out"
        )
    return (
        f"{facts.file.paths[0]}: column {column!r} may be a part of the time, since each "
        f"timestamp stands {len(facts.series)} times; join both in the file, as in "
        "2024-01-31 13:00, or rename the column if it names series"
    )


def one_mark(facts: Timestamps) -> str:
    """A column has one decimal mark from its first row to its last."""
    for name in facts.others:
        cells = facts.file.cells[name]
        if cells.dtype != "str" or not all(_has(cells, mark) for mark in DECIMALS):
            continue
        of_mark = [np.flatnonzero(cells.str.match(form)) for form in DECIMALS.values()]
        first, then = sorted(of_mark, key=lambda rows: rows[:1].sum())
        if min(len(first), len(then)) >= FAR and first[-1] < then[0]:
            return (
                f"{facts.file.place(then[0])}: column {name!r} holds "
                f"{cells.iloc[then[0]]!r:.40}, and rows before have another decimal mark, "
                f"as in {cells.iloc[first[-1]]!r:.40}; write all with one mark"
            )
    return ""


def _has(cells: "pd.Series[str]", mark: str) -> bool:
    return bool(cells.str.contains(mark, regex=False).any())


def no_month_13(facts: Timestamps) -> str:
    """Weeks come from the whole year; 2019-01 to 2019-13 are periods of a company."""
    thursdays = facts.written + np.timedelta64(3, "D")  # whose year is the week's
    weeks = thursdays.astype("datetime64[W]") - thursdays.astype("datetime64[Y]")
    is_weekly = 1000 * facts.freq == row_calendar.WEEK
    if not is_weekly or not facts.gaps or weeks.astype(int).max() > QUARTER:
        return ""
    row = int(weeks.argmax())
    return (
        f"{facts.file.place(row)}: {str(facts.cells.iloc[row])!r:.40} is read as a week, and "
        f"no row has a week after the {QUARTER}th; if these are periods of a company, "
        "write the date on which each begins"
    )


def no_heading_is_a_time(facts: Timestamps) -> str:
    """Each row has one time: no columns hold the hours of its day, or other parts."""
    apart = int(np.median(np.diff(timestamps.distinct(facts.timestamps))).astype(int))
    kind, times = timestamp_columns.times_in(facts.others, apart // 1000)
    if not kind or facts.asked.target in times:
        return ""
    names = [*facts.stamp, *facts.others]
    return str(timestamp_columns.turned(facts.file.paths[0], names, kind, times))


OF_ROWS = (
    no_heading_is_a_time,
    order_of_the_day,
    order,
    most_are_over,
    key_is_no_time,
    distance,
    one_grid,
    no_month_13,
    even_steps,
    mostly_there,
    one_mark,
)
"""Rules on the timestamps of rows, in the order of the way."""

OF_LATER_ROWS = (order_of_the_day, order, distance, one_grid)
"""Rules that rows keep which come after an answer."""


def require(
    rules: Sequence[Callable[..., str | CurableError]], facts: Timestamps, *more: str
) -> None:
    """Raise UnrollError with the words of the first rule that is broken.

    Args:
        rules: `OF_ROWS`, `OF_COLUMNS`, `OF_TARGET` or `OF_LATER_ROWS`.
        facts: the facts that they ask.
        more: the target, for rules on it.
    """
    for rule in rules:
        broken = rule(facts, *more)
        if isinstance(broken, CurableError):
            raise broken
        if broken:
            raise UnrollError(broken)
