"""New rows as a model's input.

The last window of the rows is prepared as the rows were that the model was trained on.
"""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pipeline.data import timestamps, windowing
from pipeline.data.examples import Array
from pipeline.errors import UnknownAheadError, UnrollError
from unroll.series import measured_rows, prediction_intervals, row_calendar
from unroll.series.options import argument
from unroll.series.reading import premises
from unroll.series.reading.file_rows import FileRows, table_of
from unroll.series.row_options import ALONE, CsvFormat
from unroll.series.series_table import SeriesTable
from unroll.series.spec import SeriesQuestion

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
        question: what the models were trained to answer.
        stamps: (rows,) datetime64[ms], in UTC if the preparation has a time zone.
        target: (rows,) measured values of the target, NaN where nothing was measured.
        inputs: (timesteps, columns + calendar) float32, or (timesteps, columns) float64
            of a whole series; NaN before the lookback where there is no row.
        recent: (origins since the fit + 1, 2) `prediction_intervals.recent` at these
            origins, and at the last row.
        last: datetime64[ms], the number of the last row in time
            (`row_calendar.numbered`).
        unusual: lines about values far outside of the trained range.
        since: the origins since the models were fitted; None if they do not count.
        new: number of rows since the models were fitted, as a share of the rows before.
        ended: a line about rows at the end without a target; "" without such rows.
        over: whether the target is 0 for so long that the series has ended.
    """

    question: SeriesQuestion
    stamps: Array
    target: Array
    inputs: Array
    recent: Array
    last: np.datetime64
    unusual: list[str]
    since: Since | None = None
    new: float = 0.0
    ended: str = ""
    over: bool = False

    def times(self, steps: int) -> Any:
        """Return a pandas DatetimeIndex of the next `steps` timesteps."""
        question = self.question
        ahead = question.ahead[0] + question.windows.step * np.arange(steps)  # rows
        return question.on_clock(self.last + ahead * question.row)


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
    question = window.question
    if question.windows.future:
        names = ", ".join(question.windows.future)
        raise UnrollError(
            f"the models were trained for a horizon of {len(question.ahead)} timesteps, "
            f"and with columns that are known beforehand ({names}) they forecast no "
            f"further, even if the rows to come are given; pass a {argument('horizon')} of at most "
            f"that, or answer the series anew with a longer {argument('horizon')}"
        )
    cycle = _cycle(question, len(window.inputs))
    count = len(forecast)
    places = len(window.inputs) - cycle + np.arange(count) % cycle
    repeated = window.inputs[places].copy()  # (steps, columns)
    repeated[:, question.fitted.columns.index(question.csv.target)] = forecast
    times = window.times(ahead)[ahead - count :]
    measured = len(question.fitted.columns)
    if repeated.shape[1] > measured:
        moments = np.asarray(times.tz_localize(None), dtype="datetime64[ms]")
        repeated[:, measured:] = windowing.calendar(
            row_calendar.spread(moments, question.cleaning), week=question.windows.week
        )
    inputs = np.concatenate([window.inputs, repeated])[-len(window.inputs) :]
    return replace(window, inputs=inputs.astype(window.inputs.dtype))


def _cycle(question: SeriesQuestion, timesteps: int) -> int:
    """Return a week in timesteps if a window holds a week, else a day; else 1."""
    seconds = question.spacing * question.windows.step
    if question.cleaning.rows is None:
        for cycle in (7 * windowing.DAY, windowing.DAY):
            if cycle % seconds == 0 and cycle // seconds <= timesteps:
                return cycle // seconds
    return 1


@dataclass(frozen=True)
class History:
    """All rows of a series in some files, up to the last one with a target.

    Attributes:
        question: what the models were trained to answer.
        name: a name of the files, for error messages.
        measured: the rows.
        inputs: (rows, columns + calendar) float32, the rows as models see them.
        later: number of rows after them, which have no target.
        unfinished: the timestamp of a last row that does not count, since its day, week
            or month is not over.
        has_ended: whether its last rows are missing, and other series have them.
    """

    question: SeriesQuestion
    name: str
    measured: measured_rows.Measured
    inputs: Array
    later: int
    unfinished: np.datetime64 | None = None
    has_ended: bool = False

    @property
    def target(self) -> int:
        """The column that is forecast."""
        return self.measured.columns.index(self.question.csv.target)

    def behind(self, origins: Array, timesteps: int) -> Array:
        """Return the inputs at some origins: (origins, timesteps, columns + calendar).

        They are NaN before the first row and before the last gap. The rows of a lookback
        are `completed` if windows count whose series has just begun.
        """
        steps = self.question.windows.step * np.arange(1 - timesteps, 1)
        index = origins[:, None] + steps
        start = self.starts(origins)[:, None]
        inputs = self.inputs[np.maximum(index, 0)]
        inputs[index < start] = np.nan
        if self.question.windows.begun:
            seen = index[:, -self.question.timesteps :]
            known = self.inputs[np.maximum(seen, 0)]
            inputs[:, -self.question.timesteps :] = completed(
                known, seen < start, self.question
            )
        return inputs

    def starts(self, origins: Array) -> Array:
        """Return the first row (origins,) from which on no gap lies before an origin."""
        rows = self.measured.series
        if not self.question.windows.begun:
            apart = np.diff(rows.timestamps) != self.question.row
            starts = np.concatenate([[0], np.flatnonzero(apart) + 1])
            return np.asarray(starts[np.searchsorted(starts, origins, "right") - 1])
        runs = rows.runs(self.question.spacing)
        return np.asarray(np.maximum(np.searchsorted(runs, runs[origins]), rows.start))

    def since(self, timesteps: int, until: np.datetime64, stride: int) -> Since:
        """Return the last `MOST` origins from `until` on.

        The origins lie `stride` rows from each other. After each of them the first
        value was measured, and no gap lies in its window.
        """
        question = self.question
        rows = self.measured.series
        count = len(rows.values)
        first = question.windows.model_copy(update={"horizon": 1})
        chosen = measured_rows.chosen_rows(
            rows, count, first, freq=question.spacing, target=self.target
        )
        # `Windows` counts from the row after the last step
        origins = chosen["train"] - question.windows.step
        rows_after_fit = (rows.timestamps[origins] - until) // question.row
        counts = (rows_after_fit >= 0) & (rows_after_fit % stride == 0)
        origins = origins[counts][-MOST:]
        # (origins, steps)
        targets = np.minimum(origins[:, None] + question.ahead, len(rows.values) - 1)
        later = rows.timestamps[targets] - rows.timestamps[origins, None]
        observed = later == question.ahead * question.row
        observed &= ~rows.unknown[targets, self.target]
        values = np.where(observed, self.inputs[targets, self.target], np.nan)
        return Since(self.behind(origins, timesteps), values, rows.timestamps[origins])


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


def completed(inputs: Array, before: Array, question: SeriesQuestion) -> Array:
    """Return windows whose rows before the first one of a series are made up.

    They are means of its known rows: of those at the same place in a cycle, if a whole
    cycle is known, else of all.

    Args:
        inputs: (windows, timesteps, columns + calendar); the calendar and the mark of
            filled rows are known in all rows.
        before: (windows, timesteps) whether a row lies before the first one.
        question: the preparation of the series.
    """
    made = inputs.copy()
    lacking = before.sum(axis=1)
    cycle = question.cleaning.repeat or 1
    for count in np.unique(lacking[lacking > 0]):
        own = np.flatnonzero(lacking == count)[:, None, None]
        known = np.arange(count, inputs.shape[1])
        period = cycle if cycle <= len(known) else 1
        for row in range(count):
            same = known[(known - row) % period == 0]
            columns = question.of_rows
            means = inputs[own, same[:, None], columns].mean(axis=1, dtype=np.float64)
            made[own[:, 0], row, columns] = means
    return made


def histories(
    questions: Mapping[str, SeriesQuestion],
    files: FileRows,
    plans: Sequence[FileRows] = (),
    steps: int | None = None,
) -> dict[str, History]:
    """Return name of a series -> all its rows in some files, as models see them.

    Args:
        questions: name of a series -> what the models were trained to answer.
        files: the rows. Behind the last row with a target there may be rows with
            columns that are known beforehand.
        plans: more rows with columns that are known beforehand, for each series, or
            without the names of series for all.
        steps: timesteps to forecast; by default the trained horizon.

    Raises:
        UnrollError: a column is missing, a cell is wrong, or rows have another distance
            than the trained rows.
        UnknownAheadError: a value that must be known beforehand is not.
    """
    question = next(iter(questions.values()))
    table = table_of(_only(question, files))
    last = None
    if not question.keep_last:
        table, last = only_over(table, question.csv)
    table = measured_rows.on_calendar(table, question.csv, question.cleaning)
    name = files.paths[0].name
    _require_spacing(question, table, name)
    table = measured_rows.in_timesteps(table, question.csv, question.cleaning)
    table = _aligned(question, table, name)
    end = _up_to_last_target(question, table).timestamps.max()
    planned = [_planned(question, plan) for plan in plans]
    by_series = {}
    for series_id, every in table.by_series(questions).items():
        asked = questions[series_id]
        own = _up_to_last_target(question, every)
        last_own = own.timestamps.max()
        if question.windows.begun:
            own = every.only(every.timestamps <= end)
        has_ended = bool(last_own + question.ahead[-1] * question.row <= end)
        plan = None
        try:
            if not has_ended:
                plan = _beforehand(asked, own, every, planned, steps)
        except UnknownAheadError:
            # nobody plans what is no longer sold
            target = own.values[:, own.columns.index(question.csv.target)]
            has_ended = bool(last_own < end)
            if not has_ended and not ended(target, question.row)[-1]:
                raise
        measured = measured_rows.rows_of(
            own,
            question.csv,
            question.cleaning,
            question.windows,
            plan,
        )
        limit = _fill_of_gapless(question)
        if limit:
            filled = measured_rows.fill(measured.series, question.spacing, limit)
            measured = replace(measured, series=filled)
        with np.errstate(over="ignore"):
            inputs = measured_rows.inputs_of(
                measured.series, asked.fitted, asked.statistics
            )
        title = f"{name}, {series_id}" if series_id else name
        after = timestamps.distinct(every.timestamps) > own.timestamps.max()
        by_series[series_id] = History(
            asked, title, measured, inputs, int(after.sum()), last, has_ended
        )
    return by_series


def only_over(
    table: SeriesTable, csv: CsvFormat
) -> tuple[SeriesTable, np.datetime64 | None]:
    """Return the rows without the last target if its day, week or month is not over.

    Also returned is the timestamp of this target; None if it is over.
    """
    column = table.columns.index(csv.target)
    measured = table.timestamps[~np.isnan(table.values[:, column])]
    zone = csv.time_zone
    last = premises.unfinished(measured, zone, utc=zone is not None)
    if last is None:
        return table, None
    values = table.values.copy()
    values[table.timestamps >= last, column] = np.nan
    return replace(table, values=values), last


def _require_spacing(question: SeriesQuestion, table: SeriesTable, name: str) -> None:
    """Raise UnrollError unless rows lie as far apart as the trained rows."""
    spacing = timestamps.regularity(table.timestamps).freq
    several = table.timestamps.min() < table.timestamps.max()
    trained = question.cleaning.of_file.spacing or 1
    if several and spacing != trained:
        raise UnrollError(
            f"{name}: rows lie {timestamps.duration(spacing)} apart, and "
            f"{question.dataset} was trained on rows that lie "
            f"{timestamps.duration(trained)} apart; give such rows"
        )


def fill_limit(spacing: int) -> int:
    """Return the longest gap that is filled, in rows: six hours, or one longer row.

    Args:
        spacing: seconds from row to row.
    """
    return max(1, windowing.DAY // 4 // spacing)


def _fill_of_gapless(question: SeriesQuestion) -> int | None:
    """Return the longest gap, in rows, that is filled where train rows had no gap.

    None means that the preparation itself says what is filled.
    """
    is_said = question.cleaning.fill is not None or "" in (question.csv.missing or ())
    return None if is_said else fill_limit(question.spacing)


def _up_to_last_target(question: SeriesQuestion, table: SeriesTable) -> SeriesTable:
    """Return the rows up to the last one whose target was measured."""
    target = table.values[:, table.columns.index(question.csv.target)]
    known = table.timestamps[~np.isnan(target) & (target != question.cleaning.sentinel)]
    return table.only(table.timestamps <= known.max()) if len(known) else table


def latest(
    history: History,
    timesteps: int,
    until: np.datetime64 | None,
    stride: int,
    lag: int = 1,
) -> Window:
    """Return the last window of some rows.

    Args:
        history: the rows.
        timesteps: number of timesteps of the inputs.
        until: the last row that models were fitted to; None to leave out later errors.
        stride: rows from one origin to the next, of the origins since the fit.
        lag: rows of a recent change.

    Raises:
        UnrollError: rows are too few, or there is a gap.
    """
    question = history.question
    rows = history.measured.series
    last = len(rows.values) - 1
    first = last + 1 - question.reach
    _require_whole(history, first)
    first = max(first, int(history.starts(np.array([last]))[0]))
    inputs = history.behind(np.array([last]), timesteps)[0]
    finite = np.isfinite(inputs[-question.timesteps :]).all(axis=0)
    if not finite.all():
        column = question.fitted.columns[finite.argmin()]
        raise UnrollError(
            f"{history.name}: {column!r} holds a number too large for any model; "
            "correct it"
        )
    times = rows.timestamps[first:]
    values = rows.values[first:]
    new = 0
    since = None
    if until is not None:
        new = int((rows.timestamps > until).sum())
        since = history.since(timesteps, until, stride)
    target = history.measured.target(history.target)
    origins = [last]
    if since is not None:
        origins = [*np.searchsorted(rows.timestamps, since.stamps), last]
    recent = prediction_intervals.recent(target, lag, question.scale.std)
    return Window(
        question=question,
        stamps=times,
        target=target[first:],
        inputs=inputs,
        recent=recent[origins],
        last=rows.timestamps[last],
        unusual=_unusual(question, times, values),
        ended=_ended(history),
        since=since,
        new=new / max(1, len(rows.timestamps) - new),
        over=question.lowest == 0 and bool(ended(target, question.row)[-1]),
    )


def whole(
    history: History,
    timesteps: int | None = None,
    until: np.datetime64 | None = None,
    lag: int = 1,
) -> Window:
    """Return all rows of a series as a window, from its last gap on.

    Args:
        history: the rows.
        timesteps: number of timesteps of the inputs; None for all rows.
        until: the last row that models were fitted to; None if they are not yet.
        lag: rows of a recent change.

    Raises:
        UnrollError: there is no row.
    """
    measured = history.measured.series
    first = measured.start  # before it nothing was measured
    count = len(measured.values) - first
    if count < 1:
        raise UnrollError(f"{history.name}: there is no row with a value")
    window = latest(history, timesteps or count, None, 1, lag)
    new = 0.0
    if until is not None:
        later = int((measured.timestamps > until).sum())
        new = later / max(1, count - later)
    inputs = window.inputs[-count:, : len(history.question.fitted.columns)]
    inputs = inputs.astype(np.float64)
    # 32 bits do not hold a count above 16 million
    exact = measured.values[-len(inputs) :, history.target]
    column = inputs[:, history.target]
    scaled = exact / history.question.scale.std
    column[:] = np.where(np.isfinite(column), scaled, np.nan)
    before = max(0, (timesteps or count) - len(inputs))
    inputs = np.pad(inputs, ((before, 0), (0, 0)), constant_values=np.nan)
    return replace(
        window,
        stamps=measured.timestamps[first:],
        target=history.measured.target(history.target)[first:],
        inputs=inputs,
        new=new,
    )


def target_values(window: Window) -> Array:
    """Return the values (rows,) of the target of a whole series, in its unit."""
    question = window.question
    values = window.inputs[:, question.fitted.columns.index(question.csv.target)]
    return np.asarray(values[np.isfinite(values)] * question.scale.std)


def _beforehand(
    question: SeriesQuestion,
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

    names = question.windows.future
    if not names:
        return None
    last = past.timestamps.max()
    tables = [pd.DataFrame(table.values, table.timestamps, table.columns)]
    for rows in planned:
        own = rows.index.get_level_values(0).isin([ALONE, question.series])
        tables.append(rows[own].droplevel(0))
    # the last value of a timestamp counts, and an empty cell is none
    known = pd.concat(tables).reindex(columns=names).groupby(level=0).last()
    lead = np.arange(1, int(question.windows.ahead[-1]) + 1)
    times = last + lead * question.row
    ahead = known.reindex(times)
    lacking = ahead[:steps].isna()
    for time, unknown in lacking[lacking.any(axis=1)].iterrows():
        of = f" of {question.series}" if question.series != ALONE else ""
        raise UnknownAheadError(
            f"{', '.join(ahead.columns[unknown])}{of} must be known beforehand, and "
            f"nothing says so for {question.when(time)}",
            f"pass such rows as {argument('future')}, or add them behind the last one",
        )
    ahead = ahead.ffill()
    return {name: ahead[name].to_numpy() for name in names}


def _planned(question: SeriesQuestion, plan: FileRows) -> Any:
    """Return a DataFrame of columns known beforehand, by series and timestamp.

    Rows without the name of a series count for all.

    Raises:
        UnrollError: there is no column of timestamps, or none that is known beforehand,
            or the models see no such column.
    """
    import pandas as pd

    if not question.windows.future:
        raise UnrollError(
            f"{plan.paths[0].name} is not used: no column of {question.dataset} is known "
            f"beforehand; leave it out, or answer the series anew with {argument('future')}"
        )
    header = [*plan.cells.columns]
    known = [name for name in question.windows.future if name in header]
    lacking = [name for name in question.csv.stamp if name not in header]
    if lacking or not known:
        column = [*lacking, *question.windows.future][0]
        raise UnrollError(
            f"{plan.paths[0].name} has no column {column!r}, which must be known "
            "beforehand; add it"
        )
    series_id = question.csv.series_id if question.csv.series_id in header else None
    needed = {*question.csv.stamp, *known, series_id}
    only = {
        "target": known[0],
        "drop": [name for name in header if name not in needed],
        "categories": [],
        "missing": [*(plan.form.missing or ()), ""],
        "series_id": series_id,
    }
    table = table_of(replace(plan, form=plan.form.model_copy(update=only)))
    table = measured_rows.on_calendar(table, question.csv, question.cleaning)
    table = measured_rows.in_timesteps(table, question.csv, question.cleaning)
    names = [ALONE] * len(table.values) if table.series_id is None else table.series_id
    every = {ALONE, *question.fitted.series, *question.csv.leave_out}
    unknown = sorted({*names} - every)
    if unknown:
        raise UnrollError(
            f"{plan.paths[0].name}: {series_id} {unknown[0]!r:.60} is no series of "
            f"{question.dataset}; correct it, or answer the series anew with its rows"
        )
    frame = pd.DataFrame(table.values, [names, table.timestamps], table.columns)
    frame = frame[~frame.reset_index().duplicated().to_numpy()]
    twice = frame.index[frame.index.duplicated()]
    if len(twice):
        name, stamp = twice[0]
        of = f" of {name}" if name else ""
        raise UnrollError(
            f"{plan.paths[0].name}: {question.when(stamp)}{of} comes twice, with other "
            "values; keep one row"
        )
    return frame


def _only(question: SeriesQuestion, file: FileRows) -> FileRows:
    """Return the rows without the columns that the model was not trained on; an empty
    cell is no mistake.
    """
    form = question.csv
    header = list(file.cells.columns)
    needed = [*form.stamp, *question.numbers, *form.words]
    lacking = [name for name in needed if name not in header]
    if lacking:
        close = difflib.get_close_matches(lacking[0], header, n=1)
        hint = f"; is it {close[0]!r}? Rename it there" if close else ""
        known = ", ".join(header) or "none of the model's columns"
        raise UnrollError(
            f"{file.paths[0].name} has no column {lacking[0]!r}, which "
            f"{question.dataset} was trained on{hint}. It has: {known}"
        )
    return replace(
        file,
        form=file.form.model_copy(
            update={
                "drop": [name for name in header if name not in needed],
                "missing": [*(form.missing or ()), ""],
            }
        ),
    )


def _aligned(question: SeriesQuestion, table: SeriesTable, name: str) -> SeriesTable:
    """Return the columns in the order that the model knows.

    The column of a word that does not occur is 0 everywhere.
    """
    import pandas as pd

    unknown = [column for column in table.columns if column not in question.read]
    if table.series_id is not None:
        names = sorted({*table.series_id} - {"", *question.fitted.series})
        unknown += [f"{question.csv.series_id}={name}" for name in names]
    if unknown:
        column, _, word = unknown[0].partition("=")
        raise UnrollError(
            f"{name}: column {column!r} holds {word!r}, a word that {question.dataset} "
            "does not have; correct it, or answer the series anew"
        )
    frame = pd.DataFrame(table.values, columns=table.columns)
    return replace(
        table,
        columns=question.read,
        values=frame.reindex(columns=question.read, fill_value=0).to_numpy(),
    )


def _require_whole(history: History, first: int) -> None:
    question = history.question
    rows = history.measured.series
    columns = history.measured.columns
    needed = f"{history.name}: a forecast needs the last {question.reach:,} rows"
    if first < 0:
        raise UnrollError(
            f"{needed}, and there are {len(rows.values):,}; add earlier rows"
        )
    if question.windows.begun:
        _require_not_over(history)
        first = len(rows.values) - 1  # the rows before may be made up
    if first < rows.start:
        column = columns[int(rows.unknown[: rows.start].sum(axis=0).argmax())]
        until = question.when(rows.timestamps[rows.start - 1])
        raise UnrollError(
            f"{needed}, and {column!r} holds no value until {until}; add earlier rows"
        )
    longest = question.cleaning.fill or _fill_of_gapless(question)
    filled = f", and no more than {longest} in a row are filled" if longest else ""
    broken = np.flatnonzero(np.diff(rows.timestamps[first:]) != question.row)
    if len(broken):
        place = first + broken[-1]
        before = question.when(rows.timestamps[place])
        after = question.when(rows.timestamps[place + 1])
        raise UnrollError(
            f"{needed}, and between {before} and {after} there are none{filled}; add "
            "rows there"
        )
    if rows.late is not None and rows.late[first:].any():
        row = first + int(np.flatnonzero(rows.late[first:])[-1])
        column = columns[int(rows.unknown[row].argmax())]
        raise UnrollError(
            f"{needed}, and {column!r} was not measured up to "
            f"{question.when(rows.timestamps[row])}{filled}; add values there"
        )


def _require_not_over(history: History) -> None:
    """Raise UnrollError if a series has no row, or its last ones are missing."""
    question = history.question
    rows = history.measured.series
    known = np.flatnonzero(~rows.unknown[:, history.target])
    if not len(known):
        raise UnrollError(f"{history.name}: there is no row with a value")
    if history.has_ended:
        raise UnrollError(
            f"{history.name}: it was measured last at "
            f"{question.when(rows.timestamps[known[-1]])}; if it has not ended, add its "
            "last rows"
        )


def _ended(history: History) -> str:
    question = history.question
    count = history.later
    if history.unfinished is not None:
        return premises.left_out(history.unfinished)
    if not count or question.windows.future:
        return ""
    last = question.when(history.measured.series.timestamps[-1])
    row = "row" if question.cleaning.timestep == 1 else "timestep"
    rows = f"{count:,} {row}s have" if count > 1 else f"1 {row} has"
    seen = "was measured last" if row == "row" else "has its last whole timestep"
    text = f"{question.csv.target!r} {seen} at {last}"
    return f"{text}; the forecast starts after it ({rows} none after that)"


def _unusual(question: SeriesQuestion, times: Array, values: Array) -> list[str]:
    lines = []
    for name in question.numbers:
        column = question.fitted.columns.index(name)
        low = question.statistics.low[column]
        high = question.statistics.high[column]
        beyond = np.maximum(low - values[:, column], values[:, column] - high)
        far = beyond > FAR * ((high - low) or 1.0)
        if far.any():
            row = int(beyond.argmax())
            more = f" and {far.sum() - 1} more" if far.sum() > 1 else ""
            lines.append(
                f"{name!r} is {values[row, column]:g} at "
                f"{question.when(times[row])}{more}, far outside of what "
                f"{question.dataset} was trained on, {low:g} to {high:g}: the forecast "
                "is a guess"
            )
    return lines
