"""A CSV file of measurements, equally spaced in time -> forecasts of one column from windows of all.

Documents 001 and 002 (Jena temperature), its hourly extract, the year 2020, and a user's own file.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pydantic

from pipeline.data import series_splits, stamped_csv
from pipeline.data.dataset import Dataset, Scale
from pipeline.data.examples import Array, Windows
from pipeline.errors import UnrollError, UsageError

Count = Annotated[int, pydantic.Field(ge=1, le=1_000_000_000)]
Part = Annotated[float, pydantic.Field(gt=0, le=1_000_000_000)]
File = Annotated[str, pydantic.StringConstraints(pattern=r"^[^/\\\x00]+$", max_length=255)]
Protocol = Literal["as_published", "corrected"]
DAY = 86_400
YEAR = 365.2425 * DAY
"""Seconds."""

CALENDAR = 4
"""Columns of `calendar`."""


def prepare(
    name: str,
    raw: Path,
    *,
    file: File,
    stamp: str,
    target: str,
    train: Part,
    validation: Part,
    lookback: Count,
    delay: Count,
    step: Count = 1,
    protocol: Protocol = "corrected",
    stamp_format: str = "ISO8601",
    unit: str = "",
    quantity: str = "value",
    drop: list[str] | None = None,
    encoding: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=40)] = "utf-8",
    batch_size: Count | None = None,
    spacing: Count | None = None,
    sentinel: float | None = None,
) -> Dataset:
    """Windows over the whole series, normalised by mean and standard deviation of the train rows.

    Behind the columns of the file each row has its `calendar`, for the models that ask for it.

    `as_published` does what the generator of documents 001 and 002 does, its slips included (see
    `series_splits.published_rows`): nothing in the file is handled; the target lies delay + step rows after the
    last input, in the next block too; validation and test give whole batches only.

    `corrected` asks the same question without the slips. Rows are put in the order of their stamps, and of a
    repeated stamp the first row is kept. A sentinel takes the last good value of its column, so nothing from
    later enters; rows before the first good value are left out, and so is a window whose target was a sentinel.
    Then the rows are cut in three blocks, and mean and deviation are taken over the first. A window counts if
    its first input and its target, and so all between, lie in one block and no gap of the clock lies between
    them. The target lies exactly `delay` rows after the last input, and every window is scored.

    Args:
        name: of the data set.
        raw: the folder of its source.
        file: the CSV file in it.
        stamp: the column of times.
        target: the column to forecast.
        train: rows, if 1 or more, else a share of the rows.
        validation: the same; the rest is the test block.
        lookback: rows that a window spans, a multiple of `step`.
        delay: rows to forecast ahead.
        step: rows from one input to the next.
        protocol: see above.
        stamp_format: as `strptime` takes it, or "ISO8601".
        unit: of the target, for reports.
        quantity: what the target is, for reports.
        drop: columns to leave out.
        encoding: of the file.
        batch_size: as published only: of the generator.
        spacing: corrected only: seconds from row to row; the median of the file if left out.
        sentinel: corrected only: the number that stands for a missing value.

    Returns:
        A forecast, scored by MAE; its series (rows, columns + CALENDAR) float32 is shared by the three splits.

    Raises:
        UnrollError: the file cannot be used (`stamped_csv.read`) or is too short for the split and the window.
        UsageError: an option contradicts another or names a column that is not there.
        ValueError: `lookback` is not a multiple of `step`, or a number of rows is not whole.
    """
    where = f"datasets.{name}.preparation"
    _check(protocol, batch_size=batch_size, corrections={"spacing": spacing, "sentinel": sentinel}, where=where)
    if lookback % step:  # before a step of any size makes room for rows that no window can have
        raise ValueError(f"`lookback` must be a multiple of `step`. Received: {lookback}, {step}")
    table = stamped_csv.read(
        raw / file,
        stamp=stamp,
        stamp_format=stamp_format,
        target=target,
        drop=drop or [],
        encoding=encoding,
        where=where,
    )
    corrected = protocol == "corrected"
    column, clock = table.columns.index(target), series_splits.clock(table.stamps, spacing)
    series = series_splits.clean(table.stamps, table.values, sentinel) if corrected else _as_it_is(table)
    lost: dict[str, int] = {}
    # `Windows` counts its delay from the row after the last step, so a horizon of `delay` is delay - step there.
    shift = delay - step if corrected else delay
    try:
        first, second = series_splits.borders(len(series.values), train, validation)
        mean, std = _scale(series, first, table.columns, column)
        if corrected:
            rows, lost = series_splits.corrected_rows(
                series, first, second, lookback=lookback, delay=shift, spacing=clock.spacing, target=column
            )
        else:
            rows = series_splits.published_rows(
                len(series.values), first, second, lookback=lookback, delay=shift, batch_size=batch_size or 1
            )
        _require_windows(rows, f"{lookback} rows and a target {delay} rows on, with {clock.gaps} gaps in the clock")
    except UnrollError as error:
        raise UnrollError(f"{raw / file}: {error}; see {where}") from None
    inputs = np.column_stack([(series.values - mean) / std, calendar(series.stamps)]).astype(np.float32)
    return Dataset(
        name=name,
        kind="forecast",
        metric="mae",
        splits={
            split: Windows(inputs, found, lookback=lookback, step=step, delay=shift, target=column)
            for split, found in rows.items()
        },
        scale=Scale(mean=float(mean[column]), std=float(std[column]), unit=unit, quantity=quantity),
        period=_timesteps_per_day(clock.spacing * step),
        calendar=CALENDAR,
        stamps=series.stamps,
        facts={
            "protocol": protocol,
            "rows": len(series.values),
            "columns": table.columns,
            "quantities": len(table.columns),
            "horizon in hours": (shift + step) * clock.spacing / 3600,
            "train from": _text(series.stamps[series.start]),
            "validation from": _text(series.stamps[first]),
            "test from": _text(series.stamps[second]),
            "test to": _text(series.stamps[-1]),
            "seconds between rows": clock.spacing,
            "repeated stamps": clock.repeated,
            "gaps": clock.gaps,
            **({} if corrected else {"validation batches": len(rows["validation"]) // (batch_size or 1)}),
            **({} if sentinel is None else {"sentinels": int(series.unknown.sum())}),
            **lost,
        },
    )


def calendar(stamps: Array) -> Array:
    """When a row is: sine and cosine of the time of day, then of the time of year.

    Args:
        stamps: (rows,) datetime64[ms]; a day begins at 00:00 of their clock.

    Returns:
        (rows, CALENDAR) float64.
    """
    seconds = stamps.astype(np.int64) / 1000
    return np.column_stack([wave(2 * np.pi * seconds / cycle) for cycle in (DAY, YEAR) for wave in (np.sin, np.cos)])


def _check(protocol: Protocol, *, batch_size: int | None, corrections: dict[str, Any], where: str) -> None:
    """An option that the protocol would not look at is refused: it would seem to have an effect."""
    if protocol == "as_published":
        if batch_size is None:
            raise UsageError(f"params.yaml: {where}.batch_size is missing; protocol as_published scores whole batches")
        idle = [key for key, value in corrections.items() if value is not None]
    else:
        idle = [] if batch_size is None else ["batch_size"]
    if idle:
        raise UsageError(f"params.yaml: {where}.{idle[0]} has no effect under protocol {protocol}; take it out")


def _as_it_is(table: stamped_csv.Table) -> series_splits.Series:
    return series_splits.Series(table.stamps, table.values, unknown=np.zeros(table.values.shape, bool))


def _scale(series: series_splits.Series, first: int, columns: list[str], target: int) -> tuple[Array, Array]:
    """Mean and standard deviation (columns,) over the train rows."""
    if series.start >= first:
        empty = columns[int(series.unknown[:first].sum(axis=0).argmax())]
        raise UnrollError(f"column {empty!r} holds nothing but the sentinel in the {first} train rows; drop it")
    train = series.values[series.start : first]
    if (train[:, target] == train[0, target]).all():
        raise UnrollError(
            f"the target {columns[target]!r} is {train[0, target]} in each of the {first} train rows, "
            "so there is nothing to learn"
        )
    return series_splits.scale(train)


def _require_windows(rows: series_splits.Rows, what: str) -> None:
    for split, found in rows.items():
        if not len(found):
            raise UnrollError(f"the {split} block has no room for a window of {what}")


def _timesteps_per_day(seconds: int) -> int:
    """0 where a day is not a whole number of timesteps, of which there have to be two or more."""
    return DAY // seconds if DAY % seconds == 0 and seconds < DAY else 0


def _text(stamp: np.datetime64) -> str:
    return str(stamp.astype("datetime64[s]")).replace("T", " ")
