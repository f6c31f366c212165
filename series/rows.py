"""New rows -> the last window of them as a model's input, by the preparation that its
data set was made with.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pipeline.data import row_calendar, series, timestamps
from pipeline.data.examples import Array, Windows
from pipeline.data.row_table import RowTable
from pipeline.errors import UnknownAheadError, UnrollError
from series.reading.files import Rows, table_of
from series.spec import SeriesQuestion

FAR = 0.5
"""How far beyond the trained range a value is far, as a part of that range."""

MOST = 14
"""Origins since the fit whose errors count, the last ones."""


@dataclass(frozen=True)
class Window:
    """The last rows of a series.

    Attributes:
        question: what is asked of it.
        stamps: (rows,) datetime64[ms], in UTC where the preparation has them so.
        target: (rows,) what was measured of the target, NaN where nothing was.
        inputs: (timesteps, columns + calendar) float32; those before the lookback NaN
            where there is no row.
        last: datetime64[ms], the number of the last row in time
            (`row_calendar.numbered`).
        unusual: lines about values far outside of what was trained on, and about rows
            at the end without a target.
        since: (origins, timesteps, columns) the inputs at the origins since the models
            were fitted, and (origins, steps) what was observed after them, in model
            units, NaN where nothing was yet.
        new: rows after the last one that models were fitted to, as a share of those
            before.
        later: rows after the last one with a target.
    """

    question: SeriesQuestion
    stamps: Array
    target: Array
    inputs: Array
    last: np.datetime64
    unusual: list[str]
    since: tuple[Array, Array] | None = None
    new: float = 0.0
    later: int = 0

    def times(self, steps: int) -> Any:
        """Return a pandas DatetimeIndex of the timestamps of so many timesteps ahead."""
        question = self.question
        timesteps = question.windows.step * np.arange(steps)
        ahead = question.ahead[0] + timesteps  # rows
        return question.on_clock(
            self.last + ahead * np.timedelta64(1000 * question.spacing, "ms")
        )


def continued(window: Window, forecast: Array, ahead: int) -> Window:
    """Return the window after a forecast, as if the forecast had been measured.

    Other columns take their values of a cycle before, where a window has a whole cycle,
    else the last ones.

    Args:
        window: the last rows.
        forecast: (steps,) what follows them, in model units.
        ahead: how many timesteps of forecasts there are so far, from the last measured
            row on.

    Raises:
        UnrollError: a column is known beforehand, of which the rows to come would have
            to be known.
    """
    question = window.question
    if question.windows.future:
        raise UnrollError(
            f"a horizon beyond the trained one needs {', '.join(question.windows.future)} of later rows; pass no "
            "horizon, or answer the series anew with a longer one"
        )
    cycle = _cycle(question, len(window.inputs))
    count = len(forecast)
    # (steps, columns)
    repeated = window.inputs[
        len(window.inputs) - cycle + np.arange(count) % cycle
    ].copy()
    repeated[:, question.fitted.columns.index(question.csv.target)] = forecast
    times = window.times(ahead)[ahead - count :]
    columns = series.calendar_columns(week=question.windows.week)
    moments = np.asarray(times.tz_localize(None), dtype="datetime64[ms]")
    spread = row_calendar.spread(moments, question.cleaning)
    repeated[:, -columns:] = series.calendar(spread, week=question.windows.week)
    inputs = np.concatenate([window.inputs, repeated])[-len(window.inputs) :].astype(
        np.float32
    )
    return replace(window, inputs=inputs)


def _cycle(question: SeriesQuestion, timesteps: int) -> int:
    """The longest of a week and a day that a window holds, in timesteps; 1 if it holds
    neither.
    """
    seconds = question.spacing * question.windows.step
    for cycle in (7 * series.DAY, series.DAY):
        if (
            cycle % seconds == 0
            and cycle // seconds <= timesteps
            and question.cleaning.rows is None
        ):
            return cycle // seconds
    return 1


@dataclass(frozen=True)
class History:
    """All rows of a series in some files, up to the last one with a target.

    Attributes:
        question: what models were trained to answer of it.
        name: of the files, for error messages.
        measured: the rows.
        inputs: (rows, columns + calendar) float32, as models see them.
        later: how many rows come after them.
    """

    question: SeriesQuestion
    name: str
    measured: series.Measured
    inputs: Array
    later: int

    @property
    def target(self) -> int:
        """The column that is forecast."""
        return self.measured.columns.index(self.question.csv.target)

    def windows(self, outputs: int | None = None) -> Windows:
        """Every window between whose rows there is no gap, and of whose targets one, or
        all, were measured.

        As `Windowing.partial` says; `outputs` counts the first of the targets, None all
        of them.
        """
        question = self.question
        rows = self.measured.series
        options = question.windows.model_copy(
            update={"horizon": outputs or question.windows.horizon}
        )
        chosen, _ = series.corrected_rows(
            rows,
            len(rows.values),
            len(rows.values),
            options,
            freq=question.spacing,
            target=self.target,
        )
        measured = ~rows.unknown[:, self.target] if options.partial else None
        shape = (
            options.lookback,
            options.step,
            options.first - options.step,
            self.target,
            options.horizon,
        )
        return Windows(self.inputs, chosen["train"], *shape, measured=measured)

    def behind(self, origins: Array, timesteps: int) -> Array:
        """(origins, timesteps, columns + calendar) the inputs at some origins, NaN
        before the first row or a gap.
        """
        rows = self.measured.series
        gaps = (
            np.flatnonzero(
                np.diff(rows.timestamps)
                != np.timedelta64(1000 * self.question.spacing, "ms")
            )
            + 1
        )
        starts = np.concatenate([[0], gaps])[np.searchsorted(gaps, origins, "right")]
        index = origins[:, None] + self.question.windows.step * np.arange(
            1 - timesteps, 1
        )
        inputs = self.inputs[np.maximum(index, 0)]
        inputs[index < starts[:, None]] = np.nan
        return inputs

    def since(
        self, timesteps: int, until: np.datetime64, stride: int
    ) -> tuple[Array, Array]:
        """As `Window.since`: origins from `until` on, `stride` rows from each other,
        the last `MOST` of them.
        """
        question = self.question
        rows = self.measured.series
        # `Windows` counts from the row after the last step
        origins = self.windows(1).rows - question.windows.step
        row = np.timedelta64(1000 * question.spacing, "ms")
        since = (rows.timestamps[origins] - until) // row
        origins = origins[(since >= 0) & (since % stride == 0)][-MOST:]
        targets = np.minimum(origins[:, None] + question.ahead, len(rows.values) - 1)
        observed = (
            rows.timestamps[targets] - rows.timestamps[origins, None]
            == question.ahead * row
        )
        observed &= ~rows.unknown[targets, self.target]
        return self.behind(origins, timesteps), np.where(
            observed, self.inputs[targets, self.target], np.nan
        )


def histories(
    questions: Mapping[str, SeriesQuestion],
    files: Rows,
    plan: Rows | None = None,
) -> dict[str, History]:
    """Name of a series -> all its rows in some files, as models see them.

    Args:
        questions: of each series what models were trained to answer.
        files: of the rows. Behind the last one with a target there may be rows with
            what is known beforehand.
        plan: more such rows.

    Raises:
        UnrollError: a column is missing, a cell is wrong, or rows are another time
            apart.
    """
    question = next(iter(questions.values()))
    strict = _only(question, files)
    missing = [*(question.csv.missing or ()), ""]  # the last rows may lack a value
    lenient = strict.form.model_copy(update={"missing": missing})
    table = table_of(replace(strict, form=lenient))
    table = series.on_calendar(table, question.csv, question.cleaning)
    name = files.paths[0].name
    spacing = timestamps.regularity(table.timestamps).freq
    if (
        len(table.timestamps) > 1
        and table.timestamps.min() < table.timestamps.max()
        and spacing != question.spacing
    ):
        raise UnrollError(
            f"{name}: rows lie {spacing:,} seconds apart, and {question.dataset} was trained on {question.spacing:,}; "
            "give such rows"
        )
    table = _aligned(question, table, name)
    by_series = {}
    gaps = False
    for series_id, every in table.by_series(questions).items():
        own = _measured(question, every)
        cells = (
            table
            if table.series_id is None
            else table.only(np.equal(table.series_id, series_id))
        )
        gaps = gaps or bool(np.isnan(_measured(question, cells).values).any())
        beforehand = _beforehand(question, own, every, plan)
        if question.fitted.slip:
            measured = series.as_they_are(own, question.spacing)
        else:
            measured = series.rows_of(
                own, question.csv, question.cleaning, question.windows, beforehand
            )
        with np.errstate(over="ignore"):
            inputs = series.inputs_of(
                measured.series, question.fitted, questions[series_id].statistics
            )
        title = f"{name}, {series_id}" if series_id else name
        later = int(
            (timestamps.distinct(every.timestamps) > own.timestamps.max()).sum()
        )
        by_series[series_id] = History(
            questions[series_id], title, measured, inputs, later
        )
    if gaps and "" not in (question.csv.missing or ()):
        table_of(strict)  # names the cell
    return by_series


def _measured(question: SeriesQuestion, table: RowTable) -> RowTable:
    """The rows up to the last one with a target; all, where none has."""
    target = table.values[:, table.columns.index(question.csv.target)]
    known = table.timestamps[~np.isnan(target) & (target != question.cleaning.sentinel)]
    return table.only(table.timestamps <= known.max()) if len(known) else table


def latest(
    history: History, timesteps: int, until: np.datetime64 | None, stride: int
) -> Window:
    """The last window of some rows.

    Args:
        history: the rows.
        timesteps: of the inputs.
        until: the last row that models were fitted to; None where it does not matter.
        stride: rows from one origin since then to the next.

    Raises:
        UnrollError: rows are too few, there is a gap, or something that is known
            beforehand is missing.
    """
    question = history.question
    rows = history.measured.series
    last = len(rows.values) - 1
    first = last + 1 - question.reach
    _require_whole(history, first)
    inputs = history.behind(np.array([last]), timesteps)[0]
    if (
        beyond := ~np.isfinite(
            inputs[-question.windows.lookback // question.windows.step :]
        ).all(axis=0)
    ).any():
        column = question.fitted.columns[beyond.argmax()]
        raise UnrollError(
            f"{history.name}: {column!r} holds a number too large for any model"
        )
    times = rows.timestamps[first:]
    values = rows.values[first:]
    new = 0
    if until is not None:
        new = int((rows.timestamps > until).sum())
    return Window(
        question=question,
        stamps=times,
        target=history.measured.target(history.target)[first:],
        inputs=inputs,
        last=rows.timestamps[last],
        unusual=_unusual(question, times, values) + _without_target(history),
        since=history.since(timesteps, until, stride) if until is not None else None,
        new=new / max(1, len(rows.timestamps) - new),
        later=history.later,
    )


def _beforehand(
    question: SeriesQuestion,
    past: RowTable,
    table: RowTable,
    plan: Rows | None,
) -> series.Plan:
    """What is known beforehand of the timesteps to forecast: from rows behind the
    `past` ones, and files.

    Raises:
        UnrollError: it is not known of all of them.
    """
    names = question.windows.future
    last = past.timestamps.max()
    if not names:
        return None
    columns = [table.columns.index(name) for name in names]
    later = table.only(table.timestamps > last)
    known = dict(zip(later.timestamps, later.values[:, columns], strict=True))
    if plan is not None:
        header = list(plan.cells.columns)
        if lacking := [
            name for name in [*question.csv.stamp, *names] if name not in header
        ]:
            raise UnrollError(
                f"{plan.paths[0].name} has no column {lacking[0]!r}, which is known beforehand"
            )
        drop = [name for name in header if name not in {*question.csv.stamp, *names}]
        form = plan.form.model_copy(
            update={"target": names[0], "drop": drop, "categories": []}
        )
        planned = table_of(replace(plan, form=form))
        planned = series.on_calendar(planned, question.csv, question.cleaning)
        rows = planned.values[:, [planned.columns.index(name) for name in names]]
        known |= dict(zip(planned.timestamps, rows, strict=True))
    lead = np.arange(1, int(question.windows.ahead[-1]) + 1)
    ahead = last + lead * np.timedelta64(question.spacing, "s")
    if lacking := [
        moment
        for moment in ahead
        if moment not in known or np.isnan(known[moment]).any()
    ]:
        raise UnknownAheadError(
            f"{', '.join(names)} must be known beforehand, and nothing says so for {question.when(lacking[0])}; pass "
            "--future FILE with such rows, or add them behind the last one"
        )
    return dict(
        zip(names, np.array([known[moment] for moment in ahead]).T, strict=True)
    )


def _only(question: SeriesQuestion, file: Rows) -> Rows:
    """The rows without the columns that the model was not trained on."""
    form = question.csv
    header = list(file.cells.columns)
    needed = [*form.stamp, *question.numbers, *form.words]
    if lacking := [name for name in needed if name not in header]:
        close = difflib.get_close_matches(lacking[0], header, n=1)
        hint = f"; is it {close[0]!r}? Rename it there" if close else ""
        raise UnrollError(
            f"{file.paths[0].name} has no column {lacking[0]!r}, which {question.dataset} was trained on{hint}. "
            f"It has: {', '.join(header)}"
        )
    drop = [name for name in header if name not in needed]
    return replace(file, form=file.form.model_copy(update={"drop": drop}))


def _aligned(question: SeriesQuestion, table: RowTable, name: str) -> RowTable:
    """The columns in the order that the model knows; a word that does not occur is 0
    everywhere.
    """
    import pandas as pd

    unknown = [column for column in table.columns if column not in question.read]
    if table.series_id is not None:
        names = sorted({*table.series_id} - {"", *question.fitted.series})
        unknown += [f"{question.csv.series_id}={name}" for name in names]
    if unknown:
        column, _, word = unknown[0].partition("=")
        raise UnrollError(
            f"{name}: column {column!r} holds {word!r}, a word that {question.dataset} does not have"
        )
    frame = pd.DataFrame(table.values, columns=table.columns)
    return replace(
        table,
        columns=question.read,
        values=frame.reindex(columns=question.read, fill_value=0).to_numpy(),
    )


def _require_whole(history: History, first: int) -> None:
    """Raise UnrollError unless the rows from `first` on are without a gap and their
    values known.
    """
    question = history.question
    rows = history.measured.series
    columns = history.measured.columns
    needed = f"{history.name}: a forecast needs the last {question.reach:,} rows"
    if first < 0:
        raise UnrollError(
            f"{needed}, and there are {len(rows.values):,}; add rows from before"
        )
    if first < rows.start:
        column = columns[int(rows.unknown[: rows.start].sum(axis=0).argmax())]
        until = question.when(rows.timestamps[rows.start - 1])
        raise UnrollError(
            f"{needed}, and {column!r} holds no value until {until}; add rows from before"
        )
    longest = question.cleaning.fill
    filled = f", and no more than {longest} in a row are filled" if longest else ""
    broken = np.flatnonzero(
        np.diff(rows.timestamps[first:]).astype(np.int64) != 1000 * question.spacing
    )
    if len(broken):
        before, after = map(question.when, rows.timestamps[first + broken[-1] :][:2])
        raise UnrollError(
            f"{needed}, and between {before} and {after} there are none{filled}; add them"
        )
    if rows.late is not None and rows.late[first:].any():
        late = first + int(np.flatnonzero(rows.late[first:])[-1])
        column = columns[int(rows.unknown[late].argmax())]
        raise UnrollError(
            f"{needed}, and {column!r} was not measured up to {question.when(rows.timestamps[late])}{filled}"
        )


def _without_target(history: History) -> list[str]:
    """A line about rows at the end that lack the target; none where they say what is
    known beforehand.
    """
    question = history.question
    count = history.later
    if not count or question.windows.future:
        return []
    last = question.when(history.measured.series.timestamps[-1])
    rows = f"{count:,} rows have" if count > 1 else "1 row has"
    return [
        f"{question.csv.target!r} was measured last at {last}; the forecast starts there ({rows} none after that)"
    ]


def _unusual(question: SeriesQuestion, times: Array, values: Array) -> list[str]:
    lines = []
    for name in question.numbers:
        column = question.fitted.columns.index(name)
        low = question.statistics.low[column]
        high = question.statistics.high[column]
        beyond = np.maximum(low - values[:, column], values[:, column] - high)
        if (far := beyond > FAR * ((high - low) or 1.0)).any():
            row = int(beyond.argmax())
            more = f" and {far.sum() - 1} more" if far.sum() > 1 else ""
            lines.append(
                f"{name!r} is {values[row, column]:g} at {question.when(times[row])}{more}, far outside of what "
                f"{question.dataset} was trained on, {low:g} to {high:g}: the forecast is a guess"
            )
    return lines
