"""A file's profile in words, a line for each fact."""

import re
from collections.abc import Iterator

import pandas as pd

from pipeline.data.series_options import CsvFormat
from pipeline.data.timestamps import DAY, duration, shown
from pipeline.errors import printable
from series.reading.profile import FileProfile

DELIMITERS = {"\t": "tabs", " ": "white space"}
"""Delimiters that cannot be seen -> their names."""

SHOWN = 6
"""Largest number of series, or of unusual numbers, that are named."""


def lines(profile: FileProfile) -> Iterator[str]:
    """Yield lines on a file's form, on its timestamps, and on each column."""
    form = profile.form
    if not profile.file.typed and "sheet" not in profile.reasons:
        yield f"text      {_text(form)}"
    stamps = " and ".join(printable(name) for name in form.stamp)
    zone = f", clock of {form.time_zone}" if form.time_zone else ""
    yield f"stamps    {stamps}, as {form.stamp_format}{zone}"
    utc = " (UTC)" if form.time_zone else ""
    span = f"{shown(profile.first)} to {shown(profile.last)}{utc}"
    yield f"rows      {profile.rows:,}, {span}, {_distance(profile)}"
    if isinstance(profile.calendar, dict):
        hours = "; ".join(f"{day} {times}" for day, times in profile.calendar.items())
        yield f"hours     {hours}; {profile.outside:,} rows outside are left out"
    yield from _order(profile)
    if profile.gaps:
        yield (
            f"gaps      {profile.gaps.total():,}, the longest of "
            f"{max(profile.gaps):,} rows"
        )
    cells = [_missing(profile, word, count) for word, count in profile.missing.items()]
    if cells:
        yield f"no value  {', '.join(cells)}"
    yield from _odd(profile)
    for name in profile.columns:
        if name != profile.series_id:
            yield f"column    {_name(name)}: {_column(profile, name)}"
    for option, why in profile.reasons.items():
        yield f"guessed   {option}: {why}"


def _order(profile: FileProfile) -> Iterator[str]:
    """Yield lines on several series, or on the order of the rows of one series."""
    if profile.series_id:
        names = printable(", ".join(profile.series[:SHOWN]))
        others = len(profile.series) - SHOWN
        more = f" and {others} more" if others > 0 else ""
        yield f"series    {len(profile.series)}, by {_name(profile.series_id)}: {names:.80}{more}"
        return
    if (profile.timestamps[1:] < profile.timestamps[:-1]).any():
        yield "order     rows are not in the order of time; they are sorted"
    if profile.repeated:
        values = {name: profile.columns[name].measured for name in profile.targets}
        rows = pd.DataFrame({**values, "": profile.timestamps})
        others = profile.repeated - int(rows.duplicated().sum())
        what = f", {others:,} with other values; the first row counts"
        yield (
            f"repeated  {profile.repeated:,} rows have the timestamp of an earlier "
            f"row{what if others > 0 else '; they are left out'}"
        )


def _text(form: CsvFormat) -> str:
    delimiter = DELIMITERS.get(form.delimiter, repr(form.delimiter))
    words = [
        form.encoding,
        f"columns divided by {delimiter}",
        f"decimals by {form.decimal!r}",
        f"thousands by {form.thousands!r}" if form.thousands else "",
        "no header" if form.names else "",
        "a row of units" if form.units_rows else "",
        f"{form.skip} lines before the header" if form.skip else "",
    ]
    return ", ".join(filter(None, words))


def _distance(profile: FileProfile) -> str:
    """Return the distance of rows in words, such as "one row every 10 minutes"."""
    if profile.calendar == "business":
        return "one row a business day"
    if not isinstance(profile.calendar, str):
        every = duration(profile.freq)
        return f"one row {every}" if every.startswith("a") else f"one row every {every}"
    months = profile.freq * 1000 // DAY
    every = "a month" if months == 1 else f"every {months} months"
    day = re.sub(r"(.*) -1\b", r"the last \1", profile.calendar.partition(", ")[2])
    return f"one row {every}, on {day}" if day else f"one row {every}"


def _odd(profile: FileProfile) -> Iterator[str]:
    """Yield lines on numbers that do not belong to the others."""
    for one in profile.odd[:SHOWN]:
        of = "" if profile.of_rows is None else f" of {profile.of_rows[one.rows[0]]}"
        first, last = (shown(profile.timestamps[row]) for row in one.rows[[0, -1]])
        what = f"without a break from {first} to {last}: is the sensor stuck?"
        if one.beside is not None:
            word = str(one.number).removesuffix(".0")
            kept = f"It is kept; pass missing={word!r} if it means no value"
            what = (
                f"first at {first}, far from all others; the nearest is "
                f"{one.beside:.10g}. {'It counts as no value' if one.missing else kept}"
            )
        yield (
            f"unusual   {_name(one.column)}{printable(of):.40}: {one.number:.10g} "
            f"{_times(len(one.rows))}, {what}"
        )
    if len(profile.odd) > SHOWN:
        yield f"unusual   {len(profile.odd) - SHOWN:,} more numbers like these"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _missing(profile: FileProfile, word: str, count: int) -> str:
    """Return a word that means no value in words, such as "n/a once in load"."""
    names = [
        _name(name)
        for name, column in profile.columns.items()
        if column.numeric and word in column.words
    ]
    where = f" in {' and '.join(names):.160}" if names else ""
    return f"{printable(word) or 'nothing'} {_times(count)}{where}"


def _column(profile: FileProfile, name: str) -> str:
    """Return what a column holds in words, or why the column is left out."""
    column = profile.columns[name]
    low, high = column.ends
    what = f"from {low:g} to {high:g}" if column.numeric else "words"
    if column.sparse:
        what += f", {column.sparse}: left out unless it is the target"
    if profile.useless(name):
        what = f"left out: {profile.useless(name)}"
    return f"{what}, in {column.unit}" if column.unit else what


def _name(name: str) -> str:
    """Return the start of a column's name, fit for a terminal."""
    return f"{printable(name):.60}"
