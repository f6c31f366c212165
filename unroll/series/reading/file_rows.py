"""The rows of CSV and Parquet files, and of DataFrames: their cells and their numbers."""

import csv
import io
import itertools
import unicodedata
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.data.examples import Array
from pipeline.errors import UnrollError, UsageError, one_line
from pipeline.files import PLAIN
from unroll.series import time_zones
from unroll.series.options import argument
from unroll.series.reading import numbers, timestamp_formats
from unroll.series.reading.layout import layout, like_data, text_of
from unroll.series.reading.timestamp_formats import YEARS
from unroll.series.row_options import CsvFormat
from unroll.series.series_table import SeriesTable

MOST_NOTES = 10
"""The most rows below the data of a file that are sums and notes."""

FRAME = Path("the DataFrame")
"""What stands for the path of a DataFrame."""


@dataclass(frozen=True)
class FileRows:
    """The rows of one or more files of one form, or of a DataFrame.

    Attributes:
        paths: of the files; `FRAME` for a DataFrame.
        form: how the files are written.
        typed: whether cells have types, as in Parquet; otherwise they are text.
        cells: the rows that hold something, of all files; the index has the number of
            the file and of the row in the file.
        empty: how many rows hold nothing.
    """

    paths: Sequence[Path]
    form: CsvFormat
    typed: bool
    cells: pd.DataFrame
    empty: int

    @property
    def in_memory(self) -> bool:
        """Whether they are the rows of a DataFrame."""
        return FRAME in self.paths

    def place(self, row: int) -> str:
        """Return the file and the line of a row of `cells`."""
        number, own = self.cells.index[row]
        path = self.paths[number]
        if self.typed:
            return f"{path}, row {own} (from 0)"
        text, _, _ = text_of(path, self.form.encoding)
        form = form_of(path, text, self.form, self.cells.columns if number else ())
        # Records are counted from the header on; a quoted cell may have several lines.
        later = own if form.names else own + 1 + form.units_rows
        lines = itertools.islice(io.StringIO(text, newline=None), form.skip, None)
        reader = csv.reader(lines, delimiter=form.delimiter, skipinitialspace=True)
        ends = (
            reader.line_num
            for record in reader
            if len(record) > 1 or "".join(record).strip()
        )
        with suppress(csv.Error, StopIteration):
            return (
                f"{path}, line {form.skip + next(itertools.islice(ends, later, None))}"
            )
        return f"{path}, row {own + 1}"  # a cell is too long for `csv`


def below_data(rows: FileRows, cells: "pd.Series[Any]", wrong: Array) -> Array:
    """Return (rows,) bool: the last rows of each file, if they have no timestamp.

    Such are sums and notes. They are few; a date that is wrong is none.

    Args:
        rows: the rows of the files.
        cells: (rows,) their timestamps as written.
        wrong: (rows,) bool, whether a cell is no timestamp.
    """
    is_note = np.zeros(len(cells), bool)
    few = np.flatnonzero(wrong)
    if len(few) <= MOST_NOTES * len(rows.paths):
        texts = cells.iloc[few].astype("str").fillna("")
        is_note[few] = [not like_data(text) for text in texts]
    files = rows.cells.index.get_level_values(0)
    has_later = pd.Series(~is_note[::-1]).groupby(files[::-1]).cummax()
    return np.asarray(~has_later.to_numpy()[::-1])


def without_notes(
    rows: FileRows, cells: "pd.Series[Any]", is_note: Array
) -> tuple[FileRows, tuple[tuple[str, str], ...]]:
    """Return the rows that are data, and a line on others (`below_data`)."""
    if not is_note.any():
        return rows, ()
    first = int(is_note.argmax())
    count = f"{is_note.sum()} rows" if is_note.sum() > 1 else "1 row"
    line = (
        f"{count} without a timestamp below the data, first at {rows.place(first)}: "
        f"{str(cells.iloc[first])!r:.60}"
    )
    return replace(rows, cells=rows.cells[~is_note]), (("left out", line),)


def is_parquet(path: Path) -> bool:
    """Return whether a file begins as Parquet files do."""
    with path.open("rb") as file:
        return file.read(4) == b"PAR1"


def form_of(path: Path, text: str, form: CsvFormat, names: Iterable[str]) -> CsvFormat:
    """Return how one of several files is written: as the form says if the names of its
    columns stand where the form says, else by its own first lines.
    """
    [header] = itertools.islice(io.StringIO(text), form.skip, form.skip + 1) or [""]
    if form.names or all(name in header for name in names):
        return form
    with suppress(UnrollError):  # who reads its rows says what is wrong
        own, _ = layout(path, text, None)
        of_layout = {"delimiter", "skip", "names", "units_rows"}
        form = form.model_copy(update=own.model_dump(include=of_layout))
    return form


def units_of(text: str, form: CsvFormat) -> str:
    """Return the row of units below the header of a file; "" if there is none."""
    first = form.skip + 1
    lines = itertools.islice(io.StringIO(text), first, first + form.units_rows)
    return next(lines, "").strip()


def read(
    paths: Sequence[Path], form: CsvFormat, texts: Mapping[Path, str] | None = None
) -> FileRows:
    """Read all rows of files.

    Cells of CSV are text, "" where a row is too short. Cells of Parquet have their
    types.

    Args:
        paths: CSV, Parquet or .xlsx files; the first file decides which columns there are.
        form: how the files are written.
        texts: file -> its text, if the text was read before.

    Raises:
        UnrollError: a file is damaged, of another encoding, not regular, or lacks a
            column that the first file has.
    """
    frames: list[pd.DataFrame] = []
    typed = is_parquet(paths[0])
    units = ""
    for path in paths:
        text = (texts or {}).get(path)
        own = form
        if not typed and text is None and path.exists():
            text, _, _ = text_of(path, form.encoding)
        if text is not None:
            own = form_of(path, text, form, frames[0].columns if frames else ())
            found = units_of(text, own)
            units = units or found
            if found and found != units:
                raise UnrollError(
                    f"{path} has the row of units {found!r:.60}, and files before have "
                    f"{units!r:.60}; write all in one unit"
                )
        cells = _cells(path, own, text)
        cells = cells.set_axis(plain_names(cells.columns, path), axis=1)
        names = [*(frames or [cells])[0].columns]
        lacking = [name for name in names if name not in cells.columns]
        if lacking:
            raise UnrollError(
                f"{path} has no column {lacking[0]!r}, which {paths[0].name} has; rename "
                f"one of its columns ({', '.join(cells.columns)!s:.200}), or leave "
                f"{path.name} out"
            )
        frames.append(cells[names])
    return _rows_of(paths, form, frames, typed=typed)


def of_frame(frame: pd.DataFrame, form: CsvFormat) -> FileRows:
    """Return the rows of a DataFrame, with types as in Parquet.

    Raises:
        UsageError: a column holds neither numbers, text nor times.
    """
    import pyarrow as pa

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what pyarrow asks of pandas 4
            table = pa.Table.from_pandas(frame, preserve_index=False)
    # pyarrow's errors are of these kinds
    except (TypeError, ValueError, NotImplementedError) as error:
        raise UsageError(
            "data has a column that is neither numbers, text nor timestamps "
            f"({error!s:.160}); leave it out"
        ) from None
    _require_plain(table.schema, FRAME, form)
    cells = table.to_pandas(ignore_metadata=True)
    cells = cells.set_axis(plain_names(cells.columns, FRAME), axis=1)
    return _rows_of([FRAME], form, [cells], typed=True)


def _rows_of(
    paths: Sequence[Path],
    form: CsvFormat,
    frames: Sequence[pd.DataFrame],
    *,
    typed: bool,
) -> FileRows:
    """Return the rows that hold something; spreadsheets leave empty rows."""
    frames = [frame.reset_index(drop=True) for frame in frames]
    cells = pd.concat(frames, keys=range(len(frames)))
    blank = (cells.isna() | (cells == "")).all(axis=1)
    return FileRows(paths, form, typed, cells[~blank], int(blank.sum()))


def _cells(path: Path, form: CsvFormat, text: str | None) -> pd.DataFrame:
    typed = is_parquet(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            if typed:
                return _parquet(path, form)
            if text is None:
                text, _, _ = text_of(path, form.encoding)
            return _csv(text, form)
    except Exception as error:
        of_disk = getattr(error, "errno", None) is not None
        if of_disk or isinstance(error, UnrollError | MemoryError):
            raise
        first = "".join((text or "").splitlines()[form.skip : form.skip + 1])
        # Blanks are not looked for.
        if not typed and not form.delimiter.isspace() and form.delimiter not in first:
            raise UnrollError(
                f"{path} has no {form.delimiter!r} in its first row; save it with the "
                "delimiter of the rows that were read before"
            ) from None
        kind = "is no whole Parquet file" if typed else "is not a regular CSV file"
        why = one_line(str(error)).removeprefix("Error tokenizing data. C error: ")
        raise UnrollError(
            f"{path} {kind} ({why:.160}); correct the file, or save it again"
        ) from None


def _csv(text: str, form: CsvFormat) -> pd.DataFrame:
    units = range(form.skip + 1, form.skip + 1 + form.units_rows)
    return pd.read_csv(
        io.StringIO(text),
        sep=r"\s+" if form.delimiter == " " else form.delimiter,
        skiprows=[*range(form.skip), *units],
        header=None if form.names else 0,
        names=form.names,
        index_col=False,
        dtype=str,
        keep_default_na=False,
        skipinitialspace=True,
    ).fillna("")


def _parquet(path: Path, form: CsvFormat) -> pd.DataFrame:
    """Return the rows without the dropped columns."""
    from pyarrow import parquet

    file = parquet.ParquetFile(path)
    plain_names(file.schema_arrow.names, path)
    columns = _require_plain(file.schema_arrow, path, form)
    texts = [one.name for one in file.schema_arrow if "string" in str(one.type)]
    # a text that stands in all rows is in memory once
    file = parquet.ParquetFile(path, read_dictionary=texts)
    rows = file.read(columns)
    rows.validate(full=True)  # of text, too: pandas decodes it when it is used
    cells = rows.to_pandas(ignore_metadata=True)
    return cells.astype({name: object for name in texts if name in columns})


def _require_plain(schema: Any, path: Path, form: CsvFormat) -> list[str]:
    """Return the columns of Arrow's schema that the form does not drop.

    Raises:
        UnrollError: one of them holds neither numbers, text nor times.
    """
    kept = [one for one in schema if one.name not in form.drop]
    odd = [one for one in kept if not PLAIN.match(str(one.type))]
    if odd:
        raise UnrollError(
            f"{path}: column {odd[0].name!r} holds {odd[0].type!s:.80}; save it as "
            "numbers, text or times, or leave it out"
        )
    return [one.name for one in kept]


def plain_names(names: Iterable[object], path: Path) -> list[str]:
    """Return `plain_name` of each column.

    Raises:
        UnrollError: two columns have one name.
    """
    plain = [plain_name(str(name)) for name in names]
    twice = [name for name, count in Counter(plain).items() if count > 1]
    if twice:
        raise UnrollError(
            f"{path} has two columns {twice[0]!r}; rename or remove one of them"
        )
    return plain


def plain_name(name: str) -> str:
    """Return a column's name in one line, without invisible letters."""
    seen = "".join(letter for letter in name if unicodedata.category(letter) != "Cf")
    return " ".join(seen.split())


def column_named(name: str, columns: Iterable[str]) -> str:
    """Return the column that a user means by a name.

    The case of letters is ignored if only one column fits. If no column fits, or
    several do, the name is returned as it is.

    Args:
        name: the name that the user wrote.
        columns: the names of a file's columns.
    """
    plain = plain_name(name)
    alike = [column for column in columns if column.casefold() == plain.casefold()]
    if plain in alike:
        return plain
    return alike[0] if len(alike) == 1 else name


def stamped(
    rows: FileRows,
) -> tuple[FileRows, Array, bool, tuple[tuple[str, str], ...]]:
    """Return the rows that are data, and their timestamps as the form says.

    Returns:
        The rows; (rows,) datetime64[ms]; whether they are in UTC; and lines on rows below
        the data.

    Raises:
        UnrollError: there are no rows, or a cell is not a timestamp.
    """
    form = rows.form
    if not len(rows.cells):
        raise UnrollError(f"{rows.paths[0]} holds no rows; add rows below the header")
    cells = timestamp_formats.joined(rows.cells, form.stamp)
    stamps, utc = timestamp_formats.parse(cells, form.stamp_format, form.first_year)
    wrong = timestamp_formats.wrong(stamps)
    is_note = below_data(rows, cells, wrong)
    wrong &= ~is_note
    if wrong.any():
        raise wrong_stamp(rows, cells, stamps, int(wrong.argmax()), form.stamp_format)
    rows, notes = without_notes(rows, cells, is_note)
    return rows, stamps[~is_note], utc, notes


def table_of(rows: FileRows) -> SeriesTable:
    """Return the numbers of all columns that the form of the rows does not drop.

    A category has a column `COLUMN=WORD` of 0 and 1 for each of its words. An empty
    cell is no word.

    Raises:
        UnrollError: there are no rows, or a cell is not a timestamp or not a finite
            number; the text names its line and column.
        UsageError: a time does not exist in the form's time zone.
    """
    form = rows.form
    rows, stamps, utc, _ = stamped(rows)
    names = [
        name
        for name in rows.cells.columns
        if name not in {*form.stamp, *form.drop, *form.words}
    ]
    values = values_of(rows, names)
    if form.categories:
        texts = rows.cells[form.categories].apply(timestamp_formats.as_text)
        texts = texts.mask(texts.isin([*(form.missing or ()), ""])).astype("str")
        words = pd.get_dummies(texts, prefix_sep="=", dtype=np.float64)
        names = [*names, *words.columns]
        values = np.hstack([values, words.to_numpy()])
    series_id = None
    if form.series_id is not None:
        of_rows = timestamp_formats.as_text(rows.cells[form.series_id])
        series_id = of_rows.fillna("").to_numpy(object)
    if form.time_zone is not None and not utc:
        stamps = in_utc(stamps, form.time_zone, ends=form.ends, series_id=series_id)
    return SeriesTable(stamps, names, values, series_id)


def values_of(rows: FileRows, columns: Sequence[str]) -> Array:
    """Return (rows, columns) float64, NaN where a value is missing.

    Raises:
        UnrollError: a cell is neither a finite number nor one of `missing`.
    """
    form = rows.form
    missing = [word.strip() for word in form.missing or ()]
    values = np.empty((len(rows.cells), len(columns)))
    for index, column in enumerate(columns):
        cells = rows.cells[column]
        values[:, index] = numbers.values_of(cells, form)
        texts = cells.astype("str").str.strip()
        bad = ~np.isfinite(values[:, index]) & ~texts.isin(missing)
        if form.missing is not None:
            bad &= cells.notna()
        if bad.any():
            row = int(bad.to_numpy().argmax())
            text = texts.fillna("").iloc[row]
            holds = f"{text!r:.60}, not a finite number" if text else "no value"
            raise UnrollError(
                f"{rows.place(row)}: column {column!r} holds {holds}; correct the "
                f"file, say what means no value with {argument('missing')}, or leave the "
                "column out"
            )
    sentinels = numbers.values_of(pd.Series(missing, dtype="str"), CsvFormat())
    finite = sentinels[np.isfinite(sentinels)]
    values[~np.isfinite(values) | np.isin(values, finite)] = np.nan
    return values


def in_utc(
    written: Array, zone: str, *, ends: bool = False, series_id: Array | None = None
) -> Array:
    """Return `time_zones.to_utc`, with a user's mistakes as errors.

    Raises:
        UsageError: the zone does not exist, or its clocks skipped a time.
    """
    try:
        utc = time_zones.to_utc(written, zone, ends=ends, series_id=series_id)
    except (KeyError, ValueError, OSError):
        raise UsageError(
            f"{argument('time_zone')} must be a name such as Europe/Berlin. Received: {zone!r}"
        ) from None
    skipped = np.isnat(utc)
    if skipped.any():
        raise UsageError(
            f"{argument('time_zone')} does not fit: clocks of {zone} skipped the time "
            f"{written[skipped.argmax()]}; name the zone of the file, or leave "
            f"{argument('time_zone')} out"
        )
    return utc


def wrong_stamp(
    rows: FileRows, cells: "pd.Series[Any]", moments: Array, row: int, stamp_format: str
) -> UnrollError:
    """Return the error that names a row with a wrong timestamp."""
    what = (
        f"is no timestamp of the form {stamp_format}, as others are; correct the file"
    )
    plain = (
        cells.iloc[[0, row]].astype("str").fillna("").map(timestamp_formats.plain_date)
    )
    offsets = plain.str.contains(timestamp_formats.UTC_OFFSET)
    if not np.isnat(moments[row]):
        what = (
            f"lies outside of the years {YEARS[0]} to {YEARS[1]}, read as "
            f"{stamp_format}; correct it, or if most are right pass "
            f"{argument('stamp', str(cells.name))}"
        )
    elif stamp_format == "ISO8601" and offsets.any() and not offsets.all():
        what = (
            f"is not like {cells.iloc[0]!r:.60}: one has a UTC offset; write all "
            "timestamps alike"
        )
    return UnrollError(f"{rows.place(row)}: {str(cells.iloc[row])!r:.60} {what}")
