"""Look at a file: how it is written, when its rows were measured, and what its columns hold."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.data import timestamps
from pipeline.data.examples import Array
from pipeline.data.row_files import RowFile
from pipeline.data.row_table import MOST_WORDS
from pipeline.data.series_options import CsvFormat
from pipeline.data.sniff import layout, times
from pipeline.data.sniff.columns import Column
from pipeline.data.sniff.found import Found, Known
from pipeline.data.sniff.series_id import series_id
from pipeline.errors import UnrollError, UsageError, one_line
from pipeline.validation import one_of

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.data.download import Progress

HEAD = 2000
"""Rows that the columns of the stamp are found in."""

KEPT = 250_000
"""Rows whose numbers are kept, for their autocorrelation."""

PARTS_OF_A_DAY = (24, 48, 96, 144)
"""Hours, half hours and such, which some files count in a column of its own."""

SURE, OTHER = 0.5, 0.75
"""The share of even steps that rows must have, and how much of that other readings of their stamps may have."""


def look(paths: Sequence[Path], known: Known, progress: "Progress") -> Found:
    """Read files of one form from beginning to end, in chunks.

    Raises:
        UnrollError: they are no series; one line says why.
        UsageError: something can be read in two ways; the line says which option decides.
    """
    import pandas as pd

    guesses: dict[str, str] = {}
    form, units = _form(paths, known, guesses)
    files = [RowFile(path, form, "") for path in paths]
    first = next(files[0].chunks(progress), None)
    if first is None or not len(first):
        raise UnrollError(f"{paths[0]} holds no rows; name a file with a header and rows")
    head = first.head(HEAD).astype("str").where(first.head(HEAD).notna(), "")
    if odd := layout.like_paths(list(head.columns)):
        raise UnrollError(f"{paths[0]}: column {odd[0]!r:.80} is named like a path; rename it in the file")
    stamp, options = times.find(head, known.stamp)
    options = [known.stamp_format] if known.stamp_format else options
    if lacking := [column for column in stamp if column not in head.columns]:
        raise UsageError(f"--stamp: {paths[0]} has no column {lacking[0]!r}. It has: {', '.join(head.columns):.2000}")
    if not (stamp and options):
        raise UsageError(
            f"{paths[0]}: no column holds times of a form that is known here; pass --stamp COLUMN (repeatable) and "
            f"--stamp-format, as strptime takes it. Columns: {', '.join(head.columns):.2000}"
        )
    form = form.model_copy(update={"stamp": stamp})
    below = dict(zip(head.columns, units, strict=False))
    columns = {name: Column(name, below.get(name, "")) for name in head.columns if name not in stamp}
    if known.target is not None:  # now, since the rows of a large file take minutes
        one_of(known.target, columns, "--target")
    try:
        readings, heads, blank = _pass(files, form, options, columns, progress)
    except (ValueError, re.error) as error:
        raise UsageError(f"--stamp-format: {one_line(str(error))}. Received: {known.stamp_format!r}") from None
    written, chosen, utc = _decided(readings, known, paths[0], guesses)
    form = form.model_copy(update={"stamp_format": chosen, "time_zone": known.time_zone})
    whose, names = series_id(head, written, columns, heads)
    if len(names) > MOST_WORDS:
        raise UsageError(f"{paths[0]} holds {len(names)} series, by {whose!r}; leave all but {MOST_WORDS} out")
    if len(names) in PARTS_OF_A_DAY and {*names} in ({*map(str, range(start, start + len(names)))} for start in (0, 1)):
        guesses["series_id"] = f"{whose!r} may count parts of a day, too; then make it part of the stamp in the file"
    given = pd.to_numeric(pd.Series(known.missing, dtype=object), errors="coerce").to_numpy(np.float64)
    for column in columns.values():
        column.suspects.update(dict.fromkeys(given[np.isfinite(given)].tolist(), 0))
        if column.mixed and (column.numeric or known.decimal):
            cure = f"pass --decimal {'.' if form.decimal == ',' else ','}" if known.decimal else "correct such cells"
            what = f"beside numbers with {form.decimal!r} as decimal mark"
            raise UsageError(f"column {column.name!r} holds {column.mixed} {what}; {cure}")
    found = _found(form, written, utc, columns, heads, guesses)
    found.missing.update(dict.fromkeys(known.missing, 1))
    missing = found.missing + Counter({"": blank})
    return replace(found, text=not files[0].parquet, missing=missing, series_id=whose, series=sorted(names))


def _form(paths: Sequence[Path], known: Known, guesses: dict[str, str]) -> tuple[CsvFormat, list[str]]:
    """How the files are written, as far as the first lines say, and the cells of the row of units."""
    form = CsvFormat()
    if RowFile(paths[0], form, "").parquet:
        return form, []
    try:
        encodings = [layout.encoding(path, known.encoding) for path in paths]
        encoding = next((one for one in encodings if one != "ascii"), "utf-8")
        found = layout.layout(paths[0], encoding, known.delimiter)
    except (LookupError, UnicodeError):  # a name that is no text of UTF-8
        raise UsageError(f"--encoding: there is no encoding {known.encoding!r}") from None
    if any(one not in {"ascii", encoding} for one in encodings):
        raise UnrollError(f"{paths[0]} and others are written in {' and '.join(sorted({*encodings}))}; pass --encoding")
    if encoding in {"latin-1", "cp1252"} and not known.encoding:
        guesses["encoding"] = "not UTF-8; of the encodings of one byte this is the usual one"
    cells = [cell for row in found.rows for cell in row]
    decimal, thousands = layout.marks(cells, paths[0], known.decimal)
    names = None if found.header else [f"column{place}" for place in range(1, len(found.rows[0]) + 1)]
    if names:
        guesses["names"] = "the file has no header"
    marks: dict[str, Any] = {"delimiter": found.delimiter, "decimal": decimal, "thousands": thousands}
    marks |= {"skip": found.skip, "units_rows": len(found.units), "names": names}
    return form.model_copy(update={"encoding": encoding, **marks}), found.units[0] if found.units else []


@dataclass
class _Stamps:
    """The stamps of all files, by one format."""

    stamp_format: str
    read: list[Array]
    bad: str | None = None
    utc: bool = False

    def take(self, cells: "pd.Series[Any]") -> None:
        if self.bad is None:
            found, self.utc = timestamps.parse(cells, self.stamp_format)
            wrong = np.isnat(found)
            self.bad = str(cells.iloc[int(wrong.argmax())]) if wrong.any() else None
            self.read.append(found)


def _pass(
    files: Sequence[RowFile], form: CsvFormat, options: Sequence[str], columns: dict[str, Column], progress: "Progress"
) -> tuple[list[_Stamps], list[Array], int]:
    """Count what stands in each column, and read the stamps by every format that may be theirs."""
    readings, heads, rows, blanks = [_Stamps(option, []) for option in options], [], 0, 0
    for file in files:
        if lacking := [name for name in [*form.stamp, *columns] if name not in file.header()]:
            raise UnrollError(
                f"{file.path} has no column {lacking[0]!r}, which {files[0].path.name} has; leave that file out"
            )
        for chunk in file.chunks(progress):
            texts = chunk[list(form.stamp)]
            blank = (texts.isna() | (texts == "")).all(axis=1)
            blank[blank] = chunk[blank].isin(["", None]).all(axis=1)
            frame = chunk[~blank] if blank.any() else chunk
            cells = timestamps.joined(frame, form.stamp)
            for reading in readings:
                reading.take(cells.str.strip() if cells.dtype == "str" else cells)
            values = [column.take(frame[name], form) for name, column in columns.items()]
            if rows < KEPT and values:
                heads.append(np.column_stack(values))
            rows, blanks = rows + len(frame), blanks + int(blank.sum())
    return readings, heads, blanks


def _decided(readings: Sequence[_Stamps], known: Known, path: Path, guesses: dict[str, str]) -> tuple[Array, str, bool]:
    """The stamps by the one format that all rows have; of several, that by which rows have a frequency."""
    good = [reading for reading in readings if reading.bad is None]
    if not good:
        raise UnrollError(
            f"{path}: {readings[0].bad!r:.60} is no stamp of the form {readings[0].stamp_format}, as others are; "
            "correct the file, or pass --stamp-format"
        )
    if known.day_first is not None:
        good = [one for one in good if one.stamp_format.startswith("%d" if known.day_first else "%m")] or good
    written = {one.stamp_format: np.concatenate(one.read) for one in good}
    first, *others = written
    if others:
        share = {stamp_format: times.regularity(rows) for stamp_format, rows in written.items()}
        first, *others = sorted(written, key=lambda one: -share[one])
        others = [one for one in others if not np.array_equal(written[one], written[first])]
    if others and share[first] >= SURE and share[others[0]] <= share[first] * OTHER:
        guesses["stamp_format"] = f"by {others[0]} the rows would not be evenly spaced"
    elif others and first.startswith("%d.%m."):
        guesses["stamp_format"] = "with dots the day stands first; --month-first says otherwise"
    elif others:
        which = f"--stamp-format {first!r} or {others[0]!r}"
        if {first[:2], others[0][:2]} == {"%d", "%m"}:
            which = "--day-first or --month-first"
        raise UsageError(f"{path}: its stamps can be read as {first} or as {others[0]}; pass {which}")
    return written[first], first, next(one.utc for one in good if one.stamp_format == first)


def _found(
    form: CsvFormat, written: Array, utc: bool, columns: dict[str, Column], heads: list[Array], guesses: dict[str, str]
) -> Found:
    """Put together what was seen."""
    if (different := len(timestamps.distinct(written))) < 3:
        raise UnrollError(f"the file has {different} different stamps; a series has many")
    unsorted = bool((np.diff(written) < np.timedelta64(0)).any())
    clock = timestamps.regularity(written)
    if not utc and form.time_zone is None and (zone := times.zone(written, clock.freq)):
        form = form.model_copy(update={"time_zone": zone[0], "ends": zone[1]})
        guesses["time_zone"] = "hours are missing in spring and doubled in autumn; zones of the same rule do as well"
    if not utc and form.time_zone:
        try:
            moved = timestamps.to_utc(written, form.time_zone, ends=form.ends)
        except KeyError:
            given = f"Received: {form.time_zone!r}"
            raise UsageError(f"--time-zone must be a name such as Europe/Berlin. {given}") from None
        if np.isnat(moved).any():
            raise UsageError(
                f"--time-zone: {written[np.isnat(moved)][0]} is a time that {form.time_zone} skipped; pass another"
            )
        written = moved
    rows, clock = times.frequency(written)
    written = timestamps.evenly(written, rows)
    later = timestamps.distinct(written)
    _require_even(later, clock)
    apart = np.diff(later).astype(np.int64) // (clock.freq * 1000)
    sentinels: set[float] = set().union(*(column.sure for column in columns.values() if column.numeric))
    missing: Counter[str] = Counter()
    for column in columns.values():
        if column.numeric:
            if not column.left_out(sentinels):
                missing.update({"": column.empty})
            missing.update(column.words)
            missing.update({f"{number:g}": column.suspects[number] for number in sentinels})
    words = {name: next(iter(column.words)) for name, column in columns.items() if not column.numeric and column.words}
    others = [name for name, word in words.items() if times.formats(word, digits=False) or times.times(word)]
    return Found(
        form=form.model_copy(update={"drop": others}),
        columns=columns,
        missing=+missing,
        sentinels=sentinels,
        clock=clock,
        rows=len(written),
        unsorted=unsorted,
        first=timestamps.as_they_are(later[:1], rows)[0],
        last=timestamps.as_they_are(later[-1:], rows)[0],
        gaps=Counter((apart[apart > 1] - 1).tolist()),
        head=np.concatenate(heads) if heads else np.empty((0, 0)),
        guesses=guesses,
        uneven=rows,
    )


def _require_even(later: Array, clock: timestamps.Regularity) -> None:
    apart = np.diff(later).astype(np.int64)
    if np.median(apart) < 1000:
        raise UnrollError("rows lie less than a second apart; thin them out to a second or more")
    even = (apart == clock.freq * 1000).mean()
    if even < SURE or (even < 1 and apart.min() >= times.SHORTEST * 86_400_000):
        raise UnrollError(
            f"rows are not evenly spaced: from {apart.min() / 1000:g} to {apart.max() / 1000:g} seconds apart, "
            f"{clock.freq:,} in the middle; make rows of equal distance first, such as means of an hour"
        )
