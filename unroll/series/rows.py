"""New rows as a model's input.

The last window of the rows is prepared as the rows were that the model was trained on.
"""

import difflib
import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from pipeline.data import timestamps, windowing
from pipeline.data.dataset import Scale
from pipeline.data.examples import Array, Windows
from pipeline.errors import UnknownAheadError, UnrollError
from unroll.series import measured_rows, prediction_intervals, row_calendar, windowed
from unroll.series.options import Options, argument
from unroll.series.reading import calendars, rules
from unroll.series.reading.facts import Timestamps
from unroll.series.reading.file_rows import FileRows, stamped, table_of
from unroll.series.reading.profile import repeated
from unroll.series.row_options import ALONE, CsvFormat, Preprocessing
from unroll.series.series_table import SeriesTable
from unroll.series.spec import ForecasterSpec

FAR = 0.5
"""Distance from the trained range, in ranges, at which a value is unusual."""

FEWEST_ZEROS = 8
"""The fewest rows of 0 at its end by which a series has ended."""

ZEROS = np.timedelta64(28, "D")
"""The shortest time that these rows span."""

MOST_CHANCE = 1e-4
"""Largest chance of so many rows of 0 in a series that has not ended."""

MOST = 14
"""Largest number of origins since the fit whose errors count; the last ones count."""


@dataclass(frozen=True)
class Since:
    """The origins since models were fitted, of which the last ones count.

    Attributes:
        inputs: (origins, timesteps, columns).
        observed: (origins, steps) the values afterwards, in model units, NaN where not
            yet observed.
        stamps: (origins,) their timestamps, as `Window.last`.
    """

    inputs: Array
    observed: Array
    stamps: Array


@dataclass(frozen=True)
class Window:
    """The last rows of a series.

    Attributes:
        fitted: how its rows are prepared.
        series: its name in `fitted.series`.
        stamps: (rows,) datetime64[ms], in UTC if the preparation has a time zone.
        target: (rows,) measured values of the target, NaN where nothing was measured.
        inputs: (timesteps, columns + calendar) float32, or (timesteps, columns) float64
            of a whole series; NaN before the lookback where there is no row.
        recent: (origins since the fit + 1, 2) `prediction_intervals.recent` at these
            origins, and at the last row.
        last: datetime64[ms], the number of the last row in time
            (`row_calendar.numbered`).
        unusual: lines about values far outside of the trained range.
        since: the origins since the models were fitted; none of whole series.
        new: number of rows since the models were fitted, as a share of the rows before.
        ended: a line about rows at the end without a target; "" without such rows.
        over: whether the target is 0 for so long that the series has ended.
    """

    fitted: Preprocessing
    series: str
    stamps: Array
    target: Array
    inputs: Array
    recent: Array
    last: np.datetime64
    unusual: list[str]
    since: Since
    new: float = 0.0
    ended: str = ""
    over: bool = False

    def times(self, steps: int) -> Any:
        """Return a pandas DatetimeIndex of the next `steps` timesteps."""
        return self.on_clock(self.last + np.arange(1, steps + 1) * self.fitted.row)

    def on_clock(self, times: Array) -> Any:
        """Return a pandas DatetimeIndex of row numbers (rows,), with the time zone if any."""
        return _on_clock(self.fitted, times)

    @property
    def scale(self) -> Scale:
        """The scale of the target."""
        return self.fitted.scale(self.series)

    @property
    def lowest(self) -> float:
        """The smallest value that is forecast (`Preprocessing.lowest`)."""
        return self.fitted.lowest(self.series)


def continued(window: Window, forecast: Array, ahead: int) -> Window:
    """Return the window after a forecast, as if the forecast had been measured.

    Other columns take their values of a cycle before. If a window has no whole cycle,
    they take their last values.

    Args:
        window: the last rows.
        forecast: (steps,) the forecast after these rows, in model units.
        ahead: number of timesteps that were forecast so far, from the last measured row
            on.

    Raises:
        UnrollError: the models need a column that is known beforehand, and it is not
            known that far ahead.
    """
    fitted = window.fitted
    if fitted.windows.future:
        names = ", ".join(fitted.windows.future)
        raise UnrollError(
            f"the models were trained for a horizon of {fitted.windows.horizon} timesteps, "
            f"and with columns that are known beforehand ({names}) they forecast no "
            f"further, even if the rows to come are given; pass a {argument('horizon')} of at most "
            f"that, or answer the series anew with a longer {argument('horizon')}"
        )
    cycle = _cycle(fitted, len(window.inputs))
    count = len(forecast)
    places = len(window.inputs) - cycle + np.arange(count) % cycle
    repeated = window.inputs[places].copy()  # (steps, columns)
    repeated[:, fitted.target] = forecast
    times = window.times(ahead)[ahead - count :]
    measured = len(fitted.columns)
    if repeated.shape[1] > measured:
        moments = np.asarray(times.tz_localize(None), dtype="datetime64[ms]")
        repeated[:, measured:] = windowing.calendar(
            row_calendar.spread(moments, fitted.cleaning), week=fitted.windows.week
        )
    inputs = np.concatenate([window.inputs, repeated])[-len(window.inputs) :]
    return replace(window, inputs=inputs.astype(window.inputs.dtype))


def _cycle(fitted: Preprocessing, timesteps: int) -> int:
    """Return a week in timesteps if a window holds a week, else a day; else 1."""
    seconds = fitted.cleaning.spacing or 1
    if fitted.cleaning.rows is None:
        for cycle in (7 * windowing.DAY, windowing.DAY):
            if cycle % seconds == 0 and cycle // seconds <= timesteps:
                return cycle // seconds
    return 1


def latest(
    spec: ForecasterSpec,
    files: FileRows,
    plans: Sequence[FileRows] = (),
    steps: int | None = None,
    wanted: Collection[str] = (),
) -> tuple[dict[str, Window], dict[str, str]]:
    """Return the last window of each series in some files.

    Args:
        spec: the models that forecast from the windows.
        files: the rows. Behind the last row with a target there may be rows with
            columns that are known beforehand.
        plans: more rows with columns that are known beforehand, for each series, or
            without the names of series for all. Models of whole series see none.
        steps: timesteps to forecast; by default the trained horizon.
        wanted: the names of series; by default all that occur.

    Returns:
        Name of a series -> its last window; and name of a series without one -> why.

    Raises:
        UnrollError: a column is missing, a cell is wrong, rows have another distance
            than the trained rows, or no series has a window.
        UnknownAheadError: a value that must be known beforehand is not.
    """
    fitted = spec.fitted
    name = files.paths[0].name
    files, _, _, notes = stamped(_only(spec, files))
    table = table_of(files)
    if not wanted and table.series_id is not None:
        wanted = {*table.series_id}
    names = [series for series in spec.fitted.series if series in wanted]
    as_read = table
    unfinished = None
    if not spec.keep_last:
        table, unfinished = only_over(table, fitted.csv)
    table = measured_rows.on_calendar(table, fitted.csv, fitted.cleaning)
    _require_spacing(spec, table, name)
    table = measured_rows.in_timesteps(table, fitted.csv, fitted.cleaning)
    table = _aligned(spec, table, name)
    lines = [line for _, line in notes]
    for line in (*lines, _checked(fitted, files, as_read)):
        if line:
            warnings.warn(line, UserWarning, stacklevel=2)
    end = table.up_to_last(fitted.csv.target).timestamps.max()
    planned = []
    if not fitted.windows.whole:
        planned = [_planned(spec, plan) for plan in plans]
    windows = {}
    refused = {}
    for series, every in table.by_series(names or spec.fitted.series).items():
        own, plan, has_ended = _known_rows(fitted, series, every, end, planned, steps)
        measured = completed_rows(fitted, own, plan)
        try:
            require_rows(fitted, series, measured, has_ended=has_ended)
            window = _last_window(spec, series, measured)
        except UnrollError as error:
            refused[series] = str(error)
            continue
        after = timestamps.distinct(every.timestamps) > own.timestamps.max()
        text = _ended(window, int(after.sum()), unfinished)
        windows[series] = replace(window, ended=text)
    if not windows:
        series, reason = refused.popitem()
        place = name if series == ALONE else f"{name}, {series}"
        raise UnrollError(f"{place}: {reason}")
    return windows, refused


def _checked(fitted: Preprocessing, files: FileRows, table: SeriesTable) -> str:
    """Return a line on rows that repeat the timestamp of others; "" if none does.

    Raises:
        UnrollError: rows break a rule that the rows of the answer have kept.
    """
    cleaning = fitted.cleaning.of_file
    facts = Timestamps(
        of_rows=table.series_id,
        file=files,
        stamp=fitted.csv.stamp,
        written=table.timestamps,
        timestamps=table.timestamps,
        cleaning=cleaning,
        clock=fitted.csv.time_zone,
        freq=cleaning.spacing or 1,
        asked=Options(),
    )
    rules.require(rules.OF_LATER_ROWS, facts)
    return repeated(facts, [table.column(fitted.csv.target)])


def _known_rows(
    fitted: Preprocessing,
    series: str,
    every: SeriesTable,
    end: np.datetime64,
    planned: Sequence[Any],
    steps: int | None,
) -> tuple[SeriesTable, measured_rows.Plan, bool]:
    """Return the rows of a series that are known, and what is known beforehand.

    Also returned is whether the last rows of the series are missing, and other series
    have them.

    Args:
        fitted: how rows are prepared.
        series: the name of the series.
        every: the rows of the series, with those to come.
        end: the last row with a target in any series.
        planned: more rows to come (`_planned`).
        steps: timesteps to forecast.
    """
    own = every.up_to_last(fitted.csv.target)
    last = own.timestamps.max()
    if fitted.windows.begun:
        own = every.only(every.timestamps <= end)
    if last + fitted.windows.ahead[-1] * fitted.row <= end:
        return own, None, True
    try:
        return own, _beforehand(fitted, series, own, every, planned, steps), False
    except UnknownAheadError:
        # nobody plans what is no longer sold
        target = own.column(fitted.csv.target)
        has_ended = bool(last < end)
        if not has_ended and not ended(target, fitted.row)[-1]:
            raise
    return own, None, has_ended


def completed_rows(
    fitted: Preprocessing, own: SeriesTable, plan: measured_rows.Plan = None
) -> measured_rows.Measured:
    """Return the cleaned and completed rows of a series, from its first value on if
    models see whole series.

    Short gaps are filled also where train rows had none.
    """
    cleaning = fitted.cleaning
    measured = measured_rows.rows_of(own, fitted.csv, cleaning, fitted.windows, plan)
    limit = _fill_of_gapless(fitted)
    if limit:
        filled = measured_rows.fill(measured.series, measured.regular.freq, limit)
        measured = replace(measured, series=filled)
    if fitted.windows.whole:
        measured = measured.only(measured.series.start)
    return measured


def _last_window(
    spec: ForecasterSpec, series: str, measured: measured_rows.Measured
) -> Window:
    """Return the last window of a series, and the origins since the fit.

    They are windows of a data set with the rows to come at its end.
    """
    fitted = spec.fitted
    rows = measured.series
    target = measured.target(fitted.target)
    until = np.datetime64(spec.until)
    last = len(rows.values) - 1
    origins = np.append(_since(fitted, measured, until, spec.stride), last)
    longer = measured.with_rows_to_come(int(fitted.windows.ahead[-1]))
    splits = {"test": origins + 1}
    own = {series: longer}
    dataset = windowed.data_set(spec.dataset, fitted, own, splits)
    windows = cast("Windows", dataset.splits["test"])
    begins = measured.begins(fitted.windows)
    below = len(longer.series.values) - len(begins)
    begins = np.pad(begins, (0, below), "edge")
    seen = windowed.seen(windows, spec.timesteps, begins, fitted)
    inputs, targets = seen.take(np.arange(len(origins)))
    # a gap may lie before a value that is forecast
    times = longer.series.timestamps
    ahead = times[origins[:, None] + fitted.windows.ahead] - times[origins, None]
    is_in_time = ahead == fitted.windows.ahead * fitted.row
    observed = np.where(is_in_time, targets.reshape(ahead.shape), np.nan)
    inputs = inputs[:, -spec.timesteps :]
    first = max(last + 1 - fitted.reach, int(begins[last]))
    shown = 0 if fitted.windows.whole else first
    new = int((rows.timestamps > until).sum())
    recent = prediction_intervals.recent(target, spec.lag, fitted.scale(series).std)
    return Window(
        fitted=fitted,
        series=series,
        stamps=rows.timestamps[shown:],
        target=target[shown:],
        inputs=inputs[-1],
        recent=recent[origins],
        last=rows.timestamps[last],
        unusual=_unusual(spec, series, rows.timestamps[first:], rows.values[first:]),
        since=Since(inputs[:-1], observed[:-1], times[origins[:-1]]),
        new=new / max(1, len(rows.timestamps) - new),
        over=fitted.lowest(series) == 0 and bool(ended(target, fitted.row)[-1]),
    )


def _since(
    fitted: Preprocessing,
    measured: measured_rows.Measured,
    until: np.datetime64,
    stride: int,
) -> Array:
    """Return the last `MOST` origins (origins,) from `until` on; none of whole series.

    The origins lie `stride` rows from each other. After each of them the first value
    was measured, and no gap lies in its window.
    """
    if fitted.windows.whole:
        return np.arange(0)
    rows = measured.series
    first = fitted.windows.model_copy(update={"horizon": 1})
    chosen = measured_rows.chosen_rows(measured, len(rows.values), first, fitted.target)
    # `Windows` counts from the row after the last input
    origins = chosen["train"] - 1
    rows_after_fit = (rows.timestamps[origins] - until) // fitted.row
    counts = (rows_after_fit >= 0) & (rows_after_fit % stride == 0)
    return np.asarray(origins[counts][-MOST:])


def ended(values: Array, row: np.timedelta64) -> Array:
    """Return at each row (rows,) whether the series has ended.

    It has ended if it is 0 for longer than twice any time before, and than by chance.

    Args:
        values: (rows,) what was measured, NaN where nothing was.
        row: the time from row to row.
    """
    fewest = max(FEWEST_ZEROS, int(ZEROS / row))
    is_known = np.isfinite(values)
    sold = values[is_known] != 0
    places = np.arange(len(sold))
    last = np.maximum.accumulate(np.where(sold, places, -1))
    before = np.concatenate([[-1], last[:-1]])[: len(last)]
    usual = np.maximum.accumulate(np.where(sold, places - before - 1, 0))
    zeros = places - last
    share = np.maximum(np.cumsum(sold), 1) / np.maximum(last + 1, 1)
    is_over = zeros >= np.maximum(fewest, 2 * usual)
    is_over &= (1 - share) ** zeros < MOST_CHANCE
    return np.asarray(np.append(False, is_over)[np.cumsum(is_known)])


def only_over(
    table: SeriesTable, csv: CsvFormat
) -> tuple[SeriesTable, np.datetime64 | None]:
    """Return the rows without the last target if its day, week or month is not over.

    Also returned is the timestamp of this target; None if it is over.
    """
    column = table.columns.index(csv.target)
    measured = table.known(csv.target)
    zone = csv.time_zone
    last = calendars.unfinished(measured, zone, utc=zone is not None)
    if last is None:
        return table, None
    values = table.values.copy()
    values[table.timestamps >= last, column] = np.nan
    return replace(table, values=values), last


def _require_spacing(spec: ForecasterSpec, table: SeriesTable, name: str) -> None:
    """Raise UnrollError unless rows lie as far apart as the trained rows."""
    spacing = timestamps.regularity(table.timestamps).freq
    several = table.timestamps.min() < table.timestamps.max()
    trained = spec.fitted.cleaning.of_file.spacing or 1
    if several and spacing != trained:
        raise UnrollError(
            f"{name}: rows lie {timestamps.duration(spacing)} apart, and "
            f"{spec.dataset} was trained on rows that lie "
            f"{timestamps.duration(trained)} apart; give such rows"
        )


def _fill_of_gapless(fitted: Preprocessing) -> int | None:
    """Return the longest gap, in rows, that is filled where train rows had no gap.

    None means that the preparation itself says what is filled.
    """
    is_said = fitted.cleaning.fill is not None or "" in (fitted.csv.missing or ())
    return None if is_said else measured_rows.fill_limit(fitted.cleaning.spacing or 1)


def _beforehand(
    fitted: Preprocessing,
    series: str,
    past: SeriesTable,
    table: SeriesTable,
    planned: Sequence[Any],
    steps: int | None,
) -> measured_rows.Plan:
    """Return the columns that are known beforehand, for the timesteps to forecast.

    They are read from the rows of `table`, and from `planned`, as `_planned` returns it.
    No value need be known beyond the `steps` to forecast, where models see one, too.

    Raises:
        UnknownAheadError: a value is not known for a timestep.
    """
    import pandas as pd

    names = fitted.windows.future
    if not names:
        return None
    last = past.timestamps.max()
    tables = [pd.DataFrame(table.values, table.timestamps, table.columns)]
    for rows in planned:
        own = rows.index.get_level_values(0).isin([ALONE, series])
        tables.append(rows[own].droplevel(0))
    # the last value of a timestamp counts, and an empty cell is none
    known = pd.concat(tables).reindex(columns=names).groupby(level=0).last()
    lead = np.arange(1, int(fitted.windows.ahead[-1]) + 1)
    times = last + lead * fitted.row
    ahead = known.reindex(times)
    lacking = ahead[:steps].isna()
    for time, unknown in lacking[lacking.any(axis=1)].iterrows():
        of = f" of {series}" if series != ALONE else ""
        raise UnknownAheadError(
            f"{', '.join(ahead.columns[unknown])}{of} must be known beforehand, and "
            f"nothing says so for {when(fitted, time)}",
            f"pass such rows as {argument('future')}, or add them behind the last one",
        )
    ahead = ahead.ffill()
    return {name: ahead[name].to_numpy() for name in names}


def _planned(spec: ForecasterSpec, plan: FileRows) -> Any:
    """Return a DataFrame of columns known beforehand, by series and timestamp.

    Rows without the name of a series count for all.

    Raises:
        UnrollError: there is no column of timestamps, or none that is known beforehand,
            or the models see no such column.
    """
    import pandas as pd

    fitted = spec.fitted
    if not fitted.windows.future:
        raise UnrollError(
            f"{plan.paths[0].name} is not used: no column of {spec.dataset} is known "
            f"beforehand; leave it out, or answer the series anew with {argument('future')}"
        )
    header = [*plan.cells.columns]
    known = [name for name in fitted.windows.future if name in header]
    lacking = [name for name in fitted.csv.stamp if name not in header]
    if lacking or not known:
        column = [*lacking, *fitted.windows.future][0]
        raise UnrollError(
            f"{plan.paths[0].name} has no column {column!r}, which must be known "
            "beforehand; add it"
        )
    series_id = fitted.csv.series_id if fitted.csv.series_id in header else None
    needed = {*fitted.csv.stamp, *known, series_id}
    only = _with_columns(
        plan, needed, target=known[0], categories=[], series_id=series_id
    )
    table = table_of(only)
    table = measured_rows.timesteps_of(table, fitted.csv, fitted.cleaning)
    names = [ALONE] * len(table.values) if table.series_id is None else table.series_id
    every = {ALONE, *fitted.series, *fitted.csv.leave_out}
    unknown = sorted({*names} - every)
    if unknown:
        raise UnrollError(
            f"{plan.paths[0].name}: {series_id} {unknown[0]!r:.60} is no series of "
            f"{spec.dataset}; correct it, or answer the series anew with its rows"
        )
    frame = pd.DataFrame(table.values, [names, table.timestamps], table.columns)
    frame = frame[~frame.reset_index().duplicated().to_numpy()]
    twice = frame.index[frame.index.duplicated()]
    if len(twice):
        name, stamp = twice[0]
        of = f" of {name}" if name else ""
        raise UnrollError(
            f"{plan.paths[0].name}: {when(fitted, stamp)}{of} comes twice, with other "
            "values; keep one row"
        )
    return frame


def _only(spec: ForecasterSpec, file: FileRows) -> FileRows:
    """Return the rows without the columns that the model was not trained on; an empty
    cell is no mistake.
    """
    form = spec.fitted.csv
    header = list(file.cells.columns)
    needed = [*form.stamp, *spec.fitted.numbers, *form.words]
    lacking = [name for name in needed if name not in header]
    if lacking:
        close = difflib.get_close_matches(lacking[0], header, n=1)
        hint = f"; is it {close[0]!r}? Rename it there" if close else ""
        known = ", ".join(header) or "none of the model's columns"
        raise UnrollError(
            f"{file.paths[0].name} has no column {lacking[0]!r}, which "
            f"{spec.dataset} was trained on{hint}. It has: {known}"
        )
    return _with_columns(file, needed)


def _with_columns(
    file: FileRows, needed: Collection[str | None], **of_form: Any
) -> FileRows:
    """Return a file of which some columns are read, with empty cells as missing values."""
    only = {
        "drop": [name for name in file.cells.columns if name not in needed],
        "missing": [*(file.form.missing or ()), ""],
    }
    return replace(file, form=file.form.model_copy(update=only | of_form))


def _aligned(spec: ForecasterSpec, table: SeriesTable, name: str) -> SeriesTable:
    """Return the columns in the order that the model knows.

    The column of a word that does not occur is 0 everywhere.
    """
    import pandas as pd

    fitted = spec.fitted
    unknown = [column for column in table.columns if column not in fitted.read]
    if table.series_id is not None:
        names = sorted({*table.series_id} - {"", *fitted.series})
        unknown += [f"{fitted.csv.series_id}={name}" for name in names]
    if unknown:
        column, _, word = unknown[0].partition("=")
        raise UnrollError(
            f"{name}: column {column!r} holds {word!r}, a word that {spec.dataset} "
            "does not have; correct it, or answer the series anew"
        )
    frame = pd.DataFrame(table.values, columns=table.columns)
    return replace(
        table,
        columns=fitted.read,
        values=frame.reindex(columns=fitted.read, fill_value=0).to_numpy(),
    )


def require_rows(
    fitted: Preprocessing,
    series: str,
    measured: measured_rows.Measured,
    *,
    has_ended: bool = False,
) -> None:
    """Raise UnrollError unless the last rows of a series suffice for a forecast.

    Args:
        fitted: how rows are prepared.
        series: the name of the series.
        measured: the rows of the series.
        has_ended: whether its last rows are missing, and other series have them.
    """
    rows = measured.series
    columns = measured.columns
    first = len(rows.values) - fitted.reach
    needed = f"a forecast needs the last {fitted.reach:,} rows"
    known = np.flatnonzero(np.isfinite(measured.target(fitted.target)))
    if (fitted.windows.whole or fitted.windows.begun) and not len(known):
        raise UnrollError("there is no row with a value")
    if first < 0:
        raise UnrollError(
            f"{needed}, and there are {len(rows.values):,}; add earlier rows"
        )
    if fitted.windows.begun:
        if has_ended:
            raise UnrollError(
                f"it was measured last at {when(fitted, rows.timestamps[known[-1]])}; "
                "if it has not ended, add its last rows"
            )
        first = len(rows.values) - 1  # the rows before may be made up
    if first < rows.start:
        column = columns[int(rows.unknown[: rows.start].sum(axis=0).argmax())]
        until = when(fitted, rows.timestamps[rows.start - 1])
        raise UnrollError(
            f"{needed}, and {column!r} holds no value until {until}; add earlier rows"
        )
    longest = fitted.cleaning.fill or _fill_of_gapless(fitted)
    filled = f", and no more than {longest} in a row are filled" if longest else ""
    broken = np.flatnonzero(np.diff(rows.timestamps[first:]) != fitted.row)
    if len(broken):
        place = first + broken[-1]
        before = when(fitted, rows.timestamps[place])
        after = when(fitted, rows.timestamps[place + 1])
        raise UnrollError(
            f"{needed}, and between {before} and {after} there are none{filled}; add "
            "rows there"
        )
    if rows.late is not None and rows.late[first:].any():
        row = first + int(np.flatnonzero(rows.late[first:])[-1])
        column = columns[int(rows.unknown[row].argmax())]
        raise UnrollError(
            f"{needed}, and {column!r} was not measured up to "
            f"{when(fitted, rows.timestamps[row])}{filled}; add values there"
        )
    train = fitted.series[series]
    scaled = np.subtract(rows.values, train.mean)[-fitted.reach :] / train.std
    # an input has 32 bits
    is_small = (np.abs(scaled) <= np.finfo(np.float32).max).all(axis=0)
    if not is_small.all():
        column = columns[int(is_small.argmin())]
        raise UnrollError(
            f"{column!r} holds a number too large for any model; correct it"
        )


def _ended(window: Window, count: int, unfinished: np.datetime64 | None) -> str:
    """Return a line about `count` rows after a window, which have no target."""
    fitted = window.fitted
    if unfinished is not None:
        return calendars.left_out(unfinished)
    if not count or fitted.windows.future:
        return ""
    last = when(fitted, window.last)
    row = "row" if fitted.cleaning.timestep == 1 else "timestep"
    rows = f"{count:,} {row}s have" if count > 1 else f"1 {row} has"
    seen = "was measured last" if row == "row" else "has its last whole timestep"
    text = f"{fitted.csv.target!r} {seen} at {last}"
    return f"{text}; the forecast starts after it ({rows} none after that)"


def _unusual(
    spec: ForecasterSpec, series: str, times: Array, values: Array
) -> list[str]:
    fitted = spec.fitted
    known = fitted.series[series]
    lines = []
    for name in fitted.numbers:
        column = fitted.columns.index(name)
        low = known.low[column]
        high = known.high[column]
        beyond = np.maximum(low - values[:, column], values[:, column] - high)
        far = beyond > FAR * ((high - low) or 1.0)
        if far.any():
            row = int(beyond.argmax())
            more = f" and {far.sum() - 1} more" if far.sum() > 1 else ""
            lines.append(
                f"{name!r} is {values[row, column]:g} at "
                f"{when(fitted, times[row])}{more}, far outside of what "
                f"{spec.dataset} was trained on, {low:g} to {high:g}: the forecast "
                "is a guess"
            )
    return lines


def _on_clock(fitted: Preprocessing, times: Array) -> Any:
    """Return a pandas DatetimeIndex of row numbers (rows,), with the time zone if any."""
    import pandas as pd

    zone = fitted.csv.time_zone
    index = pd.DatetimeIndex(row_calendar.stamps(times, fitted.cleaning, zone))
    return index if zone is None else index.tz_localize("UTC").tz_convert(zone)


def when(fitted: Preprocessing, stamp: Any) -> str:
    """Return a timestamp on the file's clock; the date alone for rows of days."""
    text = str(_on_clock(fitted, np.array([stamp], "datetime64[s]"))[0])
    is_of_days = fitted.row % np.timedelta64(1, "D") == 0
    return text.removesuffix(" 00:00:00") if is_of_days else text
