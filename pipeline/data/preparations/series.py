"""A file of measurements, equally spaced in time -> forecasts of one column from windows of all.

Documents 001 and 002 (Jena temperature), its hourly extract, the year 2020, and a user's own file.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import pydantic

from pipeline.data import row_files, series_splits, several, stamped_file, stamps
from pipeline.data.dataset import Dataset, Fitted, Scale
from pipeline.data.examples import Array, Windows
from pipeline.data.series import (
    DAY,
    Measured,
    calendar_columns,
    evenly,
    files_of,
    form_of,
    inputs_of,
    lead,
    longest_lag,
    rows_of,
)
from pipeline.data.stamps import shown
from pipeline.errors import UnrollError, UsageError

if TYPE_CHECKING:
    from pipeline.data.download import Progress

Count = Annotated[int, pydantic.Field(ge=1, le=1_000_000_000)]
Part = Annotated[float, pydantic.Field(gt=0, le=1_000_000_000)]
File = Annotated[str, pydantic.StringConstraints(pattern=r"^[^/\\\x00]+$", max_length=255)]
Word = Annotated[str, pydantic.StringConstraints(max_length=255)]
METRIC = "mae"

LATER = ("repeat", "rows", "measured", "ends", "week", "overlap", "until", "future", "holidays", "series_id")
"""Options that fitted.json has only where they are set."""

ANSWERED = ("stamp", "forecast", "low", "high", "warning")
"""Columns of a forecast, beside which the name of the series stands."""


def prepare(
    name: str,
    raw: Path,
    progress: "Progress" = row_files.unseen,
    *,
    file: File,
    stamp: str | Annotated[list[str], pydantic.Field(min_length=1, max_length=10)],
    target: str,
    train: Part,
    validation: Part,
    lookback: Count,
    delay: Count | None = None,
    horizon: Annotated[int, pydantic.Field(ge=1, le=10_000)] = 1,
    step: Count = 1,
    protocol: Literal["as_published", "corrected"] = "corrected",
    stamp_format: str = "ISO8601",
    unit: str = "",
    quantity: str = "value",
    time_zone: str | None = None,
    drop: list[str] | None = None,
    categories: list[str] | None = None,
    encoding: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=40)] = "utf-8",
    delimiter: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=1)] = ",",
    decimal: Literal[".", ","] = ".",
    thousands: Literal[",", ".", " ", "'"] | None = None,
    names: Annotated[list[str], pydantic.Field(min_length=2)] | None = None,
    skip: Annotated[int, pydantic.Field(ge=0, le=10_000)] = 0,
    missing: list[Word] | None = None,
    batch_size: Count | None = None,
    spacing: Count | None = None,
    sentinel: float | None = None,
    fill: Annotated[int, pydantic.Field(ge=0, le=1_000_000)] | None = None,
    target_lags: Annotated[list[Count], pydantic.Field(min_length=1, max_length=100)] | None = None,
    rows: Literal["business", "month"] | None = None,
    measured: bool | None = None,
    ends: bool | None = None,
    repeat: Count | None = None,
    week: bool | None = None,
    overlap: bool | None = None,
    until: str | None = None,
    future: list[str] | None = None,
    holidays: str | None = None,
    series_id: str | None = None,
) -> Dataset:
    """Windows over the whole series, normalised by mean and standard deviation of the train rows.

    Behind the columns of the file each row has its `calendar`, for the models that ask for it.

    `as_published` does what the generator of documents 001 and 002 does, its slips included (see
    `series_splits.published_rows`): nothing in the file is handled; the target lies delay + step rows after the
    last input, in the next block too; validation and test give whole batches only.

    `corrected` asks the same question without the slips. Rows are put in the order of their stamps, and of a
    repeated stamp the first row is kept. A missing value takes the last good value of its column, so nothing from
    later enters; rows before the first good value are left out, and so is a window with a target that is missing.
    Then the rows are cut in three blocks, and mean and deviation are taken over the first. A window counts if
    its first input and its target, and so all between, lie in one block and no gap of the clock lies between
    them. The target lies exactly `delay` rows after the last input, and every window is scored. With `fill`, short gaps
    of the clock are filled as missing values are, and the column `filled` is 1 where something was not measured.

    Args:
        name: of the data set.
        raw: the folder of its source.
        progress: told of what has been read.
        file: the CSV or Parquet file in it, or a pattern such as "station_*.csv" for several of one form.
        stamp: the column of times; or several, which `stamp_format` has with a space between.
        target: the column to forecast.
        train: rows, if 1 or more, else a share of the rows.
        validation: the same; the rest is the test block.
        lookback: rows that a window spans, a multiple of `step`.
        delay: rows to forecast ahead, by default `step`: the next value.
        horizon: how many values to forecast at once: the one `delay` rows ahead and those after it, `step` rows apart.
        step: rows from one input to the next.
        protocol: see above.
        stamp_format: as `strptime` takes it, "ISO8601", or "unix" or "unix_ms" since 1970.
        unit: of the target, for reports.
        quantity: what the target is, for reports.
        time_zone: such as "Europe/Berlin", if stamps are read from a clock that keeps daylight saving. Rows are then in
            the order of UTC, and the calendar's hours are that clock's.
        drop: columns to leave out.
        categories: columns of words; each word becomes a column of 0 and 1.
        encoding: of the file.
        delimiter: between columns; a space stands for any white space.
        decimal: the mark before decimals.
        thousands: the mark between thousands.
        names: of the columns, in a file without a header.
        skip: lines before the header.
        missing: words and numbers that mean no value, "" an empty cell; if left out, such a cell is an error.
        batch_size: as published only: of the generator.
        spacing: corrected only: seconds from row to row; the median of the file if left out.
        sentinel: corrected only: the number that stands for a missing value.
        fill: corrected only: rows. Gaps of up to so many are filled from the past, longer ones cut windows.
        target_lags: corrected only: rows. The target so long before is a further input of each row.
        repeat: corrected only: rows of a cycle. With `fill` gaps of up to seven cycles are filled: what is missing for
            longer than `fill` rows takes the value of a cycle before.
        rows: corrected only: of what rows are made that have no even distance, so that none is a gap.
        measured: corrected only: whether rows without a target are left out, such as days on which nothing is sold.
        ends: corrected only: whether stamps tell the end of what was measured; with a time zone.
        week: whether the calendar tells the day of the week, too.
        overlap: whether windows of validation and test may begin in the block before; their targets never lie there.
        until: corrected only: the last row that counts, as ISO 8601; in UTC with a time zone. Later rows are for the
            refit alone, so that they change no evaluation.
        future: corrected only: columns whose later values are known beforehand. Each row has them as they are when the
            last value that is asked for comes.
        holidays: corrected only: a country, such as "DE"; the column `holiday` is 1 on its holidays, known beforehand.
        series_id: corrected only: the column that says whose each row is, of several series. Each is prepared as if it
            were alone, at the stamps of all and cut at the same rows; their windows are those of one data set.

    Returns:
        A forecast, scored by MAE; its series (rows, columns + calendar) float32 is shared by the three splits. Several
        stand one behind the other (`several`), each normalised by its own mean and deviation, which is the unit then.

    Raises:
        UnrollError: the file cannot be used (`stamped_file.read`) or is too short for the split and the window.
        UsageError: an option contradicts another or names a column that is not there.
        ValueError: `lookback` is not a multiple of `step`, or a number of rows is not whole.
    """
    delay = delay or step
    options = {key: value for key, value in dict(locals()).items() if key not in {"name", "raw", "progress"}}
    options = {key: value for key, value in options.items() if key not in LATER or value}
    where = f"datasets.{name}.preparation"
    _require_effect(options, where)
    if lookback % step:  # before a step of any size makes room for rows that no window can have
        raise ValueError(f"`lookback` must be a multiple of `step`. Received: {lookback}, {step}")
    table = stamped_file.read(files_of(raw, file), form_of(options), where, progress)
    if until:
        table = table.only(table.stamps <= np.datetime64(until, "ms"))
    parts = stamped_file.apart(evenly(table, options), series_id)
    found = {word: rows_of(part, options) for word, part in parts.items()}
    first = next(iter(found.values()))
    series, column, word = first.series, first.columns.index(target), ""
    # `Windows` counts from the row after the last step, so a target `delay` rows after the last input is `delay - step`
    # there. The documents' generator counts so, too, and forgets the step.
    shift = delay if protocol == "as_published" else delay - step
    try:
        borders = series_splits.borders(len(series.values), train, validation)
        each, chosen, lost = dict[str, Fitted](), defaultdict[str, list[Array]](list), Counter[str]()
        for word, one in found.items():
            each[word] = _fitted(one, borders[0], options)
            own, gone = _rows(one, borders, shift, options)
            for split, places in own.items():
                chosen[split].append(places)
            lost.update(one.lost)
            lost.update(gone)
    except UnrollError as error:
        whose = f", or leave the rows of {word!r} out" if word else ""
        raise UnrollError(f"{raw / file}: {error}{whose}; see {where}") from None
    inputs, where_each = several.behind([inputs_of(one.series, each[word]) for word, one in found.items()], chosen)
    windows = {
        split: Windows(inputs, places, lookback, step, delay=shift, target=column, outputs=horizon)
        for split, places in where_each.items()
    }
    fitted, timestep = several.together(each), first.clock.spacing * step
    scale = Scale(mean=fitted.mean[column], std=fitted.std[column], unit=unit, quantity=quantity)
    return Dataset(
        name=name,
        kind="forecast",
        metric=METRIC,
        splits={**windows},
        scale=Scale(quantity=quantity) if series_id else scale,
        # A day is a cycle where it is a whole number of timesteps, two or more.
        period=DAY // timestep if not rows and timestep < DAY and DAY % timestep == 0 else 0,
        calendar=calendar_columns(options),
        stamps=np.tile(stamps.as_they_are(series.stamps, rows), len(found)),
        fitted=fitted,
        facts=_facts(first, borders, windows, options) | ({"series": len(found)} if series_id else {}) | dict(lost),
    )


def _require_effect(options: Mapping[str, Any], where: str) -> None:
    """Refuse an option that the protocol would not look at: it would seem to have an effect."""
    protocol, idle = options["protocol"], ["batch_size"]
    if protocol == "as_published":
        idle = ["spacing", "sentinel", "missing", "fill", "horizon", "target_lags", *LATER]
        if options["batch_size"] is None:
            raise UsageError(f"params.yaml: {where}.batch_size is missing; protocol as_published scores whole batches")
    elif options.get("series_id"):
        idle += ["measured", "future"]
        protocol = f"{protocol} of several series"
        if (column := options["series_id"]) in ANSWERED:
            raise UsageError(f"params.yaml: {where}.series_id: a forecast has a column {column!r}; rename it")
    if said := [key for key in idle if options.get(key) != {"horizon": 1}.get(key)]:
        raise UsageError(f"params.yaml: {where}.{said[0]} has no effect under protocol {protocol}; take it out")


def _fitted(measured: Measured, first: int, options: Mapping[str, Any]) -> Fitted:
    """What is found in the train rows, those before row `first`, where every column, the lagged ones too, is known.

    Raises:
        UnrollError: a column holds no value there, or the target never changes.
    """
    series, columns, target = measured.series, measured.columns, options["target"]
    if series.start >= first:
        empty = columns[int(series.unknown[:first].sum(axis=0).argmax())]
        raise UnrollError(f"column {empty!r} holds no value in the {first} train rows; drop it")
    train = series.values[min(series.start + longest_lag(options), first - 1) : first]
    values = train[:, columns.index(target)]
    if (values == values[0]).all():
        raise UnrollError(
            f"the target {target!r} is {values[0]} in each of the {first} train rows, so there is nothing to learn"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        mean, std = series_splits.scale(train)
    if (huge := ~np.isfinite(mean + std)).any():
        raise UnrollError(f"column {columns[int(huge.argmax())]!r} holds numbers too large for a mean; drop it")
    found = {"mean": mean, "std": std, "low": train.min(axis=0), "high": train.max(axis=0)}
    return Fitted(
        options={**options, "spacing": measured.clock.spacing},
        columns=columns,
        **{key: array.tolist() for key, array in found.items()},
    )


def _rows(
    measured: Measured, borders: tuple[int, int], shift: int, options: Mapping[str, Any]
) -> tuple[series_splits.Rows, dict[str, int]]:
    """The rows of each split's windows, as `Windows` takes them, and how many were lost: words -> count.

    Raises:
        UnrollError: a split has none.
    """
    lookback, step, spacing = options["lookback"], options["step"], measured.clock.spacing
    further = step * np.arange(1, options["horizon"])
    lost: dict[str, int] = {}
    if options["protocol"] == "as_published":
        count, batch = len(measured.series.values), options["batch_size"]
        rows = series_splits.published_rows(count, *borders, lookback=lookback, delay=shift, batch_size=batch)
    else:
        lookback += longest_lag(options)  # a window's first row needs its lagged value, too
        reach = {"lookback": lookback, "delay": shift, "further": further, "overlap": bool(options.get("overlap"))}
        target = measured.columns.index(options["target"])
        rows, lost = series_splits.corrected_rows(measured.series, *borders, spacing=spacing, target=target, **reach)
    if empty := [split for split, found in rows.items() if not len(found)]:
        window = f"a window of {lookback} rows and a target {lead(options)} rows on"
        lacking = measured.series.unknown.sum(axis=0)
        name, most = measured.columns[int(lacking.argmax())], int(lacking.max())
        raise UnrollError(
            f"the {empty[0]} block has no room for {window}, with {measured.clock.gaps} gaps in the clock"
            + (f" and {most:,} of {len(measured.series.unknown):,} rows without a value of {name!r}" if most else "")
        )
    return rows, lost


def _facts(
    measured: Measured, borders: tuple[int, int], windows: Mapping[str, Windows], options: Mapping[str, Any]
) -> dict[str, Any]:
    """What a reader wants to know: words -> value."""
    moments = stamps.as_they_are(measured.series.stamps, options.get("rows"))
    clock, one = measured.clock, windows["test"]
    zone, batch = options["time_zone"], options["batch_size"]
    return {
        "protocol": options["protocol"],
        "rows": len(moments),
        "columns": measured.columns,
        "quantities": len(measured.columns),
        "horizon in hours": (one.horizon + (one.outputs - 1) * one.step) * clock.spacing / 3600,
        "train from": shown(moments[measured.series.start]),
        "validation from": shown(moments[borders[0]]),
        "test from": shown(moments[borders[1]]),
        "test to": shown(moments[-1]),
        "seconds between rows": clock.spacing,
        "repeated stamps": clock.repeated,
        "gaps": clock.gaps,
        **({} if batch is None else {"validation batches": len(windows["validation"]) // batch}),
        **({} if options["sentinel"] is None else {"sentinels": measured.missed}),
        **({} if options["missing"] is None else {"missing values": measured.missed}),
        **({} if zone is None else {"time zone": f"{zone}, stamps in UTC"}),
        **({} if one.outputs == 1 else {"values at once": one.outputs}),
    }
