"""Forecasts of one column of a file from windows of all its columns.

The rows are equally spaced in time. Documents 001 and 002 (the temperature at Jena)
have such data sets.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pydantic

from pipeline.data import row_table, windowing
from pipeline.data.dataset import Dataset, Scale
from pipeline.data.examples import Windows, ceil_div
from pipeline.data.row_table import RowTable
from pipeline.data.timestamps import Regularity, distinct, regularity, shown
from pipeline.data.windowing import Count, Rows, Series, WindowSpec
from pipeline.errors import UnrollError, UsageError
from pipeline.validation import Strict

Size = Annotated[float, pydantic.Field(gt=0, le=1_000_000_000)]
BLOCKS = ("rows to train on", "rows to validate on", "rows to test on")
"""Names of the facts that hold the sizes of the blocks."""


class Csv(Strict):
    """The form of a CSV file of rows.

    Attributes:
        file: the name of the file.
        stamp: the column of timestamps.
        target: the column to forecast.
        stamp_format: the format of the timestamps for `strptime`, or "ISO8601".
        drop: columns to leave out; all other columns hold numbers.
    """

    file: str
    stamp: str
    target: str
    stamp_format: str = "ISO8601"
    drop: list[str] = pydantic.Field(default=[])


class Repair(Strict):
    """Options of completing rows.

    Attributes:
        spacing: seconds from row to row; by default the median of the file.
        sentinel: a number that also stands for a missing value.
    """

    spacing: Count | None = None
    sentinel: float | None = None


class Thinned(Strict):
    """A file that holds every so many rows of a longer file, from the first row on.

    Attributes:
        every: rows of the longer file from one row of this file to the next.
        rows: the number of rows of the longer file that count.
    """

    every: Annotated[int, pydantic.Field(ge=2, le=1_000_000)]
    rows: Count


MOST_REPEATED = 0.1
"""Largest share of rows that may repeat a timestamp. A file with more holds several
series."""


def prepare(
    name: str,
    raw: Path,
    *,
    csv: Csv,
    windows: WindowSpec,
    train: Size,
    validation: Size | None = None,
    cleaning: Repair = Repair(),  # noqa: B008 - frozen
    protocol: Literal["as_published", "keras_utility", "corrected"] = "corrected",
    batch_size: Count | None = None,
    thinned: Thinned | None = None,
) -> Dataset:
    """Return windows over a series, standardised by the train rows.

    Each row also has columns of the calendar, for the models that use them.

    The protocol `as_published` does what the generator of documents 001 and 002 does,
    slips included (see `windowing.document_rows`). Of the rows only the sentinel is
    replaced, if `cleaning` names it. The target lies
    delay + step rows after the last input, possibly in the next block. Validation and
    test consist of whole batches only.

    The protocol `keras_utility` replaces only the sentinel, too. Its windows are those
    that Keras' own function cuts for document 006 (see `windowing.document_rows`). The
    target lies exactly `delay` rows after the last input.

    With `thinned` these two protocols count rows of the whole file for the blocks and
    the batches. Of the windows that they give, those count whose rows the file holds.
    `windows` counts rows of the file.

    The protocol `corrected` avoids the slips. Rows are sorted by their timestamps, the
    first of repeated rows is kept, and `cleaning` completes them. Then they are cut
    into blocks, and mean and deviation are taken over the train block. A window counts
    if

    - its first input and its targets lie in one block (but see `WindowSpec.overlap`),
    - no gap lies between them, and
    - its targets were measured (but see `WindowSpec.partial`).

    The target lies exactly `delay` rows after the last input.

    Args:
        name: the name of the data set.
        raw: the folder of its source.
        csv: the form of the file.
        windows: how windows are cut.
        train: the size of the train block in rows if it is 1 or more, else as a
            fraction of the rows.
        validation: the size of the validation block; None for no such block. The rest
            is the test block.
        cleaning: how rows are completed; `spacing` is for `corrected` only.
        protocol: how rows are cleaned and split: `corrected`, or as a document does.
        batch_size: the batch size of the generator, for `as_published` only.
        thinned: how the file was thinned, for the protocols of documents only; None if
            it is whole.

    Returns:
        A forecast, scored by MAE. Its splits share a series (rows, columns + calendar),
        float32.

    Raises:
        UnrollError: the file cannot be used (`row_table.read`) or is too short for the
            splits and the windows.
        UsageError: an option contradicts another or names a column that is not there.
        ValueError: `lookback` is not a multiple of `step`, or a number of rows is not
            whole.
    """
    where = f"datasets.{name}.preparation"
    published = protocol == "as_published"
    if published != (batch_size is not None):
        what = "has no effect; only as_published scores"
        if published:
            what = "is missing; it scores"
        raise UsageError(f"params.yaml: {where}.batch_size {what} whole batches")
    if thinned is not None and protocol == "corrected":
        raise UsageError(
            f"params.yaml: {where}.thinned has no effect; only as_published and "
            "keras_utility count rows of the whole file"
        )
    table = row_table.read(raw / csv.file, csv.stamp, csv.stamp_format, csv.drop)
    if csv.target not in table.columns:
        raise UsageError(
            f"params.yaml: {where}.csv.target: {csv.file} has no column of numbers "
            f"{csv.target!r}. It has: {', '.join(table.columns)}"
        )
    stamps = len(distinct(table.timestamps))
    if stamps < (1 - MOST_REPEATED) * len(table.timestamps):
        raise UnrollError(
            f"{raw / csv.file}: {len(table.timestamps):,} rows have {stamps:,} "
            "different timestamps; a file of several series is for `unroll answer`, or "
            "keep one series"
        )
    try:
        return _of_table(
            name,
            table,
            csv.target,
            cleaning,
            windows,
            train,
            validation,
            protocol,
            batch_size,
            thinned,
        )
    except UnrollError as error:
        raise UnrollError(f"{raw / csv.file}: {error}; see {where}") from None


def _of_table(
    name: str,
    table: RowTable,
    target: str,
    cleaning: Repair,
    windows: WindowSpec,
    train: float,
    validation: float | None,
    protocol: str,
    batch_size: int | None,
    thinned: Thinned | None,
) -> Dataset:
    """Return windows over rows that have been read; otherwise as `prepare`.

    Raises:
        UnrollError: the rows are too few for the splits and the windows, or there is
            nothing to learn.
    """
    if thinned is not None:
        table = _first_rows(table, thinned)
    corrected = protocol == "corrected"
    if corrected:
        rows = windowing.clean(table.timestamps, table.values, cleaning.sentinel)
        regular = regularity(table.timestamps, cleaning.spacing)
    else:
        rows = windowing.as_they_are(table.timestamps, table.values, cleaning.sentinel)
        regular = regularity(table.timestamps)
    column = table.columns.index(target)
    borders, documented, counts = _document_examples(
        len(rows.values),
        windows,
        train,
        validation,
        batch_size,
        thinned,
        corrected=corrected,
    )
    scales = windowing.statistics(rows, table.columns, borders[0])
    windowing.require_a_change(scales, table.columns, column, borders[0])
    lost = dict[str, int]()
    if documented is None:
        examples, lost = windowing.corrected_rows(
            rows, *borders, windows, freq=regular.freq, target=column
        )
    else:
        examples = documented
    if validation is None:
        del examples["validation"]
    windowing.require_room(examples, rows, table.columns, windows, borders, regular)
    # `Windows` counts from the row one step after the last input, so a target `delay`
    # rows after the last input is at `delay - step`. The documents' generator counts in
    # the same way, but forgets to subtract the step.
    slip = windows.step if protocol == "as_published" else 0
    inputs = windowing.inputs_of(rows.values, rows.timestamps, scales)
    splits = {
        split: Windows(
            inputs,
            own,
            windows.lookback,
            windows.step,
            delay=windows.first - windows.step + slip,
            target=column,
            outputs=windows.horizon,
        )
        for split, own in examples.items()
    }
    facts = _facts(
        protocol, rows, table.columns, cleaning, regular, borders, splits, counts
    )
    return Dataset(
        name=name,
        kind="forecast",
        metric="mae",
        splits={**splits},
        scale=Scale(
            unit=windows.unit,
            quantity=windows.quantity,
            mean=scales.mean[column],
            std=scales.std[column],
        ),
        period=windowing.timesteps_of_day(regular.freq * windows.step),
        calendar=windowing.calendar_columns(week=False),
        scored=("validation",) if validation is not None else (),
        stamps=rows.timestamps,
        facts=facts | lost,
    )


def _document_examples(
    count: int,
    windows: WindowSpec,
    train: float,
    validation: float | None,
    batch_size: int | None,
    thinned: Thinned | None,
    *,
    corrected: bool,
) -> tuple[tuple[int, int], Rows | None, dict[str, int]]:
    """Return the blocks of a file, and the examples of the documents' protocols.

    Returns:
        The first row of the validation block and of the test block; split -> the rows
        of the documents' examples, None if the protocol is `corrected`; and description
        -> count, for the facts. Rows are counted in the file.
    """
    # A file that is not thinned is the whole file, and holds every row of it.
    total = thinned.rows if thinned else count
    spread = thinned.every if thinned else 1
    blocks = windowing.borders(total, train, validation)
    borders = (ceil_div(blocks[0], spread), ceil_div(blocks[1], spread))
    counts = {} if thinned is None else {"rows of the whole file": total}
    if corrected:
        return borders, None, counts
    of_whole = windowing.document_rows(
        total, *blocks, windows.spread(spread), batch_size
    )
    # A window's inputs and targets lie whole multiples of `spread` rows from its row.
    # So they are in the file if the window's row is.
    documented = {
        split: own[own % spread == 0] // spread for split, own in of_whole.items()
    }
    return (
        borders,
        documented,
        _block_sizes(of_whole, blocks, total, batch_size) | counts,
    )


def _first_rows(table: RowTable, thinned: Thinned) -> RowTable:
    """Return the rows of a thinned file that are among the first rows of the whole file.

    Raises:
        UnrollError: the file has fewer rows.
    """
    needed = ceil_div(thinned.rows, thinned.every)
    if len(table.timestamps) < needed:
        raise UnrollError(
            f"{len(table.timestamps):,} rows are fewer than every {thinned.every}th of "
            f"{thinned.rows:,}, which are {needed:,}"
        )
    return table.only(np.arange(len(table.timestamps)) < needed)


def _block_sizes(
    rows: Rows,
    blocks: tuple[int, int],
    row_count: int,
    batch_size: int | None,
) -> dict[str, int]:
    """Return description -> count, for the protocols of documents.

    Args:
        rows: the rows of examples in the whole file.
        blocks: the first row of the validation block and of the test block in it.
        row_count: the number of its rows.
        batch_size: the batch size of the generator; None without a generator.
    """
    counts = dict(zip(BLOCKS, np.diff([0, *blocks, row_count]).tolist(), strict=True))
    if batch_size and len(rows["validation"]):
        counts["validation batches"] = len(rows["validation"]) // batch_size
    return counts


def _facts(
    protocol: str,
    rows: Series,
    columns: list[str],
    cleaning: Repair,
    regular: Regularity,
    borders: tuple[int, int],
    splits: dict[str, Windows],
    counts: dict[str, int],
) -> dict[str, Any]:
    """Return the facts of a data set: description -> value."""
    stamps = rows.timestamps
    test = splits["test"]
    timesteps = test.horizon + (test.outputs - 1) * test.step
    facts = {
        "protocol": protocol,
        "rows": len(stamps),
        **counts,
        "columns": columns,
        "quantities": len(columns),
        "horizon in hours": timesteps * regular.freq / 3600,
        "train from": shown(stamps[rows.start]),
        "validation from": shown(stamps[borders[0]])
        if "validation" in splits
        else None,
        "test from": shown(stamps[borders[1]]),
        "test to": shown(stamps[-1]),
        "seconds between rows": regular.freq,
        "repeated stamps": regular.repeated,
        "gaps": regular.gaps,
        "sentinels": int(rows.unknown.sum()) if cleaning.sentinel is not None else None,
        "values at once": test.outputs if test.outputs > 1 else None,
    }
    return {words: value for words, value in facts.items() if value is not None}
