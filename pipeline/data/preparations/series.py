"""A file of measurements, equally spaced in time -> forecasts of one column from windows of all.

Documents 001 and 002 (Jena temperature), its hourly extract, the year 2020, and a user's own file.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import pydantic

from pipeline.data import row_files, row_table, series, series_splits, timestamps
from pipeline.data.dataset import Dataset, Scale
from pipeline.data.examples import Array, Windows
from pipeline.data.series import DAY, Measured
from pipeline.data.series_options import ALONE, Cleaning, Count, CsvFormat, Fitted, Statistics, Windowing
from pipeline.data.timestamps import shown
from pipeline.errors import UnrollError, UsageError

if TYPE_CHECKING:
    from pipeline.data.download import Progress

Part = Annotated[float, pydantic.Field(gt=0, le=1_000_000_000)]
METRIC = "mae"

ANSWERED = ("stamp", "forecast", "low", "high", "warning")
"""Columns of a forecast, beside which the name of the series stands."""

PUBLISHED = {
    "csv": {"missing": None, "ends": False, "series_id": None},
    "cleaning": Cleaning().model_dump(),
    "windows": {
        name: Windowing.model_fields[name].default
        for name in ("horizon", "stride", "target_lags", "week", "overlap", "partial", "future", "holidays")
    },
}
"""Options without effect under `as_published` -> the values that say nothing."""


def prepare(
    name: str,
    raw: Path,
    progress: "Progress" = row_files.unseen,
    *,
    csv: CsvFormat,
    windows: Windowing,
    train: Part,
    validation: Part | None = None,
    cleaning: Cleaning = Cleaning(),  # noqa: B008 - frozen
    protocol: Literal["as_published", "corrected"] = "corrected",
    batch_size: Count | None = None,
) -> Dataset:
    """Windows over the whole series, normalised by mean and standard deviation of the train rows.

    Behind the columns of the file each row has its `calendar`, for the models that ask for it.

    `as_published` does what the generator of documents 001 and 002 does, its slips included (see
    `series_splits.published_rows`): nothing in the file is handled; the target lies delay + step rows after the
    last input, in the next block too; validation and test give whole batches only.

    `corrected` asks the same question without the slips. Rows are put in the order of their stamps, and of a
    repeated stamp the first row is kept. They are completed as `cleaning` says, and a window with a target that is
    missing is left out (but see `Windowing.partial`). Then the rows are cut in blocks, and mean and deviation are taken
    over the first. A window counts if its first input and its target, and so all between, lie in one block and no gap
    of the clock lies between them. The target lies exactly `delay` rows after the last input.

    With `csv.series_id` each of several series is prepared as if it were alone, at the stamps of all and cut at the
    same rows; their windows are those of one data set.

    Args:
        name: of the data set.
        raw: the folder of its source.
        progress: told of what has been read.
        csv: how the file is written.
        windows: how it is cut.
        train: rows, if 1 or more, else a share of the rows.
        validation: the same; None for none. The rest is the test block.
        cleaning: corrected only, as some options of the others.
        protocol: see above.
        batch_size: as published only: of the generator.

    Returns:
        A forecast, scored by MAE; its series (rows, columns + calendar) float32 is shared by the splits. Several stand
        one behind the other (`Dataset.series_id`), each normalised by its own mean and deviation, the unit then.

    Raises:
        UnrollError: the file cannot be used (`row_table.read`) or is too short for the split and the window.
        UsageError: an option contradicts another or names a column that is not there.
        ValueError: `lookback` is not a multiple of `step`, or a number of rows is not whole.
    """
    where, lookback, step = f"datasets.{name}.preparation", windows.lookback, windows.step
    published = protocol == "as_published"
    _require_effect(csv, cleaning, windows, where, published=published, batch_size=batch_size)
    if lookback % step:  # before a step of any size makes room for rows that no window can have
        raise ValueError(f"`lookback` must be a multiple of `step`. Received: {lookback}, {step}")
    table = row_table.read(series.files_of(raw, csv.file), csv, f"{where}.csv", progress)
    if cleaning.until:
        table = table.only(table.stamps <= np.datetime64(cleaning.until, "ms"))
    table = replace(table, stamps=timestamps.evenly(table.stamps, cleaning.rows))
    each = {
        word: series.as_they_are(part, None) if published else series.rows_of(part, csv, cleaning, windows)
        for word, part in row_table.by_series(table, csv.series_id).items()
    }
    first, column, word = next(iter(each.values())), 0, ALONE
    # `Windows` counts from the row after the last step, so a target `delay` rows after the last input is `delay - step`
    # there. The documents' generator counts so, too, and forgets the step.
    shift = windows.first if published else windows.first - step
    statistics, chosen, lost = dict[str, Statistics](), defaultdict[str, list[Array]](list), Counter[str]()
    try:
        borders = series_splits.borders(len(first.series.values), train, validation)
        for number, (word, one) in enumerate(each.items()):
            column = one.columns.index(csv.target)
            statistics[word] = _statistics(one, borders[0], column, windows.lag)
            if published:
                count, batch = len(one.series.values), batch_size or 1
                rows = series_splits.published_rows(count, *borders, lookback=lookback, delay=shift, batch_size=batch)
            else:
                rows, gone = _rows(one, borders, windows, column, validated=validation is not None)
                lost.update(one.lost)
                lost.update(gone)
            _require_room(rows, one, windows)
            for split, own in rows.items():
                chosen[split].append(own + number * len(first.series.values))
    except UnrollError as error:
        hint = f", or leave the rows of {word!r} out" if word else ""
        raise UnrollError(f"{raw / csv.file}: {error}{hint}; see {where}") from None
    spacing = first.clock.freq
    fitted = Fitted(
        csv=csv,
        cleaning=cleaning.model_copy(update={"spacing": spacing}),
        windows=windows,
        columns=first.columns,
        series=statistics,
        slip=step * published,
    )
    inputs = [series.inputs_of(one.series, fitted, statistics[word]) for word, one in each.items()]
    truth = np.concatenate([one.target(column) for one in each.values()]) if windows.partial else None
    shape: dict[str, Any] = {"delay": shift, "target": column, "outputs": windows.horizon}
    shape |= {"measured": None if truth is None else np.isfinite(truth)}
    together = np.concatenate(inputs) if len(inputs) > 1 else inputs[0]  # one alone is not copied
    splits = {split: Windows(together, np.concatenate(rows), lookback, step, **shape) for split, rows in chosen.items()}
    scale = Scale(unit=windows.unit, quantity=windows.quantity)
    alone = statistics.get(ALONE)
    scale = scale.model_copy(update={"mean": alone.mean[column], "std": alone.std[column]}) if alone else scale
    facts = _facts(first, borders, splits, fitted, {"protocol": protocol, "batch_size": batch_size})
    return Dataset(
        name=name,
        kind="forecast",
        metric=METRIC,
        splits={**splits},
        scale=scale if alone else Scale(quantity=windows.quantity),
        period=0 if cleaning.rows else _period(spacing * step),
        calendar=series.calendar_columns(week=windows.week),
        scored=("validation",) if validation is not None else (),
        stamps=np.tile(timestamps.as_they_are(first.series.stamps, cleaning.rows), len(each)),
        series_id=np.repeat(np.arange(len(each)), len(first.series.values)) if truth is not None else None,
        truth=truth,
        fitted=fitted,
        facts=facts | ({"series": len(each)} if csv.series_id else {}) | dict(lost),
    )


def _period(timestep: int) -> int:
    """A day is a cycle where it is a whole number of timesteps, of so many seconds, two or more."""
    return DAY // timestep if timestep < DAY and DAY % timestep == 0 else 0


def _require_effect(
    csv: CsvFormat, cleaning: Cleaning, windows: Windowing, where: str, *, published: bool, batch_size: int | None
) -> None:
    """Refuse an option that the protocol would not look at: it would seem to have an effect."""
    protocol, idle = "corrected", []
    if published:
        protocol = "as_published"
        if batch_size is None:
            raise UsageError(f"params.yaml: {where}.batch_size is missing; protocol as_published scores whole batches")
        for section, options in (("csv", csv), ("cleaning", cleaning), ("windows", windows)):
            given = options.model_dump()
            idle += [f"{section}.{key}" for key, value in PUBLISHED[section].items() if given[key] != value]
    else:
        idle = ["batch_size"] if batch_size is not None else []
        if csv.series_id:
            protocol = "corrected of several series"
            idle += ["cleaning.measured"] * cleaning.measured + ["windows.future"] * bool(windows.future)
            if csv.series_id in ANSWERED:
                column = csv.series_id
                raise UsageError(f"params.yaml: {where}.csv.series_id: a forecast has a column {column!r}; rename it")
    if idle:
        raise UsageError(f"params.yaml: {where}.{idle[0]} has no effect under protocol {protocol}; take it out")


def _statistics(measured: Measured, first: int, target: int, lag: int) -> Statistics:
    """Of the train rows, those before row `first`, where every column, the lagged ones too, is known.

    Raises:
        UnrollError: a column holds no value there, or the target never changes.
    """
    rows, columns = measured.series, measured.columns
    if rows.start >= first:
        empty = columns[int(rows.unknown[:first].sum(axis=0).argmax())]
        raise UnrollError(f"column {empty!r} holds no value in the {first} train rows; drop it")
    train = rows.values[min(rows.start + lag, first - 1) : first]
    if (train[:, target] == train[0, target]).all():
        raise UnrollError(
            f"the target {columns[target]!r} is {train[0, target]} in each of the {first} train rows, so there is "
            "nothing to learn"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        mean, std = series_splits.scale(train)
    if (huge := ~np.isfinite(mean + std)).any():
        raise UnrollError(f"column {columns[int(huge.argmax())]!r} holds numbers too large for a mean; drop it")
    found = {"mean": mean, "std": std, "low": train.min(axis=0), "high": train.max(axis=0)}
    return Statistics(**{key: array.tolist() for key, array in found.items()})


def _rows(
    measured: Measured, borders: tuple[int, int], windows: Windowing, target: int, *, validated: bool
) -> tuple[series_splits.Rows, dict[str, int]]:
    """The rows of each split's windows, as `Windows` takes them, and how many were lost: words -> count."""
    rows, lost = series_splits.corrected_rows(
        measured.series,
        *borders,
        lookback=windows.lookback + windows.lag,  # a window's first row needs its lagged value, too
        delay=windows.first - windows.step,
        spacing=measured.clock.freq,
        target=target,
        further=windows.step * np.arange(1, windows.horizon),
        overlap=windows.overlap,
        partial=windows.partial,
    )
    if not validated:
        del rows["validation"]
    return rows, lost


def _require_room(rows: series_splits.Rows, measured: Measured, windows: Windowing) -> None:
    """Raises UnrollError if a split has no window."""
    if empty := [split for split, found in rows.items() if not len(found)]:
        span, ahead = windows.lookback + windows.lag, windows.ahead[-1]
        lacking = measured.series.unknown.sum(axis=0)
        name, most = measured.columns[int(lacking.argmax())], int(lacking.max())
        raise UnrollError(
            f"the {empty[0]} block has no room for a window of {span} rows and a target {ahead} rows on, with "
            f"{measured.clock.gaps} gaps in the clock"
            + (f" and {most:,} of {len(measured.series.unknown):,} rows without a value of {name!r}" if most else "")
        )


def _facts(
    measured: Measured,
    borders: tuple[int, int],
    splits: Mapping[str, Windows],
    fitted: Fitted,
    published: Mapping[str, Any],
) -> dict[str, Any]:
    """What a reader wants to know: words -> value."""
    moments = timestamps.as_they_are(measured.series.stamps, fitted.cleaning.rows)
    clock, one, batch = measured.clock, splits["test"], published["batch_size"]
    validated = "validation" in splits
    zone, cleaning = fitted.csv.time_zone, fitted.cleaning
    return {
        "protocol": published["protocol"],
        "rows": len(moments),
        "columns": measured.columns,
        "quantities": len(measured.columns),
        "horizon in hours": (one.horizon + (one.outputs - 1) * one.step) * clock.freq / 3600,
        "train from": shown(moments[measured.series.start]),
        **({"validation from": shown(moments[borders[0]])} if validated else {}),
        "test from": shown(moments[borders[1]]),
        "test to": shown(moments[-1]),
        "seconds between rows": clock.freq,
        "repeated stamps": clock.repeated,
        "gaps": clock.gaps,
        **({} if batch is None else {"validation batches": len(splits["validation"]) // batch}),
        **({} if cleaning.sentinel is None else {"sentinels": measured.missed}),
        **({} if fitted.csv.missing is None else {"missing values": measured.missed}),
        **({} if zone is None else {"time zone": f"{zone}, stamps in UTC"}),
        **({} if one.outputs == 1 else {"values at once": one.outputs}),
    }
