"""New rows -> the last window of them as a model's input, by the preparation that its data set was made with."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.data import row_files, series_splits, stamped_file
from pipeline.data.dataset import Dataset, Fitted
from pipeline.data.examples import Array, Windows
from pipeline.data.preparations import series
from pipeline.errors import UnrollError
from pipeline.validation import Strict

if TYPE_CHECKING:
    from pipeline.data.download import Progress

FAR = 0.5
"""How far beyond the trained range a value is far: a share of that range."""


class Question(Strict):
    """How rows become inputs, and what is asked of them.

    Attributes:
        dataset: its name.
        fitted: of the data set.
        lookback: rows that a window spans.
        step: rows from one input to the next.
        horizon: rows from the last input to the first value asked for.
        outputs: how many values, `step` rows apart.
    """

    dataset: str
    fitted: Fitted
    lookback: int
    step: int
    horizon: int
    outputs: int

    @classmethod
    def of(cls, data: Dataset, windows: Windows) -> "Question":
        """What a prepared series asks. Raises UnrollError if it was prepared by an earlier Unroll."""
        if data.fitted is None:
            raise UnrollError(f"{data.name} was prepared by an earlier Unroll; run `unroll repro evaluate@{data.name}`")
        return cls(
            dataset=data.name,
            fitted=data.fitted,
            lookback=windows.lookback,
            step=windows.step,
            horizon=windows.horizon,
            outputs=windows.outputs,
        )

    @property
    def preparation(self) -> dict[str, Any]:
        """The options of `series.prepare`."""
        return self.fitted.options

    @property
    def where(self) -> str:
        """The place of the options in params.yaml."""
        return f"datasets.{self.dataset}.preparation"

    @property
    def reach(self) -> int:
        """Rows in a row that a forecast needs."""
        return self.lookback + series.longest_lag(self.preparation) - self.step + 1

    @property
    def form(self) -> row_files.Form:
        """How a file is written."""
        return series.form_of(self.preparation)

    @property
    def read(self) -> list[str]:
        """The columns that stand in a file: numbers, then a column for each word of a category."""
        made = (self.preparation["fill"] is not None) + len(self.preparation["target_lags"] or [])
        made += series.known_columns(self.preparation)
        return self.fitted.columns[: len(self.fitted.columns) - made]

    @property
    def numbers(self) -> list[str]:
        """The columns of numbers."""
        words = tuple(f"{name}=" for name in self.form.categories)
        return [name for name in self.read if not (words and name.startswith(words))]

    def on_clock(self, times: Array) -> Any:
        """Stamps (rows,) as a pandas DatetimeIndex, with the time zone where there is one."""
        import pandas as pd

        index, zone = pd.DatetimeIndex(series.on_days(times, self.preparation)), self.preparation["time_zone"]
        return index if zone is None else index.tz_localize("UTC").tz_convert(zone)

    def when(self, stamp: Any) -> str:
        """A stamp on the file's clock."""
        return str(self.on_clock(np.array([stamp], "datetime64[s]"))[0])


@dataclass(frozen=True)
class Window:
    """The last rows of a file.

    Attributes:
        since: windows as `examples.Windows`, of the origins whose answers have come since the models were fitted.
        stamps: (rows,) datetime64[ms], in UTC where the preparation has them so.
        target: (rows,) what was measured of the target, gaps filled as for the model.
        inputs: (timesteps, columns + CALENDAR) float32.
        ahead: a pandas DatetimeIndex of the stamps that are asked for.
        unusual: lines about values far outside of what was trained on.
    """

    stamps: Array
    target: Array
    inputs: Array
    ahead: Any
    unusual: list[str]
    since: Windows | None = None


@dataclass(frozen=True)
class History:
    """All rows of some files.

    Attributes:
        name: of the files, for error texts.
        measured: the rows.
        inputs: (rows, columns + calendar) float32, as models see them.
    """

    name: str
    measured: series.Measured
    inputs: Array

    def windows(self, question: Question) -> Windows:
        """Every window whose targets are known and between whose rows there is no gap."""
        rows, options = self.measured.series, question.preparation
        delay, target = options["delay"] - question.step, self.measured.columns.index(options["target"])
        found, _ = series_splits.corrected_rows(
            rows,
            len(rows.values),
            len(rows.values),
            lookback=question.lookback + series.longest_lag(options),
            delay=delay,
            spacing=options["spacing"],
            target=target,
            further=question.step * np.arange(1, question.outputs),
        )
        shape = question.lookback, question.step, delay, target, question.outputs
        return Windows(self.inputs, found["train"], *shape)


def history(
    question: Question,
    files: Sequence[row_files.File],
    progress: "Progress",
    plan: Sequence[row_files.File] | None = (),
) -> History:
    """All rows of some files, as models see them.

    Args:
        question: what the model was trained on.
        files: of the rows. Behind the last one with a target there may be rows with what is known beforehand.
        progress: told of what has been read.
        plan: files of more such rows; None where no forecast is made of them.

    Raises:
        UnrollError: a column is missing, a cell is wrong, or rows are another time apart.
    """
    options = question.preparation
    table = series.evenly(stamped_file.table([_only(question, file) for file in files], progress), options)
    name, spacing = files[0].path.name, options["spacing"]
    own = series_splits.clock(table.stamps, None).spacing
    if len(np.unique(table.stamps)) > 1 and own != spacing:
        raise UnrollError(
            f"{name}: rows lie {own:,} seconds apart, and {question.dataset} was trained on {spacing:,}; give such rows"
        )
    table, beforehand = _apart(question, _aligned(question, table, name), plan, progress)
    measured = series.rows_of(table, options, beforehand)
    with np.errstate(over="ignore"):
        return History(name, measured, series.inputs_of(measured.series, question.fitted))


def latest(question: Question, found: History, until: np.datetime64 | None = None, apart: int = 1) -> Window:
    """The last window of some rows.

    Args:
        question: what the model was trained on.
        found: the rows.
        until: the last row that models were fitted to; None where it does not matter.
        apart: rows from one origin since then to the next.

    Raises:
        UnrollError: rows are too few, there is a gap, or something that is known beforehand is missing.
    """
    measured, name, spacing = found.measured, found.name, question.preparation["spacing"]
    rows, last = measured.series, len(measured.series.values) - 1
    first = last + 1 - question.reach
    _require_whole(question, measured, first, name)
    # As `Windows` counts them: the window of row `last + step` ends with the last row.
    inputs = found.inputs[last + question.step + np.arange(-question.lookback, 0, question.step)]
    if (beyond := ~np.isfinite(inputs).all(axis=0)).any():
        raise UnrollError(
            f"{name}: {question.fitted.columns[beyond.argmax()]!r} holds a number too large for any model"
        )
    ahead = question.horizon + question.step * np.arange(question.outputs)
    times, values = rows.stamps[first:], rows.values[first:]  # noqa: PD011 - not pandas'
    since = None
    if until is not None:
        every = found.windows(question)
        again = (last + question.step - every.rows) % apart == 0
        since = replace(every, rows=every.rows[again & (rows.stamps[every.rows - question.step] >= until)])
    return Window(
        stamps=times,
        target=values[:, question.fitted.columns.index(question.preparation["target"])],
        inputs=inputs,
        ahead=question.on_clock(rows.stamps[last] + (ahead * spacing * 1000).astype("timedelta64[ms]")),
        unusual=_unusual(question, times, values),
        since=since,
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
    values = table.values  # noqa: PD011 - not pandas'
    places = [table.columns.index(name) for name in names]
    measured = ~np.isnan(values[:, table.columns.index(options["target"])])
    come = table.stamps <= table.stamps[measured].max()
    known = dict(zip(table.stamps[~come], values[~come][:, places], strict=True))
    for file in plan:
        header = file.header()
        if lacking := [name for name in [*question.form.stamp, *names] if name not in header]:
            raise UnrollError(f"{file.path.name} has no column {lacking[0]!r}, which is known beforehand")
        drop = [name for name in header if name not in {*question.form.stamp, *names}]
        form = replace(file.form, target=names[0], drop=drop, categories=())
        later = series.evenly(stamped_file.table([replace(file, form=form)], progress), options)
        rows = later.values[:, [later.columns.index(name) for name in names]]  # noqa: PD011
        known |= dict(zip(later.stamps, rows, strict=True))
    wanted = table.stamps[come].max() + np.arange(1, series.lead(options) + 1) * np.timedelta64(options["spacing"], "s")
    if lacking := [moment for moment in wanted if moment not in known or np.isnan(known[moment]).any()]:
        raise UnrollError(
            f"{', '.join(names)} must be known beforehand, and nothing says so for {question.when(lacking[0])}; pass "
            "--future FILE with such rows, or add them behind the last one"
        )
    kept = stamped_file.Table(table.stamps[come], table.columns, values[come])
    return kept, dict(zip(names, np.array([known[moment] for moment in wanted]).T, strict=True))


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
    kept, read = question.read, table.values  # noqa: PD011 - not pandas'
    if unknown := [column for column in table.columns if column not in kept]:
        column, _, word = unknown[0].partition("=")
        raise UnrollError(f"{name}: column {column!r} holds {word!r}, a word that {question.dataset} does not have")
    values = np.zeros((len(read), len(kept)))
    for place, column in enumerate(kept):
        if column in table.columns:
            values[:, place] = read[:, table.columns.index(column)]
    return stamped_file.Table(table.stamps, kept, values)


def _require_whole(question: Question, measured: series.Measured, first: int, name: str) -> None:
    """Raise UnrollError unless the rows from `first` on are without a gap and their values known."""
    rows, spacing = measured.series, question.preparation["spacing"]
    needed = f"a forecast needs the last {question.reach:,} rows"
    if first < 0:
        raise UnrollError(f"{name}: {needed}, and there are {len(rows.values):,}; add rows from before")
    if first < rows.start:
        column = measured.columns[int(rows.unknown[: rows.start].sum(axis=0).argmax())]
        raise UnrollError(
            f"{name}: {needed}, and {column!r} holds no value until {question.when(rows.stamps[rows.start - 1])}; "
            "add rows from before"
        )
    longest = question.preparation["fill"]
    filled = f", and no more than {longest} in a row are filled" if longest else ""
    broken = np.flatnonzero(np.diff(rows.stamps[first:]).astype(np.int64) != spacing * 1000)
    if len(broken):
        before, after = map(question.when, rows.stamps[first + broken[-1] :][:2])
        raise UnrollError(f"{name}: {needed}, and between {before} and {after} there are none{filled}; add them")
    if rows.late is not None and rows.late[first:].any():
        late = first + int(np.flatnonzero(rows.late[first:])[-1])
        column = measured.columns[int(rows.unknown[late].argmax())]
        raise UnrollError(
            f"{name}: {needed}, and {column!r} was not measured up to {question.when(rows.stamps[late])}{filled}"
        )


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
