"""Forecasts of one column of a file from windows of all its columns.

The rows are equally spaced in time. Documents 001 and 002 (the temperature at Jena)
have such data sets. `from_table` makes one of the rows of a user's own file.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pydantic

from pipeline.data import row_calendar, row_table, windowing
from pipeline.data.dataset import Dataset, Scale
from pipeline.data.examples import Array, Windows, ceil_div
from pipeline.data.row_options import (
    ALONE,
    Cleaning,
    Count,
    CsvFormat,
    Preprocessing,
    Repair,
    Statistics,
    Thinned,
    WindowSpec,
)
from pipeline.data.row_table import RowTable
from pipeline.data.timestamps import distinct, shown
from pipeline.data.windowing import DAY, Measured
from pipeline.errors import UnrollError, UnusableSeriesError, UsageError
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
        protocol: one of the three above.
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
    form = CsvFormat(**csv.model_dump() | {"stamp": [csv.stamp]})
    try:
        return from_table(
            name,
            table,
            form,
            Cleaning(**cleaning.model_dump()),
            windows,
            train,
            validation=validation,
            protocol=protocol,
            batch_size=batch_size,
            thinned=thinned,
        )
    except UnrollError as error:
        raise UnrollError(f"{raw / csv.file}: {error}; see {where}") from None


def from_table(
    name: str,
    table: RowTable,
    csv: CsvFormat,
    cleaning: Cleaning,
    windows: WindowSpec,
    train: float,
    *,
    validation: float | None = None,
    protocol: Literal["as_published", "keras_utility", "corrected"] = "corrected",
    batch_size: int | None = None,
    thinned: Thinned | None = None,
) -> Dataset:
    """Return windows over rows that have been read; otherwise as `prepare`.

    With `csv.series_id` there are several series. Each is prepared on its own, at the
    timestamps of all series, and cut at the same rows. The series follow one another in
    the data set (`Dataset.series_id`). Each is standardised by its own train rows. With
    `windows.begun` a series that begins late, or that changes late, is standardised by
    all its rows.

    Raises:
        UnrollError: the rows are too few for the splits and the windows, or there is
            nothing to learn.
        UnusableSeriesError: some of several series cannot be used for such a reason.
    """
    corrected = protocol == "corrected"
    table = _rows_that_count(table, csv, cleaning, windows)
    if thinned is not None:
        table = _first_rows(table, thinned)
    measured_by_series = {}
    for key, own in table.by_series().items():
        if corrected:
            rows = windowing.rows_of(own, csv, cleaning, windows)
        else:
            rows = windowing.as_they_are(own, None, cleaning.sentinel)
        measured_by_series[key] = rows
    first = next(iter(measured_by_series.values()))
    count = len(first.series.values)
    column = first.columns.index(csv.target)
    borders, documented, counts = _document_examples(
        count, windows, train, validation, batch_size, thinned, corrected=corrected
    )
    cuts = _cut(
        measured_by_series,
        borders,
        csv,
        cleaning,
        windows,
        documented,
        validated=validation is not None,
    )
    statistics = {key: cut.statistics for key, cut in cuts.items()}
    lost = Counter[str]()
    for cut in cuts.values():
        lost.update(cut.lost)
    # `Windows` counts from the row one step after the last input, so a target `delay`
    # rows after the last input is at `delay - step`. The documents' generator counts in
    # the same way, but forgets to subtract the step.
    slip = windows.step if protocol == "as_published" else 0
    delay = windows.first - windows.step + slip
    fitted = Preprocessing(
        csv=csv,
        cleaning=cleaning.model_copy(update={"spacing": first.regular.freq}),
        windows=windows,
        columns=first.columns,
        series=statistics,
        slip=slip,
    )
    inputs = [
        windowing.inputs_of(rows.series, fitted, statistics[key])
        for key, rows in measured_by_series.items()
    ]
    # A single series is not copied.
    all_inputs = np.concatenate(inputs) if len(inputs) > 1 else inputs[0]
    made = _splits(all_inputs, measured_by_series, cuts, csv, windows, delay)
    stamps = row_calendar.stamps(first.series.timestamps, cleaning, csv.time_zone)
    facts = _facts(protocol, first, borders, made.splits, stamps, fitted, counts)
    if csv.series_id:
        facts["series"] = len(measured_by_series)
    return Dataset(
        name=name,
        kind="forecast",
        metric="mae",
        splits={**made.splits},
        scale=_scale(windows, statistics.get(ALONE), column),
        period=_timesteps_of_day(cleaning, first.regular.freq, windows.step),
        calendar=windowing.calendar_columns(week=windows.week),
        scored=("validation",) if validation is not None else (),
        stamps=np.tile(stamps, len(measured_by_series)),
        series_id=made.series_id,
        truth=made.truth,
        fitted=fitted,
        facts=facts | dict(lost),
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
) -> tuple[tuple[int, int], windowing.Rows | None, dict[str, int]]:
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


@dataclass(frozen=True)
class _Cut:
    """What is chosen of one series.

    Attributes:
        statistics: the statistics of its train rows.
        rows: split -> the rows of its examples, counted in the series.
        lost: description -> count of filled and lost rows.
    """

    statistics: Statistics
    rows: windowing.Rows
    lost: dict[str, int]


@dataclass(frozen=True)
class _Splits:
    """The examples of all series, one series after another.

    Attributes:
        splits: split -> its examples.
        truth: (rows,) the target as measured, NaN where it is missing; None if all
            targets were measured.
        series_id: (rows,) the number of each row's series; None if there is one series
            and all targets were measured.
    """

    splits: dict[str, Windows]
    truth: Array | None
    series_id: Array | None


def _splits(
    all_inputs: Array,
    measured_by_series: dict[str, Measured],
    cuts: dict[str, _Cut],
    csv: CsvFormat,
    windows: WindowSpec,
    delay: int,
) -> _Splits:
    """Return the examples of all series.

    Args:
        all_inputs: (rows, columns) the standardised rows of all series.
        measured_by_series: series -> its rows.
        cuts: series -> what is chosen of it.
        csv: the form of the file.
        windows: how windows are cut.
        delay: rows from the row after a window's last timestep to its first target.
    """
    all_series = [*measured_by_series.values()]
    count = len(all_series[0].series.values)
    column = all_series[0].columns.index(csv.target)
    truth = None
    measured = None
    series_id = None
    if windows.partial:
        truth = np.concatenate([rows.target(column) for rows in all_series])
        measured = np.isfinite(truth)
    if windows.partial or csv.series_id:
        series_id = np.repeat(np.arange(len(all_series)), count)
    chosen = defaultdict[str, list[Array]](list)
    for number, cut in enumerate(cuts.values()):
        for split, own in cut.rows.items():
            chosen[split].append(own + number * count)
    splits = {
        split: Windows(
            all_inputs,
            np.concatenate(own),
            windows.lookback,
            windows.step,
            delay=delay,
            target=column,
            outputs=windows.horizon,
            measured=measured,
        )
        for split, own in chosen.items()
    }
    return _Splits(splits, truth, series_id)


def _scale(windows: WindowSpec, alone: Statistics | None, column: int) -> Scale:
    """Return the scale of the target.

    Several series, which are not `alone`, have no scale in common.
    """
    if alone is None:
        return Scale(quantity=windows.quantity)
    return Scale(
        unit=windows.unit,
        quantity=windows.quantity,
        mean=alone.mean[column],
        std=alone.std[column],
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


def _cut(
    measured_by_series: dict[str, Measured],
    borders: tuple[int, int],
    csv: CsvFormat,
    cleaning: Cleaning,
    windows: WindowSpec,
    documented: windowing.Rows | None,
    *,
    validated: bool,
) -> dict[str, _Cut]:
    """Return series -> what is chosen of it (`_cut_one`).

    Raises:
        UnrollError: the only series cannot be used.
        UnusableSeriesError: some of several series cannot be used.
    """
    cuts = dict[str, _Cut]()
    reasons = dict[str, str]()
    first = next(iter(measured_by_series.values()))
    column = first.columns.index(csv.target)
    freq = first.regular.freq
    for key, rows in measured_by_series.items():
        try:
            cuts[key] = _cut_one(
                rows, borders, column, freq, windows, documented, validated=validated
            )
        except UnrollError as error:
            if key == ALONE:
                raise
            times = rows.series.timestamps[[borders[0]]]
            [border] = row_calendar.stamps(times, cleaning, csv.time_zone)
            reasons[key] = _lacking(rows, column, borders[0], border) or str(error)
    if reasons:
        raise UnusableSeriesError(reasons, len(measured_by_series))
    return cuts


def _cut_one(
    measured: Measured,
    borders: tuple[int, int],
    column: int,
    freq: int,
    windows: WindowSpec,
    documented: windowing.Rows | None,
    *,
    validated: bool,
) -> _Cut:
    """Choose the rows of examples in one series.

    Args:
        measured: the rows of the series.
        borders: the first row of the validation block and of the test block.
        column: the number of the target's column.
        freq: seconds from one row to the next.
        windows: how windows are cut.
        documented: the rows of the documents; None for `windowing.corrected_rows`.
        validated: whether there is a validation block.

    Raises:
        UnrollError: a split has no window, or there is nothing to learn.
    """
    last = borders[0]
    if windows.begun and _has_just_begun(measured, last, column, windows):
        last = len(measured.series.values)
    statistics = _statistics(measured, last, column, windows)
    lost = dict[str, int]()
    if documented is None:
        examples, gone = windowing.corrected_rows(
            measured.series, *borders, windows, freq=freq, target=column
        )
        lost = measured.lost | gone
    else:
        examples = dict(documented)
    if not validated:
        del examples["validation"]
    # A series that has just begun is forecast, though it may have no window yet.
    if (
        not windows.begun
        or not np.isfinite(measured.target(column)[borders[1] :]).any()
    ):
        _require_room(examples, measured, windows, borders)
    return _Cut(statistics, examples, lost)


def _has_just_begun(
    measured: Measured, first: int, target: int, windows: WindowSpec
) -> bool:
    """Return whether the rows before row `first` are no window, or all have one value."""
    known = measured.target(target)[measured.series.start : first]
    known = known[np.isfinite(known)]
    return len(known) < windows.lookback or known.min() == known.max()


def _timesteps_of_day(cleaning: Cleaning, freq: int, step: int) -> int:
    """Return the number of timesteps in a day; 0 if a day is no cycle of these rows."""
    timestep = freq * step
    rows_per_day = row_calendar.slots_per_day(cleaning.rows, freq)
    if rows_per_day and freq < 7 * DAY:
        return max(rows_per_day) // step
    if cleaning.rows or timestep >= DAY or DAY % timestep:
        return 0
    return DAY // timestep


def _rows_that_count(
    table: RowTable, csv: CsvFormat, cleaning: Cleaning, windows: WindowSpec
) -> RowTable:
    """Return the rows that count, with evenly spaced timestamps."""
    if cleaning.until:
        table = table.only(table.timestamps <= np.datetime64(cleaning.until, "ms"))
    table = windowing.on_calendar(table, csv, cleaning)
    table = windowing.in_timesteps(table, csv, cleaning)
    if not windows.partial:
        return table
    # The target may be measured only from some day on, or up to some day. Rows before
    # and after do not count.
    target = table.values[:, table.columns.index(csv.target)]
    measured = table.timestamps[~np.isnan(target)]
    if not len(measured):
        return table
    if not csv.series_id:
        table = table.only(table.timestamps >= measured.min())
    return table.only(table.timestamps <= measured.max())


def _statistics(
    measured: Measured, first: int, target: int, windows: WindowSpec
) -> Statistics:
    """Return statistics of the train rows: those before row `first` in which all columns
    are known.

    Deviations are those of the population (ddof 0). A column that never changes gets
    the deviation 1, so that it is only centred.

    Raises:
        UnrollError: a column holds no value in the train rows, or the target never
            changes there.
    """
    rows = measured.series
    columns = measured.columns
    if rows.start >= first:
        empty = columns[int(rows.unknown[:first].sum(axis=0).argmax())]
        raise UnrollError(
            f"column {empty!r} holds no value in the {first} train rows; drop it"
        )
    train = rows.values[min(rows.start + windows.lag, first - 1) : first]
    low = train.min(axis=0)
    high = train.max(axis=0)
    if low[target] == high[target] and not windows.begun:
        raise UnrollError(
            f"the target {columns[target]!r} is {train[0, target]} in each of the "
            f"{first} train rows, so there is nothing to learn"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        mean = train.mean(axis=0)
        std = np.where(low == high, 1.0, train.std(axis=0))
    huge = ~np.isfinite(mean + std)
    if huge.any():
        raise UnrollError(
            f"column {columns[int(huge.argmax())]!r} holds numbers too large for a "
            "mean; drop it"
        )
    return Statistics(
        mean=mean.tolist(), std=std.tolist(), low=low.tolist(), high=high.tolist()
    )


def _lacking(measured: Measured, target: int, first: int, border: Any) -> str:
    """Return why a series has no value from row `first` on, at `border`; "" if it has."""
    known = ~measured.series.unknown[:, target]
    if not known.any():
        return "there is no row with a value"
    if known[first:].any():
        return ""
    return f"{known.sum():,} rows, none of them from {shown(border)} on"


def _require_room(
    rows: windowing.Rows,
    measured: Measured,
    windows: WindowSpec,
    borders: tuple[int, int],
) -> None:
    """Raise UnrollError if a split has no window."""
    ends = {"train": 0, "validation": borders[0], "test": borders[1]}
    stops = {"train": borders[0], "validation": borders[1], "test": None}
    for split, own in rows.items():
        if len(own):
            continue
        span = windows.lookback + windows.lag
        ahead = windows.ahead[-1]
        earlier = span if windows.overlap else 0
        start = max(ends[split] - earlier, measured.series.start)
        runs = windowing.runs_of(measured.series, measured.regular.freq)
        longest = np.unique(runs[start : stops[split]], return_counts=True)[1]
        unknown = measured.series.unknown.sum(axis=0)
        lacking = ""
        if unknown.any():
            lacking = (
                f" and {unknown.max():,} of {len(runs):,} rows without a value of "
                f"{measured.columns[int(unknown.argmax())]!r}"
            )
        raise UnrollError(
            f"the {split} block has no room for a window of {span} rows and a target "
            f"{ahead} rows on, with {measured.regular.gaps} gaps in the clock"
            f"{lacking}: {span + ahead:,} rows in a row are needed, and there are "
            f"{longest.max(initial=0):,}"
        )


def _block_sizes(
    rows: windowing.Rows,
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
    measured: Measured,
    borders: tuple[int, int],
    splits: dict[str, Windows],
    stamps: Array,
    fitted: Preprocessing,
    counts: dict[str, int],
) -> dict[str, Any]:
    """Return the facts of a data set: description -> value."""
    regular = measured.regular
    test = splits["test"]
    timesteps = test.horizon + (test.outputs - 1) * test.step
    validation = splits.get("validation")
    zone = fitted.csv.time_zone
    facts = {
        "protocol": protocol,
        "rows": len(stamps),
        **counts,
        "columns": measured.columns,
        "quantities": len(measured.columns),
        "horizon in hours": timesteps * regular.freq / 3600,
        "train from": shown(stamps[measured.series.start]),
        "validation from": shown(stamps[borders[0]]) if validation else None,
        "test from": shown(stamps[borders[1]]),
        "test to": shown(stamps[-1]),
        "seconds between rows": regular.freq,
        "repeated stamps": regular.repeated,
        "gaps": regular.gaps,
        "sentinels": measured.missed if fitted.cleaning.sentinel is not None else None,
        "missing values": measured.missed if fitted.csv.missing is not None else None,
        "time zone": f"{zone}, stamps in UTC" if zone is not None else None,
        "values at once": test.outputs if test.outputs > 1 else None,
    }
    return {words: value for words, value in facts.items() if value is not None}
