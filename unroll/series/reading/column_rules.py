"""The rules that columns keep, and the column that is forecast; see `rules`."""

import re
from collections.abc import Iterator

import numpy as np

from pipeline.data import timestamps
from pipeline.data.examples import Array
from pipeline.data.timestamps import DAY, shown
from pipeline.errors import printable
from unroll.series import row_calendar
from unroll.series.options import argument
from unroll.series.reading import (
    calendars,
    numbers,
    rules,
    timestamp_formats,
)
from unroll.series.reading.cures import CurableError, Cure
from unroll.series.reading.profile import FileProfile

MOST_TURNS = 6
"""The most series of which rows take turns."""

TURNS = 10
"""The fewest turns that show it."""

NEAR = 5
"""How many times as much the levels of such series differ as their rows change."""

HALF_DAY = 43_200
"""Seconds of the shortest cycle of nature, that of tides."""

LEVEL = 2
"""How many times as large values are after a change of their level, or before it."""

OTHERS = 0.1
"""Largest share of rows that may have another time in a second column of times."""

UNIT = re.compile("unit|uom|einheit|currency|währung|devise|unidad", re.IGNORECASE)
"""Names of columns that say in which unit a row's numbers are."""

NUMBERED = r"^(?!.*#[A-Za-z]).*\d"
"""A word that may be a number; words such as #DIV/0! are errors of a spreadsheet."""

NUMBER = r"-?\d+[.,]\d+"
"""A number with decimals, or with thousands, within a word."""

MOST_TWICE = 0.01
"""Largest share of rows that repeat a timestamp with another value."""


def one_time(facts: FileProfile) -> str:
    """All columns are of the time of their row; none has regular times of its own."""
    for column in facts.measures if not facts.asked.stamp else ():
        cells = timestamp_formats.as_text(facts.file.cells[column.name])
        word = next(iter(column.words), "")
        forms = column.timed and timestamp_formats.formats(word, digits=False)
        if not forms:
            continue
        moments, _ = timestamp_formats.parse(cells, forms[0])
        known = ~np.isnat(moments)
        steps = np.diff(timestamps.distinct(moments[known])).astype(np.int64)
        if (
            len(steps) < rules.PART
            or np.mean(steps == np.median(steps)) < rules.EVEN_SERIES
        ):
            continue
        apart = np.abs(moments - facts.written).astype(np.int64)
        differ = known & (apart > max(DAY, 1000 * facts.freq))
        if differ.sum() > OTHERS * known.sum():
            row = int(differ.argmax())
            return (
                f"{facts.file.place(row)}: column {column.name!r} has another time than "
                f"{' and '.join(facts.stamp)!r}, as in {differ.sum():,} rows; save the "
                f"columns beside it as a file of their own, or pass {argument('stamp')} if "
                "all are of one time"
            )
    return ""


def one_notation(facts: FileProfile) -> str | CurableError:
    """The numbers of a column are written alike."""
    for column in facts.measures:
        # With a wrong decimal mark, numbers are words.
        pattern = NUMBERED if column.numeric else NUMBER
        words = [word for word in column.words if word not in facts.asked.missing]
        numbered = [word for word in words if re.search(pattern, word)]
        if not numbered or not (column.numeric or facts.asked.decimal):
            continue
        word = numbered[0]
        decimal = facts.form.decimal
        cures = [Cure("missing", word, "if it means no value")]
        if facts.asked.decimal:
            cures.insert(0, Cure("decimal", numbers.OTHER[decimal]))
        return CurableError(
            f"column {column.name!r} holds {word:.60} {column.words[word]:,} times "
            f"beside numbers with {decimal!r} as decimal mark",
            cures,
            "write it like the others",
        )
    return ""


def one_unit(facts: FileProfile) -> str:
    """The numbers of a column have one unit, by their signs or by a column of units."""
    for column in facts.measures:
        signs = list(column.signs)
        if any(0 < column.signs[sign] < column.numbers for sign in "%‰"):
            signs.append("none")
        if len(signs) > 1:
            return (
                f"column {column.name!r} holds numbers of several units "
                f"({' and '.join(signs)}); write all in one unit"
            )
    for name in filter(UNIT.fullmatch, facts.others):
        words = facts.file.cells[name].astype("str")
        names = np.zeros(len(words)) if facts.of_rows is None else facts.of_rows
        first = words.groupby(names).transform("first")
        if (words != first).any():
            row = int((words != first).argmax())
            return (
                f"{facts.file.place(row)}: {name} is {words.iloc[row]!r:.40}, and before "
                f"{first.iloc[row]!r:.40}; write all in one unit"
            )
    return ""


def numbers_to_forecast(facts: FileProfile) -> str:
    """Some column holds numbers; words with digits in them are none."""
    asked = facts.asked.target
    columns = [one for one in facts.measures if asked is None or one.name == asked]
    if any(column.numeric for column in columns):
        return ""
    for column in columns:
        words = [word for word in column.words if re.search(r"^\D{0,3}\d", word)]
        if 2 * len(words) > len(column.words):
            return (
                f"{facts.file.paths[0]}: column {column.name!r} holds {words[0]:.40} and "
                f"{words[-1]:.40}, which are not read as numbers; write numbers alone, "
                "all in one unit"
            )
    return ""


def one_series(facts: FileProfile, target: str) -> str:
    """Rows that take turns are several series: of sensors, of files, or of units.

    They take turns if the levels of every second, third ... row differ by more than these
    rows change. A cycle of half a day or more is no such turn.
    """
    is_dense = facts.calendar is None or isinstance(facts.calendar, dict)
    if facts.series_id is not None or facts.repeated or not is_dense:
        return ""
    order = np.argsort(facts.timestamps, kind="stable")
    values = facts.columns[target].measured[order]
    a_day = row_calendar.slots_per_day(facts.calendar, facts.freq)
    for turn in range(2, min(MOST_TURNS, len(values) // TURNS) + 1):
        is_cycle = turn in a_day or turn * facts.freq % HALF_DAY == 0
        if is_cycle or not _takes_turns(values, turn):
            continue
        words = [one.name for one in facts.measures if len(one.words) == turn]
        by = f"column {words[0]!r}" if words else f"every {turn} rows"
        by = "the files" if len({*facts.files}) == turn else by
        first = ", ".join(f"{value:g}" for value in values[: turn + 1])
        return (
            f"{facts.file.place(int(order[0]))}: {target!r} takes turns between {turn} "
            f"series ({first} ...), by {by}; give each its own column, or answer each on "
            "its own"
        )
    return ""


def _takes_turns(values: Array, turn: int) -> bool:
    """Return whether every `turn`-th value has a level of its own, and is nearer to the
    one before it than to its neighbour.
    """
    every = [values[first::turn] for first in range(turn)]
    levels = [
        np.median(own[np.isfinite(own)]) for own in every if np.isfinite(own).any()
    ]
    changes = _usual_change(values, turn)
    others = min(_usual_change(values, 1), float(np.ptp(levels)))
    return NEAR * changes < others


def _usual_change(values: Array, rows: int) -> float:
    """Return the usual change over some rows; infinite if none is known."""
    changes = np.abs(values[rows:] - values[:-rows])
    known = changes[np.isfinite(changes)]
    return float(np.median(known)) if len(known) else np.inf


def one_level(facts: FileProfile, target: str) -> str:
    """Series are not a hundred, a thousand or a million times as large from a row on.

    One of many may be: a product becomes a success.
    """
    changes = [
        (row, times) for row, times in level_changes(facts, target) if _is_unit(times)
    ]
    if 2 * len(changes) < len(facts.by_series):
        return ""
    row, times = changes[0]
    return (
        f"{facts.file.place(row)}: from here on {target!r} is about {times:.3g} times as "
        "large as before; write all in one unit, and with one decimal mark"
    )


def _is_unit(times: float) -> bool:
    """Return whether a factor is about that of another unit or decimal mark."""
    powers = np.array([2, 3, 6]) * np.sign(np.log10(times))
    return bool((np.abs(times / 10.0**powers - 1) <= calendars.ALIKE).any())


def level_changes(facts: FileProfile, column: str) -> Iterator[tuple[int, float]]:
    """Yield the row of each series from which on all values lie far beyond all before,
    and how many times as large they are, at least `LEVEL` times or the inverse.

    The distance is larger than the range on one side.
    """
    every = facts.columns[column].measured
    for own in facts.by_series:
        rows = own[np.argsort(facts.timestamps[own], kind="stable")]
        rows = rows[np.isfinite(every[rows])]
        values = every[rows]
        if len(values) < 2 * rules.PART:
            continue
        back = values[::-1]
        rise = np.minimum.accumulate(back)[-2::-1] - np.maximum.accumulate(values)[:-1]
        fall = np.minimum.accumulate(values)[:-1] - np.maximum.accumulate(back)[-2::-1]
        gap = np.maximum(rise, fall)[rules.PART - 1 : 1 - rules.PART]
        place = rules.PART + int(gap.argmax())
        before = values[:place]
        after = values[place:]
        usual = np.median(before)
        times = float(np.median(after) / usual) if usual else np.inf
        is_wide = gap.max() > min(np.ptp(before), np.ptp(after))
        if is_wide and not 1 / LEVEL < times < LEVEL:
            yield int(rows[place]), times


def lasting_changes(facts: FileProfile) -> Iterator[tuple[str, str]]:
    """Yield a label and a line on what changes once and for all: levels, and words."""
    order = np.argsort(facts.timestamps, kind="stable")
    for column in facts.measures if facts.of_rows is None else ():
        words = timestamp_formats.as_text(facts.file.cells[column.name]).iloc[order]
        moved = np.flatnonzero((words != words.shift()).to_numpy())
        is_word = not column.numeric and not column.useless
        if is_word and 1 < len(column.words) == len(moved):
            text = (
                f"{column.name}: {words.iloc[0]} before "
                f"{shown(facts.timestamps[order[moved[1]]])}, then {words.iloc[moved[1]]}; "
                "the rows are one series"
            )
            yield "changed", printable(text)
    for name in facts.targets:
        changes = [*level_changes(facts, name)]
        for row, times in changes[:1]:
            of = "" if facts.of_rows is None else f" of {facts.of_rows[row]}"
            others = f"; so it is in {len(changes)} series" if changes[1:] else ""
            text = (
                f"{name}{of}: all values from {shown(facts.timestamps[row])} on lie beyond "
                f"all before, about {times:.3g} times as large{others}; was a meter or the "
                "unit changed?"
            )
            yield "level", printable(text)


def one_value(facts: FileProfile, target: str) -> str:
    """A series has one value at each timestamp. Of few more, the first counts."""
    again = facts.repeats(facts.columns[target].measured)
    if again.mean() <= MOST_TWICE:
        return ""
    row = int(again.argmax())
    cure = (
        "add up the rows of a time (pandas: frame.groupby(TIME, as_index=False).sum()), or "
        "name their series in a column called unique_id"
    )
    if len({*facts.files[again]} | {0}) > 1:
        cure = (
            "if each file is a series, name it in a column called unique_id; if a file was "
            "revised, leave the older rows out"
        )
    return (
        f"{facts.file.place(row)}: {shown(facts.timestamps[row])} comes again with another "
        f"value of {target!r}, as {again.sum():,} of {len(again):,} rows do; {cure}"
    )


OF_COLUMNS = (one_notation, one_unit, one_time, numbers_to_forecast)
"""Rules on columns, whose numbers are known."""

OF_TARGET = (one_value, one_series, one_level)
"""Rules on the column that is forecast."""
