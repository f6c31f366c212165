"""The rows of files as numbers, by a form that is known."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from pipeline.data.examples import Array
from pipeline.data.row_table import RowTable
from pipeline.data.series_options import CsvFormat
from pipeline.errors import UnrollError
from series.reading import numbers, timestamp_checks, timestamp_formats
from series.reading.files import Rows


def table_of(rows: Rows) -> RowTable:
    """Return the numbers of rows by their form: all columns but the dropped ones.

    Raises:
        UnrollError: there are no rows, or a cell is not a timestamp or not a finite
            number; the text names its line and column.
        UsageError: a time does not exist in the form's time zone.
    """
    form = rows.form
    if not len(rows.cells):
        raise UnrollError(f"{rows.paths[0]} holds no rows; add rows below the header")
    cells = timestamp_formats.joined(rows.cells, form.stamp)
    stamps, utc = timestamp_formats.parse(cells, form.stamp_format, form.first_year)
    wrong = timestamp_formats.wrong(stamps)
    if wrong.any():
        row = int(wrong.argmax())
        raise timestamp_checks.wrong_stamp(rows, cells, stamps, row, form.stamp_format)
    others = {*form.stamp, *form.drop, *form.words}
    names = [name for name in rows.cells.columns if name not in others]
    values = values_of(rows, names)
    series_id = None
    if form.series_id is not None:
        texts = timestamp_formats.as_text(rows.cells[form.series_id])
        series_id = texts.fillna("").to_numpy(object)
    if form.time_zone is not None and not utc:
        stamps = timestamp_checks.in_utc(
            stamps, form.time_zone, ends=form.ends, series_id=series_id
        )
    table = RowTable(stamps, names, values, series_id)
    return with_words(table, rows.cells, form)


def with_words(table: RowTable, cells: pd.DataFrame, form: CsvFormat) -> RowTable:
    """Return a table with a column of 0 and 1, `COLUMN=WORD`, for each word of the
    form's categories; an empty cell is no word.
    """
    columns = list(table.columns)
    blocks = [table.values]  # noqa: PD011 - not pandas'
    for column in form.categories:
        texts = timestamp_formats.as_text(cells[column])
        texts = texts.mask(texts.isin([*(form.missing or ()), ""])).astype("str")
        codes, words = pd.factorize(texts, sort=True)
        columns += [f"{column}={word}" for word in words]
        blocks.append((codes[:, None] == np.arange(len(words))).astype(np.float64))
    if len(blocks) == 1:  # a single block is large: `concatenate` would copy it
        return table
    return replace(table, columns=columns, values=np.concatenate(blocks, axis=1))


def values_of(rows: Rows, columns: Sequence[str]) -> Array:
    """Return (rows, columns) float64, NaN where a value is missing.

    Raises:
        UnrollError: a cell is neither a finite number nor one of `missing`.
    """
    form = rows.form
    marks = CsvFormat() if rows.typed else form
    missing = [word.strip() for word in form.missing or ()]
    values = np.empty((len(rows.cells), len(columns)))
    for index, column in enumerate(columns):
        cells = rows.cells[column]
        values[:, index] = numbers.values_of(cells, marks)
        texts = cells.astype("str").str.strip()
        bad = ~np.isfinite(values[:, index]) & ~texts.isin(missing)
        if form.missing is not None:
            bad &= cells.notna()
        if bad.any():
            row = int(bad.to_numpy().argmax())
            text = texts.iloc[row]
            holds = "no value"
            if isinstance(text, str) and text:
                holds = f"{text!r:.60}, not a finite number"
            raise UnrollError(
                f"{rows.place(row)}: column {column!r} holds {holds}; correct the "
                "file, say what means no value with --missing, or leave the column out"
            )
    sentinels = numbers.values_of(pd.Series(missing, dtype="str"), CsvFormat())
    finite = sentinels[np.isfinite(sentinels)]
    values[~np.isfinite(values) | np.isin(values, finite)] = np.nan
    return values
