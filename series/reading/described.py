"""A file's profile in words, a line for each fact."""

from collections.abc import Iterator

from pipeline.data.series_options import CsvFormat
from pipeline.data.timestamps import DAY, duration, shown
from pipeline.errors import printable
from series.reading.profile import FileProfile

DELIMITERS = {"\t": "tabs", " ": "white space"}
"""Delimiters that cannot be seen -> their names."""

SHOWN = 6
"""Largest number of series that are named."""


def lines(profile: FileProfile) -> Iterator[str]:
    """Yield lines on a file's form, on its timestamps, and on each column."""
    form = profile.form
    if not profile.file.typed:
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
        count = profile.gaps.total()
        yield f"gaps      {count:,}, the longest of {max(profile.gaps):,} rows"
    if profile.missing:
        cells = [
            f"{printable(word) or 'nothing'} {count:,} times"
            for word, count in profile.missing.items()
        ]
        yield f"no value  {', '.join(cells)}"
    for name in profile.columns:
        if name != profile.series_id:
            yield f"column    {_name(name)}: {_column(profile, name)}"
    for name, odd in profile.odd.items():
        cure = "empty such cells, since other columns hold it, too"
        if profile.alone(name, odd):
            cure = f"missing='{odd:g}'"
        yield (
            f"odd       {_name(name)}: {odd:g} lies far from all others; no value? "
            f"then {cure}"
        )
    for option, why in profile.reasons.items():
        yield f"guessed   {option}: {why}"


def _order(profile: FileProfile) -> Iterator[str]:
    """Yield lines on several series, or on the order of the rows of one series."""
    if profile.series_id:
        names = printable(", ".join(profile.series[:SHOWN]))
        others = len(profile.series) - SHOWN
        more = f" and {others} more" if others > 0 else ""
        by = _name(profile.series_id)
        yield f"series    {len(profile.series)}, by {by}: {names:.80}{more}"
        return
    if (profile.timestamps[1:] < profile.timestamps[:-1]).any():
        yield "order     rows are not in the order of time; they are sorted"
    if profile.repeated:
        yield (
            f"repeated  {profile.repeated:,} rows have the timestamp of an earlier "
            "row; they are left out"
        )


def _text(form: CsvFormat) -> str:
    delimiter = DELIMITERS.get(form.delimiter, repr(form.delimiter))
    words = [
        form.encoding,
        f"columns divided by {delimiter}",
        f"decimals by {form.decimal!r}",
    ]
    if form.thousands:
        words.append(f"thousands by {form.thousands!r}")
    if form.names:
        words.append("no header")
    if form.units_rows:
        words.append("a row of units")
    if form.skip:
        words.append(f"{form.skip} lines before the header")
    return ", ".join(words)


def _distance(profile: FileProfile) -> str:
    """Return the distance of rows in words, such as "one row every 10 minutes"."""
    day = ""
    if profile.calendar == "business":
        every = "a business day"
    elif isinstance(profile.calendar, str):
        months = profile.freq * 1000 // DAY
        every = "a month" if months == 1 else f"{months} months"
        _, _, day = profile.calendar.partition(", ")
    else:
        every = duration(profile.freq)
    each = "" if every.startswith("a") else "every "
    on = f", on {day}" if day else ""
    if " -1" in on:
        on = on.replace(" on ", " on the last ").replace(" -1", "")
    return f"one row {each}{every}{on}"


def _column(profile: FileProfile, name: str) -> str:
    """Return what a column holds in words, or why the column is left out."""
    column = profile.columns[name]
    unit = f", in {column.unit}" if column.unit else ""
    useless = profile.useless(name)
    if useless:
        return f"left out: {useless}{unit}"
    low, high = column.ends
    what = f"from {low:g} to {high:g}" if column.numeric else "words"
    if column.sparse:
        what += f", {column.sparse}: left out unless it is the target"
    return f"{what}{unit}"


def _name(name: str) -> str:
    """Return the start of a column's name, fit for a terminal."""
    return f"{printable(name):.60}"
