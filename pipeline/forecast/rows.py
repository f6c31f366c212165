"""New rows -> the last window of them as a model's input, by the preparation that its data set was made with."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.data import row_files, series, series_splits, stamped_file, stamps
from pipeline.data.examples import Array, Windows
from pipeline.errors import UnrollError
from pipeline.forecast.question import Question

if TYPE_CHECKING:
    from pipeline.data.download import Progress

FAR = 0.5
"""How far beyond the trained range a value is far: a share of that range."""


MOST = 14
"""Origins since the fit whose errors count, the last ones."""


@dataclass(frozen=True)
class Window:
    """The last rows of a file.

    Attributes:
        stamps: (rows,) datetime64[ms], in UTC where the preparation has them so.
        target: (rows,) what was measured of the target, gaps filled as for the model.
        inputs: (timesteps, columns + calendar) float32; those before the lookback NaN where there is no row.
        ahead: a pandas DatetimeIndex of the stamps that are asked for.
        unusual: lines about values far outside of what was trained on.
        since: (origins, timesteps, columns) the inputs of those since the models were fitted, and (origins, steps) what
            came, in model units, NaN where nothing has come yet.
        new: rows that came after the evaluation's end, as a share of those before.
    """

    stamps: Array
    target: Array
    inputs: Array
    ahead: Any
    unusual: list[str]
    since: tuple[Array, Array] | None = None
    new: float = 0.0


@dataclass(frozen=True)
class History:
    """All rows of a series in some files: what models were asked of it, the files' name for error texts, and (rows,
    columns + calendar) float32 as models see them.
    """

    question: Question
    name: str
    measured: series.Measured
    inputs: Array

    def windows(self, outputs: int | None = None) -> Windows:
        """Every window whose targets, all or the first `outputs`, are known and between whose rows there is no gap."""
        question, rows, options = self.question, self.measured.series, self.question.preparation
        delay, target = options["delay"] - question.step, self.measured.columns.index(options["target"])
        further, spacing = question.step * np.arange(1, outputs or question.outputs), options["spacing"]
        reach = {"lookback": question.span, "delay": delay, "spacing": spacing, "target": target, "further": further}
        found, _ = series_splits.corrected_rows(rows, len(rows.values), len(rows.values), **reach)
        shape = options["lookback"], question.step, delay, target, outputs or question.outputs
        return Windows(self.inputs, found["train"], *shape)

    def behind(self, origins: Array, timesteps: int) -> Array:
        """(origins, timesteps, columns + calendar) what is seen at each, NaN before the first row or a gap."""
        options, rows = self.question.preparation, self.measured.series
        gaps = np.flatnonzero(np.diff(rows.stamps) != np.timedelta64(1000 * options["spacing"], "ms")) + 1
        begun = np.concatenate([[0], gaps])[np.searchsorted(gaps, origins, "right")]
        places = origins[:, None] + self.question.step * np.arange(1 - timesteps, 1)
        seen = self.inputs[np.maximum(places, 0)]
        seen[places < begun[:, None]] = np.nan
        return seen

    def since(self, timesteps: int, until: np.datetime64, apart: int) -> tuple[Array, Array]:
        """As `Window.since`: origins from `until` on, `apart` rows from each other, the last `MOST` of them."""
        question, rows, windows = self.question, self.measured.series, self.windows(1)
        origins = windows.rows - question.step  # `Windows` counts from the row after the last step
        row = np.timedelta64(1000 * question.preparation["spacing"], "ms")
        since = (rows.stamps[origins] - until) // row
        origins = origins[(since >= 0) & (since % apart == 0)][-MOST:]
        there = np.minimum(origins[:, None] + question.ahead, len(rows.values) - 1)
        come = rows.stamps[there] - rows.stamps[origins, None] == question.ahead * row
        come &= ~rows.unknown[there, windows.target]
        return self.behind(origins, timesteps), np.where(come, self.inputs[there, windows.target], np.nan)


def histories(
    questions: Mapping[str, Question],
    files: Sequence[row_files.File],
    progress: "Progress",
    plan: Sequence[row_files.File] | None = (),
) -> dict[str, History]:
    """Name of a series -> all its rows in some files, as models see them.

    Args:
        questions: of each series what the model was trained on.
        files: of the rows. Behind the last one with a target there may be rows with what is known beforehand.
        progress: told of what has been read.
        plan: files of more such rows; None where no forecast is made of them.

    Raises:
        UnrollError: a column is missing, a cell is wrong, or rows are another time apart.
    """
    question = next(iter(questions.values()))
    options = question.preparation
    table = series.evenly(stamped_file.table([_only(question, file) for file in files], progress), options)
    name, own = files[0].path.name, series_splits.clock(table.stamps, None).spacing
    if len(np.unique(table.stamps)) > 1 and own != options["spacing"]:
        raise UnrollError(
            f"{name}: rows lie {own:,} seconds apart, and {question.dataset} was trained on {options['spacing']:,}; "
            "give such rows"
        )
    table, beforehand = _apart(question, _aligned(question, table, name), plan, progress)
    found = {}
    for word, part in stamped_file.apart(table, options.get("series_id")).items():
        measured = series.rows_of(part, options, beforehand)
        with np.errstate(over="ignore"):
            inputs = series.inputs_of(measured.series, questions[word].fitted)
        found[word] = History(questions[word], f"{name}, {word}" if word else name, measured, inputs)
    return found


def latest(found: History, timesteps: int, until: np.datetime64 | None, apart: int) -> Window:
    """The last window of some rows.

    Args:
        found: the rows.
        timesteps: of the inputs.
        until: the last row that models were fitted to; None where it does not matter.
        apart: rows from one origin since then to the next.

    Raises:
        UnrollError: rows are too few, there is a gap, or something that is known beforehand is missing.
    """
    question, rows, options = found.question, found.measured.series, found.question.preparation
    last = len(rows.values) - 1
    first = last + 1 - question.reach
    _require_whole(found, first)
    inputs = found.behind(np.array([last]), timesteps)[0]
    if (beyond := ~np.isfinite(inputs[-options["lookback"] // question.step :]).all(axis=0)).any():
        column = question.fitted.columns[beyond.argmax()]
        raise UnrollError(f"{found.name}: {column!r} holds a number too large for any model")
    times, values = rows.stamps[first:], rows.values[first:]
    new = 0
    if end := options.get("until"):
        new = int((rows.stamps > stamps.evenly(np.array([end], "datetime64[ms]"), options.get("rows"))).sum())
    return Window(
        stamps=times,
        target=values[:, question.fitted.columns.index(options["target"])],
        inputs=inputs,
        ahead=question.on_clock(rows.stamps[last] + question.ahead * np.timedelta64(1000 * options["spacing"], "ms")),
        unusual=_unusual(question, times, values),
        since=found.since(timesteps, until, apart) if until is not None else None,
        new=new / max(1, len(rows.stamps) - new),
    )


def _apart(
    question: Question, table: stamped_file.Table, plan: Sequence[row_files.File] | None, progress: "Progress"
) -> tuple[stamped_file.Table, series.Plan]:
    """The rows up to the last one with a target, and what is known beforehand of those that come.

    Raises:
        UnrollError: it is not known of all that are asked for.
    """
    options = question.preparation
    if plan is None or not (names := options.get("future", [])):
        return table, None
    values = table.values
    measured = ~np.isnan(values[:, table.columns.index(options["target"])])
    come = table.stamps <= table.stamps[measured].max()
    places = [table.columns.index(name) for name in names]
    known = dict(zip(table.stamps[~come], values[~come][:, places], strict=True))
    for file in plan:
        header = file.header()
        if lacking := [name for name in [*question.form.stamp, *names] if name not in header]:
            raise UnrollError(f"{file.path.name} has no column {lacking[0]!r}, which is known beforehand")
        drop = [name for name in header if name not in {*question.form.stamp, *names}]
        form = replace(file.form, target=names[0], drop=drop, categories=())
        later = series.evenly(stamped_file.table([replace(file, form=form)], progress), options)
        rows = later.values[:, [later.columns.index(name) for name in names]]
        known |= dict(zip(later.stamps, rows, strict=True))
    wanted = table.stamps[come].max() + np.arange(1, series.lead(options) + 1) * np.timedelta64(options["spacing"], "s")
    if lacking := [moment for moment in wanted if moment not in known or np.isnan(known[moment]).any()]:
        raise UnrollError(
            f"{', '.join(names)} must be known beforehand, and nothing says so for {question.when(lacking[0])}; pass "
            "--future FILE with such rows, or add them behind the last one"
        )
    return table.only(come), dict(zip(names, np.array([known[moment] for moment in wanted]).T, strict=True))


def _only(question: Question, file: row_files.File) -> row_files.File:
    """The file without the columns that the model was not trained on."""
    form, header = question.form, file.header()
    needed = [*form.stamp, *question.numbers, *form.categories]
    if lacking := [name for name in needed if name not in header]:
        close = difflib.get_close_matches(lacking[0], header, n=1)
        hint = f"; is it {close[0]!r}? Rename it there" if close else ""
        raise UnrollError(
            f"{file.path.name} has no column {lacking[0]!r}, which {question.dataset} was trained on{hint}. "
            f"It has: {', '.join(header)}"
        )
    return replace(file, form=replace(file.form, drop=[name for name in header if name not in needed]))


def _aligned(question: Question, table: stamped_file.Table, name: str) -> stamped_file.Table:
    """The columns in the order that the model knows; a word that does not occur is 0 everywhere."""
    import pandas as pd

    if unknown := [column for column in table.columns if column not in question.read]:
        column, _, word = unknown[0].partition("=")
        raise UnrollError(f"{name}: column {column!r} holds {word!r}, a word that {question.dataset} does not have")
    frame = pd.DataFrame(table.values, columns=table.columns)
    return replace(table, columns=question.read, values=frame.reindex(columns=question.read, fill_value=0).to_numpy())


def _require_whole(found: History, first: int) -> None:
    """Raise UnrollError unless the rows from `first` on are without a gap and their values known."""
    question, rows, columns = found.question, found.measured.series, found.measured.columns
    needed = f"{found.name}: a forecast needs the last {question.reach:,} rows"
    if first < 0:
        raise UnrollError(f"{needed}, and there are {len(rows.values):,}; add rows from before")
    if first < rows.start:
        column = columns[int(rows.unknown[: rows.start].sum(axis=0).argmax())]
        until = question.when(rows.stamps[rows.start - 1])
        raise UnrollError(f"{needed}, and {column!r} holds no value until {until}; add rows from before")
    longest = question.preparation["fill"]
    filled = f", and no more than {longest} in a row are filled" if longest else ""
    broken = np.flatnonzero(np.diff(rows.stamps[first:]).astype(np.int64) != 1000 * question.preparation["spacing"])
    if len(broken):
        before, after = map(question.when, rows.stamps[first + broken[-1] :][:2])
        raise UnrollError(f"{needed}, and between {before} and {after} there are none{filled}; add them")
    if rows.late is not None and rows.late[first:].any():
        late = first + int(np.flatnonzero(rows.late[first:])[-1])
        column = columns[int(rows.unknown[late].argmax())]
        raise UnrollError(f"{needed}, and {column!r} was not measured up to {question.when(rows.stamps[late])}{filled}")


def _unusual(question: Question, times: Array, values: Array) -> list[str]:
    lines, fitted = [], question.fitted
    for name in question.numbers:
        place = fitted.columns.index(name)
        low, high = fitted.low[place], fitted.high[place]
        beyond = np.maximum(low - values[:, place], values[:, place] - high)
        if (far := beyond > FAR * ((high - low) or 1.0)).any():
            row = int(beyond.argmax())
            more = f" and {far.sum() - 1} more" if far.sum() > 1 else ""
            lines.append(
                f"{name!r} is {values[row, place]:g} at {question.when(times[row])}{more}, far outside of what "
                f"{question.dataset} was trained on, {low:g} to {high:g}: the forecast is a guess"
            )
    return lines
