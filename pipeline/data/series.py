"""Rows of a file -> rows as models see them: for a data set that is prepared, and for a forecast of later rows.

`options` are those of `preparations.series.prepare`, which says what they mean.
"""

import fnmatch
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.data import manifest, row_files, series_splits, stamped_file, stamps
from pipeline.data.dataset import Fitted
from pipeline.data.examples import Array
from pipeline.errors import UsageError

DAY = 86_400
YEAR = 365.2425 * DAY
"""Seconds."""

Plan = Mapping[str, Array] | None


def files_of(raw: Path, file: str) -> list[Path]:
    """The file of that name, or those that its pattern matches, in the order of their names."""
    if (raw / file).is_file():
        return [raw / file]
    found = (path for path in raw.iterdir() if fnmatch.fnmatchcase(path.name, file)) if raw.is_dir() else ()
    return sorted(path for path in found if path.name != manifest.NAME) or [raw / file]


def form_of(options: Mapping[str, Any]) -> row_files.Form:
    """How the file is written, of the options of `prepare`; others, and those that are None, do not count."""
    chosen = {f.name: options[f.name] for f in fields(row_files.Form) if options.get(f.name) is not None}
    if series_id := options.get("series_id"):
        chosen["categories"] = [*chosen.get("categories", []), series_id]
    return row_files.Form(**chosen | {"stamp": [stamp] if isinstance(stamp := chosen["stamp"], str) else stamp})


def evenly(table: stamped_file.Table, options: Mapping[str, Any]) -> stamped_file.Table:
    """The rows with stamps an even distance apart (`stamps.evenly`)."""
    return replace(table, stamps=stamps.evenly(table.stamps, options.get("rows")))


@dataclass(frozen=True)
class Measured:
    """A file's rows, cleaned as the protocol says, each with all that models see of it but the calendar.

    Attributes:
        series: the rows.
        columns: their names.
        clock: how regular the file's stamps are.
        missed: cells without a value.
        lost: what was filled: words -> count.
    """

    series: series_splits.Series
    columns: list[str]
    clock: series_splits.Clock
    missed: int
    lost: dict[str, int]


def rows_of(table: stamped_file.Table, options: Mapping[str, Any], plan: Plan = None) -> Measured:
    """Clean and complete what was read; `prepare` says what the options mean.

    A row depends on no later one, but for what is known beforehand.

    Args:
        table: what was read.
        options: of `prepare`.
        plan: of each of `future` its values (lead,) after the last row; None where no forecast is made.
    """
    if options.get("measured"):
        table = table.only(~np.isnan(table.values[:, table.columns.index(options["target"])]))
    clock, lost = series_splits.clock(table.stamps, options["spacing"]), dict[str, int]()
    if options["protocol"] == "as_published":
        series = series_splits.Series(table.stamps, table.values, unknown=np.zeros(table.values.shape, bool))
    else:
        series = series_splits.clean(table.stamps, table.values, options["sentinel"])
    columns, missed = table.columns, int(series.unknown.sum())
    if options["fill"] is not None:
        series, lost = series_splits.fill(series, clock.spacing, options["fill"], options.get("repeat"))
        columns, series = [*columns, "filled"], series.with_column(np.asarray(series.unknown.any(axis=1)))
    target = options["target"]
    for lag in options["target_lags"] or []:
        earlier = np.roll(series.values[:, table.columns.index(target)], lag)  # windows do not reach what wraps around
        columns, series = [*columns, f"{target} {lag} rows before"], series.with_column(earlier)
    for name, values in _known(table, series, clock.spacing, options, plan):
        columns, series = [*columns, name], series.with_column(values)
    return Measured(series, columns, clock, missed, lost)


def _known(
    table: stamped_file.Table, series: series_splits.Series, spacing: int, options: Mapping[str, Any], plan: Plan
) -> Iterator[tuple[str, Array]]:
    """Columns that are known beforehand, each row's as they are `lead` rows later."""
    ahead = lead(options)
    for name in options.get("future", []):
        values = series.values[:, table.columns.index(name)]
        later = plan[name] if plan else np.repeat(values[-1:], ahead)  # no target lies there
        yield f"{name} {ahead} rows on", np.concatenate([values, later])[ahead:]
    if country := options.get("holidays"):
        moments = series.stamps + np.timedelta64(ahead * spacing * 1000, "ms")
        yield "holiday", holidays_of(country, on_clock(moments, options)).astype(np.float64)


def lead(options: Mapping[str, Any]) -> int:
    """Rows from a window's last input to the last value that is asked for."""
    return int(options["delay"] + (options["horizon"] - 1) * options["step"])


def longest_lag(options: Mapping[str, Any]) -> int:
    """Rows that the inputs of a row look back."""
    return max(options["target_lags"] or [], default=0)


def inputs_of(series: series_splits.Series, fitted: Fitted) -> Array:
    """What models see: (rows, columns + calendar) float32, by the mean and deviation of the train rows."""
    columns = series.values.shape[1]
    inputs = np.empty((len(series.values), columns + calendar_columns(fitted.options)), np.float32)
    for place in range(columns):
        inputs[:, place] = (series.values[:, place] - fitted.mean[place]) / fitted.std[place]
    inputs[:, columns:] = calendar(on_clock(series.stamps, fitted.options), week=bool(fitted.options.get("week")))
    return inputs


def on_clock(moments: Array, options: Mapping[str, Any]) -> Array:
    """Stamps (rows,) as the clock of the file shows them."""
    zone, moments = options["time_zone"], stamps.as_they_are(moments, options.get("rows"))
    return moments if zone is None else stamps.to_wall_clock(moments, zone)


def holidays_of(country: str, moments: Array) -> Array:
    """(rows,) whether stamps lie on a holiday. Raises UsageError if the country is unknown."""
    import holidays

    years = 1970 + np.unique(moments.astype("datetime64[Y]")).astype(int)
    try:
        found = holidays.country_holidays(country, years=years.tolist())
    except NotImplementedError:
        raise UsageError(f"--holidays must be a country such as DE or US. Received: {country!r}") from None
    return np.isin(moments.astype("datetime64[D]"), np.array([*found], "datetime64[D]"))


def calendar_columns(options: Mapping[str, Any]) -> int:
    """How many columns `calendar` gives."""
    return 6 if options.get("week") else 4


def calendar(stamps: Array, *, week: bool = False) -> Array:
    """When a row is: sine and cosine of the time of day, then of the time of year, then perhaps of the week.

    Args:
        stamps: (rows,) datetime64[ms]; a day begins at 00:00 of their clock, a week on Thursday as 1970 did.
        week: whether it tells the week.

    Returns:
        (rows, 4) or, with the week, (rows, 6) float64.
    """
    seconds, cycles = stamps.astype(np.int64) / 1000, (DAY, YEAR, 7 * DAY) if week else (DAY, YEAR)
    return np.column_stack([wave(2 * np.pi * seconds / cycle) for cycle in cycles for wave in (np.sin, np.cos)])
